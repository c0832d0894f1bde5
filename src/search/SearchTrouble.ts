/**
 * What stands in the way of the index's writer: outages, which are waited for and told once
 * each with what was caught up afterwards, and reasons for which search is off.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { StoreUnavailable } from "../stores/StoreError.ts"
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
  /** Calls that have failed and are tried again. */
  readonly #failing = new Map<object, StoreUnavailable>()
  /** Why nothing is written; `undefined`: it is tried. */
  #off: string | undefined
  /** An outage was told of, or that search is off, and not yet that it is over. */
  #isTold = false
  /** Events written when it began. */
  #eventsBefore = 0

  constructor(outages: StoreOutages["Service"]) {
    this.#outages = outages
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

  /** Waits while the store is away. `written`: how many events are written by now. */
  patiently<A, E, R>(
    call: Effect.Effect<A, E | StoreUnavailable, R>,
    written: () => number
  ): Effect.Effect<A, Exclude<E, StoreUnavailable>, R> {
    const name = {}
    return call.pipe(
      Effect.tapError((error) =>
        error instanceof StoreUnavailable ? this.#failed(name, error, written()) : Effect.void
      ),
      Effect.retry({ schedule: whileAway, while: (error) => error instanceof StoreUnavailable }),
      Effect.ensuring(Effect.suspend(() => this.#ended(name)))
    ) as Effect.Effect<A, Exclude<E, StoreUnavailable>, R>
  }

  #failed(name: object, error: StoreUnavailable, written: number): Effect.Effect<void> {
    this.#failing.set(name, error)
    const counted = Metric.update(SearchMetrics.retries, 1)
    if (error.store !== "readModel")
      return Effect.andThen(counted, this.#outages.of(error.store).failed(asker, error.reason))
    return Effect.andThen(counted, this.#tell(error.reason, written))
  }

  /** Of the other stores others tell, too; of the index only this, when it has caught up. */
  #ended(name: object): Effect.Effect<void> {
    const failed = this.#failing.get(name)
    if (failed === undefined) return Effect.void
    this.#failing.delete(name)
    return failed.store === "readModel" ? Effect.void : this.#outages.of(failed.store).answered(asker)
  }

  #tell(reason: string, written: number): Effect.Effect<void> {
    if (!this.#isTold) this.#eventsBefore = written
    this.#isTold = true
    return Effect.asVoid(
      this.#outages
        .of("readModel")
        .failed(asker, reason, "search is not kept up meanwhile; told again when it has caught up")
    )
  }

  /** Nothing can be written for now. */
  off(reason: string, written: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#off = reason
      return this.#tell(reason, written)
    })
  }

  /** It is tried again. */
  on(): void {
    this.#off = undefined
  }

  /** All that the log has is written. */
  caughtUp(written: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#isTold || this.#failing.size > 0 || this.#off !== undefined) return Effect.void
      this.#isTold = false
      return this.#outages
        .of("readModel")
        .answered(asker, `search has caught up with ${written - this.#eventsBefore} events`)
    })
  }

  /** Another node writes from now on. */
  left(): void {
    this.#failing.clear()
    this.#off = undefined
    this.#isTold = false
    this.#outages.of("readModel").left(asker)
  }
}
