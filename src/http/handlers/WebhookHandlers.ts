/** Handlers of `WebhooksApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { defaultLimit, formatTime } from "../api/SchemaValues.ts"
import { CreateWebhookBody, ReplayWebhookBody, RollSecretBody, UpdateWebhookBody } from "../api/WebhooksApi.ts"
import { AuditLog } from "../AuditLog.ts"
import { pageJson, plainReply, replied, respond, respondQuery, toResponse } from "../HttpReply.ts"
import { bodyReader } from "../RequestBody.ts"
import type { Delivery, Webhook } from "../../stores/WebhookStore.ts"
import { Webhooks, type WebhookTest, type WebhookWithSecret } from "../../webhooks/Webhooks.ts"

/** `:` and `,` of a body: a hundred wallets and as many types. */
const maxSigns = 512

const createBody = bodyReader(CreateWebhookBody, { maxSigns })
const updateBody = bodyReader(UpdateWebhookBody, { maxSigns })
const replayBody = bodyReader(ReplayWebhookBody)
const rollBody = bodyReader(RollSecretBody, { mayBeEmpty: true })

const webhookJson = (webhook: Webhook) => ({
  id: webhook.id,
  url: webhook.url,
  types: webhook.types,
  walletIds: webhook.walletIds,
  ownerId: webhook.ownerId,
  description: webhook.description,
  status: webhook.status,
  lastError: webhook.lastError,
  position: webhook.position.toString(),
  walletsBehind: webhook.walletsBehind,
  createdAt: formatTime(webhook.createdAt),
  updatedAt: formatTime(webhook.updatedAt)
})

const withSecretJson = ({ secret, webhook }: WebhookWithSecret) => ({
  ...webhookJson(webhook),
  secret: Redacted.value(secret)
})

const deliveryJson = (delivery: Delivery) => ({
  id: delivery.messageId,
  walletId: delivery.walletId,
  version: delivery.version,
  type: delivery.type,
  attempt: delivery.attempt,
  time: formatTime(delivery.time),
  status: delivery.error === null ? "acknowledged" : "failed",
  httpStatus: delivery.httpStatus,
  durationMillis: delivery.durationMillis,
  error: delivery.error
})

const testJson = ({ durationMillis, error, messageId, status }: WebhookTest) => ({
  id: messageId,
  status: error === null ? "acknowledged" : "failed",
  httpStatus: status,
  durationMillis,
  error
})

const shown = (webhook: Webhook) => plainReply(200, webhookJson(webhook))

/** What an admin does with a webhook, on record when it is done. */
const makeActing = (audit: AuditLog["Service"]) =>
  Effect.fnUntraced(function* (action: string, target: string, detail?: string) {
    yield* audit.done({ key: yield* CurrentKey, action, target, detail })
  })

/** Nothing is left to be shown. */
const removed = <R>(effect: Effect.Effect<unknown, Effect.Error<ReturnType<Webhooks["Service"]["remove"]>>, R>) =>
  Effect.map(replied(Effect.as(effect, plainReply(204, null))), (reply) =>
    reply.status === 204 ? HttpServerResponse.empty() : toResponse(reply)
  )

export const webhookHandlers = HttpApiBuilder.group(
  WalletApi,
  "webhooks",
  Effect.fnUntraced(function* (handlers) {
    const webhooks = yield* Webhooks
    const acting = makeActing(yield* AuditLog)
    return handlers
      .handleRaw(
        "create",
        Effect.fnUntraced(function* ({ request }) {
          const created = yield* webhooks.create(yield* createBody(request))
          yield* acting("webhook.create", created.webhook.id, created.webhook.url)
          return plainReply(201, withSecretJson(created))
        }, respond)
      )
      .handleRaw("list", ({ query }) =>
        respondQuery(
          Effect.map(webhooks.list({ ...query, limit: query.limit ?? defaultLimit }), (page) =>
            plainReply(200, pageJson(page, webhookJson))
          )
        )
      )
      .handleRaw("get", ({ params }) => respond(Effect.map(webhooks.get(params.id), shown)))
      .handleRaw(
        "update",
        Effect.fnUntraced(function* ({ params, request }) {
          const body = yield* updateBody(request)
          const updated = yield* webhooks.update(params.id, body)
          yield* acting("webhook.update", params.id, Object.keys(body).join(", "))
          return shown(updated)
        }, respond)
      )
      .handleRaw("delete", ({ params }) =>
        removed(Effect.andThen(webhooks.remove(params.id), acting("webhook.delete", params.id)))
      )
      .handleRaw("deliveries", ({ params, query }) =>
        respondQuery(
          Effect.map(webhooks.deliveries(params.id, { ...query, limit: query.limit ?? defaultLimit }), (page) =>
            plainReply(200, pageJson(page, deliveryJson))
          )
        )
      )
      .handleRaw("test", ({ params }) =>
        respond(
          Effect.tap(webhooks.test(params.id), acting("webhook.test", params.id)).pipe(
            Effect.map((outcome) => plainReply(200, testJson(outcome)))
          )
        )
      )
      .handleRaw(
        "replay",
        Effect.fnUntraced(function* ({ params, request }) {
          const { from } = yield* replayBody(request)
          const replayed = yield* webhooks.replay(params.id, from)
          yield* acting("webhook.replay", params.id, `from ${from}`)
          return shown(replayed)
        }, respond)
      )
      .handleRaw(
        "rollSecret",
        Effect.fnUntraced(function* ({ params, request }) {
          const { overlapSeconds } = yield* rollBody(request)
          const options = overlapSeconds === undefined ? {} : { overlapMillis: overlapSeconds * 1_000 }
          const rolled = yield* webhooks.rollSecret(params.id, options)
          yield* acting("webhook.rollSecret", params.id)
          return plainReply(200, withSecretJson(rolled))
        }, respond)
      )
  })
)
