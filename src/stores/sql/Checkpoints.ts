/** Up to where nodes' appends are persisted, and whose log's events are here. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Checkpoint } from "../Persistence.ts"
import { readFailure } from "./Failure.ts"
import { int8, text } from "./Parameters.ts"
import { type ReadError, StoreDefect } from "../StoreError.ts"

const failed = readFailure("persistence")

const forward = `
insert into checkpoints (owner, position) values ($1, $2)
on conflict (owner) do update set position = greatest(checkpoints.position, excluded.position)`

/** Never backwards: an answer that was lost may be written late. */
export const recordCheckpoint = (sql: SqlClient, { owner, position }: Checkpoint): Effect.Effect<void, SqlError> =>
  Effect.asVoid(sql.unsafe(forward, [text(owner), int8(position)]))

const place = `
insert into checkpoints (owner, position) values ($1, $2)
on conflict (owner) do update set position = excluded.position`

/** As it is given; `undefined`: removes it. */
export const setCheckpoint = (
  sql: SqlClient,
  owner: string,
  position: bigint | undefined
): Effect.Effect<void, SqlError> =>
  Effect.asVoid(
    position === undefined
      ? sql.unsafe("delete from checkpoints where owner = $1", [text(owner)])
      : sql.unsafe(place, [text(owner), int8(position)])
  )

export const checkpoints = (sql: SqlClient): Effect.Effect<ReadonlyArray<Checkpoint>, SqlError> =>
  sql.unsafe<Checkpoint>("select owner, position from checkpoints order by owner")

const knownLog = "select log_id from log where role is not null"

export const logId = (sql: SqlClient): Effect.Effect<string | undefined, SqlError> =>
  Effect.map(sql.unsafe<{ readonly log_id: string }>(knownLog), ([row]) => row?.log_id)

/** From now on the events are a copy of that log. The log itself stays what it is. */
const takeLog = `
update log set log_id = $1, role = coalesce(role, 'copy') where role is null or log_id = $1 returning 1`

export const adoptLog = Effect.fnUntraced(function* (sql: SqlClient, id: string): Effect.fn.Return<void, ReadError> {
  const taken = yield* Effect.mapError(sql.unsafe(takeLog, [text(id)]), failed)
  if (taken.length > 0) return
  const known = yield* Effect.mapError(logId(sql), failed)
  return yield* new StoreDefect({
    store: "persistence",
    reason: `the rows are those of the log ${known}, not of ${id}: erase them, or connect to their log`
  })
})
