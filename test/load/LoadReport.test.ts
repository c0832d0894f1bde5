import { assert, describe, it } from "@effect/vitest"
import { reportOf } from "../../src/load/LoadReport.ts"
import { accepted } from "../../src/load/LoadTarget.ts"
import { Tally } from "../../src/load/Tally.ts"
import { Timeline } from "../../src/load/Timeline.ts"
import { phase } from "./LoadOptionsOf.ts"
import { sampleReport } from "./SampleReport.ts"

const credit = { kind: "credit", wallet: 0, second: 0, third: 0, command: 0 } as const

describe("LoadReport", () => {
  it("tells rates, outcomes and latencies of what was due while it counted", () => {
    const report = sampleReport()
    assert.deepStrictEqual([report.offered, report.sent, report.accepted, report.refused], [100, 100, 99, 1])
    assert.strictEqual(report.goodput, 99)
    assert.deepStrictEqual(report.codes.refused, { MailboxFull: 1 })
    assert.strictEqual(report.latency.all.max, 5)
    assert.strictEqual(report.latencyByOutcome.accepted?.count, 99)
    assert.strictEqual(report.percentiles.at(-1)?.millis, 5)
  })

  it("counts an answer after the end, and not for goodput", () => {
    const tally = new Tally([phase("load", 1_000, 1)])
    tally.sent(999, 999)
    tally.completed(credit, { due: 999, sentAt: 999, now: 4_000 }, accepted("committed"))
    const report = reportOf({ loop: "open", run: "r", seed: "s", tally, hottest: [], check: { ok: null } })
    assert.deepStrictEqual([report.accepted, report.goodput, report.latency.all.max], [1, 0, 3_001])
    assert.strictEqual(report.latencyByDurability.committed?.count, 1)
    // Accepted when it was answered, late when it was due.
    assert.deepStrictEqual(
      report.timeline.points.map(({ accepted, p99 }) => [accepted, p99 === null]),
      [[0, false], [0, true], [0, true], [0, true], [1, true]] // prettier-ignore
    )
  })

  it("spreads the processor's time over points without a reading, and starts anew with another process", () => {
    const tally = new Tally([phase("load", 5_000, 1)])
    const readings = [1, undefined, 3, 0.5, 1]
    readings.forEach((cpuSeconds, second) => {
      const point = tally.timeline.at(second * 1_000)
      if (cpuSeconds !== undefined) point.service = { cpuSeconds, residentBytes: 5e6 }
    })
    const { timeline } = reportOf({ loop: "open", run: "r", seed: "s", tally, hottest: [], check: { ok: null } })
    assert.deepStrictEqual(
      timeline.points.map(({ serviceCpu }) => serviceCpu),
      [null, null, 1, null, 0.5]
    )
    assert.strictEqual(timeline.points[4]?.serviceMegabytes, 5)
  })

  it("joins points of a long load in pairs, and loses nothing", () => {
    const timeline = new Timeline()
    for (let second = 0; second < 3_000; second++) {
      const point = timeline.at(second * 1_000)
      point.offered++
      point.outcomes.accepted++
      point.latency.record(second)
    }
    assert.strictEqual(timeline.width, 8_000)
    assert.strictEqual(timeline.points.length, 375)
    assert.strictEqual(
      timeline.points.reduce(
        (sum, { latency, offered, outcomes }) => sum + offered + outcomes.accepted + latency.count,
        0
      ),
      9_000
    )
    assert.strictEqual(timeline.points.at(-1)?.latency.max, 2_999)
  })
})
