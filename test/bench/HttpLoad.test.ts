import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type HttpLoadOptions, runHttpLoad } from "../../bench/HttpLoad.ts"
import * as Server from "../http/TestServer.ts"

const { TestServer } = Server

const load = Effect.fnUntraced(function* (options: Partial<HttpLoadOptions>) {
  const { port, secrets } = yield* TestServer
  const headers = { authorization: `Bearer ${secrets.admin}`, "content-type": "application/json" }
  const common = { host: "127.0.0.1", port, connections: 4, warmup: 0, duration: 150, wallets: [], body: "" }
  return yield* runHttpLoad({ ...common, method: "GET", path: "/health/live", headers, ...options })
})

/** A busy machine may answer little in one run: runs until there is something to look at. */
const busyLoad = (options: Partial<HttpLoadOptions>) =>
  Effect.repeat(load(options), { until: (report) => report.requests >= 8 })

layer(Server.layer(), { excludeTestServices: true })("the bare load client", (it) => {
  it.effect("sends one request after the other on each connection and counts the answers", () =>
    Effect.gen(function* () {
      const { call, secrets, wallet } = yield* TestServer
      const wallets = [yield* wallet(), yield* wallet()]
      const report = yield* busyLoad({
        method: "POST",
        path: "/v1/wallets/{w}/credit",
        headers: {
          authorization: `Bearer ${secrets.write}`,
          "content-type": "application/json",
          "idempotency-key": "{n}"
        },
        body: '{"amount":"1","reference":"{n}"}',
        wallets
      })
      assert.deepStrictEqual(Object.keys(report.statuses), ["201"])
      assert.strictEqual(report.socketErrors, 0)
      assert.strictEqual(report.statuses["201"], report.requests)
      assert.isTrue(0 < report.p50 && report.p50 <= report.p95 && report.p95 <= report.p99 && report.p99 <= report.max)
      const balances = yield* Effect.forEach(wallets, (id) => call("GET", `/v1/wallets/${id}`))
      const credited = balances.reduce((sum, reply) => sum + Number(reply.json.balance), 0)
      assert.isAtLeast(credited, report.requests)
      assert.isTrue(balances.every((reply) => reply.json.version > 0))
    })
  )

  it.effect("tells refusals and broken connections apart", () =>
    Effect.gen(function* () {
      const refused = yield* busyLoad({ path: "/v1/wallets", headers: {} })
      assert.deepStrictEqual(Object.keys(refused.statuses), ["401"])
      const broken = yield* Effect.repeat(load({ port: 1 }), { until: (report) => report.socketErrors >= 4 })
      assert.strictEqual(broken.requests, 0)
      assert.isAtLeast(broken.socketErrors, 4)
      assert.include(broken.firstError ?? "", "ECONNREFUSED")
    })
  )
})
