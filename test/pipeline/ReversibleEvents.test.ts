/** Which events may still be reversed: only those that nobody can have been told of as persisted. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ReversibleEvents } from "../../src/pipeline/ReversibleEvents.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"

const partition = 3

const claim = (log: EventStore["Service"]) =>
  Effect.map(log.claim({ partitions: [partition], owner: "o", time: 0 }), ([claimed]) => claimed!.epoch)

const logWith = (run: (log: EventStore["Service"]) => Effect.Effect<void, unknown>) =>
  Effect.flatMap(EventStore, run).pipe(
    Effect.provide(MemoryEventStore.layer),
    Effect.provide(MemoryDatabase.layer({ separate: true }))
  )

/** The log under a first claim, with the high watermark of all others at 7. */
const onLog = (
  name: string,
  run: (log: EventStore["Service"], may: (events: ReversibleEvents, from: number, to: number) => Ask) => Test
) =>
  it.effect(name, () =>
    logWith((log) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* claim(log), 1)
        yield* log.raiseHighWatermark({ owner: "another", position: 7n })
        yield* run(log, (events, from, to) => events.mayReverse(log, "me")("a", { from, to }))
      })
    )
  )

type Ask = Effect.Effect<boolean, unknown>
type Test = Effect.Effect<void, unknown>

const own = (...ranges: ReadonlyArray<readonly [from: number, to: number, epoch?: number]>): ReversibleEvents => {
  const events = new ReversibleEvents()
  for (const [from, to, epoch = 1] of ranges) events.appended("a", { from, to, partition, epoch })
  return events
}

describe("ReversibleEvents", () => {
  onLog("are one's own that are on their way, and no others", (_log, may) =>
    Effect.gen(function* () {
      const events = own([3, 4], [5, 5])
      assert.isTrue(yield* may(events, 3, 5))
      assert.isTrue(yield* may(events, 5, 5))
      assert.isFalse(yield* may(events, 2, 3))
      assert.isFalse(yield* may(events, 5, 6))
      assert.isFalse(yield* may(new ReversibleEvents(), 0, 0))
      assert.deepStrictEqual(
        [2, 3, 5, 6].map((version) => events.isOwn("a", version)),
        [false, true, true, false]
      )
    })
  )

  onLog("are none any more once they are persisted, also when they come again", (_log, may) =>
    Effect.gen(function* () {
      const events = own([3, 6])
      events.persisted("a", 4)
      assert.isFalse(yield* may(events, 4, 5))
      assert.isTrue(yield* may(events, 5, 6))
      events.persisted("a", 3)
      assert.isTrue(yield* may(events, 5, 6))
      events.persisted("a", 9)
      assert.isFalse(yield* may(events, 6, 6))
    })
  )

  onLog("are not what an owner in between has appended, nor what came before", (_log, may) =>
    Effect.gen(function* () {
      const events = own([3, 4], [7, 8])
      assert.isFalse(yield* may(events, 4, 4))
      assert.isFalse(yield* may(events, 5, 6))
      assert.isTrue(yield* may(events, 7, 8))
    })
  )

  onLog("are one's own for as long as the claim stands under which they were appended", (log, may) =>
    Effect.gen(function* () {
      const events = own([3, 4])
      const asked = may(events, 3, 4)
      assert.isTrue(yield* asked)
      yield* claim(log)
      assert.isFalse(yield* asked)
      // This process is the owner again: others may have persisted what it had on its way before.
      events.appended("a", { from: 5, to: 6, partition, epoch: yield* claim(log) })
      assert.isFalse(yield* may(events, 4, 4))
      assert.isTrue(yield* may(events, 5, 6))
    })
  )

  onLog("are an earlier process's above all high watermarks, until one of these moves", (log, may) =>
    Effect.gen(function* () {
      const events = own([5, 5])
      events.found("a", { from: 3, to: 4, above: 7n })
      assert.isTrue(yield* may(events, 3, 4))
      assert.isTrue(yield* may(events, 5, 5))
      yield* log.raiseHighWatermark({ owner: "another", position: 8n })
      assert.isFalse(yield* may(events, 3, 4))
      assert.isTrue(yield* may(events, 5, 5))
      events.persisted("a", 4)
      assert.isTrue(yield* may(events, 5, 5))
    })
  )
})
