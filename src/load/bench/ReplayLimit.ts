/**
 * The limit of a replay: a program that reads the log page by page and inserts what it
 * reads, with no rules, no states, no keys and no guard: one row per movement, one
 * per wallet. Like the replay it reads the next page while one is written.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as KurrentConnection from "../../stores/KurrentConnection.ts"
import * as KurrentNames from "../../stores/KurrentNames.ts"
import * as KurrentReads from "../../stores/KurrentReads.ts"
import { int8, int8s, texts, uuids } from "../../stores/SqlParameters.ts"

interface RawEvent {
  readonly walletId: string
  readonly version: bigint
  readonly id: string
  readonly type: string
  readonly time: string
  readonly data: { readonly amount?: string; readonly balanceAfter: string }
}

interface RawPage {
  readonly events: ReadonlyArray<RawEvent>
  /** Where the next page begins; `undefined`: this was the last. */
  readonly next: bigint | undefined
}

/** Reads the page that begins behind, or at, this place; `0n`: the first. */
export type RawRead = (from: bigint) => Effect.Effect<RawPage>

const events = 5_000

interface EventRow {
  readonly wallet_id: string
  readonly version: bigint
  readonly position: bigint
  readonly id: string
  readonly type: string
  readonly time: string
  readonly data: string
}

const readEvents = `
select wallet_id, version, position, id, type, time::text as time, data from events
where position > $1 order by position limit $2`

/** From the tables of the SQL log. */
export const rawSqlRead: Effect.Effect<RawRead, never, SqlClient> = Effect.map(
  SqlClient,
  (sql): RawRead =>
    (from) =>
      Effect.map(Effect.orDie(sql.unsafe<EventRow>(readEvents, [int8(from), int8(BigInt(events))])), (rows) => ({
        events: rows.map((row) => ({ ...row, walletId: row.wallet_id, data: JSON.parse(row.data) })),
        next: rows.length < events ? undefined : rows[rows.length - 1]!.position
      }))
)

/** From the client of KurrentDB. */
export const rawKurrentRead = Effect.fnUntraced(function* (
  url: Redacted.Redacted,
  prefix: string
): Effect.fn.Return<RawRead, never, Scope.Scope> {
  const names = KurrentNames.make(prefix)
  const reads = KurrentReads.make(yield* Effect.orDie(KurrentConnection.make({ url })))
  return (from) =>
    reads.log({ from, maxCount: events, prefixes: [names.wallets] }).pipe(
      Effect.orDie,
      Effect.map((records) => ({
        // A page begins at an event's own place, with that event: the one before has it.
        events: (from === 0n ? records : records.slice(1)).map(({ data, id, metadata, revision, streamId, type }) => ({
          walletId: names.walletOf(streamId),
          version: revision,
          id,
          type,
          time: new Date(Number((metadata as { readonly time: string }).time)).toISOString(),
          data: data as RawEvent["data"]
        })),
        next: records.length < events ? undefined : records[records.length - 1]!.position!.commit
      }))
    )
})

const makeTables = [
  "drop table if exists limit_transactions, limit_wallets",
  "create table limit_transactions (like transactions including all)",
  "create table limit_wallets (like wallets including all)"
]

const insertMovements = `
insert into limit_transactions
  (wallet_id, version, position, id, type, amount, balance_after, currency, created_at, key, fingerprint)
select w, v, nextval('persisted_position'), i, 'credit', a::numeric, b::numeric, 'EUR', t::timestamptz, i::text, '1:credit|1||'
from unnest($1::text[], $2::int8[], $3::uuid[], $4::text[], $5::text[], $6::text[]) as e (w, v, i, a, b, t)`

const upsertWallets = `
insert into limit_wallets
  (id, owner_id, currency, balance, held, overdraft_limit, status, version, created_at, updated_at, position, words)
select w, 'bench', 'EUR', b::numeric, 0, 0, 'active', v, t::timestamptz, t::timestamptz, nextval('persisted_position'), '{}'
from unnest($1::text[], $2::int8[], $3::text[], $4::text[]) as e (w, v, b, t)
on conflict (id) do update set balance = excluded.balance, version = excluded.version, updated_at = excluded.updated_at`

const insertPage = Effect.fnUntraced(function* (
  sql: SqlClient,
  page: ReadonlyArray<RawEvent>
): Effect.fn.Return<void, SqlError> {
  const movements = page.filter(({ data }) => data.amount !== undefined)
  const last = [...new Map(page.map((event) => [event.walletId, event])).values()]
  yield* sql.unsafe(insertMovements, [
    texts(movements.map(({ walletId }) => walletId)),
    int8s(movements.map(({ version }) => version)),
    uuids(movements.map(({ id }) => id)),
    texts(movements.map(({ data }) => data.amount!)),
    texts(movements.map(({ data }) => data.balanceAfter)),
    texts(movements.map(({ time }) => time))
  ])
  yield* sql.unsafe(upsertWallets, [
    texts(last.map(({ walletId }) => walletId)),
    int8s(last.map(({ version }) => version)),
    texts(last.map(({ data }) => data.balanceAfter)),
    texts(last.map(({ time }) => time))
  ])
})

/** Empty tables of the same form as the view's. */
export const prepareRaw: Effect.Effect<void, never, SqlClient> = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(makeTables, (statement) => Effect.orDie(sql.unsafe(statement)), { discard: true })
)

/** Reads the whole log and inserts it; answers how many events. */
export const replayRaw = Effect.fnUntraced(function* (read: RawRead): Effect.fn.Return<number, never, SqlClient> {
  const sql = yield* SqlClient
  let count = 0
  let next: Fiber.Fiber<RawPage> | undefined = yield* Effect.forkChild(read(0n))
  while (next !== undefined) {
    const page: RawPage = yield* Fiber.join(next)
    next = page.next === undefined ? undefined : yield* Effect.forkChild(read(page.next))
    yield* Effect.orDie(sql.withTransaction(insertPage(sql, page.events)))
    count += page.events.length
  }
  return count
})
