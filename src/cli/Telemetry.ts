/**
 * Traces, logs and metrics over OTLP, where an endpoint is configured; without one this
 * is nothing at all.
 *
 * Traces are sampled at the HTTP request: a request that is not in the sample makes no
 * span, nor does what it causes. A sender's `traceparent` decides for its request. What
 * belongs to no request (the actors, the sweepers) is not traced.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpBody from "effect/http/HttpBody"
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
import { routeOf } from "../http/RequestTelemetry.ts"
import { makeScrub, type Scrub } from "./Secrets.ts"
import type { ServiceConfig } from "./ServiceConfig.ts"

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
  span.attribute = (key, value) => {
    if (key !== "url.query") attribute(key, key === "url.full" ? String(value).replace(/[?#].*$/s, "") : value)
  }
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
  return Layer.succeed(OtlpSerialization, { traces: body, metrics: body, logs: body })
}

const exporters = ({ secrets, telemetry }: TelemetryServiceConfig, endpoint: URL) =>
  Otlp.layer({
    baseUrl: endpoint.href.replace(/\/$/, ""),
    resource: { serviceName: telemetry.serviceName },
    headers: Option.getOrUndefined(Option.map(telemetry.headers, Redacted.value)),
    loggerMergeWithExisting: true
  }).pipe(Layer.provide([serialization(makeScrub(secrets)), FetchHttpClient.layer]))

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
        Layer.succeed(HttpMiddleware.SpanNameGenerator, (request) => `${request.method} ${routeOf(request.url)}`)
      ).pipe(Layer.provideMerge(exporters(config, endpoint)))
  })
