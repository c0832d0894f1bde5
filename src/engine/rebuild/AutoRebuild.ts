/** An index that another release has made, with another mapping, is rebuilt by the service itself. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { EventStore } from "../../stores/EventStore.ts"
import type { Persistence } from "../../stores/Persistence.ts"
import { rebuildSearch } from "./SearchRebuild.ts"
import { separateIndex } from "./SeparateIndex.ts"

/** Milliseconds until a store that was away, or another node's rebuild, is looked at again. */
const againMillis = 10_000

const outdated = Effect.gen(function* () {
  const index = yield* separateIndex
  const { logId } = yield* (yield* EventStore).head
  const state = yield* index.open(logId)
  return state._tag === "Outdated" ? state.reason : undefined
})

/**
 * Looks whether the index is outdated, and rebuilds it; ends when it is not, or when only a human can help, which it then
 * says. To be forked when a service starts: it never fails, and nobody waits for it.
 */
export const rebuildOutdated: Effect.Effect<void, never, EventStore | Persistence> = Effect.gen(function* () {
  let told = false
  while (true) {
    const reason = yield* Effect.result(outdated)
    if (Result.isSuccess(reason)) {
      if (reason.success === undefined) return
      if (!told) yield* Effect.logInfo(`search is rebuilt beside the service: ${reason.success}`)
      told = true
      const done = yield* Effect.result(rebuildSearch())
      if (Result.isSuccess(done)) {
        const { documents, durationMillis, position } = done.success
        return yield* Effect.logInfo(
          `search is rebuilt: ${documents} documents in ${Math.round(durationMillis / 1_000)} s, up to position ${position}`
        )
      }
      const { _tag, message } = done.failure
      if (_tag !== "StoreUnavailable" && _tag !== "RebuildUnderway") {
        return yield* Effect.logWarning(`search could not be rebuilt, and serves on as it is: ${message}`)
      }
    } else if (reason.failure._tag !== "StoreUnavailable") {
      return
    }
    yield* Effect.sleep(againMillis)
  }
})
