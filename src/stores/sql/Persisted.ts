/** What of commits is persisted already, by the ids of their events. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Commit } from "../../domain/Commit.ts"
import type { PersistedVersion, PersistOutcome } from "../Persistence.ts"
import { readFailure } from "./Failure.ts"
import { int8s, text, texts, uuids } from "./Parameters.ts"
import type { ReadError } from "../StoreError.ts"

/**
 * Every persisted event has its row, or its refusal's. `others`: how many of the events
 * asked for have another event in their place. `has_first`: the wallet's first event is
 * there.
 */
const findPersisted = `
with asked as (
  select * from unnest($1::text[], $2::int8[], $3::uuid[]) as a (wallet_id, version, id)
),
persisted as (
  select a.wallet_id, w.version,
    case when w.id is null then refused_version(a.wallet_id) end as refused,
    exists (select from events e where e.wallet_id = a.wallet_id and e.version = 0) as has_first
  from (select distinct wallet_id from asked) a left join wallets w on w.id = a.wallet_id
)
select p.wallet_id, p.version, p.refused, p.has_first,
  (count(*) filter (where coalesce(e.id, r.event_id) <> a.id))::int as others
from persisted p
join asked a on a.wallet_id = p.wallet_id
left join events e on e.wallet_id = a.wallet_id and e.version = a.version and a.version <= coalesce(p.version, p.refused)
left join refusals r on r.wallet_id = a.wallet_id and r.version = a.version
group by p.wallet_id, p.version, p.refused, p.has_first`

interface FoundRow {
  readonly wallet_id: string
  readonly others: number
  readonly version: bigint | null
  readonly refused: bigint | null
  readonly has_first: boolean
}

/**
 * What stands of a commit:
 * - `Known`: its outcome.
 * - `Rest`: the part that is not there; it continues what is. `creationRefused`: the
 *   wallet has no row, and gets none.
 */
export type Standing =
  | { readonly _tag: "Known"; readonly outcome: PersistOutcome }
  | { readonly _tag: "Rest"; readonly commit: Commit; readonly creationRefused: boolean }

const known = (outcome: PersistOutcome): Standing => ({ _tag: "Known", outcome })

const standingOf = (commit: Commit, row: FoundRow): Standing => {
  const persistedVersion = Number(row.version ?? row.refused ?? -1n)
  if (row.others > 0) return known({ _tag: "Diverged", persistedVersion })
  // An event without its wallet: damaged rows, and nothing can be written over them.
  if (persistedVersion === -1 && row.has_first) return known({ _tag: "Diverged", persistedVersion })
  if (persistedVersion < commit.expectedVersion) return known({ _tag: "Gap", persistedVersion })
  const events = commit.events.filter(({ version }) => version > persistedVersion)
  if (events.length === 0) return known({ _tag: "Written", before: true })
  return {
    _tag: "Rest",
    commit: { ...commit, expectedVersion: persistedVersion, events },
    creationRefused: row.version === null && row.refused !== null
  }
}

/** In the order of the commits. */
export const standings = Effect.fnUntraced(function* (
  sql: SqlClient,
  commits: ReadonlyArray<Commit>
): Effect.fn.Return<ReadonlyArray<Standing>, ReadError> {
  const events = commits.flatMap((commit) => commit.events)
  const rows = yield* sql
    .unsafe<FoundRow>(findPersisted, [
      texts(events.map(({ walletId }) => walletId)),
      int8s(events.map(({ version }) => BigInt(version))),
      uuids(events.map(({ id }) => id))
    ])
    .pipe(Effect.mapError(readFailure("persistence")))
  const found = new Map(rows.map((row) => [row.wallet_id, row]))
  return commits.map((commit) => standingOf(commit, found.get(commit.walletId)!))
})

const readVersions = `
select p.wallet_id, p.version, coalesce(e.id, r.event_id)::text as event_id
from (
  select a.id as wallet_id, coalesce(w.version, refused_version(a.id)) as version
  from unnest($1::text[]) as a (id) left join wallets w on w.id = a.id
) p
left join events e on e.wallet_id = p.wallet_id and e.version = p.version
left join refusals r on r.wallet_id = p.wallet_id and r.version = p.version
where p.version is not null`

interface VersionRow {
  readonly wallet_id: string
  readonly version: bigint
  readonly event_id: string | null
}

export const persistedVersions = (
  sql: SqlClient,
  walletIds: ReadonlyArray<string>
): Effect.Effect<ReadonlyMap<string, PersistedVersion>, ReadError> =>
  Effect.map(
    Effect.mapError(sql.unsafe<VersionRow>(readVersions, [texts(walletIds)]), readFailure("persistence")),
    (rows) =>
      new Map(
        rows.map((row) => [row.wallet_id, { version: Number(row.version), eventId: row.event_id ?? "" }] as const)
      )
  )

const countRefused = `
select count(*)::int as refused from refusals where wallet_id = $1 and event_id = any($2::uuid[])`

/** Whether refusals stand in the place of all events of the commit. */
export const isRefused = (sql: SqlClient, { events, walletId }: Commit): Effect.Effect<boolean, ReadError> =>
  Effect.map(
    sql
      .unsafe<{ readonly refused: number }>(countRefused, [text(walletId), uuids(events.map(({ id }) => id))])
      .pipe(Effect.mapError(readFailure("persistence"))),
    ([row]) => row?.refused === events.length
  )
