import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { Ownership } from "../../src/actors/Ownership.ts"
import { WritePipeline } from "../../src/actors/WritePipeline.ts"
import * as DeadNodes from "../../src/cluster/DeadNodes.ts"
import { LeaseStatus } from "../../src/cluster/redis/LeaseStatus.ts"
import { OwnerClient } from "../../src/cluster/OwnerClient.ts"
import { Reconciler } from "../../src/pipeline/Reconciler.ts"
import { Persistence } from "../../src/stores/Persistence.ts"

const partitions = 4

/** The leases, the claims and the checkpoints as the test says; and whom the reconciler was told to be dead. */
const watched = Effect.gen(function* () {
  const world = {
    living: ["here"],
    checkpoints: ["here", "gone"],
    claimed: new Set([0, 1, 2, 3]),
    asked: new Set<number>(),
    recovered: [] as Array<ReadonlyArray<string>>
  }
  const layers = Layer.mergeAll(
    Layer.succeed(LeaseStatus, {
      isConfirmed: () => true,
      answeredAt: () => undefined,
      members: Effect.sync(() =>
        world.living.map((incarnation) => ({ address: "a:1", incarnation, healthy: true, shards: 1 }))
      )
    }),
    // Of these only what the check for dead nodes asks for.
    Layer.mock(OwnerClient, {
      isLocal: () => false,
      owned: (partition: number) =>
        Effect.sync(() => {
          world.asked.add(partition)
          return world.claimed.has(partition) ? 1 : null
        })
    }),
    Layer.succeed(Reconciler, {
      recover: (isAlive: (owner: string) => boolean) =>
        Effect.sync(() => {
          const dead = world.checkpoints.filter((owner) => !isAlive(owner))
          world.recovered.push(dead)
          world.checkpoints = world.checkpoints.filter(isAlive)
        })
    } as unknown as Reconciler["Service"]),
    Layer.mock(Persistence, {
      checkpoints: Effect.sync(() => world.checkpoints.map((owner) => ({ owner, position: 0n })))
    }),
    Layer.succeed(WritePipeline, { separate: true } as unknown as WritePipeline["Service"]),
    Layer.succeed(Ownership, { partitions, epochOf: () => 1, fenced: () => undefined, lost: Effect.never })
  )
  const { run } = yield* Effect.provide(DeadNodes.make, layers)
  yield* Effect.forkChild(run)
  return world
})

/** So many checks. */
const checks = (count: number) => TestClock.adjust(count * 1_000)

describe("what a dead node has left", () => {
  it.effect("is written once it was missing for three checks, and nothing of the living's", () =>
    Effect.gen(function* () {
      const world = yield* watched
      yield* checks(1)
      assert.deepStrictEqual(world.recovered, [])
      yield* checks(2)
      assert.deepStrictEqual(world.recovered, [["gone"]])
      yield* checks(5)
      assert.strictEqual(world.recovered.length, 1)
    })
  )

  it.effect("is left to a node that is heard of again", () =>
    Effect.gen(function* () {
      const world = yield* watched
      yield* checks(1)
      world.living.push("gone")
      yield* checks(1)
      world.living.pop()
      yield* checks(1)
      assert.deepStrictEqual(world.recovered, [])
    })
  )

  it.effect("is not touched before every partition is claimed by the living", () =>
    Effect.gen(function* () {
      const world = yield* watched
      world.claimed.delete(2)
      yield* checks(10)
      assert.deepStrictEqual(world.recovered, [], "an append of the dead may still come")
      assert.deepStrictEqual([...world.asked].toSorted(), [0, 1, 2, 3])
      world.claimed.add(2)
      yield* checks(2)
      assert.deepStrictEqual(world.recovered, [["gone"]])
    })
  )
})
