import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { alternate, figureOf, formatNumber, noCost, repeat, rowOf, withPairs } from "../../bench/Figure.ts"
import { costLines, tableLines } from "../../bench/Report.ts"

describe("Figure", () => {
  it("has the median and the spread of its rounds", () => {
    const odd = figureOf("/s", [5, 1, 3])
    assert.deepStrictEqual([odd.median, odd.least, odd.most], [3, 1, 5])
    assert.strictEqual(figureOf("/s", [4, 1, 3, 2]).median, 2.5)
  })

  it.effect("measures in turns, A B A B, after a round of each that does not count", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const side = (name: string) =>
        Effect.sync(() => {
          order.push(name)
          return order.length
        })
      const found = yield* alternate({ unit: "/s", rounds: 2, engine: side("A"), beside: side("B") })
      assert.strictEqual(order.join(""), "ABABAB")
      assert.deepStrictEqual(found.engine.rounds, [3, 5])
      assert.deepStrictEqual(found.beside.rounds, [4, 6])
    })
  )

  it.effect("keeps what the rounds cost, by medians of their own", () =>
    Effect.gen(function* () {
      let round = 0
      const side = Effect.sync(() => {
        const n = round++
        return { value: 10 * n, cost: { ...noCost, serverCpuMicros: n, walBytes: n === 2 ? null : 100 * n } }
      })
      const figure = yield* repeat("/s", 3, side)
      assert.deepStrictEqual(figure.rounds, [10, 20, 30])
      assert.deepStrictEqual(figure.cost, { ...noCost, serverCpuMicros: 2, walBytes: 200 })
      assert.isNull((yield* repeat("/s", 2, Effect.succeed({ value: 1, cost: noCost }))).cost)
    })
  )

  it("tells a cost once, however many the engine stands beside", () => {
    const engine = figureOf("/s", [10], [{ ...noCost, serverCpuMicros: 12.5, walBytes: 900 }])
    const other = (walBytes: number) => figureOf("/s", [5], [{ ...noCost, walBytes }])
    const rowBeside = (name: string, walBytes: number) =>
      rowOf({ name: "credit", on: "", callers: 32, engine, beside: { name, figure: other(walBytes) } })
    const lines = costLines([rowBeside("a", 400), rowBeside("b", 500), rowOf({ name: "", on: "", engine: other(1) })])
    assert.strictEqual(lines.filter((line) => /\| engine +\|/.test(line)).length, 2)
    assert.isTrue(lines.some((line) => /\| credit +\| 32 +\| engine +\| 12\.5 µs +\| – +\| – +\| 900 B /.test(line)))
    assert.deepStrictEqual(costLines([rowOf({ name: "", on: "", engine: figureOf("ms", [1]) })]), [])
  })

  it("judges a rate by its least and a size or a time by its most", () => {
    const rate = rowOf({ name: "", on: "", engine: figureOf("/s", [50]), bar: 60 })
    assert.deepStrictEqual(rate.bars, [{ text: "≥ 60.0/s", holds: false }])
    const size = rowOf({ name: "", on: "", engine: figureOf("bytes", [50]), bar: 60 })
    assert.deepStrictEqual(size.bars, [{ text: "≤ 60 B", holds: true }])
    const beside = { name: "limit", figure: figureOf("/s", [100]) }
    const ratio = rowOf({ name: "", on: "", engine: figureOf("/s", [79]), beside, ratioBar: 0.8 })
    assert.strictEqual(ratio.ratio, 0.79)
    assert.deepStrictEqual(ratio.bars, [{ text: "≥ 0.8 ×", holds: false }])
  })

  it("tells how far the ratios of pairs of rounds lie apart", () => {
    const engine = figureOf("/s", [90, 100, 120])
    const beside = { name: "before", figure: figureOf("/s", [100, 100, 100]) }
    const row = withPairs(rowOf({ name: "", on: "", engine, beside }))
    assert.deepStrictEqual([row.ratio, row.pairs?.least, row.pairs?.most], [1, 0.9, 1.2])
    assert.match(tableLines([row])[2] ?? "", /\| 1\.00 × \(0\.90 – 1\.20\) \|/)
    assert.isNull(withPairs(rowOf({ name: "", on: "", engine })).pairs)
  })

  it("writes numbers with three digits", () => {
    const cases = [
      [54_321, "/s", "54.3k/s"],
      [1_234_567, "/s", "1.23M/s"],
      [471.4, "/s", "471/s"],
      [3_601.5, "bytes", "3602 B"],
      [4.7776, "ms", "4.78 ms"]
    ] as const
    for (const [value, unit, text] of cases) assert.strictEqual(formatNumber(value, unit), text)
  })

  it("makes a Markdown table whose columns stand under one another", () => {
    const rows = [
      rowOf({ name: "short", on: "no stores", engine: figureOf("/s", [10]) }),
      rowOf({
        name: "a longer name",
        on: "PGlite 18.6 (fsync off)",
        callers: 1_024,
        engine: figureOf("/s", [1, 2, 3]),
        beside: { name: "limit", figure: figureOf("/s", [4]) }
      })
    ]
    const lines = tableLines(rows)
    assert.strictEqual(lines.length, 4)
    assert.strictEqual(new Set(lines.map((line) => line.length)).size, 1)
    assert.match(
      lines[3] ?? "",
      /\| a longer name \| PGlite +\| 1,024 +\| 2\.00\/s \(1\.00\/s – 3\.00\/s\) \| limit: 4\.00\/s \| 0\.50 × /
    )
  })
})
