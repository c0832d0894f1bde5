/** Endpoints of webhooks in memory: gone with the process. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import { decodePosition, type Page, type PageRequest, pageByNumber } from "../Page.ts"
import { StoreDefect } from "../StoreError.ts"
import {
  type ClaimedWebhook,
  type Delivery,
  maxDeliveries,
  type StoredWebhook,
  type Webhook,
  type WebhookChange,
  type WebhookProgress,
  WebhookStore
} from "../WebhookStore.ts"
import { copyOf } from "./Copies.ts"
import { MemoryDatabase, type MemoryState, type WebhookRows } from "./MemoryDatabase.ts"

const shown = ({ behind, webhook }: WebhookRows): StoredWebhook => ({
  ...copyOf(webhook),
  walletsBehind: behind.size
})

const withoutSecrets = (rows: WebhookRows): Webhook => {
  const { attempts: _a, epoch: _e, previous: _p, secret: _s, ...webhook } = shown(rows)
  return webhook
}

const insert = (state: MemoryState, webhook: StoredWebhook): Effect.Effect<void, StoreDefect> =>
  Effect.suspend(() => {
    if (state.webhooks.has(webhook.id)) {
      return Effect.fail(new StoreDefect({ store: "persistence", reason: `a webhook ${webhook.id} is there already` }))
    }
    const number = (state.webhooksMade += 1n)
    state.webhooks.set(webhook.id, { number, webhook: copyOf(webhook), behind: new Map(), deliveries: new Map() })
    return Effect.void
  })

const list = Effect.fnUntraced(function* (
  state: MemoryState,
  request: PageRequest
): Effect.fn.Return<Page<Webhook>, InvalidRequest> {
  const before = yield* decodePosition("webhooks", request.cursor)
  const rows = [...state.webhooks.values()].filter(({ number }) => before === undefined || number < before).reverse()
  return pageByNumber("webhooks", rows, request.limit, withoutSecrets)
})

const change = (state: MemoryState, id: string, given: WebhookChange, time: number): StoredWebhook | undefined => {
  const rows = state.webhooks.get(id)
  if (rows === undefined) return undefined
  const { secrets, ...settings } = copyOf(given)
  const webhook = { ...rows.webhook, ...settings, ...secrets, epoch: rows.webhook.epoch + 1, updatedAt: time }
  rows.webhook = settings.status === undefined ? webhook : { ...webhook, lastError: null }
  if (settings.status === "enabled") {
    for (const [walletId, wallet] of rows.behind) {
      rows.behind.set(walletId, { ...wallet, attempts: 0, failedSince: null, nextAt: null, lastError: null })
    }
  }
  return shown(rows)
}

const claim = (state: MemoryState, id: string): ClaimedWebhook | undefined => {
  const rows = state.webhooks.get(id)
  if (rows === undefined || rows.webhook.status !== "enabled") return undefined
  rows.webhook = { ...rows.webhook, epoch: rows.webhook.epoch + 1 }
  return { webhook: shown(rows), behind: [...rows.behind.values()].map(copyOf) }
}

const save = (state: MemoryState, progress: WebhookProgress): boolean => {
  const rows = state.webhooks.get(progress.id)
  if (rows === undefined || rows.webhook.epoch !== progress.epoch || rows.webhook.status !== "enabled") return false
  const { attempts, disabled, lastError, position, time } = progress
  const changed = { position, attempts, lastError }
  rows.webhook = { ...rows.webhook, ...changed, ...(disabled ? { status: "disabled", updatedAt: time } : {}) }
  for (const walletId of progress.caughtUp) rows.behind.delete(walletId)
  for (const wallet of progress.behind) rows.behind.set(wallet.walletId, copyOf(wallet))
  for (const delivery of progress.deliveries) rows.deliveries.set(delivery.number % maxDeliveries, copyOf(delivery))
  return true
}

const deliveries = Effect.fnUntraced(function* (
  state: MemoryState,
  id: string,
  request: PageRequest
): Effect.fn.Return<Page<Delivery>, InvalidRequest> {
  const before = yield* decodePosition("deliveries", request.cursor)
  const rows = [...(state.webhooks.get(id)?.deliveries.values() ?? [])]
    .map((delivery) => ({ number: BigInt(delivery.number), delivery: copyOf(delivery) }))
    .filter(({ number }) => before === undefined || number < before)
    .sort((a, b) => Number(b.number - a.number))
  return pageByNumber("deliveries", rows, request.limit, ({ delivery }) => delivery)
})

export const make = (state: MemoryState): WebhookStore["Service"] => ({
  insert: (webhook) => insert(state, webhook),
  get: (id) =>
    Effect.sync(() => {
      const rows = state.webhooks.get(id)
      return rows && shown(rows)
    }),
  list: (request) => list(state, request),
  all: Effect.sync(() => [...state.webhooks.values()].map(shown)),
  change: (id, given, time) => Effect.sync(() => change(state, id, given, time)),
  remove: (id) => Effect.sync(() => state.webhooks.delete(id)),
  claim: (id) => Effect.sync(() => claim(state, id)),
  save: (progress) => Effect.sync(() => save(state, progress)),
  deliveries: (id, request) => deliveries(state, id, request)
})

export const layer: Layer.Layer<WebhookStore, never, MemoryDatabase> = Layer.effect(
  WebhookStore,
  Effect.map(MemoryDatabase, make)
)
