/** How many feeds a node has open: counted before anything is waited for, so that a crowd at once is not more. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { RateLimited } from "../actors/EngineError.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"

/** Milliseconds after which a reader may try to follow again. */
const retryMillis = 5_000

/** A place for a reader's feed until the scope closes. `lastLeft`: when there is none left; must not wait. */
export const makeFeedPlaces = ({ feeds, feedsSpare }: ActorBounds, lastLeft: () => void) => {
  const ofReader = new Map<string, number>()
  let open = 0

  const enter = (reader: string): RateLimited | undefined => {
    const own = ofReader.get(reader) ?? 0
    if (open >= (own === 0 ? feeds + feedsSpare : feeds)) {
      return new RateLimited({ detail: `this node serves ${open} feeds already`, retryAfter: retryMillis })
    }
    open++
    ofReader.set(reader, own + 1)
    return undefined
  }

  const leave = (reader: string): Effect.Effect<void> => {
    open--
    const own = ofReader.get(reader)! - 1
    if (own === 0) ofReader.delete(reader)
    else ofReader.set(reader, own)
    if (open === 0) lastLeft()
    return Metric.update(EngineMetrics.openFeeds, open)
  }

  return (reader: string): Effect.Effect<void, RateLimited, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const refusal = enter(reader)
        return refusal === undefined ? Metric.update(EngineMetrics.openFeeds, open) : Effect.fail(refusal)
      }),
      () => Effect.suspend(() => leave(reader))
    )
}
