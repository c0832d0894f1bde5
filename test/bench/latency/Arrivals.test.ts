import { assert, describe, it } from "@effect/vitest"
import { Arrivals } from "../../../bench/latency/Arrivals.ts"

/** A command every millisecond, from instant 1,000 on; the first ten are not counted. */
const load = { perSecond: 1_000, rampMillis: 10, millis: 100 }

describe("Arrivals", () => {
  it("come at the given rate, whatever became of the ones before", () => {
    const arrivals = new Arrivals(load, 1_000)
    const sent: Array<number> = []
    const send = (n: number) => void sent.push(n)
    assert.isTrue(arrivals.due(1_000.5, send))
    assert.deepStrictEqual(sent, [0])
    assert.isTrue(arrivals.due(1_004, send))
    assert.deepStrictEqual(sent, [0, 1, 2, 3])
    // A generator that was held up for long sends all that should have been sent, and no more.
    assert.isFalse(arrivals.due(9_000, send))
    assert.strictEqual(sent.length, 110)
  })

  it("count a latency from the intended start, and nothing of the ramp", () => {
    const arrivals = new Arrivals(load, 1_000)
    // Held up until the end: the nth waits for what is left of the time.
    arrivals.due(1_110, (n) => arrivals.answered(n, true, 1_110))
    const { p50, p99, p999, perSecond } = arrivals.result
    assert.strictEqual(perSecond, 1_000)
    for (const [latency, expected] of [
      [p50, 50],
      [p99, 99],
      [p999, 100]
    ] as const) {
      assert.isAtLeast(latency, expected * 0.98)
      assert.isAtMost(latency, expected * 1.06)
    }
  })

  it("tell what was refused and what was not sent, and take neither for an answer", () => {
    const arrivals = new Arrivals(load, 1_000)
    arrivals.due(1_110, (n) => {
      if (n % 2 === 0) arrivals.answered(n, true, 1_110)
      else if (n % 5 === 0) arrivals.notSent(n)
      else arrivals.answered(n, false, 1_110)
    })
    assert.deepInclude(arrivals.result, { perSecond: 500, unsent: 10, refused: 40 })
  })
})
