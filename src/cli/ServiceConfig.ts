/**
 * The whole configuration of the service and its tools, from Effect's `Config`: the
 * engine's, the HTTP server's, and what the executable itself needs.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type ClusterConfig, clusterConfig } from "../cluster/ClusterConfig.ts"
import { type EngineConfig, engineConfig } from "../engine/EngineConfig.ts"
import { secretOf } from "../engine/EngineStores.ts"
import { type UnknownVariable, withUnknown } from "./UnknownVariables.ts"
import { httpConfig, type HttpConfigValues } from "../http/HttpConfig.ts"
import { type WebhooksConfig, webhooksConfig } from "../webhooks/Webhooks.ts"

export type LogFormat = "pretty" | "json"

export interface ServiceConfig {
  readonly engine: EngineConfig
  /** `None`: a single node. */
  readonly cluster: Option.Option<ClusterConfig>
  readonly http: HttpConfigValues
  readonly webhooks: WebhooksConfig
  /** `WALLET_API_KEY`: an admin key, instead of the one made at the first start. */
  readonly apiKey: Option.Option<Redacted.Redacted>
  /** `WALLET_MCP_KEY`: with which `wallet mcp` acts over standard input and output. */
  readonly mcpKey: Option.Option<Redacted.Redacted>
  /** `WALLET_LOG_LEVEL`, default `Info`. */
  readonly logLevel: LogLevel.LogLevel
  /** `WALLET_LOG_FORMAT`; none: pretty on a terminal, JSON otherwise. */
  readonly logFormat: Option.Option<LogFormat>
  readonly telemetry: TelemetryConfig
  /** What must not be read in any log or trace. */
  readonly secrets: ServiceSecrets
  /** Variables that are set and that nothing reads. */
  readonly unknown: ReadonlyArray<UnknownVariable>
}

export interface TelemetryConfig {
  /** `OTEL_EXPORTER_OTLP_ENDPOINT`: where traces, logs and metrics go, beside standard error and `/metrics`. */
  readonly endpoint: Option.Option<URL>
  /** `OTEL_EXPORTER_OTLP_HEADERS`: `name=value,…`, percent-encoded. */
  readonly headers: Option.Option<Redacted.Redacted<Readonly<Record<string, string>>>>
  /** `OTEL_SERVICE_NAME`, default `effect-wallet`. */
  readonly serviceName: string
  /** `WALLET_TRACE_SAMPLE`: the share of requests that are traced, 0 to 1, default 0.01; a sender's `traceparent` overrides it. */
  readonly sample: number
}

export interface ServiceSecrets {
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  /** Connection strings; of these the passwords are secret. */
  readonly urls: ReadonlyArray<Redacted.Redacted>
}

const isUriEncoded = (text: string): boolean => {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** `undefined`: not of that form. */
const otlpHeaders = (text: string): Record<string, string> | undefined => {
  const headers: Record<string, string> = {}
  for (const pair of text.split(",")) {
    const [, name, value] = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([^\s,]+)\s*$/.exec(pair) ?? []
    if (name === undefined || value === undefined || !isUriEncoded(value)) return undefined
    headers[name] = decodeURIComponent(value)
  }
  return headers
}

const isHttpUrl = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)

const OtlpHeaders = Schema.String.check(
  Schema.makeFilter((text: string) => otlpHeaders(text) !== undefined, {
    expected: "pairs like name=value,name=value, percent-encoded"
  })
)

const telemetry: Config.Config<TelemetryConfig> = Config.all({
  // `localhost:4318` reads as a URL, too: of the scheme `localhost`.
  endpoint: Config.option(
    secretOf("OTEL_EXPORTER_OTLP_ENDPOINT", isHttpUrl, "http://host:4318 or https://host:4318").pipe(
      Config.map((text) => new URL(Redacted.value(text)))
    )
  ),
  headers: Config.option(
    Config.schema(OtlpHeaders, "OTEL_EXPORTER_OTLP_HEADERS").pipe(
      Config.map((text) => Redacted.make(otlpHeaders(text) ?? {}))
    )
  ),
  serviceName: Config.NonEmptyString("OTEL_SERVICE_NAME").pipe(Config.withDefault("effect-wallet")),
  sample: Config.schema(
    Schema.FiniteFromString.check(Schema.isBetween({ minimum: 0, maximum: 1 }, { expected: "a share from 0 to 1" })),
    "WALLET_TRACE_SAMPLE"
  ).pipe(Config.withDefault(0.01))
})

/** Read by their names, whichever part uses them. */
const secrets: Config.Config<ServiceSecrets> = Config.all({
  keys: Config.all(
    [
      "WALLET_API_KEY",
      "WALLET_MCP_KEY",
      "WALLET_CLUSTER_SECRET",
      "ELASTICSEARCH_API_KEY",
      "ELASTICSEARCH_PASSWORD"
    ].map((name) => Config.option(Config.Redacted(name)))
  ),
  headers: telemetry.pipe(
    Config.map(({ headers }) =>
      Option.match(headers, { onNone: () => [], onSome: (redacted) => Object.values(Redacted.value(redacted)) })
    )
  ),
  urls: Config.all(
    ["DATABASE_URL", "KURRENTDB_URL", "REDIS_URL", "ELASTICSEARCH_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"].map((name) =>
      Config.option(Config.Redacted(name))
    )
  )
}).pipe(
  Config.map(({ headers, keys, urls }) => ({
    secrets: [...keys.flatMap(Option.toArray), ...headers.map((header) => Redacted.make(header))],
    urls: urls.flatMap(Option.toArray)
  }))
)

const config: Config.Config<Omit<ServiceConfig, "unknown">> = Config.all({
  engine: engineConfig,
  cluster: clusterConfig,
  http: httpConfig,
  webhooks: webhooksConfig,
  apiKey: Config.option(Config.Redacted("WALLET_API_KEY")),
  mcpKey: Config.option(Config.Redacted("WALLET_MCP_KEY")),
  logLevel: Config.LogLevel("WALLET_LOG_LEVEL").pipe(Config.withDefault("Info" as const)),
  logFormat: Config.option(Config.Literals(["pretty", "json"], "WALLET_LOG_FORMAT")),
  telemetry,
  secrets
})

/** A variable has a value that it cannot have. */
export class ConfigurationWrong extends Schema.TaggedError<ConfigurationWrong>()("ConfigurationWrong", {
  variable: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return this.variable === "" ? this.reason : `${this.variable} is wrong: ${this.reason}`
  }
}

const issuePlace = /^(?:SchemaError\()?(.*?)\s+at \["([^"]+)"\]/s

/** One line that names the variable; never its value, which may be a secret. */
const explain = (error: Config.ConfigError): ConfigurationWrong => {
  const [, reason = error.message, variable = ""] = issuePlace.exec(error.message) ?? []
  const sentence = reason.replace(/\s+/g, " ").trim()
  return new ConfigurationWrong({ variable, reason: sentence.charAt(0).toLowerCase() + sentence.slice(1) })
}

/** All of it, checked; the first wrong value fails in one clear line. */
export const loadServiceConfig: Effect.Effect<ServiceConfig, ConfigurationWrong> = Effect.gen(function* () {
  const { unknown, value } = yield* withUnknown(config)
  return { ...value, unknown }
}).pipe(Effect.catchTag("ConfigError", (error) => Effect.fail(explain(error))))
