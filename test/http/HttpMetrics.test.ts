import { assert, describe, it, layer as itLayer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { metricsMaxAge } from "../../src/http/HealthPages.ts"
import { routeOf, unmatched } from "../../src/http/RequestTelemetry.ts"
import { clockToPush } from "../support/clocks.ts"
import * as Server from "./TestServer.ts"

const { clock, push } = clockToPush()

/** A registry of its own: other servers of this process count, too. */
const server = Server.layerWith(WalletEngine.layerMemory, {}, clock).pipe(
  Layer.provideMerge(Layer.sync(Metric.MetricRegistry, () => new Map()))
)

/** The samples of a new page, by their names and labels. */
const scrape = Effect.gen(function* () {
  push(metricsMaxAge)
  const { call } = yield* Server.TestServer
  const { headers, text } = yield* call("GET", "/metrics", { secret: null })
  assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/)
  const samples = text.split("\n").flatMap((line) => {
    const at = line.lastIndexOf(" ")
    return line === "" || line.startsWith("#") ? [] : [[line.slice(0, at), Number(line.slice(at + 1))] as const]
  })
  return new Map(samples)
})

describe("metrics over HTTP", () => {
  itLayer(server, { excludeTestServices: true })((it) => {
    it.effect("have the status 500 of every route from the start, so that the first is an increase", () =>
      Effect.gen(function* () {
        const samples = yield* scrape
        for (const [method, route] of [
          ["POST", "/v1/batch"],
          ["GET", "/v1/wallets/{id}"],
          ["DELETE", "/v1/keys/{id}"]
        ])
          assert.strictEqual(samples.get(`http_requests_total{method="${method}",route="${route}",status="500"}`), 0)
      })
    )

    it.effect("count requests by method, route and status, on the fast path and on the usual one", () =>
      Effect.gen(function* () {
        const { call, wallet } = yield* Server.TestServer
        const id = yield* wallet()
        const before = yield* scrape
        yield* call("POST", `/v1/wallets/${id}/credit`, { key: "a", body: { amount: "5" } })
        yield* call("POST", `/v1/wallets/${id}/credit?await=committed`, { key: "b", body: { amount: "5" } })
        yield* call("POST", `/v1/wallets/${id}/debit`, { key: "c", body: { amount: "500" } })
        yield* call("GET", `/v1/wallets/${id}`)
        yield* call("GET", `/v1/wallets/none`)
        yield* call("GET", `/v1/wallets/${id}`, { secret: null })
        yield* call("GET", `/nothing/${id}`)
        const after = yield* scrape
        const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
        const requests = (method: string, route: string, status: number) =>
          grown(`http_requests_total{method="${method}",route="${route}",status="${status}"}`)
        assert.strictEqual(requests("POST", "/v1/wallets/{id}/credit", 201), 2)
        assert.strictEqual(requests("POST", "/v1/wallets/{id}/debit", 422), 1)
        assert.strictEqual(requests("GET", "/v1/wallets/{id}", 200), 1)
        assert.strictEqual(requests("GET", "/v1/wallets/{id}", 404), 1)
        assert.strictEqual(requests("GET", "/v1/wallets/{id}", 401), 1)
        assert.strictEqual(requests("GET", unmatched, 404), 1)
        const timed = 'http_request_duration_seconds_count{method="POST",route="/v1/wallets/{id}/credit"}'
        assert.strictEqual(grown(timed), 2)
        assert.strictEqual(grown('wallet_commands_total{kind="credit",result="ok"}'), 2)
      })
    )

    it.effect("have no series that a client can make by asking", () =>
      Effect.gen(function* () {
        const { call } = yield* Server.TestServer
        const series = Effect.map(scrape, (samples) => samples.size)
        yield* call("GET", "/made-up/0")
        const before = yield* series
        for (let i = 1; i < 50; i++) yield* call("GET", `/made-up/${i}/"\\{}`)
        assert.strictEqual(yield* series, before)
      })
    )

    it.effect("are made once in a second, however often somebody asks", () =>
      Effect.gen(function* () {
        const { call } = yield* Server.TestServer
        const page = Effect.map(call("GET", "/metrics", { secret: null }), ({ text }) => text)
        push(metricsMaxAge)
        const first = yield* page
        for (let i = 0; i < 5; i++) yield* call("GET", "/nothing")
        const again = yield* page
        push(metricsMaxAge)
        assert.notStrictEqual(yield* page, first)
        assert.strictEqual(again, first)
      })
    )

    it.effect("carry no key and no wallet", () =>
      Effect.gen(function* () {
        const { call, secrets, wallet } = yield* Server.TestServer
        const id = yield* wallet()
        yield* call("POST", `/v1/wallets/${id}/credit`, { key: "a-key-to-hide", body: { amount: "5" } })
        const { text } = yield* call("GET", "/metrics", { secret: null })
        for (const hidden of ["a-key-to-hide", `${id}"`, ...Object.values(secrets)]) assert.notInclude(text, hidden)
      })
    )
  })
})

describe("the route of a path", () => {
  it("is a name of the definition, or unmatched", () => {
    const routes = [
      ["/v1/wallets", "/v1/wallets"],
      ["/v1/wallets?ownerId=a/b", "/v1/wallets"],
      ["/v1/wallets/alice", "/v1/wallets/{id}"],
      ["/v1/wallets/alice/holds/h1/capture?await=committed", "/v1/wallets/{id}/holds/{holdId}/capture"],
      ["/health/live", "/health/live"],
      ["/openapi.json", "/openapi.json"],
      ["/v1/wallets/", unmatched],
      ["/v1/wallets//holds", unmatched],
      ["/v1/wallets/alice/nothing", unmatched],
      ["/v1", unmatched],
      ["/", unmatched],
      ["", unmatched],
      ["*", unmatched],
      ["/V1/wallets", unmatched]
    ]
    assert.deepStrictEqual(
      routes.map(([path = ""]) => [path, routeOf(path)]),
      routes
    )
  })
})
