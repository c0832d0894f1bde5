/** The high watermark: raised ahead and in steps, waited for, and never given up. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { HighWatermark, offeredByOthers } from "../../src/pipeline/HighWatermark.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import { create } from "../support/EngineCalls.ts"
import * as Faulty from "../support/FaultyEventStore.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import { installNode } from "../support/Installation.ts"
import { creditCommitted, pass } from "../support/Separate.ts"

const make = Effect.gen(function* () {
  const state = yield* MemoryDatabase
  const log = Faulty.make(yield* EventStore)
  const failures: Array<string | undefined> = []
  const highWatermark = new HighWatermark({
    log: log.store,
    owner: "me",
    clock: yield* Clock.Clock,
    smallestStep: 10,
    failing: (reason) => failures.push(reason)
  })
  return { failures, highWatermark, log, raised: () => state.highWatermarks.get("me"), state }
})

const memory = MemoryEventStore.layer.pipe((layer) => [layer, MemoryDatabase.layer({ separate: true })] as const)

const withMemory = <A, E>(test: Effect.Effect<A, E, EventStore | MemoryDatabase>) =>
  test.pipe(Effect.provide(memory[0]), Effect.provide(memory[1]))

describe("HighWatermark", () => {
  it.effect("is in the log before anything up to it is covered, a step ahead; steps grow while they are short", () =>
    withMemory(
      Effect.gen(function* () {
        const { highWatermark, raised } = yield* make
        assert.isFalse(highWatermark.covers(0n))
        yield* highWatermark.cover(5n)
        assert.strictEqual(raised(), 15n)
        assert.isTrue(highWatermark.covers(15n))
        yield* highWatermark.cover(16n)
        assert.strictEqual(raised(), 36n)
        yield* TestClock.adjust("2 seconds")
        yield* highWatermark.cover(37n)
        assert.strictEqual(raised(), 57n)
        yield* TestClock.adjust("5 seconds")
        yield* highWatermark.cover(58n)
        assert.strictEqual(raised(), 68n)
      })
    )
  )

  it.effect("is waited for while the log does not answer, by all who ask, and raised once", () =>
    withMemory(
      Effect.gen(function* () {
        const { failures, highWatermark, log, raised } = yield* make
        const open = yield* Deferred.make<void>()
        log.raiseFaults.push(
          Effect.fail(Faulty.unavailableLog),
          Effect.die(new Error("scripted")),
          Deferred.await(open)
        )
        const asking = yield* Effect.forkChild(
          Effect.all([highWatermark.cover(1n), highWatermark.cover(2n)], { concurrency: "unbounded" })
        )
        yield* TestClock.adjust("5 seconds")
        assert.isUndefined(asking.pollUnsafe())
        assert.deepStrictEqual(
          failures.map((reason) => reason === undefined),
          [false, false]
        )
        yield* Deferred.succeed(open, undefined)
        yield* Fiber.join(asking)
        assert.strictEqual(failures.at(-1), undefined)
        assert.strictEqual(raised(), 11n)
      })
    )
  )

  it.effect("of others is what the log says; where it says nothing, all that is there may have been persisted", () =>
    withMemory(
      Effect.gen(function* () {
        const { highWatermark, log, state } = yield* make
        yield* highWatermark.cover(5n)
        assert.strictEqual(yield* offeredByOthers(log.store, "me"), BigInt(state.log.length))
        yield* log.store.raiseHighWatermark({ owner: "another", position: 3n })
        assert.strictEqual(yield* offeredByOthers(log.store, "me"), 3n)
        assert.strictEqual(yield* offeredByOthers(log.store, "a third"), 15n)
      })
    )
  )

  it.effect("is raised before what an earlier process has left is caught up", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, bounds: { highWatermarkStep: 0 } })
      yield* create(node, "a")
      node.persistence.writeFaults.push(Faults.silent)
      yield* creditCommitted(node, "a", 1n, "k")
      node.kill()
      const next = yield* installation.start()
      yield* pass(3)
      assert.lengthOf(installation.state.persisted.get("a") ?? [], 2)
      assert.strictEqual(installation.state.highWatermarks.get(next.owner), BigInt(installation.state.log.length))
    })
  )
})
