/** Search on Elasticsearch: what a real Prometheus sees of its index, and of its faults. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ruleFile } from "../../deploy/observe/source/Rules.ts"
import { indexPrefix, startSoakRig } from "../soak/SoakRig.ts"
import { ownElasticsearchPresent } from "../support/elasticsearch.ts"
import { postgresPresent } from "../support/postgres.ts"
import { prometheusPresent, sayAbsent, shortened, startPrometheus } from "../support/prometheus.ts"
import { callOf, keepAsking } from "./Calls.ts"
import { panelsWith, stillEmptyPanels } from "./PanelCheck.ts"

sayAbsent("search on dashboards and by alerts")

/** A document of the wallet `unlucky` with a field that the mapping does not know. */
const spoiled = (body: string): string => {
  const lines = body.split("\n")
  const isUnlucky = (line: string, place: number) =>
    place % 2 === 0 && line.includes(`"_index":"${indexPrefix}-wallets`) && line.includes('"unlucky"')
  const action = lines.findIndex(isUnlucky)
  if (action >= 0) lines[action + 1] = (lines[action + 1] ?? "").replace(/^\{/, '{"nobodyKnows":1,')
  return lines.join("\n")
}

describe.skipIf(!prometheusPresent || !postgresPresent || !ownElasticsearchPresent)("search on Elasticsearch", () => {
  it.live("is shown on its panels, and its faults by their alerts", () =>
    Effect.gen(function* () {
      const rig = yield* startSoakRig({})
      const call = callOf(() => rig.service.url, rig.apiKey)
      for (const id of ["busy", "unlucky"])
        assert.strictEqual((yield* call("/v1/wallets", { id, ownerId: "o", currency: "EUR" })).status, 201)
      const prometheus = yield* startPrometheus({ urls: [rig.service.url], rules: shortened(ruleFile) })
      yield* keepAsking(call("/v1/wallets/busy/credit", { amount: "1" }))
      yield* call("/v1/wallets/busy/credit?await=indexed", { amount: "1" })
      yield* prometheus.until("rate(wallet_search_bulk_documents_count[30s]) > 0")
      assert.deepStrictEqual(yield* prometheus.ruleErrors, [])
      assert.isAbove(panelsWith(["search"]), 8)
      assert.deepStrictEqual(yield* stillEmptyPanels(prometheus, ["search"]), [])

      yield* rig.proxy.set({ _tag: "Change", path: "/_bulk", change: spoiled })
      yield* call("/v1/wallets/unlucky/credit", { amount: "1" })
      yield* prometheus.untilFires("WalletSearchDeadLetters")
      yield* rig.proxy.set({ _tag: "Pass" })

      // Half a minute behind, by the rule's own number.
      yield* rig.elasticsearch.kill
      yield* prometheus.untilFires("WalletSearchBehind")
      yield* rig.elasticsearch.start
      yield* prometheus.untilQuiet("WalletSearchBehind")

      const index = `${indexPrefix}-transactions`
      const found = yield* rig.elasticsearch.request("GET", `/_alias/${index}`)
      yield* rig.elasticsearch.request("DELETE", `/${Object.keys(found.body ?? {})[0]}`)
      yield* prometheus.untilFires("WalletSearchUnwritten")
    }).pipe(Effect.scoped)
  )
})
