import { assert, describe, it } from "@effect/vitest"
import { KeyFilter, KeyFilterBudget } from "../../src/actors/KeyFilter.ts"

/** Bytes of the first segment, for 4,096 keys. */
const firstSegment = 16 * 1024

const filled = (filter: KeyFilter, keys: number) => {
  for (let version = 0; version < keys; version++) filter.add(`c:key-${version}`, version, version)
  return filter
}

describe("a filter of forgotten keys", () => {
  it("never denies a key that it holds", () => {
    const filter = filled(new KeyFilter(new KeyFilterBudget(10 * 1024 * 1024), 0, -1), 50_000)
    for (let version = 0; version < 50_000; version++) assert.isTrue(filter.has(`c:key-${version}`), `key-${version}`)
    assert.strictEqual(filter.coversFrom, 0)
  })

  it("is wrong about a new key less than once in 300, over all its segments", () => {
    const filter = filled(new KeyFilter(new KeyFilterBudget(10 * 1024 * 1024), 0, -1), 50_000)
    let wrong = 0
    for (let i = 0; i < 100_000; i++) if (filter.has(`c:new-${i}`)) wrong++
    assert.isBelow(wrong, 300)
  })

  it("drops its oldest keys when there is no more memory, and says so", () => {
    const budget = new KeyFilterBudget(3 * firstSegment)
    const filter = filled(new KeyFilter(budget, 0, -1), 12_288)
    assert.deepStrictEqual([filter.coversFrom, filter.uncoveredTime], [0, -1])
    filter.add("c:one-more", 12_288, 12_288)
    assert.strictEqual(filter.coversFrom, filter.uncoveredTime + 1)
    assert.isAbove(filter.coversFrom, 0)
    assert.isFalse(budget.take(3 * firstSegment + 1))
  })

  it("without any memory covers nothing, and says so", () => {
    const filter = filled(new KeyFilter(new KeyFilterBudget(firstSegment - 1), 0, -1), 10)
    assert.deepStrictEqual([filter.coversFrom, filter.uncoveredTime], [10, 9])
    assert.isFalse(filter.has("c:key-3"))
  })

  it("shares one budget with all others, first come, first served", () => {
    const budget = new KeyFilterBudget(5 * firstSegment)
    const filters = Array.from({ length: 9 }, () => filled(new KeyFilter(budget, 0, -1), 10))
    assert.deepStrictEqual(
      filters.map(({ coversFrom }) => coversFrom),
      [0, 0, 0, 0, 0, 10, 10, 10, 10]
    )
    for (const filter of filters) filter.release()
    for (const filter of filters) filter.release()
    assert.isTrue(budget.take(5 * firstSegment), "all of it is back")
    assert.isFalse(budget.take(1), "and not more")
  })

  it("gives its memory back", () => {
    const budget = new KeyFilterBudget(firstSegment)
    const filter = filled(new KeyFilter(budget, 0, -1), 10)
    assert.isFalse(budget.take(1))
    filter.release()
    assert.isTrue(budget.take(firstSegment))
    assert.strictEqual(filter.coversFrom, 10)
  })
})
