import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { credit, SampleWallet } from "../../src/testing/contract/SampleWallet.ts"
import type { EventStore, PositionedEvent } from "../../src/stores/EventStore.ts"
import { followByPages } from "../../src/stores/EventStore.ts"
import { type ReadError, StoreDefect, StoreUnavailable } from "../../src/stores/StoreError.ts"

type Pages = Pick<EventStore["Service"], "head" | "readAll">

const away = new StoreUnavailable({ store: "log", reason: "scripted", retryAfter: 1 })

const eventsOf = (count: number): ReadonlyArray<PositionedEvent> => {
  const sample = new SampleWallet()
  const { events } = sample.commit(sample.creation(), ...Array.from({ length: count - 1 }, () => credit(1n)))
  return events.map((recorded, index) => ({ position: BigInt(index + 1), recorded }))
}

/** A log with these events; every read first takes a failure of the script. */
const scripted = (events: ReadonlyArray<PositionedEvent>, failures: Array<ReadError>): Pages => {
  const failing = <A>(read: Effect.Effect<A>): Effect.Effect<A, ReadError> =>
    Effect.suspend(() => {
      const failure = failures.shift()
      return failure === undefined ? read : Effect.fail(failure)
    })
  return {
    head: failing(Effect.succeed({ logId: "log", position: BigInt(events.length) })),
    readAll: ({ after, limit }) =>
      failing(Effect.sync(() => events.filter(({ position }) => position > after).slice(0, limit)))
  }
}

const positionsOf = (pages: Iterable<ReadonlyArray<PositionedEvent>>) =>
  Array.from(pages).flatMap((page) => page.map(({ position }) => position))

describe("following by pages", () => {
  it.effect("waits for a log that is away, and goes on from where it was", () =>
    Effect.gen(function* () {
      const events = eventsOf(1_200)
      const failures: Array<ReadError> = Array(5).fill(away)
      const follow = followByPages(scripted(events, failures))
      const seen: Array<ReadonlyArray<PositionedEvent>> = []
      const following = yield* Effect.forkChild(
        Stream.runForEachWhile(follow(3n), (page) =>
          Effect.sync(() => {
            seen.push(page)
            failures.push(away, away)
            return page[page.length - 1]!.position < 1_200n
          })
        )
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(following)
      assert.deepStrictEqual(
        positionsOf(seen),
        events.slice(3).map(({ position }) => position)
      )
      assert.isAbove(seen.length, 1)
    })
  )

  it.effect("looks again every 50 ms when it has seen all", () =>
    Effect.gen(function* () {
      const all = eventsOf(3)
      const events = all.slice(0, 2)
      const third = yield* Deferred.make<ReadonlyArray<PositionedEvent>>()
      const follow = followByPages(scripted(events, []))
      yield* Effect.forkChild(Stream.runForEach(follow(2n), (page) => Deferred.succeed(third, page)))
      yield* TestClock.adjust("10 seconds")
      assert.isFalse(yield* Deferred.isDone(third))
      events.push(all[2]!)
      yield* TestClock.adjust("50 millis")
      assert.deepStrictEqual(yield* Deferred.await(third), [all[2]!])
    })
  )

  it.effect("ends by a failure that is an answer", () =>
    Effect.gen(function* () {
      const defect = new StoreDefect({ store: "log", reason: "scripted" })
      const failed = yield* Effect.flip(Stream.runDrain(followByPages(scripted(eventsOf(1), [defect]))(0n)))
      assert.strictEqual(failed, defect)
      const gone = yield* Effect.flip(Stream.runDrain(followByPages(scripted(eventsOf(2), []))(3n)))
      assert.deepStrictEqual([gone._tag, "head" in gone && gone.head], ["PositionGone", 2n])
    })
  )
})
