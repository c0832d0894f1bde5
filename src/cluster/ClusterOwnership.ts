/**
 * Ownership of one node among several. A partition is this node's while effect/cluster
 * gives it the partition's shard and its own claim on it stands. Who claims and gives up
 * is `PartitionClaimer`; this holds what it has found, below the actors, so that they can
 * ask it and outlive the cluster's layer above them.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Ownership } from "../actors/Ownership.ts"
import { checkPartitions } from "../actors/SingleNodeOwnership.ts"
import { PeerStatus } from "./PeerStatus.ts"

/** Claims of partitions, as the claimer changes them. All synchronous. */
export interface ClaimTable {
  /** From now on a partition is owned only while this node also has its shard. */
  readonly attach: (hasShard: (partition: number) => boolean) => void
  /** From now on nothing is this node's. */
  readonly detach: () => void
  readonly claimed: (partition: number, epoch: number) => void
  readonly cleared: (partition: number) => void
  /** The epoch of this node's claim, whatever the leases say. */
  readonly claimOf: (partition: number) => number | undefined
  /**
   * When the log last told that a later claim of the partition stands, by the monotonic
   * clock, nanoseconds; `undefined`: never. To claim again before Redis has confirmed the
   * lease since might fence the rightful owner.
   */
  readonly fencedAt: (partition: number) => bigint | undefined
}

export class ClusterOwnership extends Context.Service<ClusterOwnership, ClaimTable>()(
  "effect-wallet/cluster/ClusterOwnership"
) {}

const make = Effect.fnUntraced(function* (options: { readonly partitions: number }) {
  yield* checkPartitions(options)
  const clock = yield* Clock.Clock
  const peers = yield* PeerStatus
  const epochs = new Array<number | undefined>(options.partitions).fill(undefined)
  const fences = new Map<number, bigint>()
  /** Fenced, and not claimed again since. */
  const replaced = new Set<number>()
  const nothing = () => false
  let hasShard: (partition: number) => boolean = nothing
  const ownership = Ownership.of({
    partitions: options.partitions,
    epochOf: (partition) => {
      const epoch = epochs[partition]
      return epoch !== undefined && hasShard(partition) ? epoch : undefined
    },
    fenced: (partition, epoch) => {
      if (epochs[partition] !== epoch) return
      epochs[partition] = undefined
      fences.set(partition, clock.monotonicTimeNanosUnsafe())
      replaced.add(partition)
    },
    // For as long as the leases say otherwise than the log: this node cannot reach Redis.
    doubt: () => {
      for (const partition of replaced) if (!hasShard(partition)) replaced.delete(partition)
      return replaced.size === 0
        ? undefined
        : `another node has claimed ${replaced.size} partitions, and the leases cannot be asked`
    },
    trouble: () => peers.trouble(),
    // What is lost here, another node has, and it may come back.
    lost: Effect.never
  })
  const claims = ClusterOwnership.of({
    attach: (given) => {
      hasShard = given
    },
    detach: () => {
      hasShard = nothing
    },
    claimed: (partition, epoch) => {
      epochs[partition] = epoch
      replaced.delete(partition)
    },
    cleared: (partition) => {
      epochs[partition] = undefined
    },
    claimOf: (partition) => epochs[partition],
    fencedAt: (partition) => fences.get(partition)
  })
  return Context.make(Ownership, ownership).pipe(Context.add(ClusterOwnership, claims))
})

/** Fails with `PartitionsMismatch` when the installation was made with another number. */
export const layer = (options: { readonly partitions: number }) => Layer.effectContext(make(options))
