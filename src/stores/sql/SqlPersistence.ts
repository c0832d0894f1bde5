/**
 * The transactional view in PostgreSQL. All reads go along an index; pages are cut by
 * version or position. Writes are for a log that lives elsewhere, and for repairs.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { Hold, Transaction } from "../../domain/Wallet.ts"
import { decodeVersion, encodeVersion, pageOf } from "../ListCursor.ts"
import type { Page } from "../Page.ts"
import {
  type AskedKeys,
  type DueHold,
  type HoldQuery,
  type KeyLookup,
  Persistence,
  type SeenKey,
  type TransactionQuery
} from "../Persistence.ts"
import { SqlConditions } from "./Conditions.ts"
import type { SqlErrorClassOptions } from "./ErrorClass.ts"
import { readFailure, reading, unavailable, withinReadLimit, withTimeLimit } from "./Failure.ts"
import * as SqlKeySegments from "./KeySegments.ts"
import * as Checkpoints from "./Checkpoints.ts"
import { int8, text, texts, time } from "./Parameters.ts"
import { persistedVersions } from "./Persisted.ts"
import * as SqlRebuild from "./Rebuild.ts"
import * as SqlRefusals from "./Refusals.ts"
import * as SqlRowReplacement from "./SqlRowReplacement.ts"
import * as SqlRowScan from "./SqlRowScan.ts"
import { tryRules } from "./RuleTrial.ts"
import {
  holdColumns,
  holdOfRow,
  type HoldRow,
  transactionColumns,
  ofType,
  transactionOfRow,
  type TransactionRow,
  walletColumns,
  walletOf,
  type WalletRow
} from "./Rows.ts"
import { findTransfer, listTransfers, openTransfers, type Read, scanTransfers } from "./Transfers.ts"
import * as SqlWrite from "./Write.ts"
import type { ReadError } from "../StoreError.ts"

export interface SqlPersistenceOptions extends SqlErrorClassOptions {
  /** The log is in this database, and its appends write these rows. Default `false`. */
  readonly log?: boolean | undefined
  /** Search is in this database. Default `true`. */
  readonly words?: boolean | undefined
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
  /** Of a write or a refusal, milliseconds; default 10,000. */
  readonly writeTimeoutMillis?: number | undefined
}

/** A hundred statements and more, where a rule refuses. */
const ruleTrialMillis = 10_000

const readWallet = `select ${walletColumns} from wallets where id = $1`

const readWallets = `select ${walletColumns} from wallets where id > $1 order by id limit $2`

const readHold = `select ${holdColumns} from holds where wallet_id = $1 and id = $2`

const readHoldsById = `select ${holdColumns} from holds where wallet_id = $1 and id > $2 order by id limit $3`

const readDueHolds = `
select wallet_id, id, expires_at from holds
where status = 'active' and expires_at is not null and expires_at <= $1
order by expires_at, wallet_id, id limit $2`

const readTransactionsUpwards = `
select ${transactionColumns} from events e
where e.wallet_id = $1 and e.version > $2 and e.amount is not null order by e.version limit $3`

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
  const before = yield* decodeVersion(query.cursor)
  const where = new SqlConditions()
    .add((p) => `e.wallet_id = ${p}`, text(query.walletId))
    .addIf(
      before,
      (p) => `e.version < ${p}`,
      (version) => int8(BigInt(version))
    )
    .addIf(query.to, (p) => `e.version < version_after_time($1, ${p})`, time)
    .addIf(
      query.from,
      (p) => `e.version >= version_after_time($1, ${p})`,
      (from) => time(from - 1)
    )
  const rows = yield* read<TransactionRow>(
    `select ${transactionColumns} from events e where ${where} and ${ofType(query.type)}
    order by e.version desc limit ${query.limit + 1}`,
    where.parameters
  )
  return pageOf(rows.map(transactionOfRow), query.limit, (last) => encodeVersion(last.version))
})

const listHolds = Effect.fnUntraced(function* (
  read: Read,
  query: HoldQuery
): Effect.fn.Return<Page<Hold>, ReadError | InvalidRequest> {
  const before = yield* decodeVersion(query.cursor)
  const where = new SqlConditions()
    .add((p) => `wallet_id = ${p}`, text(query.walletId))
    .addIf(
      before,
      (p) => `version < ${p}`,
      (version) => int8(BigInt(version))
    )
    .addIf(query.status, (p) => `status = ${p}`, text)
  const rows = yield* read<HoldRow>(
    `select ${holdColumns} from holds where ${where} order by version desc limit ${query.limit + 1}`,
    where.parameters
  )
  const page = pageOf(rows, query.limit, (last) => encodeVersion(Number(last.version)))
  return { data: page.data.map(holdOfRow), next: page.next }
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

type Reads = Pick<
  Persistence["Service"],
  | "wallet"
  | "transactions"
  | "holds"
  | "hold"
  | "transfer"
  | "transfers"
  | "openTransfers"
  | "dueHolds"
  | "findKeys"
  | "scanWallets"
  | "scanTransactions"
  | "scanHolds"
  | "scanTransfers"
>

const makeReads = (sql: SqlClient, readMillis: number): Reads => {
  const within = reading("persistence", readMillis)
  /** By a prepared statement, planned once: for look-ups with one way to go. */
  const prepared: Read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
    within(sql.unsafe<A>(statement, parameters))
  /** Planned for the values asked for: the way to go depends on them. */
  const planned: Read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
    within(sql.unsafe<A>(statement, parameters).unprepared)
  return {
    wallet: (walletId) =>
      Effect.map(prepared<WalletRow>(readWallet, [text(walletId)]), ([row]) => row && walletOf(row)),
    transactions: (query) => listTransactions(planned, query),
    holds: (query) => listHolds(planned, query),
    hold: (walletId, holdId) =>
      Effect.map(prepared<HoldRow>(readHold, [text(walletId), text(holdId)]), ([row]) => row && holdOfRow(row)),
    transfer: (transferId) => findTransfer(prepared, transferId),
    transfers: (query) => listTransfers(planned, query),
    openTransfers: (options) => openTransfers(planned, options),
    dueHolds: ({ limit, now }) =>
      Effect.map(planned<DueRow>(readDueHolds, [time(now), int8(BigInt(limit))]), (rows) => rows.map(dueHoldOf)),
    findKeys: (asked) => Effect.map(prepared<KeyRow>(readKeys, keyParameters(asked)), (rows) => lookupsOf(asked, rows)),
    scanWallets: ({ after, limit }) =>
      Effect.map(prepared<WalletRow>(readWallets, [text(after), int8(BigInt(limit))]), (rows) => rows.map(walletOf)),
    scanTransactions: (walletId, { after, limit }) =>
      Effect.map(
        prepared<TransactionRow>(readTransactionsUpwards, [text(walletId), int8(BigInt(after)), int8(BigInt(limit))]),
        (rows) => rows.map(transactionOfRow)
      ),
    scanHolds: (walletId, { after, limit }) =>
      Effect.map(prepared<HoldRow>(readHoldsById, [text(walletId), text(after), int8(BigInt(limit))]), (rows) =>
        rows.map(holdOfRow)
      ),
    scanTransfers: (walletId, options) => scanTransfers(prepared, walletId, options)
  }
}

export const make = Effect.fnUntraced(function* (
  options: SqlPersistenceOptions = {}
): Effect.fn.Return<Persistence["Service"], never, PgClient> {
  const sql = yield* PgClient
  const readMillis = options.readTimeoutMillis ?? 5_000
  const writeMillis = options.writeTimeoutMillis ?? 10_000
  const place = { log: options.log ?? false }
  const words = options.words ?? true
  const within = <A>(read: Effect.Effect<A, SqlError>) => reading("persistence", readMillis)(read)
  const writing = withTimeLimit(writeMillis, () => unavailable("persistence", `no answer within ${writeMillis} ms`))
  const write = SqlWrite.make(sql, { ...place, words: options.words, refusalCodes: options.refusalCodes })

  return Persistence.of({
    ...makeReads(sql, readMillis),
    write: (commits, checkpoint) => writing(write(commits, checkpoint)),
    refuse: (commit, refusal) => writing(SqlRefusals.refuse(sql, commit, refusal)),
    openRefusals: (query) => within(SqlRefusals.openRefusals(sql, query)),
    refusals: (walletId) => within(SqlRefusals.refusals(sql, walletId)),
    persistedVersions: (walletIds) => withinReadLimit("persistence", readMillis)(persistedVersions(sql, walletIds)),
    checkpoints: within(Checkpoints.checkpoints(sql)),
    setCheckpoint: (owner, position) => within(Checkpoints.setCheckpoint(sql, owner, position)),
    logId: within(Checkpoints.logId(sql)),
    adoptLog: (logId) => withinReadLimit("persistence", readMillis)(Checkpoints.adoptLog(sql, logId)),
    saveKeySegment: (segment) => within(SqlKeySegments.saveKeySegment(sql, segment)),
    keySegments: (walletId, page) => within(SqlKeySegments.keySegments(sql, walletId, page)),
    ...(place.log
      ? {
          rowScan: SqlRowScan.make(sql, { read: within, words }),
          rowReplacement: SqlRowReplacement.make(sql, {
            read: within,
            write: (statements) => writing(Effect.mapError(statements, readFailure("persistence"))),
            words
          })
        }
      : {}),
    // Without a limit of ours: they take as long as there are rows.
    erase: (walletId) => SqlRebuild.erase(sql, place, walletId),
    rebuild: (walletIds, rewrite) => SqlRebuild.rebuild(sql, place, walletIds, rewrite),
    tryRules: reading("persistence", ruleTrialMillis)(tryRules(sql))
  })
})

export const layer = (options: SqlPersistenceOptions = {}): Layer.Layer<Persistence, never, PgClient> =>
  Layer.effect(Persistence, make(options))
