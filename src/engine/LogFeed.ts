/**
 * Followers of the log, all of one node. Pages are read once and shared: those at the head
 * of the log have one reader between them, which asks only while somebody is there; those
 * that are behind read in turn with the queries (`ReadShare`), and find in memory what
 * another has just read.
 *
 * A follower asks for the page behind its position when it has handed on the one before.
 * So a slow one holds nobody up, and nothing is kept for it: what it finds no longer in
 * memory it reads again.
 *
 * How many feeds a node has open is counted before anything is waited for, so that a crowd at once is not more.
 * What the node itself follows the log for is bounded where it begins, and takes no place from them.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { RateLimited } from "../actors/EngineError.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import { EventStore, patiently, type PositionedEvent } from "../stores/EventStore.ts"
import { type EventUnreadable, PositionGone, type ReadError, type StoreDefect } from "../stores/StoreError.ts"
import { FeedPages, type LogPage } from "./FeedPages.ts"
import { Reader, ReadShare } from "./ReadShare.ts"

/** Milliseconds after which a reader may try to follow again. */
const retryMillis = 5_000

/** A place for a reader's feed until the scope closes. `lastLeft`: when there is none left; must not wait. */
export const makeFeedPlaces = ({ feeds, feedsSpare }: ActorBounds, lastLeft: () => void) => {
  const ofReader = new Map<string, number>()
  let open = 0
  /** Those of the node itself. */
  let own = 0

  const enter = (reader: string): RateLimited | undefined => {
    const ofThis = ofReader.get(reader) ?? 0
    if (open >= (ofThis === 0 ? feeds + feedsSpare : feeds)) {
      return new RateLimited({ detail: `this node serves ${open} feeds already`, retryAfter: retryMillis })
    }
    open++
    ofReader.set(reader, ofThis + 1)
    return undefined
  }

  const leave = (reader: string): Effect.Effect<void> => {
    open--
    const left = ofReader.get(reader)! - 1
    if (left === 0) ofReader.delete(reader)
    else ofReader.set(reader, left)
    if (open + own === 0) lastLeft()
    return Metric.update(EngineMetrics.openFeeds, open)
  }

  const place = (reader: string): Effect.Effect<void, RateLimited, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const refusal = enter(reader)
        return refusal === undefined ? Metric.update(EngineMetrics.openFeeds, open) : Effect.fail(refusal)
      }),
      () => Effect.suspend(() => leave(reader))
    )

  const ownPlace: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
    Effect.sync(() => void own++),
    () =>
      Effect.sync(() => {
        if (--own + open === 0) lastLeft()
      })
  )

  return { place, ownPlace }
}

/** Events of a page that is read for a follower who is behind: some 3 ms of a store. */
const pageEvents = 256

/** A store that refuses a page as a defect is asked so long whether the position is one of its own. */
const goneMillis = 5_000

/** Pages that come while nobody waits for one: then all that follow are behind, and read for themselves. */
const unaskedPages = 8

export type FeedError = PositionGone | StoreDefect | EventUnreadable

export class LogFeed extends Context.Service<
  LogFeed,
  {
    /**
     * The pages behind a position, then live, for the {@link Reader} in context. When it succeeds the
     * feed is counted, until the scope closes. A store that is away is waited for once the feed is open.
     */
    readonly open: (
      after: bigint
    ) => Effect.Effect<Stream.Stream<LogPage, FeedError>, PositionGone | ReadError | RateLimited, Scope.Scope>
    /** The same for the node itself: not one of the feeds that are counted, and its turns are those of its reader. */
    readonly openOwn: (
      after: bigint
    ) => Effect.Effect<Stream.Stream<LogPage, FeedError>, PositionGone | ReadError, Scope.Scope>
  }
>()("effect-wallet/engine/LogFeed") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(LogFeed, make(bounds))
}

interface FeedContext {
  readonly log: EventStore["Service"]
  readonly share: ReadShare["Service"]
  readonly pages: FeedPages
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
}

/** The one reader at the head of the log: what it reads comes to the pages, until it ends or is ended. */
class HeadReader {
  position: bigint
  isOver = false
  readonly #context: FeedContext
  /** Done with the next page, or with what has ended the reading. */
  #next = Deferred.makeUnsafe<void, FeedError>()
  #fiber: Fiber.Fiber<void> | undefined
  /** Since somebody has waited for one. */
  #unasked = 0

  constructor(context: FeedContext, position: bigint) {
    this.#context = context
    this.position = position
  }

  start(): void {
    const { fork, log } = this.#context
    this.#fiber = fork(
      Stream.runForEach(log.follow(this.position), (events) => this.#publish(events)).pipe(
        Effect.onExit((exit) => Effect.sync(() => this.#over(exit))),
        Effect.catchCause(() => Effect.void)
      )
    )
  }

  /** More than there is at this call, which is waited for: what comes between the two is not missed. */
  next(): Effect.Effect<void, FeedError> {
    this.#unasked = 0
    return Deferred.await(this.#next)
  }

  stop(): void {
    this.#fiber?.interruptUnsafe()
  }

  #publish(events: ReadonlyArray<PositionedEvent>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (events.length === 0) return Effect.void
      this.position = this.#context.pages.add(this.position, events)
      const told = this.#next
      this.#next = Deferred.makeUnsafe()
      Deferred.doneUnsafe(told, Exit.void)
      if (++this.#unasked > unaskedPages) {
        // At once, so that nobody waits for one that is gone: whoever comes to its position begins another one.
        this.isOver = true
        return Effect.interrupt
      }
      // A full page: the log is ahead, and the next one comes in turn with all other reads.
      return events.length < pageEvents ? Effect.void : this.#context.share.page("", Effect.void)
    })
  }

  #over(exit: Exit.Exit<void, FeedError>): void {
    this.isOver = true
    Deferred.doneUnsafe(this.#next, exit)
  }
}

/** A number that is no position of this log is told as such by who follows it, not by a page. */
const goneOr = (log: EventStore["Service"], defect: StoreDefect, position: bigint): Effect.Effect<never, FeedError> =>
  Effect.andThen(Effect.timeoutOption(Stream.runHead(log.follow(position)), goneMillis), Effect.fail<FeedError>(defect))

/** Whether there is anything behind a position; then it is among the pages. Read once for all who ask meanwhile. */
const makeReadBehind = ({ fork, log, pages, share }: FeedContext) => {
  const reading = new Map<bigint, Deferred.Deferred<boolean, FeedError>>()

  const read = (reader: string, position: bigint): Effect.Effect<boolean, FeedError> =>
    patiently(
      share.page(
        reader,
        Effect.map(log.readAll({ after: position, limit: pageEvents }), (events) => {
          if (events.length > 0) pages.add(position, events)
          return events.length > 0
        })
      )
    ).pipe(Effect.catchTag("StoreDefect", (defect) => goneOr(log, defect, position)))

  return (reader: string, position: bigint): Effect.Effect<boolean, FeedError> => {
    const known = reading.get(position)
    if (known !== undefined) return Deferred.await(known)
    const result = Deferred.makeUnsafe<boolean, FeedError>()
    reading.set(position, result)
    const end = (exit: Exit.Exit<boolean, FeedError>) =>
      Effect.sync(() => {
        reading.delete(position)
        Deferred.doneUnsafe(result, exit)
      })
    // In a fiber of its own: whoever asked first may go away.
    fork(Effect.ignoreCause(Effect.onExit(read(reader, position), end)))
    return Deferred.await(result)
  }
}

const makePageBehind = (context: FeedContext) => {
  const { pages, share } = context
  const readBehind = makeReadBehind(context)
  let head: HeadReader | undefined

  /** The reader at the head, if it is no further than the position. */
  const readerAt = (position: bigint): HeadReader | undefined =>
    head !== undefined && !head.isOver && head.position <= position ? head : undefined

  const startAt = (position: bigint): HeadReader => {
    const started = new HeadReader(context, position)
    head = started
    started.start()
    return started
  }

  /** The next page of a follower. One that waits at the head is given it at once, one that is behind in its turn. */
  const pageBehind = Effect.fnUntraced(function* (
    reader: string,
    position: bigint
  ): Effect.fn.Return<LogPage, FeedError> {
    let isAtHead = false
    while (true) {
      const page = pages.behind(position)
      if (page !== undefined) return yield* isAtHead ? Effect.succeed(page) : share.page(reader, Effect.succeed(page))
      if (readerAt(position) === undefined) {
        if (yield* readBehind(reader, position)) continue
        // It may be further by now: then there is something behind the position.
        if (head !== undefined && !head.isOver && readerAt(position) === undefined) continue
      }
      isAtHead = true
      yield* (readerAt(position) ?? startAt(position)).next()
    }
  })

  const stop = (): void => {
    head?.stop()
    head = undefined
    pages.clear()
  }

  return { pageBehind, stop }
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const log = yield* EventStore
  const { pageBehind, stop } = makePageBehind({
    log,
    share: yield* ReadShare,
    pages: new FeedPages(bounds.feedBytes),
    fork: yield* FiberSet.makeRuntime<never, void, never>()
  })
  const { ownPlace, place } = makeFeedPlaces(bounds, stop)

  const pagesBehind = Effect.fnUntraced(function* (reader: string, after: bigint) {
    const head = yield* log.head
    if (after > head.position) return yield* new PositionGone({ position: after, head: head.position })
    return Stream.unfold(after, (position) =>
      Effect.map(pageBehind(reader, position), (page) => [page, page.last] as const)
    )
  })

  return LogFeed.of({
    open: (after) => Effect.flatMap(Reader, (reader) => Effect.andThen(place(reader), pagesBehind(reader, after))),
    openOwn: (after) => Effect.flatMap(Reader, (reader) => Effect.andThen(ownPlace, pagesBehind(reader, after)))
  })
})
