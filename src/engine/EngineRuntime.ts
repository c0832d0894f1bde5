/** Puts the engine together over whatever stores are given: actors, log writer, ownership, commands, queries. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { AppendActivity } from "../actors/AppendActivity.ts"
import { EventIds } from "../actors/EventIds.ts"
import { KeyQueries } from "../actors/KeyQueries.ts"
import { KeySegments } from "../actors/KeySegments.ts"
import { LogWriter } from "../actors/LogWriter.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import * as SeparatePipeline from "../pipeline/SeparatePipeline.ts"
import * as SingleNodeOwnership from "../actors/SingleNodeOwnership.ts"
import { Snapshots } from "../actors/Snapshots.ts"
import { UnloadedWallets } from "../actors/UnloadedWallets.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import type { GivenPolicies } from "../actors/WalletPolicies.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import * as AutoRebuild from "./AutoRebuild.ts"
import { ClusterStatus } from "./ClusterStatus.ts"
import { CommandMetrics } from "./CommandMetrics.ts"
import * as EngineCommands from "./EngineCommands.ts"
import * as EngineInspection from "./EngineInspection.ts"
import * as EngineQueries from "./EngineQueries.ts"
import { LogFeed } from "./LogFeed.ts"
import { ReadShare } from "./ReadShare.ts"
import { Reconciler } from "../pipeline/Reconciler.ts"
import * as StoreIdentity from "../pipeline/StoreIdentity.ts"
import * as SearchWriter from "../search/SearchWriter.ts"
import { storeMetrics } from "./Health.ts"
import * as Sweepers from "./Sweepers.ts"
import * as TransferCommands from "./TransferCommands.ts"
import { TransferSaga } from "./TransferSaga.ts"
import { WalletCalls } from "./WalletCalls.ts"

export interface EngineOptions {
  readonly bounds: ActorBounds
  /** Fixed at an installation's first start. */
  readonly partitions: number
  /** Rules of the installation's own, asked after the engine's; on every node the same. Absent: there are none. */
  readonly policy?: GivenPolicies
}

/** Why an engine does not start on the stores that it is given. */
export type EngineStartError =
  | StoreIdentity.LogMismatch
  | StoreIdentity.LogPutBack
  | StoreIdentity.StoreAheadOfLog
  | SingleNodeOwnership.PartitionsMismatch
  | EventUnreadable
  | InvalidRequest
  | ReadError

/** The service's parts, from the actors below. */
export const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const commands = yield* EngineCommands.make(bounds)
  const queries = yield* EngineQueries.make(bounds)
  const transfers = yield* TransferCommands.make(bounds)
  const inspection = yield* EngineInspection.make(bounds)
  return { ...commands, ...queries, ...transfers, inspection }
})

/** The actors of one node, over whatever ownership they are given. */
export const layerWallets = (bounds: ActorBounds) =>
  Layer.merge(LogFeed.layer(bounds), storeMetrics).pipe(
    Layer.provideMerge(ReadShare.layer(bounds)),
    Layer.provideMerge(AutoRebuild.layer.pipe(Layer.provideMerge(SearchWriter.layer()))),
    Layer.provideMerge(WalletRegistry.layer(bounds)),
    Layer.provideMerge(CommandMetrics.layer),
    Layer.provide([
      LogWriter.layer(bounds),
      Snapshots.layer(bounds),
      KeyQueries.layer(bounds),
      KeySegments.layer(bounds)
    ]),
    Layer.provideMerge(SeparatePipeline.layer(bounds)),
    Layer.provideMerge(WalletHistory.layer(bounds)),
    Layer.provideMerge(Layer.merge(UnloadedWallets.layer, AppendActivity.layer))
  )

/** The actors of a single node, the way to them, and the ownership they ask. */
export const layerActors = ({ bounds, partitions }: EngineOptions) =>
  Sweepers.layer(bounds).pipe(
    Layer.provideMerge(TransferSaga.layer(bounds)),
    Layer.provideMerge(Layer.mergeAll(WalletCalls.layerLocal, Reconciler.layer(bounds), ClusterStatus.layerAlone)),
    Layer.provideMerge(layerWallets(bounds)),
    // Stores that do not fit together are found before a claim takes the wallets from a service that runs on the right ones.
    Layer.provideMerge(SingleNodeOwnership.layer({ partitions }).pipe(Layer.provide(StoreIdentity.layer))),
    Layer.provideMerge(NodeIdentity.layer),
    Layer.provideMerge(EventIds.layer)
  )
