/**
 * Follows effect/cluster, which tells nobody when a shard comes or goes: polls which shards
 * this node has, claims the partitions that were gained, all in one call, and gives up
 * those that were lost.
 *
 * A claim costs its predecessor every append from then on. So it is made only under a
 * lease that was confirmed a moment ago, and after a fence only under one that was
 * confirmed since: a node that cannot reach Redis would otherwise fight the rightful owner,
 * each taking from the other what it has just claimed.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { Sharding } from "effect/cluster/Sharding"
import { elapsedMillis } from "../actors/Deadlines.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { Ownership } from "../actors/Ownership.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import { type Claim, EventStore } from "../stores/EventStore.ts"
import * as ClusterMetrics from "./ClusterMetrics.ts"
import { type ClaimTable, ClusterOwnership } from "./ClusterOwnership.ts"
import { makePartitions, type Partitions } from "./PartitionEntity.ts"
import { LeaseStatus } from "./redis/LeaseStatus.ts"

/** Polling 1,024 shards takes less than half a millisecond. */
const pollMillis = 50

/** A claim without an answer for so long has failed; a late one is a claim of this node all the same. */
const claimMillis = 10_000

/** After a claim that failed. */
const claimPauseMillis = 500

/** A stop waits so long for appends in flight: then the next owner's claim refuses them. */
const stopMillis = 3_000

export interface ClaimerOptions {
  /** Of the leases, milliseconds. */
  readonly leaseMillis: number
}

interface ClaimerContext {
  readonly partitions: Partitions
  readonly sharding: Sharding["Service"]
  readonly leases: LeaseStatus["Service"]
  readonly claims: ClaimTable
  readonly registry: WalletRegistry["Service"]
  readonly log: EventStore["Service"]
  readonly clock: Clock.Clock
  readonly owner: string
  /** Of the leases, nanoseconds. */
  readonly lease: bigint
}

class Claimer {
  private readonly context: ClaimerContext
  private readonly shards: ReadonlyArray<string>
  /** Claimed by this node and not given up: wallets may be in memory. */
  private readonly owned = new Set<number>()
  private readonly claiming = new Set<number>()
  /** By the monotonic clock, ms; `undefined`: at once. */
  private claimNotBefore: number | undefined

  constructor(context: ClaimerContext) {
    this.context = context
    const { count, shardOf } = context.partitions
    this.shards = Array.from({ length: count }, (_, partition) => shardOf(partition).toString())
  }

  hasShard(partition: number): boolean {
    return this.context.sharding.hasShardId(this.context.partitions.shardOf(partition))
  }

  /** What was lost and what was gained since the last time: one effect gives up, the other claims. */
  poll(): { readonly lost: Effect.Effect<void> | undefined; readonly gained: Effect.Effect<void> | undefined } {
    const { claims, clock, lease, partitions } = this.context
    const fresh = clock.monotonicTimeNanosUnsafe() - lease / 2n
    const isClaimDue = this.claimNotBefore === undefined || elapsedMillis(clock) >= this.claimNotBefore
    const lost = new Set<number>()
    const gained: Array<number> = []
    for (let partition = 0; partition < partitions.count; partition++) {
      if (this.owned.has(partition)) {
        if (!this.hasShard(partition) || claims.claimOf(partition) === undefined) lost.add(partition)
      } else if (isClaimDue && this.hasShard(partition) && this.mayClaim(partition, fresh)) gained.push(partition)
    }
    for (const partition of gained) this.claiming.add(partition)
    return {
      lost: lost.size === 0 ? undefined : this.giveUp(lost),
      gained: gained.length === 0 ? undefined : this.claim(gained)
    }
  }

  giveUpAll(): Effect.Effect<void> {
    return this.giveUp(new Set(this.owned))
  }

  /** No actor is left from before, and the lease is confirmed. */
  private mayClaim(partition: number, fresh: bigint): boolean {
    const { claims, leases, registry } = this.context
    if (this.claiming.has(partition) || registry.isLeaving(partition)) return false
    const fencedAt = claims.fencedAt(partition)
    return leases.isConfirmed(this.shards[partition]!, fencedAt !== undefined && fencedAt > fresh ? fencedAt : fresh)
  }

  private claim(wanted: ReadonlyArray<number>): Effect.Effect<void> {
    const { clock, log, owner } = this.context
    const time = Math.floor(clock.currentTimeMillisUnsafe())
    return log.claim({ partitions: wanted, owner, time }).pipe(
      Effect.timeout(claimMillis),
      Effect.flatMap((claims) => this.claimed(claims)),
      Effect.ensuring(
        Effect.sync(() => {
          for (const partition of wanted) this.claiming.delete(partition)
        })
      ),
      Effect.catchCause((cause) => {
        this.claimNotBefore = elapsedMillis(clock) + claimPauseMillis
        return Effect.logWarning(`${wanted.length} partitions could not be claimed; tried again`, cause)
      })
    )
  }

  private claimed(claims: ReadonlyArray<Claim>): Effect.Effect<void> {
    for (const { epoch, partition } of claims) {
      if (!this.hasShard(partition)) continue
      this.context.claims.claimed(partition, epoch)
      this.owned.add(partition)
    }
    return Effect.andThen(Metric.update(ClusterMetrics.claims, claims.length), this.showOwned)
  }

  private giveUp(lost: ReadonlySet<number>): Effect.Effect<void> {
    for (const partition of lost) {
      this.owned.delete(partition)
      this.context.claims.cleared(partition)
    }
    return Metric.update(ClusterMetrics.partitionsLost, lost.size).pipe(
      Effect.andThen(this.showOwned),
      Effect.andThen(this.context.registry.lose(lost))
    )
  }

  private readonly showOwned = Effect.suspend(() => Metric.update(ClusterMetrics.partitionsOwned, this.owned.size))
}

/** From the start: the first of each is an increase, which an alert can see. */
const countersAtZero = Effect.forEach(
  [
    ClusterMetrics.claims,
    ClusterMetrics.partitionsLost,
    ClusterMetrics.remoteCommands,
    ClusterMetrics.bounces,
    ClusterMetrics.resent,
    ClusterMetrics.leasesLost,
    ClusterMetrics.graceRefreshes
  ],
  (counter) => Metric.update(counter, 0),
  { discard: true }
)

const make = Effect.fnUntraced(function* ({ leaseMillis }: ClaimerOptions) {
  const sharding = yield* Sharding
  const claims = yield* ClusterOwnership
  const registry = yield* WalletRegistry
  const { partitions } = yield* Ownership
  yield* Metric.update(ClusterMetrics.partitions, partitions)
  yield* countersAtZero
  const claimer = new Claimer({
    partitions: makePartitions(partitions, sharding),
    sharding,
    leases: yield* LeaseStatus,
    claims,
    registry,
    log: yield* EventStore,
    clock: yield* Clock.Clock,
    owner: (yield* NodeIdentity).owner,
    lease: BigInt(leaseMillis) * 1_000_000n
  })

  const poll = Effect.gen(function* () {
    const { gained, lost } = claimer.poll()
    if (gained !== undefined) yield* Effect.forkScoped(gained)
    if (lost !== undefined) yield* lost
  }).pipe(
    Effect.catchCause((cause) => Effect.logError("this node's partitions cannot be followed; tried again", cause))
  )

  claims.attach((partition) => claimer.hasShard(partition))
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      claims.detach()
      yield* claimer.giveUpAll()
      yield* Effect.timeoutOption(registry.left, stopMillis)
    })
  )
  yield* Effect.forkScoped(Effect.repeat(poll, Schedule.spaced(pollMillis)))
})

export const layer = (options: ClaimerOptions) => Layer.effectDiscard(make(options))
