/** The transactional view behind a log where things go wrong: a user's rules, damage, time limits, lost answers. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import {
  keysFound,
  rowsOf,
  transactionsOf,
  viewOf,
  written,
  writtenBefore
} from "../../../src/testing/contract/Observations.ts"
import { capture, credit, debit, placeHold, SampleWallet, send } from "../../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { ReadModel } from "../../../src/stores/ReadModel.ts"
import { SqlDatabase } from "../../../src/stores/sql/SqlDatabase.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import type { SqlPersistenceOptions } from "../../../src/stores/sql/SqlPersistence.ts"
import * as SqlPersistence from "../../../src/stores/sql/SqlPersistence.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"
import { startTcpProxy } from "../../support/tcpProxy.ts"

const database = SqlMigrator.layer.pipe(Layer.provideMerge(TestPostgres.layerDatabase()))

const behindLog = (
  name: string,
  run: Effect.Effect<void, unknown, Persistence | ReadModel | SqlClient>,
  options?: SqlPersistenceOptions
) => it.live(name, () => Effect.provide(run, SqlStores.layerBehindLog(options).pipe(Layer.provideMerge(database))))

const withLog = (name: string, run: Effect.Effect<void, unknown, EventStore | Persistence | SqlClient>) =>
  it.live(name, () => Effect.provide(run, SqlStores.layer().pipe(Layer.provideMerge(database))))

const why = { reason: "no", time: 1_700_000_000_000 }

/** A trigger that runs before rows of the table come or change. */
const rule = Effect.fnUntraced(function* (table: string, events: string, body: string) {
  const sql = yield* SqlClient
  yield* sql`create function user_rule() returns trigger language plpgsql as ${sql.literal(
    `'begin ${body.replaceAll("'", "''")} return new; end'`
  )}`
  yield* sql.unsafe(`create trigger user_rule before ${events} on ${table} for each row execute function user_rule()`)
})

const noBig = "if new.amount > 100 then raise exception 'no more than 100'; end if;"

describe.skipIf(!postgresPresent)("a user's rules on the tables behind a log", () => {
  behindLog(
    "refuse a write as a whole, by a trigger, with its words, and the others go when they go apart",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      yield* rule("events", "insert", noBig)
      const [big, fine] = [new SampleWallet(), new SampleWallet()]
      const commits = [fine.commit(fine.creation(), credit(100n)), big.commit(big.creation(), credit(101n))] as const
      const error = yield* Effect.flip(persistence.write(commits, { owner: "node", position: 9n }))
      assert.strictEqual(error._tag, "OperationRefused")
      assert.include(error.message, "no more than 100")
      assert.strictEqual((yield* persistence.persistedVersions([big.id, fine.id])).size, 0)
      assert.deepStrictEqual(yield* persistence.checkpoints, [])
      assert.deepStrictEqual(yield* persistence.write([commits[0]]), [written])
      assert.strictEqual((yield* Effect.flip(persistence.write([commits[1]])))._tag, "OperationRefused")
    })
  )

  behindLog(
    "refuse by a constraint of the user's, and by codes from the configuration",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sql = yield* SqlClient
      yield* sql`alter table holds add constraint small_holds check (amount < 50)`
      yield* rule(
        "wallets",
        "insert or update",
        "if new.balance > 10 then raise exception 'rich' using errcode = 'WA001'; end if;"
      )
      const [held, rich] = [new SampleWallet({ overdraftLimit: 100n }), new SampleWallet()]
      const tooMuch = held.commit(held.creation(), placeHold("h", 50n))
      assert.strictEqual((yield* Effect.flip(persistence.write([tooMuch])))._tag, "OperationRefused")
      const tooRich = rich.commit(rich.creation(), credit(11n))
      assert.strictEqual((yield* Effect.flip(persistence.write([tooRich])))._tag, "OperationRefused")
    }),
    { refusalCodes: ["WA001"] }
  )

  behindLog(
    "judge nothing a second time",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sql = yield* SqlClient
      const sample = new SampleWallet()
      const first = sample.commit(sample.creation(), credit(1n), placeHold("h", 1n))
      const second = sample.commit(credit(1n), send("t", "elsewhere", 1n), capture("h"))
      yield* persistence.write([first])
      yield* persistence.write([second])
      yield* rule("wallets", "insert or update", "raise exception 'never';")
      for (const table of ["events", "holds", "transfers"]) {
        yield* sql.unsafe(`create trigger never before insert or update on ${table}
          for each row execute function user_rule()`)
      }
      const next = sample.commit(credit(1n))
      assert.strictEqual((yield* Effect.flip(persistence.write([next])))._tag, "OperationRefused")
      assert.deepStrictEqual(yield* persistence.write([first]), [writtenBefore])
      assert.deepStrictEqual(yield* persistence.write([second]), [writtenBefore])
    })
  )

  behindLog(
    "cannot refuse a refusal: that is a fault of the rule, and nothing is undone by it",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sample = new SampleWallet()
      yield* persistence.write([sample.create()])
      yield* rule("wallets", "update", "raise exception 'never';")
      const commit = sample.commit(credit(1n))
      assert.strictEqual((yield* Effect.flip(persistence.write([commit])))._tag, "OperationRefused")
      assert.strictEqual((yield* Effect.flip(persistence.refuse(commit, why)))._tag, "StoreDefect")
      assert.deepStrictEqual(yield* persistence.refusals(sample.id), [])
      assert.strictEqual((yield* keysFound(sample.id, [])).persistedVersion, 0)
    })
  )

  behindLog(
    "may refuse within a rebuild, which puts a refusal there and goes on",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sample = new SampleWallet()
      const commits = [
        sample.commit(sample.creation(), credit(5n)),
        sample.commit(credit(101n)),
        sample.commit(debit(1n))
      ] as const
      for (const commit of commits) yield* persistence.write([commit])
      yield* rule("events", "insert", noBig)
      yield* persistence.rebuild(
        [sample.id],
        Effect.gen(function* () {
          for (const commit of commits) {
            yield* persistence
              .write([commit])
              .pipe(Effect.catchTag("OperationRefused", () => persistence.refuse(commit, why)))
          }
        })
      )
      assert.deepStrictEqual(
        (yield* persistence.refusals(sample.id)).map(({ version }) => version),
        [2]
      )
      const rows = yield* persistence.scanTransactions(sample.id, { after: -1, limit: 9 })
      assert.deepStrictEqual(
        rows.map(({ version }) => version),
        [1, 3]
      )
    })
  )
})

describe.skipIf(!postgresPresent)("what else may happen to a write", () => {
  behindLog(
    "our own constraint that says no is a defect, and no refusal",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sql = yield* SqlClient
      const sample = new SampleWallet()
      yield* persistence.write([sample.create()])
      yield* sql`insert into events (wallet_id, version, position, id, type, amount, balance_after, held_after, currency,
        time, key, fingerprint, epoch)
        values (${sample.id}, 1, 1000, gen_random_uuid(), 'WalletCredited', 1, 1, 0, 'EUR', now(), 'k', 'f', 0)`
      const error = yield* Effect.flip(persistence.write([sample.commit(credit(1n))]))
      assert.strictEqual(error._tag, "StoreDefect")
      assert.strictEqual((yield* keysFound(sample.id, [])).persistedVersion, 0)
    })
  )

  behindLog(
    "an event without its wallet is damage, and is told so",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sql = yield* SqlClient
      const sample = new SampleWallet()
      const commit = sample.create()
      yield* persistence.write([commit])
      yield* sql`delete from wallets where id = ${sample.id}`
      assert.deepStrictEqual(yield* persistence.write([commit]), [{ _tag: "Diverged", persistedVersion: -1 }])
      yield* persistence.rebuild([sample.id], persistence.write([commit]))
      assert.deepStrictEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
    })
  )

  behindLog(
    "without an answer in time it is unavailable; the same write again finds out",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sql = yield* SqlClient
      const sample = new SampleWallet()
      // On a busy machine an answer may take longer than this store waits.
      const insist = <A, E extends { readonly _tag: string }>(call: Effect.Effect<A, E>) =>
        Effect.retry(call, { while: (error) => error._tag === "StoreUnavailable" })
      yield* insist(persistence.write([sample.create()]))
      const commit = sample.commit(credit(1n))
      const locked = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const blocker = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`select from wallets for update`
            yield* Deferred.succeed(locked, undefined)
            yield* Deferred.await(release)
          })
        )
      )
      yield* Deferred.await(locked)
      const checkpoint = { owner: "node", position: 3n }
      assert.strictEqual((yield* Effect.flip(persistence.write([commit], checkpoint)))._tag, "StoreUnavailable")
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(blocker)
      // The first may have landed after all.
      assert.strictEqual((yield* insist(persistence.write([commit], checkpoint)))[0]?._tag, "Written")
      assert.deepStrictEqual(yield* insist(persistence.checkpoints), [checkpoint])
      assert.lengthOf(yield* insist(persistence.scanTransactions(sample.id, { after: -1, limit: 9 })), 1)
    }),
    { writeTimeoutMillis: 300 }
  )

  it.live("over a connection that breaks in the middle of answers everything is there once", () =>
    Effect.gen(function* () {
      const { url } = yield* TestPostgres
      const through = new URL(Redacted.value(url))
      const proxy = yield* startTcpProxy(Number(through.port))
      through.port = String(proxy.port)
      const client = SqlDatabase.layerServer({ url: Redacted.make(through.href), maxConnections: 2 })
      const context = yield* Layer.build(
        SqlPersistence.layer({ writeTimeoutMillis: 1_000 }).pipe(Layer.provide(client))
      )
      const run = Effect.gen(function* () {
        const persistence = yield* Persistence
        const samples = Array.from({ length: 4 }, () => new SampleWallet())
        for (let round = 0; round < 8; round++) {
          const refused = new SampleWallet()
          const commits = samples.map((sample) =>
            round === 0 ? sample.create() : sample.commit(credit(3n), placeHold(`h${round}`, 1n))
          )
          const creation = refused.create()
          const checkpoint = { owner: "node", position: BigInt(round) }
          yield* proxy.set({ _tag: "CutAnswers", afterBytes: round * 5 })
          yield* Effect.exit(persistence.write(commits, checkpoint))
          yield* proxy.set({ _tag: "CutAnswers", afterBytes: round * 5 })
          yield* Effect.exit(persistence.refuse(creation, why))
          yield* proxy.set({ _tag: "Pass" })
          const again = <A, E extends { readonly _tag: string }>(write: Effect.Effect<A, E>) =>
            Effect.retry(write, { times: 50, while: ({ _tag }) => _tag === "StoreUnavailable" })
          // Written now, or before the answer was cut off.
          for (const { _tag } of yield* again(persistence.write(commits, checkpoint)))
            assert.strictEqual(_tag, "Written")
          assert.deepStrictEqual(yield* again(persistence.refuse(creation, why)), written)
          assert.deepStrictEqual(yield* persistence.checkpoints, [checkpoint])
          assert.lengthOf(yield* persistence.refusals(refused.id), 1)
        }
        for (const sample of samples) {
          const rows = yield* rowsOf(sample.id)
          assert.deepStrictEqual(rows.wallet, viewOf(sample.wallet!))
          assert.deepStrictEqual([rows.transactions.length, rows.holds.length], [7, 7])
        }
      })
      yield* Effect.provideContext(run, context)
    }).pipe(Effect.scoped, Effect.provide(database))
  )

  it.live("to a server that is not there it is unavailable", () =>
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sample = new SampleWallet()
      const commit = sample.create()
      for (const attempt of [
        persistence.write([commit]),
        persistence.refuse(commit, why),
        persistence.erase("all"),
        persistence.rebuild([sample.id], Effect.void),
        persistence.checkpoints,
        persistence.logId,
        persistence.transfers({ limit: 1 })
      ]) {
        assert.strictEqual(
          (yield* Effect.flip(attempt as Effect.Effect<unknown, { readonly _tag: string }>))._tag,
          "StoreUnavailable"
        )
      }
    }).pipe(
      Effect.provide(
        Layer.provide(
          SqlStores.layerBehindLog(),
          SqlDatabase.layerServer({ url: Redacted.make("postgres://nobody@127.0.0.1:9/none") })
        )
      )
    )
  )

  it.live("is on disk before it is answered, also where the database is set up otherwise", () =>
    Effect.gen(function* () {
      const { url } = yield* TestPostgres
      const sql = yield* SqlClient
      const name = new URL(Redacted.value(url)).pathname.slice(1)
      yield* sql`alter database ${sql(name)} set synchronous_commit = off`
      const settings = Effect.flatMap(SqlClient, (session) => session`show synchronous_commit`)
      const shown = yield* Effect.provide(settings, Layer.fresh(SqlDatabase.layerServer({ url })))
      assert.deepStrictEqual(shown, [{ synchronous_commit: "on" }])
    }).pipe(Effect.provide(database))
  )
})

describe.skipIf(!postgresPresent)("rows that are rebuilt behind a log", () => {
  behindLog(
    "keep their places in the search, and get new ones in order where some were missing",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sql = yield* SqlClient
      const [one, two] = [new SampleWallet(), new SampleWallet()] as const
      const commits = [one.create(), ...Array.from({ length: 6 }, () => one.commit(credit(1n), debit(1n)))]
      for (const commit of commits) {
        yield* persistence.write([commit])
        yield* persistence.write([two.version === -1 ? two.create() : two.commit(credit(2n))])
      }
      const search = Effect.gen(function* () {
        const found = yield* (yield* ReadModel).searchTransactions({ limit: 100 })
        return found.data.map(({ walletId, version }) => [walletId, version])
      })
      const before = yield* search
      const rebuild = persistence.rebuild(
        [one.id],
        Effect.forEach(commits, (commit) => persistence.write([commit]))
      )
      yield* rebuild
      assert.deepStrictEqual(yield* search, before)
      yield* sql`delete from events where wallet_id = ${one.id} and version in (4, 7)`
      yield* rebuild
      const positions = yield* sql<{ readonly position: bigint }>`
        select position from events where wallet_id = ${one.id} order by version`
      assert.lengthOf(positions, 13)
      positions.forEach(({ position }, index) =>
        assert.isTrue(index === 0 || position > positions[index - 1]!.position)
      )
      // Those before the first that was missing have kept theirs.
      assert.deepStrictEqual((yield* search).slice(-4), before.slice(-4))
      const rows = yield* rowsOf(one.id)
      assert.deepStrictEqual(
        rows.transactions,
        transactionsOf(
          one.wallet!,
          commits.flatMap(({ events }) => events)
        )
      )
    })
  )
})

describe.skipIf(!postgresPresent)("rows in the log's own database", () => {
  withLog(
    "are those of that log, as soon as it has events",
    Effect.gen(function* () {
      const log = yield* EventStore
      const persistence = yield* Persistence
      assert.isUndefined(yield* persistence.logId)
      yield* log.append([new SampleWallet().create()])
      const { logId } = yield* log.head
      assert.strictEqual(yield* persistence.logId, logId)
      yield* persistence.adoptLog(logId)
      assert.strictEqual((yield* Effect.flip(persistence.adoptLog("another")))._tag, "StoreDefect")
    })
  )

  withLog(
    "cannot be those of events that the log does not have",
    Effect.gen(function* () {
      const persistence = yield* Persistence
      const sample = new SampleWallet()
      assert.strictEqual((yield* Effect.flip(persistence.write([sample.create()])))._tag, "StoreDefect")
      assert.strictEqual((yield* persistence.persistedVersions([sample.id])).size, 0)
    })
  )

  withLog(
    "come back after all of them were erased while appends were on their way",
    Effect.gen(function* () {
      const log = yield* EventStore
      const persistence = yield* Persistence
      const samples = Array.from({ length: 5 }, () => new SampleWallet())
      const creations = samples.map((sample) => sample.commit(sample.creation(), credit(5n)))
      yield* log.append(creations)
      yield* Effect.all([persistence.erase("all"), log.append([new SampleWallet().create()]).pipe(Effect.exit)], {
        concurrency: "unbounded"
      })
      assert.strictEqual((yield* Effect.flip(log.append([samples[0]!.commit(credit(1n))])))._tag, "StoreDefect")
      const { logId, position } = yield* log.head
      assert.strictEqual(yield* persistence.logId, logId)
      assert.deepStrictEqual(
        yield* persistence.write(creations),
        creations.map(() => written)
      )
      assert.strictEqual((yield* log.head).position, position, "a repair takes no position of the log")
      assert.strictEqual((yield* log.append([samples[1]!.commit(credit(1n))]))[0]?._tag, "Appended")
      assert.deepStrictEqual(yield* persistence.wallet(samples[1]!.id), viewOf(samples[1]!.wallet!))
    })
  )
})
