/**
 * effect/cluster as the engine uses it: TCP between the nodes, leases on Redis, nothing
 * stored of a message. The port between the nodes has no authentication: whoever reaches
 * it can ask for anything, so it belongs on a private network.
 */
import { layerSocketServer } from "@effect/platform-node/NodeClusterSocket"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as MessageStorage from "effect/cluster/MessageStorage"
import { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SocketRunner from "effect/cluster/SocketRunner"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import { Socket } from "effect/socket/Socket"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { EventStore } from "../stores/EventStore.ts"
import type { ClusterConfig, NodeAddress } from "./ClusterConfig.ts"
import { shardingTimes } from "./redis/LeaseConfig.ts"
import * as RedisRunnerStorage from "./redis/RedisRunnerStorage.ts"

/** The largest message, bytes: four times the states of a reply, the largest part of any (`CallCodec`). */
export const maxFrameSize = 64 * 1024 * 1024

/** How long a partition that is given up waits for the requests that it is answering. */
const terminationMillis = 3_000

/** Between two checks whether the other nodes can be reached. A lease runs out without it. */
const healthCheckMillis = 5_000

/** A connection to another node that is not there in so many milliseconds will not be. */
const openTimeoutMillis = 1_000

/** One on which nothing is received for so long is dead: there is a ping every 5 s. */
const silenceMillis = 5_500

/** Between two tries to connect to a node that was there. */
const reconnectMillis = 100

/**
 * `NodeClusterSocket.layerClientProtocol` waits up to 5 s between two tries, and a node that
 * comes back under its address, as in a rolling restart, would not be asked for so long.
 */
const clientProtocol = Layer.effect(
  Runners.RpcClientProtocol,
  Effect.map(RpcSerialization.RpcSerialization, (serialization) => ({
    codecFor: serialization.codecFor,
    make: ({ host, port }: RunnerAddress) =>
      Effect.orDie(
        Effect.flatMap(
          NodeSocket.makeNet({ openTimeout: openTimeoutMillis, timeout: silenceMillis, host, port }),
          (socket) =>
            RpcClient.makeProtocolSocket({ retryPolicy: Schedule.spaced(reconnectMillis) }).pipe(
              Effect.provideService(Socket, socket),
              Effect.provideService(RpcSerialization.RpcSerialization, serialization)
            )
        )
      )
  }))
)

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

/** `Sharding` of a node that listens, and what its leases tell. */
export const layer = (config: ClusterConfig, partitions: number) =>
  SocketRunner.layer.pipe(
    Layer.provide([
      Layer.catchTag(layerSocketServer, "SocketServerError", (error) =>
        Layer.effectContext(Effect.fail(new CannotListenToNodes({ ...config.listen, reason: reasonOf(error.cause) })))
      ),
      RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))
    ]),
    Layer.provide(clientProtocol),
    Layer.provide(MessageStorage.layerNoop),
    Layer.provideMerge(leases(config)),
    Layer.provide(shardingConfig(config, partitions)),
    Layer.provide(RpcSerialization.layerSchemaBinary({ maxFrameSize }))
  )

const reasonOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : String(cause)
