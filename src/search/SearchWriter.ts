/**
 * Who writes the search index, and when. Of all nodes it is the owner of partition 0; a second one
 * for a moment does no harm, since documents carry versions. It opens the index, follows the log
 * from its checkpoint, and begins anew when something is wrong with the index itself: money does
 * not notice.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Ownership } from "../actors/Ownership.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { SearchIndex } from "../stores/SearchIndex.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../stores/StoreError.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import { type Follower, makeFollower } from "./Follower.ts"
import { defaultSearchBounds, type SearchBounds } from "./SearchBounds.ts"
import * as SearchMetrics from "./SearchMetrics.ts"
import { SearchProgress } from "./SearchProgress.ts"
import { SearchRounds } from "./SearchRounds.ts"
import { SearchTrouble } from "./SearchTrouble.ts"

/** Between two looks at lag and dead letters, ms. */
const gaugeMillis = 2_000

/** Of an event that is not written after this the index itself is asked why, ms: a request to it may wait for longer. */
const lateMillis = 5_000

/** A follower that has gone on for so long has begun well: the next pause is the first again, ms. */
const wellMillis = 60_000

export interface SearchWriterOptions {
  readonly bounds?: Partial<SearchBounds> | undefined
}

/** What has been found out about an index that is there. */
interface Opened {
  readonly outdated: string | undefined
  readonly from: bigint
}

class SearchWriter {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly index: SearchIndex["Service"]
  readonly ownership: Ownership["Service"]
  readonly bounds: SearchBounds
  readonly clock: Clock.Clock
  readonly trouble: SearchTrouble
  /** `undefined`: this node does not write now. */
  follower: Follower | undefined
  outdated: string | undefined
  deadLetters = 0
  /** Events of the follower that the metric has. */
  #counted = 0
  /** The index was ours, and not ahead of its log, at the last look. */
  #isFit = false
  /** Why it is not, or could not be asked; `undefined`: it is, or was not asked. */
  #away: string | undefined

  constructor(
    stores: Pick<SearchWriter, "log" | "persistence" | "index" | "ownership">,
    bounds: SearchBounds,
    clock: Clock.Clock,
    outages: StoreOutages["Service"]
  ) {
    this.log = stores.log
    this.persistence = stores.persistence
    this.index = stores.index
    this.ownership = stores.ownership
    this.bounds = bounds
    this.clock = clock
    this.trouble = new SearchTrouble(outages)
  }

  get isOwner(): boolean {
    return this.ownership.epochOf(0) !== undefined
  }

  get written(): number {
    return this.follower?.places.events ?? 0
  }

  /** For ever: writes while this node is the one to write. */
  get run(): Effect.Effect<never> {
    const turn = Effect.suspend(() => (this.isOwner ? this.#writeWhileOwner : Effect.sleep(this.bounds.ownerMillis)))
    return Effect.forever(turn)
  }

  get #writeWhileOwner(): Effect.Effect<void> {
    const untilLost: Effect.Effect<void> = Effect.suspend(() =>
      this.isOwner ? Effect.andThen(Effect.sleep(this.bounds.ownerMillis), untilLost) : Effect.void
    )
    return Effect.raceFirst(this.#writeAgain, untilLost).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          this.follower = undefined
          this.trouble.left()
        })
      )
    )
  }

  readonly #writeAgain = Effect.gen({ self: this }, function* () {
    const { bounds, clock, trouble } = this
    let pause = bounds.reopenMillis
    for (;;) {
      const startedAt = clock.currentTimeMillisUnsafe()
      const failure = yield* Effect.flip(outlivesDefects(this.#write))
      yield* trouble.off(reasonOf(failure), this.written)
      this.follower = undefined
      if (clock.currentTimeMillisUnsafe() - startedAt > wellMillis) pause = bounds.reopenMillis
      yield* Effect.sleep(pause)
      pause = Math.min(2 * pause, bounds.reopenAtMostMillis)
    }
  })

  readonly #write = Effect.gen({ self: this }, function* () {
    const { bounds, clock, index, log, persistence, trouble } = this
    const { from, outdated } = yield* this.open
    this.outdated = outdated
    trouble.on()
    const context = {
      log,
      persistence,
      set: index.current,
      bounds,
      clock,
      trouble,
      hasLetters: () => this.deadLetters > 0,
      lettersChanged: this.countLetters
    }
    this.#counted = 0
    this.follower = yield* makeFollower(context, from)
    yield* this.countLetters
    yield* Effect.logInfo(`this node writes the search index, from position ${from} of the log`)
    return yield* this.follower.run
  })

  readonly open = Effect.gen({ self: this }, function* (): Effect.fn.Return<Opened, ReadError> {
    const { index, log } = this
    const state = yield* index.open((yield* log.head).logId)
    if (state._tag === "Foreign" || state._tag === "Unfit") return yield* fault(state.reason)
    const from = yield* index.current.checkpoint
    // Another node may write meanwhile: the head is read last.
    const head = yield* log.head
    if (from > head.position) {
      return yield* fault(
        `the search index is ahead of the log, which was put back to an earlier copy: ${from} is beyond ` +
          `${head.position}; make it anew with "wallet replay --target readModel"`
      )
    }
    return { from, outdated: state._tag === "Outdated" ? state.reason : undefined }
  })

  readonly countLetters = Effect.suspend(() =>
    Effect.matchEffect(this.persistence.countDeadLetters, {
      onSuccess: (count) => {
        this.deadLetters = count
        return Metric.update(SearchMetrics.deadLetters, count)
      },
      // Persistence's own outages are told elsewhere; the next look finds the number.
      onFailure: () => Effect.void
    })
  )

  /** The gauges, for ever. */
  get gauging(): Effect.Effect<never> {
    const look = Effect.gen({ self: this }, function* () {
      yield* this.countLetters
      const { follower } = this
      if (!this.isOwner || (follower !== undefined && follower.lagMillis > lateMillis)) yield* this.askIndex
      else this.#away = undefined
      if (follower !== undefined && this.outdated !== undefined) yield* this.lookAgain
      yield* Metric.update(SearchMetrics.isWriting, follower === undefined ? 0 : 1)
      if (follower === undefined) return
      const head = yield* Effect.option(this.log.head)
      const indexed = follower.places.events
      yield* Metric.update(SearchMetrics.indexedEvents, Math.max(0, indexed - this.#counted))
      this.#counted = indexed
      const unread =
        follower.isUpToDate || Option.isNone(head) ? 0 : Number(head.value.position - follower.places.written)
      yield* Metric.update(SearchMetrics.lagEvents, Math.max(0, unread) + follower.behind.size)
      yield* Metric.update(SearchMetrics.lagSeconds, follower.lagMillis / 1_000)
    })
    return Effect.forever(
      Effect.andThen(
        Effect.catchDefect(look, (defect) => Effect.logError("the search index could not be looked at", defect)),
        Effect.sleep(gaugeMillis)
      )
    )
  }

  /** A rebuild may have put another set in its place meanwhile, from whatever process. */
  readonly lookAgain = Effect.suspend(() =>
    Effect.matchEffect(
      Effect.flatMap(this.log.head, ({ logId }) => this.index.open(logId)),
      {
        onSuccess: (state) => {
          this.outdated = state._tag === "Outdated" ? state.reason : undefined
          return Effect.void
        },
        // The follower meets it, too, and tells.
        onFailure: () => Effect.void
      }
    )
  )

  /** Another node writes, and here searches need the index all the same; or what this one writes is not answered. */
  readonly askIndex = Effect.suspend(() =>
    Effect.matchEffect(this.open, {
      onSuccess: () => {
        this.#isFit = true
        this.#away = undefined
        return Effect.void
      },
      onFailure: ({ reason }) => {
        this.#isFit = false
        this.#away = this.trouble.place(reason)
        return Effect.void
      }
    })
  )

  get troubleLine(): string | undefined {
    return this.trouble.line ?? this.#away
  }

  // --- For those who wait ----------------------------------------------------

  /** By this node's own follower, or by the checkpoint of another's. */
  reached(position: bigint): Effect.Effect<void> {
    const { follower } = this
    if (follower === undefined) {
      // Who is to write and does not has no index to go by; and nobody has one that was not looked at.
      if (this.isOwner || !this.#isFit) {
        return Effect.andThen(Effect.sleep(this.bounds.reopenMillis), this.#reachedLater(position))
      }
      return Effect.flatMap(this.patiently(this.index.current.checkpoint), (checkpoint) =>
        checkpoint >= position
          ? Effect.void
          : Effect.andThen(Effect.sleep(this.bounds.refreshMillis), this.#reachedLater(position))
      )
    }
    const { moved } = follower.places
    if (follower.places.written >= position) return Effect.void
    // The follower may end meanwhile.
    const news = Effect.raceFirst(moved, Effect.sleep(this.bounds.ownerMillis))
    return Effect.andThen(follower.hurry, Effect.andThen(news, this.#reachedLater(position)))
  }

  #reachedLater(position: bigint): Effect.Effect<void> {
    return Effect.suspend(() => this.reached(position))
  }

  /** A store that fails is asked again for as long as somebody waits. */
  patiently<A>(call: Effect.Effect<A, ReadError>): Effect.Effect<A> {
    return Effect.catch(call, () =>
      Effect.andThen(
        Effect.sleep(this.bounds.reopenMillis),
        Effect.suspend(() => this.patiently(call))
      )
    )
  }
}

const fault = (reason: string) => Effect.fail(new StoreDefect({ store: "readModel", reason }))

/** What a store throws, or a defect of ours, must not end the writing for good. */
const outlivesDefects = <A, E>(write: Effect.Effect<A, E>): Effect.Effect<A, E | StoreDefect> =>
  Effect.catchDefect(write, (defect) => fault(String(defect)))

const reasonOf = (failure: ReadError | EventUnreadable): string =>
  failure._tag === "EventUnreadable" ? failure.message : failure.reason

const make = Effect.fnUntraced(function* (
  index: SearchIndex["Service"],
  options: SearchWriterOptions
): Effect.fn.Return<SearchProgress["Service"], never, EventStore | Persistence | Ownership | Scope.Scope> {
  const stores = { log: yield* EventStore, persistence: yield* Persistence, ownership: yield* Ownership, index }
  const bounds = { ...defaultSearchBounds, ...options.bounds }
  const writer = new SearchWriter(stores, bounds, yield* Clock.Clock, yield* StoreOutages.current)
  const rounds = new SearchRounds({
    head: Effect.map(writer.patiently(stores.log.head), ({ position }) => position),
    reached: (position) => writer.reached(position),
    isBehind: (walletId) => writer.follower?.behind.has(walletId) ?? false,
    refresh: writer.patiently(index.current.refresh),
    pauseMillis: bounds.refreshMillis
  })
  yield* Effect.forkScoped(writer.run)
  yield* Effect.forkScoped(writer.gauging)
  yield* Effect.forkScoped(rounds.run)
  return SearchProgress.of({
    index: {
      shows: (walletIds) => rounds.shows(walletIds),
      load: () => ({
        isWriter: writer.follower !== undefined,
        trouble: writer.troubleLine,
        outdated: writer.outdated,
        lagMillis: writer.follower?.lagMillis ?? 0,
        deadLetters: writer.deadLetters
      })
    }
  })
})

/** Where the stores have an index of search's own it is written; else search reads the rows. */
export const layer = (options: SearchWriterOptions = {}) =>
  Layer.effect(
    SearchProgress,
    Effect.flatMap(Effect.serviceOption(SearchIndex), (index) =>
      Option.isNone(index) ? Effect.succeed(SearchProgress.none) : make(index.value, options)
    )
  )
