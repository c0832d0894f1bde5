/** Rebuilds a search index of another release's mapping where the configuration has the service do that. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { SearchProgress } from "../search/SearchProgress.ts"
import { rebuildSearch } from "./rebuild/SearchRebuild.ts"
import { SearchRebuilds } from "./SearchConfig.ts"

/** Between two looks, ms. */
const lookMillis = 1_000

/** Milliseconds until a store that was away, or another's rebuild, is looked at again. */
const againMillis = 10_000

/** Until the index is not outdated any more, or only a human can help, which is said then. */
const rebuilt = (reason: string) =>
  Effect.gen(function* () {
    yield* Effect.logInfo(`${reason}; it is rebuilt, and serves meanwhile`)
    const { durationMillis, events } = yield* rebuildSearch()
    yield* Effect.logInfo(`the search index is rebuilt: ${events} events in ${durationMillis} ms`)
    return true
  }).pipe(
    Effect.catchTag(["StoreUnavailable", "RebuildUnderway"], () => Effect.as(Effect.sleep(againMillis), false)),
    Effect.catch(({ message }) =>
      Effect.as(Effect.logWarning(`search could not be rebuilt, and serves on as it is: ${message}`), true)
    )
  )

/** On the node that writes the index; a second rebuild at the same time, of whatever process, finds the first and does nothing. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { index } = yield* SearchProgress
    if (index === undefined || (yield* SearchRebuilds) !== "auto") return
    const look = Effect.suspend(() => {
      const { isWriter, outdated } = index.load()
      return isWriter && outdated !== undefined ? rebuilt(outdated) : Effect.succeed(false)
    })
    yield* Effect.forkScoped(Effect.repeat(look, { schedule: Schedule.spaced(lookMillis), until: (isOver) => isOver }))
  })
)
