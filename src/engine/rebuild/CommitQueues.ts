/**
 * Writes what the log has to Persistence, also under a rule of the user's that refuses some
 * of it, as it has before: each refused command was reversed in the log.
 *
 * A rule that refuses one event in twelve refuses every page, and to narrow each down by
 * halves is 2 · log2(n) writes. So once something was refused, the commands that the log has
 * reversed are known beforehand: each of them is tried alone, in its place, for the rule may
 * have changed, and what lies between them is written together, over all wallets. One that
 * is refused costs a failed statement and a refusal; what is refused and not known to be
 * reversed is still narrowed down (`ReplayBisection.ts`).
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { OperationReversed, RecordedEvent } from "../../domain/Event.ts"
import { fold } from "../../domain/Evolve.ts"
import type { Checkpoint, PersistOutcome } from "../../stores/Persistence.ts"
import { writeHalves } from "./Bisection.ts"
import { ReplayDiverged } from "./RebuildError.ts"
import { commitOf, type ReplayCommit, type ReplayCounts, type ReplayStores, type WriteError } from "./RebuildWriter.ts"

/** Commands of different wallets that are tried at a time, where each is a transaction of its own. */
export const triesAtATime = 4

export interface WriteOptions {
  readonly checkpoint?: Checkpoint | undefined
  /** Of commands tried alone: 1 within one transaction. */
  readonly triesAtATime: number
  /** Events that come after those of the commits: there may be reversals of theirs. */
  readonly ahead?: Effect.Effect<ReadonlyArray<RecordedEvent>, WriteError> | undefined
}

/** The reversals of a wallet's events, by their versions. */
type Reversals = ReadonlyMap<string, ReadonlyMap<number, OperationReversed>>

const reversalsOf = (events: Iterable<RecordedEvent>): Reversals => {
  const found = new Map<string, Map<number, OperationReversed>>()
  for (const { event, walletId } of events) {
    if (event._tag !== "OperationReversed") continue
    const ofWallet = found.get(walletId) ?? new Map<number, OperationReversed>()
    found.set(walletId, ofWallet.set(event.reversedVersion, event))
  }
  return found
}

/** A part of a wallet's events. `reason`: a single command that the log has reversed. */
interface Part {
  readonly events: ReadonlyArray<RecordedEvent>
  readonly reason: string | undefined
}

/** The commands that the log has reversed, all of their events, and what lies between them. */
const partsOf = (
  { events }: ReplayCommit,
  reversals: ReadonlyMap<number, OperationReversed> | undefined
): ReadonlyArray<Part> => {
  if (reversals === undefined) return [{ events, reason: undefined }]
  const parts: Array<Part> = []
  let plainFrom = 0
  let from = 0
  for (const [index, { metadata }] of events.entries()) {
    if (events[index + 1]?.metadata.commandId === metadata.commandId) continue
    const command = events.slice(from, index + 1)
    if (command.every(({ version }) => reversals.has(version))) {
      if (plainFrom < from) parts.push({ events: events.slice(plainFrom, from), reason: undefined })
      parts.push({ events: command, reason: reversals.get(events[index]!.version)!.reason })
      plainFrom = index + 1
    }
    from = index + 1
  }
  if (plainFrom < events.length) parts.push({ events: events.slice(plainFrom), reason: undefined })
  return parts
}

/** A wallet's events on their way, part by part. */
class Queue {
  readonly #commit: ReplayCommit
  readonly #parts: ReadonlyArray<Part>
  #next = 0
  #state
  #outcome: PersistOutcome | undefined

  constructor(commit: ReplayCommit, parts: ReadonlyArray<Part>) {
    this.#commit = commit
    this.#parts = parts
    this.#state = commit.before
  }

  get part(): Part | undefined {
    const stopped = this.#outcome !== undefined && this.#outcome._tag !== "Written"
    return stopped ? undefined : this.#parts[this.#next]
  }

  get outcome(): PersistOutcome {
    return this.#outcome!
  }

  /** The next part as a commit of its own. */
  take(): ReplayCommit {
    const { events } = this.#parts[this.#next++]!
    const before = this.#state
    const isLast = this.#next === this.#parts.length
    const state = isLast ? this.#commit.wallet : fold(before, events)!
    this.#state = state
    return commitOf(before, state, events)
  }

  resolve(outcome: PersistOutcome): void {
    this.#outcome = outcome
  }
}

/** A command alone: the rule may have changed. */
const tryAlone = Effect.fnUntraced(function* (
  stores: ReplayStores,
  counts: ReplayCounts,
  commit: ReplayCommit,
  reason: string
): Effect.fn.Return<PersistOutcome, WriteError> {
  const result = yield* Effect.result(stores.persistence.write([commit]))
  if (Result.isSuccess(result)) return result.success[0]!
  if (result.failure._tag !== "OperationRefused") return yield* result.failure
  counts.refused += commit.events.length
  return yield* stores.persistence.refuse(commit, { reason, time: yield* Clock.currentTimeMillis })
})

const writeByParts = Effect.fnUntraced(function* (
  stores: ReplayStores,
  counts: ReplayCounts,
  commits: ReadonlyArray<ReplayCommit>,
  options: WriteOptions
): Effect.fn.Return<ReadonlyArray<PersistOutcome>, WriteError> {
  const ahead = options.ahead === undefined ? [] : yield* options.ahead
  const reversals = reversalsOf([...commits.flatMap(({ events }) => events), ...ahead])
  const queues = commits.map((commit) => new Queue(commit, partsOf(commit, reversals.get(commit.walletId))))
  let left = queues
  while (left.length > 0) {
    const plain = left.filter(({ part }) => part!.reason === undefined)
    const outcomes = yield* writeHalves(
      stores,
      counts,
      plain.map((queue) => queue.take())
    )
    for (const [index, queue] of plain.entries()) queue.resolve(outcomes[index]!)
    yield* Effect.forEach(
      left.filter(({ part }) => part?.reason !== undefined),
      (queue) => {
        const reason = queue.part!.reason!
        return Effect.map(tryAlone(stores, counts, queue.take(), reason), (outcome) => queue.resolve(outcome))
      },
      { concurrency: options.triesAtATime, discard: true }
    )
    left = left.filter(({ part }) => part !== undefined)
  }
  return queues.map(({ outcome }) => outcome)
})

const divergence = ({ walletId }: ReplayCommit, outcome: PersistOutcome): ReplayDiverged =>
  new ReplayDiverged({
    walletId,
    persistedVersion: outcome._tag === "Diverged" ? outcome.persistedVersion : -1
  })

/**
 * Writes one commit per wallet; outcomes in their order, and none of them is
 * `Diverged`. The checkpoint is recorded when nothing stood in the way: `marked`.
 */
export const writeCommits = Effect.fnUntraced(function* (
  stores: ReplayStores,
  counts: ReplayCounts,
  commits: ReadonlyArray<ReplayCommit>,
  options: WriteOptions
): Effect.fn.Return<{ readonly outcomes: ReadonlyArray<PersistOutcome>; readonly marked: boolean }, WriteError> {
  if (commits.length === 0) return { outcomes: [], marked: false }
  let outcomes: ReadonlyArray<PersistOutcome> | undefined
  let marked = false
  // What has refused something refuses something again.
  if (counts.refused === 0) {
    const result = yield* Effect.result(stores.persistence.write(commits, options.checkpoint))
    if (Result.isSuccess(result)) {
      outcomes = result.success
      marked = options.checkpoint !== undefined && outcomes.every(({ _tag }) => _tag === "Written")
    } else if (result.failure._tag !== "OperationRefused") return yield* result.failure
  }
  outcomes ??= yield* writeByParts(stores, counts, commits, options)
  const diverged = outcomes.findIndex(({ _tag }) => _tag === "Diverged")
  if (diverged !== -1) return yield* divergence(commits[diverged]!, outcomes[diverged]!)
  return { outcomes, marked }
})
