/** Handlers of `HealthApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { type EngineHealth, WalletEngine } from "../../engine/WalletEngine.ts"
import { WalletApi } from "../api/Api.ts"

const live = HttpServerResponse.jsonUnsafe({ status: "ok" })

const healthJson = (health: EngineHealth) => ({
  status: !health.ready ? "down" : health.checks.every((check) => check.status === "ok") ? "ok" : "degraded",
  checks: health.checks
})

export const healthHandlers = HttpApiBuilder.group(
  WalletApi,
  "health",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers
      .handleRaw("live", () => Effect.succeed(live))
      .handleRaw("ready", () =>
        Effect.map(engine.health, (health) =>
          HttpServerResponse.jsonUnsafe(healthJson(health), { status: health.ready ? 200 : 503 })
        )
      )
      .handleRaw("metrics", () =>
        Effect.map(PrometheusMetrics.format(), (text) =>
          HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
        )
      )
  })
)
