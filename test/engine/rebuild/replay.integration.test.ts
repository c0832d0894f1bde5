/** Replay and verify on PostgreSQL: the log in the same database, and behind a log of its own. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { replay, replayWallet } from "../../../src/engine/rebuild/Rebuild.ts"
import { verify } from "../../../src/engine/verify/Verify.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import * as MemoryEventStore from "../../../src/stores/memory/MemoryEventStore.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { create, credit, newState, openLogBook, writeLives } from "../../support/LogLife.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"

const lives = { wallets: 12, steps: 300, seed: 11 }

const database = TestPostgres.layerDatabase()

const sameDatabase = SqlStores.layer().pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(database))

const behindLog = Layer.unwrap(
  Effect.map(newState({ separate: true }), (state) =>
    Layer.merge(SqlStores.layerBehindLog(), Layer.succeed(EventStore, MemoryEventStore.make(state)))
  )
).pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(database))

const tables = [
  ["wallets", "id"],
  ["events", "wallet_id, version"],
  ["holds", "wallet_id, id"],
  ["transfers", "wallet_id, id"],
  ["refusals", "wallet_id, version"]
] as const

/** Every row of the view; `without`: columns that need not come back as they were. */
const dump = (without: ReadonlyArray<string> = []) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const rows: Record<string, ReadonlyArray<unknown>> = {}
    for (const [table, order] of tables) {
      const found = yield* sql.unsafe<{ readonly row: Record<string, unknown> }>(
        `select to_jsonb(t) as row from ${table} t order by ${order}`
      )
      rows[table] = found.map(({ row }) =>
        Object.fromEntries(Object.entries(row).filter(([column]) => !without.includes(column)))
      )
    }
    return rows
  })

const clean = Effect.gen(function* () {
  const { differences, events } = yield* verify({ lagMillis: 0 })
  assert.deepStrictEqual(differences, [])
  return events
})

describe.skipIf(!postgresPresent)("replay on PostgreSQL", () => {
  it.live("makes in the log's database the very rows that the appends have made, to the last column", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const book = yield* openLogBook
      yield* writeLives(book, lives)
      const before = yield* dump()
      assert.isAbove(before["events"]!.length, 100)
      assert.isAbove(before["transfers"]!.length, 10)
      const events = yield* clean
      assert.deepInclude(yield* replay({ mode: "erase", pageEvents: 50 }), { events, written: events, refused: 0 })
      assert.deepStrictEqual(yield* dump(), before)
      yield* sql`delete from wallets where id = 'w1'`
      yield* sql`update wallets set balance = balance + 1 where id = 'w2'`
      yield* sql`delete from holds where wallet_id = 'w3'`
      assert.isAbove((yield* verify({ lagMillis: 0 })).differenceCount, 2)
      yield* replay({ mode: "rebuild", pageEvents: 50 })
      assert.deepStrictEqual(yield* dump(), before)
      yield* sql`update transfers set status = 'completed', reason = null where wallet_id = 'w4'`
      const repaired = yield* verify({ lagMillis: 0, repair: true })
      assert.strictEqual(repaired.differenceCount, 0)
      assert.isAbove(repaired.repaired, 0)
      assert.deepStrictEqual(yield* dump(), before)
      // The log's appends go on where the rows are.
      yield* book.perform(credit("w1", 3n), 10_000)
      yield* clean
    }).pipe(Effect.provide(sameDatabase))
  )

  it.live("leaves a log that has no events yet a log", () =>
    Effect.gen(function* () {
      yield* replay({ mode: "erase" })
      const book = yield* openLogBook
      yield* book.perform(create("a"))
      yield* clean
    }).pipe(
      Effect.provide(
        Layer.fresh(
          SqlStores.layer().pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(TestPostgres.layerDatabase()))
        )
      )
    )
  )

  it.live("fills the rows behind a log, again after a cut, and knows what a trigger refuses", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const refused = yield* Effect.flatMap(openLogBook, (book) => writeLives(book, lives))
      assert.isAbove(refused.size, 5)
      yield* replay({ pageEvents: 50 })
      const accepted = yield* dump(["position"])
      assert.deepStrictEqual(accepted["refusals"], [])
      yield* clean
      // A rule that has been there from the start: each of these was refused, and was reversed.
      yield* sql`create table forbidden (id uuid primary key)`
      for (const id of refused) yield* sql`insert into forbidden (id) values (${id}::uuid)`
      yield* sql.unsafe(`
        create function refuse() returns trigger language plpgsql set search_path from current as $$
        begin
          if exists (select from forbidden f where f.id = new.id) then raise exception 'not here'; end if;
          return new;
        end $$`)
      yield* sql`create trigger refuse before insert on events for each row execute function refuse()`
      const again = yield* replay({ mode: "erase", pageEvents: 50 })
      assert.isAbove(again.refused, 0)
      const rows = yield* dump(["position", "refused_at"])
      assert.strictEqual(rows["refusals"]!.length, again.refused)
      const { differences, refusals } = yield* verify({ lagMillis: 0 })
      assert.deepStrictEqual(differences, [])
      assert.strictEqual(refusals, again.refused)
      yield* replay({ mode: "rebuild", pageEvents: 50 })
      assert.deepStrictEqual(yield* dump(["position", "refused_at"]), rows)
      yield* sql`drop trigger refuse on events`
      yield* replay({ mode: "erase" })
      assert.deepStrictEqual(yield* dump(["position"]), accepted)
    }).pipe(Effect.provide(behindLog))
  )

  it.live("keeps the places of a wallet's rows in the lists when it replaces them", () =>
    Effect.gen(function* () {
      const book = yield* openLogBook
      for (const id of ["a", "b", "c"]) {
        yield* book.perform(create(id))
        yield* book.perform(credit(id, 1n))
      }
      yield* replay()
      const before = yield* dump()
      yield* replayWallet("a")
      assert.deepStrictEqual(yield* dump(), before)
    }).pipe(Effect.provide(behindLog))
  )
})
