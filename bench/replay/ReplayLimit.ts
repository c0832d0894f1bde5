/**
 * The limit of a replay: a program that reads the log page by page and inserts what it
 * reads, with no rules, no states and no guard: one row per event, where they are a copy,
 * and one per wallet. Like the replay it reads the next page while one is written.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as KurrentConnection from "../../src/stores/kurrent/Connection.ts"
import * as KurrentNames from "../../src/stores/kurrent/Names.ts"
import * as KurrentReads from "../../src/stores/kurrent/Reads.ts"
import { int8, int8s, texts, uuids } from "../../src/stores/sql/Parameters.ts"

interface RawEvent {
  readonly walletId: string
  readonly version: bigint
  readonly id: string
  readonly type: string
  readonly time: string
  readonly amount: string | null
  readonly balanceAfter: string
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
  readonly amount: string | null
  readonly balance_after: string
}

const readEvents = `
select wallet_id, version, position, id, type, time::text as time, amount::text as amount,
  balance_after::text as balance_after
from events where position > $1 order by position limit $2`

/** From the tables of the SQL log. */
export const rawSqlRead: Effect.Effect<RawRead, never, SqlClient> = Effect.map(
  SqlClient,
  (sql): RawRead =>
    (from) =>
      Effect.map(Effect.orDie(sql.unsafe<EventRow>(readEvents, [int8(from), int8(BigInt(events))])), (rows) => ({
        events: rows.map((row) => ({ ...row, walletId: row.wallet_id, balanceAfter: row.balance_after })),
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
          amount: (data as { readonly amount?: string }).amount ?? null,
          balanceAfter: (data as { readonly balanceAfter: string }).balanceAfter,
          walletId: names.walletOf(streamId),
          version: revision,
          id,
          type,
          time: new Date(Number((metadata as { readonly time: string }).time)).toISOString()
        })),
        next: records.length < events ? undefined : records[records.length - 1]!.position!.commit
      }))
    )
})

const makeTables = [
  "drop table if exists limit_events, limit_wallets",
  "create table limit_events (like events including all)",
  "create table limit_wallets (like wallets including all)"
]

const insertEvents = `
insert into limit_events
  (position, version, time, epoch, id, wallet_id, type, key, fingerprint, currency, amount, balance_after, held_after)
select nextval('copied_position'), v, t::timestamptz, 1, i, w, y, i::text, '1:credit|1||', 'EUR', a::numeric, b::numeric, 0
from unnest($1::text[], $2::int8[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[]) as e (w, v, i, y, a, b, t)`

const upsertWallets = `
insert into limit_wallets (id, owner_id, currency, balance, held, overdraft_limit, status, version, created_at,
  updated_at, position, tag, words)
select w, 'bench', 'EUR', b::numeric, 0, 0, 'active', v, t::timestamptz, t::timestamptz, nextval('copied_position'),
  '', '{}'
from unnest($1::text[], $2::int8[], $3::text[], $4::text[]) as e (w, v, b, t)
on conflict (id) do update set balance = excluded.balance, version = excluded.version, updated_at = excluded.updated_at`

/** `wallets`: one row per wallet; `events`: one per event besides. */
export type RawWrites = "wallets" | "events"

const insertPage = Effect.fnUntraced(function* (
  sql: SqlClient,
  page: ReadonlyArray<RawEvent>,
  writes: RawWrites
): Effect.fn.Return<void, SqlError> {
  if (writes === "events") {
    yield* sql.unsafe(insertEvents, [
      texts(page.map(({ walletId }) => walletId)),
      int8s(page.map(({ version }) => version)),
      uuids(page.map(({ id }) => id)),
      texts(page.map(({ type }) => type)),
      texts(page.map(({ amount }) => amount)),
      texts(page.map(({ balanceAfter }) => balanceAfter)),
      texts(page.map(({ time }) => time))
    ])
  }
  const last = [...new Map(page.map((event) => [event.walletId, event])).values()]
  yield* sql.unsafe(upsertWallets, [
    texts(last.map(({ walletId }) => walletId)),
    int8s(last.map(({ version }) => version)),
    texts(last.map(({ balanceAfter }) => balanceAfter)),
    texts(last.map(({ time }) => time))
  ])
})

/** Empty tables of the same form as the view's. */
export const prepareRaw: Effect.Effect<void, never, SqlClient> = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(makeTables, (statement) => Effect.orDie(sql.unsafe(statement)), { discard: true })
)

/** Reads the whole log and writes rows; answers how many events it has read. */
export const replayRaw = Effect.fnUntraced(function* (
  read: RawRead,
  writes: RawWrites
): Effect.fn.Return<number, never, SqlClient> {
  const sql = yield* SqlClient
  let count = 0
  let next: Fiber.Fiber<RawPage> | undefined = yield* Effect.forkChild(read(0n))
  while (next !== undefined) {
    const page: RawPage = yield* Fiber.join(next)
    next = page.next === undefined ? undefined : yield* Effect.forkChild(read(page.next))
    yield* Effect.orDie(sql.withTransaction(insertPage(sql, page.events, writes)))
    count += page.events.length
  }
  return count
})
