/**
 * Writes what the log has to Persistence, also under a rule of the user's that refuses some
 * of it, as it has before: each refused command was reversed in the log.
 *
 * A rule that refuses one event in twelve refuses every page, and to narrow each down by
 * halves is 2 · log2(n) writes each. So once something was refused, the commands that the log has
 * reversed are known beforehand: each of them is tried alone, in its place, for the rule may
 * have changed, and what lies between them is written together, over all wallets. One that
 * is refused costs a failed statement and a refusal; what is refused and not known to be
 * reversed is still narrowed down (`RowWriter.ts`).
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Commit } from "../../domain/Commit.ts"
import type { OperationReversed, RecordedEvent } from "../../domain/Event.ts"
import { fold } from "../../domain/Evolve.ts"
import {
  ReplayDiverged,
  commitOf,
  type RebuildCommit,
  type RebuildCounts,
  type RebuildStores,
  type WriteError,
  ReplayRefused,
  announce
} from "./RebuildStores.ts"
import { findReversal } from "../../pipeline/Reversals.ts"
import { eventsByCommand, type RowWriter, writeRows } from "../../stores/RowWriter.ts"
import type { OperationRefused } from "../../stores/StoreError.ts"
import type { Checkpoint, PersistOutcome } from "../../stores/Persistence.ts"

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
  { events }: RebuildCommit,
  reversals: ReadonlyMap<number, OperationReversed> | undefined
): ReadonlyArray<Part> => {
  if (reversals === undefined) return [{ events, reason: undefined }]
  const parts: Array<Part> = []
  let plain: Array<RecordedEvent> = []
  const endPlain = () => {
    if (plain.length > 0) parts.push({ events: plain, reason: undefined })
    plain = []
  }
  for (const command of eventsByCommand(events)) {
    if (command.every(({ version }) => reversals.has(version))) {
      endPlain()
      parts.push({ events: command, reason: reversals.get(command.at(-1)!.version)!.reason })
    } else plain.push(...command)
  }
  endPlain()
  return parts
}

/** A wallet's events on their way, part by part. */
class Queue {
  readonly #commit: RebuildCommit
  readonly #parts: ReadonlyArray<Part>
  #next = 0
  #state
  #outcome: PersistOutcome | undefined

  constructor(commit: RebuildCommit, parts: ReadonlyArray<Part>) {
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
  take(): RebuildCommit {
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

/** Every event of a refused command was reversed, each by an event of its own: their reason is the refusal's. */
const reasonInLog = Effect.fnUntraced(function* (
  { log }: RebuildStores,
  { events, walletId }: Commit,
  reason: string
): Effect.fn.Return<string, WriteError> {
  let recorded = reason
  for (const { event, version } of events) {
    const reversal = yield* findReversal(log, walletId, version)
    if (reversal === undefined) return yield* new ReplayRefused({ walletId, version, type: event._tag, reason })
    recorded = reversal.event.reason
  }
  return recorded
})

const refuse = Effect.fnUntraced(function* (
  { persistence }: RebuildStores,
  counts: RebuildCounts,
  commit: Commit,
  reason: string
): Effect.fn.Return<PersistOutcome, WriteError> {
  counts.refused += commit.events.length
  // The log has reversed it: that stands, whoever owns the wallet.
  const outcome = yield* persistence.refuse(commit, { reason, time: yield* Clock.currentTimeMillis })
  return outcome._tag === "Withdrawn" ? yield* Effect.die("a refusal without a condition was withdrawn") : outcome
})

const rowWriter = (
  stores: RebuildStores,
  counts: RebuildCounts
): RowWriter<RebuildCommit, PersistOutcome, OperationRefused, WriteError> => ({
  write: (commits) => stores.persistence.write(commits),
  divides: (error) => error._tag === "OperationRefused",
  before: ({ before }) => Effect.succeed(before),
  failed: (command, error) =>
    Effect.flatMap(reasonInLog(stores, command, error.reason), (reason) => refuse(stores, counts, command, reason))
})

/** A command alone: the rule may have changed. */
const tryAlone = (
  stores: RebuildStores,
  counts: RebuildCounts,
  commit: RebuildCommit,
  reason: string
): Effect.Effect<PersistOutcome, WriteError> =>
  Effect.map(stores.persistence.write([commit]), ([outcome]) => outcome!).pipe(
    Effect.catchTag("OperationRefused", () => refuse(stores, counts, commit, reason))
  )

const writeByParts = Effect.fnUntraced(function* (
  stores: RebuildStores,
  counts: RebuildCounts,
  commits: ReadonlyArray<RebuildCommit>,
  options: WriteOptions
): Effect.fn.Return<ReadonlyArray<PersistOutcome>, WriteError> {
  const ahead = options.ahead === undefined ? [] : yield* options.ahead
  const reversals = reversalsOf([...commits.flatMap(({ events }) => events), ...ahead])
  const queues = commits.map((commit) => new Queue(commit, partsOf(commit, reversals.get(commit.walletId))))
  const writer = rowWriter(stores, counts)
  let left = queues
  while (left.length > 0) {
    const plain = left.filter(({ part }) => part!.reason === undefined)
    const outcomes = yield* writeRows(
      writer,
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

const divergence = ({ walletId }: RebuildCommit, outcome: PersistOutcome): ReplayDiverged =>
  new ReplayDiverged({
    walletId,
    persistedVersion: outcome._tag === "Diverged" ? outcome.persistedVersion : -1
  })

/**
 * Writes one commit per wallet; outcomes in their order, and none of them is
 * `Diverged`. The checkpoint is recorded when nothing stood in the way: `marked`.
 */
export const writeCommits = Effect.fnUntraced(function* (
  stores: RebuildStores,
  counts: RebuildCounts,
  commits: ReadonlyArray<RebuildCommit>,
  options: WriteOptions
): Effect.fn.Return<{ readonly outcomes: ReadonlyArray<PersistOutcome>; readonly marked: boolean }, WriteError> {
  if (commits.length === 0) return { outcomes: [], marked: false }
  yield* announce(stores)
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
