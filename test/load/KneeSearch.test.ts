import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { findKnee, kneeLines } from "../../src/load/KneeSearch.ts"
import type { LoadReport } from "../../src/load/LoadReport.ts"
import { sampleReport } from "./SampleReport.ts"

/** A service that does so many a second: beyond it the rest is not accepted in time, and all wait. */
const serviceOf = (most: number) => (rate: number) => {
  const report = sampleReport()
  const p99 = rate <= most ? 10 : 500
  const goodput = Math.min(rate, most)
  return Effect.succeed<LoadReport>({
    ...report,
    goodput,
    rates: { offered: rate, sent: rate, accepted: goodput },
    latency: { all: { ...report.latency.all, p99 } }
  })
}

const search = (run: (rate: number) => Effect.Effect<LoadReport>, slo = 50) =>
  findKnee({ from: 100, slo, onStep: () => Effect.void }, run)

describe("the search for the knee", () => {
  it.effect("names the last rate that a service keeps up with, to some 10 %", () =>
    Effect.gen(function* () {
      const { knee } = yield* search(serviceOf(2_000))
      assert.isTrue(knee.found)
      assert.isAtMost(knee.lastGood ?? 0, 2_000)
      assert.isAbove(knee.lastGood ?? 0, 1_700)
      assert.match(kneeLines(knee).at(-1) ?? "", /^last good rate: [12],\d{3}\/s/)
      assert.isTrue(knee.steps.some(({ why }) => /p99 500.0 ms/.test(why)))
    })
  )

  it.effect("stops for goodput alone, too, and when not even the first rate is good", () =>
    Effect.gen(function* () {
      const { knee } = yield* search(serviceOf(1_000), 1_000)
      assert.isTrue(knee.steps.some(({ why }) => why.startsWith("goodput")))
      const slow = yield* search(serviceOf(1), 1)
      assert.isNull(slow.knee.lastGood)
      assert.match(kneeLines(slow.knee).at(-1) ?? "", /^not even the first rate/)
    })
  )

  it.effect("does not take one hiccup for the bound", () =>
    Effect.gen(function* () {
      let loads = 0
      const { knee } = yield* search((rate) => serviceOf(++loads === 3 ? 1 : 2_000)(rate))
      assert.isFalse(knee.steps[2]?.ok)
      assert.strictEqual(knee.steps[3]?.rate, knee.steps[2]?.rate)
      assert.isAbove(knee.lastGood ?? 0, 1_700)
    })
  )

  it.effect("ends where no rate is too much", () =>
    Effect.gen(function* () {
      const { knee } = yield* search(serviceOf(1e12))
      assert.isFalse(knee.found)
      assert.strictEqual(knee.steps.length, 24)
    })
  )
})
