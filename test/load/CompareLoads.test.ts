import { assert, describe, it } from "@effect/vitest"
import { compareLoads, comparisonLines, type ComparedRun } from "../../src/load/CompareLoads.ts"
import { comparisonPage } from "../../src/load/LoadPage.ts"
import { sampleReport } from "./SampleReport.ts"

const run = (goodput: number, ok = true): ComparedRun => ({ ...sampleReport(), goodput, check: { ok } })

const goodputs = (first: ReadonlyArray<number>, other: ReadonlyArray<number>) =>
  compareLoads([
    { name: "a", runs: first.map((value) => run(value)) },
    { name: "b", runs: other.map((value) => run(value)) }
  ]).figures[0]!

describe("CompareLoads", () => {
  it("gives the mean with Student's interval", () => {
    // Of 10, 12, 14: mean 12, deviation 2, t(2) 4.303: 4.303 × 2 / √3.
    const { sides } = goodputs([10, 12, 14], [10, 12, 14])
    assert.strictEqual(sides[0]?.mean, 12)
    assert.approximately(sides[0]?.plusMinus ?? 0, 4.968, 0.001)
  })

  it("tells a difference from chance, and not where there are fewer than three runs", () => {
    assert.isTrue(goodputs([100, 101, 102], [120, 121, 122]).differences[0]?.significant)
    assert.isFalse(goodputs([100, 110, 120], [105, 115, 125]).differences[0]?.significant)
    assert.isNull(goodputs([100, 101], [120, 121, 122]).differences[0]?.significant)
    assert.approximately(goodputs([100], [120]).differences[0]?.percent ?? 0, 20, 1e-9)
    // Runs that do not differ at all have no spread.
    assert.isFalse(goodputs([5, 5, 5], [5, 5, 5]).differences[0]?.significant)
  })

  it("is a table and a page that name runs whose check has failed, and escape what they are given", () => {
    const sides = [
      { name: "a<b>.json", runs: [run(1), run(2), run(3, false)] },
      { name: "c.json", runs: [run(1)] }
    ]
    const lines = comparisonLines(compareLoads(sides))
    assert.match(lines[1] ?? "", /^goodput \/s\s+2.00 ± 2.48\s+1.00\s+-50.0 % \(fewer than 3 runs a side\)/)
    assert.match(lines.at(-1) ?? "", /the check has failed in 1/)
    const page = comparisonPage(compareLoads(sides))
    assert.include(page, "a&#60;b&#62;.json")
    assert.notInclude(page, "<b>")
  })
})
