/** Puts the engine together over whatever stores are given: actors, log writer, ownership, commands, queries. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { EventIds } from "../actors/EventIds.ts"
import { LogWriter } from "../actors/LogWriter.ts"
import * as SingleNodeOwnership from "../actors/SingleNodeOwnership.ts"
import { Snapshots } from "../actors/Snapshots.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import * as EngineCommands from "./EngineCommands.ts"
import * as EngineQueries from "./EngineQueries.ts"

export interface EngineOptions {
  readonly bounds: ActorBounds
  /** Fixed at an installation's first start. */
  readonly partitions: number
}

/** The service's parts, from the actors below. */
export const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const commands = yield* EngineCommands.make()
  const queries = yield* EngineQueries.make(bounds)
  return { ...commands, ...queries }
})

/** The actors of a single node, and the ownership they ask. */
export const layerActors = ({ bounds, partitions }: EngineOptions) =>
  WalletRegistry.layer(bounds).pipe(
    Layer.provide([LogWriter.layer(bounds), Snapshots.layer(bounds)]),
    Layer.provideMerge([WalletHistory.layer(bounds), SingleNodeOwnership.layer({ partitions })]),
    Layer.provideMerge(EventIds.layer)
  )
