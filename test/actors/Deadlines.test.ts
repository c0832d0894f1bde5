import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { Deadlines, enforce } from "../../src/actors/Deadlines.ts"

describe("the deadlines of callers", () => {
  it("are over once a caller has waited its time, and not before", () => {
    const deadlines = new Deadlines(20_000, 10_000)
    assert.deepStrictEqual(
      [9_999, 10_000, 10_001].map((since) => deadlines.isOver(since)),
      [true, false, false]
    )
  })

  it("can be put off for what is still to come", () => {
    const deadlines = new Deadlines(20_000, 10_000)
    assert.deepStrictEqual(
      [8_999, 9_000, 9_999].map((since) => deadlines.isOver(since, 1_000)),
      [true, false, false]
    )
  })

  it("are over for who came before the clock was set back: nobody knows how long ago", () => {
    const deadlines = new Deadlines(20_000, 10_000)
    assert.deepStrictEqual(
      [20_050, 30_000, 30_001, 3_600_000].map((since) => deadlines.isOver(since, 1_000)),
      [false, false, true, true]
    )
  })

  it.effect("are looked at four times a second, as long as the scope lasts", () =>
    Effect.gen(function* () {
      const told: Array<number> = []
      const waiting = [0, 400, 900]
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* enforce({ callerWaitMillis: 1_000 }, (deadlines) =>
            Effect.sync(() => {
              while (waiting.length > 0 && deadlines.isOver(waiting[0]!)) told.push(waiting.shift()!)
            })
          )
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(told, [])
          yield* TestClock.adjust("250 millis")
          assert.deepStrictEqual(told, [0])
          yield* TestClock.adjust("250 millis")
          assert.deepStrictEqual(told, [0, 400])
        })
      )
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(told, [0, 400])
    })
  )
})
