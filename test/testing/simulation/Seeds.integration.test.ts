/**
 * The simulation over the seeds of every build, and how much goes wrong in them. It needs no
 * server; it stands here because the unit tests are to be quick, and this takes about a minute.
 */
import { assert, describe, it } from "vitest"
import { failureLines } from "../../../src/testing/simulation/FailureReport.ts"
import {
  noSeeds,
  reportLines,
  runSeed,
  type SeedReport,
  sum,
  tableOf
} from "../../../src/testing/simulation/SeedRange.ts"
import { simulate } from "../../../src/testing/simulation/Simulation.ts"

const firstSeed = 1
const seeds = 150

/** In groups, so that a test is short and the reporter shows how far it is. */
const seedsPerTest = 25

/** Each fault has hit each step at least so often. */
const hitsLeast = 10

/** Some 0.2 s per seed; ten times as much on a machine that is busy with more than this. */
const timeout = 300_000

let report: SeedReport = noSeeds

describe("every law holds", () => {
  for (let from = firstSeed; from < firstSeed + seeds; from += seedsPerTest) {
    it(`with seeds ${from} to ${from + seedsPerTest - 1}`, { timeout }, () => {
      for (let seed = from; seed < from + seedsPerTest; seed++) {
        const ran = runSeed(seed)
        report = sum(report, ran)
        if (ran.failed.length > 0) assert.fail(failureLines(simulate(seed)).join("\n"))
      }
    })
  }
})

describe("these seeds", () => {
  it("are worth something: commands, faults and take-overs in each", () => {
    assert.strictEqual(report.seeds, seeds)
    assert.isAtLeast(report.least.commands, 200)
    assert.isAtLeast(report.least.faults, 10)
    assert.isAtLeast(report.least.takeovers, 1)
  })

  it("meet keys that memory is not sure of, new ones and old ones", () => {
    assert.isAtLeast(report.rare.unsure, 1_000)
    assert.isAtLeast(report.rare.seen, 50)
    assert.isAtLeast(report.rare.gathered, 10)
  })

  it("meet policies, and are stopped by them", () => {
    assert.isAtLeast(report.policies.asked, 5_000)
    assert.isAtLeast(report.policies.rejected, 300)
  })

  it(`hit each step with each fault at least ${hitsLeast} times`, () => {
    const rare = tableOf(report)
      .pairs()
      .filter(({ count }) => count < hitsLeast)
    assert.deepStrictEqual(rare, [], reportLines(report).join("\n"))
  })
})
