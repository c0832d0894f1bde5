/**
 * The wallet engine as one node among several: the same actors as on a single node, under
 * an ownership that comes and goes by partition, and the way to the wallets of others.
 *
 * Built from below: what the actors need stands under effect/cluster's layer, so that it
 * closes after it, when the last partition has been handed over.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { Sharding } from "effect/cluster/Sharding"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { EventIds } from "../actors/EventIds.ts"
import type { Ownership } from "../actors/Ownership.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { SoundClock } from "../actors/SoundClock.ts"
import * as WalletPolicies from "../actors/WalletPolicies.ts"
import { ClusterStatus, ownPart, Singletons } from "../engine/ClusterStatus.ts"
import { type EngineConfig, engineConfig } from "../engine/EngineConfig.ts"
import type { EngineOptions, EngineStartError } from "../engine/EngineRuntime.ts"
import * as EngineRuntime from "../engine/EngineRuntime.ts"
import { portsOf, storesLayer, type StoresStartError } from "../engine/EngineStores.ts"
import { Reconciler } from "../pipeline/Reconciler.ts"
import * as StoreIdentity from "../pipeline/StoreIdentity.ts"
import { TransferSaga } from "../engine/TransferSaga.ts"
import * as Sweepers from "../engine/Sweepers.ts"
import { type EngineServices, WalletEngine, type WithPolicy } from "../engine/WalletEngine.ts"
import type { ApiKeyStore } from "../stores/ApiKeyStore.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { DataDirectory } from "../stores/pglite/DataDirectory.ts"
import type { Persistence } from "../stores/Persistence.ts"
import type { ReadModel } from "../stores/ReadModel.ts"
import * as ClusterCalls from "./ClusterCalls.ts"
import {
  type ClusterConfig,
  clusterConfig,
  type ClusterNeedsServer,
  type PeerSecurityWrong,
  refuseEmbedded
} from "./ClusterConfig.ts"
import * as ClusterOwnership from "./ClusterOwnership.ts"
import * as ClusterTransport from "./ClusterTransport.ts"
import * as DeadNodes from "./DeadNodes.ts"
import { OwnerClient } from "./OwnerClient.ts"
import type { ClusterTlsInvalid } from "./PeerSecurity.ts"
import { OwnerUrls } from "./OwnerUrls.ts"
import { PeerStatus } from "./PeerStatus.ts"
import * as PartitionHandlers from "./PartitionHandlers.ts"
import * as PartitionClaimer from "./PartitionClaimer.ts"
import type { RedisLeaseConfigInvalid } from "./redis/LeaseConfig.ts"
import { LeaseStatus } from "./redis/LeaseStatus.ts"

export interface ClusterEngineOptions extends EngineOptions {
  readonly cluster: ClusterConfig
}

/**
 * Of one node. All nodes' appends line up at the one log; what stands in that line can no
 * longer grow. Measured with three nodes: a second one per node is a tenth slower on
 * PostgreSQL, a quarter on KurrentDB.
 */
const appendsInFlight = 1

/**
 * What one node of the cluster does for all: effect/cluster runs each of these wherever
 * its shard is, and moves it with the shard. For a moment two nodes may run the same one:
 * they act through the wallets' owners with keys of their own making, so that twice is once.
 */
const layerSingletons = (bounds: ActorBounds) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sharding = yield* Sharding
      yield* sharding.registerSingleton("wallet/transfers", (yield* Sweepers.transfersInFlight(bounds)).run)
      yield* sharding.registerSingleton("wallet/holds", (yield* Sweepers.dueHolds(bounds)).run)
      yield* sharding.registerSingleton("wallet/freezes", (yield* Sweepers.dueFreezes(bounds)).run)
      yield* sharding.registerSingleton("wallet/dead-nodes", (yield* DeadNodes.make).run)
    })
  )

/** The answer of Redis is waited for so long, ms: it is one command of a few hundred microseconds. */
const answerMillis = 2_000

/** A refresh is due every third of a lease; half a lease without an answer is an outage. */
const outageShare = 2n

/** What this node knows of the cluster, for the operator. */
const layerStatus = (options: { readonly leaseMillis: number }) =>
  Layer.effect(
    ClusterStatus,
    Effect.gen(function* () {
      const leases = yield* LeaseStatus
      const clock = yield* Clock.Clock
      const part = yield* ownPart((yield* ClusterCalls.OutgoingCalls).waiting)
      const lease = BigInt(options.leaseMillis) * 1_000_000n
      return ClusterStatus.of({
        view: Effect.gen(function* () {
          const members = yield* Effect.result(Effect.timeout(leases.members, answerMillis))
          const answeredAt = leases.answeredAt()
          const isAnswering =
            answeredAt !== undefined && clock.monotonicTimeNanosUnsafe() - answeredAt < lease / outageShare
          const { partitions, ...node } = part()
          const nodes = Result.isSuccess(members)
            ? members.success.map(({ address, healthy, incarnation, shards }) => ({
                address,
                incarnation,
                healthy,
                partitions: shards
              }))
            : null
          return {
            partitions,
            leases: isAnswering ? ("answering" as const) : ("grace" as const),
            nodes,
            unowned: nodes === null ? null : partitions - nodes.reduce((total, one) => total + one.partitions, 0),
            node
          }
        })
      })
    })
  )

/** Whatever else one node does for all. */
const layerSingletonsPort = Layer.effect(
  Singletons,
  Effect.map(Sharding, (sharding) => ({
    register: (name: string, run: Effect.Effect<void>) => sharding.registerSingleton(name, run)
  }))
)

const layerActors = ({ bounds, cluster, partitions }: ClusterEngineOptions) =>
  Layer.mergeAll(layerSingletons(bounds), layerSingletonsPort, layerStatus(cluster)).pipe(
    Layer.provideMerge(TransferSaga.layer(bounds, { alone: false })),
    Layer.provideMerge(Layer.mergeAll(ClusterCalls.layer(bounds), Reconciler.layer(bounds, { alone: false }))),
    Layer.provideMerge(OwnerClient.layer),
    Layer.provideMerge(PartitionClaimer.layer(cluster)),
    Layer.provideMerge(PartitionHandlers.layer(bounds)),
    Layer.provideMerge(ClusterTransport.layer(cluster, partitions)),
    Layer.provideMerge(EngineRuntime.layerWallets({ ...bounds, appendsInFlight })),
    Layer.provideMerge(OwnerUrls.layer(cluster.nodeUrl)),
    // Stores that do not fit together are found before a claim takes wallets from a service that runs on the right ones.
    Layer.provideMerge(ClusterOwnership.layer({ partitions }).pipe(Layer.provide(StoreIdentity.layer))),
    Layer.provideMerge(PeerStatus.layer),
    Layer.provideMerge(NodeIdentity.layer),
    Layer.provideMerge(EventIds.layer)
  )

/** Why a node does not start on the stores that it is given. */
export type ClusterStartError =
  | EngineStartError
  | ClusterTransport.CannotListenToNodes
  | ClusterTlsInvalid
  | PeerSecurityWrong
  | RedisLeaseConfigInvalid

/** Why a node with stores of its own does not start. */
export type ClusterWithStoresStartError = ClusterStartError | StoresStartError | ClusterNeedsServer

/** Over the stores in context, which the other nodes have, too. */
export const layer = (
  options: ClusterEngineOptions
): Layer.Layer<
  WalletEngine | Ownership | LeaseStatus,
  ClusterStartError,
  EventStore | Persistence | ReadModel | ApiKeyStore
> => layerWithParts(options)

/** As `config` says. */
export const layerFrom = (
  config: EngineConfig & WithPolicy,
  cluster: ClusterConfig
): Layer.Layer<EngineServices | DataDirectory | LeaseStatus, ClusterWithStoresStartError> =>
  Layer.unwrap(
    Effect.as(
      refuseEmbedded(config.stores.databaseUrl),
      layer({ ...config, cluster }).pipe(Layer.merge(portsOf), Layer.provide(storesLayer(config.stores)))
    )
  )

/**
 * As the environment says (the table in docs/OPERATIONS.md), each name behind `prefix_` if
 * there is one: without `REDIS_URL` a single node.
 */
export const layerConfig = (
  options: { readonly prefix?: string | undefined } & WithPolicy = {}
): Layer.Layer<EngineServices | DataDirectory, ClusterWithStoresStartError | Config.ConfigError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const nested = <A>(config: Config.Config<A>) =>
        options.prefix === undefined ? config : Config.nested(config, options.prefix)
      const config = { ...(yield* nested(engineConfig)), policy: options.policy }
      const cluster = yield* nested(clusterConfig)
      const made: Layer.Layer<EngineServices | DataDirectory, ClusterWithStoresStartError> = Option.isSome(cluster)
        ? layerFrom(config, cluster.value)
        : WalletEngine.layerFrom(config)
      return made
    })
  )

/** The node with the parts that it is made of, for what of this package looks into it: nobody else may rely on them. */
export const layerWithParts = (options: ClusterEngineOptions) =>
  Layer.effect(WalletEngine, EngineRuntime.make(options.bounds)).pipe(
    Layer.provideMerge(layerActors(options)),
    SoundClock.provide(options.bounds),
    WalletPolicies.provide(options.policy)
  )
