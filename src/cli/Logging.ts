/** Logs on standard error, as configured; traces, logs and metrics over OTLP where that is configured. */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Otlp from "effect/observability/Otlp"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Stdio from "effect/Stdio"
import type { ServiceConfig } from "./ServiceConfig.ts"

type LoggingConfig = Pick<ServiceConfig, "logFormat" | "logLevel" | "otlpEndpoint">

const json = Logger.withConsoleError(Logger.formatJson)

const loggers = (config: LoggingConfig) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const terminal = yield* (yield* Stdio.Stdio).stderrIsTerminal
      const format = Option.getOrElse(config.logFormat, () => (terminal ? "pretty" : "json"))
      return Logger.layer([format === "pretty" ? Logger.consolePretty() : json])
    })
  )

/** Keeps standard output free for results. */
export const loggingLayer = (config: LoggingConfig) => {
  const local = Layer.mergeAll(
    loggers(config),
    Layer.succeed(Logger.LogToStderr, true),
    Layer.succeed(References.MinimumLogLevel, config.logLevel)
  )
  return Option.match(config.otlpEndpoint, {
    onNone: () => local,
    onSome: (endpoint) =>
      Otlp.layerJson({
        baseUrl: endpoint.href.replace(/\/$/, ""),
        resource: { serviceName: "effect-wallet" },
        loggerMergeWithExisting: true
      }).pipe(Layer.provide(FetchHttpClient.layer), Layer.provideMerge(local))
  })
}
