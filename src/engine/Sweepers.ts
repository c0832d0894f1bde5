/**
 * Runs the sweepers on this node for as long as the layer lasts. A cluster runs the same
 * two as singletons instead (`TransferSweep.make`, `HoldExpiry.make`).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import * as HoldExpiry from "./HoldExpiry.ts"
import * as TransferSweep from "./TransferSweep.ts"

export const layer = (bounds: ActorBounds) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* Effect.forkScoped((yield* TransferSweep.make(bounds)).run)
      yield* Effect.forkScoped((yield* HoldExpiry.make(bounds)).run)
    })
  )
