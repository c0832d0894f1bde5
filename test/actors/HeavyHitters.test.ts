import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import { HeavyHitters } from "../../src/actors/AppendActivity.ts"

const names = ["a", "b", "c", "d", "e", "f", "g", "h"] as const

describe("HeavyHitters", () => {
  it("tells of every name within its error, and its error within a share of all", () => {
    const additions = FastCheck.array(
      FastCheck.tuple(FastCheck.constantFrom(...names), FastCheck.integer({ min: 1, max: 9 }))
    )
    FastCheck.assert(
      FastCheck.property(additions, FastCheck.integer({ min: 1, max: 4 }), (given, counters) => {
        const counted = new HeavyHitters(counters)
        const exact = new Map<string, number>(names.map((name) => [name, 0]))
        for (const [name, weight] of given) {
          counted.add(name, weight)
          exact.set(name, exact.get(name)! + weight)
        }
        const told = counted.top(counters)
        assert.isAtMost(told.length, counters)
        for (const [name, weight] of exact) {
          const found = told.find((one) => one.name === name)?.weight ?? 0
          assert.isAtMost(found, weight)
          assert.isAtMost(weight, found + counted.error)
        }
        assert.isAtMost(counted.error, counted.total / (counters + 1))
        assert.strictEqual(
          counted.total,
          given.reduce((sum, [, weight]) => sum + weight, 0)
        )
      }),
      { numRuns: 500 }
    )
  })

  it("finds the one that has half of it among a hundred thousand others", () => {
    const counted = new HeavyHitters(256)
    for (let index = 0; index < 100_000; index++) {
      counted.add("hot", 1)
      counted.add(`cold-${index}`, 1)
    }
    assert.strictEqual(counted.top(1)[0]?.name, "hot")
    assert.isAtLeast(counted.top(1)[0]!.weight, 99_000)
  })
})
