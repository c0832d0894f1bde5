/** Handlers of `ClusterApi` and `HealthApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { WalletApi } from "../api/Api.ts"
import { plainReply, problemReply, respond, toResponse } from "../HttpReply.ts"
import { HttpConfig } from "../HttpConfig.ts"
import { livePage, makeMetricsPage, readyPage } from "../HealthPages.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { Webhooks } from "../../webhooks/Webhooks.ts"

export const clusterHandlers = HttpApiBuilder.group(
  WalletApi,
  "cluster",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers.handleRaw("view", () => respond(Effect.map(engine.cluster, (view) => plainReply(200, view))))
  })
)

const elsewhere = Effect.succeed(
  toResponse(problemReply("NotFound", "the metrics are at the port WALLET_METRICS_PORT"))
)

export const healthHandlers = HttpApiBuilder.group(
  WalletApi,
  "health",
  Effect.fnUntraced(function* (handlers) {
    const { metricsPort } = yield* HttpConfig
    const live = Effect.succeed(livePage)
    const ready = readyPage(yield* WalletEngine, yield* Webhooks)
    const metrics = metricsPort === undefined ? yield* makeMetricsPage : elsewhere
    return handlers
      .handleRaw("live", () => live)
      .handleRaw("ready", () => ready)
      .handleRaw("metrics", () => metrics)
  })
)
