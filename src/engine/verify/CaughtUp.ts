/** Waits for an index that follows the log. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { IndexSet } from "../../stores/SearchIndex.ts"
import type { ReadError } from "../../stores/StoreError.ts"

const pollMillis = 50

/** Until all events up to the position are in the set; `false`: it has stood still for `patienceMillis`. */
export const catchUp = Effect.fnUntraced(function* (
  set: IndexSet,
  position: bigint,
  patienceMillis: number
): Effect.fn.Return<boolean, ReadError> {
  let at = yield* set.checkpoint
  let deadline = (yield* Clock.currentTimeMillis) + patienceMillis
  while (at < position) {
    if ((yield* Clock.currentTimeMillis) >= deadline) return false
    yield* Effect.sleep(pollMillis)
    const now = yield* set.checkpoint
    if (now > at) deadline = (yield* Clock.currentTimeMillis) + patienceMillis
    at = now
  }
  return true
})
