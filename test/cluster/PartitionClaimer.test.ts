import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Sharding } from "effect/cluster/Sharding"
import * as ShardIds from "effect/cluster/ShardId"
import * as TestClock from "effect/testing/TestClock"
import { NodeIdentity } from "../../src/actors/NodeIdentity.ts"
import { Ownership } from "../../src/actors/Ownership.ts"
import { WalletRegistry } from "../../src/actors/WalletRegistry.ts"
import * as ClusterOwnership from "../../src/cluster/ClusterOwnership.ts"
import { LeaseStatus } from "../../src/cluster/redis/LeaseStatus.ts"
import * as PartitionClaimer from "../../src/cluster/PartitionClaimer.ts"
import { PeerStatus } from "../../src/cluster/PeerStatus.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as MemoryApiKeyStore from "../../src/stores/memory/MemoryApiKeyStore.ts"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"

const partitions = 8
const leaseMillis = 6_000
const second = 1_000_000_000n

/** What effect/cluster, the leases, the log and the actors say to the claimer, and what it asks of them. */
const keep = Effect.gen(function* () {
  const services = yield* Layer.build(Layer.fresh(MemoryDatabase.layer()))
  const log = MemoryEventStore.make(Context.get(services, MemoryDatabase))
  const world = {
    shards: new Set<number>(),
    /** When the leases were last confirmed, monotonic nanoseconds. */
    confirmedAt: 0n,
    leaving: new Set<number>(),
    lost: [] as Array<ReadonlyArray<number>>,
    claims: [] as Array<ReadonlyArray<number>>,
    logAway: false
  }
  const fakes = Layer.mergeAll(
    // Only what the claimer asks for.
    Layer.succeed(Sharding, {
      hasShardId: (shard: ShardIds.ShardId) => world.shards.has(shard.id - 1),
      getShardId: (id: string) => ShardIds.make("default", (Number(id.slice(1)) % partitions) + 1)
    } as unknown as Sharding["Service"]),
    Layer.succeed(WalletRegistry, {
      lose: (of: ReadonlySet<number>) => Effect.sync(() => void world.lost.push([...of])),
      isLeaving: (partition: number) => world.leaving.has(partition),
      left: Effect.void
    } as unknown as WalletRegistry["Service"]),
    Layer.succeed(
      LeaseStatus,
      LeaseStatus.of({
        isConfirmed: (_, since) => world.confirmedAt >= since,
        answeredAt: () => world.confirmedAt,
        members: Effect.succeed([])
      })
    ),
    Layer.succeed(EventStore, {
      ...log,
      claim: (request) =>
        Effect.suspend(() => {
          world.claims.push(request.partitions)
          return world.logAway
            ? Effect.fail(new StoreUnavailable({ store: "log", reason: "scripted", retryAfter: 1 }))
            : log.claim(request)
        })
    }),
    Layer.succeed(NodeIdentity, { owner: "node" })
  )
  const layer = PartitionClaimer.layer({ leaseMillis }).pipe(
    Layer.provideMerge(ClusterOwnership.layer({ partitions }).pipe(Layer.provide(PeerStatus.layer))),
    Layer.provide(fakes),
    Layer.provide(MemoryApiKeyStore.layer.pipe(Layer.provide(Layer.succeedContext(services))))
  )
  const scope = yield* Scope.make()
  const built = yield* Effect.orDie(Layer.buildWithScope(layer, scope))
  const ownership = Context.get(built, Ownership)
  const owned = () =>
    Array.from({ length: partitions }, (_, partition) => partition).filter(
      (partition) => ownership.epochOf(partition) !== undefined
    )
  /** Time passes; the leases are confirmed meanwhile, unless they are away. */
  const pass = (millis: number, confirmed = true) =>
    Effect.gen(function* () {
      for (let passed = 0; passed < millis; passed += 50) {
        yield* TestClock.adjust(50)
        if (confirmed) world.confirmedAt += 50_000_000n
      }
    })
  return { world, ownership, owned, pass, stop: Scope.close(scope, Exit.void) }
})

describe("the claimer of partitions", () => {
  it.effect("claims all that come, in one call, and gives up what goes", () =>
    Effect.gen(function* () {
      const { owned, ownership, pass, stop, world } = yield* keep
      for (const partition of [1, 3, 5]) world.shards.add(partition)
      yield* pass(100)
      assert.deepStrictEqual(world.claims, [[1, 3, 5]])
      assert.deepStrictEqual(owned(), [1, 3, 5])
      assert.strictEqual(ownership.epochOf(1), 1)
      world.shards.delete(3)
      assert.deepStrictEqual(owned(), [1, 5], "at once, not with the next poll")
      yield* pass(100)
      assert.deepStrictEqual(world.lost, [[3]])
      world.shards.add(3)
      yield* pass(100)
      assert.strictEqual(ownership.epochOf(3), 2, "claimed anew")
      yield* stop
      assert.deepStrictEqual(owned(), [])
      assert.deepStrictEqual(world.lost[1]?.toSorted(), [1, 3, 5])
    })
  )

  it.effect("claims nothing under a lease that was not confirmed a moment ago", () =>
    Effect.gen(function* () {
      const { owned, pass, stop, world } = yield* keep
      yield* pass(leaseMillis, false)
      world.shards.add(1)
      yield* pass(1_000, false)
      assert.deepStrictEqual(world.claims, [])
      world.confirmedAt += 7n * second
      yield* pass(100)
      assert.deepStrictEqual(owned(), [1])
      yield* stop
    })
  )

  it.effect("claims again what was fenced only once the lease is confirmed since", () =>
    Effect.gen(function* () {
      const { owned, ownership, pass, stop, world } = yield* keep
      world.shards.add(1)
      yield* pass(100)
      yield* pass(100, false)
      ownership.fenced(1, 1)
      assert.deepStrictEqual(owned(), [], "the log has said so")
      assert.include(ownership.doubt?.(), "1 partitions", "nobody should be sent here")
      yield* pass(1_000, false)
      assert.strictEqual(world.claims.length, 1, "the rightful owner may be another")
      assert.deepStrictEqual(world.lost, [[1]])
      world.confirmedAt += 2n * second
      yield* pass(100)
      assert.strictEqual(ownership.epochOf(1), 2)
      assert.isUndefined(ownership.doubt?.())
      ownership.fenced(1, 1)
      assert.strictEqual(ownership.epochOf(1), 2, "word of an older claim changes nothing")
      yield* stop
    })
  )

  it.effect("does not claim what wallets are still leaving", () =>
    Effect.gen(function* () {
      const { owned, pass, stop, world } = yield* keep
      world.shards.add(1)
      world.leaving.add(1)
      yield* pass(500)
      assert.deepStrictEqual(world.claims, [])
      world.leaving.delete(1)
      yield* pass(100)
      assert.deepStrictEqual(owned(), [1])
      yield* stop
    })
  )

  it.effect("tries a claim that failed again, after a pause", () =>
    Effect.gen(function* () {
      const { owned, pass, stop, world } = yield* keep
      world.logAway = true
      world.shards.add(1)
      yield* pass(1_000)
      assert.isAtLeast(world.claims.length, 2)
      assert.isAtMost(world.claims.length, 3)
      world.logAway = false
      yield* pass(600)
      assert.deepStrictEqual(owned(), [1])
      yield* stop
    })
  )
})
