/**
 * Writes what the log has to Persistence. What a rule of the user's refuses is
 * narrowed down to its command; there the log tells what became of it: the command
 * that was reversed gets its refusal back, any other stops the replay.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { mergeCommits } from "../actors/PersistQueue.ts"
import type { WalletHistory } from "../actors/WalletHistory.ts"
import type { Commit } from "../domain/Commit.ts"
import type { OperationReversed, RecordedEvent } from "../domain/Event.ts"
import { fold } from "../domain/Evolve.ts"
import type { Wallet } from "../domain/Wallet.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { Mark, Persistence, PersistOutcome } from "../stores/Persistence.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../stores/StoreError.ts"
import { ReplayDiverged, ReplayRefused } from "./ReplayError.ts"

export interface ReplayStores {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly history: WalletHistory["Service"]
}

export type WriteError = ReadError | EventUnreadable | ReplayRefused | ReplayDiverged

/** Events per read of one stream. */
const pageEvents = 500

/** A store that is away is asked again for about 20 s: longer is an outage, and the replay can be taken up later. */
const patience = {
  schedule: Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]),
  times: 14,
  while: (error: { readonly _tag: string }) => error._tag === "StoreUnavailable"
}

/** For a step that may be done twice. */
export const patiently = <A, E extends { readonly _tag: string }, R>(step: Effect.Effect<A, E, R>) =>
  Effect.retry(step, patience)

/** What was done; grows with the replay. */
export interface ReplayCounts {
  /** Read from the log. */
  events: number
  /** Of these, given to Persistence: their rows were not known to be there. */
  written: number
  /** Of these, refused again by a user's rule, as they were before. */
  refused: number
}

/** The state after the event of that version, which the log must have; `-1`: before the first. */
export const stateAt = Effect.fnUntraced(function* (
  { history }: ReplayStores,
  walletId: string,
  version: number
): Effect.fn.Return<Wallet | undefined, ReadError | EventUnreadable> {
  if (version < 0) return undefined
  const wallet = yield* history.atVersion(walletId, version)
  if (wallet !== undefined) return wallet
  return yield* new StoreDefect({ store: "log", reason: `it has no event ${version} of wallet ${walletId}` })
})

/** One wallet's events as what Persistence takes. `state`: after the last of them. */
export const commitOf = (state: Wallet, events: ReadonlyArray<RecordedEvent>): Commit => ({
  walletId: state.id,
  partition: 0,
  epoch: events[events.length - 1]!.metadata.epoch,
  expectedVersion: events[0]!.version - 1,
  events,
  wallet: state
})

/** One commit per command, each with the state after it. */
const commandsOf = (before: Wallet | undefined, { events }: Commit): ReadonlyArray<Commit> => {
  const commands: Array<Commit> = []
  let wallet = before
  let from = 0
  for (const [index, recorded] of events.entries()) {
    if (events[index + 1]?.metadata.commandId === recorded.metadata.commandId) continue
    const own = events.slice(from, index + 1)
    wallet = fold(wallet, own)!
    commands.push(commitOf(wallet, own))
    from = index + 1
  }
  return commands
}

/** The event that undoes the one of that version; `undefined`: there is none up to the stream's end. */
export const findReversal = Effect.fnUntraced(function* (
  log: EventStore["Service"],
  walletId: string,
  version: number
): Effect.fn.Return<
  { readonly version: number; readonly event: OperationReversed } | undefined,
  ReadError | EventUnreadable
> {
  let after = version
  while (true) {
    const page = yield* log.read(walletId, { after, limit: pageEvents })
    for (const { event, version: at } of page) {
      if (event._tag === "OperationReversed" && event.reversedVersion === version) return { version: at, event }
    }
    if (page.length < pageEvents) return undefined
    after = page[page.length - 1]!.version
  }
})

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

/**
 * Writes one commit per wallet; outcomes in their order, and none of them is
 * `Diverged`. `mark` is recorded when nothing stood in the way: `true`.
 */
export const writeCommits = Effect.fnUntraced(function* (
  stores: ReplayStores,
  counts: ReplayCounts,
  commits: ReadonlyArray<Commit>,
  mark?: Mark
): Effect.fn.Return<{ readonly outcomes: ReadonlyArray<PersistOutcome>; readonly marked: boolean }, WriteError> {
  if (commits.length === 0) return { outcomes: [], marked: false }
  const result = yield* Effect.result(stores.persistence.write(commits, mark))
  if (Result.isSuccess(result)) {
    const outcomes = result.success
    const diverged = outcomes.findIndex(({ _tag }) => _tag === "Diverged")
    if (diverged !== -1) return yield* divergence(commits[diverged]!, outcomes[diverged]!)
    return { outcomes, marked: mark !== undefined && outcomes.every(({ _tag }) => _tag === "Written") }
  }
  if (result.failure._tag !== "OperationRefused") return yield* result.failure
  if (commits.length > 1) {
    const middle = commits.length >> 1
    const first = yield* writeCommits(stores, counts, commits.slice(0, middle))
    const second = yield* writeCommits(stores, counts, commits.slice(middle))
    return { outcomes: [...first.outcomes, ...second.outcomes], marked: false }
  }
  const commit = commits[0]!
  const before = yield* stateAt(stores, commit.walletId, commit.expectedVersion)
  const outcome = yield* writeCommands(stores, counts, commandsOf(before, commit))
  if (outcome._tag === "Diverged") return yield* divergence(commit, outcome)
  return { outcomes: [outcome], marked: false }
})

const divergence = ({ walletId }: Commit, outcome: PersistOutcome): ReplayDiverged =>
  new ReplayDiverged({
    walletId,
    persistedVersion: outcome._tag === "Diverged" ? outcome.persistedVersion : -1
  })
