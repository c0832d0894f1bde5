/**
 * Who writes the search index, and when. Of all nodes it is the owner of partition 0; a second one
 * for a moment does no harm, since documents carry versions. It opens the index, follows the log
 * from its checkpoint, and begins anew when something is wrong with the index itself: money does
 * not notice.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Ownership } from "../actors/Ownership.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { SearchIndex } from "../stores/SearchIndex.ts"
import { type EventUnreadable, type ReadError, StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import { type Follower, makeFollower } from "./Follower.ts"
import { placeOf, type SetPlace } from "./LogHistory.ts"
import { defaultSearchBounds, type SearchBounds } from "./SearchBounds.ts"
import * as SearchMetrics from "./SearchMetrics.ts"
import { SearchProgress } from "./SearchProgress.ts"
import { SearchRounds } from "./SearchRounds.ts"
import { SearchTrouble } from "./SearchTrouble.ts"

/** Before the first look has ended. */
const notLookedAt = "it is not known yet whose the search index is"

/** A follower that has gone on for so long has begun well: the next pause is the first again, ms. */
const wellMillis = 60_000

export interface SearchWriterOptions {
  readonly bounds?: Partial<SearchBounds> | undefined
}

/** What has been found out about an index that is there. */
interface Opened extends SetPlace {
  readonly outdated: string | undefined
}

/** How far the index is behind the log. */
interface Lag {
  /** Positions. */
  readonly events: number
  /** Age of the first event that it lacks, ms. */
  readonly millis: number
}

const noLag: Lag = { events: 0, millis: 0 }

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
  /** Events that earlier followers have written. */
  #writtenBefore = 0
  /** Events that the metric has. */
  #counted = 0
  /** That this node writes has been told since it does. */
  #isAnnounced = false
  /** The set's checkpoint when it was last seen; `undefined`: it never was. */
  #seen: bigint | undefined
  /** While this node has no follower. */
  #lag = noLag
  /** Open: a search has failed, and the index is to be looked at now. */
  readonly #suspected = Latch.makeUnsafe(false)
  /** Why it may not be read: at the last look it was not ours, was ahead of its log or could not be asked; `undefined`: it may. */
  #unfit: string | undefined = notLookedAt
  /** Fails when it is found to be unfit while it is being written. */
  #found = Deferred.makeUnsafe<never, StoreDefect>()

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
    this.trouble = new SearchTrouble(outages, clock, () => this.written)
  }

  get isOwner(): boolean {
    return this.ownership.epochOf(0) !== undefined
  }

  /** Events, ever. */
  get written(): number {
    return this.#writtenBefore + (this.follower?.places.events ?? 0)
  }

  #endFollower(): void {
    this.#writtenBefore = this.written
    this.follower = undefined
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
    return Effect.suspend(() => {
      this.#isAnnounced = false
      return Effect.raceFirst(this.#writeAgain, untilLost)
    }).pipe(Effect.ensuring(Effect.sync(() => this.#endFollower())), Effect.andThen(this.trouble.left))
  }

  readonly #writeAgain = Effect.gen({ self: this }, function* () {
    const { bounds, clock, trouble } = this
    let pause = bounds.reopenMillis
    for (;;) {
      const startedAt = clock.currentTimeMillisUnsafe()
      const failure = yield* Effect.flip(outlivesDefects(this.#write))
      yield* trouble.off(reasonOf(failure))
      this.#endFollower()
      if (clock.currentTimeMillisUnsafe() - startedAt > wellMillis) pause = bounds.reopenMillis
      yield* Effect.sleep(pause)
      pause = Math.min(2 * pause, bounds.reopenAtMostMillis)
    }
  })

  readonly #write = Effect.gen({ self: this }, function* () {
    const { bounds, clock, index, log, persistence, trouble } = this
    const found = Deferred.makeUnsafe<never, StoreDefect>()
    this.#found = found
    const place = yield* this.open
    trouble.on()
    const context = {
      log,
      persistence,
      set: index.current,
      bounds,
      clock,
      trouble,
      letters: () => this.deadLetters,
      lettersChanged: this.countLetters,
      arrived: this.#announce(place.checkpoint)
    }
    this.follower = yield* makeFollower(context, place)
    yield* this.countLetters
    return yield* Effect.raceFirst(this.follower.run, Deferred.await(found))
  })

  #announce(from: bigint): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#isAnnounced) return Effect.void
      this.#isAnnounced = true
      return Effect.logInfo(`this node writes the search index, from position ${from} of the log`)
    })
  }

  /** Looks whose the index is and how far, and keeps what is found: whether it may be read. */
  readonly open = Effect.suspend(() =>
    this.trouble.look(this.#opened).pipe(
      Effect.tap(({ checkpoint, outdated }) =>
        Effect.sync(() => {
          this.#unfit = undefined
          this.outdated = outdated
          this.#seen = checkpoint
        })
      ),
      Effect.tapError((error) =>
        Effect.sync(() => {
          this.#unfit = error.reason
          if (error._tag === "StoreDefect") Deferred.doneUnsafe(this.#found, Effect.fail(error))
        })
      )
    )
  )

  readonly #opened = Effect.gen({ self: this }, function* (): Effect.fn.Return<Opened, ReadError> {
    const { index, log } = this
    const state = yield* index.open((yield* log.head).logId)
    if (state._tag === "Foreign" || state._tag === "Unfit") return yield* fault(state.reason)
    const place = yield* placeOf(log, index.current)
    if (place.flaw !== undefined) {
      return yield* fault(`${place.flaw}; make it anew with "wallet replay --target readModel"`)
    }
    yield* index.current.searchable
    return { ...place, outdated: state._tag === "Outdated" ? state.reason : undefined }
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

  /** The gauges, and whether the index may be read, for ever. */
  get gauging(): Effect.Effect<never> {
    const look = Effect.gen({ self: this }, function* () {
      this.#suspected.closeUnsafe()
      yield* Effect.ignore(this.open)
      // Who writes tells when it has caught up.
      if (!this.isOwner && this.#unfit === undefined) yield* this.trouble.over()
      yield* this.countLetters
      yield* Effect.andThen(this.#measure, this.#gauge)
    })
    const safeLook = Effect.catchDefect(look, (defect) =>
      Effect.logError("the search index could not be looked at", defect)
    )
    let pause = this.bounds.reopenMillis
    const nextPause = Effect.suspend(() => {
      pause = this.#unfit === undefined ? this.bounds.reopenMillis : Math.min(2 * pause, this.bounds.lookMillis)
      const next = Effect.raceFirst(
        Effect.sleep(this.#unfit === undefined ? this.bounds.lookMillis : pause),
        this.#suspected.await
      )
      return Effect.andThen(Effect.sleep(this.bounds.reopenMillis), next)
    })
    return Effect.forever(Effect.andThen(safeLook, nextPause))
  }

  /** A search has failed: it may be the first to notice. */
  readonly suspect: Effect.Effect<void> = Effect.asVoid(this.#suspected.open)

  /** By the checkpoint that was seen last, where no follower knows better. */
  readonly #measure = Effect.gen({ self: this }, function* () {
    const { follower, log } = this
    if (follower !== undefined) this.#seen = follower.checkpoint
    this.#lag = noLag
    const after = this.#seen
    if (follower !== undefined || after === undefined) return
    const head = yield* Effect.option(log.head)
    if (Option.isNone(head) || head.value.position <= after) return
    const first = Option.getOrUndefined(yield* Effect.option(log.readAll({ after, limit: 1 })))?.[0]
    const millis = first === undefined ? 0 : this.clock.currentTimeMillisUnsafe() - first.recorded.time
    this.#lag = { events: Number(head.value.position - after), millis: Math.max(0, millis) }
  })

  /** The lag is told by the node that is to write, and by no other. */
  readonly #gauge = Effect.gen({ self: this }, function* () {
    const { follower } = this
    yield* Metric.update(SearchMetrics.isWriting, follower === undefined ? 0 : 1)
    yield* Metric.update(SearchMetrics.indexedEvents, Math.max(0, this.written - this.#counted))
    this.#counted = this.written
    const lag = !this.isOwner ? noLag : follower === undefined ? this.#lag : yield* this.#lagOf(follower)
    yield* Metric.update(SearchMetrics.lagEvents, lag.events)
    yield* Metric.update(SearchMetrics.lagSeconds, lag.millis / 1_000)
  })

  readonly #lagOf = Effect.fnUntraced({ self: this }, function* (follower: Follower): Effect.fn.Return<Lag> {
    const head = yield* Effect.option(this.log.head)
    const unread =
      follower.isUpToDate || Option.isNone(head) ? 0 : Number(head.value.position - follower.places.written)
    return { events: Math.max(0, unread) + follower.behind.size, millis: follower.lagMillis }
  })

  /** Age of the oldest event that the index lacks, ms. */
  get lagMillis(): number {
    return this.follower?.lagMillis ?? this.#lag.millis
  }

  get troubleLine(): string | undefined {
    const unfit = this.#unfit === notLookedAt ? undefined : this.#unfit
    return this.trouble.line ?? (unfit === undefined ? undefined : this.trouble.place(unfit))
  }

  get refusal(): StoreUnavailable | undefined {
    return this.#unfit === undefined ? undefined : unavailable(this.#unfit)
  }

  // --- For those who wait ----------------------------------------------------

  /** By this node's own follower, or by the checkpoint of another's. */
  reached(position: bigint): Effect.Effect<void> {
    const { follower } = this
    // Who is to write and does not has no index to go by; and what may not be read shows nothing.
    if (this.#unfit !== undefined || (follower === undefined && this.isOwner)) {
      return Effect.andThen(Effect.sleep(this.bounds.reopenMillis), this.#reachedLater(position))
    }
    if (follower === undefined) {
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

/** Milliseconds: until the next look, about. */
const soonMillis = 1_000

const unavailable = (reason: string) => new StoreUnavailable({ store: "readModel", reason, retryAfter: soonMillis })

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
    refused: (walletIds) => writer.patiently(stores.persistence.refusedVersions(walletIds)),
    pauseMillis: bounds.refreshMillis
  })
  yield* SearchMetrics.begun
  yield* Effect.forkScoped(writer.run)
  yield* Effect.forkScoped(writer.gauging)
  yield* Effect.forkScoped(rounds.run)
  return SearchProgress.of({
    index: {
      shows: (walletIds, since = 0) => rounds.shows(walletIds, since),
      refusal: () => writer.refusal,
      suspect: writer.suspect,
      load: () => ({
        isWriter: writer.follower !== undefined,
        trouble: writer.troubleLine,
        outdated: writer.outdated,
        lagMillis: writer.lagMillis,
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
