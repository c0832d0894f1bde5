/** The SQL log where things go wrong: a user's rules, damage, time limits, servers that are away. */
import type { PgClient } from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import type { Commit } from "../../../src/domain/Commit.ts"
import { credit, debit, placeHold, SampleWallet, send } from "../../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { SqlDatabase } from "../../../src/stores/sql/SqlDatabase.ts"
import { bare } from "../../../src/testing/contract/Observations.ts"
import * as SqlEventStore from "../../../src/stores/sql/SqlEventStore.ts"
import * as SqlPersistence from "../../../src/stores/sql/SqlPersistence.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"

const storesWith = (options: SqlEventStore.SqlEventStoreOptions = {}) =>
  SqlStores.layer(options).pipe(Layer.provideMerge(SqlMigrator.layer), Layer.provideMerge(TestPostgres.layerDatabase()))

const onPostgres = (
  name: string,
  run: Effect.Effect<void, unknown, EventStore | Persistence | SqlClient | PgClient>,
  options?: SqlEventStore.SqlEventStoreOptions
) => it.live(name, () => Effect.provide(run, storesWith(options)))

const rowCounts = Effect.gen(function* () {
  const sql = yield* SqlClient
  const [row] = yield* sql<Record<string, number>>`
    select (select count(*)::int from events) as events, (select count(*)::int from wallets) as wallets,
      (select count(*)::int from transactions) as transactions, (select count(*)::int from holds) as holds,
      (select position::int from log) as position`
  return row
})

const none = { events: 0, wallets: 0, transactions: 0, holds: 0, position: 0 }

/** The error of an append that must leave nothing behind. */
const refused = Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>) {
  const log = yield* EventStore
  const before = yield* rowCounts
  const error = yield* Effect.flip(log.append(commits))
  assert.deepStrictEqual(yield* rowCounts, before)
  return error
})

const busy = () => {
  const sample = new SampleWallet()
  return sample.commit(sample.creation(), credit(50n, "x", { a: "b" }), placeHold("hold-1", 5n), debit(1n))
}

describe.skipIf(!postgresPresent)("a user's rules on the tables", () => {
  onPostgres(
    "refuse an append as a whole, by a trigger, with its words",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      yield* sql`create function no_big() returns trigger language plpgsql as ${sql.literal(
        "'begin if new.amount > 100 then raise exception ''no more than 100''; end if; return new; end'"
      )}`
      yield* sql`create trigger no_big before insert on events for each row execute function no_big()`
      const big = new SampleWallet()
      const error = yield* refused([busy(), big.commit(big.creation(), credit(101n))])
      assert.strictEqual(error._tag, "OperationRefused")
      assert.include(error.reason, "no more than 100")
      const fine = new SampleWallet()
      assert.deepStrictEqual(bare(yield* log.append([fine.commit(fine.creation(), credit(100n))])), [
        { _tag: "Appended" }
      ])
    })
  )

  onPostgres(
    "refuse an append by a constraint of the user's",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`alter table wallets add constraint only_euro check (currency = 'EUR')`
      const error = yield* refused([busy(), new SampleWallet({ currency: "USD" }).create()])
      assert.strictEqual(error._tag, "OperationRefused")
      assert.include(error.reason, "only_euro")
    })
  )

  onPostgres(
    "refuse an append by a SQLSTATE of the user's choice",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`create function never() returns trigger language plpgsql as ${sql.literal(
        "'begin raise exception ''closed on Sundays'' using errcode = ''SUN01''; end'"
      )}`
      yield* sql`create trigger never before update on wallets for each row execute function never()`
      const log = yield* EventStore
      const sample = new SampleWallet()
      yield* log.append([sample.create()])
      assert.strictEqual((yield* refused([sample.commit(credit(1n))]))._tag, "OperationRefused")
    }),
    { refusalCodes: ["SUN01"] }
  )
})

describe.skipIf(!postgresPresent)("damage", () => {
  onPostgres(
    "is a defect where a law of ours would be broken, and nothing is written",
    Effect.gen(function* () {
      const commit = busy()
      const error = yield* refused([busy(), { ...commit, wallet: { ...commit.wallet, held: -1n } }])
      assert.strictEqual(error._tag, "StoreDefect")
      assert.include(error.reason, "ew_wallets_held")
      assert.deepStrictEqual(yield* rowCounts, none)
    })
  )

  onPostgres(
    "is a defect where the wallets row is not where the log is, or not there",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      const sample = new SampleWallet()
      yield* log.append([sample.create()])
      const next = sample.commit(credit(1n))
      yield* sql`update wallets set version = 5`
      assert.strictEqual((yield* refused([next]))._tag, "StoreDefect")
      yield* sql`delete from wallets`
      const missing = yield* refused([next])
      assert.strictEqual(missing._tag, "StoreDefect")
      assert.include(missing.reason, "they have to be rebuilt")
      const again = new SampleWallet({ id: sample.id })
      assert.include((yield* refused([again.create()])).reason, "they have to be rebuilt")
    })
  )

  onPostgres(
    "of an event is named by wallet, version and type",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      const sample = new SampleWallet()
      yield* log.append([sample.commit(sample.creation(), credit(1n), credit(2n))])
      const read = Effect.flip(log.read(sample.id, { after: -1, limit: 9 }))
      yield* sql`alter table events disable trigger ew_events_unchanged`
      for (const damage of [
        sql`update events set data = '{"more":1}' where version = 1`,
        sql`update events set data = '{' where version = 1`,
        sql`update events set data = null, type = 'WalletRobbed' where version = 1`,
        sql`update events set type = 'HoldCaptured' where version = 1`,
        sql`update events set type = 'WalletCredited', amount = null where version = 1`,
        sql`update events set amount = 1, origin = '[]' where version = 1`
      ]) {
        yield* damage
        const error = yield* read
        assert.strictEqual(error._tag, "EventUnreadable")
        if (error._tag === "EventUnreadable") {
          assert.deepStrictEqual([error.walletId, error.version], [sample.id, 1])
        }
      }
      assert.strictEqual((yield* Effect.flip(log.readAll({ after: 0n, limit: 9 })))._tag, "EventUnreadable")
      assert.lengthOf(yield* log.read(sample.id, { after: 1, limit: 9 }), 1)
    })
  )
})

describe.skipIf(!postgresPresent)("time limits and servers that are away", () => {
  onPostgres(
    "an append without an answer is unknown, may land late, and answers Appended when sent again",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      const sample = new SampleWallet()
      yield* log.append([sample.create()])
      const commit = sample.commit(credit(1n))
      const locked = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const blocker = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`select * from log for update`
            yield* Deferred.succeed(locked, undefined)
            yield* Deferred.await(release)
          })
        )
      )
      yield* Deferred.await(locked)
      assert.strictEqual((yield* Effect.flip(log.append([commit])))._tag, "AppendUnknown")
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(blocker)
      assert.deepStrictEqual(bare(yield* log.append([commit])), [{ _tag: "Appended" }])
      assert.lengthOf(yield* log.read(sample.id, { after: -1, limit: 9 }), 2)
    }),
    { appendTimeoutMillis: 300 }
  )

  onPostgres(
    "a read without an answer is unavailable",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      const locked = yield* Deferred.make<void>()
      const blocker = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`lock table events in access exclusive mode`
            yield* Deferred.succeed(locked, undefined)
            yield* Effect.never
          })
        )
      )
      yield* Deferred.await(locked)
      const error = yield* Effect.flip(log.read("nobody", { after: -1, limit: 9 }))
      assert.strictEqual(error._tag, "StoreUnavailable")
      yield* Fiber.interrupt(blocker)
    }),
    { readTimeoutMillis: 300 }
  )

  it.live("a server that is not there is unavailable, and nothing was written", () =>
    Effect.gen(function* () {
      const log = yield* EventStore
      assert.strictEqual((yield* Effect.flip(log.append([busy()])))._tag, "StoreUnavailable")
      assert.strictEqual((yield* Effect.flip(log.head))._tag, "StoreUnavailable")
      const persistence = yield* Persistence
      assert.strictEqual((yield* Effect.flip(persistence.wallet("w")))._tag, "StoreUnavailable")
    }).pipe(
      Effect.provide(
        Layer.provide(
          SqlStores.layer(),
          SqlDatabase.layerServer({ url: Redacted.make("postgres://nobody@127.0.0.1:9/none") })
        )
      )
    )
  )
})

describe.skipIf(!postgresPresent)("events that are the log", () => {
  onPostgres(
    "are never changed or removed, by any statement",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      const persistence = yield* Persistence
      yield* log.append([busy()])
      for (const statement of [
        sql`update events set reference = null`,
        sql`delete from events where version = 99`,
        sql`truncate events`,
        sql`insert into events select * from events on conflict (wallet_id, version) do update set reference = 'new'`
      ]) {
        assert.include(String((yield* Effect.flip(statement)).reason.cause), "the events of this database are the log")
      }
      yield* persistence.erase("all")
      assert.deepInclude(yield* rowCounts, { events: 4, wallets: 0, holds: 0, position: 4 })
    })
  )

  onPostgres(
    "stay the log: they become no copy of another one",
    Effect.gen(function* () {
      const log = yield* EventStore
      const persistence = yield* Persistence
      yield* log.claim({ partitions: [1], owner: "node", time: 1 })
      assert.strictEqual(yield* persistence.logId, (yield* log.head).logId)
      assert.strictEqual((yield* Effect.flip(persistence.adoptLog("another")))._tag, "StoreDefect")
      const copy = yield* Effect.provide(SqlPersistence.make(), yield* Effect.context<PgClient>())
      assert.strictEqual((yield* Effect.flip(copy.erase("all")))._tag, "StoreDefect")
    })
  )

  onPostgres(
    "are no log where they are the copy of one",
    Effect.gen(function* () {
      const log = yield* EventStore
      const persistence = yield* Persistence
      yield* persistence.adoptLog("elsewhere")
      const sample = new SampleWallet()
      const error = yield* refused([sample.create()])
      assert.strictEqual(error._tag, "StoreDefect")
      assert.include(error.reason, "a copy of the log elsewhere")
      assert.strictEqual((yield* Effect.flip(log.head))._tag, "StoreDefect")
      assert.strictEqual((yield* Effect.flip(persistence.erase("all")))._tag, "StoreDefect")
      const claim = log.claim({ partitions: [1], owner: "node", time: 1 })
      assert.strictEqual((yield* Effect.flip(claim))._tag, "StoreDefect")
      assert.deepStrictEqual(yield* (yield* SqlClient)`select * from claims`, [])
    })
  )
})

describe.skipIf(!postgresPresent)("one damaged wallet", () => {
  const three = Effect.gen(function* () {
    const log = yield* EventStore
    const samples = [new SampleWallet(), new SampleWallet(), new SampleWallet()] as const
    yield* log.append(samples.map((sample) => sample.create()))
    return samples
  })

  onPostgres(
    "is a defect of the append that it is in, and the others are told apart from it",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      const samples = yield* three
      yield* sql`update wallets set version = 5 where id = ${samples[1].id}`
      const commits = samples.map((sample) => sample.commit(credit(1n)))
      assert.strictEqual((yield* Effect.flip(log.append(commits)))._tag, "StoreDefect")
      assert.strictEqual((yield* Effect.flip(log.append([commits[1]!])))._tag, "StoreDefect")
      assert.deepStrictEqual(bare(yield* log.append([commits[0]!, commits[2]!])), [
        { _tag: "Appended" },
        { _tag: "Appended" }
      ])
    })
  )

  onPostgres(
    "whose row a trigger silently keeps from moving is a defect, too, and soon",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      const samples = yield* three
      yield* sql`create function keep() returns trigger language plpgsql as ${sql.literal(
        `'begin if new.id = ''${samples[1].id}'' then return null; end if; return new; end'`
      )}`
      yield* sql`create trigger keep before update on wallets for each row execute function keep()`
      const error = yield* Effect.flip(log.append(samples.map((sample) => sample.commit(credit(1n)))))
      assert.strictEqual(error._tag, "StoreDefect")
      assert.include(error.reason, samples[1].id)
    })
  )

  onPostgres(
    "that is behind its events in row and in owner alike is one of those that have to be rebuilt",
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      const samples = yield* three
      const first = samples[1].commit(credit(1n))
      const stale = { ...first, events: first.events.map((recorded) => ({ ...recorded, id: crypto.randomUUID() })) }
      yield* log.append([first])
      yield* sql`update wallets set version = 0 where id = ${samples[1].id}`
      const error = yield* Effect.flip(log.append([samples[0].commit(credit(1n)), stale]))
      assert.strictEqual(error._tag, "StoreDefect")
      assert.include(error.reason, "they have to be rebuilt")
    })
  )
})

describe.skipIf(!postgresPresent)("creations with holds and transfers that race", () => {
  onPostgres(
    "end as Appended and Conflict",
    Effect.gen(function* () {
      const log = yield* EventStore
      for (let round = 0; round < 20; round++) {
        const id = `race-${round}`
        const make = () => {
          const sample = new SampleWallet({ id, partition: 1 })
          return sample.commit(sample.creation(), credit(10n), placeHold("h", 1n), send("t", "elsewhere", 1n))
        }
        const outcomes = yield* Effect.all([log.append([make()]), log.append([make()])], { concurrency: 2 })
        assert.deepStrictEqual(
          bare(outcomes.flat())
            .map(({ _tag }) => _tag)
            .sort(),
          ["Appended", "Conflict"]
        )
        const same = new SampleWallet({ id: `same-${round}`, partition: 1 })
        const commit = same.commit(same.creation(), credit(10n), placeHold("h", 1n), send("t", "elsewhere", 1n))
        const twice = yield* Effect.all([log.append([commit]), log.append([commit])], { concurrency: 2 })
        assert.deepStrictEqual(bare(twice.flat()), [{ _tag: "Appended" }, { _tag: "Appended" }])
      }
    })
  )
})

describe.skipIf(!postgresPresent)("words", () => {
  const indexed = Effect.gen(function* () {
    const sql = yield* SqlClient
    const log = yield* EventStore
    yield* log.append([busy()])
    return yield* sql<{ readonly words: ReadonlyArray<string> | null }>`
      select words from events where words is not null union all select words from wallets where words <> '{}'`
  })

  onPostgres(
    "are kept for search where search is here",
    Effect.map(indexed, (rows) => assert.lengthOf(rows, 2))
  )

  onPostgres(
    "are not kept where search is elsewhere",
    Effect.map(indexed, (rows) => assert.deepStrictEqual(rows, [])),
    { words: false }
  )
})

describe.skipIf(!postgresPresent)("a log whose Persistence is another database", () => {
  it.live("says so, and has the same events", () =>
    Effect.gen(function* () {
      const log = yield* EventStore
      const commit = busy()
      assert.isFalse(log.writesPersistence)
      assert.deepStrictEqual(bare(yield* log.append([commit])), [{ _tag: "Appended" }])
      assert.deepStrictEqual(yield* log.read(commit.walletId, { after: -1, limit: 9 }), commit.events)
      assert.deepInclude(yield* rowCounts, { events: 4, position: 4 })
    }).pipe(
      Effect.provide(
        SqlEventStore.layer({ persistence: false }).pipe(
          Layer.provideMerge(SqlMigrator.layer),
          Layer.provideMerge(TestPostgres.layerDatabase())
        )
      )
    )
  )
})
