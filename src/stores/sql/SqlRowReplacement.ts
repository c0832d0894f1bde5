/** Replaces what is derived of wallets whose events are here, by one statement for each table. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { walletTag } from "../../domain/EventId.ts"
import type { DerivedWallet, RowReplacement } from "../RowReplacement.ts"
import { walletWords } from "../SearchWords.ts"
import { int8, int8s, text, texts } from "./Parameters.ts"
import { lockWallets, removeDerived } from "./Rebuild.ts"
import { holdJson, isoTime, metadataOf, transferJson } from "./RowJson.ts"
import type { ReadError } from "../StoreError.ts"

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
  updated_at, position, tag, words)
select id, owner_id, currency, balance, held, overdraft_limit, status, version, metadata, created_at, updated_at,
  position, tag, array(select json_array_elements_text(words))
from json_to_recordset($1::json) as w (id text, owner_id text, currency text, balance numeric, held numeric,
  overdraft_limit numeric, status text, version int8, metadata json, created_at timestamptz, updated_at timestamptz,
  position int8, tag text, words json)`

const insertHolds = `
insert into holds (wallet_id, id, version, amount, captured, remaining, status, expires_at, reference, metadata,
  created_at)
select wallet_id, id, version, amount, captured, remaining, status, expires_at, reference, metadata, created_at
from json_to_recordset($1::json) as h (wallet_id text, id text, version int8, amount numeric, captured numeric,
  remaining numeric, status text, expires_at timestamptz, reference text, metadata json, created_at timestamptz)`

const insertTransfers = `
insert into transfers (wallet_id, id, to_wallet_id, version, position, amount, currency, status, reason, reference,
  metadata, created_at, updated_at)
select wallet_id, id, to_wallet_id, version, position, amount, currency, status, reason, reference, metadata,
  created_at, updated_at
from json_to_recordset($1::json) as t (wallet_id text, id text, to_wallet_id text, version int8, position int8,
  amount numeric, currency text, status text, reason text, reference text, metadata json, created_at timestamptz,
  updated_at timestamptz)`

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
  words: words ? walletWords(wallet) : []
})

export interface SqlRowReplacementOptions {
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
  const versions = int8s(wallets.map(({ wallet }) => BigInt(wallet.version)))
  const rows = yield* sql.unsafe<{ readonly id: string }>(readMoved, [ids, versions])
  const moved = new Set(rows.map(({ id }) => id))
  const given = moved.size === 0 ? wallets : wallets.filter(({ wallet }) => !moved.has(wallet.id))
  if (given.length === 0) return moved
  yield* sql.unsafe(removeDerived(), [texts(given.map(({ wallet }) => wallet.id))])
  const insert = (statement: string, rows: ReadonlyArray<object>): Effect.Effect<unknown, SqlError> =>
    rows.length === 0 ? Effect.void : sql.unsafe(statement, [text(JSON.stringify(rows))])
  yield* insert(
    insertWallets,
    given.map((one) => walletJson(one, words))
  )
  yield* insert(
    insertHolds,
    given.flatMap(({ holds }) => holds.map(({ hold, version }) => holdJson(hold, version)))
  )
  yield* insert(
    insertTransfers,
    given.flatMap(({ transfers }) =>
      transfers.map(({ position, transfer, version }) => ({
        ...transferJson(transfer, version),
        position: String(position)
      }))
    )
  )
  return moved
})

export const make = (sql: SqlClient, { read, words, write }: SqlRowReplacementOptions): RowReplacement => ({
  heads: (after, limit) =>
    Effect.map(read(sql.unsafe<HeadRow>(readHeads, [text(after), int8(BigInt(limit))])), (rows) =>
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
