/** What became of commits that an append left out: in the log before, fenced, or in conflict. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Commit } from "../../domain/Commit.ts"
import type { AppendOutcome } from "../EventStore.ts"
import { readFailure } from "./Failure.ts"
import { currentEpoch, type FenceView, type SqlFence } from "./Fence.ts"
import { int8s, texts, uuids } from "./Parameters.ts"
import { type ReadError, StoreDefect } from "../StoreError.ts"

/**
 * How many of a wallet's events are in the log under these ids, and up to which position;
 * where its row and its events are. The log's generation comes along.
 */
const findEvents = `
select l.generation, c.wallet_id, w.version,
  (select e.version from events e where e.wallet_id = c.wallet_id order by e.version desc limit 1) as last,
  coalesce(f.found, 0) as found, f.position
from log l cross join unnest($4::text[]) as c (wallet_id)
left join wallets w on w.id = c.wallet_id
left join (
  select e.wallet_id, count(*)::int as found, max(e.position) as position
  from unnest($1::text[], $2::int8[], $3::uuid[]) as k (wallet_id, version, id)
  join events e on e.wallet_id = k.wallet_id and e.version = k.version and e.id = k.id
  group by e.wallet_id
) f on f.wallet_id = c.wallet_id`

interface FoundRow {
  readonly generation: bigint
  readonly wallet_id: string
  readonly version: bigint | null
  readonly last: bigint | null
  readonly found: number
  readonly position: bigint | null
}

/**
 * What was left out, and is neither in the log nor fenced. `undefined`: its wallet is where
 * the commit expects it; the row was written again while the append waited for it.
 */
const outcomeOf = (
  commit: Commit,
  { last, version }: FoundRow,
  isKeySeen: boolean
): Effect.Effect<AppendOutcome | undefined, StoreDefect> => {
  if (version !== last) {
    const reason = `the rows of wallet ${commit.walletId} are not as the log has them: they have to be rebuilt`
    return Effect.fail(new StoreDefect({ store: "log", reason }))
  }
  if (Number(version ?? -1n) !== commit.expectedVersion) return Effect.succeed({ _tag: "Conflict" })
  return isKeySeen ? Effect.succeed({ _tag: "KeySeen" }) : Effect.undefined
}

/**
 * Outcomes in the order of the commits. `view`: the claims under which they were
 * sent; they are read again when others have come since. `keySeen`: those that were left
 * out for their keys.
 */
export const resolve = Effect.fnUntraced(function* (
  sql: SqlClient,
  fence: SqlFence,
  commits: ReadonlyArray<Commit>,
  view: FenceView,
  keySeen: ReadonlySet<Commit>
): Effect.fn.Return<ReadonlyArray<AppendOutcome | undefined>, ReadError> {
  const events = commits.flatMap((commit) => commit.events)
  const rows = yield* sql
    .unsafe<FoundRow>(findEvents, [
      texts(events.map((recorded) => recorded.walletId)),
      int8s(events.map((recorded) => BigInt(recorded.version))),
      uuids(events.map((recorded) => recorded.id)),
      texts(commits.map((commit) => commit.walletId))
    ])
    .pipe(Effect.mapError(readFailure("log")))
  const current = rows[0]?.generation === view.generation ? view : yield* fence.refresh
  const found = new Map(rows.map((row) => [row.wallet_id, row]))
  return yield* Effect.forEach(commits, (commit): Effect.Effect<AppendOutcome | undefined, StoreDefect> => {
    const row = found.get(commit.walletId)!
    if (row.found === commit.events.length) return Effect.succeed({ _tag: "Appended", position: row.position! })
    const epoch = currentEpoch(current, commit.partition)
    return epoch === commit.epoch
      ? outcomeOf(commit, row, keySeen.has(commit))
      : Effect.succeed({ _tag: "Fenced", epoch })
  })
})
