/**
 * A real service on PostgreSQL, watched by a real Prometheus with the alerts of docs/prometheus/alerts.yml: first at work,
 * then under one fault after the other. Panels have to show it, alerts have to fire.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { ruleFile } from "../../deploy/observe/source/Rules.ts"
import { defaultClient, runLoad } from "../faults/FaultClient.ts"
import { execute, type Rig, startRig } from "../faults/Rig.ts"
import { postgresPresent } from "../support/postgres.ts"
import { type Prometheus, prometheusPresent, sayAbsent, shortened, startPrometheus } from "../support/prometheus.ts"
import { makeReceiver } from "../webhooks/Receiver.ts"
import { firedInTest } from "./AlertRuns.ts"
import { callOf, keepAsking, nextKey } from "./Calls.ts"
import { emptyPanels, panelsWith, stillEmptyPanels } from "./PanelCheck.ts"

sayAbsent("what dashboards show and whether alerts fire")

const callsTo = (rig: Rig) => callOf(() => rig.service.current.url, defaultClient.apiKey)

const damaged = "w7"

/** An event that nobody can read, of a wallet that the service is to load yet. */
const damage = (rig: Rig) =>
  execute(
    rig,
    "alter table wallet.events disable trigger all",
    `update wallet.events set type = 'WalletRenamed' where wallet_id = '${damaged}' and version = 1`,
    "alter table wallet.events enable trigger all"
  )

/** The engine's own fact, which a rule must let pass and this one does not. */
const refuseExpiries = [
  `create function public.refuse_expiries() returns trigger language plpgsql as $$
   begin raise exception 'no expiries'; end $$`,
  `create trigger refuse_expiries before insert on wallet.events for each row
   when (new.type = 'HoldExpired') execute function public.refuse_expiries()`
]

const credits = (walletId: string, count: number) => ({
  commands: Array.from({ length: count }, () => ({
    type: "credit",
    walletId,
    amount: "1",
    idempotencyKey: nextKey()
  }))
})

/** Of what the panels need: some of everything that a client does. */
const work = Effect.fnUntraced(function* (rig: Rig, prometheus: Prometheus) {
  const load = yield* Effect.forkChild(runLoad(rig.client))
  const wallet = { id: "worker", ownerId: "o", currency: "EUR" }
  assert.strictEqual((yield* callsTo(rig)("/v1/wallets", wallet)).status, 201)
  const credit = { type: "credit", walletId: "worker", amount: "5", idempotencyKey: "replayed" }
  for (let round = 0; round < 2; round++) yield* callsTo(rig)("/v1/batch", { commands: [credit] })
  assert.strictEqual((yield* callsTo(rig)("/v1/wallets/worker/debit", { amount: "900" })).status, 422)
  yield* prometheus.until(
    'sum by (job) (rate(wallet_await_duration_seconds_count{await="indexed"}[30s])) > 0 and ' +
      'sum by (job) (rate(wallet_commands_total{kind="transfer",result="ok"}[30s])) > 0 and ' +
      'sum by (job) (rate(wallet_commands_total{result="replayed"}[30s])) > 0'
  )
  return load
})

/** The log neither answers nor closes: what comes waits, is told that nobody knows, and is refused. */
const holdLog = Effect.fnUntraced(function* (rig: Rig, prometheus: Prometheus) {
  yield* rig.postgresProxy.set({ _tag: "Hold" })
  // Again and again: Prometheus may look just when all have been told to go.
  for (let asker = 0; asker < 3; asker++) yield* keepAsking(callsTo(rig)("/v1/batch", credits("w0", 1_000)))
  yield* prometheus.untilFires("WalletQueueFilling")
  yield* rig.postgresProxy.set({ _tag: "Pass" })
}, Effect.scoped)

/** A write takes 0.8 s. Many, as the alert is on a share of all of five minutes. */
const slowLog = Effect.fnUntraced(function* (rig: Rig, prometheus: Prometheus) {
  yield* rig.postgresProxy.set({ _tag: "Delay", millis: 400 })
  yield* keepAsking(callsTo(rig)("/v1/batch", credits("worker", 200)))
  yield* prometheus.untilFires("WalletCommandsSlow")
  yield* rig.postgresProxy.set({ _tag: "Pass" })
}, Effect.scoped)

const stopPostgres = Effect.fnUntraced(function* (rig: Rig, prometheus: Prometheus) {
  yield* rig.postgres.stop("immediate")
  // The alert is on a share of all of five minutes: many have to be turned away, however many were served before.
  yield* keepAsking(callsTo(rig)("/v1/batch", credits("worker", 1_000)))
  for (const alert of [
    "WalletLogAway",
    "WalletAppendsRetried",
    "WalletCommandsUnavailable",
    "WalletOutcomesUnknown",
    "WalletOverloaded"
  ])
    yield* prometheus.untilFires(alert)
  yield* rig.postgres.start
  yield* prometheus.untilQuiet("WalletLogAway")
}, Effect.scoped)

const failWebhook = Effect.fnUntraced(function* (rig: Rig, prometheus: Prometheus) {
  const receiver = yield* makeReceiver()
  const made = yield* callsTo(rig)("/v1/webhooks", { url: receiver.url })
  assert.strictEqual(made.status, 201, made.text)
  yield* Effect.repeat(callsTo(rig)("/v1/wallets/worker/credit", { amount: "1" }), {
    schedule: Schedule.spaced("100 millis"),
    until: () => receiver.received.length > 0
  })
  receiver.answer = () => 500
  yield* callsTo(rig)("/v1/wallets/worker/credit", { amount: "1" })
  yield* prometheus.untilFires("WalletWebhookBehind")
  yield* prometheus.until('rate(wallet_webhook_deliveries_total{result="refused"}[30s]) > 0')
})

describe.skipIf(!prometheusPresent || !postgresPresent)("a service that Prometheus watches", () => {
  it.live("shows its work on every panel, and its faults by their alerts", () =>
    Effect.gen(function* () {
      const rig = yield* startRig({
        stores: "postgres",
        seed: 5,
        client: { wallets: 50, connections: 16, batchPercent: 20 },
        environment: { WALLET_CALLER_WAIT: "3 seconds", WALLET_WEBHOOK_ALLOW_PRIVATE: "true" }
      })
      yield* rig.service.kill
      yield* damage(rig)
      rig.client.url = new URL((yield* rig.service.start()).url)
      // The load does not meet what cannot be read.
      rig.client.wallets.splice(rig.client.wallets.indexOf(damaged), 1)
      const prometheus = yield* startPrometheus({
        urls: [rig.service.current.url],
        rules: shortened(ruleFile, { WalletWebhookBehind: ["> 600", "> 2"] })
      })
      const load = yield* work(rig, prometheus)
      assert.deepStrictEqual(yield* prometheus.ruleErrors, [])
      const before = (yield* prometheus.firing).map(({ labels }) => labels["alertname"])
      // How quick the machine is and how much it has to do is its own matter.
      const quiet = firedInTest.filter((name) => name !== "WalletCommandsSlow" && name !== "WalletOverloaded")
      for (const name of quiet) assert.notInclude(before, name)

      const failed = yield* callsTo(rig)(`/v1/wallets/${damaged}/credit`, { amount: "1" })
      assert.strictEqual(failed.status, 500, failed.text)
      const { annotations, labels } = yield* prometheus.untilFires("WalletServerErrors")
      assert.deepInclude(labels, { route: "/v1/wallets/{id}/credit", severity: "critical" })
      assert.include(annotations["summary"], "/v1/wallets/{id}/credit answers 5xx on 127.0.0.1:")
      yield* prometheus.untilFires("WalletCommandsFailed")

      yield* failWebhook(rig, prometheus)
      yield* holdLog(rig, prometheus)
      yield* slowLog(rig, prometheus)
      yield* stopPostgres(rig, prometheus)
      assert.isAbove(panelsWith(["load", "outage", "webhooks"]), 60)
      assert.deepStrictEqual(yield* stillEmptyPanels(prometheus, ["load", "outage", "webhooks"]), [])
      // What this service cannot fill is named: the check can fail.
      const empty = yield* emptyPanels(prometheus, ["cluster"])
      assert.isTrue(
        empty.some((line) => line.startsWith("Wallet: cluster / Partitions with an owner / owned: no data"))
      )
      rig.client.running = false
      yield* Fiber.join(load)

      yield* execute(rig, ...refuseExpiries, "update wallet.webhooks set status = 'disabled', last_error = 'HTTP 500'")
      const expiresAt = new Date(Date.now() + 1_500).toISOString()
      const hold = yield* callsTo(rig)("/v1/wallets/worker/holds", { amount: "1", expiresAt })
      assert.strictEqual(hold.status, 201, hold.text)
      yield* prometheus.untilFires("WalletWebhookDisabled")
      yield* prometheus.untilFires("WalletSweepDeferred")

      yield* rig.service.kill
      yield* prometheus.untilFires("WalletDown")
    }).pipe(Effect.scoped)
  )
})
