/** Puts `RequestAdmission` before the listeners of a Node server, and shows in metrics and log what it does. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Http from "node:http"
import { elapsedMillis } from "../actors/Deadlines.ts"
import { removeWithScope } from "../engine/FastCounter.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import { ApiKeys } from "./ApiKeys.ts"
import { bearerOf } from "./Authentication.ts"
import type { HttpConfigValues } from "./HttpConfig.ts"
import { exposedHeaders } from "./RequestId.ts"
import { lookMillis, RequestAdmission } from "./RequestAdmission.ts"
import { kinds } from "./RequestKind.ts"

/** As the CORS layer sets them for what is served: without them a browser hides a refusal from its page. */
const originHeaders =
  (allowed: ReadonlyArray<string>) =>
  (origin: string | undefined): ReadonlyArray<readonly [string, string]> => {
    const isAny = allowed.includes("*")
    if (allowed.length === 0 || origin === undefined || !(isAny || allowed.includes(origin))) return []
    const headers = [
      ["access-control-allow-origin", isAny ? "*" : origin],
      ["access-control-expose-headers", exposedHeaders.join(", ")]
    ] as const
    return isAny ? headers : [...headers, ["vary", "Origin"]]
  }

const makeAdmission = Effect.fnUntraced(function* ({ corsOrigins, maxWaitMillis }: HttpConfigValues) {
  const run = yield* FiberSet.makeRuntime<never, void, never>()
  const outages = yield* StoreOutages.current
  const keys = yield* ApiKeys
  /** While a store is away requests pile up: that has been told, and is not told twice. */
  let isOwnNews = true
  return new RequestAdmission({
    maxWaitMillis,
    keyOf: ({ headers }) => keys.known(bearerOf(headers.authorization))?.id,
    originHeaders: originHeaders(corsOrigins),
    events: {
      refusing: ({ inFlight, requestsPerSecond, standsStill }) => {
        const why = standsStill ? "next to nothing is answered" : "more comes than can be answered"
        isOwnNews = !outages.isAnyOn()
        const log = isOwnNews ? Effect.logWarning : Effect.logDebug
        run(log(`requests are refused: ${why}`, { inFlight, answeredPerSecond: requestsPerSecond }))
      },
      over: (refused) => {
        const log = isOwnNews ? Effect.logInfo : Effect.logDebug
        run(log(`requests are no longer refused; ${refused} requests and connections were`))
      }
    }
  })
})

const ignored = () => undefined

/** Read when somebody looks at the metrics. */
const showMetrics = Effect.fnUntraced(function* (admission: RequestAdmission) {
  const context = yield* Effect.context<never>()
  const registrations: Array<Metric.Registration> = []
  const gauge = (name: string, description: string, attributes: Record<string, string>, get: () => number) => {
    const hooks = { get: () => ({ value: get() }), update: ignored, modify: ignored }
    registrations.push(Metric.registerUnsafe(Metric.gauge(name, { description, attributes }), context, hooks))
  }
  const counter = (name: string, description: string, attributes: Record<string, string>, get: () => number) => {
    const metric = Metric.counter(name, { description, attributes, incremental: true })
    const hooks = { get: () => ({ count: get(), incremental: true }), update: ignored, modify: ignored }
    registrations.push(Metric.registerUnsafe(metric, context, hooks))
  }
  for (const kind of kinds) {
    const line = admission.lines[kind]
    gauge("http_requests_in_flight", "Requests without an answer", { kind }, () => line.lane.inFlight)
    gauge("http_requests_limit", "Requests in flight at which connections are held", { kind }, () => line.lane.limit)
    counter("http_requests_refused_total", "Requests refused: too many waited", { kind }, () => line.refused)
  }
  gauge("http_connections_held", "Connections that wait for their turn to be read", {}, () => admission.held)
  counter(
    "http_connections_refused_total",
    "Connections ended: they waited too long for their turn",
    {},
    () => admission.endedConnections
  )
  yield* removeWithScope(registrations)
})

type Listener = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

/** From now on the server's listeners for requests get only those that are taken; `observers` among them get all. */
export const admitting = Effect.fnUntraced(function* (
  server: Http.Server,
  config: HttpConfigValues,
  observers: ReadonlyArray<unknown>
) {
  const admission = yield* makeAdmission(config)
  yield* showMetrics(admission)
  for (const event of ["request", "checkContinue"] as const) {
    const serving = server.listeners(event).filter((listener) => !observers.includes(listener)) as Array<Listener>
    for (const listener of serving) server.off(event, listener)
    server.on(event, (request, response) => {
      if (!admission.admit(request, response)) return
      for (const listener of serving) listener.call(server, request, response)
    })
  }
  const clock = yield* Clock.Clock
  let lookedAt = elapsedMillis(clock)
  const look = Effect.sync(() => {
    const now = elapsedMillis(clock)
    admission.look(now - lookedAt)
    lookedAt = now
  })
  yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(lookMillis)))
  return admission
})
