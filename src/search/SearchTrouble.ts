/**
 * What stands in the way of search: outages, which are waited for and told once each with what was
 * caught up afterwards, and reasons for which search is off.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { type ReadError, StoreUnavailable } from "../stores/StoreError.ts"
import type { StoreOutages } from "../stores/StoreOutages.ts"
import * as SearchMetrics from "./SearchMetrics.ts"

/** Among those who ask the same stores. */
const asker = "the search index's writer"

/** 100 ms, doubling, at most 2 s, for ever. */
const whileAway = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]).pipe(
  Schedule.jittered
)

export class SearchTrouble {
  readonly #outages: StoreOutages["Service"]
  readonly #clock: Clock.Clock
  /** Events that this node has written, ever. */
  readonly #written: () => number
  /** Calls that have failed and are tried again. */
  readonly #failing = new Map<object, ReadError>()
  /** Why nothing is written; `undefined`: it is tried. */
  #off: string | undefined
  /** An outage was told of, or that search is off, and not yet that it is over. */
  #isTold = false
  /** Events written when it began. */
  #eventsBefore = 0
  /** Stands for the looks at the index among the calls. */
  readonly #looks = {}

  constructor(outages: StoreOutages["Service"], clock: Clock.Clock, written: () => number) {
    this.#outages = outages
    this.#clock = clock
    this.#written = written
  }

  /** For people; `undefined`: there is nothing. */
  get line(): string | undefined {
    if (this.#off !== undefined) return this.place(this.#off)
    for (const { reason, store } of this.#failing.values()) return this.#outages.of(store).line(reason)
    return undefined
  }

  /** The cause, with the index's address. */
  place(reason: string): string {
    return this.#outages.of("readModel").line(reason)
  }

  /** Waits while the store is away. */
  patiently<A, E, R>(
    call: Effect.Effect<A, E | StoreUnavailable, R>
  ): Effect.Effect<A, Exclude<E, StoreUnavailable>, R> {
    const name = {}
    return this.#timed(call, (error, millis) =>
      error instanceof StoreUnavailable ? this.#failed(name, error, millis) : Effect.void
    ).pipe(
      Effect.retry({ schedule: whileAway, while: (error) => error instanceof StoreUnavailable }),
      Effect.ensuring(Effect.suspend(() => this.#ended(name)))
    ) as Effect.Effect<A, Exclude<E, StoreUnavailable>, R>
  }

  /** A look at the index, or at what is needed for it: that it fails is told as an outage, until one passes. */
  look<A>(look: Effect.Effect<A, ReadError>): Effect.Effect<A, ReadError> {
    return this.#timed(look, (error, millis) => this.#failed(this.#looks, error, millis)).pipe(
      Effect.tap(() => this.#ended(this.#looks))
    )
  }

  /** Tells of a failure how long the call has taken, ms: for so long the store is away at least. */
  #timed<A, E, R>(call: Effect.Effect<A, E, R>, failed: (error: E, millis: number) => Effect.Effect<void>) {
    const now = () => Number(this.#clock.monotonicTimeNanosUnsafe() / 1_000_000n)
    return Effect.suspend(() => {
      const begun = now()
      return Effect.tapError(call, (error) => failed(error, now() - begun))
    })
  }

  #failed(name: object, error: ReadError, millis: number): Effect.Effect<void> {
    this.#failing.set(name, error)
    const told =
      error.store === "readModel"
        ? this.#tell(error.reason, millis)
        : this.#outages.of(error.store).failed(asker, error.reason)
    return Effect.andThen(Metric.update(SearchMetrics.retries, 1), told)
  }

  /** Of the other stores others tell, too; of the index only this, when it has caught up. */
  #ended(name: object): Effect.Effect<void> {
    const failed = this.#failing.get(name)
    if (failed === undefined) return Effect.void
    this.#failing.delete(name)
    return failed.store === "readModel" ? Effect.void : this.#outages.of(failed.store).answered(asker)
  }

  #tell(reason: string, millis: number): Effect.Effect<void> {
    if (!this.#isTold) this.#eventsBefore = this.#written()
    this.#isTold = true
    const meanwhile = "search is not kept up meanwhile; told again when it has caught up"
    return Effect.asVoid(this.#outages.of("readModel").failed(asker, reason, meanwhile, millis))
  }

  /** Nothing can be written for now. */
  off(reason: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#off = reason
      return this.#tell(reason, 0)
    })
  }

  /** It is tried again. */
  on(): void {
    this.#off = undefined
  }

  /** Nothing is in the way any more. `and`: what else there is to tell, of the number of events written since it began. */
  over(and?: (events: number) => string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#isTold || this.#failing.size > 0 || this.#off !== undefined) return Effect.void
      this.#isTold = false
      return this.#outages.of("readModel").answered(asker, and?.(this.#written() - this.#eventsBefore))
    })
  }

  /** All that the log has is written. */
  readonly caughtUp: Effect.Effect<void> = Effect.suspend(() =>
    this.over((events) => `search has caught up with ${events} events`)
  )

  /** It is for another node to write from now on. */
  readonly left: Effect.Effect<void> = Effect.suspend(() => {
    const isTold = this.#isTold
    this.#failing.clear()
    this.#off = undefined
    this.#isTold = false
    this.#outages.of("readModel").left(asker)
    return isTold ? Effect.logInfo(this.place("it is for another node to write search now")) : Effect.void
  })
}
