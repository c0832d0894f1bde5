/** Reads never have all connections of a database, and never wait for one that their own transaction has. */
import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg/PgClient"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { ReadConnections, readsOf } from "../../../src/stores/sql/ReadConnections.ts"
import { SqlDatabase } from "../../../src/stores/sql/SqlDatabase.ts"
import { layerEmbedded } from "../../support/embedded.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"

const smallPool = Layer.unwrap(
  Effect.map(TestPostgres, ({ url }) => Layer.fresh(SqlDatabase.layerServer({ url, maxConnections: 4 })))
)

/** Another process, with a session of its own. */
const holding = Layer.unwrap(
  Effect.map(TestPostgres, ({ url }) => Layer.fresh(SqlDatabase.layerServer({ url, maxConnections: 1 })))
)

describe.runIf(postgresPresent)("reads on PostgreSQL", () => {
  it.live("that all hang leave connections to everything else", () =>
    Effect.gen(function* () {
      // Another session holds what the reads wait for.
      const holder = yield* SqlClient
      yield* holder`select pg_advisory_lock(1)`
      yield* Effect.gen(function* () {
        const sql = yield* PgClient
        const inTurn = yield* ReadConnections
        const reads = yield* Effect.forEach(Array.from({ length: 20 }), () =>
          Effect.forkChild(inTurn(sql`select pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1)`))
        )
        // Without the bound this would have no connection, and the test no end.
        for (let n = 0; n < 10; n++) assert.deepStrictEqual(yield* sql`select 1 as one`, [{ one: 1 }])
        const [row] = yield* sql<{ readonly waiting: number }>`
          select count(*)::int as waiting from pg_locks where locktype = 'advisory' and not granted
          and database = (select oid from pg_database where datname = current_database())`.pipe(
          Effect.repeat({ until: ([found]) => found!.waiting >= readsOf(4) })
        )
        assert.strictEqual(row?.waiting, readsOf(4))
        yield* holder`select pg_advisory_unlock(1)`
        for (const read of reads) yield* Fiber.join(read)
      }).pipe(Effect.provide(smallPool))
    }).pipe(Effect.provide(holding), Effect.provide(TestPostgres.layer))
  )
})

describe("reads on the embedded database", () => {
  it.live("within a transaction do not wait for one that waits for it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const inTurn = yield* ReadConnections
      const begun = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const transaction = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`select 0`
            yield* Deferred.succeed(begun, undefined)
            yield* Deferred.await(goOn)
            return yield* inTurn(sql`select 1 as one`)
          })
        )
      )
      yield* Deferred.await(begun)
      // It has the turn of the reads, and waits for the only connection.
      const other = yield* Effect.forkChild(inTurn(sql`select 2 as two`), { startImmediately: true })
      yield* Deferred.succeed(goOn, undefined)
      assert.deepStrictEqual(yield* Fiber.join(transaction), [{ one: 1 }])
      assert.deepStrictEqual(yield* Fiber.join(other), [{ two: 2 }])
    }).pipe(Effect.provide(layerEmbedded))
  )

  it("have one connection of one, half of a few, and all but four of many", () => {
    assert.deepStrictEqual([1, 2, 4, 8, 10, 100].map(readsOf), [1, 1, 2, 4, 6, 96])
  })
})
