/**
 * Following the log on KurrentDB: pages, which are many times as fast as a
 * subscription, until the end of the log is near, then a subscription, which is
 * there within a millisecond; and pages again when it breaks off or falls behind.
 *
 * Each starts behind the last event that was handed on, and what does not lie behind
 * it is left out, so nothing is lost or doubled at the seam.
 */
import { type AllStreamSubscription, streamNameFilter } from "@kurrent/kurrentdb-client"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { EventStore, PositionedEvent } from "../EventStore.ts"
import type { KurrentConnection } from "./Connection.ts"
import type { KurrentHead } from "./Head.ts"
import { isPlace } from "./Log.ts"
import type { KurrentNames } from "./Names.ts"
import { atOffset } from "./Position.ts"
import { type KurrentRecord, positionedOf } from "./Records.ts"
import { type EventUnreadable, PositionGone, type StoreUnavailable } from "../StoreError.ts"

/** Events. */
const pageSize = 1_000

/** Events that a subscription may be ahead of its reader; then pages are faster. */
const subscriptionBuffer = 2_000

/** Events that the server passes over before it says where it is; we do not need to know. */
const searchWindow = 10_000

/** A subscription that breaks off at once is not opened again faster than this; pages are read meanwhile. */
const subscriptionPause = "250 millis"

/** 100 ms, doubling, at most 2 s, for ever: a log that is away comes back. */
const whileAway = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]).pipe(
  Schedule.jittered
)

/** An unavailable log is waited for; any other failure is an answer. */
const patiently = <A, E extends { readonly _tag: string }>(
  read: Effect.Effect<A, E>
): Effect.Effect<A, Exclude<E, StoreUnavailable>> =>
  Effect.retry(read, { schedule: whileAway, while: (error) => error._tag === "StoreUnavailable" }) as Effect.Effect<
    A,
    // The schedule has no end, so this failure never comes out.
    Exclude<E, StoreUnavailable>
  >

/** The events of the records that lie behind `position`. */
const eventsOf = (
  names: KurrentNames,
  records: ReadonlyArray<KurrentRecord>,
  position: bigint
): Result.Result<ReadonlyArray<PositionedEvent>, EventUnreadable> =>
  Result.map(Result.all(records.map((record) => positionedOf(names, record, position))), (events) =>
    events.filter((event) => event !== undefined)
  )

/** What has come by a subscription since it was last asked. */
interface Arrived {
  readonly records: ReadonlyArray<KurrentRecord>
  /** `undefined`: it goes on. */
  readonly ended: "behind" | "broken" | undefined
}

/** A subscription's events, gathered until somebody takes them. */
class Live {
  readonly #subscription: AllStreamSubscription
  #records: Array<KurrentRecord> = []
  #ended: Arrived["ended"]
  #wake: (() => void) | undefined

  constructor(subscription: AllStreamSubscription) {
    this.#subscription = subscription
    subscription.on("data", ({ event }) => {
      if (event === undefined || this.#ended !== undefined) return
      this.#records.push(event)
      if (this.#records.length >= subscriptionBuffer) this.#end("behind")
      this.#wake?.()
    })
    subscription.on("fellBehind", () => this.#end("behind"))
    subscription.on("end", () => this.#end("broken"))
    // Stays on after the end: an error that nobody listens to would end the process.
    subscription.on("error", () => this.#end("broken"))
  }

  /** Waits for the next events or the end. */
  readonly take: Effect.Effect<Arrived> = Effect.callback((resume) => {
    const give = () => {
      if (this.#records.length === 0 && this.#ended === undefined) return
      this.#wake = undefined
      const records = this.#records
      this.#records = []
      resume(Effect.succeed({ records, ended: this.#ended }))
    }
    this.#wake = give
    give()
    return Effect.sync(() => {
      this.#wake = undefined
    })
  })

  #end(how: "behind" | "broken"): void {
    if (this.#ended !== undefined) return
    this.#ended = how
    this.close()
    this.#wake?.()
  }

  close(): void {
    // Fails when the connection has never stood; then there is nothing to cancel.
    this.#subscription.unsubscribe().catch(() => undefined)
  }
}

export const make = (
  connection: KurrentConnection,
  names: KurrentNames,
  readAll: EventStore["Service"]["readAll"],
  head: KurrentHead
): EventStore["Service"]["follow"] => {
  const subscribe = (position: bigint): Live =>
    new Live(
      connection.client().subscribeToAll({
        fromPosition: atOffset(head.offsetBehind(position)),
        requiresLeader: true,
        filter: streamNameFilter({
          prefixes: [names.wallets],
          maxSearchWindow: searchWindow,
          checkpointInterval: 1_000
        })
      })
    )

  const gone = (position: bigint) =>
    Effect.flatMap(patiently(head.lastPosition), (last) => Effect.fail(new PositionGone({ position, head: last })))

  /** Fails when this log has not reached the position: it may be another one by now. */
  const reached = (position: bigint) =>
    Effect.flatMap(patiently(head.lastPosition), (last) => (position > last ? gone(position) : Effect.void))

  return (after) =>
    Stream.unwrap(
      Effect.gen(function* () {
        let position = after
        let live: Live | undefined
        yield* Effect.addFinalizer(() => Effect.sync(() => live?.close()))
        yield* reached(after)
        if (!(yield* patiently(isPlace(connection, after)))) return yield* gone(after)

        const nextPage = Effect.gen(function* () {
          const page = yield* patiently(readAll({ after: position, limit: pageSize }))
          if (page.length < pageSize) live = subscribe(page.at(-1)?.position ?? position)
          return page
        })

        const arrived = Effect.fnUntraced(function* (from: Live) {
          const { ended, records } = yield* from.take
          if (ended !== undefined) live = undefined
          if (ended === "broken" && records.length === 0) {
            yield* Effect.sleep(subscriptionPause)
            yield* reached(position)
          }
          return yield* Effect.fromResult(eventsOf(names, records, position))
        })

        const next = Effect.gen(function* () {
          while (true) {
            const events = yield* live === undefined ? nextPage : arrived(live)
            const last = events.at(-1)
            if (last === undefined) continue
            position = last.position
            return events
          }
        })
        return Stream.fromEffectRepeat(next)
      })
    )
}
