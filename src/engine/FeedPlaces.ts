/**
 * How many feeds a node has open: counted before anything is waited for, so that a crowd at once is not more. What the
 * node itself follows the log for is bounded where it begins, and takes no place from them.
 */
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
  /** Those of the node itself. */
  let own = 0

  const enter = (reader: string): RateLimited | undefined => {
    const ofThis = ofReader.get(reader) ?? 0
    if (open >= (ofThis === 0 ? feeds + feedsSpare : feeds)) {
      return new RateLimited({ detail: `this node serves ${open} feeds already`, retryAfter: retryMillis })
    }
    open++
    ofReader.set(reader, ofThis + 1)
    return undefined
  }

  const leave = (reader: string): Effect.Effect<void> => {
    open--
    const left = ofReader.get(reader)! - 1
    if (left === 0) ofReader.delete(reader)
    else ofReader.set(reader, left)
    if (open + own === 0) lastLeft()
    return Metric.update(EngineMetrics.openFeeds, open)
  }

  const place = (reader: string): Effect.Effect<void, RateLimited, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const refusal = enter(reader)
        return refusal === undefined ? Metric.update(EngineMetrics.openFeeds, open) : Effect.fail(refusal)
      }),
      () => Effect.suspend(() => leave(reader))
    )

  const ownPlace: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
    Effect.sync(() => void own++),
    () =>
      Effect.sync(() => {
        if (--own + open === 0) lastLeft()
      })
  )

  return { place, ownPlace }
}
