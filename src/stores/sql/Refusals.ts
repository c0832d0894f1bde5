/** Refusals: what stands in the place of events that a user's rule has refused. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Commit } from "../../domain/Commit.ts"
import type { PersistOutcome, Refusal } from "../Persistence.ts"
import { readFailure, unavailable } from "./Failure.ts"
import { int8, int8s, text, texts, time, uuids } from "./Parameters.ts"
import { isRefused, standings } from "./Persisted.ts"
import type { ReadError } from "../StoreError.ts"

const failed = readFailure("persistence")

const events = `
  select * from unnest($3::int8[], $4::uuid[], $5::text[], $6::text[]) as e (version, id, key, fingerprint)`

const eventParameters = (commit: Commit): ReadonlyArray<unknown> => [
  text(commit.walletId),
  int8(BigInt(commit.expectedVersion)),
  int8s(commit.events.map(({ version }) => BigInt(version))),
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

interface Partial {
  readonly _tag: "Partial"
}

/** All events of the commit or none: some of them means that somebody else was at it. */
const allOrNone = (
  sql: SqlClient,
  statement: string,
  parameters: ReadonlyArray<unknown>,
  { events, expectedVersion }: Commit
): Effect.Effect<boolean, ReadError> => {
  const size = events.length
  const send = sql.unsafe<{ readonly written: number }>(statement, parameters)
  // One row is there or not, and the statement is a transaction of its own.
  if (size === 1 && expectedVersion >= 0) {
    return Effect.mapError(
      Effect.map(send, ([row]) => row?.written === 1),
      failed
    )
  }
  const begin: Effect.Effect<unknown, SqlError> = expectedVersion === -1 ? sql.unsafe(awaitCreations) : Effect.void
  return sql
    .withTransaction(
      Effect.flatMap(Effect.andThen(begin, send), ([row]): Effect.Effect<boolean, Partial> => {
        if (row?.written === size) return Effect.succeed(true)
        return row?.written === 0 ? Effect.succeed(false) : Effect.fail({ _tag: "Partial" })
      })
    )
    .pipe(Effect.catch((error) => (error._tag === "Partial" ? Effect.succeed(false) : Effect.fail(failed(error)))))
}

/** Of a wallet whose creation was refused only the keys are kept. `false`: the commit does not continue them any more. */
export const writeRefusedWallet = (sql: SqlClient, commit: Commit): Effect.Effect<boolean, ReadError> => {
  const reversals = commit.events.flatMap(({ event, version }) =>
    event._tag === "OperationReversed" ? [{ version: BigInt(version), reversed: BigInt(event.reversedVersion) }] : []
  )
  const parameters = [
    ...eventParameters(commit),
    int8s(reversals.map(({ version }) => version)),
    int8s(reversals.map(({ reversed }) => reversed))
  ]
  return allOrNone(sql, keepKeys, parameters, commit)
}

/** How often others may move the wallet before the caller is told to try later. */
const maxRounds = 16

export const refuse = Effect.fnUntraced(function* (
  sql: SqlClient,
  commit: Commit,
  refusal: { readonly reason: string; readonly time: number }
): Effect.fn.Return<PersistOutcome, ReadError> {
  const parameters = [...eventParameters(commit), text(refusal.reason), time(refusal.time)]
  for (let round = 0; round < maxRounds; round++) {
    if (yield* allOrNone(sql, putRefusals, parameters, commit)) return { _tag: "Written" }
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
  return yield* Effect.fail(unavailable("persistence", `a wallet moved ${maxRounds} times during one refusal`))
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
  Effect.map(
    sql.unsafe<RefusalRow>(readOpen, [text(after.walletId), int8(BigInt(after.version)), int8(BigInt(limit))]),
    (rows) => rows.map(refusalOf)
  )

export const refusals = (sql: SqlClient, walletId: string) =>
  Effect.map(sql.unsafe<RefusalRow>(readOfWallet, [text(walletId)]), (rows) => rows.map(refusalOf))
