/** Which events may still be reversed: only those that nobody can have been told of as persisted. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ReversibleEvents } from "../../src/pipeline/ReversibleEvents.ts"

/** Whether the events may be reversed, while the high watermark of all others is at 7. */
const may = (events: ReversibleEvents, from: number, to: number) =>
  Effect.runSync(events.mayReverse(Effect.succeed(7n))("a", { from, to }))

const own = (...ranges: ReadonlyArray<readonly [from: number, to: number]>): ReversibleEvents => {
  const events = new ReversibleEvents()
  for (const [from, to] of ranges) events.add("a", { from, to })
  return events
}

describe("ReversibleEvents", () => {
  it("are one's own that are on their way, and no others", () => {
    const events = own([3, 4], [5, 5])
    assert.isTrue(may(events, 3, 5))
    assert.isTrue(may(events, 5, 5))
    assert.isFalse(may(events, 2, 3))
    assert.isFalse(may(events, 5, 6))
    assert.isFalse(may(new ReversibleEvents(), 0, 0))
  })

  it("are none any more once they are persisted, also when they come again", () => {
    const events = own([3, 6])
    events.persisted("a", 4)
    assert.isFalse(may(events, 4, 5))
    assert.isTrue(may(events, 5, 6))
    events.persisted("a", 3)
    assert.isTrue(may(events, 5, 6))
    events.persisted("a", 9)
    assert.isFalse(may(events, 6, 6))
  })

  it("are not what an owner in between has appended, nor what came before", () => {
    const events = own([3, 4], [7, 8])
    assert.isFalse(may(events, 4, 4))
    assert.isFalse(may(events, 5, 6))
    assert.isTrue(may(events, 7, 8))
  })

  it("are an earlier process's above all high watermarks, until one of these moves", () => {
    const events = new ReversibleEvents()
    events.add("a", { from: 3, to: 4 }, 7n)
    events.add("a", { from: 5, to: 5 })
    assert.isTrue(may(events, 3, 5))
    const moved = new ReversibleEvents()
    moved.add("a", { from: 3, to: 4 }, 6n)
    assert.isFalse(may(moved, 3, 4))
  })
})
