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
import { type AppendParts, appendStatement } from "./SqlAppendStatement.ts"
import * as SqlAppendTypes from "./SqlAppendTypes.ts"
import { classifySqlError, type SqlErrorClassOptions } from "./SqlErrorClass.ts"
import { appendFailure, unavailable } from "./SqlFailure.ts"
import { currentEpoch, type FenceView, type SqlFence } from "./SqlFence.ts"
import { AppendUnknown } from "./StoreError.ts"

const appended: AppendOutcome = { _tag: "Appended" }

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

/** Rows of several wallets are locked in the order of their ids, so that appends do not block one another in a circle. */
const byWallet = (a: Commit, b: Commit): number => (a.walletId < b.walletId ? -1 : a.walletId > b.walletId ? 1 : 0)

/**
 * The texts of the statement. A session plans a prepared statement once, for the
 * tables as they are. A text that changes whenever the number of appends has
 * doubled makes it plan again, so that a plan made for an empty table does not serve
 * a large one.
 */
const statementTexts = (): ((parts: AppendParts) => string) => {
  /** At most four for each doubling. */
  const texts = new Map<number, string>()
  let sent = 0
  return (parts) => {
    const doublings = Math.floor(Math.log2(++sent))
    const variant = doublings * 4 + (parts.creates ? 2 : 0) + (parts.others ? 1 : 0)
    const known = texts.get(variant)
    if (known !== undefined) return known
    const text = `/* plan ${doublings} */${appendStatement(parts)}`
    texts.set(variant, text)
    return text
  }
}

type Append = (commits: ReadonlyArray<Commit>) => Effect.Effect<ReadonlyArray<AppendOutcome>, AppendError>

/** Sends the statement. Answers the commits that are in the log by now; `undefined`: fenced, nothing was written. */
const makeSend = (sql: PgClient, view: boolean, options: SqlErrorClassOptions) => {
  const types = SqlAppendTypes.make(sql)
  const textOf = statementTexts()
  const failed = (error: SqlError) => (isFenced(error) ? fenced : appendFailure(classifySqlError(error, options)))

  return (commits: ReadonlyArray<Commit>, { generation }: FenceView) =>
    Effect.flatMap(types, (parametersOf) => {
      const batch = appendBatch(commits)
      const parts = { view, creates: batch.creates, others: batch.others }
      const parameters = parametersOf(batch, generation, parts)
      return Effect.mapError(sql.unsafe<{ readonly ord: number }>(textOf(parts), parameters), failed)
    }).pipe(
      Effect.map((rows): ReadonlySet<Commit> | undefined => new Set(rows.map(({ ord }) => commits[ord - 1]!))),
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
      const written = standing.length === 0 ? new Set<Commit>() : yield* send(standing, current)
      if (written === undefined) {
        view = yield* fence.refresh
        continue
      }
      const rest = commits.filter((commit) => !written.has(commit))
      if (rest.length === 0) return commits.map(() => appended)
      const settled = yield* Effect.mapError(settle(sql, fence, rest, current), (error) =>
        // Asked again, the commits that were just written answer that they are there.
        written.size === 0 ? error : new AppendUnknown({ reason: error.message })
      )
      const outcomes = new Map(rest.map((commit, index) => [commit, settled[index]!]))
      return commits.map((commit) => outcomes.get(commit) ?? appended)
    }
    return yield* Effect.fail(unavailable("log", `partitions were claimed ${maxGenerations} times during one append`))
  })
}
