/** Keys are recognised whatever the clock says, and holds are judged by one that is sound: on the stores of a service. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import type { ApiKeyStore } from "../../src/stores/ApiKeyStore.ts"
import type { EventStore } from "../../src/stores/EventStore.ts"
import type { Persistence } from "../../src/stores/Persistence.ts"
import type { ReadModel } from "../../src/stores/ReadModel.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import { separateLog } from "../stores/storeContracts.ts"
import { layerEmbedded } from "../support/embedded.ts"
import { machineClock } from "../support/clocks.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"

type Stores = EventStore | Persistence | ReadModel | ApiKeyStore

const embedded = SqlStores.layer().pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(layerEmbedded))
const postgres = SqlStores.layer().pipe(
  Layer.provide(SqlMigrator.layer),
  Layer.provideMerge(TestPostgres.layerDatabase())
)
const behindLog = Layer.merge(SqlStores.layerBehindLog(), Layer.fresh(separateLog)).pipe(
  Layer.provide(SqlMigrator.layer),
  Layer.provideMerge(TestPostgres.layerDatabase())
)

interface Place {
  readonly name: string
  readonly stores: Layer.Layer<Stores, unknown>
}

const places: ReadonlyArray<Place> = [
  { name: "embedded", stores: embedded },
  ...(postgresPresent
    ? [
        { name: "on PostgreSQL", stores: postgres },
        { name: "on PostgreSQL behind a log", stores: behindLog }
      ]
    : [])
]

/** More than a wallet keeps in memory. */
const commands = 2_000

const day = 86_400_000

/** One life of the service. */
const life = <A, E>(clock: Clock.Clock, use: Effect.Effect<A, E, WalletEngine>) =>
  Effect.provide(
    use,
    Layer.fresh(WalletEngine.layer({ bounds: { ...defaultBounds, keysInMemory: 256 }, partitions: 4 })).pipe(
      Layer.provide(Layer.succeed(Clock.Clock, clock)),
      Layer.provide(Logger.layer([]))
    )
  )

const credit = (amount: bigint, idempotencyKey: string) =>
  Effect.flatMap(WalletEngine, (engine) => engine.credit({ walletId: "a", amount, idempotencyKey }))

const freeze = (idempotencyKey: string) =>
  Effect.flatMap(WalletEngine, (engine) => engine.freeze({ walletId: "a", idempotencyKey }))

const unfreeze = (idempotencyKey: string) =>
  Effect.flatMap(WalletEngine, (engine) => engine.unfreeze({ walletId: "a", idempotencyKey }))

const wallet = Effect.flatMap(WalletEngine, (engine) => engine.getWallet({ walletId: "a" }))

/** What keys have done, done again: nothing. */
const replay = Effect.gen(function* () {
  assert.isTrue((yield* credit(7n, "K")).replayed)
  assert.isTrue((yield* unfreeze("idle")).replayed)
  assert.isTrue((yield* freeze("idle-frozen")).replayed)
  assert.deepInclude(yield* wallet, { balance: 7n + BigInt(commands), status: "active" })
})

describe.each(places)("a service $name", ({ stores }) => {
  it.live(
    "does no command twice, whatever its clock says, and lets no hold expire by it",
    () =>
      Effect.gen(function* () {
        const machine = machineClock(yield* Clock.Clock)
        const start = machine.currentTimeMillisUnsafe()
        const holdId = yield* life(
          machine,
          Effect.gen(function* () {
            const engine = yield* WalletEngine
            yield* engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "create" })
            yield* credit(7n, "K")
            yield* unfreeze("idle")
            yield* freeze("freeze")
            yield* freeze("idle-frozen")
            yield* unfreeze("unfreeze")
            const numbers = Array.from({ length: commands }, (_, number) => number)
            yield* Effect.forEach(numbers, (number) => credit(1n, `k${number}`), { concurrency: 64, discard: true })
            const hold = { walletId: "a", amount: 3n, expiresAt: start + 3_600_000 }
            const { hold: placed } = yield* engine.placeHold({ ...hold, idempotencyKey: "hold" })
            machine.ahead = 25 * 3_600_000
            yield* replay
            // Time for two sweeps and more. That nothing has expired has no condition to wait for; a slow machine sweeps less.
            yield* Effect.sleep(1_500)
            assert.strictEqual((yield* engine.hold("a", placed.id)).status, "active")
            const clock = (yield* engine.health).checks.find(({ name }) => name === "clock")
            assert.deepInclude(clock, { status: "degraded" })
            return placed.id
          })
        )
        for (const ahead of [25 * 3_600_000, -400 * day, 400 * day, 0]) {
          machine.ahead = ahead
          yield* life(
            machine,
            Effect.gen(function* () {
              const engine = yield* WalletEngine
              yield* replay
              assert.strictEqual((yield* engine.hold("a", holdId)).status, "active")
              const { updatedAt } = yield* wallet
              assert.isBelow(Math.abs(updatedAt - start), 120_000)
            })
          )
        }
      }).pipe(Effect.provide(stores)),
    { timeout: 120_000 }
  )
})
