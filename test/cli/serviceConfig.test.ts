import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { loadServiceConfig } from "../../src/cli/ServiceConfig.ts"
import { toJson } from "../../src/cli/Output.ts"

const load = (env: Readonly<Record<string, string>>) =>
  loadServiceConfig.pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))

describe("the service's configuration", () => {
  it.effect("has defaults for everything", () =>
    Effect.gen(function* () {
      const config = yield* load({})
      assert.strictEqual(config.http.port, 3000)
      assert.strictEqual(config.http.host, "127.0.0.1")
      assert.strictEqual(config.engine.stores.dataDir, ".data")
      assert.strictEqual(config.engine.partitions, 1024)
      assert.strictEqual(config.logLevel, "Info")
      assert.isTrue(
        Option.isNone(config.apiKey) && Option.isNone(config.logFormat) && Option.isNone(config.telemetry.endpoint)
      )
    })
  )

  it.effect("takes what the environment says", () =>
    Effect.gen(function* () {
      const config = yield* load({
        PORT: "8080",
        WALLET_DATA_DIR: "elsewhere",
        WALLET_LOG_LEVEL: "Debug",
        WALLET_LOG_FORMAT: "pretty",
        WALLET_IDLE_TIME: "5 minutes",
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318",
        OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b, other=c",
        WALLET_TRACE_SAMPLE: "0.25"
      })
      assert.deepStrictEqual(Redacted.value(Option.getOrThrow(config.telemetry.headers)), {
        "x-key": "a b",
        other: "c"
      })
      assert.strictEqual(config.telemetry.sample, 0.25)
      assert.strictEqual(config.http.port, 8080)
      assert.strictEqual(config.engine.stores.dataDir, "elsewhere")
      assert.strictEqual(config.engine.bounds.idleMillis, 300_000)
      assert.deepStrictEqual(config.logFormat, Option.some("pretty" as const))
      assert.strictEqual(config.logLevel, "Debug")
      assert.strictEqual(Option.getOrThrow(config.telemetry.endpoint).href, "http://127.0.0.1:4318/")
    })
  )

  it.effect("keeps secrets out of what is printed", () =>
    Effect.gen(function* () {
      const config = yield* load({ WALLET_API_KEY: "hush-hush", DATABASE_URL: "postgres://u:hush-hush@h/d" })
      assert.strictEqual(Redacted.value(Option.getOrThrow(config.apiKey)), "hush-hush")
      assert.notInclude(toJson(config) + String(config.apiKey), "hush-hush")
    })
  )

  const wrong: ReadonlyArray<readonly [variable: string, value: string]> = [
    ["PORT", "abc"],
    ["PORT", "70000"],
    ["PORT", "80.5"],
    ["RATE_LIMIT_PER_SECOND", "0"],
    ["WALLET_PARTITIONS", "0"],
    ["WALLET_SQL_CONNECTIONS", "many"],
    ["WALLET_IDLE_TIME", "soon"],
    ["WALLET_LOG_LEVEL", "loud"],
    ["WALLET_LOG_FORMAT", "xml"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a key alone"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "name=%FF"],
    ["WALLET_TRACE_SAMPLE", "2"],
    ["ELASTICSEARCH_URL", "localhost:9200"],
    ["ELASTICSEARCH_URL", "http://one:9200,two:9200"],
    ["ELASTICSEARCH_URL", "http://elastic:secret@one:9200"],
    ["ELASTICSEARCH_CA_FINGERPRINT", "AB:CD"],
    ["WALLET_SEARCH_PREFIX", "Wallet"],
    ["WALLET_SEARCH_SHARDS", "0"],
    ["WALLET_SEARCH_REFRESH", "1 milli"],
    ["WALLET_SEARCH_TIMEOUT", "10 millis"],
    ["WALLET_SEARCH_REBUILD", "sometimes"]
  ]
  for (const [variable, value] of wrong) {
    it.effect(`refuses ${variable}=${value} in one line that names the variable`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(load({ [variable]: value }))
        assert.match(error.message, new RegExp(`^${variable} is wrong: [^\n]+$`))
      })
    )
  }
})
