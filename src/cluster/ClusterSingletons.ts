/**
 * What one node of the cluster does for all: effect/cluster runs each of these wherever
 * its shard is, and moves it with the shard. For a moment two nodes may run the same one:
 * they act through the wallets' owners with keys of their own making, so that twice is once.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Sharding } from "effect/cluster/Sharding"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import * as Sweepers from "../engine/Sweepers.ts"
import * as DeadNodes from "./DeadNodes.ts"

export const layer = (bounds: ActorBounds) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sharding = yield* Sharding
      yield* sharding.registerSingleton("wallet/transfers", (yield* Sweepers.transfersInFlight(bounds)).run)
      yield* sharding.registerSingleton("wallet/holds", (yield* Sweepers.dueHolds(bounds)).run)
      yield* sharding.registerSingleton("wallet/dead-nodes", (yield* DeadNodes.make).run)
    })
  )
