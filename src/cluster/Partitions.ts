/**
 * The installation's partitions as effect/cluster knows them: partition `p` is shard
 * `p + 1` of the one group, so that a lease is a partition's, and one entity stands in
 * each shard.
 */
import type { ShardId } from "effect/cluster/ShardId"
import * as ShardIds from "effect/cluster/ShardId"
import { EntityId } from "effect/cluster/EntityId"
import type { Sharding } from "effect/cluster/Sharding"

const group = "default"

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
