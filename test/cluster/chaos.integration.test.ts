/** The short form of `npm run chaos`: three nodes restarted in turn, then one killed and one frozen beyond its lease. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { postgresPresent } from "../support/postgres.ts"
import { redisPresent } from "../support/redis.ts"
import { report } from "./ChaosReport.ts"
import { type ChaosOptions, runChaos } from "./ChaosRun.ts"

const options: ChaosOptions = {
  seed: 1,
  nodes: 3,
  stores: "postgres",
  kinds: ["restart", "restart", "restart", "kill", "freeze"],
  shuffled: false,
  faults: 5,
  millis: 600_000,
  leaseMillis: 2_000,
  connections: 8,
  wallets: 40,
  patienceMillis: 12_000,
  tell: () => Effect.void
}

describe.skipIf(!postgresPresent || !redisPresent)("three nodes under load", () => {
  it.live(
    "lose nothing, do nothing twice and keep every order; nobody who retries once sees them restarted in turn",
    () =>
      Effect.gen(function* () {
        const outcome = yield* runChaos(options)
        assert.deepStrictEqual(outcome.problems, [], report(options, outcome))
        assert.strictEqual(outcome.faults.length, options.faults)
        for (const { kind, tries } of outcome.faults) if (kind === "restart") assert.isAtMost(tries, 2)
        // The auditor has had something to look at.
        assert.isAbove(outcome.verdict.acknowledged, 100)
        assert.isAbove(outcome.cluster.pairs, 100)
        assert.isAbove(outcome.cluster.claims, 1_024 * 2)
      }).pipe(Effect.scoped),
    900_000
  )
})
