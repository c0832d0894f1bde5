/**
 * What an append to the SQL log comes to: sends the statement, under the claims as
 * they stand, and finds out about the commits that it left out.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Commit } from "../../domain/Commit.ts"
import type { AppendError, AppendOutcome } from "../EventStore.ts"
import { resolve } from "./AppendResolution.ts"
import { commitBatch } from "./CommitBatch.ts"
import { type CommitStatement, commitStatement, slotsOf, variantOf } from "./CommitStatement.ts"
import * as SqlCommitTypes from "./CommitTypes.ts"
import { classifySqlError, type SqlErrorClassOptions } from "./ErrorClass.ts"
import { appendFailure, unavailable } from "./Failure.ts"
import { currentEpoch, type FenceView, type SqlFence } from "./Fence.ts"
import { byWallet } from "./LockOrder.ts"
import { statementTexts } from "./StatementTexts.ts"
import { AppendUnknown, StoreDefect } from "../StoreError.ts"

/**
 * How often claims may come between reading them and appending before the caller is told
 * to try later. Other nodes claim in a burst, when one of them comes or goes.
 */
const maxTries = 32

/** How often others may write the same wallets meanwhile. More is no race: something stands in the way for good. */
const maxOvertaken = 32

/**
 * Why nothing was written, and the statement may have to be sent again:
 * - `fenced`: under a generation that has passed. There were no positions, and none of our
 *   rows is without.
 * - `overtaken`: a row of ours is there already: that of a wallet that was created while
 *   the statement was on its way, of this very commit sent before, or of a damaged wallet.
 */
const againFor = (error: SqlError): "fenced" | "overtaken" | undefined => {
  const cause = error.reason.cause as Partial<Record<"code" | "column" | "constraint", unknown>>
  if (cause.code === "23502" && cause.column === "position") return "fenced"
  return cause.code === "23505" && typeof cause.constraint === "string" && cause.constraint.startsWith("ew_")
    ? "overtaken"
    : undefined
}

export interface SqlAppendOptions extends SqlErrorClassOptions {
  /** Search is in this database. Default `true`. */
  readonly words?: boolean | undefined
}

type Append = (commits: ReadonlyArray<Commit>) => Effect.Effect<ReadonlyArray<AppendOutcome>, AppendError>

interface SentRow {
  readonly n: number
  readonly flags: ReadonlyArray<boolean> | null
  readonly before: bigint | null
  readonly seen?: ReadonlyArray<number> | null
}

interface Sent {
  /** With the positions of their last events. */
  readonly appended: ReadonlyMap<Commit, bigint>
  /** Left out: a key of theirs is there. */
  readonly keySeen: ReadonlySet<Commit>
}

const nothingSent: Sent = { appended: new Map(), keySeen: new Set() }

const sentOf = (commits: ReadonlyArray<Commit>, { before, flags, seen = null }: SentRow): Sent => {
  const appended = new Map<Commit, bigint>()
  let position = before ?? 0n
  for (const [index, commit] of commits.entries()) {
    position += BigInt(commit.events.length)
    if (before !== null && (flags === null || flags[index] === true)) appended.set(commit, position)
  }
  return { appended, keySeen: new Set(seen?.map((number) => commits[number - 1]!)) }
}

/** Sends the statement. A failure to be sent again has written nothing. */
const makeSend = (sql: PgClient, options: SqlAppendOptions) => {
  const types = SqlCommitTypes.make(sql, "log")
  const textOf = statementTexts(commitStatement, variantOf)
  const batchOptions = { log: true, words: options.words ?? true }
  const failed = (error: SqlError) => againFor(error) ?? appendFailure(classifySqlError(error, options))

  return (commits: ReadonlyArray<Commit>, { generation }: FenceView) =>
    Effect.flatMap(types, (parametersOf) => {
      const batch = commitBatch(commits, batchOptions)
      const of: CommitStatement = { ...batch.parts, purpose: "append", checkpoint: false }
      const parameters = parametersOf(batch, slotsOf(of), { generation })
      return Effect.mapError(sql.unsafe<SentRow>(textOf(of), parameters), failed)
    }).pipe(
      Effect.map(([row]) => sentOf(commits, row!)),
      Effect.catch((error) => (typeof error === "string" ? Effect.succeed(error) : Effect.fail(error)))
    )
}

export const make = (sql: PgClient, fence: SqlFence, options: SqlAppendOptions): Append => {
  const send = makeSend(sql, options)

  /** What of the commits can be said by now; the others go again. */
  const attempt = Effect.fnUntraced(function* (
    commits: ReadonlyArray<Commit>,
    view: FenceView,
    outcomes: Map<Commit, AppendOutcome>
  ): Effect.fn.Return<"fenced" | "overtaken" | undefined, AppendError> {
    const standing = commits.filter((commit) => currentEpoch(view, commit.partition) === commit.epoch)
    const answer = standing.length === 0 ? nothingSent : yield* send(standing, view)
    if (answer === "fenced") return answer
    const sent = answer === "overtaken" ? nothingSent : answer
    for (const [commit, position] of sent.appended) outcomes.set(commit, { _tag: "Appended", position })
    const rest = commits.filter((commit) => !sent.appended.has(commit))
    if (rest.length === 0) return undefined
    const resolved = yield* resolve(sql, fence, rest, view, sent.keySeen)
    for (const [index, commit] of rest.entries()) {
      const outcome = resolved[index]
      if (outcome !== undefined) outcomes.set(commit, outcome)
    }
    return resolved.includes(undefined) ? "overtaken" : undefined
  })

  return Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>) {
    const ordered = [...commits].sort(byWallet)
    let view = yield* fence.view
    // Claimed past this adapter: epochs only grow, so ours being ahead means that it has not heard of it.
    const known = view
    if (commits.some((commit) => commit.epoch > currentEpoch(known, commit.partition))) view = yield* fence.refresh
    const outcomes = new Map<Commit, AppendOutcome>()
    let overtaken = 0
    for (let tries = 0; tries < maxTries && overtaken < maxOvertaken; tries++) {
      const left = ordered.filter((commit) => !outcomes.has(commit))
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
        ordered.filter((commit) => !outcomes.has(commit)),
        overtaken,
        outcomes.size > 0
      )
    )
  })
}

/** `written`: other commits of the append are in the log. */
const gaveUp = ([first]: ReadonlyArray<Commit>, overtaken: number, written: boolean): AppendError => {
  if (overtaken === maxOvertaken) {
    const what = `the rows of wallet ${first!.walletId} cannot be written, though they are as expected`
    return new StoreDefect({ store: "log", reason: `${what}: look at triggers and at ew_* constraints` })
  }
  const reason = `partitions were claimed ${maxTries} times during one append`
  return written ? new AppendUnknown({ reason }) : unavailable("log", reason)
}
