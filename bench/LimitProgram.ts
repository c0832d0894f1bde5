/**
 * The limit program: what the log's own statement can do when nobody thinks. Callers
 * hand their credits to one loop; it gathers what has arrived, within the engine's
 * batch bounds, and sends it by the very `append` that the engine uses. No rules, no
 * mailboxes, no idempotency, no wallet state but what the rows need; callers are bare
 * functions, an answer is a call.
 *
 * Where Persistence is another store, its rows are written by the very `write` that the
 * engine uses, one write after the other, while the next appends are on their way; an
 * answer is given when they are there.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { ActorBounds } from "../src/actors/ActorBounds.ts"
import { EventIds } from "../src/actors/EventIds.ts"
import { Ownership } from "../src/actors/Ownership.ts"
import type { Commit } from "../src/domain/Commit.ts"
import type { RecordedEvent } from "../src/domain/Event.ts"
import { evolve } from "../src/domain/Evolve.ts"
import { partitionOf } from "../src/domain/Partition.ts"
import type { Wallet } from "../src/domain/Wallet.ts"
import { mergeCommits } from "../src/stores/RowWriter.ts"
import { EventStore } from "../src/stores/EventStore.ts"
import { Persistence } from "../src/stores/Persistence.ts"
import { append, created, creditOf1, metadataOf } from "./LogCommits.ts"

/** What an append takes at most. Up to `batchCommands` callers in a closed loop keep the third bound by themselves. */
export type LimitBounds = Pick<ActorBounds, "appendCommits" | "appendEvents">

/** A wallet's stream as this program knows it: its last row, and what waits for the next append. */
class LimitStream {
  readonly partition: number
  readonly epoch: number
  private wallet: Wallet
  private waiting: Array<RecordedEvent> = []
  private answers: Array<() => void> = []
  /** With what waits. */
  balance = 0n
  version = 0

  constructor(wallet: Wallet, partition: number, epoch: number) {
    this.wallet = wallet
    this.partition = partition
    this.epoch = epoch
  }

  get walletId(): string {
    return this.wallet.id
  }

  get size(): number {
    return this.waiting.length
  }

  add(recorded: RecordedEvent, answered: () => void): void {
    this.waiting.push(recorded)
    this.answers.push(answered)
  }

  /** The commit of its first events, at most `limit`; their answers are added to `due`. */
  take(limit: number, due: Array<() => void>): Commit {
    const all = this.waiting.length <= limit
    const events = all ? this.waiting : this.waiting.splice(0, limit)
    const answers = all ? this.answers : this.answers.splice(0, limit)
    if (all) {
      this.waiting = []
      this.answers = []
    }
    for (const answered of answers) due.push(answered)
    const last = events[events.length - 1] as RecordedEvent
    const balance = all ? this.balance : this.balance - BigInt(this.waiting.length)
    const expectedVersion = this.wallet.version
    this.wallet = { ...this.wallet, balance, version: last.version, updatedAt: last.time }
    const { epoch, partition, wallet } = this
    return { walletId: wallet.id, partition, epoch, expectedVersion, events, wallet }
  }
}

interface Batch {
  readonly commits: ReadonlyArray<Commit>
  readonly answers: ReadonlyArray<() => void>
}

/** What waits for the next append: as much as has arrived, up to the bounds. */
class Gathering {
  private readonly bounds: LimitBounds
  private touched: Array<LimitStream> = []
  private wake: ((effect: Effect.Effect<void>) => void) | undefined

  constructor(bounds: LimitBounds) {
    this.bounds = bounds
  }

  get isEmpty(): boolean {
    return this.touched.length === 0
  }

  /** Waits for the first to arrive. */
  readonly park = Effect.callback<void>((resume) => {
    if (this.isEmpty) this.wake = resume
    else resume(Effect.void)
  })

  add(stream: LimitStream, recorded: RecordedEvent, answered: () => void): void {
    if (stream.size === 0) this.touched.push(stream)
    stream.add(recorded, answered)
    if (this.wake === undefined) return
    const wake = this.wake
    this.wake = undefined
    wake(Effect.void)
  }

  take(): Batch {
    const { bounds, touched } = this
    const commits: Array<Commit> = []
    const answers: Array<() => void> = []
    while (commits.length < Math.min(touched.length, bounds.appendCommits) && answers.length < bounds.appendEvents) {
      const stream = touched[commits.length] as LimitStream
      commits.push(stream.take(bounds.appendEvents - answers.length, answers))
    }
    const last = touched[commits.length - 1]
    const whole = last === undefined || last.size === 0 ? commits.length : commits.length - 1
    this.touched = whole === touched.length ? [] : touched.slice(whole)
    return { commits, answers }
  }
}

export interface LimitProgram {
  /** Credits 1 to the stream; `answered` is called when the log has it. */
  readonly credit: (stream: number, answered: () => void) => void
}

/** What is in the log and not yet in Persistence. */
class Behind {
  private batches: Array<Batch> = []
  private wake: ((effect: Effect.Effect<void>) => void) | undefined

  add(batch: Batch): void {
    this.batches.push(batch)
    const wake = this.wake
    this.wake = undefined
    wake?.(Effect.void)
  }

  readonly park = Effect.callback<void>((resume) => {
    if (this.batches.length > 0) resume(Effect.void)
    else this.wake = resume
  })

  /** All that has arrived: per wallet one commit. */
  take(): Batch {
    const { batches } = this
    this.batches = []
    const wallets = new Map<string, Array<Commit>>()
    for (const commit of batches.flatMap(({ commits }) => commits)) {
      const known = wallets.get(commit.walletId)
      if (known === undefined) wallets.set(commit.walletId, [commit])
      else known.push(commit)
    }
    const commits = Array.from(wallets.values(), mergeCommits)
    return { commits, answers: batches.flatMap(({ answers }) => answers) }
  }
}

/** Writes what is in the log to Persistence, for ever, and answers. */
const persistLoop = Effect.fnUntraced(function* (behind: Behind) {
  const persistence = yield* Persistence
  while (true) {
    yield* behind.park
    const { answers, commits } = behind.take()
    const outcomes = yield* Effect.orDie(persistence.write(commits))
    const other = outcomes.find((outcome) => outcome._tag !== "Written")
    if (other !== undefined) return yield* Effect.die(new Error(`Persistence answered ${other._tag}`))
    for (const answered of answers) answered()
  }
})

/** Appends one after the other, for ever; the next is on its way before Persistence is told of the one before. */
const appendFirstLoop = Effect.fnUntraced(function* (gathering: Gathering, behind: Behind) {
  const log = yield* EventStore
  while (true) {
    if (gathering.isEmpty) yield* gathering.park
    const batch = gathering.take()
    yield* append(log, batch.commits)
    behind.add(batch)
  }
})

/** Sends one append after the other, for ever. Those of the append before are answered while one is in flight. */
const appendLoop = Effect.fnUntraced(function* (gathering: Gathering) {
  const log = yield* EventStore
  let due: ReadonlyArray<() => void> = []
  while (true) {
    if (gathering.isEmpty) {
      for (const answered of due) answered()
      due = []
      if (gathering.isEmpty) {
        yield* gathering.park
        // All who start together come in one append: a first one that went alone would go alone for ever.
        yield* Effect.yieldNow
      }
    }
    const { answers, commits } = gathering.take()
    const sent = yield* Effect.forkChild(append(log, commits), { startImmediately: true })
    // The driver writes to its socket at the end of this turn of the event loop.
    if (due.length > 0) yield* Effect.yieldNow
    for (const answered of due) answered()
    yield* Fiber.join(sent)
    due = answers
  }
})

/**
 * A program over fresh streams, ended with the scope. Dies when the log answers
 * anything but `Appended`: then the figures would mean nothing.
 */
export const makeLimitProgram = Effect.fnUntraced(function* (walletIds: ReadonlyArray<string>, bounds: LimitBounds) {
  const clock = yield* Clock.Clock
  const ids = yield* EventIds
  const streams = yield* createStreams(walletIds, bounds.appendCommits)
  const gathering = new Gathering(bounds)
  let key = 0

  const credit = (index: number, answered: () => void): void => {
    const stream = streams[index] as LimitStream
    const time = clock.currentTimeMillisUnsafe()
    const id = ids.next(time)
    const event = creditOf1(++stream.balance)
    const metadata = metadataOf(id, `c:${key++}`, stream.epoch)
    gathering.add(stream, { id, walletId: stream.walletId, version: ++stream.version, time, event, metadata }, answered)
  }

  if ((yield* EventStore).writesPersistence) yield* Effect.forkScoped(appendLoop(gathering))
  else {
    const behind = new Behind()
    yield* Effect.forkScoped(appendFirstLoop(gathering, behind))
    yield* Effect.forkScoped(persistLoop(behind))
  }
  return { credit } satisfies LimitProgram
})

/** Streams of one event each, written before the clock starts. */
const createStreams = Effect.fnUntraced(function* (walletIds: ReadonlyArray<string>, together: number) {
  const log = yield* EventStore
  const ids = yield* EventIds
  const ownership = yield* Ownership
  const time = yield* Clock.currentTimeMillis
  const streams: Array<LimitStream> = []
  for (let from = 0; from < walletIds.length; from += together) {
    const commits: Array<Commit> = []
    for (const walletId of walletIds.slice(from, from + together)) {
      const partition = partitionOf(walletId, ownership.partitions)
      const epoch = ownership.epochOf(partition)
      if (epoch === undefined) return yield* Effect.die(new Error("the partition is not ours"))
      const id = ids.next(time)
      const metadata = metadataOf(id, `c:create-${walletId}`, epoch)
      const recorded: RecordedEvent = { id, walletId, version: 0, time, event: created, metadata }
      const wallet = evolve(undefined, recorded)
      streams.push(new LimitStream(wallet, partition, epoch))
      commits.push({ walletId, partition, epoch, expectedVersion: -1, events: [recorded], wallet })
    }
    yield* append(log, commits)
    if (!log.writesPersistence) yield* Effect.orDie((yield* Persistence).write(commits))
  }
  return streams
})
