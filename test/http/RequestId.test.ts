/** The id of a request: on every answer and in every problem, given or made. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "./TestServer.ts"

const { TestServer } = Server
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"

layer(Server.layer({ corsOrigins: ["*"] }), { excludeTestServices: true })("the id of a request", (it) => {
  it.effect("is on every answer, whatever it is, and in every problem", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const calls: ReadonlyArray<readonly [method: string, path: string, call: Server.Call, status: number]> = [
        ["POST", `/v1/wallets/${id}/credit`, { key: "a", body: { amount: "1" } }, 201],
        ["POST", `/v1/wallets/${id}/debit`, { key: "b", body: { amount: "100" } }, 422],
        ["POST", `/v1/wallets/${id}/credit`, { key: "c", body: "{" }, 400],
        ["GET", `/v1/wallets/${id}`, {}, 200],
        ["GET", "/v1/wallets/nope", {}, 404],
        ["GET", "/v1/wallets?limit=x", {}, 400],
        ["GET", "/v1/wallets", { secret: null }, 401],
        ["GET", "/nowhere", {}, 404],
        ["PUT", "/v1/wallets", {}, 405],
        ["GET", "/v1/%zz", {}, 400],
        ["GET", "/health/live", {}, 200],
        ["GET", "/health/ready", {}, 200],
        ["GET", "/metrics", {}, 200],
        ["GET", "/docs", {}, 200],
        ["GET", "/openapi.json", {}, 200],
        ["OPTIONS", "/v1/wallets", {}, 204]
      ]
      const seen = new Set<string>()
      for (const [method, path, given, status] of calls) {
        const made = yield* call(method, path, given)
        assert.strictEqual(made.status, status, path)
        const id = made.headers.get("x-request-id") ?? ""
        assert.match(id, /^[\w-]{14,}$/, path)
        seen.add(id)
        const named = yield* call(method, path, { ...given, headers: { "x-request-id": 'mine-"1"' } })
        assert.strictEqual(named.headers.get("x-request-id"), 'mine-"1"', path)
        if (status < 400) continue
        assert.strictEqual(made.json.requestId, id, path)
        assert.strictEqual(named.json.requestId, 'mine-"1"', path)
        assert.strictEqual(named.headers.get("content-length"), String(Buffer.byteLength(named.text)), path)
      }
      assert.strictEqual(seen.size, calls.length)
    })
  )

  it.effect("is that of the trace where the sender names none, and one of the server's where it is none", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const idFor = (headers: Record<string, string>) =>
        Effect.map(call("GET", "/health/live", { headers }), (reply) => reply.headers.get("x-request-id"))
      const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
      assert.strictEqual(yield* idFor({ traceparent }), traceId)
      assert.strictEqual(yield* idFor({ traceparent, "x-request-id": "mine" }), "mine")
      for (const bad of ["a b", "x".repeat(129), "é"]) {
        assert.match((yield* idFor({ "x-request-id": bad })) ?? "", /^[\w-]{14,}$/, bad)
      }
    })
  )

  it.effect("is on what is no request, too", () =>
    Effect.gen(function* () {
      const { raw } = yield* TestServer
      for (const bytes of ["nonsense\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nhost: x\r\n\r\n"]) {
        const answer = yield* raw(bytes)
        const [, id = ""] = /\r\nx-request-id: (\S+)\r\n/.exec(answer) ?? []
        assert.match(id, /^[\w-]{14,}$/, answer)
        assert.include(answer, `"requestId":"${id}"`)
      }
    })
  )

  it.effect("may be sent and read by browsers, with what else they need", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const origin = "https://app.example.com"
      const preflight = yield* call("OPTIONS", "/v1/wallets", {
        secret: null,
        headers: { origin, "access-control-request-method": "POST" }
      })
      const allowed = (preflight.headers.get("access-control-allow-headers") ?? "").split(",")
      for (const name of ["x-request-id", "traceparent", "idempotency-key", "authorization", "last-event-id"]) {
        assert.include(allowed, name)
      }
      const reply = yield* call("GET", "/v1/wallets/nope", { headers: { origin } })
      const exposed = (reply.headers.get("access-control-expose-headers") ?? "").split(",")
      for (const name of ["x-request-id", "retry-after", "idempotency-replayed", "allow", "www-authenticate"]) {
        assert.include(exposed, name)
      }
    })
  )
})
