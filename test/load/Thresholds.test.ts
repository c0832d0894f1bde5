import { assert, describe, it } from "@effect/vitest"
import { judgeThreshold, parseThresholds } from "../../src/load/Thresholds.ts"
import { sampleReport } from "./SampleReport.ts"

const judged = (text: string) => (parseThresholds(text) ?? []).map((one) => judgeThreshold(one, sampleReport()).ok)

describe("Thresholds", () => {
  for (const [text, kept] of [
    ["p99<10ms", [true]],
    ["p99<4.9ms,max<=5ms", [false, true]],
    ["credit.p50>=5,all.p50<5001us,p9999<1s", [true, true, true]],
    ["goodput>98, goodput>=99/s, goodput>99", [true, true, false]],
    ["refused<=1,refused<1%,refused<=1%,failed<=0,missed<1", [true, false, true, true, true]],
    // Of what was not measured nothing is kept.
    ["transfer.p99<1s", [false]]
  ] as const) {
    it(`judges ${text}`, () => assert.deepStrictEqual(judged(text), [...kept]))
  }

  it("reads nothing that it does not understand", () => {
    for (const text of [
      "",
      "p99",
      "p98<1",
      "p99<",
      "p99<-1",
      "gift.p99<1",
      "goodput<1ms",
      "credit.goodput>1",
      "p99<1%",
      "p99<1ms;max<1"
    ]) {
      assert.isUndefined(parseThresholds(text), text)
    }
  })
})
