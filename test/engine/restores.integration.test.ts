/** The restores of the README on real servers: KurrentDB's data folder and PostgreSQL's database, each put back. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { cpSync, rmSync } from "node:fs"
import { join } from "node:path"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { replay } from "../../src/engine/rebuild/Rebuild.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { startKurrent } from "../../bench/servers/KurrentServer.ts"
import { temporaryFolder } from "../../bench/servers/ServerProcess.ts"
import * as KurrentEventStore from "../../src/stores/kurrent/KurrentEventStore.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import { freshPrefix, kurrentPresent, sharedKurrent } from "../support/kurrent.ts"
import { copyDatabase, postgresPresent, TestPostgres } from "../support/postgres.ts"

interface Place {
  readonly kurrent: Redacted.Redacted
  readonly prefix: string
  readonly postgres: Redacted.Redacted
}

const storesAt = ({ kurrent, postgres, prefix }: Place) =>
  Layer.fresh(
    Layer.merge(SqlStores.layerBehindLog(), KurrentEventStore.layer({ url: kurrent, prefix })).pipe(
      Layer.provide(SqlMigrator.layer),
      Layer.provideMerge(SqlDatabase.layerServer({ url: postgres }))
    )
  )

/** A service's life: its start, what it does, its orderly stop. */
const serve = <A, E>(place: Place, use: Effect.Effect<A, E, WalletEngine | Persistence>) =>
  Effect.provide(
    use,
    Layer.fresh(WalletEngine.layer({ bounds: defaultBounds, partitions: 4 })).pipe(Layer.provideMerge(storesAt(place)))
  )

const open = (id: string) =>
  Effect.flatMap(WalletEngine, (engine) =>
    engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `create-${id}` })
  )

const credit = (walletId: string, amount: bigint, idempotencyKey: string) =>
  Effect.flatMap(WalletEngine, (engine) => engine.credit({ walletId, amount, idempotencyKey }))

const balanceInRows = (walletId: string) =>
  Effect.flatMap(Persistence, (persistence) => Effect.map(persistence.wallet(walletId), (row) => row?.balance))

/** Looks until the row says so; the reconciler brings it up behind the start. */
const untilBalance = (walletId: string, balance: bigint) =>
  balanceInRows(walletId).pipe(
    Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (found) => found === balance }),
    Effect.timeout("20 seconds")
  )

const differences = (place: Place) =>
  Effect.map(Effect.provide(verify(), storesAt(place)), (report) => report.differences)

describe.skipIf(!postgresPresent || !kurrentPresent)("restores on KurrentDB and PostgreSQL", () => {
  it.live("PostgreSQL put back to an earlier dump is brought up to the log by the next start", () =>
    Effect.gen(function* () {
      const { url: postgres } = yield* TestPostgres
      const place: Place = { kurrent: yield* sharedKurrent, prefix: freshPrefix(), postgres }
      yield* serve(place, Effect.andThen(open("a"), credit("a", 10n, "1")))
      const dump = { ...place, postgres: yield* copyDatabase(postgres) }
      yield* serve(place, Effect.all([credit("a", 5n, "2"), open("b"), credit("b", 7n, "3")]))
      yield* serve(
        dump,
        Effect.gen(function* () {
          yield* untilBalance("a", 15n)
          yield* untilBalance("b", 7n)
          const again = yield* credit("a", 5n, "2")
          assert.isTrue(again.replayed, "what the dump did not know was done, and is not done again")
        })
      )
      assert.deepStrictEqual(yield* differences(dump), [])
    }).pipe(Effect.provide(TestPostgres.layer), Effect.scoped)
  )

  it.live(
    "a log put back to an earlier copy stops the start in one line; replay --erase gets out of it",
    () =>
      Effect.gen(function* () {
        const { url: postgres } = yield* TestPostgres
        const folder = yield* temporaryFolder()
        const settings = { db: join(folder, "data"), index: join(folder, "index") }
        const server = yield* startKurrent({ inMemory: false, settings })
        const place: Place = { kurrent: server.url, prefix: "wallet", postgres }
        yield* serve(place, Effect.andThen(open("a"), credit("a", 10n, "1")))
        yield* server.kill
        for (const name of ["data", "index"]) {
          cpSync(join(folder, name), join(folder, `${name}-copy`), { recursive: true })
        }
        yield* server.start
        yield* serve(place, Effect.all([credit("a", 5n, "2"), open("b")]))
        yield* server.kill
        for (const name of ["data", "index"]) {
          rmSync(join(folder, name), { recursive: true })
          cpSync(join(folder, `${name}-copy`), join(folder, name), { recursive: true })
        }
        yield* server.start
        const stopped = yield* Effect.flip(serve(place, Effect.void))
        assert.include(["StoreAheadOfLog", "LogPutBack"], stopped._tag)
        assert.match(stopped.message, /^[^\n]+: wallet replay --erase$/)
        const report = yield* Effect.provide(replay({ mode: "erase" }), storesAt(place))
        assert.strictEqual(report.written, 2)
        assert.strictEqual(yield* serve(place, balanceInRows("a")), 10n)
        const { replayed } = yield* serve(place, credit("a", 5n, "2"))
        assert.isFalse(replayed, "what the log has lost can be done again")
        assert.deepStrictEqual(yield* differences(place), [])
      }).pipe(Effect.provide(TestPostgres.layer), Effect.scoped),
    900_000
  )

  it.live("PostgreSQL of another log stops the start in one line; replay --erase adopts this one", () =>
    Effect.gen(function* () {
      const { url: postgres } = yield* TestPostgres
      const place: Place = { kurrent: yield* sharedKurrent, prefix: freshPrefix(), postgres }
      yield* serve(place, open("a"))
      const other = { ...place, prefix: freshPrefix() }
      const stopped = yield* Effect.flip(serve(other, Effect.void))
      assert.strictEqual(stopped._tag, "LogMismatch")
      assert.match(stopped.message, /^[^\n]+: wallet replay --erase$/)
      yield* Effect.provide(replay({ mode: "erase" }), storesAt(other))
      yield* serve(other, open("b"))
      assert.deepStrictEqual(yield* differences(other), [])
      assert.strictEqual((yield* Effect.flip(serve(place, Effect.void)))._tag, "LogMismatch")
    }).pipe(Effect.provide(TestPostgres.layer), Effect.scoped)
  )
})
