/** Handlers of `KeysApi`, `ClusterApi` and `HealthApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import { WalletApi } from "../api/Api.ts"
import { CreateKeyBody } from "../api/Schemas.ts"
import { defaultLimit, formatTime } from "../api/SchemaValues.ts"
import { ApiKeys } from "../ApiKeys.ts"
import { pageJson, plainReply, problemReply, respond, respondQuery, toResponse } from "../HttpReply.ts"
import { HttpConfig } from "../HttpConfig.ts"
import { livePage, makeMetricsPage, readyPage } from "../HealthPages.ts"
import { bodyReader } from "../RequestBody.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import type { ApiKey } from "../../stores/ApiKeyStore.ts"
import { Webhooks } from "../../webhooks/Webhooks.ts"

const createBody = bodyReader(CreateKeyBody)

const keyJson = (key: ApiKey) => ({
  id: key.id,
  name: key.name,
  scopes: key.scopes,
  createdAt: formatTime(key.createdAt)
})

export const keyHandlers = HttpApiBuilder.group(
  WalletApi,
  "keys",
  Effect.fnUntraced(function* (handlers) {
    const keys = yield* ApiKeys
    return handlers
      .handleRaw(
        "create",
        Effect.fnUntraced(function* ({ request }) {
          const { name, scopes } = yield* createBody(request)
          const { key, secret } = yield* keys.create(name, scopes)
          return plainReply(201, { ...keyJson(key), secret: Redacted.value(secret) })
        }, respond)
      )
      .handleRaw("list", ({ query }) =>
        respondQuery(
          Effect.map(keys.list({ ...query, limit: query.limit ?? defaultLimit }), (page) =>
            plainReply(200, pageJson(page, keyJson))
          )
        )
      )
      .handleRaw("delete", ({ params }) =>
        Effect.matchEffect(keys.revoke(params.id), {
          onFailure: (error) => respond(Effect.fail(error)),
          onSuccess: (removed) =>
            Effect.succeed(
              removed
                ? HttpServerResponse.empty()
                : toResponse(problemReply("NotFound", `there is no key ${params.id}`))
            )
        })
      )
  })
)

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
