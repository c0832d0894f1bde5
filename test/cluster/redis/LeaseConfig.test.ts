import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { settingsOf, shardingTimes } from "../../../src/cluster/redis/LeaseConfig.ts"

const url = "redis://:secret@127.0.0.1:6379/0"

const settle = (options: Record<string, unknown> = {}) =>
  settingsOf(
    { url: Redacted.make(url), clusterName: "wallets", ...options },
    typeof options["url"] === "string" ? options["url"] : url
  )

const wrong: ReadonlyArray<readonly [options: Record<string, unknown>, option: string]> = [
  [{ url: "127.0.0.1:6379" }, "url"],
  [{ url: "http://:secret@127.0.0.1" }, "url"],
  [{ url: "" }, "url"],
  [{ clusterName: "" }, "clusterName"],
  [{ clusterName: "x".repeat(65) }, "clusterName"],
  [{ clusterName: "\ud800" }, "clusterName"],
  [{ incarnation: "" }, "incarnation"],
  [{ leaseMillis: 299 }, "leaseMillis"],
  [{ leaseMillis: 1_000.5 }, "leaseMillis"],
  [{ leaseMillis: 600_001 }, "leaseMillis"],
  [{ graceMillis: -1 }, "graceMillis"],
  [{ graceMillis: Number.NaN }, "graceMillis"],
  [{ commandTimeoutMillis: 9 }, "commandTimeoutMillis"],
  [{ leaseMillis: 900, commandTimeoutMillis: 300 }, "commandTimeoutMillis"]
]

describe("the options of the leases", () => {
  it.effect("have defaults that fail over within ten seconds", () =>
    Effect.gen(function* () {
      const settings = yield* settle()
      assert.deepInclude(settings, { leaseMillis: 6_000, graceMillis: 60_000, commandTimeoutMillis: 1_000 })
      const times = shardingTimes(settings)
      assert.isBelow(settings.leaseMillis + times.refreshAssignmentsInterval + times.entityMessagePollInterval, 9_000)
      assert.isAtLeast(times.shardLockExpiration, 3 * times.shardLockRefreshInterval)
      assert.isAbove(times.shardLockRefreshInterval, settings.commandTimeoutMillis)
    })
  )

  it.effect("name each start of a process otherwise", () =>
    Effect.gen(function* () {
      assert.notStrictEqual((yield* settle()).incarnation, (yield* settle()).incarnation)
      assert.strictEqual((yield* settle({ incarnation: "mine" })).incarnation, "mine")
    })
  )

  it.effect("fit into the shortest lease", () =>
    Effect.gen(function* () {
      const { commandTimeoutMillis, leaseMillis } = yield* settle({ leaseMillis: 300 })
      assert.isBelow(commandTimeoutMillis, leaseMillis / 3)
    })
  )

  for (const [options, option] of wrong) {
    it.effect(`are refused: ${JSON.stringify(options).slice(0, 60)}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(settle(options))
        assert.strictEqual(error.option, option)
        assert.notInclude(error.message, "secret")
      })
    )
  }
})
