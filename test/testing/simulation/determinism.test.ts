/** A failing seed is of use only if it runs again alike. */
import { assert, describe, it } from "@effect/vitest"
import { simulate } from "../../../src/testing/simulation/Simulation.ts"

/** A second or two for all; thirty times as much on a machine that is busy with more than this. */
const timeout = 300_000

describe("a simulation", () => {
  it("is the same, line by line, when it runs again", { timeout }, () => {
    for (const seed of [1, 2, 7, 8]) {
      const first = simulate(seed)
      const second = simulate(seed)
      assert.isAbove(first.events, 20)
      assert.deepStrictEqual(second.lines, first.lines)
      assert.deepStrictEqual(second.violations, first.violations)
    }
  })

  it("is another one with another seed", { timeout }, () => {
    assert.notDeepEqual(simulate(1).lines, simulate(2).lines)
  })
})
