/** Segments of the filters of wallets' keys, beside the rows. See `KeySegment.ts`. */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { KeySegment } from "../KeySegment.ts"
import { int4, int8, text } from "./Parameters.ts"

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

export const saveKeySegment = (sql: SqlClient, segment: KeySegment): Effect.Effect<void, SqlError> =>
  Effect.asVoid(
    sql.unsafe(saveSegment, [
      text(segment.walletId),
      int8(BigInt(segment.fromVersion)),
      int8(BigInt(segment.toVersion)),
      text(segment.previousEventId),
      text(segment.eventId),
      int4(segment.form),
      int4(segment.keys),
      PgTypes.bytea(segment.bits)
    ])
  )

export const keySegments = (
  sql: SqlClient,
  walletId: string,
  { from, limit }: { readonly from: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<KeySegment>, SqlError> =>
  Effect.map(sql.unsafe<SegmentRow>(readSegments, [text(walletId), int8(BigInt(from)), int8(BigInt(limit))]), (rows) =>
    rows.map((row) => segmentOf(walletId, row))
  )
