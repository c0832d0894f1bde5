import { assert, describe, it } from "@effect/vitest"
import { bytesFor, KeyFilter, KeyFilterBudget } from "../../src/actors/KeyFilter.ts"

const megabyte = 1024 * 1024
const growing = { segmentKeys: 4_096, largestKeys: 524_288, walletBytes: 16 * megabyte }
const alike = { ...growing, largestKeys: 4_096 }

/** Bytes of the first segment, for 4,096 keys. */
const firstSegment = 16 * 1024

/** `false`: it gave up on the way. */
const fill = (filter: KeyFilter, keys: number): boolean => {
  for (let version = 0; version < keys; version++) if (!filter.add(`c:key-${version}`, version)) return false
  return true
}

const filled = (budget: KeyFilterBudget, keys: number) => {
  const filter = new KeyFilter(budget)
  assert.isTrue(fill(filter, keys))
  return filter
}

describe("a filter of forgotten keys", () => {
  for (const [what, shape, segments] of [
    ["segments that grow", growing, 4],
    ["segments that are all alike", alike, 13]
  ] as const) {
    it(`never denies a key that it holds, with ${what}`, () => {
      const filter = filled(new KeyFilterBudget(10 * megabyte, shape), 50_000)
      for (let version = 0; version < 50_000; version++) assert.isTrue(filter.has(`c:key-${version}`), `key-${version}`)
      assert.deepStrictEqual([filter.segments.length, filter.toVersion], [segments, 49_999])
    })
  }

  it("is wrong about a new key less than once in 30,000, over a hundred full segments", () => {
    const filter = filled(new KeyFilterBudget(10 * megabyte, alike), 100 * 4_096)
    assert.isTrue(filter.segments.every(({ count }) => count === 4_096))
    let wrong = 0
    for (let i = 0; i < 300_000; i++) if (filter.has(`c:new-${i}`)) wrong++
    assert.isBelow(wrong, 10)
  })

  it("tells keys apart that have little in common and those that have much", () => {
    const filter = new KeyFilter(new KeyFilterBudget(megabyte, alike))
    for (let n = 0; n < 4_096; n++) filter.add(`c:${n}`, n)
    let wrong = 0
    for (let n = 4_096; n < 200_000; n++) if (filter.has(`c:${n}`) || filter.has(`e:${n}`)) wrong++
    assert.isBelow(wrong, 3)
  })

  it("has segments without a gap, each with the versions that it covers", () => {
    const filter = new KeyFilter(new KeyFilterBudget(megabyte, { ...alike, segmentKeys: 2, largestKeys: 2 }))
    for (const version of [1, 2, 5, 6, 7]) filter.add(`c:${version}`, version)
    assert.deepStrictEqual(
      filter.segments.map(({ count, fromVersion, toVersion }) => [fromVersion, toVersion, count]),
      [
        [0, 2, 2],
        [3, 6, 2],
        [7, 7, 1]
      ]
    )
  })

  it("is due to be stored each time when so many keys are new", () => {
    const filter = new KeyFilter(new KeyFilterBudget(megabyte, { ...growing, segmentKeys: 4 }))
    const due: Array<number> = []
    for (let version = 0; version < 20; version++) {
      filter.add(`c:${version}`, version)
      if (filter.isDue) due.push(version)
      filter.isDue = false
    }
    assert.deepStrictEqual(due, [3, 7, 11, 15, 19])
    assert.deepStrictEqual(
      filter.segments.map(({ capacity }) => capacity),
      [4, 8, 16]
    )
  })

  it("leaves alone what its segments have already", () => {
    const filter = filled(new KeyFilterBudget(megabyte, alike), 10)
    assert.isTrue(filter.add("c:key-4", 4))
    assert.deepStrictEqual([filter.toVersion, filter.segments[0]!.count], [9, 10])
  })

  it("gives up when there is no more memory, and gives back what it has", () => {
    const budget = new KeyFilterBudget(3 * firstSegment)
    const filter = filled(budget, 12_288)
    assert.isFalse(budget.take(1))
    assert.isFalse(filter.add("c:one-more", 12_288))
    assert.isTrue(budget.take(3 * firstSegment), "all of it is back")
    assert.isFalse(budget.take(1), "and not more")
  })

  it("gives up at the bound of one wallet", () => {
    const budget = new KeyFilterBudget(megabyte, { ...alike, walletBytes: 2 * firstSegment })
    assert.isFalse(fill(new KeyFilter(budget), 8_193))
    assert.isTrue(fill(new KeyFilter(budget), 8_192))
  })

  it("shares one budget with all others, first come, first served", () => {
    const budget = new KeyFilterBudget(5 * firstSegment)
    const filters = Array.from({ length: 9 }, () => new KeyFilter(budget))
    assert.deepStrictEqual(
      filters.map((filter) => fill(filter, 10)),
      [true, true, true, true, true, false, false, false, false]
    )
    for (const filter of filters) filter.release()
    for (const filter of filters) filter.release()
    assert.isTrue(budget.take(5 * firstSegment), "all of it is back")
    assert.isFalse(budget.take(1), "and not more")
  })

  it("goes on with segments that it is given, and lets go of the newest", () => {
    const budget = new KeyFilterBudget(2 * firstSegment, alike)
    const [whole] = filled(new KeyFilterBudget(megabyte, alike), 100).segments
    const filter = new KeyFilter(budget)
    assert.isTrue(filter.adopt({ ...whole!, bits: whole!.bits.slice(), storedTo: 99 }))
    assert.isTrue(filter.add("c:next", 100))
    assert.isTrue(filter.has("c:key-7") && filter.has("c:next"))
    assert.isAbove(filter.segments[0]!.toVersion, 99, "there is more in it than is stored")
    filter.dropLast()
    assert.strictEqual(filter.toVersion, -1)
    assert.isTrue(budget.take(bytesFor(8_192)))
  })
})
