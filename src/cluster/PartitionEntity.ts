/**
 * The one entity per partition: how other nodes reach the wallets of this one, and where
 * effect/cluster keeps it.
 *
 * It holds nothing of a wallet. A request that arrives, by whichever partition's entity,
 * goes to the node's own mailboxes, each call to its wallet's; what is not this node's
 * comes back as such. Definition only; `PartitionHandlers` answers.
 */
import * as Schema from "effect/Schema"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import { EntityId } from "effect/cluster/EntityId"
import type { ShardId } from "effect/cluster/ShardId"
import * as ShardIds from "effect/cluster/ShardId"
import type { Sharding } from "effect/cluster/Sharding"
import * as Rpc from "effect/rpc/Rpc"

/** Payloads and answers are texts of `CallCodec`, checked there. */
const text = Schema.String

/** A batch of calls, in order per wallet. Answered soon: what takes longer is `Pending`. `null`: unreadable, nothing has happened. */
const ask = Rpc.make("Ask", { payload: text, success: Schema.NullOr(text) })

/** The answers of a batch that were pending, by its token; `null`: this node knows nothing of it. */
const collect = Rpc.make("Collect", { payload: text, success: Schema.NullOr(text) })

const current = Rpc.make("Current", { payload: text, success: text })

/** The epoch under which this node owns the partition; `null`: it does not. */
const owned = Rpc.make("Owned", { payload: Schema.Int, success: Schema.NullOr(Schema.Int) })

/** A span per message would drown those of the commands. */
export const PartitionEntity = Entity.make("WalletPartition", [ask, collect, current, owned]).annotateRpcs(
  ClusterSchema.ClientTracingEnabled,
  false
)

const group = "default"

/**
 * The installation's partitions as effect/cluster knows them: partition `p` is shard
 * `p + 1` of the one group, so that a lease is a partition's, and one entity stands in
 * each shard.
 */
export interface Partitions {
  readonly count: number
  readonly shardOf: (partition: number) => ShardId
  /** The id of the entity in the partition's shard. */
  readonly entityOf: (partition: number) => string
}

/**
 * An entity's shard is a hash of its id: ids are tried until every shard has one, some
 * eight times as many as there are partitions (ln n + 1 on average). The hash is
 * effect/cluster's own, so that a release of it that hashes otherwise finds other ids.
 */
export const makePartitions = (count: number, sharding: Sharding["Service"]): Partitions => {
  const shards = Array.from({ length: count }, (_, partition) => ShardIds.make(group, partition + 1))
  const entities = new Array<string | undefined>(count).fill(undefined)
  for (let found = 0, n = 0; found < count; n++) {
    const id = `p${n}`
    const partition = sharding.getShardId(EntityId.make(id), group).id - 1
    if (entities[partition] !== undefined) continue
    entities[partition] = id
    found++
  }
  return {
    count,
    shardOf: (partition) => shards[partition]!,
    entityOf: (partition) => entities[partition]!
  }
}
