/** An OTLP collector: a local HTTP server that keeps what it is sent. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

/** A span as OTLP's JSON has it, its attributes as a plain record. */
export interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly status: { readonly code: number }
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface OtlpCollector {
  readonly url: URL
  /** Bodies by path, as they came. */
  readonly bodies: (path: string) => ReadonlyArray<string>
  readonly headers: () => ReadonlyArray<Http.IncomingHttpHeaders>
  readonly spans: () => ReadonlyArray<ReceivedSpan>
}

interface KeyValue {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface WireSpan extends Omit<ReceivedSpan, "attributes"> {
  readonly attributes: ReadonlyArray<KeyValue>
}

interface TraceDocument {
  readonly resourceSpans: ReadonlyArray<{
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<WireSpan> }>
  }>
}

const spansOf = (body: string): ReadonlyArray<ReceivedSpan> => {
  const { resourceSpans } = JSON.parse(body) as TraceDocument
  return resourceSpans
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    .map((span) => ({
      ...span,
      attributes: Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
    }))
}

/** A metric as OTLP's JSON has it. */
export interface ReceivedMetric {
  readonly name: string
  readonly unit: string
  readonly gauge?: object
  readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: ReadonlyArray<{ readonly asDouble?: number }> }
}

interface MetricDocument {
  readonly resourceMetrics: ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{ readonly metrics: ReadonlyArray<ReceivedMetric> }>
  }>
}

export const metricsOf = (body: string): ReadonlyArray<ReceivedMetric> =>
  (JSON.parse(body) as MetricDocument).resourceMetrics.flatMap(({ scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) => metrics)
  )

/** On a free port of the loopback, until the scope closes; it answers with `status`. */
export const startCollectorWith = Effect.fnUntraced(function* (
  status: number
): Effect.fn.Return<OtlpCollector, never, Scope.Scope> {
  const received: Array<{ path: string; body: string; headers: Http.IncomingHttpHeaders }> = []
  const server = Http.createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
    request.on("end", () => {
      received.push({ path: request.url ?? "", body, headers: request.headers })
      response.writeHead(status, { "content-type": "application/json" }).end("{}")
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const { port } = server.address() as AddressInfo
  const bodies = (path: string) => received.filter((one) => one.path === path).map(({ body }) => body)
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    bodies,
    headers: () => received.map(({ headers }) => headers),
    spans: () => bodies("/v1/traces").flatMap(spansOf)
  }
})

/** One that takes all. */
export const startCollector: Effect.Effect<OtlpCollector, never, Scope.Scope> = startCollectorWith(200)
