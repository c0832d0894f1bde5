import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { runCallbacks, runFibers } from "../../bench/ClosedLoop.ts"

const options = { callers: 8, rampMillis: 10, millis: 40 }

describe("ClosedLoop", () => {
  it.live("keeps one command per caller in flight, and every command has its own number", () =>
    Effect.gen(function* () {
      const numbers = new Set<number>()
      let inFlight = 0
      let most = 0
      const result = yield* runFibers(options, (n) =>
        Effect.gen(function* () {
          assert.isFalse(numbers.has(n))
          numbers.add(n)
          most = Math.max(most, ++inFlight)
          yield* Effect.yieldNow
          inFlight--
        })
      )
      assert.strictEqual(most, options.callers)
      assert.strictEqual(result.total, numbers.size)
      assert.isAbove(result.counted, 0)
      assert.isBelow(result.counted, result.total)
      assert.isAtMost(result.perSecond, (result.counted * 1_000) / options.millis)
    })
  )

  it.live("goes on beyond its time until there is an answer per caller", () =>
    Effect.gen(function* () {
      const result = yield* runFibers({ callers: 4, rampMillis: 0, millis: 1 }, () => Effect.sleep("20 millis"))
      assert.strictEqual(result.counted, 4)
      assert.isAbove(result.perSecond, 0)
    })
  )

  it.live("fails with the first command that fails", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(
        // Each caller sends a second command at least.
        runFibers(options, (n) => (n === 2 * options.callers - 1 ? Effect.fail("refused") : Effect.yieldNow))
      )
      assert.strictEqual(failure, "refused")
    })
  )

  it.live("drives bare callbacks the same way, and ends when the last caller has its answer", () =>
    Effect.gen(function* () {
      let sent = 0
      let answers = 0
      const result = yield* runCallbacks(options, (n, answered) => {
        assert.strictEqual(n, sent++)
        setImmediate(() => {
          answers++
          answered()
        })
      })
      assert.strictEqual(result.total, sent)
      assert.strictEqual(answers, sent)
      assert.isAbove(result.counted, 0)
    })
  )
})
