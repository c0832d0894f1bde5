/**
 * What an append to the SQL log comes to: sends the statement, under the claims as
 * they stand, and finds out about the commits that it left out.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Commit } from "../domain/Commit.ts"
import type { AppendError, AppendOutcome } from "./EventStore.ts"
import { appendBatch } from "./SqlAppendBatch.ts"
import { settle } from "./SqlAppendSettlement.ts"
import { type AppendParts, appendSlots, appendStatement } from "./SqlAppendStatement.ts"
import * as SqlAppendTypes from "./SqlAppendTypes.ts"
import { classifySqlError, type SqlErrorClassOptions } from "./SqlErrorClass.ts"
import { appendFailure, unavailable } from "./SqlFailure.ts"
import { currentEpoch, type FenceView, type SqlFence } from "./SqlFence.ts"
import { byWallet } from "./SqlLockOrder.ts"
import { statementTexts } from "./SqlStatementTexts.ts"
import { AppendUnknown } from "./StoreError.ts"

/**
 * How often claims may come between reading them and appending before the caller is
 * told to try later. Other nodes claim in a burst, when one of them comes or goes.
 */
const maxGenerations = 32

const fenced = Symbol("fenced")

/** Sent under a generation that has passed: there were no positions, and none of our rows is without. */
const isFenced = (error: SqlError): boolean => {
  const cause = error.reason.cause as { readonly code?: unknown; readonly column?: unknown }
  return cause.code === "23502" && cause.column === "position"
}

type Append = (commits: ReadonlyArray<Commit>) => Effect.Effect<ReadonlyArray<AppendOutcome>, AppendError>

/** Of the last event of each commit that was appended. */
type Appended = ReadonlyMap<Commit, bigint>

const variantOf = ({ creates, others, reversals, transfers }: AppendParts): string =>
  `${creates} ${others} ${transfers} ${reversals}`

/** Sends the statement. Answers the commits that are in the log by now; `undefined`: fenced, nothing was written. */
const makeSend = (sql: PgClient, view: boolean, options: SqlErrorClassOptions) => {
  const types = SqlAppendTypes.make(sql, "log")
  const textOf = statementTexts(appendStatement, variantOf)
  const failed = (error: SqlError) => (isFenced(error) ? fenced : appendFailure(classifySqlError(error, options)))

  return (commits: ReadonlyArray<Commit>, { generation }: FenceView) =>
    Effect.flatMap(types, (parametersOf) => {
      const batch = appendBatch(commits, true)
      const parts = { view, ...batch.parts }
      const parameters = parametersOf(batch, appendSlots(parts), { generation })
      return Effect.mapError(
        sql.unsafe<{ readonly ord: number; readonly position: bigint }>(textOf(parts), parameters),
        failed
      )
    }).pipe(
      Effect.map(
        (rows): Appended | undefined => new Map(rows.map(({ ord, position }) => [commits[ord - 1]!, position]))
      ),
      Effect.catch((error) => (error === fenced ? Effect.undefined : Effect.fail(error)))
    )
}

export const make = (
  sql: PgClient,
  fence: SqlFence,
  options: SqlErrorClassOptions & { readonly persistence?: boolean | undefined }
): Append => {
  const send = makeSend(sql, options.persistence ?? true, options)

  return Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>) {
    const ordered = [...commits].sort(byWallet)
    let view = yield* fence.view
    // Claimed past this adapter: epochs only grow, so ours being ahead means that it has not heard of it.
    const known = view
    if (commits.some((commit) => commit.epoch > currentEpoch(known, commit.partition))) view = yield* fence.refresh
    for (let tries = 0; tries < maxGenerations; tries++) {
      const current = view
      const standing = ordered.filter((commit) => currentEpoch(current, commit.partition) === commit.epoch)
      const written: Appended | undefined = standing.length === 0 ? new Map() : yield* send(standing, current)
      if (written === undefined) {
        view = yield* fence.refresh
        continue
      }
      const rest = commits.filter((commit) => !written.has(commit))
      const settled =
        rest.length === 0
          ? []
          : yield* Effect.mapError(settle(sql, fence, rest, current), (error) =>
              // Asked again, the commits that were just written answer that they are there.
              written.size === 0 ? error : new AppendUnknown({ reason: error.message })
            )
      const outcomes = new Map(rest.map((commit, index) => [commit, settled[index]!]))
      return commits.map(
        (commit): AppendOutcome => outcomes.get(commit) ?? { _tag: "Appended", position: written.get(commit)! }
      )
    }
    return yield* Effect.fail(unavailable("log", `partitions were claimed ${maxGenerations} times during one append`))
  })
}
