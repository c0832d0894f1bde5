import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { runLoad } from "../../src/load/Load.ts"
import { LoadTarget } from "../../src/load/LoadTarget.ts"
import { clockOfLooks } from "../support/clocks.ts"
import * as Server from "../http/TestServer.ts"

const { TestServer } = Server

const overHttp = (port?: number) =>
  Layer.unwrap(
    Effect.map(TestServer, (server) =>
      LoadTarget.layerHttp({
        url: new URL(`http://127.0.0.1:${port ?? server.port}`),
        apiKey: Redacted.make(server.secrets.admin)
      })
    )
  )

layer(Server.layer(), { excludeTestServices: true })("a load on a running service", (it) => {
  it.effect("sends every kind of command, each done", () =>
    Effect.gen(function* () {
      const report = yield* runLoad({
        callers: 4,
        distribution: { _tag: "Zipf", wallets: 3, exponent: 1 },
        mix: { credit: 2, debit: 1, hold: 1, order: 1, transfer: 1, legs: 1, refund: 1, read: 1 },
        warmupMillis: 0,
        millis: 600,
        run: "http",
        onProgress: () => Effect.void
        // About 200 commands, however long they take: three looks at the clock for each.
      }).pipe(Effect.provideService(Clock.Clock, clockOfLooks()))
      assert.deepStrictEqual(Object.keys(report.answers), ["ok"])
      assert.strictEqual(report.kinds.length, 8)
      const { call } = yield* TestServer
      const wallet = yield* call("GET", "/v1/wallets/load-http-0")
      assert.strictEqual(wallet.json.held, "0")
      assert.isAbove(wallet.json.version, 1)
    }).pipe(Effect.provide(overHttp()))
  )

  it.effect("answers a refusal by its code", () =>
    Effect.gen(function* () {
      const target = yield* LoadTarget
      const missing = yield* target.send(0, { _tag: "Credit", walletId: "nobody", amount: 1n }, "k1")
      assert.strictEqual(missing.code, "WalletNotFound")
      const again = yield* target.send(0, { _tag: "Read", walletId: "nobody" }, "k2")
      assert.strictEqual(again.code, "WalletNotFound")
    }).pipe(Effect.provide(overHttp()))
  )

  it.effect("says that nobody answers, and tries anew with the next command", () =>
    Effect.gen(function* () {
      const target = yield* LoadTarget
      for (const key of ["k1", "k2"]) {
        const answer = yield* target.send(0, { _tag: "Read", walletId: "w" }, key)
        assert.strictEqual(answer.code, "ConnectionBroken")
      }
    }).pipe(Effect.provide(overHttp(1)))
  )
})
