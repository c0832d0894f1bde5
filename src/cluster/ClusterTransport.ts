/**
 * effect/cluster as the engine uses it: TCP between the nodes, leases on Redis, nothing
 * stored of a message.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as MessageStorage from "effect/cluster/MessageStorage"
import { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SocketRunner from "effect/cluster/SocketRunner"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { EventStore } from "../stores/EventStore.ts"
import { type ClusterConfig, type NodeAddress, refuseStrangers } from "./ClusterConfig.ts"
import * as PeerConnections from "./PeerConnections.ts"
import * as PeerSecurity from "./PeerSecurity.ts"
import { PeerStatus } from "./PeerStatus.ts"
import { shardingTimes } from "./redis/LeaseConfig.ts"
import * as RedisRunnerStorage from "./redis/RedisRunnerStorage.ts"

/** How long a partition that is given up waits for the requests that it is answering. */
const terminationMillis = 3_000

/** Between two checks whether the other nodes can be reached. A lease runs out without it. */
const healthCheckMillis = 5_000

/** Between two questions to every other node whether it is there, ms. */
const probeMillis = 5_000

/** Of those, how many wait for an answer at a time. */
const probesAtOnce = 16

/** This node cannot listen to the others. */
export class CannotListenToNodes extends Schema.TaggedError<CannotListenToNodes>()("CannotListenToNodes", {
  host: Schema.String,
  port: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return (
      `port ${this.port} on ${this.host}, for the other nodes, cannot be listened on: ${this.reason}; ` +
      "set WALLET_CLUSTER_ADDRESS or WALLET_CLUSTER_LISTEN"
    )
  }
}

const runnerAddress = ({ host, port }: NodeAddress) => new RunnerAddress({ host, port })

const shardingConfig = ({ address, leaseMillis, listen }: ClusterConfig, partitions: number) =>
  ShardingConfig.layer({
    runnerAddress: Option.some(runnerAddress(address)),
    runnerListenAddress: Option.some(runnerAddress(listen)),
    shardsPerGroup: partitions,
    simulateRemoteSerialization: false,
    maxResidentEntities: "unbounded",
    entityTerminationTimeout: terminationMillis,
    runnerHealthCheckInterval: healthCheckMillis,
    ...shardingTimes({ leaseMillis })
  })

/** Its runner is known by the node's identity, so that a checkpoint or a claim tells whose it is. */
const leases = ({ graceMillis, leaseMillis, name, redisUrl }: ClusterConfig) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { owner } = yield* NodeIdentity
      const { logId } = yield* (yield* EventStore).head
      return RedisRunnerStorage.layer({
        url: redisUrl,
        clusterName: Option.getOrElse(name, () => logId),
        leaseMillis,
        graceMillis,
        incarnation: owner
      })
    })
  )

/** The nodes as effect/cluster last read them, so that Redis need not be asked again. */
class Members extends Context.Service<Members, { readonly addresses: () => ReadonlyArray<RunnerAddress> }>()(
  "effect-wallet/cluster/ClusterTransport/Members"
) {}

const members = Layer.effectContext(
  Effect.map(RunnerStorage.RunnerStorage, (storage) => {
    let addresses: ReadonlyArray<RunnerAddress> = []
    const getRunners = Effect.tap(storage.getRunners, (runners) =>
      Effect.sync(() => {
        addresses = runners.map(([runner]) => runner.address)
      })
    )
    return Context.make(RunnerStorage.RunnerStorage, RunnerStorage.RunnerStorage.of({ ...storage, getRunners })).pipe(
      Context.add(Members, Members.of({ addresses: () => addresses }))
    )
  })
)

const nameOf = ({ host, port }: NodeAddress): string => `${host}:${port}`

/**
 * Asks all other nodes again and again: effect/cluster's own check of their health is one
 * node's for all, and does not tell whether *this* node reaches them. It makes anew what was closed.
 */
const probing = ({ address }: ClusterConfig) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const runners = yield* Runners.Runners
      const { addresses } = yield* Members
      const peers = yield* PeerStatus
      const own = nameOf(address)
      const ask = (other: RunnerAddress) =>
        runners.ping(other).pipe(
          Effect.timeoutOrElse({
            duration: probeMillis,
            orElse: () => peers.failed(nameOf(other), `no answer within ${probeMillis} ms`)
          }),
          Effect.ignore
        )
      const probe = Effect.suspend(() => {
        const others = addresses().filter((other) => nameOf(other) !== own)
        return Effect.andThen(
          peers.retain(new Set(others.map(nameOf))),
          Effect.forEach(others, ask, { concurrency: probesAtOnce, discard: true })
        )
      })
      yield* probe.pipe(Effect.repeat(Schedule.spaced(probeMillis)), Effect.forkScoped)
    })
  )

/** The port for the other nodes, and the way to theirs. */
const connections = (config: ClusterConfig) =>
  Layer.unwrap(
    Effect.gen(function* () {
      yield* refuseStrangers(config)
      return PeerConnections.layer(config.listen, yield* PeerSecurity.make(config))
    })
  ).pipe(
    Layer.catchTag("SocketServerError", (error) =>
      Layer.effectContext(Effect.fail(new CannotListenToNodes({ ...config.listen, reason: reasonOf(error.cause) })))
    )
  )

/** `Sharding` of a node that listens, and what its leases tell. */
export const layer = (config: ClusterConfig, partitions: number) =>
  probing(config).pipe(
    Layer.provideMerge(
      SocketRunner.layer.pipe(Layer.provide(RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))))
    ),
    Layer.provide(connections(config)),
    Layer.provide(MessageStorage.layerNoop),
    Layer.provideMerge(members.pipe(Layer.provideMerge(leases(config)))),
    Layer.provide(shardingConfig(config, partitions))
  )

const reasonOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : String(cause)
