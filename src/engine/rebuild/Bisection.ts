/**
 * Writes what a rule of the user's refuses in part: narrowed down by halves to its command,
 * where the log tells what became of it. A command that was reversed gets its refusal back,
 * any other stops the replay.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { mergeCommits } from "../../pipeline/PersistQueue.ts"
import type { Commit } from "../../domain/Commit.ts"
import { fold } from "../../domain/Evolve.ts"
import type { PersistOutcome } from "../../stores/Persistence.ts"
import { ReplayRefused } from "./RebuildError.ts"
import {
  commitOf,
  findReversal,
  type ReplayCommit,
  type ReplayCounts,
  type ReplayStores,
  type WriteError
} from "./RebuildWriter.ts"

/** One commit per command, each with the state after it. */
const commandsOf = ({ before, events }: ReplayCommit): ReadonlyArray<ReplayCommit> => {
  const commands: Array<ReplayCommit> = []
  let wallet = before
  let from = 0
  for (const [index, recorded] of events.entries()) {
    if (events[index + 1]?.metadata.commandId === recorded.metadata.commandId) continue
    const own = events.slice(from, index + 1)
    const state = fold(wallet, own)!
    commands.push(commitOf(wallet, state, own))
    wallet = state
    from = index + 1
  }
  return commands
}

/** Every event of a refused command was reversed, each by an event of its own. */
const refuse = Effect.fnUntraced(function* (
  stores: ReplayStores,
  counts: ReplayCounts,
  commit: Commit,
  reason: string
): Effect.fn.Return<PersistOutcome, WriteError> {
  const { events, walletId } = commit
  let recordedReason = reason
  for (const { event, version } of events) {
    const reversal = yield* findReversal(stores.log, walletId, version)
    if (reversal === undefined) return yield* new ReplayRefused({ walletId, version, type: event._tag, reason })
    recordedReason = reversal.event.reason
  }
  counts.refused += events.length
  const time = yield* Clock.currentTimeMillis
  return yield* stores.persistence.refuse(commit, { reason: recordedReason, time })
})

/** In two halves, each again in two where it is refused: about 2 · log2(n) writes for one refused command. */
const writeCommands = Effect.fnUntraced(function* (
  stores: ReplayStores,
  counts: ReplayCounts,
  commands: ReadonlyArray<Commit>
): Effect.fn.Return<PersistOutcome, WriteError> {
  const commit = mergeCommits(commands)
  const result = yield* Effect.result(stores.persistence.write([commit]))
  if (Result.isSuccess(result)) return result.success[0]!
  if (result.failure._tag !== "OperationRefused") return yield* result.failure
  if (commands.length === 1) return yield* refuse(stores, counts, commit, result.failure.reason)
  const middle = commands.length >> 1
  const first = yield* writeCommands(stores, counts, commands.slice(0, middle))
  return first._tag === "Written" ? yield* writeCommands(stores, counts, commands.slice(middle)) : first
})

/** One commit per wallet; outcomes in their order. */
export const writeHalves = Effect.fnUntraced(function* (
  stores: ReplayStores,
  counts: ReplayCounts,
  commits: ReadonlyArray<ReplayCommit>
): Effect.fn.Return<ReadonlyArray<PersistOutcome>, WriteError> {
  if (commits.length === 0) return []
  const result = yield* Effect.result(stores.persistence.write(commits))
  if (Result.isSuccess(result)) return result.success
  if (result.failure._tag !== "OperationRefused") return yield* result.failure
  if (commits.length === 1) return [yield* writeCommands(stores, counts, commandsOf(commits[0]!))]
  const middle = commits.length >> 1
  const first = yield* writeHalves(stores, counts, commits.slice(0, middle))
  return [...first, ...(yield* writeHalves(stores, counts, commits.slice(middle)))]
})
