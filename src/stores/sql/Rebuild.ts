/**
 * Takes rows of the transactional view away so that they can be written again: at
 * once and for all to see, or within one transaction that writes them too.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { walletTag } from "../../domain/WalletTag.ts"
import { walletWords } from "../SearchWords.ts"
import { type ReadError, StoreDefect } from "../StoreError.ts"
import type { DerivedWallet, RowReplacement } from "../WalletRows.ts"
import { freezeJson, holdJson, isoTime, legRowsJson, transferJson, transferWalletsJson } from "./CommitBatch.ts"
import { metadataOf } from "./EventRows.ts"
import { readFailure } from "./Failure.ts"
import { texts, int8, int8s, text } from "./Parameters.ts"
import { holdRecord, legRecord, transferRecord, wordsOfRecord } from "./Rows.ts"
import { Rebuilding } from "./Write.ts"

/**
 * What is derived from the events of wallets. One statement, so that a creation that lands
 * meanwhile is seen whole or not at all. Wallets that are there have to be locked before.
 */
export const removeDerived = (further = ""): string => `
with holds as (delete from holds where wallet_id = any($1)),
transfers as (delete from transfers where wallet_id = any($1)),
legs as (delete from legs where wallet_id = any($1)),
transfer_wallets as (delete from transfer_wallets where source_id = any($1)),
segments as (delete from key_segments where wallet_id = any($1)),
refusals as (delete from refusals where wallet_id = any($1))${further}
delete from wallets where id = any($1)`

const removeCopies = removeDerived(",\nevents as (delete from events where wallet_id = any($1))")

const removeAllDerived =
  "truncate holds, transfers, legs, transfer_wallets, key_segments, refusals, wallets, checkpoints"

/** Whose log's events they were is forgotten with them. The log itself refuses. */
const removeAllCopies =
  "truncate events, holds, transfers, legs, transfer_wallets, key_segments, refusals, wallets, checkpoints"

const forgetLog = "update log set role = null, log_id = gen_random_uuid()::text where role = 'copy'"

export const lockWallets = "select from wallets where id = any($1) order by id for update"

/** Rows of events that the log does not have, or that have been refused. */
const removeForeign = `
delete from events e where e.wallet_id = any($1) and (
  not exists (select from wallets w where w.id = e.wallet_id and e.version <= w.version)
  or exists (select from refusals r where r.wallet_id = e.wallet_id and r.version = e.version))`

/**
 * Rows that were missing have got new positions, and those after them have kept
 * theirs. Positions go up with the versions: from the first that is out of order on,
 * all are new.
 */
const reorder = `
with first_wrong as (
  select wallet_id, min(version) as version
  from (
    select wallet_id, version, position, min(position) over (
      partition by wallet_id order by version rows between 1 following and unbounded following) as later
    from events where wallet_id = any($1)
  ) e
  where position > later
  group by wallet_id
),
renewed as (
  select wallet_id, version, nextval('copied_position') * 1048576 as position
  from (
    select e.wallet_id, e.version from first_wrong f
    join events e on e.wallet_id = f.wallet_id and e.version >= f.version
    order by e.wallet_id, e.version
  ) in_order
)
update events e set position = r.position
from renewed r where e.wallet_id = r.wallet_id and e.version = r.version`

/** Legs have the position of their event. */
const reorderLegs = `
update legs l set position = e.position from events e
where l.wallet_id = any($1) and e.wallet_id = l.wallet_id and e.version = l.version and e.position <> l.position`

/**
 * Where the events are the log: wallets whose version is not that of their last event. To
 * such a wallet nothing could be appended any more.
 */
const incomplete = `
select w.id from wallets w where w.id = any($1) and w.version is distinct from (
  select e.version from events e where e.wallet_id = w.id order by e.version desc limit 1)
union all
select e.wallet_id from events e where e.wallet_id = any($1) and e.version = 0
  and not exists (select from wallets w where w.id = e.wallet_id)`

export interface RebuildOptions {
  /** The log is in this database: its events stay, and appends to the wallets wait. */
  readonly log: boolean
}

const failed = readFailure("persistence")

export const erase = (
  sql: SqlClient,
  { log }: RebuildOptions,
  walletId: string | "all"
): Effect.Effect<void, ReadError> =>
  Effect.gen(function* (): Effect.fn.Return<void, SqlError | StoreDefect> {
    if (log) yield* checkIsLog(sql)
    if (walletId === "all") {
      yield* sql.unsafe(log ? removeAllDerived : removeAllCopies)
      if (!log) yield* sql.unsafe(forgetLog)
    } else {
      const wallets = [texts([walletId])]
      yield* sql.unsafe(lockWallets, wallets)
      yield* sql.unsafe(log ? removeDerived() : removeCopies, wallets)
    }
  }).pipe(
    sql.withTransaction,
    Effect.mapError((error) => (error._tag === "SqlError" ? failed(error) : error))
  )

/** Whoever takes a copy for the log would throw away what it cannot make again. */
const checkIsLog = Effect.fnUntraced(function* (sql: SqlClient): Effect.fn.Return<void, SqlError | StoreDefect> {
  const [row] = yield* sql.unsafe<{ readonly role: string | null; readonly log_id: string }>(
    "select role, log_id from log"
  )
  if (row?.role !== "copy") return
  const reason = `the events of this database are a copy of the log ${row.log_id}: connect to that log, too`
  return yield* new StoreDefect({ store: "persistence", reason })
})

/** Tells a failure of the rewriting from one of the transaction around it. */
class RewriteFailed<E> {
  readonly _tag = "RewriteFailed"
  readonly error: E
  constructor(error: E) {
    this.error = error
  }
}

/** The rewriting has to have come to the end of each wallet's events. */
const checkVersions = Effect.fnUntraced(function* (
  sql: SqlClient,
  wallets: ReadonlyArray<unknown>
): Effect.fn.Return<void, SqlError | StoreDefect> {
  const [wrong] = yield* sql.unsafe<{ readonly id: string }>(incomplete, wallets)
  if (wrong === undefined) return
  const reason = `the rows of wallet ${wrong.id} were not rebuilt up to the end of its events`
  return yield* new StoreDefect({ store: "persistence", reason })
})

export const rebuild = <A, E, R>(
  sql: SqlClient,
  { log }: RebuildOptions,
  walletIds: ReadonlyArray<string>,
  rewrite: Effect.Effect<A, E, R>
): Effect.Effect<A, E | ReadError, R> =>
  Effect.gen(function* (): Effect.fn.Return<A, SqlError | StoreDefect | RewriteFailed<E>, R> {
    const wallets = [texts(walletIds)]
    // First, as an append does; then nobody moves these wallets.
    yield* sql.unsafe(lockWallets, wallets)
    yield* sql.unsafe(removeDerived(), wallets)
    const result = yield* rewrite.pipe(
      Effect.provideService(Rebuilding, sql),
      Effect.mapError((error) => new RewriteFailed(error))
    )
    if (log) yield* checkVersions(sql, wallets)
    else {
      yield* sql.unsafe(removeForeign, wallets)
      yield* sql.unsafe(reorder, wallets)
      yield* sql.unsafe(reorderLegs, wallets)
    }
    return result
  }).pipe(
    sql.withTransaction,
    Effect.mapError((error) =>
      error instanceof RewriteFailed ? error.error : error._tag === "SqlError" ? failed(error) : error
    )
  )

/** From one wallet to the next along the primary key: its events in between are not read. */
const readHeads = `
with recursive found (id, n) as (
  (select wallet_id, 1 from events where wallet_id > $1 order by wallet_id limit 1)
  union all
  select (select e.wallet_id from events e where e.wallet_id > f.id order by e.wallet_id limit 1), f.n + 1
  from found f where f.id is not null and f.n < $2
)
select f.id, w.version as persisted,
  (select e.version from events e where e.wallet_id = f.id order by e.version desc limit 1) as last
from found f left join wallets w on w.id = f.id
where f.id is not null order by f.n`

interface HeadRow {
  readonly id: string
  readonly persisted: bigint | null
  readonly last: bigint
}

/** After the locks, so that it sees what has been appended before them. */
const readMoved = `
select d.id from unnest($1::text[], $2::int8[]) as d (id, version)
where d.version is distinct from
  (select e.version from events e where e.wallet_id = d.id order by e.version desc limit 1)`

const insertWallets = `
insert into wallets (id, owner_id, currency, balance, held, overdraft_limit, status, version, metadata, created_at,
  updated_at, position, tag, words, freeze_direction, freeze_reason, freeze_until)
select id, owner_id, currency, balance, held, overdraft_limit, status, version, metadata, created_at, updated_at,
  position, tag, case when words is not null then array(select json_array_elements_text(words)) end,
  freeze_direction, freeze_reason, freeze_until
from json_to_recordset($1::json) as w (id text, owner_id text, currency text, balance numeric, held numeric,
  overdraft_limit numeric, status text, version int8, metadata json, created_at timestamptz, updated_at timestamptz,
  position int8, tag text, words json, freeze_direction text, freeze_reason text, freeze_until timestamptz)`

/** A row that a user's trigger keeps out without a word is missed: the wallet would be without it for good. */
const counted = (table: string, insert: string): string => `
with written as (${insert}
  returning 1
)
select case when count(*) < json_array_length($1::json)
  then refuse_suppressed_rows('${table}', json_array_length($1::json), count(*)) end
from written`

const insertHolds = `
insert into holds (${holdRecord.columns}) select ${holdRecord.columns}
from json_to_recordset($1::json) as h (${holdRecord.definition})`

const insertTransfers = `
insert into transfers (position, ${transferRecord.columns}) select position, ${transferRecord.columns}
from json_to_recordset($1::json) as t (position int8, ${transferRecord.definition})`

const insertLegs = `
insert into legs (position, words, ${legRecord.columns}) select position, ${wordsOfRecord}, ${legRecord.columns}
from json_to_recordset($1::json) as l (position int8, word_list json, ${legRecord.definition})`

const insertTransferWallets = `
insert into transfer_wallets (source_id, transfer_id, wallet_id, status, position)
select source_id, transfer_id, wallet_id, status, position
from json_to_recordset($1::json) as t (source_id text, transfer_id text, wallet_id text, status text, position int8)`

const legsJson = ({ legs, wallet }: DerivedWallet, words: boolean): ReadonlyArray<object> =>
  legs.flatMap(({ applied, change }) =>
    legRowsJson({ walletId: wallet.id, currency: wallet.currency }, change, applied?.recorded, words).map((row) => ({
      ...row,
      position: applied === undefined ? undefined : String(applied.position)
    }))
  )

const walletJson = ({ position, wallet }: DerivedWallet, words: boolean): object => ({
  id: wallet.id,
  owner_id: wallet.ownerId,
  currency: wallet.currency,
  balance: String(wallet.balance),
  held: String(wallet.held),
  overdraft_limit: String(wallet.overdraftLimit),
  status: wallet.status,
  version: wallet.version,
  metadata: metadataOf(wallet.metadata),
  created_at: isoTime(wallet.createdAt),
  updated_at: isoTime(wallet.updatedAt),
  position: String(position),
  tag: walletTag(wallet.id),
  words: words ? walletWords(wallet) : undefined,
  ...freezeJson(wallet)
})

export interface RowReplacementOptions {
  /** Search is in this database. */
  readonly words: boolean
  readonly read: <A>(statement: Effect.Effect<A, SqlError>) => Effect.Effect<A, ReadError>
  readonly write: <A>(statements: Effect.Effect<A, SqlError>) => Effect.Effect<A, ReadError>
}

const replace = Effect.fnUntraced(function* (
  sql: SqlClient,
  wallets: ReadonlyArray<DerivedWallet>,
  words: boolean
): Effect.fn.Return<ReadonlySet<string>, SqlError> {
  const ids = texts(wallets.map(({ wallet }) => wallet.id))
  yield* sql.unsafe(lockWallets, [ids])
  const versions = int8s(wallets.map(({ wallet }) => wallet.version))
  const rows = yield* sql.unsafe<{ readonly id: string }>(readMoved, [ids, versions])
  const moved = new Set(rows.map(({ id }) => id))
  const given = moved.size === 0 ? wallets : wallets.filter(({ wallet }) => !moved.has(wallet.id))
  if (given.length === 0) return moved
  yield* sql.unsafe(removeDerived(), [texts(given.map(({ wallet }) => wallet.id))])
  const insert = (statement: string, rows: ReadonlyArray<object>): Effect.Effect<unknown, SqlError> =>
    rows.length === 0 ? Effect.void : sql.unsafe(statement, [text(JSON.stringify(rows))])
  yield* insert(
    counted("wallets", insertWallets),
    given.map((one) => walletJson(one, words))
  )
  yield* insert(
    counted("holds", insertHolds),
    given.flatMap(({ holds }) => holds.map(({ hold, version }) => holdJson(hold, version)))
  )
  yield* insert(
    counted("transfers", insertTransfers),
    given.flatMap(({ transfers }) =>
      transfers.map(({ position, transfer, version }) => ({
        ...transferJson(transfer, version),
        position: String(position)
      }))
    )
  )
  yield* insert(
    counted("legs", insertLegs),
    given.flatMap((one) => legsJson(one, words))
  )
  yield* insert(
    counted("transfer_wallets", insertTransferWallets),
    given.flatMap(({ transfers }) =>
      transfers.flatMap(({ position, transfer, version }) =>
        transferWalletsJson(transfer, version).map((row) => ({ ...row, position: String(position) }))
      )
    )
  )
  return moved
})

export const rowReplacement = (sql: SqlClient, { read, words, write }: RowReplacementOptions): RowReplacement => ({
  heads: (after, limit) =>
    Effect.map(read(sql.unsafe<HeadRow>(readHeads, [text(after), int8(limit)])), (rows) =>
      rows.map(({ id, last, persisted }) => ({
        walletId: id,
        last: Number(last),
        persisted: Number(persisted ?? -1n)
      }))
    ),
  replace: (wallets) =>
    wallets.length === 0
      ? Effect.succeed(new Set<string>())
      : write(
          sql.withTransaction(
            replace(
              sql,
              [...wallets].sort((a, b) => (a.wallet.id < b.wallet.id ? -1 : 1)),
              words
            )
          )
        )
})
