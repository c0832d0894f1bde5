/** Requests by route and status, and the time to their replies; kept in plain numbers. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type * as Metric from "effect/Metric"
import { FastCounter, FastHistogram, removeWithScope } from "../engine/FastCounter.ts"
import { definedRoutes, routeOf } from "./RequestTelemetry.ts"

/** Seconds, to the head of the reply: a feed is not counted until it ends. */
const requestSeconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]

const knownMethods = new Set(["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"])

/** Whose client had gone before there was a reply. */
const aborted = "aborted"

type Register = (
  tally: FastCounter | FastHistogram,
  name: string,
  description: string,
  labels: Readonly<Record<string, string>>
) => void

/** The requests of one method and route. */
class RouteTallies {
  readonly time = new FastHistogram(requestSeconds)
  private readonly statuses: Map<number | typeof aborted, FastCounter>
  private readonly labels: { readonly method: string; readonly route: string }
  private readonly register: Register

  /** `defect`: of the status 500, where it is there already. */
  constructor(method: string, route: string, register: Register, defect: FastCounter | undefined) {
    this.labels = { method, route }
    this.register = register
    this.statuses = new Map(defect === undefined ? [] : [[500, defect]])
    register(this.time, "http_request_duration_seconds", "Time from a request's head to the answer's", this.labels)
  }

  count(status: number | typeof aborted): void {
    let tally = this.statuses.get(status)
    if (tally === undefined) {
      tally = statusCounter(this.register, this.labels, status)
      this.statuses.set(status, tally)
    }
    tally.value++
  }
}

const statusCounter = (
  register: Register,
  labels: { readonly method: string; readonly route: string },
  status: number | typeof aborted
): FastCounter => {
  const tally = new FastCounter()
  register(tally, "http_requests_total", "Requests answered", { ...labels, status: `${status}` })
  return tally
}

/** There from the start: the first defect of a route is an increase, which an alert can see. */
const makeDefects = (register: Register) => {
  const defects = new Map(
    definedRoutes.map((labels) => [`${labels.method} ${labels.route}`, statusCounter(register, labels, 500)])
  )
  return (method: string, route: string) => defects.get(`${method} ${route}`)
}

const makeTallies = (register: Register) => {
  const defectsOf = makeDefects(register)
  const methods = new Map<string, Map<string, RouteTallies>>()
  return (method: string, route: string): RouteTallies => {
    let routes = methods.get(method)
    if (routes === undefined) methods.set(method, (routes = new Map()))
    let tallies = routes.get(route)
    if (tallies === undefined)
      routes.set(route, (tallies = new RouteTallies(method, route, register, defectsOf(method, route))))
    return tallies
  }
}

/** Wraps the whole router. Its series are there as long as the scope. */
export const makeHttpMetrics = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const registrations: Array<Metric.Registration> = []
  yield* removeWithScope(registrations)
  const talliesOf = makeTallies((tally, name, description, labels) => {
    registrations.push(tally.register(context, { name, description, labels }))
  })

  return <E, R>(effect: Effect.Effect<HttpServerResponse, E, R>): Effect.Effect<HttpServerResponse, E, R> =>
    Effect.withFiber((fiber) => {
      const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
      const route = routeOf(request.url)
      const tallies = talliesOf(knownMethods.has(request.method) ? request.method : "other", route)
      const startedAt = clock.currentTimeMillisUnsafe()
      const span = fiber.cache.span
      return Effect.onExitPrimitive(effect, (exit) => {
        // At the end: the router has written the path of its own definition by then, in a form of its own.
        if (span?._tag === "Span" && span.sampled) span.attribute("http.route", route)
        tallies.time.record(Math.max(0, clock.currentTimeMillisUnsafe() - startedAt) / 1_000)
        tallies.count(Exit.isSuccess(exit) ? exit.value.status : aborted)
        return undefined
      })
    })
})
