/**
 * Configuration of the engine: type, defaults and environment in one place, that of its
 * stores beside them (`EngineStores.ts`). The table in docs/OPERATIONS.md lists every name.
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { defaultBounds } from "../actors/ActorBounds.ts"
import { defaultPartitions } from "../domain/Partition.ts"
import type { StoresConfig } from "./EngineStores.ts"
import { bounded, storesConfig } from "./EngineStores.ts"

export interface EngineConfig {
  readonly stores: StoresConfig
  /** `WALLET_PARTITIONS`, default 1,024; fixed at an installation's first start. */
  readonly partitions: number
  readonly bounds: ActorBounds
}

const millis = (name: string, fallback: number): Config.Config<number> =>
  Config.Duration(name).pipe(Config.map(Duration.toMillis), Config.withDefault(fallback))

const bounds: Config.Config<ActorBounds> = Config.all({
  // Below, one hold with all that it may say would fill it; above, a snapshot does not fit into a message of every store.
  limits: Config.map(
    bounded("WALLET_STATE_BYTES", defaultBounds.limits.stateBytes, 256 * 1024, 4 * 1024 * 1024),
    (stateBytes) => ({ stateBytes })
  ),
  mailboxCommands: bounded("WALLET_MAILBOX_COMMANDS", defaultBounds.mailboxCommands, 1, 1_000_000),
  batchCommands: bounded("WALLET_BATCH_COMMANDS", defaultBounds.batchCommands, 1, 10_000),
  nodeCommands: bounded("WALLET_NODE_COMMANDS", defaultBounds.nodeCommands, 1, 10_000_000),
  // Below, a single wallet with all its keys and holds would be all there is room for.
  residentBytes: bounded("WALLET_RESIDENT_BYTES", defaultBounds.residentBytes, 16 * 1024 * 1024, 2 ** 40),
  snapshotEvents: bounded("WALLET_SNAPSHOT_EVENTS", defaultBounds.snapshotEvents, 10, 1_000_000),
  keysInMemory: bounded("WALLET_KEYS_IN_MEMORY", defaultBounds.keysInMemory, 1, 1_000_000),
  idleMillis: millis("WALLET_IDLE_TIME", defaultBounds.idleMillis),
  persistQueueEvents: bounded("WALLET_PERSIST_QUEUE_EVENTS", defaultBounds.persistQueueEvents, 1, 100_000_000),
  compensationsPerMinute: bounded(
    "WALLET_COMPENSATIONS_PER_MINUTE",
    defaultBounds.compensationsPerMinute,
    0,
    1_000_000
  ),
  callerWaitMillis: millis("WALLET_CALLER_WAIT", defaultBounds.callerWaitMillis)
}).pipe(Config.map((given) => ({ ...defaultBounds, ...given })))

/** All of the engine's configuration. With a prefix `A`, names become `A_DATABASE_URL` and so on. */
export const engineConfig: Config.Config<EngineConfig> = Config.all({
  stores: storesConfig,
  partitions: bounded("WALLET_PARTITIONS", defaultPartitions, 1, 65_536),
  bounds
})

/** `REDIS_URL` is for a node among several, and this is the engine of one that is alone. */
export class ClusterNotServed extends Schema.TaggedError<ClusterNotServed>()("ClusterNotServed", {}) {
  override get message(): string {
    return "REDIS_URL is set, but WalletEngine.layerConfig makes a single node: use ClusterEngine.layerConfig of effect-wallet/cluster"
  }
}

/** Refuses a configuration of several nodes. */
export const refuseCluster = Effect.fnUntraced(function* (nested: <A>(config: Config.Config<A>) => Config.Config<A>) {
  const redis = yield* nested(Config.option(Config.Redacted("REDIS_URL")))
  if (Option.isSome(redis)) return yield* new ClusterNotServed()
})
