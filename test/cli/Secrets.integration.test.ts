import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { readyDataDir } from "../support/embedded.ts"
import { startCollector } from "../support/otlpCollector.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { startTcpProxy } from "../support/tcpProxy.ts"
import { type Environment, runWallet, startService } from "./WalletProcess.ts"

const apiKey = "the-admin-key-of-this-test"
const password = "p%40ss-w%3Ard-of-this-test"
const plainPassword = decodeURIComponent(password)
const idempotencyKey = "a-key-of-a-client"
const wrongKey = "a-wrong-key-of-a-client"

const secrets = [apiKey, password, plainPassword, wrongKey]

const assertNoSecret = (text: string, hidden: ReadonlyArray<string> = secrets) => {
  for (const secret of hidden) assert.notInclude(text, secret)
}

interface Call {
  readonly body?: unknown
  readonly key?: string
}

const call = (url: string, path: string, { body, key = apiKey }: Call = {}) =>
  Effect.promise(async () => {
    const headers = {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      "idempotency-key": idempotencyKey + path
    }
    const given = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }
    const response = await fetch(url + path, { headers, ...given })
    return { status: response.status, text: await response.text() }
  })

const wallet = { id: "alice", ownerId: "alice", currency: "EUR" }

/** Requests of all sorts; what they were answered. */
const visit = Effect.fnUntraced(function* (url: string) {
  const answers = [
    yield* call(url, "/v1/wallets", { body: wallet }),
    yield* call(url, "/v1/wallets/alice/credit", { body: { amount: "10" } }),
    yield* call(url, "/v1/wallets/alice/debit", { body: { amount: "10" } }),
    yield* call(url, "/v1/wallets/alice/credit", { body: { amount: "ten" } }),
    yield* call(url, "/v1/wallets/alice", { key: wrongKey }),
    yield* call(url, "/v1/nothing", { key: wrongKey }),
    yield* call(url, "/v1/wallets/alice?at=never"),
    yield* call(url, "/v1/keys"),
    yield* call(url, "/health/ready"),
    yield* call(url, "/metrics")
  ]
  return answers.map(({ status, text }) => `${status} ${text}`).join("\n")
})

describe("secrets", () => {
  for (const format of ["json", "pretty"]) {
    it.live(`are in no log, answer, metric or trace of a service that logs everything as ${format}`, () =>
      Effect.gen(function* () {
        const collector = yield* startCollector
        const service = yield* startService({
          WALLET_DATA_DIR: yield* readyDataDir,
          WALLET_API_KEY: apiKey,
          WALLET_LOG_LEVEL: "Trace",
          WALLET_LOG_FORMAT: format,
          WALLET_TRACE_SAMPLE: "1",
          OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.href,
          OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${password}`
        })
        const answers = yield* visit(service.url)
        assert.match(answers, /^201 .*\n201 /)
        yield* service.kill("SIGTERM")
        assert.strictEqual(yield* service.exited, 0)
        const sent = ["/v1/traces", "/v1/metrics", "/v1/logs"].flatMap(collector.bodies)
        assert.isAbove(collector.spans().length, 5)
        assert.isTrue(collector.headers().every((headers) => headers["x-collector-key"] === plainPassword))
        assertNoSecret([answers, service.stderr(), ...sent].join("\n"), [...secrets, idempotencyKey])
      })
    )
  }

  const nobody = `127.0.0.1:1`
  const unusable: ReadonlyArray<readonly [title: string, environment: Environment]> = [
    ["PostgreSQL that does not answer", { DATABASE_URL: `postgres://app:${password}@${nobody}/app` }],
    ["PostgreSQL by a URL that is none", { DATABASE_URL: `postgres://app:${password}@:${nobody}:/app` }],
    ["KurrentDB by a URL that is none", { KURRENTDB_URL: `kurrent//app:${password}@${nobody}` }],
    ["Redis beside the embedded database", { REDIS_URL: `redis://app:${password}@${nobody}` }],
    ["a collector by a URL that is none", { OTEL_EXPORTER_OTLP_ENDPOINT: `http//app:${password}@${nobody}` }],
    ["headers that are none", { OTEL_EXPORTER_OTLP_HEADERS: `${password}%zz` }],
    ["a key that is too short", { WALLET_API_KEY: "hush-hush" }]
  ]
  for (const [title, environment] of unusable) {
    it.live(`are not in what is said at a start with ${title}`, () =>
      Effect.gen(function* () {
        const started = runWallet(["serve", "--port", "0", "--json"], {
          WALLET_DATA_DIR: yield* readyDataDir,
          WALLET_API_KEY: apiKey,
          WALLET_LOG_LEVEL: "Trace",
          ...environment
        })
        const { code, stderr, stdout } = yield* started
        assert.notStrictEqual(code, 0)
        assert.match(stderr, /wallet: \S+/)
        assertNoSecret(stderr + stdout, [...secrets, "hush-hush"])
      })
    )
  }

  it.live.skipIf(!postgresPresent)("are in nothing that is said while PostgreSQL is away", () =>
    Effect.gen(function* () {
      const server = new URL(Redacted.value((yield* TestPostgres).url))
      const proxy = yield* startTcpProxy(Number(server.port))
      const url = new URL(server)
      url.port = String(proxy.port)
      url.password = plainPassword
      const service = yield* startService({
        DATABASE_URL: url.href,
        WALLET_API_KEY: apiKey,
        WALLET_LOG_LEVEL: "Trace",
        WALLET_CALLER_WAIT: "2 seconds"
      })
      yield* visit(service.url)
      yield* proxy.set({ _tag: "Refuse" })
      yield* proxy.drop
      // A command of its own: one that was sent before has its answer in memory.
      const away = yield* call(service.url, "/v1/wallets/alice/credit?await=committed", { body: { amount: "1" } }).pipe(
        Effect.repeat({ while: ({ status }) => status !== 503, schedule: Schedule.spaced("50 millis") })
      )
      const paths = ["/v1/wallets/alice", "/v1/wallets", "/v1/keys", "/health/ready", "/metrics"]
      const others = yield* Effect.forEach(paths, (path) => call(service.url, path), { concurrency: "unbounded" })
      const answers = [away, ...others].map(({ text }) => text).join("\n")
      yield* service.kill("SIGTERM")
      yield* service.exited
      assert.isNotEmpty(service.stderr())
      assertNoSecret(`${answers}\n${service.stderr()}`)
    }).pipe(Effect.provide(TestPostgres.layer))
  )
})
