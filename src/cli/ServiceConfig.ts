/**
 * The whole configuration of the service and its tools, from Effect's `Config`: the
 * engine's, the HTTP server's, and what the executable itself needs.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type EngineConfig, engineConfig, refuseLaterStores, type StoreNotSupported } from "../engine/EngineConfig.ts"
import { httpConfig, type HttpConfigValues } from "../http/HttpConfig.ts"

export type LogFormat = "pretty" | "json"

export interface ServiceConfig {
  readonly engine: EngineConfig
  readonly http: HttpConfigValues
  /** `WALLET_API_KEY`: an admin key, instead of the one made at the first start. */
  readonly apiKey: Option.Option<Redacted.Redacted>
  /** `WALLET_LOG_LEVEL`, default `Info`. */
  readonly logLevel: LogLevel.LogLevel
  /** `WALLET_LOG_FORMAT`; none: pretty on a terminal, JSON otherwise. */
  readonly logFormat: Option.Option<LogFormat>
  /** `OTEL_EXPORTER_OTLP_ENDPOINT`: where traces, logs and metrics go, beside standard error and `/metrics`. */
  readonly otlpEndpoint: Option.Option<URL>
}

const config: Config.Config<ServiceConfig> = Config.all({
  engine: engineConfig,
  http: httpConfig,
  apiKey: Config.option(Config.Redacted("WALLET_API_KEY")),
  logLevel: Config.LogLevel("WALLET_LOG_LEVEL").pipe(Config.withDefault("Info" as const)),
  logFormat: Config.option(Config.Literals(["pretty", "json"], "WALLET_LOG_FORMAT")),
  otlpEndpoint: Config.option(Config.URL("OTEL_EXPORTER_OTLP_ENDPOINT"))
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
export const loadServiceConfig: Effect.Effect<ServiceConfig, ConfigurationWrong | StoreNotSupported> = Effect.gen(
  function* () {
    const loaded = yield* config
    yield* refuseLaterStores()
    return loaded
  }
).pipe(Effect.catchTag("ConfigError", (error) => Effect.fail(explain(error))))
