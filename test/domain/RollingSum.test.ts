import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { decodeFact, encodeFact, type Fact, factBytes } from "../../src/domain/Fact.ts"
import * as RollingSum from "../../src/domain/RollingSum.ts"

const sizes = fc
  .record({ bucketMillis: fc.integer({ min: 1, max: 50 }), buckets: fc.integer({ min: 1, max: 30 }), more: fc.nat(49) })
  .map(({ bucketMillis, buckets, more }) => ({
    bucketMillis,
    perMillis: bucketMillis * buckets + (more % bucketMillis)
  }))

/** Upwards in time. */
const happened = fc
  .array(fc.record({ pause: fc.nat(120), amount: fc.bigInt({ min: 1n, max: 1_000n }) }), { maxLength: 80 })
  .map((steps) => {
    let time = 1_900_000_000_000
    return steps.map(({ amount, pause }) => ({ time: (time += pause), amount }))
  })

const trueSum = (steps: ReadonlyArray<{ time: number; amount: bigint }>, after: number): bigint =>
  steps.reduce((sum, { amount, time }) => (time > after ? sum + amount : sum), 0n)

describe("a rolling sum", () => {
  it("is never below the true one, and above it by no more than one bucket before the window", () => {
    fc.assert(
      fc.property(sizes, happened, fc.nat(2_000), (size, steps, later) => {
        let sums = RollingSum.empty
        for (const { amount, time } of steps) sums = RollingSum.add(sums, size, time, amount)
        const now = (steps.at(-1)?.time ?? 1_900_000_000_000) + later
        const told = RollingSum.sumAt(sums, size, now)
        assert.isTrue(told >= trueSum(steps, now - size.perMillis))
        assert.isTrue(told <= trueSum(steps, now - size.perMillis - size.bucketMillis))
      })
    )
  })

  it("takes no more than it says, and nothing beyond its reach makes a difference", () => {
    fc.assert(
      fc.property(sizes, happened, (size, steps) => {
        let [whole, late] = [RollingSum.empty, RollingSum.empty]
        const last = steps.at(-1)?.time ?? 0
        for (const { amount, time } of steps) {
          whole = RollingSum.add(whole, size, time, amount)
          if (time >= last - RollingSum.reachOf(size)) late = RollingSum.add(late, size, time, amount)
        }
        const bytes = factBytes(whole, RollingSum.maxBytesOf(size))
        assert.isTrue(Buffer.byteLength(JSON.stringify(encodeFact(whole))) <= bytes)
        assert.deepStrictEqual(RollingSum.sumAt(whole, size, last), RollingSum.sumAt(late, size, last))
      })
    )
  })

  it("counts what is dated before the last as the last", () => {
    const size = { perMillis: 100, bucketMillis: 10 }
    const sums = RollingSum.add(RollingSum.add(RollingSum.empty, size, 1_000, 1n), size, 900, 2n)
    assert.deepStrictEqual(sums, [[100, 3n]])
    assert.strictEqual(RollingSum.sumAt(sums, size, 1_109), 3n)
    assert.strictEqual(RollingSum.sumAt(sums, size, 1_110), 0n)
  })
})

const facts = fc.letrec<{ fact: Fact }>((tie) => ({
  fact: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    fc.bigInt({ min: -(10n ** 50n), max: 10n ** 50n }),
    fc.string({ unit: "binary" }),
    fc.array(tie("fact"), { maxLength: 6 }),
    fc.dictionary(fc.string(), tie("fact"), { maxKeys: 6, noNullPrototype: true })
  )
})).fact

describe("facts", () => {
  it("come back from their JSON as they were, which is no longer than they are said to be", () => {
    fc.assert(
      fc.property(facts, (fact) => {
        const json = JSON.stringify(encodeFact(fact))
        assert.isTrue(Buffer.byteLength(json) <= factBytes(fact, Infinity), json)
        assert.deepStrictEqual(decodeFact(JSON.parse(json)), fact)
      })
    )
  })

  it("are plain data of a bounded size", () => {
    const endless: Array<unknown> = []
    endless.push(endless)
    for (const wrong of [
      undefined,
      Number.NaN,
      Infinity,
      () => 1,
      Symbol("s"),
      new Date(0),
      new Map(),
      { a: undefined },
      endless
    ])
      assert.throws(() => factBytes(wrong, 1_000))
    assert.throws(() => factBytes("x".repeat(1_000), 1_000))
    assert.strictEqual(factBytes({ a: [1n] }, 60), 50)
  })

  it("that are damaged are told", () => {
    for (const damaged of ["", "x1", "n1.5", "n", { a: "?" }, ["n1", ""], undefined])
      assert.isUndefined(decodeFact(damaged))
  })
})
