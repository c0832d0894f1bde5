import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as TestClock from "effect/testing/TestClock"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { MailboxFull, OutcomeUnknown } from "../../src/actors/EngineError.ts"
import { CommandMetrics, classOf } from "../../src/engine/CommandMetrics.ts"
import { FastHistogram } from "../../src/engine/FastCounter.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"

/** A registry of its own: other tests of this process count, too. */
const registry = () => Layer.succeed(Metric.MetricRegistry, new Map())

const lines = Effect.map(PrometheusMetrics.format(), (text) => text.split("\n"))

const commandLines = Effect.map(lines, (all) =>
  all.filter((line) => /^wallet_commands_total.* [1-9]/.test(line)).sort()
)

const engine = WalletEngine.layer({ bounds: defaultBounds, partitions: 4 }).pipe(Layer.provide(MemoryStores.layer()))

describe("metrics of commands", () => {
  it.effect("tell kinds, results and the codes of rejections, as their wallets answered", () =>
    Effect.gen(function* () {
      const wallets = yield* WalletEngine
      for (const id of ["a", "b"])
        yield* wallets.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `new-${id}` })
      const credit = wallets.credit({ walletId: "a", amount: 5n, idempotencyKey: "1" })
      yield* credit
      yield* credit
      yield* Effect.flip(wallets.debit({ walletId: "a", amount: 9n, idempotencyKey: "2" }))
      yield* Effect.flip(wallets.debit({ walletId: "none", amount: 9n, idempotencyKey: "3" }))
      yield* wallets.transfer({ from: "a", to: "b", amount: 2n, idempotencyKey: "4" })
      yield* Effect.flip(wallets.transfer({ from: "a", to: "b", amount: 200n, idempotencyKey: "5" }))
      const found = yield* commandLines
      for (const line of [
        'wallet_commands_total{kind="create_wallet",result="ok"} 2',
        'wallet_commands_total{kind="credit",result="ok"} 1',
        'wallet_commands_total{kind="credit",result="replayed"} 1',
        'wallet_commands_total{kind="debit",result="rejected",code="InsufficientFunds"} 1',
        'wallet_commands_total{kind="debit",result="rejected",code="WalletNotFound"} 1',
        'wallet_commands_total{kind="send_transfer",result="ok"} 1',
        'wallet_commands_total{kind="receive_transfer",result="ok"} 1',
        'wallet_commands_total{kind="transfer",result="ok"} 1',
        'wallet_commands_total{kind="transfer",result="rejected",code="InsufficientFunds"} 1'
      ])
        assert.include(found, line)
    }).pipe(Effect.provide(Layer.fresh(engine).pipe(Layer.provideMerge(registry()))), TestClock.withLive)
  )

  it.effect("put a command's time into its bucket, in seconds", () =>
    Effect.gen(function* () {
      const metrics = yield* CommandMetrics
      const startedAt = yield* Clock.currentTimeMillis
      yield* TestClock.adjust(30)
      metrics.answered("Credit", startedAt, Effect.succeed({ replayed: false }))
      const found = yield* lines
      const of = (name: string) => found.find((line) => line.startsWith(`wallet_command_duration_seconds_${name}`))
      assert.strictEqual(of('bucket{kind="credit",result="ok",le="0.02"}')?.split(" ")[1], "0")
      assert.strictEqual(of('bucket{kind="credit",result="ok",le="0.05"}')?.split(" ")[1], "1")
      assert.strictEqual(of('bucket{kind="credit",result="ok",le="+Inf"}')?.split(" ")[1], "1")
      assert.strictEqual(of('sum{kind="credit",result="ok"}')?.split(" ")[1], "0.03")
    }).pipe(Effect.provide(CommandMetrics.layer.pipe(Layer.provideMerge(registry()))))
  )

  it.effect("tell how long clients' commands took by how far they asked to wait, and a transfer once", () =>
    Effect.gen(function* () {
      const wallets = yield* WalletEngine
      for (const id of ["a", "b"])
        yield* wallets.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `new-${id}` })
      yield* wallets.credit({ walletId: "a", amount: 9n, idempotencyKey: "1", await: "committed" })
      yield* wallets.credit({ walletId: "a", amount: 9n, idempotencyKey: "1", await: "committed" })
      yield* wallets.credit({ walletId: "a", amount: 9n, dryRun: true })
      yield* Effect.flip(wallets.debit({ walletId: "b", amount: 9n, idempotencyKey: "2" }))
      yield* wallets.transfer({ from: "a", to: "b", amount: 2n, idempotencyKey: "3", await: "indexed" })
      const found = yield* lines
      for (const [wanted, count] of [
        ["committed", 1],
        ["persisted", 2],
        ["indexed", 1]
      ])
        assert.include(found, `wallet_await_duration_seconds_count{await="${wanted}"} ${count}`)
    }).pipe(Effect.provide(Layer.fresh(engine).pipe(Layer.provideMerge(registry()))), TestClock.withLive)
  )

  it.effect("have every defect and unknown outcome from the start, so that the first is an increase", () =>
    Effect.gen(function* () {
      const metrics = yield* CommandMetrics
      const before = yield* lines
      for (const kind of ["debit", "receive_transfer", "transfer", "expire_hold"])
        for (const [result, code] of [
          ["failed", "Defect"],
          ["failed", "EventUnreadable"],
          ["unknown", "OutcomeUnknown"]
        ])
          assert.include(before, `wallet_commands_total{kind="${kind}",result="${result}",code="${code}"} 0`)
      metrics.answered("ReceiveTransfer", 0, Effect.die("broken"))
      assert.include(yield* lines, 'wallet_commands_total{kind="receive_transfer",result="failed",code="Defect"} 1')
    }).pipe(Effect.provide(CommandMetrics.layer.pipe(Layer.provideMerge(registry()))))
  )

  it.effect("are there from the start, at zero, and gone with their scope", () =>
    Effect.gen(function* () {
      const own = new Map()
      const read = Effect.provideService(lines, Metric.MetricRegistry, own)
      const during = yield* read.pipe(
        Effect.provide(CommandMetrics.layer.pipe(Layer.provide(Layer.succeed(Metric.MetricRegistry, own))))
      )
      assert.include(during, 'wallet_commands_total{kind="debit",result="ok"} 0')
      assert.strictEqual(own.size, 0)
    })
  )

  it.effect("tell what may be sent again from what is not known and from what failed", () =>
    Effect.gen(function* () {
      const metrics = yield* CommandMetrics
      const errors = [
        new StoreUnavailable({ store: "log", reason: "away", retryAfter: 1 }),
        new MailboxFull({ walletId: "a", retryAfter: 1 }),
        new OutcomeUnknown({ walletId: "a", retryAfter: 1 })
      ]
      for (const error of errors) metrics.answered("Debit", 0, Effect.fail(error))
      metrics.answered("Debit", 0, Effect.die(new Error("a defect")))
      assert.deepStrictEqual(yield* commandLines, [
        'wallet_commands_total{kind="debit",result="failed",code="Defect"} 1',
        'wallet_commands_total{kind="debit",result="unavailable",code="MailboxFull"} 1',
        'wallet_commands_total{kind="debit",result="unavailable",code="StoreUnavailable"} 1',
        'wallet_commands_total{kind="debit",result="unknown",code="OutcomeUnknown"} 1'
      ])
      assert.strictEqual(classOf("WalletFrozen"), "rejected")
      assert.strictEqual(classOf("StoreDefect"), "failed")
    }).pipe(Effect.provide(CommandMetrics.layer.pipe(Layer.provideMerge(registry()))))
  )

  it("take a time on a boundary as within it, and one above the last as beyond", () => {
    const tally = new FastHistogram([1, 2])
    for (const value of [1, 1.5, 2, 3]) tally.record(value)
    assert.deepStrictEqual(tally.state, {
      buckets: [
        [1, 1],
        [2, 3]
      ],
      count: 4,
      sum: 7.5,
      min: 1,
      max: 3
    })
  })
})
