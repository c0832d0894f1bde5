/**
 * What of commits is persisted already, by the ids of their events; and refusals, which stand in the
 * place of events that a user's rule has refused.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Commit } from "../../domain/Commit.ts"
import type { PersistedVersion, PersistOutcome, Refusal, Withdrawn } from "../Persistence.ts"
import type { ReadError } from "../StoreError.ts"
import { immovable, readFailure } from "./Failure.ts"
import { int8s, text, texts, uuids, int8, time } from "./Parameters.ts"

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
      int8s(events.map(({ version }) => version)),
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

const failed = readFailure("persistence")

const events = `
  select * from unnest($3::int8[], $4::uuid[], $5::text[], $6::text[]) as e (version, id, key, fingerprint)`

const eventParameters = (commit: Commit): ReadonlyArray<unknown> => [
  text(commit.walletId),
  int8(commit.expectedVersion),
  int8s(commit.events.map(({ version }) => version)),
  uuids(commit.events.map(({ id }) => id)),
  texts(commit.events.map(({ metadata }) => metadata.key)),
  texts(commit.events.map(({ metadata }) => metadata.fingerprint))
]

/** The wallet's creation was refused, and the commit continues what is known of it. */
const continuesRefused = `
  not exists (select from wallets where id = $1) and refused_version($1) = $2`

const keepKeys = `
with events as (${events}),
kept as (
  insert into refusals (wallet_id, version, event_id, key, fingerprint)
  select $1, version, id, key, fingerprint from events where ${continuesRefused}
  order by version
  on conflict do nothing
  returning version
),
reversed as (
  update refusals set reversed_version = r.version
  from unnest($7::int8[], $8::int8[]) as r (version, reversed)
  where refusals.wallet_id = $1 and refusals.version = r.reversed and r.version in (select version from kept)
)
select count(*)::int as written from kept`

/** Moves the wallet's version, too, so that it goes on meaning what it means. */
const putRefusals = `
with events as (${events}),
moved as (
  update wallets set version = (select max(version) from events) where id = $1 and version = $2 returning 1
),
refused as (
  insert into refusals (wallet_id, version, event_id, key, fingerprint, reason, refused_at)
  select $1, version, id, key, fingerprint, $7::text, $8::timestamptz from events
  where exists (select from moved) or (${continuesRefused})
    or ($2 = -1 and not exists (select from wallets where id = $1))
  order by version
  on conflict do nothing
  returning version
)
select count(*)::int as written from refused`

/**
 * A creation and its refusal exclude one another, and have no row in common. While the
 * table is locked no creation is under way, and those that come later see the refusal.
 */
const awaitCreations = "lock table wallets in share row exclusive mode"

/** Why the statement's transaction is rolled back, told from a failure of the database. */
class RolledBack<E> {
  readonly _tag = "RolledBack"
  readonly outcome: Effect.Effect<Placed, E>
  constructor(outcome: Effect.Effect<Placed, E>) {
    this.outcome = outcome
  }
}

/** - `all` or `none` of the commit's events are in their places now.
 *  - `withdrawn`: none, for they may not be any more. */
type Placed = "all" | "none" | "withdrawn"

/**
 * All events of the commit or none: some of them means that somebody else was at it. Before
 * all are committed `stillMay` is asked.
 */
const allOrNone = <E>(
  sql: SqlClient,
  statement: string,
  parameters: ReadonlyArray<unknown>,
  { events, expectedVersion }: Commit,
  stillMay: Effect.Effect<boolean, E> | undefined
): Effect.Effect<Placed, ReadError | E> => {
  const size = events.length
  const send = sql.unsafe<{ readonly written: number }>(statement, parameters)
  // One row is there or not, and the statement is a transaction of its own.
  if (size === 1 && expectedVersion >= 0 && stillMay === undefined) {
    return Effect.mapError(
      Effect.map(send, ([row]) => (row?.written === 1 ? "all" : "none")),
      failed
    )
  }
  const begin: Effect.Effect<unknown, SqlError> = expectedVersion === -1 ? sql.unsafe(awaitCreations) : Effect.void
  const rollBack = (outcome: Effect.Effect<Placed, E>) => Effect.fail(new RolledBack(outcome))
  return sql
    .withTransaction(
      Effect.flatMap(Effect.andThen(begin, send), ([row]): Effect.Effect<Placed, RolledBack<E>> => {
        if (row?.written !== size) return row?.written === 0 ? Effect.succeed("none") : rollBack(Effect.succeed("none"))
        if (stillMay === undefined) return Effect.succeed("all")
        return Effect.matchEffect(stillMay, {
          onSuccess: (may) => (may ? Effect.succeed("all") : rollBack(Effect.succeed("withdrawn"))),
          onFailure: (error) => rollBack(Effect.fail(error))
        })
      })
    )
    .pipe(
      Effect.catch((error): Effect.Effect<Placed, ReadError | E> =>
        error._tag === "RolledBack" ? error.outcome : Effect.fail(failed(error))
      )
    )
}

/** Of a wallet whose creation was refused only the keys are kept. `false`: the commit does not continue them any more. */
export const writeRefusedWallet = (sql: SqlClient, commit: Commit): Effect.Effect<boolean, ReadError> => {
  const reversals = commit.events.flatMap(({ event, version }) =>
    event._tag === "OperationReversed" ? [{ version, reversed: event.reversedVersion }] : []
  )
  const parameters = [
    ...eventParameters(commit),
    int8s(reversals.map(({ version }) => version)),
    int8s(reversals.map(({ reversed }) => reversed))
  ]
  return Effect.map(allOrNone(sql, keepKeys, parameters, commit, undefined), (placed) => placed === "all")
}

/** Tries of a refusal whose wallet is where it has to be; more is no race. */
const maxRounds = 16

export const refuse = Effect.fnUntraced(function* <E>(
  sql: SqlClient,
  commit: Commit,
  refusal: { readonly reason: string; readonly time: number },
  stillMay: Effect.Effect<boolean, E> | undefined
): Effect.fn.Return<PersistOutcome | Withdrawn, ReadError | E> {
  const parameters = [...eventParameters(commit), text(refusal.reason), time(refusal.time)]
  for (let round = 0; round < maxRounds; round++) {
    const placed = yield* allOrNone(sql, putRefusals, parameters, commit, stillMay)
    if (placed !== "none") return { _tag: placed === "all" ? "Written" : "Withdrawn" }
    const [standing] = yield* standings(sql, [commit])
    if (standing!._tag === "Rest") {
      const persistedVersion = standing!.commit.expectedVersion
      if (persistedVersion === commit.expectedVersion) continue
      return { _tag: "Gap", persistedVersion }
    }
    const { outcome } = standing!
    if (outcome._tag !== "Written") return outcome
    if (yield* isRefused(sql, commit)) return { _tag: "Written" }
    const last = commit.events[commit.events.length - 1]!
    return { _tag: "Gap", persistedVersion: last.version }
  }
  return yield* immovable("persistence", commit.walletId)
})

interface RefusalRow {
  readonly wallet_id: string
  readonly version: bigint
  readonly event_id: string
  readonly reason: string
  readonly reversed_version: bigint | null
}

const refusalOf = (row: RefusalRow): Refusal => ({
  walletId: row.wallet_id,
  version: Number(row.version),
  eventId: row.event_id,
  reason: row.reason,
  reversedVersion: row.reversed_version === null ? null : Number(row.reversed_version)
})

const columns = "wallet_id, version, event_id, reason, reversed_version"

const readOpen = `
select ${columns} from refusals
where reversed_version is null and reason is not null and (wallet_id, version) > ($1, $2)
order by wallet_id, version limit $3`

const readOfWallet = `select ${columns} from refusals where wallet_id = $1 and reason is not null order by version`

export const openRefusals = (
  sql: SqlClient,
  { after, limit }: { readonly after: { readonly walletId: string; readonly version: number }; readonly limit: number }
) =>
  Effect.map(sql.unsafe<RefusalRow>(readOpen, [text(after.walletId), int8(after.version), int8(limit)]), (rows) =>
    rows.map(refusalOf)
  )

export const refusals = (sql: SqlClient, walletId: string) =>
  Effect.map(sql.unsafe<RefusalRow>(readOfWallet, [text(walletId)]), (rows) => rows.map(refusalOf))
