/** Rebuilds a search index of another release's mapping where the configuration has the service do that. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SearchProgress } from "../search/SearchProgress.ts"
import { rebuildSearch } from "./rebuild/SearchRebuild.ts"
import { SearchRebuilds } from "./SearchConfig.ts"

/** Between two looks, ms. */
const lookMillis = 1_000

/** On the node that writes the index; a second rebuild at the same time, of whatever process, finds the first and does nothing. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { index } = yield* SearchProgress
    if (index === undefined || (yield* SearchRebuilds) !== "auto") return
    const rebuild = Effect.gen(function* () {
      const { isWriter, outdated } = index.load()
      if (!isWriter || outdated === undefined) return
      yield* Effect.logInfo(`${outdated}; it is rebuilt, and serves meanwhile`)
      const { durationMillis, events } = yield* rebuildSearch()
      yield* Effect.logInfo(`the search index is rebuilt: ${events} events in ${durationMillis} ms`)
    })
    const attempt = Effect.catchCause(rebuild, (cause) =>
      Effect.logWarning("the search index is not rebuilt yet; tried again", cause)
    )
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(lookMillis), attempt)))
  })
)
