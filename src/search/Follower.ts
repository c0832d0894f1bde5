/**
 * Keeps a set of indexes up to the log: page after page, its documents in bulk requests, several at
 * one time, and behind them the checkpoint. What fails is sent again for ever; what is refused is
 * kept as a dead letter. Nothing is remembered that the log does not have.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import type { EventStore } from "../stores/EventStore.ts"
import type { DeadLetter, Persistence } from "../stores/Persistence.ts"
import { documentId, type IndexSet, type LogMark, type SearchDocument } from "../stores/SearchIndex.ts"
import { type EventUnreadable, StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import { type BehindEvent, BehindEvents, behindOf } from "./BehindEvents.ts"
import { bulksOf } from "./Bulks.ts"
import { documentsOf } from "./Documents.ts"
import type { SetPlace } from "./LogHistory.ts"
import { type LogPage, readLogPage } from "./LogPage.ts"
import { type PagePlace, Places } from "./Places.ts"
import { Refusals } from "./Refusals.ts"
import type { SearchBounds } from "./SearchBounds.ts"
import * as SearchMetrics from "./SearchMetrics.ts"
import { bringBack } from "./StoppedWallets.ts"
import type { SearchTrouble } from "./SearchTrouble.ts"

export interface FollowerContext {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly set: IndexSet
  readonly bounds: SearchBounds
  readonly clock: Clock.Clock
  readonly trouble: SearchTrouble
  /** Dead letters on record, as far as it is known. */
  readonly letters: () => number
  /** Dead letters have been kept or removed. */
  readonly lettersChanged: Effect.Effect<void>
  /** Something of it has arrived. */
  readonly arrived: Effect.Effect<void>
}

/** Documents of one request, and the page that they belong to. */
interface Bulk {
  readonly documents: ReadonlyArray<SearchDocument>
  readonly page: PagePlace
}

/** What ends a follower: another one begins where its checkpoint is. */
export type FollowerFailure = StoreDefect | EventUnreadable

/** Events behind Persistence that are looked at together. */
const behindChunk = 2_000

/** Between two looks at what is behind Persistence, ms: at first, and at most while nothing comes of it. */
const behindMillis = 50
const behindAtMostMillis = 1_000

export class Follower {
  readonly places: Places
  readonly behind = new BehindEvents()
  readonly #context: FollowerContext
  readonly #bulks: Queue.Queue<Bulk>
  /** Open: somebody waits for what the log has. */
  readonly #wanted = Latch.makeUnsafe(false)
  #isAtHead = false
  #saved: bigint
  #savedMark: LogMark | undefined
  readonly #refusals: Refusals
  /** The log has been read up to here, and what waits for Persistence is kept. */
  #readTo: bigint

  constructor(context: FollowerContext, { checkpoint, mark }: SetBegin, bulks: Queue.Queue<Bulk>) {
    this.#context = context
    this.#bulks = bulks
    this.#saved = checkpoint
    this.#savedMark = mark
    this.#readTo = checkpoint
    this.#refusals = new Refusals(context.bounds.refusedWallets)
    this.places = new Places(checkpoint, mark)
  }

  /** All events up to it are written, and those that wait for Persistence are not among them. */
  get checkpoint(): bigint {
    const lowest = this.behind.lowest
    return lowest !== undefined && lowest < this.places.written ? lowest : this.places.written
  }

  /** It has read all there was when it last looked, and written that. */
  get isUpToDate(): boolean {
    return this.#isAtHead && this.places.isIdle
  }

  /** Age of the oldest event that it has read and not written, ms. */
  get lagMillis(): number {
    const oldest = Math.min(this.places.oldest ?? Infinity, this.behind.oldest ?? Infinity)
    return Math.max(0, this.#context.clock.currentTimeMillisUnsafe() - oldest)
  }

  /** Looks at the log now. */
  readonly hurry: Effect.Effect<void> = Effect.asVoid(this.#wanted.open)

  /** Until something is wrong with the index itself. */
  get run(): Effect.Effect<never, FollowerFailure> {
    const writers = Array.from({ length: this.#context.bounds.bulksInFlight }, () => Effect.forever(this.#writeNext))
    const all = Effect.all([this.#reading, this.#catchingUp, this.#bringingBack, this.#saving, ...writers], {
      concurrency: "unbounded",
      discard: true
    })
    return Effect.andThen(all, Effect.never)
  }

  readonly #now = () => this.#context.clock.currentTimeMillisUnsafe()

  #patiently<A, E, R>(call: Effect.Effect<A, E | StoreUnavailable, R>) {
    return this.#context.trouble.patiently(call)
  }

  // --- Reading ---------------------------------------------------------------

  readonly #reading = Effect.gen({ self: this }, function* () {
    const { bounds, log } = this.#context
    let after = this.places.written
    let pause = bounds.pollMillis
    for (;;) {
      yield* this.#roomForBehind()
      this.#wanted.closeUnsafe()
      const page: LogPage = yield* this.#patiently(readLogPage(log, after, bounds.pageEvents))
      if (page.next !== after) yield* this.#take(page, after)
      pause = page.events.length > 0 ? bounds.pollMillis : Math.min(2 * pause, bounds.idleMillis)
      after = page.next
      this.#isAtHead = page.isLast
      if (!page.isLast) continue
      if (this.isUpToDate) yield* this.#context.trouble.caughtUp
      yield* Effect.raceFirst(Effect.sleep(pause), this.#wanted.await)
    }
  })

  /** What waits for Persistence is bounded. */
  #roomForBehind(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.behind.size < this.#context.bounds.behindEvents
        ? Effect.void
        : Effect.andThen(Effect.sleep(behindMillis), this.#roomForBehind())
    )
  }

  readonly #take = Effect.fnUntraced({ self: this }, function* (page: LogPage, after: bigint) {
    if (page.unreadable !== undefined) yield* passedOver(page.unreadable)
    const { bounds } = this.#context
    this.#isAtHead = false
    const { behind, documents } = yield* this.#patiently(documentsOf(this.#context, page.events))
    this.behind.add(behindOf(page.events, after, behind), this.#now())
    this.#readTo = page.next
    const bulks = bulksOf(documents, bounds)
    const place = this.places.begin(page.next, page.events, bulks.length)
    for (const bulk of bulks) yield* Queue.offer(this.#bulks, { documents: bulk, page: place })
  })

  // --- Writing ---------------------------------------------------------------

  readonly #writeNext = Effect.suspend(() =>
    Effect.flatMap(Queue.take(this.#bulks), ({ documents, page }) =>
      Effect.andThen(
        this.#write(documents),
        Effect.sync(() => this.places.ended(page))
      )
    )
  )

  readonly #write = Effect.fnUntraced({ self: this }, function* (documents: ReadonlyArray<SearchDocument>) {
    const { clock, set } = this.#context
    const startedAt = clock.currentTimeMillisUnsafe()
    const refused = yield* this.#patiently(
      Effect.tap(set.write(documents), (refused) => this.#judge(documents, refused))
    )
    yield* Metric.update(SearchMetrics.bulkDocuments, documents.length)
    yield* Metric.update(SearchMetrics.bulkSeconds, (clock.currentTimeMillisUnsafe() - startedAt) / 1_000)
    if (refused.length < documents.length) yield* this.#context.arrived
    if (refused.length > 0 || this.#context.letters() > 0) yield* this.#keepLetters(documents, refused)
  })

  /** What is refused whatever it is, or is more than a record can be of use for, is an outage, and is written again. */
  #judge(documents: ReadonlyArray<SearchDocument>, refused: ReadonlyArray<DeadLetter>) {
    const { bounds, letters } = this.#context
    const fault = this.#refusals.judge(documents, refused)
    if (fault !== undefined) return atFault(fault)
    return refused.length > 0 && letters() + refused.length > bounds.deadLetters
      ? atFault(`it has refused more than ${bounds.deadLetters} documents, the last for: ${refused[0]!.reason}`)
      : Effect.void
  }

  /** Also, what was refused earlier and has been written now is no dead letter any more. */
  readonly #keepLetters = Effect.fnUntraced(
    { self: this },
    function* (documents: ReadonlyArray<SearchDocument>, refused: ReadonlyArray<DeadLetter>) {
      const { lettersChanged, persistence } = this.#context
      const refusedNow = new Set(refused.map(({ id, kind }) => `${kind} ${id}`))
      const arrived = documents
        .map((document) => ({ kind: document.kind, id: documentId(document), version: document.version }))
        .filter(({ id, kind }) => !refusedNow.has(`${kind} ${id}`))
      yield* this.#patiently(persistence.saveDeadLetters(refused))
      yield* this.#patiently(persistence.removeDeadLetters(arrived))
      const [first] = refused
      if (first !== undefined) {
        yield* Effect.logWarning(
          `the search index has refused ${refused.length} documents, kept as dead letters, ` +
            `first the ${first.kind} ${first.id} of wallet ${first.walletId}: ${first.reason}`
        )
      }
      yield* lettersChanged
    }
  )

  // --- Behind Persistence ----------------------------------------------------

  readonly #catchingUp = Effect.gen({ self: this }, function* () {
    let pause = behindMillis
    for (;;) {
      yield* Effect.sleep(pause)
      const before = this.behind.size
      const waiting = this.behind.all()
      for (let begin = 0; begin < waiting.length; begin += behindChunk) {
        yield* this.#lookAgain(waiting.slice(begin, begin + behindChunk))
      }
      yield* Metric.update(SearchMetrics.behindWallets, this.behind.wallets)
      if (2 * this.behind.size > this.#context.bounds.behindEvents) {
        this.behind.stop(this.#now() - this.#context.bounds.stoppedMillis, this.#context.bounds.stoppedWallets)
      }
      const isMoving = before === 0 || this.behind.size < before
      pause = isMoving ? behindMillis : Math.min(2 * pause, behindAtMostMillis)
    }
  })

  readonly #lookAgain = Effect.fnUntraced({ self: this }, function* (waiting: ReadonlyArray<BehindEvent>) {
    const { behind, documents } = yield* this.#patiently(
      documentsOf(
        this.#context,
        waiting.map(({ event }) => event)
      )
    )
    for (const bulk of bulksOf(documents, this.#context.bounds)) yield* this.#write(bulk)
    const late = new Set(behind)
    this.behind.remove(
      waiting.filter(({ event }) => !late.has(event)),
      this.#now()
    )
  })

  readonly #bringingBack = Effect.suspend(() =>
    bringBack({
      ...this.#context,
      behind: this.behind,
      pageEvents: this.#context.bounds.pageEvents,
      now: this.#now,
      readTo: () => this.#readTo,
      write: (documents) =>
        Effect.forEach(bulksOf(documents, this.#context.bounds), (bulk) => this.#write(bulk), { discard: true }),
      patiently: (call) => this.#patiently(call)
    })
  )

  // --- The checkpoint --------------------------------------------------------

  /** A checkpoint that has gone back is that of another set, which was put in this one's place. One of another log takes none. */
  readonly #saving = Effect.gen({ self: this }, function* () {
    const { bounds, set } = this.#context
    for (;;) {
      const { checkpoint } = this
      const { mark } = this.places
      if (checkpoint > this.#saved || mark !== this.#savedMark) {
        const known = yield* this.#patiently(set.checkpoint)
        if (known < this.#saved) return yield* replaced
        yield* this.#patiently(set.saveCheckpoint(checkpoint, mark))
        this.#saved = checkpoint
        this.#savedMark = mark
        yield* this.#context.arrived
      }
      yield* Effect.sleep(bounds.checkpointMillis)
    }
  })
}

const atFault = (reason: string) => Effect.fail(new StoreUnavailable({ store: "readModel", reason, retryAfter: 5_000 }))

const replaced = new StoreDefect({
  store: "readModel",
  reason: "the search index was replaced by one that is behind it: it is filled from there"
})

const passedOver = (error: EventUnreadable): Effect.Effect<void> =>
  Effect.andThen(
    Metric.update(SearchMetrics.unreadableEvents, 1),
    Effect.logWarning(`${error.message}; the search index is written without it`)
  )

/** Where the set that is to be followed is. */
export type SetBegin = Pick<SetPlace, "checkpoint" | "mark">

/** Begins at the set's checkpoint. */
export const makeFollower = Effect.fnUntraced(function* (context: FollowerContext, from: SetBegin) {
  // One is made ready while the others are being written.
  return new Follower(context, from, yield* Queue.bounded<Bulk>(1))
})
