/** The tools beside a busy engine: nothing false is reported, and nobody is disturbed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { defaultBounds } from "../../../src/actors/ActorBounds.ts"
import { replay } from "../../../src/engine/rebuild/Rebuild.ts"
import { verify } from "../../../src/engine/verify/Verify.ts"
import { WalletEngine } from "../../../src/engine/WalletEngine.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { freshKurrentLog, kurrentPresent } from "../../support/kurrent.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"

const wallets = 24
const callers = 16

/** Callers that send one command after the other, until they are interrupted; counts what was answered. */
const traffic = (counts: { done: number }) =>
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const idOf = (n: number) => `w${n % wallets}`
    for (let n = 0; n < wallets; n++) {
      yield* engine.createWallet({ id: idOf(n), ownerId: "o", currency: "EUR", idempotencyKey: `create-${n}` })
      yield* engine.credit({ walletId: idOf(n), amount: 1_000_000n, idempotencyKey: `first-${n}` })
    }
    const caller = Effect.fnUntraced(function* (caller: number) {
      for (let n = 0; ; n++) {
        const walletId = idOf(caller * 7 + n)
        const key = (what: string) => ({ walletId, idempotencyKey: `${what}-${caller}-${n}` })
        switch (n % 4) {
          case 0:
            yield* engine.credit({ ...key("credit"), amount: 3n })
            break
          case 1:
            yield* engine.debit({ ...key("debit"), amount: 2n })
            break
          case 2: {
            const { hold } = yield* engine.placeHold({ ...key("hold"), amount: 5n })
            yield* engine.captureHold({ ...key("capture"), holdId: hold.id, amount: 1n, final: n % 8 === 2 })
            break
          }
          default:
            yield* engine.transfer({
              from: walletId,
              to: idOf(caller * 7 + n + 1),
              amount: 1n,
              idempotencyKey: `transfer-${caller}-${n}`
            })
        }
        counts.done++
      }
    })
    yield* Effect.all(
      Array.from({ length: callers }, (_, n) => caller(n)),
      { concurrency: callers }
    )
  })

const assertClean = Effect.gen(function* () {
  const report = yield* verify({ concurrency: 2 })
  assert.deepStrictEqual(report.differences, [])
  assert.isAtLeast(report.wallets, wallets)
})

const database = TestPostgres.layerDatabase()

const inOneDatabase = SqlStores.layer().pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(database))

const behindLog = Layer.merge(SqlStores.layerBehindLog(), freshKurrentLog()).pipe(
  Layer.provide(SqlMigrator.layer),
  Layer.provideMerge(database)
)

const engineOver = <A, E, R>(stores: Layer.Layer<A, E, R>) =>
  WalletEngine.layer({ bounds: defaultBounds, partitions: 16 }).pipe(
    Layer.provideMerge(stores as Layer.Layer<Layer.Success<typeof inOneDatabase>, E, R>)
  )

const busy = Effect.gen(function* () {
  const counts = { done: 0 }
  const running = yield* Effect.forkChild(traffic(counts))
  const until = (done: number) =>
    Effect.suspend(() => (running.pollUnsafe() === undefined ? Effect.void : Fiber.join(running))).pipe(
      Effect.andThen(Effect.sleep("20 millis")),
      Effect.repeat({ until: () => counts.done >= done })
    )
  const whileDoing = <A, E, R>(tool: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      yield* until(counts.done + 100)
      const result = yield* tool
      yield* until(counts.done + 100)
      return result
    })
  return { running, whileDoing }
})

describe.skipIf(!postgresPresent)("the tools beside a busy engine", () => {
  it.live(
    "with the log in the same database",
    () =>
      Effect.gen(function* () {
        const { running, whileDoing } = yield* busy
        for (let turn = 0; turn < 2; turn++) yield* whileDoing(assertClean)
        yield* whileDoing(replay({ mode: "rebuild" }))
        yield* whileDoing(replay())
        yield* whileDoing(assertClean)
        yield* Fiber.interrupt(running)
        yield* assertClean
      }).pipe(Effect.provide(engineOver(inOneDatabase))),
    900_000
  )

  it.live.skipIf(!kurrentPresent)(
    "with the log on KurrentDB, also while everything is erased",
    () =>
      Effect.gen(function* () {
        const { running, whileDoing } = yield* busy
        for (let turn = 0; turn < 2; turn++) yield* whileDoing(assertClean)
        yield* whileDoing(replay({ mode: "rebuild" }))
        yield* whileDoing(replay({ mode: "erase", pageEvents: 200 }))
        yield* whileDoing(assertClean)
        yield* Fiber.interrupt(running)
        yield* assertClean
        const { position } = yield* (yield* EventStore).head
        const checkpoints = yield* (yield* Persistence).checkpoints
        assert.isTrue(checkpoints.every((checkpoint) => checkpoint.position <= position))
      }).pipe(Effect.provide(engineOver(behindLog))),
    900_000
  )
})
