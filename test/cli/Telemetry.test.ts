import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { freePort } from "../../bench/servers/ServerProcess.ts"
import * as EngineMetrics from "../../src/actors/EngineMetrics.ts"
import { unitOf } from "../../src/cli/MetricUnits.ts"
import { processMetrics } from "../../src/cli/ProcessMetrics.ts"
import { makeSampler, telemetryLayer } from "../../src/cli/Telemetry.ts"
import * as ClusterMetrics from "../../src/cluster/ClusterMetrics.ts"
import * as Server from "../http/TestServer.ts"
import {
  metricsOf,
  type OtlpCollector,
  type ReceivedMetric,
  type ReceivedSpan,
  startCollector,
  startCollectorWith
} from "../support/otlpCollector.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const parentId = "00f067aa0ba902b7"

const settings = (url: URL, sample: number) => ({
  telemetry: {
    endpoint: Option.some(url),
    headers: Option.some(Redacted.make({ "x-collector-key": "collector-secret" })),
    serviceName: "wallet-test",
    sample
  },
  secrets: { secrets: [], urls: [] }
})

/** Runs `use` on a server that exports to a collector; everything has arrived when this ends. */
const exported = Effect.fnUntraced(function* (
  sample: number,
  use: (server: Server.TestServer["Service"]) => Effect.Effect<void>
): Effect.fn.Return<OtlpCollector, never, Scope.Scope> {
  const collector = yield* startCollector
  const telemetry = telemetryLayer(settings(collector.url, sample))
  const server = Layer.merge(Server.layer(), processMetrics).pipe(
    Layer.provide(telemetry),
    Layer.provide(Layer.sync(Metric.MetricRegistry, () => new Map()))
  )
  yield* Effect.orDie(Effect.provide(Effect.flatMap(Server.TestServer, use), Layer.fresh(server)))
  return collector
})

const ofName = (spans: ReadonlyArray<ReceivedSpan>, name: string): ReceivedSpan => {
  const found = spans.filter((span) => span.name === name)
  assert.strictEqual(found.length, 1, `one span is called ${name}, of ${spans.map((span) => span.name).join(", ")}`)
  return found[0]!
}

describe("traces over OTLP", () => {
  it.live("tell request, wallet and command of a sampled request, and no secret", () =>
    Effect.gen(function* () {
      let secrets: ReadonlyArray<string> = []
      let id = ""
      const collector = yield* exported(
        1,
        Effect.fnUntraced(function* (server) {
          secrets = Object.values(server.secrets)
          id = yield* server.wallet()
          yield* server.call("POST", `/v1/wallets/${id}/credit`, {
            key: "the-key-itself",
            body: { amount: "5" },
            headers: { traceparent: `00-${traceId}-${parentId}-01` }
          })
          yield* server.call("POST", `/v1/wallets/${id}/debit?await=committed`, { key: "d", body: { amount: "500" } })
          yield* server.call("GET", `/v1/wallets/${id}`)
          yield* server.call("PATCH", `/v1/wallets/${id}?await=committed`, { key: "p", body: { metadata: {} } })
          yield* server.call("GET", "/v1/wallets?q=somebody-s-name&ownerId=o")
        })
      )
      const spans = collector.spans()
      const request = ofName(spans, "POST /v1/wallets/{id}/credit")
      assert.deepInclude(request, { traceId, parentSpanId: parentId })
      assert.deepInclude(request.attributes, {
        "http.route": "/v1/wallets/{id}/credit",
        "http.response.status_code": 201
      })
      const credit = ofName(spans, "wallet.credit")
      assert.deepInclude(credit, { traceId, parentSpanId: request.spanId })
      const { "wallet.command.id": commandId, "wallet.key.hash": hash, ...told } = credit.attributes
      assert.deepStrictEqual(told, {
        "wallet.id": id,
        "wallet.command.kind": "credit",
        "wallet.command.result": "ok",
        "wallet.correlation.id": traceId,
        "wallet.version": 1
      })
      assert.match(String(commandId), /^[0-9a-f-]{36}$/)
      assert.match(String(hash), /^[0-9a-f]{24}$/)
      const debit = ofName(spans, "wallet.debit")
      assert.strictEqual(debit.attributes["wallet.command.code"], "InsufficientFunds")
      assert.strictEqual(debit.status.code, 1, "a rejection is no error of the service")
      for (const [name, route, path] of [
        ["GET /v1/wallets/{id}", "/v1/wallets/{id}", `/v1/wallets/${id}`],
        ["PATCH /v1/wallets/{id}", "/v1/wallets/{id}", `/v1/wallets/${id}`],
        ["POST /v1/wallets/{id}/debit", "/v1/wallets/{id}/debit", `/v1/wallets/${id}/debit`],
        ["GET /v1/wallets", "/v1/wallets", "/v1/wallets"]
      ] as const) {
        const { attributes } = ofName(spans, name)
        assert.strictEqual(attributes["http.route"], route)
        assert.match(String(attributes["url.full"]), new RegExp(`^http://127\\.0\\.0\\.1:\\d+${path}$`))
        assert.notProperty(attributes, "url.query")
      }
      const sent = ["/v1/traces", "/v1/metrics", "/v1/logs"].flatMap(collector.bodies).join("\n")
      assert.include(sent, "wallet-test")
      for (const secret of [...secrets, "the-key-itself", "collector-secret", "somebody-s-name"])
        assert.notInclude(sent, secret)
      assert.isTrue(collector.headers().every((headers) => headers["x-collector-key"] === "collector-secret"))
    })
  )

  it.live("have no span of an unsampled request, but of one whose sender asks for it", () =>
    Effect.gen(function* () {
      const collector = yield* exported(
        0,
        Effect.fnUntraced(function* (server) {
          const id = yield* server.wallet()
          const read = (flags: string) =>
            server.call("GET", `/v1/wallets/${id}`, { headers: { traceparent: `00-${traceId}-${parentId}-${flags}` } })
          yield* server.call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "5" } })
          yield* read("00")
          yield* read("01")
          yield* server.call("GET", "/health/ready", { headers: { traceparent: `00-${traceId}-${parentId}-01` } })
        })
      )
      assert.deepStrictEqual(
        collector.spans().map(({ name, parentSpanId }) => [name, parentSpanId]),
        [["GET /v1/wallets/{id}", parentId]]
      )
      assert.isNotEmpty(collector.bodies("/v1/metrics"))
    })
  )

  it.live("have a span of each command of a sampled batch, and of a transfer", () =>
    Effect.gen(function* () {
      const collector = yield* exported(
        1,
        Effect.fnUntraced(function* (server) {
          const from = yield* server.wallet()
          const to = yield* server.wallet()
          const item = { type: "credit", amount: "5" }
          yield* server.call("POST", "/v1/batch", {
            body: { commands: [from, to].map((walletId) => ({ ...item, walletId, idempotencyKey: walletId })) }
          })
          yield* server.call("POST", "/v1/transfers", { key: "t", body: { from, to, amount: "5" } })
        })
      )
      const spans = collector.spans()
      const batch = ofName(spans, "POST /v1/batch")
      const credits = spans.filter(({ name }) => name === "wallet.credit")
      assert.deepStrictEqual(
        credits.map(({ parentSpanId }) => parentSpanId),
        [batch.spanId, batch.spanId]
      )
      const transfer = ofName(spans, "wallet.transfer")
      assert.strictEqual(transfer.parentSpanId, ofName(spans, "POST /v1/transfers").spanId)
      assert.strictEqual(transfer.attributes["wallet.transfer.status"], "completed")
    })
  )

  it("are sampled by the configured share, one decision to a request", () => {
    const draws = [0.2, 0.7, 0.1, 0.3]
    const isLeftOut = makeSampler(0.25, () => draws.shift() ?? assert.fail("more than one draw for a request"))
    const requests = Array.from({ length: 4 }, () =>
      HttpServerRequest.fromWeb(new Request("http://localhost/v1/wallets"))
    )
    assert.deepStrictEqual(
      requests.map((request) => [isLeftOut(request), isLeftOut(request)]),
      [
        [false, false],
        [true, true],
        [false, false],
        [true, true]
      ]
    )
  })

  it("cost nothing without an endpoint", () => {
    const telemetry = { endpoint: Option.none(), headers: Option.none(), serviceName: "wallet", sample: 1 }
    assert.strictEqual(telemetryLayer({ telemetry, secrets: { secrets: [], urls: [] } }), Layer.empty)
  })
})

/** As a collector writes names for Prometheus: by the unit, what is in braces left out, `1` of a gauge a ratio. */
const prometheusName = ({ gauge, name, sum, unit }: ReceivedMetric): string => {
  const word =
    { s: "seconds", By: "bytes", "1": gauge === undefined ? "" : "ratio" }[unit] ?? unit.replace(/\{.*\}/, "")
  const plain = name.replace(/_total$/, "")
  const withUnit = word === "" || plain.endsWith(`_${word}`) ? plain : `${plain}_${word}`
  return sum?.isMonotonic === true ? `${withUnit}_total` : withUnit
}

describe("metrics over OTLP", () => {
  const oneVisit = Effect.fnUntraced(function* (server: Server.TestServer["Service"]) {
    const id = yield* server.wallet()
    yield* server.call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "5" } })
  })

  it.live("are all in the last export, with what came last, under the names that alerts have", () =>
    Effect.gen(function* () {
      let page = ""
      const collector = yield* exported(
        1,
        Effect.fnUntraced(function* (server) {
          yield* oneVisit(server)
          page = (yield* server.call("GET", "/metrics", { secret: null })).text
        })
      )
      const shown = new Set(Array.from(page.matchAll(/^# TYPE (\S+)/gm), ([, name = ""]) => name))
      assert.isAbove(shown.size, 30)
      const last = metricsOf(collector.bodies("/v1/metrics").at(-1)!)
      const sent = new Map(last.map((metric) => [metric.name, metric]))
      assert.deepStrictEqual(
        [...shown].filter((name) => !sent.has(name)),
        []
      )
      assert.deepStrictEqual(
        last.map(prometheusName),
        last.map(({ name }) => name)
      )
      assert.deepStrictEqual(
        last.filter(({ unit }) => unit === "1"),
        []
      )
      const requests = sent.get("http_requests_total")?.sum?.dataPoints ?? []
      assert.isAbove(
        requests.reduce((total, { asDouble = 0 }) => total + asDouble, 0),
        2
      )
    })
  )

  it("have a unit by what they count", () => {
    const units = {
      wallet_append_duration_seconds: "s",
      process_cpu_seconds_total: "s",
      process_resident_memory_bytes: "By",
      wallet_commands_total: "{command}",
      wallet_resident_wallets: "{wallet}",
      wallet_append_retries_total: "{retry}",
      wallet_clock_behind_total: "{batch}",
      wallet_sweep_deferred: "{item}",
      wallet_leases_held: "{lease}"
    }
    assert.deepStrictEqual(Object.fromEntries(Object.keys(units).map((name) => [name, unitOf(name)])), units)
    const unnamed = [...Object.values(EngineMetrics), ...Object.values(ClusterMetrics)]
      .map(({ id }) => id)
      .filter((id) => unitOf(id) === "{count}")
    assert.deepStrictEqual(unnamed, [])
  })

  it.live("and all else name the same process", () =>
    Effect.gen(function* () {
      const collector = yield* exported(1, oneVisit)
      const instances = ["/v1/traces", "/v1/metrics", "/v1/logs"].map((path) => {
        const bodies = collector.bodies(path)
        return new Set(
          bodies.flatMap((body) =>
            Array.from(body.matchAll(/"service\.instance\.id","value":\{"stringValue":"([^"]+)"/g), ([, id]) => id)
          )
        )
      })
      assert.lengthOf([...instances[0]!], 1)
      assert.deepStrictEqual(instances[1], instances[0])
      if (collector.bodies("/v1/logs").length > 0) assert.deepStrictEqual(instances[2], instances[0])
    })
  )
})

describe("a collector that takes nothing", () => {
  const warnings = Effect.fnUntraced(function* (url: URL) {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel === "Warn" || logLevel === "Error") lines.push(String(message))
    })
    const server = Server.layer().pipe(
      Layer.provide(telemetryLayer(settings(url, 1))),
      Layer.provide(Logger.layer([logger])),
      Layer.provide(Layer.sync(Metric.MetricRegistry, () => new Map()))
    )
    const visit = Effect.flatMap(Server.TestServer, (one) => one.wallet())
    yield* Effect.orDie(Effect.provide(visit, Layer.fresh(server)))
    return lines
  })

  it.live("because it is not there is one warning", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      assert.deepStrictEqual(yield* warnings(new URL(`http://127.0.0.1:${port}`)), [
        `the collector at http://127.0.0.1:${port}: it does not take them: connect ECONNREFUSED 127.0.0.1:${port}; ` +
          "traces, logs and metrics are dropped until it does (OTEL_EXPORTER_OTLP_ENDPOINT)"
      ])
    })
  )

  it.live("because it does not know us is one warning", () =>
    Effect.gen(function* () {
      const { url } = yield* startCollectorWith(401)
      const lines = yield* warnings(url)
      assert.lengthOf(lines, 1)
      assert.include(lines[0], "it does not take them: 401 (check OTEL_EXPORTER_OTLP_HEADERS)")
    })
  )
})
