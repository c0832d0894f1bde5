/**
 * Outages of the stores, told once each: a warning when a store is first found away, with
 * its address and the cause, and a line when it is back, with how long that took and how
 * many tries had failed. Many ask the same store, and each finds out by itself; here they
 * are one outage, which is over when all who were turned away have been served again.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoreName } from "./StoreError.ts"

const nanosPerMilli = 1_000_000n

const inWords = (millis: number): string => (millis < 10_000 ? `${millis} ms` : `${Math.round(millis / 1_000)} s`)

/** One thing that others depend on: there, or away. */
export class Outage {
  /** Its name and address. */
  readonly place: string
  readonly #clock: Clock.Clock
  /** Who was turned away and has not been served since. */
  readonly #askers = new Set<string>()
  #since = 0n
  #lastFailure = 0n
  #failures = 0

  constructor(place: string, clock: Clock.Clock) {
    this.place = place
    this.#clock = clock
  }

  get isOn(): boolean {
    return this.#askers.size > 0
  }

  /** Milliseconds since a try failed. */
  get quietMillis(): number {
    return Number((this.#clock.monotonicTimeNanosUnsafe() - this.#lastFailure) / nanosPerMilli)
  }

  /** The place and the cause, in one line. A cause that begins with the place's address goes on from there. */
  line(reason: string): string {
    if (reason.includes(this.place)) return reason
    const address = / at (.+)$/.exec(this.place)?.[1]
    return address !== undefined && reason.startsWith(address)
      ? `${this.place}${reason.slice(address.length)}`
      : `${this.place}: ${reason}`
  }

  /** `asker`: who was not served; `tookMillis`: and has waited so long for it. Answers whether this is the beginning. */
  readonly failed = (
    asker: string,
    reason: string,
    meanwhile = "told again when it is back",
    tookMillis = 0
  ): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const begins = !this.isOn
      this.#askers.add(asker)
      this.#lastFailure = this.#clock.monotonicTimeNanosUnsafe()
      this.#failures++
      if (!begins) return Effect.succeed(false)
      this.#since = this.#lastFailure - BigInt(Math.round(tookMillis)) * nanosPerMilli
      return Effect.as(Effect.logWarning(`${this.line(reason)}; ${meanwhile}`), true)
    })

  /** `and`: what else there is to tell when it is over. */
  readonly answered = (asker: string, and?: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (!this.#askers.delete(asker) || this.isOn) return Effect.void
      const millis = Number((this.#clock.monotonicTimeNanosUnsafe() - this.#since) / nanosPerMilli)
      const failures = this.#failures
      this.#failures = 0
      const tries = `${failures} failed ${failures === 1 ? "try" : "tries"}`
      const more = and === undefined ? "" : `; ${and}`
      return Effect.logInfo(`${this.place} is back, after ${inWords(millis)} and ${tries}${more}`)
    })

  /** It asks no more: whether the store is back is told by the others, or by nobody. */
  left(asker: string): void {
    if (this.#askers.delete(asker) && !this.isOn) this.#failures = 0
  }
}

/** Where each store is, in words for people; what is left out is called by its name. */
export type StorePlaces = Readonly<Partial<Record<StoreName, string>>>

export class StoreOutages extends Context.Service<
  StoreOutages,
  {
    /** Stores in one place are away together. */
    readonly of: (store: StoreName) => Outage
    /** Whether any of them is away: what fails or takes too long meanwhile is no news. */
    readonly isAnyOn: () => boolean
  }
>()("effect-wallet/stores/StoreOutages") {
  static readonly layer = (places: StorePlaces): Layer.Layer<StoreOutages> =>
    Layer.effect(
      StoreOutages,
      Effect.map(Clock.Clock, (clock) => make(places, clock))
    )

  /** Those in context; without any, a caller's own. */
  static readonly current: Effect.Effect<StoreOutages["Service"]> = Effect.gen(function* () {
    const known = yield* Effect.serviceOption(StoreOutages)
    return known._tag === "Some" ? known.value : make({}, yield* Clock.Clock)
  })
}

const make = (places: StorePlaces, clock: Clock.Clock): StoreOutages["Service"] => {
  const outages = new Map<string, Outage>()
  return StoreOutages.of({
    of: (store) => {
      const place = places[store] ?? `the ${store} store`
      let outage = outages.get(place)
      if (outage === undefined) outages.set(place, (outage = new Outage(place, clock)))
      return outage
    },
    isAnyOn: () => {
      for (const { isOn } of outages.values()) if (isOn) return true
      return false
    }
  })
}
