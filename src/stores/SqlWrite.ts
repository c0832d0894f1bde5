/**
 * Writes to the transactional view behind a log: sends the statement and finds out
 * about the commits that it left out, until each has an outcome.
 *
 * Where the log is the same database, an append writes the same rows and relies on a
 * statement's seeing all that came before it. So a write takes the wallets' streams
 * first, as an append does, and raises the log's generation: an append that has
 * begun before it and waited begins again.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Commit } from "../domain/Commit.ts"
import type { Mark, PersistOutcome } from "./Persistence.ts"
import { appendBatch } from "./SqlAppendBatch.ts"
import * as SqlAppendTypes from "./SqlAppendTypes.ts"
import { classifySqlError, type SqlErrorClassOptions } from "./SqlErrorClass.ts"
import { readFailure, unavailable, writeFailure } from "./SqlFailure.ts"
import { byWallet } from "./SqlLockOrder.ts"
import { recordMark } from "./SqlMarks.ts"
import { texts } from "./SqlParameters.ts"
import { type Standing, standings } from "./SqlPersisted.ts"
import { writeRefusedWallet } from "./SqlRefusals.ts"
import { statementTexts } from "./SqlStatementTexts.ts"
import { type WriteParts, writeSlots, writeStatement } from "./SqlWriteStatement.ts"
import type { OperationRefused, ReadError } from "./StoreError.ts"

export type WriteError = ReadError | OperationRefused

export interface SqlWriteOptions extends SqlErrorClassOptions {
  /** The log is in this database. */
  readonly log: boolean
}

/** The client whose transaction rebuilds wallets: they are locked, and their rows' positions are kept. */
export const Rebuilding = Context.Reference<SqlClient | undefined>("effect-wallet/stores/SqlWrite/Rebuilding", {
  defaultValue: () => undefined
})

/** How often others may move the same wallets before the caller is told to try later. */
const maxRounds = 16

/** Takes the streams of the wallets, in the order in which an append does. */
export const lockStreams = "select from streams where wallet_id = any($1) order by wallet_id for update"

/** Appends that have begun begin again. */
export const nextGeneration = "update log set generation = generation + 1"

const variantOf = ({ creates, mark, others, positions, reversals, transfers }: WriteParts): string =>
  `${creates} ${others} ${transfers} ${reversals} ${positions} ${mark}`

/** Sends the statement; answers the commits that it has written. */
const makeSend = (sql: PgClient, options: SqlWriteOptions) => {
  const types = SqlAppendTypes.make(sql, "persistence")
  const textOf = statementTexts(writeStatement, variantOf)
  const failed = (error: SqlError) => writeFailure(classifySqlError(error, options))

  const statement = (commits: ReadonlyArray<Commit>, mark: Mark | undefined, rebuilding: boolean) =>
    Effect.flatMap(types, (parametersOf) => {
      const batch = appendBatch(commits, false)
      const positions = options.log ? "log" : rebuilding ? "kept" : "new"
      const parts: WriteParts = { ...batch.parts, positions, mark: mark !== undefined }
      const parameters = parametersOf(batch, writeSlots(parts), { mark })
      return Effect.mapError(sql.unsafe<{ readonly ord: number }>(textOf(parts), parameters), failed)
    }).pipe(Effect.map((rows) => new Set(rows.map(({ ord }) => commits[ord - 1]!))))

  const besideAppends = (commits: ReadonlyArray<Commit>, mark: Mark | undefined) =>
    Effect.gen(function* () {
      const walletIds = commits.map(({ walletId }) => walletId)
      yield* Effect.mapError(sql.unsafe(lockStreams, [texts(walletIds)]), failed)
      const written = yield* statement(commits, mark, false)
      if (written.size > 0) yield* Effect.mapError(sql.unsafe(nextGeneration), failed)
      return written
    }).pipe(inTransaction(sql, failed))

  return (commits: ReadonlyArray<Commit>, mark: Mark | undefined, rebuilding: boolean) => {
    // A savepoint: what fails here may be caught, and the rebuild goes on.
    if (rebuilding) return statement(commits, mark, true).pipe(inTransaction(sql, failed))
    return options.log ? besideAppends(commits, mark) : statement(commits, mark, false)
  }
}

/** One transaction, its own errors translated. */
export const inTransaction =
  <E2>(sql: SqlClient, failed: (error: SqlError) => E2) =>
  <A, E extends { readonly _tag: string }, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R> =>
    Effect.mapError(sql.withTransaction(self), (error): E | E2 =>
      error._tag === "SqlError" ? failed(error as SqlError) : (error as E)
    )

/** `part`: what of the commit was not there. */
const writtenOf = (commit: Commit, part: Commit): PersistOutcome =>
  part.events.length === commit.events.length ? { _tag: "Written" } : { _tag: "Written", before: true }

export const make = (sql: PgClient, options: SqlWriteOptions) => {
  const send = makeSend(sql, options)
  const failed = readFailure("persistence")

  /** What is to be sent again of the commits that were left out; the others have their outcome. */
  const settle = Effect.fnUntraced(function* (
    left: ReadonlyMap<Commit, Commit>,
    outcomes: Map<Commit, PersistOutcome>
  ): Effect.fn.Return<Map<Commit, Commit>, WriteError> {
    const again = new Map<Commit, Commit>()
    const given = Array.from(left.keys())
    const found: ReadonlyArray<Standing> = yield* standings(sql, given)
    for (const [index, commit] of given.entries()) {
      const standing = found[index]!
      if (standing._tag === "Known") outcomes.set(commit, standing.outcome)
      else if (!standing.creationRefused) again.set(commit, standing.commit)
      else if (yield* writeRefusedWallet(sql, standing.commit)) outcomes.set(commit, writtenOf(commit, standing.commit))
      // Somebody else was at it: the next round finds out.
      else again.set(commit, standing.commit)
    }
    return again
  })

  return Effect.fnUntraced(function* (
    commits: ReadonlyArray<Commit>,
    mark: Mark | undefined
  ): Effect.fn.Return<ReadonlyArray<PersistOutcome>, WriteError> {
    const rebuilding = (yield* Rebuilding) === sql
    const outcomes = new Map<Commit, PersistOutcome>()
    let left = new Map(commits.map((commit) => [commit, commit]))
    let marked = mark === undefined
    for (let round = 0; left.size > 0; round++) {
      if (round === maxRounds) {
        return yield* Effect.fail(unavailable("persistence", `wallets moved ${maxRounds} times during one write`))
      }
      const parts = Array.from(left.values()).sort(byWallet)
      const written = yield* send(parts, round === 0 ? mark : undefined, rebuilding)
      if (round === 0 && written.size === commits.length) marked = true
      for (const [commit, part] of left) {
        if (!written.has(part)) continue
        outcomes.set(commit, writtenOf(commit, part))
        left.delete(commit)
      }
      if (left.size > 0) left = yield* settle(left, outcomes)
    }
    const results = commits.map((commit) => outcomes.get(commit)!)
    if (!marked && results.every(({ _tag }) => _tag === "Written")) {
      yield* Effect.mapError(recordMark(sql, mark!), failed)
    }
    return results
  })
}
