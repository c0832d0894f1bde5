/**
 * What an append to the SQL log comes to: sends the statement under the claims as they stand,
 * and finds out about the commits that it left out.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { allMembers, type Commit, membersOf } from "../../domain/Commit.ts"
import { type AppendError, type AppendOutcome, type Claim, jointOutcome, type MemberOutcome } from "../EventStore.ts"
import { type ReadError, StoreDefect, AppendUnknown } from "../StoreError.ts"
import { readFailure, classifyError, type ErrorClassOptions, appendFailure, immovable, unavailable } from "./Failure.ts"
import { int4s, text, time, int8s, texts, uuids } from "./Parameters.ts"
import type { PreparedEvents } from "./EventRows.ts"
import { makeCommitWriter, type Sent } from "./CommitWriter.ts"

export interface FenceView {
  readonly generation: bigint
  /** Partition → epoch of its last claim; none: never claimed, epoch 0. */
  readonly epochs: ReadonlyMap<number, number>
}

/** The epoch that stands in a partition. */
export const currentEpoch = (view: FenceView, partition: number): number => view.epochs.get(partition) ?? 0

export interface Fence {
  /** What is known; read when nothing is. */
  readonly view: Effect.Effect<FenceView, ReadError>
  /** Reads what stands now. */
  readonly refresh: Effect.Effect<FenceView, ReadError>
  readonly claim: (request: {
    readonly partitions: ReadonlyArray<number>
    readonly owner: string
    readonly time: number
  }) => Effect.Effect<ReadonlyArray<Claim>, ReadError>
}

interface ClaimsRow {
  readonly role: "log" | "copy" | null
  readonly log_id: string
  readonly generation: bigint
  readonly partitions: ReadonlyArray<number> | null
  readonly epochs: ReadonlyArray<bigint> | null
}

const readClaims = `
select role, log_id, generation, partitions, epochs
from log cross join (select array_agg(partition) as partitions, array_agg(epoch) as epochs from claims) c`

/**
 * From now on the events are the log. Locks the sequencer last: an append that has it is
 * then before the claim, one that waits for it is fenced.
 */
const takePartitions = `
with taken as (
  insert into claims (partition, epoch, owner, claimed_at)
  select p, 1, $2, $3 from (select distinct p from unnest($1::int4[]) p order by p) wanted
  where exists (select from log where role is distinct from 'copy')
  on conflict (partition)
    do update set epoch = claims.epoch + 1, owner = excluded.owner, claimed_at = excluded.claimed_at
  returning partition, epoch
),
fenced as (
  update log set generation = generation + 1, role = 'log'
  where role is distinct from 'copy' and exists (select from taken)
)
select partition, epoch from taken`

/** No log can be here. */
export const isCopy = (logId: string): StoreDefect =>
  new StoreDefect({
    store: "log",
    reason: `the events of this database are a copy of the log ${logId}, which lives elsewhere: connect to that log, too`
  })

const viewOf = ({ epochs, generation, partitions }: ClaimsRow): FenceView => ({
  generation,
  epochs: new Map((partitions ?? []).map((partition, index) => [partition, Number(epochs?.[index] ?? 0n)]))
})

export const makeFence = (sql: SqlClient): Fence => {
  let known: FenceView | undefined
  const failed = readFailure("log")

  const refresh = Effect.flatMap(
    Effect.mapError(sql.unsafe<ClaimsRow>(readClaims), failed),
    ([row]): Effect.Effect<FenceView, ReadError> => {
      if (row === undefined) return Effect.fail(new StoreDefect({ store: "log", reason: "the table log has no row" }))
      if (row.role === "copy") return Effect.fail(isCopy(row.log_id))
      const read = viewOf(row)
      // Answers may overtake one another: a later view is never given up for an earlier one.
      if (known === undefined || read.generation >= known.generation) known = read
      return Effect.succeed(known)
    }
  )

  const claim: Fence["claim"] = Effect.fnUntraced(function* ({ owner, partitions, time: at }) {
    const rows = yield* sql
      .unsafe<{ readonly partition: number; readonly epoch: bigint }>(takePartitions, [
        int4s(partitions),
        text(owner),
        time(at)
      ])
      .pipe(Effect.mapError(failed))
    yield* refresh
    const epochs = new Map(rows.map(({ epoch, partition }) => [partition, Number(epoch)]))
    return partitions.map((partition) => ({ partition, epoch: epochs.get(partition) ?? 0 }))
  })

  return { view: Effect.suspend(() => (known === undefined ? refresh : Effect.succeed(known))), refresh, claim }
}

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
): Effect.Effect<MemberOutcome, StoreDefect> => {
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
  fence: Fence,
  commits: ReadonlyArray<Commit>,
  view: FenceView,
  keySeen: ReadonlySet<Commit>
): Effect.fn.Return<ReadonlyArray<AppendOutcome | undefined>, ReadError> {
  const members = allMembers(commits)
  const known = yield* resolveMembers(sql, fence, members, view, keySeen)
  const outcomes = new Map(members.map((member, index) => [member, known[index]]))
  return yield* Effect.forEach(commits, (commit) => {
    const together = membersOf(commit)
    const outcome = jointOutcome(
      together,
      together.map((member) => outcomes.get(member))
    )
    return Effect.mapError(Effect.fromResult(outcome), (reason) => new StoreDefect({ store: "log", reason }))
  })
})

const resolveMembers = Effect.fnUntraced(function* (
  sql: SqlClient,
  fence: Fence,
  commits: ReadonlyArray<Commit>,
  view: FenceView,
  keySeen: ReadonlySet<Commit>
): Effect.fn.Return<ReadonlyArray<MemberOutcome>, ReadError> {
  const events = commits.flatMap((commit) => commit.events)
  const rows = yield* sql
    .unsafe<FoundRow>(findEvents, [
      texts(events.map((recorded) => recorded.walletId)),
      int8s(events.map((recorded) => recorded.version)),
      uuids(events.map((recorded) => recorded.id)),
      texts(commits.map((commit) => commit.walletId))
    ])
    .pipe(Effect.mapError(readFailure("log")))
  const current = rows[0]?.generation === view.generation ? view : yield* fence.refresh
  const found = new Map(rows.map((row) => [row.wallet_id, row]))
  return yield* Effect.forEach(commits, (commit): Effect.Effect<MemberOutcome, StoreDefect> => {
    const row = found.get(commit.walletId)!
    if (row.found === commit.events.length) return Effect.succeed({ _tag: "Appended", position: row.position! })
    const epoch = currentEpoch(current, commit.partition)
    return epoch === commit.epoch
      ? outcomeOf(commit, row, keySeen.has(commit))
      : Effect.succeed({ _tag: "Fenced", epoch })
  })
})

/**
 * How often claims may come between reading them and appending before the caller is told
 * to try later. Other nodes claim in a burst, when one of them comes or goes.
 */
const maxTries = 32

/** How often others may write the same wallets meanwhile. More is no race: something stands in the way for good. */
const maxOvertaken = 32

/** Of `refuse_split_commits`. */
const splitCommits = "WJ001"

/**
 * Why nothing was written, and the statement may have to be sent again:
 * - `fenced`: under a generation that has passed. There were no positions, and none of our
 *   rows is without.
 * - `overtaken`: a row of ours is there already: that of a wallet that was created while
 *   the statement was on its way, of this very commit sent before, or of a damaged wallet. Or one of
 *   several wallets that belong together has moved in that time.
 */
const againFor = (error: SqlError): "fenced" | "overtaken" | undefined => {
  const cause = error.reason.cause as Partial<Record<"code" | "column" | "constraint", unknown>>
  if (cause.code === "23502" && cause.column === "position") return "fenced"
  if (cause.code === splitCommits) return "overtaken"
  return cause.code === "23505" && typeof cause.constraint === "string" && cause.constraint.startsWith("ew_")
    ? "overtaken"
    : undefined
}

export interface AppendOptions extends ErrorClassOptions {
  /** Search is in this database. Default `true`. */
  readonly words?: boolean | undefined
  /** With the same words. */
  readonly prepared?: PreparedEvents | undefined
}

type Append = (commits: ReadonlyArray<Commit>) => Effect.Effect<ReadonlyArray<AppendOutcome>, AppendError>

/** Sends the statement. A failure to be sent again has written nothing. */
const makeSend = (sql: PgClient, options: AppendOptions) => {
  const { prepared, words } = options
  const write = makeCommitWriter(sql, { store: "log", words, prepared })
  return (commits: ReadonlyArray<Commit>, { generation }: FenceView) =>
    Effect.catchTag(write("append", commits, { generation }), "SqlError", (error) => {
      const again = againFor(error)
      return again === undefined ? Effect.fail(appendFailure(classifyError(error, options))) : Effect.succeed(again)
    })
}

const nothing: Sent = { written: new Map(), keySeen: new Set() }

export const make = (sql: PgClient, fence: Fence, options: AppendOptions): Append => {
  const send = makeSend(sql, options)

  /** What of the commits can be said by now; the others go again. */
  const attempt = Effect.fnUntraced(function* (
    commits: ReadonlyArray<Commit>,
    view: FenceView,
    outcomes: Map<Commit, AppendOutcome>
  ): Effect.fn.Return<"fenced" | "overtaken" | undefined, AppendError> {
    const stands = (member: Commit) => currentEpoch(view, member.partition) === member.epoch
    const standing = commits.filter((commit) => membersOf(commit).every(stands))
    const answer = standing.length === 0 ? nothing : yield* send(standing, view)
    if (answer === "fenced") return answer
    const sent = answer === "overtaken" ? nothing : answer
    for (const commit of standing) {
      const position = sent.written.get(commit)
      if (position !== undefined) outcomes.set(commit, { _tag: "Appended", position })
    }
    const rest = commits.filter((commit) => !sent.written.has(commit))
    if (rest.length === 0) return undefined
    const resolved = yield* resolve(sql, fence, rest, view, sent.keySeen)
    for (const [index, commit] of rest.entries()) {
      const outcome = resolved[index]
      if (outcome !== undefined) outcomes.set(commit, outcome)
    }
    return resolved.includes(undefined) ? "overtaken" : undefined
  })

  return Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>) {
    let view = yield* fence.view
    // Claimed past this adapter: epochs only grow, so ours being ahead means that it has not heard of it.
    const known = view
    if (allMembers(commits).some((commit) => commit.epoch > currentEpoch(known, commit.partition)))
      view = yield* fence.refresh
    const outcomes = new Map<Commit, AppendOutcome>()
    let overtaken = 0
    for (let tries = 0; tries < maxTries && overtaken < maxOvertaken; tries++) {
      const left = commits.filter((commit) => !outcomes.has(commit))
      const again = yield* Effect.mapError(attempt(left, view, outcomes), (error) =>
        // Asked again, the commits that were written answer that they are there. A defect may be one commit's alone.
        outcomes.size === 0 || error._tag === "StoreDefect" ? error : new AppendUnknown({ reason: error.message })
      )
      if (again === undefined) return commits.map((commit) => outcomes.get(commit)!)
      if (again === "fenced") view = yield* fence.refresh
      else overtaken++
    }
    return yield* Effect.fail(
      gaveUp(
        commits.filter((commit) => !outcomes.has(commit)),
        overtaken,
        outcomes.size > 0
      )
    )
  })
}

/** `written`: other commits of the append are in the log. */
const gaveUp = ([first]: ReadonlyArray<Commit>, overtaken: number, written: boolean): AppendError => {
  if (overtaken === maxOvertaken) return immovable("log", first!.walletId)
  const reason = `partitions were claimed ${maxTries} times during one append`
  return written ? new AppendUnknown({ reason }) : unavailable("log", reason)
}
