/** The test kit of policies: good ones pass it and are asked, and it finds what is wrong with others. No server: it takes some seconds. */
import { assert, describe, it } from "vitest"
import * as Policies from "../../src/domain/Policies.ts"
import type { Policy } from "../../src/domain/Policy.ts"
import { simulatePolicy } from "../../src/testing/simulation/PolicySeeds.ts"
import { type PolicyLaw, velocityLaw } from "../../src/testing/simulation/SimulatedPolicies.ts"

const timeout = 120_000

/** Of events one after the other in one database: nothing is reversed behind a policy's back. */
const neverBelow =
  (amount: bigint): PolicyLaw =>
  (events) => {
    const low = events.find(({ event }) => event.balanceAfter - event.heldAfter < amount)
    return low && `${low.event._tag} at version ${low.version} leaves less than ${amount}`
  }

describe("the shipped policies", () => {
  it("minBalance passes, and keeps what it says", { timeout }, () => {
    const laws = [neverBelow(-10n)]
    const report = simulatePolicy(Policies.minBalance({ amount: -10n }), { seeds: 8, laws, plan: { separate: false } })
    assert.deepStrictEqual(report.failures, [])
    assert.isAbove(report.rejected, 0)
  })

  it("maxBalance passes", { timeout }, () => {
    const report = simulatePolicy(Policies.maxBalance({ amount: 80n }), { seeds: 2 })
    assert.deepStrictEqual(report.failures, [])
    assert.isAbove(report.rejected, 0)
  })

  it("allowedTypes passes, and nothing else is made", { timeout }, () => {
    const noDebit: PolicyLaw = (events) =>
      events.some(({ event }) => event._tag === "WalletDebited") ? "debited" : undefined
    const types = ["credit", "capture", "transfer_in", "transfer_out"] as const
    const report = simulatePolicy(Policies.allowedTypes({ types }), { seeds: 2, laws: [noDebit] })
    assert.deepStrictEqual(report.failures, [])
    assert.isAbove(report.rejected, 0)
  })
})

describe("the kit finds", () => {
  it("a policy that looks at more than it is given", { timeout }, () => {
    let asked = 0
    const moody: Policy = {
      name: "moody",
      version: "1",
      judge: (_wallet, command) =>
        command._tag === "Debit" && ++asked % 3 === 0 ? { reason: "now and then" } : undefined
    }
    assert.isNotEmpty(simulatePolicy(moody, { seeds: 1 }).failures)
  })

  it("a reach that is too short", { timeout }, () => {
    const velocity = Policies.velocity({ amount: 60n, per: "30 seconds" })
    const short = { ...velocity, facts: { ...velocity.facts!, reachMillis: 100 } }
    const laws = [velocityLaw({ amount: 60, perMillis: 30_000 })]
    // Whether a seed shows it depends on who is first, which any change of the engine may change: one in four does.
    const shows = (seed: number) => simulatePolicy(short, { from: seed, seeds: 1, laws }).failures.length > 0
    const seed = Array.from({ length: 40 }, (_, n) => n + 4).find(shows)
    assert.isDefined(seed)
    assert.deepStrictEqual(simulatePolicy(velocity, { from: seed, seeds: 1, laws }).failures, [])
  })

  it("a law that does not hold", { timeout }, () => {
    const law: PolicyLaw = (events) => (events.length > 3 ? "too much happens" : undefined)
    const [first] = simulatePolicy(Policies.maxBalance({ amount: 80n }), { seeds: 1, laws: [law] }).failures
    assert.match(first ?? "", /too much happens/)
  })
})
