import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type * as Net from "node:net"
import { text } from "node:stream/consumers"
import { startHttpProxy } from "./httpProxy.ts"

/** Says what it was asked. */
const echo = Effect.acquireRelease(
  Effect.callback<Http.Server>((resume) => {
    const server = Http.createServer((incoming, answer) => {
      void text(incoming).then((body) => answer.writeHead(201, { "x-echo": "yes" }).end(`${incoming.url} ${body}`))
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
)

const started = Effect.gen(function* () {
  const server = yield* echo
  const proxy = yield* startHttpProxy(`http://127.0.0.1:${(server.address() as Net.AddressInfo).port}`)
  const post = (path: string, body: string) =>
    Effect.tryPromise({
      try: async (signal) => {
        const answer = await fetch(proxy.url + path, { method: "POST", body, signal })
        return [answer.status, answer.headers.get("x-echo"), await answer.text()] as const
      },
      catch: () => "broken" as const
    })
  return { proxy, post }
})

describe("a proxy in trouble", () => {
  it.live("hands on what comes when it is told to", () =>
    Effect.gen(function* () {
      const { post } = yield* started
      assert.deepStrictEqual(yield* post("/a?b=c", "body"), [201, "yes", "/a?b=c body"])
    }).pipe(Effect.scoped)
  )

  it.live("gives half of an answer, as if that were all and with the connection broken", () =>
    Effect.gen(function* () {
      const { post, proxy } = yield* started
      yield* proxy.set({ _tag: "HalfBodies" })
      assert.deepStrictEqual(yield* post("/a", "12345"), [201, "yes", "/a 1"])
      assert.strictEqual(yield* Effect.flip(post("/a", "12345")), "broken")
    }).pipe(Effect.scoped)
  )

  it.live("answers with a page of its own", () =>
    Effect.gen(function* () {
      const { post, proxy } = yield* started
      yield* proxy.set({ _tag: "BadGateway" })
      const [status, echo, body] = yield* post("/a", "12345")
      assert.deepStrictEqual([status, echo], [502, null])
      assert.include(body, "<html>")
      yield* proxy.set({ _tag: "Pass" })
      assert.strictEqual((yield* post("/a", "12345"))[0], 201)
    }).pipe(Effect.scoped)
  )

  it.live("changes the requests to one path", () =>
    Effect.gen(function* () {
      const { post, proxy } = yield* started
      yield* proxy.set({ _tag: "Change", path: "/a", change: (body) => body.toUpperCase() })
      assert.strictEqual((yield* post("/a?b=c", "body"))[2], "/a?b=c BODY")
      assert.strictEqual((yield* post("/b", "body"))[2], "/b body")
    }).pipe(Effect.scoped)
  )

  it.live("tells when a request has reached the server", () =>
    Effect.gen(function* () {
      const { post, proxy } = yield* started
      const both = yield* Effect.all([proxy.underWay("/a"), post("/a", "body")], { concurrency: 2 })
      assert.strictEqual(both[1][0], 201)
    }).pipe(Effect.scoped)
  )
})
