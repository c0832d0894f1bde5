/**
 * The transactional view in PostgreSQL. Writes are for a log that lives elsewhere, and for repairs.
 * Here, too, is what is kept beside the rows: up to where nodes' appends are persisted, whose log's
 * events these are, and segments of the filters of wallets' keys.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Checkpoint, type KeySegment, Persistence } from "../Persistence.ts"
import { type ReadError, StoreDefect } from "../StoreError.ts"
import { makeDeadLetters } from "./DeadLetters.ts"
import { readFailure, reading, type ErrorClassOptions, unavailable, withinReadLimit, withTimeLimit } from "./Failure.ts"
import { makeIndexRows } from "./IndexRows.ts"
import { int4, int8, text } from "./Parameters.ts"
import { makeReads } from "./PersistenceReads.ts"
import { ReadConnections } from "./ReadConnections.ts"
import * as Rebuild from "./Rebuild.ts"
import * as Refusals from "./Refusals.ts"
import { tryRules } from "./RuleTrial.ts"
import { rowScan } from "./Scan.ts"
import * as Write from "./Write.ts"

const failed = readFailure("persistence")

export interface SqlPersistenceOptions extends ErrorClassOptions {
  /** The log is in this database, and its appends write these rows. Default `false`. */
  readonly log?: boolean | undefined
  /** Search is in this database. Default `true`. */
  readonly words?: boolean | undefined
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
  /** Of a write or a refusal, milliseconds; default 10,000. */
  readonly writeTimeoutMillis?: number | undefined
}

/** How long a refusal holds its locks at most while it asks whether it still may, ms; it is tried again. */
const lockedMillis = 2_000
const notToldInTime = `a refusal could not learn within ${lockedMillis} ms whether it still may be written`

/** A hundred statements and more, where a rule refuses. */
const ruleTrialMillis = 10_000

const setPosition = `
insert into checkpoints (owner, position) values ($1, $2)
on conflict (owner) do update set position = excluded.position`

/** As it is given; `undefined`: removes it. */
const setCheckpoint = (sql: SqlClient, owner: string, position: bigint | undefined): Effect.Effect<void, SqlError> =>
  Effect.asVoid(
    position === undefined
      ? sql.unsafe("delete from checkpoints where owner = $1", [text(owner)])
      : sql.unsafe(setPosition, [text(owner), int8(position)])
  )

const checkpoints = (sql: SqlClient): Effect.Effect<ReadonlyArray<Checkpoint>, SqlError> =>
  sql.unsafe<Checkpoint>("select owner, position from checkpoints order by owner")

const knownLog = "select log_id from log where role is not null"

const logId = (sql: SqlClient): Effect.Effect<string | undefined, SqlError> =>
  Effect.map(sql.unsafe<{ readonly log_id: string }>(knownLog), ([row]) => row?.log_id)

/** From now on the events are a copy of that log. The log itself stays what it is. */
const takeLog = `
update log set log_id = $1, role = coalesce(role, 'copy') where role is null or log_id = $1 returning 1`

const adoptLog = Effect.fnUntraced(function* (sql: SqlClient, id: string): Effect.fn.Return<void, ReadError> {
  const taken = yield* Effect.mapError(sql.unsafe(takeLog, [text(id)]), failed)
  if (taken.length > 0) return
  const known = yield* Effect.mapError(logId(sql), failed)
  return yield* new StoreDefect({
    store: "persistence",
    reason: `the rows are those of the log ${known}, not of ${id}: erase them, or connect to their log`
  })
})

/**
 * What is there from that version on goes. Two writers of one wallet at once (its owner, and
 * one that was replaced) may leave both: then the chain breaks, and readers see that.
 */
const saveSegment = `
with superseded as (delete from key_segments where wallet_id = $1 and from_version > $2)
insert into key_segments (wallet_id, from_version, to_version, previous_event_id, event_id, form, keys, bits)
values ($1, $2, $3, nullif($4, ''), $5, $6, $7, $8)
on conflict (wallet_id, from_version) do update set
  to_version = excluded.to_version, previous_event_id = excluded.previous_event_id, event_id = excluded.event_id,
  form = excluded.form, keys = excluded.keys, bits = excluded.bits`

const readSegments = `
select from_version, to_version, previous_event_id, event_id, form, keys, bits from key_segments
where wallet_id = $1 and from_version >= $2 order by from_version limit $3`

interface SegmentRow {
  readonly from_version: bigint
  readonly to_version: bigint
  readonly previous_event_id: string | null
  readonly event_id: string
  readonly form: number
  readonly keys: number
  readonly bits: Uint8Array
}

const segmentOf = (walletId: string, row: SegmentRow): KeySegment => ({
  walletId,
  fromVersion: Number(row.from_version),
  toVersion: Number(row.to_version),
  previousEventId: row.previous_event_id ?? "",
  eventId: row.event_id,
  form: row.form,
  keys: row.keys,
  // The driver has made a copy: whoever reads it goes on to write to it.
  bits: row.bits
})

const saveKeySegment = (sql: SqlClient, segment: KeySegment): Effect.Effect<void, SqlError> =>
  Effect.asVoid(
    sql.unsafe(saveSegment, [
      text(segment.walletId),
      int8(segment.fromVersion),
      int8(segment.toVersion),
      text(segment.previousEventId),
      text(segment.eventId),
      int4(segment.form),
      int4(segment.keys),
      PgTypes.bytea(segment.bits)
    ])
  )

const keySegments = (
  sql: SqlClient,
  walletId: string,
  { from, limit }: { readonly from: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<KeySegment>, SqlError> =>
  Effect.map(sql.unsafe<SegmentRow>(readSegments, [text(walletId), int8(from), int8(limit)]), (rows) =>
    rows.map((row) => segmentOf(walletId, row))
  )

export const make = Effect.fnUntraced(function* (
  options: SqlPersistenceOptions = {}
): Effect.fn.Return<Persistence["Service"], never, PgClient> {
  const sql = yield* PgClient
  const inTurn = yield* ReadConnections
  const readMillis = options.readTimeoutMillis ?? 5_000
  const writeMillis = options.writeTimeoutMillis ?? 10_000
  const place = { log: options.log ?? false }
  const words = options.words ?? true
  const within = <A>(read: Effect.Effect<A, SqlError>) => reading("persistence", readMillis)(read)
  const writing = withTimeLimit(writeMillis, () => unavailable("persistence", `no answer within ${writeMillis} ms`))
  const asked = withTimeLimit(lockedMillis, () => unavailable("persistence", notToldInTime))
  const write = Write.make(sql, { ...place, words: options.words, refusalCodes: options.refusalCodes })

  return Persistence.of({
    ...makeReads(sql, readMillis, inTurn),
    indexRows: makeIndexRows(sql, place.log, (read) => within(inTurn(read))),
    ...makeDeadLetters(sql, within),
    write: (commits, checkpoint) => writing(write(commits, checkpoint)),
    refuse: (commit, refusal, stillMay) => writing(Refusals.refuse(sql, commit, refusal, stillMay && asked(stillMay))),
    openRefusals: (query) => within(Refusals.openRefusals(sql, query)),
    refusals: (walletId) => within(Refusals.refusals(sql, walletId)),
    persistedVersions: (walletIds) =>
      withinReadLimit("persistence", readMillis)(Refusals.persistedVersions(sql, walletIds)),
    checkpoints: within(checkpoints(sql)),
    setCheckpoint: (owner, position) => within(setCheckpoint(sql, owner, position)),
    logId: within(logId(sql)),
    adoptLog: (logId) => withinReadLimit("persistence", readMillis)(adoptLog(sql, logId)),
    saveKeySegment: (segment) => within(saveKeySegment(sql, segment)),
    keySegments: (walletId, page) => within(keySegments(sql, walletId, page)),
    ...(place.log
      ? {
          rowScan: rowScan(sql, { read: (scan) => within(inTurn(scan)), words }),
          rowReplacement: Rebuild.rowReplacement(sql, {
            read: within,
            write: (statements) => writing(Effect.mapError(statements, readFailure("persistence"))),
            words
          })
        }
      : {}),
    // Without a limit of ours: they take as long as there are rows.
    erase: (walletId) => Rebuild.erase(sql, place, walletId),
    rebuild: (walletIds, rewrite) => Rebuild.rebuild(sql, place, walletIds, rewrite),
    tryRules: reading("persistence", ruleTrialMillis)(tryRules(sql))
  })
})

export const layer = (options: SqlPersistenceOptions = {}): Layer.Layer<Persistence, never, PgClient> =>
  Layer.effect(Persistence, make(options))
