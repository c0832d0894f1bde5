/**
 * Writes to the transactional view behind a log: sends the statement and finds out
 * about the commits that it left out, until each has an outcome.
 *
 * Where the events are the log, a write is a repair: the events are there, and what is
 * derived from them is written again.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Commit } from "../../domain/Commit.ts"
import type { Checkpoint, PersistOutcome } from "../Persistence.ts"
import { type OperationRefused, type ReadError, StoreDefect } from "../StoreError.ts"
import { classifyError, type ErrorClassOptions, immovable, readFailure, unavailable, writeFailure } from "./Failure.ts"
import { int8, int8s, text, texts, uuids } from "./Parameters.ts"
import { type Standing, standings, writeRefusedWallet } from "./Refusals.ts"
import { makeCommitWriter } from "./CommitWriter.ts"

export type WriteError = ReadError | OperationRefused

export interface WriteOptions extends ErrorClassOptions {
  /** The log is in this database. */
  readonly log: boolean
  /** Search is in this database. Default `true`. */
  readonly words?: boolean | undefined
}

/** The client whose transaction rebuilds wallets: they are locked, and their rows' positions are kept. */
export const Rebuilding = Context.Reference<SqlClient | undefined>("effect-wallet/stores/SqlWrite/Rebuilding", {
  defaultValue: () => undefined
})

/** How often others may move the same wallets before the caller is told to try later. */
const maxRounds = 16

const countLogged = `
select count(*)::int as found from unnest($1::text[], $2::int8[], $3::uuid[]) as k (wallet_id, version, id)
join events e on e.wallet_id = k.wallet_id and e.version = k.version and e.id = k.id`

/** Where the events are the log, nothing can be derived from events that it does not have. */
const checkLogged = Effect.fnUntraced(function* (
  sql: SqlClient,
  commits: ReadonlyArray<Commit>
): Effect.fn.Return<void, ReadError> {
  const events = commits.flatMap((commit) => commit.events)
  const [row] = yield* sql
    .unsafe<{ readonly found: number }>(countLogged, [
      texts(events.map(({ walletId }) => walletId)),
      int8s(events.map(({ version }) => version)),
      uuids(events.map(({ id }) => id))
    ])
    .pipe(Effect.mapError(readFailure("persistence")))
  if (row?.found === events.length) return
  const reason = `the log does not have these events of wallet ${commits[0]!.walletId} and ${commits.length - 1} others`
  return yield* new StoreDefect({ store: "persistence", reason })
})

/** Sends the statement; answers the commits that it has written. */
const makeSend = (sql: PgClient, options: WriteOptions) => {
  const write = makeCommitWriter(sql, { store: "persistence", words: options.words })
  const failed = (error: SqlError) => writeFailure(classifyError(error, options))

  return (commits: ReadonlyArray<Commit>, checkpoint: Checkpoint | undefined, rebuilding: boolean) => {
    const purpose = options.log ? "rederive" : rebuilding ? "recopy" : "copy"
    const checked = Effect.andThen(
      options.log ? checkLogged(sql, commits) : Effect.void,
      Effect.map(write(purpose, commits, { checkpoint }), ({ written }) => written)
    )
    // A savepoint: what fails here may be caught, and the rebuild goes on.
    return Effect.mapError(rebuilding ? sql.withTransaction(checked) : checked, (error) =>
      error._tag === "SqlError" ? failed(error) : error
    )
  }
}

const forward = `
insert into checkpoints (owner, position) values ($1, $2)
on conflict (owner) do update set position = greatest(checkpoints.position, excluded.position)`

/** Never backwards: an answer that was lost may be written late. */
const recordCheckpoint = (sql: SqlClient, { owner, position }: Checkpoint): Effect.Effect<void, SqlError> =>
  Effect.asVoid(sql.unsafe(forward, [text(owner), int8(position)]))

/** Rows that were as expected in every round, and did not move, keep still for good. `still`: for how many rounds. */
const gaveUp = (still: ReadonlyMap<Commit, number>): WriteError => {
  for (const [{ walletId }, rounds] of still) {
    if (rounds === maxRounds) return immovable("persistence", walletId)
  }
  return unavailable("persistence", `wallets moved ${maxRounds} times during one write`)
}

/** `part`: what of the commit was not there. */
const writtenOf = (commit: Commit, part: Commit): PersistOutcome =>
  part.events.length === commit.events.length ? { _tag: "Written" } : { _tag: "Written", before: true }

export const make = (sql: PgClient, options: WriteOptions) => {
  const send = makeSend(sql, options)
  const failed = readFailure("persistence")

  /** What is to be sent again of the commits that were left out; the others have their outcome. */
  const resolve = Effect.fnUntraced(function* (
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
    checkpoint: Checkpoint | undefined
  ): Effect.fn.Return<ReadonlyArray<PersistOutcome>, WriteError> {
    const rebuilding = (yield* Rebuilding) === sql
    const outcomes = new Map<Commit, PersistOutcome>()
    let left = new Map(commits.map((commit) => [commit, commit]))
    let marked = checkpoint === undefined
    const still = new Map<Commit, number>()
    for (let round = 0; left.size > 0; round++) {
      if (round === maxRounds) return yield* Effect.fail(gaveUp(still))
      const parts = Array.from(left.values())
      const written = yield* send(parts, round === 0 ? checkpoint : undefined, rebuilding)
      if (round === 0 && written.size === commits.length) marked = true
      for (const [commit, part] of left) {
        if (!written.has(part)) continue
        outcomes.set(commit, writtenOf(commit, part))
        left.delete(commit)
      }
      if (left.size === 0) break
      const again = yield* resolve(left, outcomes)
      for (const [commit, part] of again) {
        const moved = part.expectedVersion !== left.get(commit)!.expectedVersion
        still.set(commit, moved ? 0 : (still.get(commit) ?? 0) + 1)
      }
      left = again
    }
    const results = commits.map((commit) => outcomes.get(commit)!)
    if (!marked && results.every(({ _tag }) => _tag === "Written")) {
      yield* Effect.mapError(recordCheckpoint(sql, checkpoint!), failed)
    }
    return results
  })
}
