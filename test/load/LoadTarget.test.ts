import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { type LoadOptions, runLoad } from "../../src/load/Load.ts"
import { layerHttp } from "../../src/load/HttpTarget.ts"
import { LoadTarget } from "../../src/load/LoadTarget.ts"
import { clockOfLooks } from "../support/clocks.ts"
import * as Server from "../http/TestServer.ts"
import { startHttpProxy } from "../support/httpProxy.ts"
import { loadOptions, noMix } from "./LoadOptionsOf.ts"

const { TestServer } = Server

const overHttp = (url?: string) =>
  Layer.unwrap(
    Effect.map(TestServer, (server) =>
      layerHttp({
        await: "persisted",
        url: new URL(url ?? `http://127.0.0.1:${server.port}`),
        apiKey: Redacted.make(server.secrets.admin)
      })
    )
  )

layer(Server.layer(), { excludeTestServices: true })("a load on a running service", (it) => {
  it.effect("sends every kind of command, each done", () =>
    Effect.gen(function* () {
      // Some hundred operations, however long they take: each looks at the clock.
      const run = (options: LoadOptions) => Effect.provideService(runLoad(options), Clock.Clock, clockOfLooks())
      const report = yield* run(loadOptions({ run: "http", distribution: { _tag: "Zipf", wallets: 3, exponent: 1 } }))
      assert.strictEqual(report.accepted, report.sent)
      assert.strictEqual(Object.keys(report.latency).length, 9)
      assert.isTrue(report.check.ok, JSON.stringify(report.check))
      assert.strictEqual(report.latencyByDurability.indexed?.count, report.sent - (report.latency.read?.count ?? 0))
      const { call } = yield* TestServer
      const wallet = yield* call("GET", "/v1/wallets/load-http-0")
      assert.strictEqual(wallet.json.held, "0")
      assert.isAbove(wallet.json.version, 1)
      const mix = { ...noMix, credit: 1, debit: 1, transfer: 1 }
      const batches = yield* run(loadOptions({ run: "batches", mix, batch: 10, history: 20 }))
      assert.strictEqual(batches.accepted, batches.sent)
      assert.isTrue(batches.check.ok, JSON.stringify(batches.check))
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

  it.effect("drives a service behind a proxy that sends answers in chunks, and tells what the service uses", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const proxy = yield* startHttpProxy(server.url)
      yield* Effect.gen(function* () {
        const options = loadOptions({ run: "proxied" })
        const report = yield* Effect.provideService(runLoad(options), Clock.Clock, clockOfLooks())
        assert.isTrue(report.check.ok, JSON.stringify(report.check))
        yield* proxy.set({ _tag: "BadGateway" })
        const target = yield* LoadTarget
        const answer = yield* target.send(0, { _tag: "Credit", walletId: "load-proxied-0", amount: 1n }, "late")
        assert.deepStrictEqual([answer.code, answer.outcome, answer.tookPlace], ["502", "failed", "maybe"])
      }).pipe(Effect.provide(overHttp(proxy.url)))
    })
  )

  it.effect("says that nobody answers, and tries anew with the next command", () =>
    Effect.gen(function* () {
      const target = yield* LoadTarget
      for (const key of ["k1", "k2"]) {
        const answer = yield* target.send(0, { _tag: "Read", walletId: "w" }, key)
        assert.strictEqual(answer.code, "ConnectionRefused")
      }
    }).pipe(Effect.provide(overHttp("http://127.0.0.1:1")))
  )
})
