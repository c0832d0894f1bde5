/**
 * `EventStore.follow` for a log that can be asked but does not call: pages as fast
 * as they come, then a look every 50 ms.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { EventStore } from "./EventStore.ts"
import { PositionGone, type ReadError } from "./StoreError.ts"

/** Events. */
const pageSize = 500

/** What a follower waits at most to hear of a new event. */
const pollInterval = "50 millis"

/** 100 ms, doubling, at most 2 s, for ever: a log that is away comes back. */
const whileAway = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]).pipe(
  Schedule.jittered
)

/** An unavailable log is waited for; any other failure is an answer. */
const patiently = <A, E extends { readonly _tag: string }>(
  read: Effect.Effect<A, E | ReadError>
): Effect.Effect<A, Exclude<E | ReadError, { readonly _tag: "StoreUnavailable" }>> =>
  Effect.retry(read, {
    schedule: whileAway,
    while: (error) => error._tag === "StoreUnavailable"
  }) as Effect.Effect<A, Exclude<E | ReadError, { readonly _tag: "StoreUnavailable" }>>

/** Fails with `PositionGone` at once when the log has not reached `after`. */
export const followByPages =
  (log: Pick<EventStore["Service"], "head" | "readAll">): EventStore["Service"]["follow"] =>
  (after) => {
    const check = Effect.flatMap(patiently(log.head), ({ position }) =>
      after > position ? Effect.fail(new PositionGone({ position: after, head: position })) : Effect.succeed(after)
    )
    const nextPage = Effect.fnUntraced(function* (from: bigint) {
      const read = patiently(log.readAll({ after: from, limit: pageSize }))
      let page = yield* read
      while (page.length === 0) {
        yield* Effect.sleep(pollInterval)
        page = yield* read
      }
      return [page, page[page.length - 1]!.position] as const
    })
    return Stream.unwrap(Effect.map(check, (from) => Stream.unfold(from, nextPage)))
  }
