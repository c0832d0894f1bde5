/** What became of commits that an append left out: in the log before, fenced, or in conflict. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Commit } from "../domain/Commit.ts"
import type { AppendOutcome } from "./EventStore.ts"
import { readFailure } from "./SqlFailure.ts"
import { currentEpoch, type FenceView, type SqlFence } from "./SqlFence.ts"
import { int8s, texts, uuids } from "./SqlParameters.ts"
import type { ReadError } from "./StoreError.ts"

/** How many of a wallet's events are in the log under these ids, and up to which position. The log's generation comes along. */
const findEvents = `
select l.generation, f.wallet_id, f.found, f.position
from log l left join (
  select e.wallet_id, count(*)::int as found, max(e.position) as position
  from unnest($1::text[], $2::int8[], $3::uuid[]) as k (wallet_id, version, id)
  join events e on e.wallet_id = k.wallet_id and e.version = k.version and e.id = k.id
  group by e.wallet_id
) f on true`

interface FoundRow {
  readonly generation: bigint
  readonly wallet_id: string | null
  readonly found: number | null
  readonly position: bigint | null
}

/**
 * Outcomes in the order of the commits. `view`: the claims under which they were
 * sent; they are read again when others have come since.
 */
export const settle = Effect.fnUntraced(function* (
  sql: SqlClient,
  fence: SqlFence,
  commits: ReadonlyArray<Commit>,
  view: FenceView
): Effect.fn.Return<ReadonlyArray<AppendOutcome>, ReadError> {
  const events = commits.flatMap((commit) => commit.events)
  const rows = yield* sql
    .unsafe<FoundRow>(findEvents, [
      texts(events.map((recorded) => recorded.walletId)),
      int8s(events.map((recorded) => BigInt(recorded.version))),
      uuids(events.map((recorded) => recorded.id))
    ])
    .pipe(Effect.mapError(readFailure("log")))
  const current = rows[0]?.generation === view.generation ? view : yield* fence.refresh
  const found = new Map(rows.map((row) => [row.wallet_id, row]))
  return commits.map((commit): AppendOutcome => {
    const row = found.get(commit.walletId)
    if (row?.found === commit.events.length) return { _tag: "Appended", position: row.position! }
    const epoch = currentEpoch(current, commit.partition)
    return epoch === commit.epoch ? { _tag: "Conflict" } : { _tag: "Fenced", epoch }
  })
})
