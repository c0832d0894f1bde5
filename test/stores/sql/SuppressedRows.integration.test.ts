/** A user's trigger that answers NULL: PostgreSQL leaves the row out and says nothing, and no event may be lost by it. */
import type { PgClient } from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { bare, keysFound, written } from "../../../src/testing/contract/Observations.ts"
import { credit, placeHold, SampleWallet, send } from "../../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import type { SqlDatabase } from "../../../src/stores/sql/SqlDatabase.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { layerEmbedded } from "../../support/embedded.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"
import { separateLog } from "../storeContracts.ts"

/** Leaves out what the condition is true of. */
const suppress = Effect.fnUntraced(function* (table: string, condition: string, when = "insert") {
  const sql = yield* SqlClient
  yield* sql`create function suppress() returns trigger language plpgsql as ${sql.literal(
    `'begin if ${condition} then return null; end if; return new; end'`
  )}`
  yield* sql.unsafe(`create trigger suppress before ${when} on ${table} for each row execute function suppress()`)
})

const noMoreSuppressed = Effect.flatMap(SqlClient, (sql) => sql`drop function suppress() cascade`)

const rowCounts = Effect.gen(function* () {
  const sql = yield* SqlClient
  const [row] = yield* sql<Record<string, number>>`
    select (select count(*)::int from events) as events, (select count(*)::int from wallets) as wallets,
      (select sum(version)::int from wallets) as versions, (select position::int from log) as position`
  return row
})

const withCredit = (amount: bigint) => {
  const sample = new SampleWallet()
  return sample.commit(sample.creation(), credit(amount))
}

const lostEvent = "a trigger on events has suppressed 1 of"

const anAppend = Effect.gen(function* () {
  const log = yield* EventStore
  const sample = new SampleWallet()
  yield* log.append([sample.create()])
  yield* suppress("events", "new.amount > 100")
  const before = yield* rowCounts
  const big = sample.commit(credit(101n))
  for (const commits of [[withCredit(1n), big, withCredit(2n)], [big]]) {
    const error = yield* Effect.flip(log.append(commits))
    assert.strictEqual(error._tag, "OperationRefused")
    assert.include(error.message, lostEvent)
    assert.deepStrictEqual(yield* rowCounts, before)
  }
  assert.deepStrictEqual(bare(yield* log.append([withCredit(100n)])), [{ _tag: "Appended" }])
})

const aCreation = Effect.gen(function* () {
  const log = yield* EventStore
  yield* suppress("wallets", "new.currency = ''USD''")
  const before = yield* rowCounts
  const error = yield* Effect.flip(log.append([withCredit(1n), new SampleWallet({ currency: "USD" }).create()]))
  assert.strictEqual(error._tag, "OperationRefused")
  assert.include(error.message, "a trigger on wallets has suppressed 1 of 2")
  assert.deepStrictEqual(yield* rowCounts, before)
  assert.deepStrictEqual(bare(yield* log.append([withCredit(1n)])), [{ _tag: "Appended" }])
})

const aHoldAndATransfer = Effect.gen(function* () {
  const log = yield* EventStore
  const sample = new SampleWallet()
  yield* log.append([sample.commit(sample.creation(), credit(9n))])
  for (const [table, command] of [
    ["holds", placeHold("h", 1n)],
    ["transfers", send("t", "elsewhere", 1n)]
  ] as const) {
    yield* suppress(table, "true")
    const before = yield* rowCounts
    const { wallet } = sample
    const error = yield* Effect.flip(log.append([withCredit(1n), sample.commit(command)]))
    assert.strictEqual(error._tag, "OperationRefused")
    assert.include(error.message, `a trigger on ${table} has suppressed 1 of 1`)
    assert.deepStrictEqual(yield* rowCounts, before)
    sample.wallet = wallet
    yield* noMoreSuppressed
  }
  assert.deepStrictEqual(bare(yield* log.append([sample.commit(placeHold("h", 1n), send("t", "elsewhere", 1n))])), [
    { _tag: "Appended" }
  ])
})

/** Its rows stay as they are whatever is written: a defect of that wallet, and not of the store. */
const aWalletThatStands = Effect.gen(function* () {
  const persistence = yield* Persistence
  const [stuck, fine] = [new SampleWallet(), new SampleWallet()]
  yield* persistence.write([stuck.create(), fine.create()])
  yield* suppress("wallets", `new.id = ''${stuck.id}''`, "update")
  const error = yield* Effect.flip(persistence.write([stuck.commit(credit(1n)), fine.commit(credit(1n))]))
  assert.strictEqual(error._tag, "StoreDefect")
  assert.include(error.message, `the rows of wallet ${stuck.id} cannot be written`)
})

const aReplacement = Effect.gen(function* () {
  const log = yield* EventStore
  const { rowReplacement } = yield* Persistence
  const sample = new SampleWallet()
  yield* log.append([sample.commit(sample.creation(), credit(9n))])
  yield* suppress("wallets", "true")
  const before = yield* rowCounts
  const { wallet } = sample
  const derived = { wallet: wallet!, position: 1n, holds: [], transfers: [], legs: [] }
  const error = yield* Effect.flip(rowReplacement!.replace([derived]))
  assert.include(error.message, "a trigger on wallets has suppressed 1 of 1")
  assert.deepStrictEqual(yield* rowCounts, before)
})

const aCopy = Effect.gen(function* () {
  const persistence = yield* Persistence
  yield* suppress("events", "new.amount > 100")
  const before = yield* rowCounts
  const [fine, big] = [withCredit(100n), withCredit(101n)]
  const error = yield* Effect.flip(persistence.write([fine, big], { owner: "node", position: 9n }))
  assert.strictEqual(error._tag, "OperationRefused")
  assert.include(error.message, lostEvent)
  assert.deepStrictEqual(yield* rowCounts, before)
  assert.deepStrictEqual(yield* persistence.checkpoints, [])
  assert.deepStrictEqual(yield* persistence.write([fine]), [written])
  assert.strictEqual((yield* Effect.flip(persistence.write([big])))._tag, "OperationRefused")
})

const aRebuild = Effect.gen(function* () {
  const persistence = yield* Persistence
  const sql = yield* SqlClient
  const sample = new SampleWallet()
  const commits = [sample.create(), sample.commit(credit(101n)), sample.commit(credit(1n))] as const
  for (const commit of commits) yield* persistence.write([commit])
  yield* suppress("events", "new.amount > 100")
  const rewrite = Effect.forEach(commits, (commit) => persistence.write([commit]), { discard: true })
  // What is there stays there.
  yield* persistence.rebuild([sample.id], rewrite)
  assert.strictEqual((yield* keysFound(sample.id, [])).persistedVersion, 2)
  yield* sql`delete from events where wallet_id = ${sample.id} and version = 1`
  const before = yield* rowCounts
  const error = yield* Effect.flip(persistence.rebuild([sample.id], rewrite))
  assert.strictEqual(error._tag, "OperationRefused")
  assert.include(error.message, lostEvent)
  assert.deepStrictEqual(yield* rowCounts, before)
})

const besideLog = SqlStores.layer()
const behindLog = Layer.merge(SqlStores.layerBehindLog(), separateLog)

const runOn = <E>(database: Layer.Layer<SqlDatabase | SqlClient | PgClient, E>): void => {
  const migrated = SqlMigrator.layer.pipe(Layer.provideMerge(database))
  it.live("fails an append, which leaves nothing behind, and costs no other wallet anything", () =>
    Effect.provide(anAppend, besideLog.pipe(Layer.provideMerge(migrated)))
  )
  it.live("fails a creation whose wallet it keeps out", () =>
    Effect.provide(aCreation, besideLog.pipe(Layer.provideMerge(migrated)))
  )
  it.live("fails what places a hold or sends a transfer whose row it keeps out", () =>
    Effect.provide(aHoldAndATransfer, besideLog.pipe(Layer.provideMerge(migrated)))
  )
  it.live("fails the replacement of a wallet's row", () =>
    Effect.provide(aReplacement, besideLog.pipe(Layer.provideMerge(migrated)))
  )
  it.live("is a defect of the wallet that it keeps from moving, behind a log", () =>
    Effect.provide(aWalletThatStands, behindLog.pipe(Layer.provideMerge(migrated)))
  )
  it.live("fails a write behind a log", () => Effect.provide(aCopy, behindLog.pipe(Layer.provideMerge(migrated))))
  it.live("fails a rebuild where the row is missing", () =>
    Effect.provide(aRebuild, behindLog.pipe(Layer.provideMerge(migrated)))
  )
}

describe.skipIf(!postgresPresent)("a trigger that answers NULL, on PostgreSQL", () =>
  runOn(TestPostgres.layerDatabase())
)

describe("a trigger that answers NULL, in the embedded database", () => runOn(layerEmbedded))
