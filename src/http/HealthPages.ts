/**
 * What `/health/live`, `/health/ready` and `/metrics` answer, on the API's port and on that of
 * the metrics. The page of the metrics is made once in a second, however often it is asked for.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { elapsedMillis } from "../actors/Deadlines.ts"
import type { EngineHealth, WalletEngine } from "../engine/WalletEngine.ts"
import type { Webhooks } from "../webhooks/Webhooks.ts"

export const livePage = HttpServerResponse.jsonUnsafe({ status: "ok" })

/** No command waits for a webhook: one that was given up is worth a look, and keeps nobody from being served. */
const webhooksCheck = (trouble: string | undefined) => ({
  name: "webhooks",
  status: trouble === undefined ? "ok" : "degraded",
  detail: trouble ?? null
})

const healthJson = (health: EngineHealth, webhooks: Webhooks["Service"]) => {
  const checks = [...health.checks, webhooksCheck(webhooks.trouble())]
  const status = !health.ready ? "down" : checks.every((check) => check.status === "ok") ? "ok" : "degraded"
  return { status, checks }
}

export const readyPage = (engine: WalletEngine["Service"], webhooks: Webhooks["Service"]) =>
  Effect.map(engine.health, (health) =>
    HttpServerResponse.jsonUnsafe(healthJson(health, webhooks), { status: health.ready ? 200 : 503 })
  )

/** Milliseconds: a scraper asks a few times a minute, and a page of many series takes a millisecond to make. */
export const metricsMaxAge = 1_000

/** The page as the bytes that all who ask within its age are given. */
export const makeMetricsPage = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  let page: HttpServerResponse.HttpServerResponse | undefined
  let madeAt = 0
  const make = Effect.map(PrometheusMetrics.format(), (text) => {
    madeAt = elapsedMillis(clock)
    return (page = HttpServerResponse.uint8Array(Buffer.from(text), {
      contentType: "text/plain; version=0.0.4; charset=utf-8"
    }))
  })
  return Effect.suspend(() =>
    page !== undefined && elapsedMillis(clock) - madeAt < metricsMaxAge ? Effect.succeed(page) : make
  )
})
