import { assert, describe, it } from "@effect/vitest"
import { type LoadDocument, loadPage } from "../../src/load/LoadPage.ts"
import { lineChart } from "../../src/load/SvgChart.ts"
import { sampleReport } from "./SampleReport.ts"

const attack = `"><script>alert(1)</script><img src=x onerror='x'>`

const document = (): LoadDocument => ({
  ...sampleReport(),
  run: attack,
  seed: attack,
  environment: { processor: attack, [attack]: "x" },
  commandLine: `wallet load --seed '${attack}'`,
  startedAt: "2026-12-01T00:00:00.000Z",
  hottest: [{ wallet: attack, accepted: 3, perSecond: 1.5 }],
  codes: { rejected: { [attack]: 1 }, refused: {}, failed: {}, unknown: {} },
  thresholds: [{ threshold: attack, value: null, ok: false }],
  check: {
    ok: false,
    complete: true,
    wallets: 1,
    commands: { accepted: 1, found: 0, lost: 1, doubled: 0, unasked: 0, reversed: 0 },
    unknown: { done: 0, notDone: 0, partial: 0 },
    balances: { right: 0, wrong: 1 },
    keys: { sent: 0, same: 0, lost: 0 },
    money: { balances: attack, held: "0", inTransit: "0", unexplained: "0" },
    findings: [attack],
    findingCount: 1,
    seconds: 1
  }
})

describe("the page of a load", () => {
  it("escapes every text that it is given", () => {
    const page = loadPage(document())
    assert.notInclude(page, "<script")
    assert.notInclude(page, "<img")
    assert.notMatch(page, /["']>&/)
    assert.include(page, "&#60;script&#62;")
  })

  it("asks nobody for anything", () => {
    const page = loadPage(document())
    assert.notMatch(page, /<[^>]*\b(?:src|href|action|data)=|url\(|@import|https?:/)
    assert.include(page, `content="default-src 'none'; style-src 'unsafe-inline'"`)
  })

  it("has every figure, chart and verdict", () => {
    const page = loadPage(document())
    for (const title of ["Rate", "Latency", "Not accepted", "Processor", "Memory", "Percentiles"]) {
      assert.include(page, `aria-label="${title}"`)
    }
    for (const text of [
      "The check has FAILED",
      "goodput per second",
      "MISSED",
      "p99.99",
      "open: latencies from the intended start"
    ]) {
      assert.include(page, text)
    }
    assert.notMatch(page, /NaN|Infinity|undefined/)
  })

  it("draws a line through what is there, and a gap where nothing is", () => {
    const chart = {
      title: "t",
      unit: "u",
      x: [0, 1, 2, 3],
      ticks: [],
      series: [{ name: "s", values: [1, 2, null, 4] }]
    }
    assert.strictEqual((lineChart(chart).match(/d="(M[^"]*)"/)?.[1] ?? "").match(/M/g)?.length, 2)
    const joined = lineChart({ ...chart, series: [{ ...chart.series[0]!, joined: true }] })
    assert.strictEqual((joined.match(/d="(M[^"]*)"/)?.[1] ?? "").match(/M/g)?.length, 1)
    for (const values of [[], [0, 0], [null], [5]]) {
      assert.notMatch(
        lineChart({ ...chart, x: values.map((_, index) => index), series: [{ name: "s", values }] }),
        /NaN|Infinity/
      )
    }
  })
})
