/**
 * The log in PostgreSQL, a server's or the embedded one, and with it the transactional
 * view: an event is one row for both, and one statement writes all.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { maxTime } from "../../domain/Limits.ts"
import {
  type AppendError,
  EventStore,
  type LogHead,
  maxSnapshotBytes,
  type PositionedEvent,
  type Snapshot,
  type SnapshotBound,
  followByPages
} from "../EventStore.ts"
import { AppendUnknown, type EventUnreadable, StoreDefect } from "../StoreError.ts"
import { isCopy, make as makeAppend, makeFence } from "./Append.ts"
import { PreparedEvents } from "./EventRows.ts"
import { type ErrorClassOptions, reading, withinReadLimit, withTimeLimit } from "./Failure.ts"
import { int4, int8, text, time } from "./Parameters.ts"
import { ReadConnections } from "./ReadConnections.ts"
import { eventColumns, type EventRow, recordedOf } from "./Rows.ts"
import { pastCommands } from "./PastCommands.ts"
import { eventScan } from "./Scan.ts"

export interface SqlEventStoreOptions extends ErrorClassOptions {
  /** `Persistence` is this database, and what an append writes is persisted. Default `true`. */
  readonly persistence?: boolean | undefined
  /** Search is in this database. Default `true`. */
  readonly words?: boolean | undefined
  /** Milliseconds after which the outcome of an append is unknown; default 10,000. */
  readonly appendTimeoutMillis?: number | undefined
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
}

const readStream = `
select ${eventColumns} from events where wallet_id = $1 and version > $2 order by version limit $3`

const readLog = `
select ${eventColumns} from events where position > $1 order by position limit $2`

const readHead = "select role, log_id, position from log"

interface HeadRow {
  readonly role: "log" | "copy" | null
  readonly log_id: string
  readonly position: bigint
}

const writeSnapshot = `
insert into snapshots (wallet_id, version, time, data) values ($1, $2, $3, $4)
on conflict (wallet_id, version) do update set time = excluded.time, data = excluded.data`

/**
 * Versions and times go up together, so the index on versions serves both bounds. A longer text
 * than the driver takes would cost the connection; its length is known without reading it.
 */
const readSnapshot = `
select wallet_id, version, time, data from snapshots
where wallet_id = $1 and version <= $2 and time <= $3 and octet_length(data) <= ${maxSnapshotBytes}
order by version desc limit 1`

const readEpoch = "select epoch from claims where partition = $1"

const epochOf = (sql: SqlClient, partition: number): Effect.Effect<number, SqlError> =>
  Effect.map(sql.unsafe<{ readonly epoch: bigint }>(readEpoch, [int4(partition)]), ([row]) => Number(row?.epoch ?? 0n))

/**
 * Of the others' marks all below their second highest go: no reader needs them, whichever
 * of them is its own.
 */
const raiseMark = `
with raised as (
  insert into high_watermarks (owner, position) values ($1, $2)
  on conflict (owner) do update set position = greatest(high_watermarks.position, excluded.position)
), others as (
  select position from high_watermarks where owner <> $1 order by position desc limit 2
), removed as (
  delete from high_watermarks
  where owner <> $1 and position < (select min(position) from others) and (select count(*) from others) = 2
)
select max(position) as position from others`

const readMarks = "select max(position) as position from high_watermarks where owner <> $1"

interface MarkRow {
  readonly position: bigint | null
}

const raiseHighWatermark = (
  sql: SqlClient,
  { owner, position }: Parameters<EventStore["Service"]["raiseHighWatermark"]>[0]
) =>
  Effect.map(
    position === undefined
      ? sql.unsafe<MarkRow>(readMarks, [text(owner)])
      : sql.unsafe<MarkRow>(raiseMark, [text(owner), int8(position)]),
    ([row]) => row?.position ?? undefined
  )

const anyVersion = 9_223_372_036_854_775_807n

interface SnapshotRow {
  readonly wallet_id: string
  readonly version: bigint
  readonly time: Date
  readonly data: string
}

const snapshotOf = ([row]: ReadonlyArray<SnapshotRow>): Snapshot | undefined =>
  row && { walletId: row.wallet_id, version: Number(row.version), time: row.time.getTime(), data: row.data }

const loadSnapshot = (sql: SqlClient, walletId: string, bound: SnapshotBound) =>
  Effect.map(
    sql.unsafe<SnapshotRow>(readSnapshot, [
      text(walletId),
      int8(bound.version === undefined ? anyVersion : BigInt(bound.version)),
      time(bound.time ?? maxTime)
    ]),
    snapshotOf
  )

export const make = Effect.fnUntraced(function* (
  options: SqlEventStoreOptions = {}
): Effect.fn.Return<EventStore["Service"], never, PgClient> {
  const sql = yield* PgClient
  const appendMillis = options.appendTimeoutMillis ?? 10_000
  const readMillis = options.readTimeoutMillis ?? 5_000
  const read = reading("log", readMillis)
  const inTurn = yield* ReadConnections
  const fence = makeFence(sql)
  const prepared = new PreparedEvents({ log: true, words: options.words ?? true })
  const append = makeAppend(sql, fence, { ...options, prepared })
  const limited = withTimeLimit(
    appendMillis,
    (): AppendError => new AppendUnknown({ reason: `no answer within ${appendMillis} ms` })
  )
  const events = (statement: string, from: ReadonlyArray<unknown>) =>
    read(inTurn(sql.unsafe<EventRow>(statement, from) as Effect.Effect<ReadonlyArray<EventRow>, SqlError>))

  const readAll: EventStore["Service"]["readAll"] = ({ after, limit }) =>
    Effect.flatMap(
      events(readLog, [int8(after), int8(limit)]),
      (rows): Effect.Effect<ReadonlyArray<PositionedEvent>, EventUnreadable> => {
        const read: Array<PositionedEvent> = []
        for (const row of rows) {
          const recorded = recordedOf(row)
          if (Result.isFailure(recorded)) return Effect.fail(recorded.failure.at(row.position))
          read.push({ position: row.position, recorded: recorded.success })
        }
        return Effect.succeed(read)
      }
    )
  const scanned = <A>(scan: Effect.Effect<A, SqlError>) => read(inTurn(scan))
  const head = Effect.flatMap(read(sql.unsafe<HeadRow>(readHead)), ([row]): Effect.Effect<LogHead, StoreDefect> => {
    if (row === undefined) return Effect.fail(new StoreDefect({ store: "log", reason: "the table log has no row" }))
    if (row.role === "copy") return Effect.fail(isCopy(row.log_id))
    return Effect.succeed({ logId: row.log_id, position: row.position })
  })

  return EventStore.of({
    writesPersistence: options.persistence ?? true,
    append: (commits) => (commits.length === 0 ? Effect.succeed([]) : limited(append(commits))),
    prepare: (events, wallet) => prepared.prepare(events, wallet),
    read: (walletId, { after, limit }) =>
      Effect.flatMap(events(readStream, [text(walletId), int8(after), int8(limit)]), (rows) =>
        Effect.fromResult(Result.all(rows.map(recordedOf)))
      ),
    readAll,
    ...(options.persistence === false
      ? {}
      : {
          scan: eventScan(sql, { read: scanned, words: options.words ?? true }),
          pastCommands: pastCommands(sql, read)
        }),
    follow: followByPages({ readAll, head }),
    head,
    saveSnapshot: ({ data, time: at, version, walletId }) =>
      read(Effect.asVoid(sql.unsafe(writeSnapshot, [text(walletId), int8(version), time(at), text(data)]))),
    loadSnapshot: (walletId, bound = {}) => read(inTurn(loadSnapshot(sql, walletId, bound))),
    claim: (request) => withinReadLimit("log", readMillis)(fence.claim(request)),
    epochOf: (partition) => read(epochOf(sql, partition)),
    raiseHighWatermark: (request) => read(raiseHighWatermark(sql, request))
  })
})

export const layer = (options: SqlEventStoreOptions = {}): Layer.Layer<EventStore, never, PgClient> =>
  Layer.effect(EventStore, make(options))
