/**
 * Traces, logs and metrics over OTLP, where an endpoint is configured; without one this
 * is nothing at all.
 *
 * Traces are sampled at the HTTP request: a request that is not in the sample makes no
 * span, nor does what it causes. A sender's `traceparent` decides for its request. What
 * belongs to no request (the actors, the sweepers) is not traced.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import { OtlpSerialization } from "effect/observability/OtlpSerialization"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Tracer from "effect/Tracer"
import { randomUUID } from "node:crypto"
import { KeepsSeries } from "../engine/FastCounter.ts"
import { routeOf } from "../http/RequestTelemetry.ts"
import { Outage } from "../stores/StoreOutages.ts"
import { withUnits } from "./MetricUnits.ts"
import { makeScrub, type Scrub } from "./Secrets.ts"
import type { ServiceConfig } from "./ServiceConfig.ts"

/** `name=value,…`, what an operator says of this process. */
const resourceAttributes = Config.String("OTEL_RESOURCE_ATTRIBUTES").pipe(Config.withDefault(""))

type TelemetryServiceConfig = Pick<ServiceConfig, "telemetry" | "secrets">

/** Calls of probes and scrapers, every few seconds, of interest to nobody. */
const isOperational = (url: string): boolean => url.startsWith("/health/") || url.startsWith("/metrics")

/**
 * Whether a request is left out. Asked twice for a request, and the second answer must
 * be the first one, or the sample would be the rate squared.
 */
export const makeSampler = (rate: number, random: () => number) => {
  let last: HttpServerRequest | undefined
  let isLeftOut = true
  const decide = (request: HttpServerRequest): boolean => {
    if (isOperational(request.url)) return true
    const parent = HttpTraceContext.fromHeaders(request.headers)
    return Option.isSome(parent) ? !parent.value.sampled : random() >= rate
  }
  return (request: HttpServerRequest): boolean => {
    if (request !== last) {
      last = request
      isLeftOut = decide(request)
    }
    return isLeftOut
  }
}

/** A query says whom and what somebody looks for: it is in no trace. */
const withoutQuery = (span: Tracer.Span): Tracer.Span => {
  const attribute = span.attribute.bind(span)
  const told: Tracer.Span["attribute"] = (key, value) => {
    if (key !== "url.query") attribute(key, key === "url.full" ? String(value).replace(/[?#].*$/s, "") : value)
  }
  span.attribute = told
  return span
}

/** Spans begin with a request; whatever else would begin one is not sent. */
const fromRequestsOnly = (tracer: Tracer.Tracer): Tracer.Tracer => ({
  ...tracer,
  span: (options) => {
    if (options.kind === "server") return withoutQuery(tracer.span(options))
    return Option.isNone(options.parent) ? new Tracer.NativeSpan({ ...options, sampled: false }) : tracer.span(options)
  }
})

/** OTLP writes what JSON has no number for as a text. */
const finite = (_key: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value

const serialization = (scrub: Scrub) => {
  const body = (data: unknown) => HttpBody.text(scrub(JSON.stringify(data, finite)), "application/json")
  return Layer.succeed(OtlpSerialization, {
    traces: body,
    metrics: (data) => body(withUnits(data)),
    logs: body
  })
}

/** What the exporters wait for an answer in the end, each. */
const lastExportMillis = 2_000

/** What a collector says of itself, when it does not take what it is sent, is told once, and so is that it does again. */
const telling = (endpoint: URL) =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function* () {
      const outage = new Outage(`the collector at ${endpoint.origin}`, yield* Clock.Clock)
      const meanwhile = "traces, logs and metrics are dropped until it does (OTEL_EXPORTER_OTLP_ENDPOINT)"
      const refused = (path: string, reason: string) =>
        outage.failed(path, `it does not take them: ${reason}`, meanwhile)
      return (yield* HttpClient.HttpClient).pipe(
        HttpClient.transform((response, { url }) =>
          response.pipe(
            Effect.tap(({ status }) =>
              status < 300
                ? outage.answered(url)
                : refused(url, `${status}${status === 401 ? ` (${headersHint})` : ""}`)
            ),
            Effect.tapError((error) => refused(url, causeOf(error)))
          )
        )
      )
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))

const headersHint = "check OTEL_EXPORTER_OTLP_HEADERS"

/** The innermost words: what `fetch` itself says is that it failed. */
const causeOf = (error: unknown): string => {
  let inner = error
  while (typeof inner === "object" && inner !== null && "cause" in inner && inner.cause instanceof Error)
    inner = inner.cause
  if (inner instanceof AggregateError && inner.errors.length > 0) inner = inner.errors[inner.errors.length - 1]
  return inner instanceof Error ? inner.message : String(inner)
}

/** One for each start, unless the operator has named this process. */
const resourceOf = Effect.fnUntraced(function* (serviceName: string) {
  const given = yield* Effect.orElseSucceed(resourceAttributes, () => "")
  const isNamed = /(?:^|,)\s*service\.instance\.id\s*=/.test(given)
  return { serviceName, attributes: isNamed ? {} : { "service.instance.id": randomUUID() } }
})

const exporters = ({ secrets, telemetry }: TelemetryServiceConfig, endpoint: URL) =>
  Layer.unwrap(
    Effect.map(resourceOf(telemetry.serviceName), (resource) =>
      Otlp.layer({
        baseUrl: endpoint.href.replace(/\/$/, ""),
        resource,
        headers: Option.getOrUndefined(Option.map(telemetry.headers, Redacted.value)),
        loggerMergeWithExisting: true,
        shutdownTimeout: lastExportMillis
      })
    )
  ).pipe(Layer.provide([serialization(makeScrub(secrets)), telling(endpoint)]))

/** Over the loggers in context, which go on as they are. */
export const telemetryLayer = (config: TelemetryServiceConfig): Layer.Layer<never> =>
  Option.match(config.telemetry.endpoint, {
    onNone: () => Layer.empty,
    onSome: (endpoint) =>
      Layer.mergeAll(
        Layer.effect(Tracer.Tracer, Effect.map(Tracer.Tracer, fromRequestsOnly)),
        Layer.effect(
          HttpMiddleware.TracerDisabledWhen,
          Effect.map(Random.Random, (random) => makeSampler(config.telemetry.sample, () => random.nextDoubleUnsafe()))
        ),
        // The last export comes when all others have ended, and tells what they came to.
        Layer.succeed(KeepsSeries, true),
        Layer.succeed(HttpMiddleware.SpanNameGenerator, (request) => `${request.method} ${routeOf(request.url)}`)
      ).pipe(Layer.provideMerge(exporters(config, endpoint)))
  })
