import { assert, describe, it } from "@effect/vitest"
import { againstNames, againstRows } from "../../bench/against/AgainstBench.ts"
import { partNames, partsOf } from "../../bench/Bench.ts"
import { settingsOf } from "../../bench/BenchSettings.ts"

const nothingGiven = { quick: false, compares: false, rounds: undefined, seconds: undefined, pgledger: undefined }

describe("BenchSettings", () => {
  it("takes rounds and their length as given, and more rounds for two checkouts than for one", () => {
    const cases = [
      [nothingGiven, 3, 2_000],
      [{ ...nothingGiven, compares: true }, 5, 2_000],
      [{ ...nothingGiven, quick: true, compares: true }, 1, 150],
      [{ ...nothingGiven, quick: true, compares: true, rounds: 7, seconds: 0.3 }, 7, 300],
      [{ ...nothingGiven, rounds: 1 }, 1, 2_000]
    ] as const
    for (const [given, rounds, millis] of cases) {
      const settings = settingsOf(given)
      assert.deepStrictEqual([settings.rounds, settings.millis], [rounds, millis], JSON.stringify(given))
    }
    assert.strictEqual(settingsOf({ ...nothingGiven, pgledger: "/somewhere" }).pgledger, "/somewhere")
    assert.isNull(settingsOf(nothingGiven).pgledger)
  })

  it("has the same callers on both sides of every row of the usual ways", () => {
    assert.deepStrictEqual(settingsOf(nothingGiven).baselineCallers, [1, 32, 64, 512])
  })

  it("finds parts and rows by their names and by the names of groups", () => {
    assert.deepStrictEqual(partsOf([]), partNames)
    assert.deepStrictEqual(partsOf(["dispatch", "latency"]), ["dispatch", "latency-library", "latency-http"])
    assert.deepStrictEqual(partsOf(["hot-8"]), [])
    assert.deepStrictEqual(againstRows([]), againstNames)
    assert.deepStrictEqual(againstRows(["hot-8", "history"]), ["hot-8", "history-postgres", "history-embedded"])
    assert.deepStrictEqual(againstRows(["dispatch"]), [])
  })

  it("has a row of wallets with a past for each row of credits", () => {
    const credits = againstNames.filter((name) => /^(hot|many|embedded|http)-(?!transfers|batch)/.test(name))
    const past = againstRows(["past"]).map((name) => name.replace(/^past-/, ""))
    assert.deepStrictEqual([...past].sort(), [...credits].sort())
  })

  it("holds the past that a side writes to a bound, smaller in quick", () => {
    const { pastEvents, pastKeys } = settingsOf(nothingGiven)
    assert.deepStrictEqual([pastKeys, pastEvents], [10_000, 1_000_000])
    const quick = settingsOf({ ...nothingGiven, quick: true })
    assert.isAtMost(quick.pastEvents, 10_000)
    assert.isAtLeast(quick.pastEvents / quick.pastKeys, 2)
  })
})
