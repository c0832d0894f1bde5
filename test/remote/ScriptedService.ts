/** A server on the loopback that answers what a test has written down, whatever it is asked. */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type * as Net from "node:net"
import { text } from "node:stream/consumers"

export interface ScriptedAnswer {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface ScriptedRequest {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly key: string | undefined
  readonly body: string
}

export interface ScriptedService {
  readonly url: string
  /** From now on these, in this order; the last one again and again. `"cut"`: the connection breaks. */
  readonly answers: (...answers: ReadonlyArray<ScriptedAnswer | "cut">) => Effect.Effect<void>
  /** Since the answers were written down. */
  readonly requests: ReadonlyArray<ScriptedRequest>
}

export const problem = (status: number, code: string, members: object = {}): ScriptedAnswer => ({
  status,
  body: JSON.stringify({ type: "", title: "", status, code, retryable: true, detail: `told ${code}`, ...members })
})

/** Until the scope closes. */
export const startScripted = Effect.gen(function* () {
  const requests: Array<ScriptedRequest> = []
  let script: ReadonlyArray<ScriptedAnswer | "cut"> = []
  const handle = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
    void text(request).then((body) => {
      const key = request.headers["idempotency-key"]
      requests.push({ method: request.method, url: request.url, key: typeof key === "string" ? key : undefined, body })
      const answer = script[Math.min(requests.length, script.length) - 1]
      if (answer === undefined || answer === "cut") request.socket.resetAndDestroy()
      else response.writeHead(answer.status, answer.headers).end(answer.body)
    })
  }
  const server = yield* Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer(handle)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const service: ScriptedService = {
    url: `http://127.0.0.1:${(server.address() as Net.AddressInfo).port}`,
    requests,
    answers: (...answers) =>
      Effect.sync(() => {
        script = answers
        requests.length = 0
      })
  }
  return service
})
