/** What the HTTP server is configured by, with its defaults. */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"

export interface HttpConfigValues {
  /** Where to listen; `0`: any free port. */
  readonly port: number
  readonly host: string
  /** Origins that browsers may call from, `*` for all; none: CORS is off. */
  readonly corsOrigins: ReadonlyArray<string>
  /** Whether `/console` is served. */
  readonly console: boolean
  /** Requests, and commands of batches, per key and node; `undefined`: no limit. */
  readonly requestsPerSecond: number | undefined
  /** Open at a time; more are refused. */
  readonly connections: number
  /** Where else health is served, and metrics alone; `undefined`: with the API. */
  readonly metricsPort: number | undefined
  /** Milliseconds that a request would wait for its answer at which it is refused. */
  readonly maxWaitMillis: number
  /** Milliseconds for the requests in flight at a stop; then their connections are cut. */
  readonly shutdownTimeout: number
  /** Milliseconds for which entries of the audit list are kept. */
  readonly auditRetentionMillis: number
}

const dayMillis = 86_400_000

export const defaultHttpConfig: HttpConfigValues = {
  port: 3000,
  host: "127.0.0.1",
  corsOrigins: [],
  console: true,
  requestsPerSecond: undefined,
  connections: 4_096,
  metricsPort: undefined,
  maxWaitMillis: 750,
  shutdownTimeout: 8_000,
  auditRetentionMillis: 400 * dayMillis
}

const originForm = /^https?:\/\/[^\s/?#,]+$/

const Origin = Schema.String.check(
  Schema.makeFilter((origin: string) => origin === "*" || originForm.test(origin), {
    expected: "origins like https://app.example.com, or *"
  })
)

const Origins = Schema.String.pipe(
  Schema.decodeTo(Schema.Array(Origin), {
    decode: SchemaGetter.transform((text: string) => text.split(",").map((origin) => origin.trim())),
    encode: SchemaGetter.transform((origins: ReadonlyArray<string>) => origins.join(","))
  })
)

const port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }, { expected: "a port, 0 to 65535" }))

const rate = Schema.Int.check(
  Schema.isBetween({ minimum: 1, maximum: 1_000_000 }, { expected: "a whole number from 1 to 1000000" })
)

const maxWait = Schema.Finite.check(
  Schema.isBetween({ minimum: 100, maximum: 10_000 }, { expected: "a time, 100 millis to 10 seconds" })
)

const milliseconds = Schema.DurationFromString.pipe(
  Schema.decodeTo(maxWait, {
    decode: SchemaGetter.transform(Duration.toMillis),
    encode: SchemaGetter.transform((millis: number) => Duration.millis(millis))
  })
)

const retention = Schema.DurationFromString.pipe(
  Schema.decodeTo(
    Schema.Finite.check(
      Schema.isBetween({ minimum: dayMillis, maximum: 36_500 * dayMillis }, { expected: "a time, 1 day to 36500 days" })
    ),
    {
      decode: SchemaGetter.transform(Duration.toMillis),
      encode: SchemaGetter.transform((millis: number) => Duration.millis(millis))
    }
  )
)

const optional = <A>(config: Config.Config<A>): Config.Config<A | undefined> =>
  Config.map(Config.option(config), Option.getOrUndefined)

const connections = Schema.Int.check(
  Schema.isBetween({ minimum: 1, maximum: 1_000_000 }, { expected: "a whole number from 1 to 1000000" })
)

/**
 * `PORT`, `HOST`, `CORS_ORIGINS` (comma-separated), `WALLET_CONSOLE` (`on` or `off`), `RATE_LIMIT_PER_SECOND`, `WALLET_MAX_WAIT`,
 * `WALLET_HTTP_CONNECTIONS`, `WALLET_METRICS_PORT`, `WALLET_AUDIT_RETENTION`.
 */
export const httpConfig: Config.Config<HttpConfigValues> = Config.all({
  port: Config.schema(Schema.NumberFromString.pipe(Schema.decodeTo(port)), "PORT").pipe(
    Config.withDefault(defaultHttpConfig.port)
  ),
  host: Config.NonEmptyString("HOST").pipe(Config.withDefault(defaultHttpConfig.host)),
  corsOrigins: Config.schema(Origins, "CORS_ORIGINS").pipe(Config.withDefault(defaultHttpConfig.corsOrigins)),
  console: Config.Boolean("WALLET_CONSOLE").pipe(Config.withDefault(defaultHttpConfig.console)),
  requestsPerSecond: optional(
    Config.schema(Schema.NumberFromString.pipe(Schema.decodeTo(rate)), "RATE_LIMIT_PER_SECOND")
  ),
  connections: Config.schema(
    Schema.NumberFromString.pipe(Schema.decodeTo(connections)),
    "WALLET_HTTP_CONNECTIONS"
  ).pipe(Config.withDefault(defaultHttpConfig.connections)),
  metricsPort: optional(Config.schema(Schema.NumberFromString.pipe(Schema.decodeTo(port)), "WALLET_METRICS_PORT")),
  maxWaitMillis: Config.schema(milliseconds, "WALLET_MAX_WAIT").pipe(
    Config.withDefault(defaultHttpConfig.maxWaitMillis)
  ),
  auditRetentionMillis: Config.schema(retention, "WALLET_AUDIT_RETENTION").pipe(
    Config.withDefault(defaultHttpConfig.auditRetentionMillis)
  ),
  shutdownTimeout: Config.succeed(defaultHttpConfig.shutdownTimeout)
})

export class HttpConfig extends Context.Service<HttpConfig, HttpConfigValues>()("effect-wallet/http/HttpConfig") {
  static readonly layer = (values: Partial<HttpConfigValues> = {}): Layer.Layer<HttpConfig> =>
    Layer.succeed(HttpConfig, { ...defaultHttpConfig, ...values })

  static readonly layerConfig: Layer.Layer<HttpConfig, Config.ConfigError> = Layer.effect(HttpConfig, httpConfig)
}
