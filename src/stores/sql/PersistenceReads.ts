/**
 * The reads of the transactional view. All go along an index; pages are cut by version or
 * position.
 *
 * A transfer is what its two wallets' rows tell: the source has the row, and one that the source
 * still calls pending is completed once the destination's transaction is there. Lists of them go
 * along indexes, one branch for each status and side.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { placeOfEvent } from "../../domain/EventId.ts"
import { maxLegs } from "../../domain/Legs.ts"
import { maxTime } from "../../domain/Limits.ts"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { Hold, Transaction, Transfer, TransferStatus } from "../../domain/Wallet.ts"
import {
  decodePosition,
  decodeTransactionPlace,
  decodeVersion,
  type Page,
  pageByPosition,
  pageByVersion,
  pageOfTransactions
} from "../Page.ts"
import type {
  AskedKeys,
  DueHold,
  HoldQuery,
  KeyLookup,
  OpenTransfer,
  Persistence,
  SeenKey,
  TransactionQuery,
  TransferQuery
} from "../Persistence.ts"
import type { ReadError } from "../StoreError.ts"
import { bookReads } from "./BookReads.ts"
import { reading } from "./Failure.ts"
import { Conditions, int8, lower, text, texts, time } from "./Parameters.ts"
import type { ReadConnections } from "./ReadConnections.ts"
import { eventById, legById } from "./search/EventById.ts"
import {
  eventTransactionColumns,
  holdColumns,
  holdOfRow,
  type HoldRow,
  legTransactionColumns,
  ofType,
  transactionColumns,
  transactionOfRow,
  type TransactionRow,
  transferColumns,
  transferOfRow,
  type TransferRow,
  walletColumns,
  walletOf,
  type WalletRow
} from "./Rows.ts"

type Read = <A extends object>(
  statement: string,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, ReadError>

const readWallet = `select ${walletColumns} from wallets where id = $1`

const readWallets = `select ${walletColumns} from wallets where id > $1 order by id limit $2`

const readHold = `select ${holdColumns} from holds where wallet_id = $1 and id = $2`

const readHoldsById = `select ${holdColumns} from holds where wallet_id = $1 and id > $2 order by id limit $3`

const readDueHolds = `
select wallet_id, id, expires_at from holds
where status = 'active' and expires_at is not null and expires_at <= $1
order by expires_at, wallet_id, id limit $2`

const readDueFreezes = `
select id, freeze_until from wallets where freeze_until is not null and freeze_until <= $1
order by freeze_until, id limit $2`

/** Up to the last leg of an event's. */
const readTransactionsUpwards = `
select ${transactionColumns} from (
  (select ${eventTransactionColumns("r")} from events r
    where r.wallet_id = $1 and r.version > $2 and r.amount is not null order by r.version limit $3)
  union all
  (select ${legTransactionColumns("r")} from leg_transactions r
    where r.wallet_id = $1 and r.version > $2 order by r.version, r.leg limit $3)
) e order by e.version, e.leg limit $3`

/**
 * A hash of wallet and key is the index: short, whatever the keys are; the comparison
 * decides. `offset 0` keeps the comparisons out of the inner query, so that there is
 * no other way in: by the wallet alone, a busy one's whole history would be read.
 */
const keysOf = (table: string): string => `
  select k.wallet_id, k.key, k.fingerprint, k.version
  from asked a cross join lateral (
    select wallet_id, key, fingerprint, version from ${table}
    where hashtextextended(key, hashtextextended(wallet_id, 0)) = a.hash
    offset 0
  ) k
  where k.wallet_id = a.wallet_id and k.key = a.key`

/** $1: the wallets; $2 and $3: wallet and key of each question. */
const readKeys = `
with asked as (
  select wallet_id, key, hashtextextended(key, hashtextextended(wallet_id, 0)) as hash
  from unnest($2::text[], $3::text[]) as a (wallet_id, key)
),
found as (${keysOf("events")}
  union all${keysOf("refusals")}
)
select o.wallet_id, coalesce(w.version, refused_version(o.wallet_id)) as persisted, f.key, f.fingerprint, f.version
from unnest($1::text[]) as o (wallet_id)
  left join wallets w on w.id = o.wallet_id
  left join (
    select distinct on (wallet_id, key) wallet_id, key, fingerprint, version
    from found order by wallet_id, key, version desc
  ) f on f.wallet_id = o.wallet_id`

interface KeyRow {
  readonly wallet_id: string
  readonly persisted: bigint | null
  readonly key: string | null
  readonly fingerprint: string | null
  readonly version: bigint | null
}

const keyParameters = (asked: ReadonlyArray<AskedKeys>): ReadonlyArray<unknown> => [
  texts(asked.map(({ walletId }) => walletId)),
  texts(asked.flatMap(({ keys, walletId }) => keys.map(() => walletId))),
  texts(asked.flatMap(({ keys }) => keys))
]

const lookupsOf = (asked: ReadonlyArray<AskedKeys>, rows: ReadonlyArray<KeyRow>): ReadonlyArray<KeyLookup> => {
  const lookups = new Map<string, { persistedVersion: number; readonly seen: Array<SeenKey> }>()
  for (const { walletId } of asked) lookups.set(walletId, { persistedVersion: -1, seen: [] })
  for (const { fingerprint, key, persisted, version, wallet_id } of rows) {
    const lookup = lookups.get(wallet_id)!
    lookup.persistedVersion = Number(persisted ?? -1)
    if (key !== null && fingerprint !== null && version !== null) {
      lookup.seen.push({ key, fingerprint, version: Number(version) })
    }
  }
  return [...lookups.values()]
}

const listTransactions = Effect.fnUntraced(function* (
  read: Read,
  query: TransactionQuery
): Effect.fn.Return<Page<Transaction>, ReadError | InvalidRequest> {
  const before = yield* decodeTransactionPlace("transactionsOfWallet", query.cursor)
  const where = new Conditions()
    .add((p) => `e.wallet_id = ${p}`, text(query.walletId))
    .addIf(query.to, (p) => `e.version < version_after_time($1, ${p})`, time)
    .addIf(
      query.from,
      (p) => `e.version >= version_after_time($1, ${p})`,
      (from) => time(from - 1)
    )
  const asked = `${where} and ${ofType(query.type)}`
  const limit = query.limit + 1
  const at = before && where.parameter(int8(before.at))
  const isBefore = at === undefined ? "true" : `e.version < ${at}`
  // The last event of the page before may have further legs.
  const isRest = at === undefined ? "true" : `(e.version, e.leg) < (${at}, ${before!.leg})`
  const rows = yield* read<TransactionRow>(
    `select ${transactionColumns} from (
      (select ${eventTransactionColumns("e")} from events e where ${asked} and ${isBefore}
        order by e.version desc limit ${limit})
      union all
      (select ${legTransactionColumns("e")} from leg_transactions e where ${asked} and ${isRest}
        order by e.version desc, e.leg desc limit ${limit})
    ) e order by e.version desc, e.leg desc limit ${limit}`,
    where.parameters
  )
  return pageOfTransactions("transactionsOfWallet", rows, query.limit, transactionOfRow)
})

const listHolds = Effect.fnUntraced(function* (
  read: Read,
  query: HoldQuery
): Effect.fn.Return<Page<Hold>, ReadError | InvalidRequest> {
  const before = yield* decodeVersion("holdsOfWallet", query.cursor)
  const where = new Conditions()
    .add((p) => `wallet_id = ${p}`, text(query.walletId))
    .addIf(before, (p) => `version < ${p}`, int8)
    .addIf(query.status, (p) => `status = ${p}`, text)
  const rows = yield* read<HoldRow>(
    `select ${holdColumns} from holds where ${where} order by version desc limit ${query.limit + 1}`,
    where.parameters
  )
  return pageByVersion("holdsOfWallet", rows, query.limit, holdOfRow)
})

interface DueRow {
  readonly wallet_id: string
  readonly id: string
  readonly expires_at: Date
}

const dueHoldOf = (row: DueRow): DueHold => ({
  walletId: row.wallet_id,
  holdId: row.id,
  expiresAt: row.expires_at.getTime()
})

/** The destination's event, unless that was undone. */
const received = `left join lateral (
    select min(r.time) as created_at, min(r.id::text) as id from events r
    where r.transfer_id = t.id and r.wallet_id = t.to_wallet_id and r.type in ('TransferReceived', 'OperationReversed')
    having bool_and(r.type = 'TransferReceived')
  ) received on true`

const toldColumns = `${transferColumns}, received.created_at as received_at, received.id as received_id,
  case when num_nonnulls(received.created_at) > 0 then
    (select s.id::text from events s where s.wallet_id = t.wallet_id and s.version = t.version) end as sent_id`

const readTransfer = `
select ${toldColumns} from transfers t ${received}
where lower(t.id) = ${lower("$1")} and t.id = $1
order by t.position limit 1`

const readBySource = `
select ${transferColumns}, null::timestamptz as received_at from transfers t
where t.wallet_id = $1 and t.id > $2 order by t.id limit $3`

const readOpen = `
select wallet_id, id, created_at from transfers
where status = 'pending' and (created_at < $1 or created_at > $2) order by created_at, wallet_id, id limit $3`

const readClock = "select (extract(epoch from clock_timestamp()) * 1000)::float8 as now"

/**
 * What the source has to say for a transfer to be in that status, and what the
 * destination. Of `is null` the planner would expect that it hardly ever holds, and
 * sort all that is pending instead of walking back from the newest.
 */
const branchesOf: Readonly<Record<TransferStatus | "any", ReadonlyArray<string>>> = {
  any: ["t.status = 'pending'", "t.status = 'completed'", "t.status = 'reversed'"],
  pending: ["t.status = 'pending' and num_nulls(received.created_at) > 0"],
  completed: ["t.status = 'completed'", "t.status = 'pending' and num_nonnulls(received.created_at) > 0"],
  reversed: ["t.status = 'reversed'"]
}

/** `undefined`: no event has such an id. */
const findTransaction = (read: Read, id: string): Effect.Effect<Transaction | undefined, ReadError> => {
  const place = placeOfEvent(id)
  if (place === undefined) return Effect.undefined
  const values = new Conditions()
  const { condition, from } = eventById(id, place, values)
  const legs = legById(id, place, values)
  const statement = `select ${transactionColumns} from (
    select ${eventTransactionColumns("r")} from ${from} where ${condition}
    union all
    select ${legTransactionColumns("r")} from ${legs.from} where ${legs.condition}
  ) e limit 1`
  return Effect.map(read<TransactionRow>(statement, values.parameters), ([row]) => row && transactionOfRow(row))
}

const findTransfer = (read: Read, transferId: string): Effect.Effect<Transfer | undefined, ReadError> =>
  Effect.map(read<TransferRow>(readTransfer, [text(transferId)]), ([row]) => row && transferOfRow(row))

const listTransfers = Effect.fnUntraced(function* (
  read: Read,
  query: TransferQuery
): Effect.fn.Return<Page<Transfer>, ReadError | InvalidRequest> {
  const before = yield* decodePosition("transfers", query.cursor)
  const where = new Conditions().addIf(before, (p) => `t.position < ${p}`, int8)
  const walletId = query.walletId === undefined ? undefined : where.parameter(text(query.walletId))
  const sides = walletId === undefined ? ["true"] : walletSides(walletId)
  const limit = query.limit + 1
  const branches = branchesOf[query.status ?? "any"].flatMap((status) =>
    sides.map(
      (side) => `(select ${toldColumns} from transfers t ${received}
        where ${status} and ${side} and ${where} order by t.position desc limit ${limit})`
    )
  )
  if (walletId !== undefined) {
    const statuses = query.status === undefined ? transferStatuses : [query.status]
    branches.push(
      ...statuses.map(
        (status) => `(select ${toldColumns} from (
          select t.source_id, t.transfer_id from transfer_wallets t
          where t.wallet_id = ${walletId} and t.status = '${status}' and ${where} order by t.position desc limit ${limit}
        ) w join transfers t on t.wallet_id = w.source_id and t.id = w.transfer_id ${received})`
      )
    )
  }
  const rows = yield* read<TransferRow>(
    `select * from (${branches.join(" union all ")}) found order by position desc limit ${limit}`,
    where.parameters
  )
  return pageByPosition("transfers", rows, query.limit, transferOfRow)
})

const transferStatuses: ReadonlyArray<TransferStatus> = ["pending", "completed", "reversed"]

const walletSides = (walletId: string): ReadonlyArray<string> => [
  `t.wallet_id = ${walletId}`,
  `t.to_wallet_id = ${walletId}`
]

interface OpenRow {
  readonly wallet_id: string
  readonly id: string
  readonly created_at: Date
}

const openTransfers = (
  read: Read,
  { after = maxTime, before, limit }: Parameters<Persistence["Service"]["openTransfers"]>[0]
): Effect.Effect<ReadonlyArray<OpenTransfer>, ReadError> =>
  Effect.map(read<OpenRow>(readOpen, [time(before), time(after), int8(limit)]), (rows) =>
    rows.map((row) => ({ transferId: row.id, walletId: row.wallet_id, createdAt: row.created_at.getTime() }))
  )

const scanTransfers = (
  read: Read,
  walletId: string,
  { after, limit }: { readonly after: string; readonly limit: number }
): Effect.Effect<ReadonlyArray<Transfer>, ReadError> =>
  Effect.map(read<TransferRow>(readBySource, [text(walletId), text(after), int8(limit)]), (rows) =>
    rows.map(transferOfRow)
  )

/** So many rows, and those that are of the last one's event. */
const wholeEvents = (rows: ReadonlyArray<TransactionRow>, limit: number): ReadonlyArray<TransactionRow> => {
  const last = rows[limit - 1]?.version
  const end = rows.findIndex(({ version }, index) => index >= limit && version !== last)
  return end === -1 ? rows : rows.slice(0, end)
}

type Reads = Pick<
  Persistence["Service"],
  | "wallet"
  | "transactions"
  | "booksBalance"
  | "booksTotals"
  | "booked"
  | "holds"
  | "hold"
  | "transaction"
  | "transfer"
  | "transfers"
  | "openTransfers"
  | "dueHolds"
  | "dueFreezes"
  | "findKeys"
  | "now"
  | "scanWallets"
  | "scanTransactions"
  | "scanHolds"
  | "scanTransfers"
>

export const makeReads = (sql: SqlClient, readMillis: number, inTurn: (typeof ReadConnections)["Service"]): Reads => {
  const within = reading("persistence", readMillis)
  /** For a command that waits: no other read is before it. */
  const urgent: Read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
    within(sql.unsafe<A>(statement, parameters))
  /** By a prepared statement, planned once: for look-ups with one way to go. */
  const prepared: Read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
    within(inTurn(sql.unsafe<A>(statement, parameters)))
  /** Planned for the values asked for: the way to go depends on them. */
  const planned: Read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
    within(inTurn(sql.unsafe<A>(statement, parameters).unprepared))
  return {
    wallet: (walletId) =>
      Effect.map(prepared<WalletRow>(readWallet, [text(walletId)]), ([row]) => row && walletOf(row)),
    transactions: (query) => listTransactions(planned, query),
    ...bookReads(planned),
    holds: (query) => listHolds(planned, query),
    hold: (walletId, holdId) =>
      Effect.map(prepared<HoldRow>(readHold, [text(walletId), text(holdId)]), ([row]) => row && holdOfRow(row)),
    transaction: (id) => findTransaction(prepared, id),
    transfer: (transferId) => findTransfer(prepared, transferId),
    transfers: (query) => listTransfers(planned, query),
    openTransfers: (options) => openTransfers(planned, options),
    dueHolds: ({ limit, now }) =>
      Effect.map(planned<DueRow>(readDueHolds, [time(now), int8(limit)]), (rows) => rows.map(dueHoldOf)),
    dueFreezes: ({ limit, now }) =>
      Effect.map(
        planned<{ readonly id: string; readonly freeze_until: Date }>(readDueFreezes, [time(now), int8(limit)]),
        (rows) => rows.map((row) => ({ walletId: row.id, until: row.freeze_until.getTime() }))
      ),
    findKeys: (asked) => Effect.map(urgent<KeyRow>(readKeys, keyParameters(asked)), (rows) => lookupsOf(asked, rows)),
    now: Effect.map(urgent<{ readonly now: number }>(readClock, []), ([row]) => row!.now),
    scanWallets: ({ after, limit }) =>
      Effect.map(prepared<WalletRow>(readWallets, [text(after), int8(limit)]), (rows) => rows.map(walletOf)),
    scanTransactions: (walletId, { after, limit }) =>
      Effect.map(
        prepared<TransactionRow>(readTransactionsUpwards, [text(walletId), int8(after), int8(limit + maxLegs)]),
        (rows) => wholeEvents(rows, limit).map(transactionOfRow)
      ),
    scanHolds: (walletId, { after, limit }) =>
      Effect.map(prepared<HoldRow>(readHoldsById, [text(walletId), text(after), int8(limit)]), (rows) =>
        rows.map(holdOfRow)
      ),
    scanTransfers: (walletId, options) => scanTransfers(prepared, walletId, options)
  }
}
