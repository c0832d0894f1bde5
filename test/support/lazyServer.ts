/**
 * A server that a run shares and only some of its files need: started when the first
 * of them asks. The files run in processes of their own, so they ask over HTTP.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Http from "node:http"
import type * as Net from "node:net"

/** Where to ask for the server's URL, until the scope ends; the server ends with it, too. */
export const offerLazily = Effect.fnUntraced(function* (start: Effect.Effect<string, never, Scope.Scope>) {
  const scope = yield* Effect.scope
  let started: Promise<string> | undefined
  const broker = yield* Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer((_, response) => {
        started ??= Effect.runPromise(Scope.provide(start, scope))
        started.then(
          (url) => response.end(url),
          (error: unknown) => response.writeHead(500).end(String(error))
        )
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  return `http://127.0.0.1:${(broker.address() as Net.AddressInfo).port}/`
})

/** The URL that an offer leads to; any other is answered as it is. */
export const acceptOffer = (url: string): Effect.Effect<string> =>
  url.startsWith("http:")
    ? Effect.promise(() =>
        fetch(url).then((response) =>
          response.text().then((text) => (response.ok ? text : Promise.reject(new Error(text))))
        )
      )
    : Effect.succeed(url)
