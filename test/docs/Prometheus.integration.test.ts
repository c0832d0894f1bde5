/** The metrics page and the alerts, as Prometheus' own tool sees them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as EngineMetrics from "../../src/actors/EngineMetrics.ts"
import { processMetrics } from "../../src/cli/ProcessMetrics.ts"
import * as ClusterMetrics from "../../src/cluster/ClusterMetrics.ts"
import { findPrograms } from "../../bench/servers/ServerProcess.ts"
import { rules } from "../../deploy/observe/source/Rules.ts"
import * as Server from "../http/TestServer.ts"

const root = Path.resolve(import.meta.dirname, "../..")

const folder = findPrograms(["promtool"], [])
if (folder === undefined) {
  process.stderr.write("\n  promtool: ABSENT - NOT TESTED: the metrics page and the alerts (install prometheus)\n\n")
}

const promtool = (args: ReadonlyArray<string>, input = "") => {
  const { status, stderr, stdout } = spawnSync(Path.join(folder ?? "", "promtool"), args, {
    cwd: root,
    input,
    encoding: "utf8"
  })
  return { status, said: stdout + stderr }
}

const server = Layer.merge(Server.layer(), processMetrics).pipe(
  Layer.provideMerge(Layer.sync(Metric.MetricRegistry, () => new Map()))
)

/** Every metric has a value, whatever this run has of stores. */
const updateAll = Effect.forEach(
  Object.values({ ...EngineMetrics, ...ClusterMetrics }),
  (metric) =>
    metric.type === "Frequency"
      ? Metric.update(metric as Metric.Frequency, "Conflict")
      : Metric.update(metric as Metric.Gauge<number>, 0.25),
  { discard: true }
)

const visit = Effect.gen(function* () {
  const { call, wallet } = yield* Server.TestServer
  const id = yield* wallet()
  yield* call("POST", `/v1/wallets/${id}/credit`, { key: "a", body: { amount: "5" } })
  yield* call("POST", `/v1/wallets/${id}/debit`, { key: "b", body: { amount: "50" } })
  yield* call("GET", "/nothing")
})

describe.skipIf(folder === undefined)("Prometheus' tool", () => {
  it.live("finds nothing to object to in the metrics page", () =>
    Effect.gen(function* () {
      yield* visit
      yield* updateAll
      const { call } = yield* Server.TestServer
      const { text } = yield* call("GET", "/metrics", { secret: null })
      assert.include(text, 'wallet_commands_total{kind="debit",result="rejected",code="InsufficientFunds"} 1')
      assert.include(text, "nodejs_eventloop_delay_seconds_count")
      assert.deepStrictEqual(promtool(["check", "metrics"], text), { status: 0, said: "" })
    }).pipe(Effect.provide(server))
  )

  it("objects to what is wrong", () => {
    const { said, status } = promtool(["check", "metrics"], "# TYPE wallet_wrong counter\nwallet_wrong 1\n")
    assert.strictEqual(status, 3)
    assert.include(said, "wallet_wrong")
  })

  it.each(["one", "cluster"])("reads the configuration of the compose file, with the targets of %s", (targets) => {
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-wallet-"))
    try {
      // As the container has them.
      Fs.copyFileSync(Path.join(root, "deploy/observe/prometheus.yml"), Path.join(folder, "prometheus.yml"))
      Fs.copyFileSync(Path.join(root, "docs/prometheus/alerts.yml"), Path.join(folder, "alerts.yml"))
      Fs.copyFileSync(Path.join(root, `deploy/observe/targets/${targets}.yml`), Path.join(folder, "targets.yml"))
      const { said, status } = promtool(["check", "config", Path.join(folder, "prometheus.yml")])
      assert.strictEqual(status, 0, said)
      assert.include(said, `${rules.length} rules found`)
    } finally {
      Fs.rmSync(folder, { recursive: true })
    }
  })

  it("reads the alerts", () => {
    const { said, status } = promtool(["check", "rules", "docs/prometheus/alerts.yml"])
    assert.strictEqual(status, 0, said)
  })

  it("sees the alerts fire when they should, and only then", () => {
    const { said, status } = promtool(["test", "rules", "test/docs/alerts.test.yml"])
    assert.strictEqual(status, 0, said)
  })
})
