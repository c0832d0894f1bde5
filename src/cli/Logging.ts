/**
 * Logs on standard error, as configured. A line of JSON also tells which request and
 * which trace it belongs to; `annotations.walletId` is there where it concerns a wallet.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Formatter from "effect/Formatter"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Stdio from "effect/Stdio"
import { inspect } from "node:util"
import { requestIdOf } from "../http/RequestId.ts"
import { requestOf, routeOf } from "../http/RequestTelemetry.ts"
import { makeScrub, type Scrub } from "./Secrets.ts"
import type { ServiceConfig } from "./ServiceConfig.ts"
import { unknownLine } from "./UnknownVariables.ts"

type LoggingConfig = Pick<ServiceConfig, "logFormat" | "logLevel" | "secrets" | "unknown">

type LogOptions = Parameters<typeof Logger.formatStructured.log>[0]

/** Of the request that the line was written for, if any. */
const requestFields = ({ fiber }: LogOptions) => {
  const request = requestOf(fiber)
  if (request === undefined) return undefined
  return { method: request.method, route: routeOf(request.url), id: requestIdOf(request) }
}

const traceFields = ({ fiber }: LogOptions) => {
  const { span } = fiber.cache
  return span?.sampled === true ? { traceId: span.traceId, spanId: span.spanId } : undefined
}

/** One line of JSON per message. */
export const jsonLogger = (scrub: Scrub): Logger.Logger<unknown, string> =>
  Logger.make((options) =>
    scrub(
      Formatter.formatJson({
        ...Logger.formatStructured.log(options),
        request: requestFields(options),
        ...traceFields(options)
      })
    )
  )

/** The value itself, unless it tells a secret: then its text without it. */
const scrubValue = (scrub: Scrub, value: unknown): unknown => {
  const text = typeof value === "string" ? value : inspect(value, { depth: 8 })
  const scrubbed = scrub(text)
  return scrubbed === text ? value : scrubbed
}

/** For people; what goes to `inner` has no secret in its message or its cause. */
export const scrubbed = <A>(inner: Logger.Logger<unknown, A>, scrub: Scrub): Logger.Logger<unknown, A> =>
  Logger.make((options) => {
    const messages = Array.isArray(options.message) ? options.message : [options.message]
    const message = messages.map((value) => scrubValue(scrub, value))
    const cause = Cause.pretty(options.cause)
    return scrub(cause) === cause
      ? inner.log({ ...options, message })
      : inner.log({ ...options, message: [...message, scrub(cause)], cause: Cause.empty })
  })

const loggers = (config: LoggingConfig) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const terminal = yield* (yield* Stdio.Stdio).stderrIsTerminal
      const format = Option.getOrElse(config.logFormat, () => (terminal ? "pretty" : "json"))
      const scrub = makeScrub(config.secrets)
      return Logger.layer([
        format === "pretty" ? scrubbed(Logger.consolePretty(), scrub) : Logger.withConsoleError(jsonLogger(scrub))
      ])
    })
  )

const warnings = ({ unknown }: LoggingConfig) =>
  Layer.effectDiscard(
    Effect.forEach(unknown, (variable) => Effect.logWarning(unknownLine(variable)), { discard: true })
  )

/** Keeps standard output free for results. The first lines are of variables that nothing reads. */
export const loggingLayer = (config: LoggingConfig) =>
  warnings(config).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        loggers(config),
        Layer.succeed(Logger.LogToStderr, true),
        Layer.succeed(References.MinimumLogLevel, config.logLevel)
      )
    )
  )
