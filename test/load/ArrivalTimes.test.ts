import { assert, describe, it } from "@effect/vitest"
import { type ArrivalKind, arrivalTimes, arrivalsOf, type Phase } from "../../src/load/ArrivalTimes.ts"

const phase = (seconds: number, from: number, to = from): Phase => ({
  name: "p",
  millis: seconds * 1_000,
  from,
  to,
  counted: true
})

/** The minimal standard generator (Park and Miller): the same numbers in every run. */
const numbers = (seed: number) => () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647

const all = (phases: ReadonlyArray<Phase>, kind: ArrivalKind, random = numbers(1)): ReadonlyArray<number> => {
  const next = arrivalTimes(phases, kind, random)
  const times: Array<number> = []
  for (let time = next(); time !== Infinity; time = next()) times.push(time)
  assert.strictEqual(next(), Infinity)
  return times
}

describe("ArrivalTimes", () => {
  it("gives constant arrivals at equal distances, as many as the rate says", () => {
    assert.deepStrictEqual(all([phase(1, 5)], "constant"), [0, 200, 400, 600, 800])
    assert.strictEqual(all([phase(10, 333.3)], "constant").length, 3_333)
    assert.strictEqual(all([phase(60, 1_000)], "constant").length, 60_000)
  })

  it("goes on from phase to phase, with pauses where the rate is nought", () => {
    const times = all([phase(1, 2), phase(3, 0), phase(1, 4)], "constant")
    assert.deepStrictEqual(times, [0, 500, 4_000, 4_250, 4_500, 4_750])
  })

  it("ramps: in each stretch there are as many as lie under the line", () => {
    const times = all([phase(10, 0, 1_000)], "constant")
    assert.strictEqual(times.length, 5_000)
    for (const second of [1, 3, 7, 10]) {
      const until = times.filter((time) => time < second * 1_000).length
      assert.approximately(until, (second * second * 100) / 2, 1)
    }
    const falling = all([phase(10, 1_000, 0)], "constant")
    assert.strictEqual(falling.length, 5_000)
    assert.approximately(falling.filter((time) => time < 5_000).length, 3_750, 1)
  })

  it("draws Poisson's arrivals: the mean and the spread of what comes in a second are the rate", () => {
    const times = all([phase(2_000, 50)], "poisson")
    const counts = new Float64Array(2_000)
    for (const time of times) counts[Math.floor(time / 1_000)]! += 1
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
    const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length
    assert.approximately(mean, 50, 1)
    assert.approximately(variance, 50, 6)
    assert.deepStrictEqual(
      times,
      times.toSorted((a, b) => a - b)
    )
  })

  it("is decided by the numbers it draws, and by nothing else", () => {
    const one = all([phase(5, 100, 300)], "poisson", numbers(7))
    assert.deepStrictEqual(all([phase(5, 100, 300)], "poisson", numbers(7)), one)
    assert.notDeepEqual(all([phase(5, 100, 300)], "poisson", numbers(8)), one)
  })

  it("expects of a phase what lies under its line", () => {
    assert.strictEqual(arrivalsOf(phase(10, 100, 300)), 2_000)
  })
})
