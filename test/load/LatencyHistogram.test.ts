import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { LatencyHistogram } from "../../src/load/LatencyHistogram.ts"

const of = (values: ReadonlyArray<number>): LatencyHistogram => {
  const histogram = new LatencyHistogram()
  for (const value of values) histogram.record(value)
  return histogram
}

/** The smallest of the values that so large a part does not exceed. */
const exact = (values: ReadonlyArray<number>, fraction: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * fraction - 1e-9) - 1)] ?? 0

describe("LatencyHistogram", () => {
  it("gives each percentile at most 0.1 % too high and never too low, from microseconds to a day", () => {
    const micros = fc.integer({ min: 1, max: 86_400_000_000 })
    fc.assert(
      fc.property(fc.array(micros, { minLength: 1, maxLength: 300 }), (values) => {
        const histogram = of(values)
        for (const fraction of [0.5, 0.9, 0.99, 0.999, 0.9999, 1]) {
          const expected = exact(values, fraction)
          const found = histogram.percentile(fraction)
          assert.isAtLeast(found, expected)
          assert.isAtMost(found, expected * 1.001 + 1)
        }
        assert.strictEqual(histogram.max, Math.max(...values))
        assert.strictEqual(histogram.count, values.length)
      })
    )
  })

  it("holds one of ten thousand in its last percentile", () => {
    const histogram = of([...Array.from({ length: 9_999 }, () => 1_000), 14_000_000])
    assert.strictEqual(histogram.percentile(0.9999), 1_000)
    assert.strictEqual(histogram.percentile(0.99995), 14_000_000)
  })

  it("adds another one as if its values had been its own", () => {
    const [one, other, both] = [of([1, 2, 3_000_000]), of([5_000_000_000]), of([1, 2, 3_000_000, 5_000_000_000])]
    one.add(other)
    for (const fraction of [0.25, 0.75, 1]) assert.strictEqual(one.percentile(fraction), both.percentile(fraction))
    assert.strictEqual(one.mean, both.mean)
    assert.strictEqual(one.max, 5_000_000_000)
  })

  it("is nought of nothing, and takes what is below a microsecond for one", () => {
    assert.deepStrictEqual([of([]).percentile(0.99), of([]).max, of([]).mean], [0, 0, 0])
    assert.strictEqual(of([0.2]).percentile(1), 1)
  })
})
