/** Two nodes on PostgreSQL and Redis: what a real Prometheus sees of them, and of their faults. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ruleFile } from "../../deploy/observe/source/Rules.ts"
import { makeRig, startNodes } from "../cluster/ClusterRig.ts"
import { defaultClient } from "../faults/FaultClient.ts"
import { postgresPresent } from "../support/postgres.ts"
import { prometheusPresent, sayAbsent, shortened, startPrometheus } from "../support/prometheus.ts"
import { redisPresent } from "../support/redis.ts"
import { callOf, keepAsking } from "./Calls.ts"
import { panelsWith, stillEmptyPanels } from "./PanelCheck.ts"

sayAbsent("nodes on dashboards and by alerts")

describe.skipIf(!prometheusPresent || !postgresPresent || !redisPresent)("two nodes", () => {
  it.live("are shown on their panels, and their faults by their alerts", () =>
    Effect.gen(function* () {
      const rig = yield* makeRig({ stores: "postgres", nodes: 2 })
      yield* startNodes(rig)
      const [first, second] = [rig.nodes[0]!, rig.nodes[1]!]
      const call = callOf(() => first.url, defaultClient.apiKey)
      // About half of them are the other node's.
      const ids = Array.from({ length: 16 }, (_, index) => `w${index}`)
      for (const id of ids)
        assert.strictEqual((yield* call("/v1/wallets", { id, ownerId: "o", currency: "EUR" })).status, 201)
      const prometheus = yield* startPrometheus({ urls: rig.nodes.map(({ url }) => url), rules: shortened(ruleFile) })
      for (const id of ids) yield* keepAsking(call(`/v1/wallets/${id}/credit`, { amount: "1" }))
      yield* prometheus.until("rate(wallet_cluster_commands_total[30s]) > 0")
      yield* prometheus.until("sum(wallet_partitions_owned) == max(wallet_partitions)")
      assert.deepStrictEqual(yield* prometheus.ruleErrors, [])

      yield* second.proxies.peers.set({ _tag: "Refuse" })
      yield* second.proxies.peers.drop
      yield* prometheus.untilFires("WalletNodeUnreachable")
      yield* second.proxies.peers.set({ _tag: "Pass" })
      yield* prometheus.untilQuiet("WalletNodeUnreachable")

      yield* rig.redis.freeze
      const { labels } = yield* prometheus.untilFires("WalletLeasesInDoubt")
      assert.match(labels["instance"] ?? "", /^127\.0\.0\.1:\d+$/)
      assert.isAbove(panelsWith(["cluster"]), 15)
      assert.deepStrictEqual(yield* stillEmptyPanels(prometheus, ["cluster"]), [])

      // Nobody takes over while Redis does not answer.
      yield* second.end("SIGKILL")
      yield* prometheus.untilFires("WalletPartitionsUnowned")
      yield* prometheus.untilFires("WalletDown")
      yield* rig.redis.thaw
      yield* prometheus.untilQuiet("WalletPartitionsUnowned")
    }).pipe(Effect.scoped)
  )
})
