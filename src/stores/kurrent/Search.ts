/**
 * Reads of the whole log that may take long: an installation shares its server, and
 * between two of its events there can be millions of others', which the server has
 * to pass over (about 300,000 a second).
 *
 * A search that outlives its caller's patience goes on, and what it finds out is kept:
 * who asks again waits for that one, and then begins behind what is known.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { logUnavailable } from "./Failure.ts"
import type { StoreUnavailable } from "../StoreError.ts"

/** A search ends by itself after this, milliseconds: the client cannot tell a long one from a lost one. */
const searchMillis = 300_000

/** Searches that nobody waits for any longer, at most. */
const maxAbandoned = 16

export interface KurrentSearch {
  /** `key`: what is searched for; `search` must keep what it finds out, apart from answering it. */
  readonly run: <A, E>(key: string, search: Effect.Effect<A, E>) => Effect.Effect<A, E | StoreUnavailable>
}

/** `limitMillis`: the patience of a caller. */
export const make = Effect.fnUntraced(function* (
  limitMillis: number
): Effect.fn.Return<KurrentSearch, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const abandoned = new Map<string, Fiber.Fiber<unknown, unknown>>()

  const tooLong = (millis: number) => Effect.fail(logUnavailable(`no answer within ${millis} ms`))

  const run: KurrentSearch["run"] = Effect.fnUntraced(function* (key, search) {
    const startedAt = clock.currentTimeMillisUnsafe()
    const left = () => Math.max(0, limitMillis - (clock.currentTimeMillisUnsafe() - startedAt))
    const earlier = abandoned.get(key)
    if (earlier !== undefined) {
      // Its answer may be older than this question; what it has found out is not lost.
      yield* Effect.timeoutOrElse(Fiber.await(earlier), { duration: left(), orElse: () => tooLong(limitMillis) })
    }
    const bounded = Effect.timeoutOrElse(search, { duration: searchMillis, orElse: () => tooLong(searchMillis) })
    const fiber = yield* Effect.forkIn(bounded, scope, { startImmediately: true })
    const abandon = Effect.suspend(() => {
      if (abandoned.size >= maxAbandoned)
        return Effect.andThen(Effect.forkIn(Fiber.interrupt(fiber), scope), tooLong(limitMillis))
      abandoned.set(key, fiber)
      fiber.addObserver(() => {
        if (abandoned.get(key) === fiber) abandoned.delete(key)
      })
      return tooLong(limitMillis)
    })
    return yield* Effect.timeoutOrElse(Fiber.join(fiber), { duration: left(), orElse: () => abandon })
  })

  return { run }
})
