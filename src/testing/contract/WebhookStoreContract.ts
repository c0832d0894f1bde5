/** What a store of webhooks must do. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import {
  type Delivery,
  maxDeliveries,
  type StoredWebhook,
  type WalletBehind,
  type Webhook,
  type WebhookProgress,
  WebhookStore
} from "../../stores/WebhookStore.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages } from "./Observations.ts"
import { uniqueId } from "./SampleWallet.ts"

const time = 1_700_000_000_123

const sampleWebhook = (fields: Partial<StoredWebhook> = {}): StoredWebhook => ({
  id: uniqueId("hook"),
  url: "https://example.com/hook?a=1&b=%20",
  types: ["WalletCredited", "HoldPlaced"],
  walletIds: ["alice", "bob"],
  ownerId: "owner",
  description: 'Účtárna, "x"',
  status: "enabled",
  lastError: null,
  secret: "whsec_c2VjcmV0",
  previous: { secret: "whsec_b2xk", until: time + 5 },
  position: 7n,
  walletsBehind: 0,
  epoch: 0,
  attempts: 0,
  createdAt: time,
  updatedAt: time,
  ...fields
})

const anyEvent: Partial<StoredWebhook> = {
  types: null,
  walletIds: null,
  ownerId: null,
  description: null,
  previous: null
}

const shownOf = ({ attempts: _a, epoch: _e, previous: _p, secret: _s, ...webhook }: StoredWebhook): Webhook => webhook

const failing = (walletId: string, fields: Partial<WalletBehind> = {}): WalletBehind => ({
  walletId,
  delivered: 3,
  through: 9,
  attempts: 2,
  failedSince: time,
  nextAt: time + 400,
  lastError: "HTTP 500",
  ...fields
})

const waiting: Partial<WalletBehind> = { delivered: -1, attempts: 0, failedSince: null, nextAt: null, lastError: null }

const attempt = (number: number, fields: Partial<Delivery> = {}): Delivery => ({
  number,
  messageId: `evt_${number}`,
  walletId: "alice",
  version: number,
  type: "WalletCredited",
  attempt: 1,
  time: time + number,
  durationMillis: 12,
  httpStatus: 204,
  error: null,
  ...fields
})

const progress = (id: string, epoch: number, fields: Partial<WebhookProgress> = {}): WebhookProgress => ({
  id,
  epoch,
  position: 8n,
  lastError: null,
  disabled: false,
  time: time + 1_000,
  behind: [],
  caughtUp: [],
  deliveries: [],
  attempts: 0,
  ...fields
})

/** A new endpoint, taken by whoever asks. */
const taken = Effect.gen(function* () {
  const store = yield* WebhookStore
  const webhook = sampleWebhook()
  yield* store.insert(webhook)
  const claimed = yield* store.claim(webhook.id)
  assert.ok(claimed !== undefined)
  return { store, id: webhook.id, epoch: claimed.webhook.epoch, webhook }
})

const keeps = contractCase(
  "keeps endpoints with their secrets, and lists them without, newest first",
  Effect.gen(function* () {
    const store = yield* WebhookStore
    const webhooks = [sampleWebhook(), sampleWebhook(anyEvent), sampleWebhook()]
    for (const webhook of webhooks) yield* store.insert(webhook)
    const ours = <A extends { readonly id: string }>(all: ReadonlyArray<A>) =>
      all.filter(({ id }) => webhooks.some((webhook) => webhook.id === id))
    assert.deepEqual(ours(yield* store.all), webhooks)
    assert.deepEqual(yield* store.get(webhooks[1]!.id), webhooks[1])
    assert.equal(yield* store.get(uniqueId("hook")), undefined)
    const pages = yield* allPages((cursor) => store.list({ limit: 2, cursor }))
    assert.deepEqual(ours(pages.flat()), webhooks.map(shownOf).reverse())
    assert.equal((yield* Effect.flip(store.list({ limit: 2, cursor: "forged" })))._tag, "InvalidRequest")
    assert.equal((yield* Effect.flip(store.insert(webhooks[0]!)))._tag, "StoreDefect")
  })
)

const changes = contractCase(
  "changes what a change names, and nothing else",
  Effect.gen(function* () {
    const { epoch, id, store, webhook } = yield* taken
    const none = { types: null, walletIds: null, ownerId: null, description: null }
    const secrets = { secret: "whsec_bmV3", previous: null }
    assert.deepEqual(yield* store.change(id, { url: "http://b.test/", ...none, secrets, position: 2n }, time + 9), {
      ...webhook,
      ...none,
      ...secrets,
      url: "http://b.test/",
      position: 2n,
      epoch: epoch + 1,
      updatedAt: time + 9
    })
    const { description, types, walletIds } = webhook
    const changed = yield* store.change(id, { types, walletIds, ownerId: "o", description }, time + 10)
    assert.deepEqual(changed, yield* store.get(id))
    assert.deepEqual([changed?.types, changed?.ownerId, changed?.url], [types, "o", "http://b.test/"])
    assert.equal(yield* store.change(uniqueId("hook"), { ownerId: "o" }, time), undefined)
  })
)

const claims = contractCase(
  "refuses to save under an epoch that is over: of another claim, a change, a removal",
  Effect.gen(function* () {
    const { epoch, id, store } = yield* taken
    assert.equal(yield* store.save(progress(id, epoch, { behind: [failing("alice")] })), true)
    const second = yield* store.claim(id)
    assert.ok(second !== undefined && second.webhook.epoch > epoch)
    const late = progress(id, epoch, { position: 99n, caughtUp: ["alice"], deliveries: [attempt(1)] })
    assert.equal(yield* store.save(late), false)
    assert.deepEqual((yield* store.claim(id))?.behind, [failing("alice")])
    const third = yield* store.claim(id)
    yield* store.change(id, { position: 1n }, time)
    assert.equal(yield* store.save(progress(id, third!.webhook.epoch)), false)
    const { attempts, position, walletsBehind } = (yield* store.get(id))!
    assert.deepEqual([attempts, position, walletsBehind], [0, 1n, 1])
    assert.deepEqual((yield* store.deliveries(id, { limit: 10 })).data, [])
    const fourth = yield* store.claim(id)
    assert.equal(yield* store.remove(id), true)
    assert.equal(yield* store.save(progress(id, fourth!.webhook.epoch, { behind: [failing("bob")] })), false)
    assert.equal(yield* store.claim(id), undefined)
    assert.equal(yield* store.remove(id), false)
  })
)

const together = contractCase(
  "lets one of several that take an endpoint at once have it",
  Effect.gen(function* () {
    const { id, store } = yield* taken
    const all = yield* Effect.forEach(Array.from({ length: 6 }), () => store.claim(id), { concurrency: "unbounded" })
    const saved = yield* Effect.forEach(all, (one) => store.save(progress(id, one!.webhook.epoch)), {
      concurrency: "unbounded"
    })
    assert.equal(saved.filter((isMine) => isMine).length, 1)
  })
)

const saves = contractCase(
  "writes the position, the wallets that are behind and the attempts together, also twice",
  Effect.gen(function* () {
    const { epoch, id, store } = yield* taken
    const first = progress(id, epoch, {
      position: 20n,
      lastError: "HTTP 500",
      behind: [failing("alice"), failing("bob", waiting)],
      deliveries: [attempt(1), attempt(2, { httpStatus: null, error: "no answer within 10 s" })],
      attempts: 2
    })
    for (const _ of [1, 2]) assert.equal(yield* store.save(first), true)
    const { attempts, lastError, position, walletsBehind } = (yield* store.get(id))!
    assert.deepEqual([attempts, lastError, position, walletsBehind], [2, "HTTP 500", 20n, 2])
    assert.deepEqual((yield* store.claim(id))?.behind, [failing("alice"), failing("bob", waiting)])
    const claimed = yield* store.claim(id)
    const moved = failing("bob", { delivered: 5 })
    const second = progress(id, claimed!.webhook.epoch, { caughtUp: ["alice", "nobody"], behind: [moved], attempts: 2 })
    assert.equal(yield* store.save(second), true)
    assert.deepEqual((yield* store.claim(id))?.behind, [moved])
    assert.deepEqual((yield* store.deliveries(id, { limit: 10 })).data, [...first.deliveries].reverse())
  })
)

const disables = contractCase(
  "disables an endpoint with the reason, and forgets the failures when it is enabled again",
  Effect.gen(function* () {
    const { epoch, id, store } = yield* taken
    const end = progress(id, epoch, { disabled: true, lastError: "alice: HTTP 500", behind: [failing("alice")] })
    assert.equal(yield* store.save(end), true)
    const off = yield* store.get(id)
    assert.deepEqual([off?.status, off?.lastError, off?.updatedAt], ["disabled", "alice: HTTP 500", time + 1_000])
    assert.equal(yield* store.claim(id), undefined)
    assert.equal(yield* store.save(progress(id, epoch)), false)
    const on = yield* store.change(id, { status: "enabled" }, time + 2_000)
    assert.deepEqual([on?.status, on?.lastError, on?.position], ["enabled", null, 8n])
    const again = { attempts: 0, failedSince: null, nextAt: null, lastError: null }
    assert.deepEqual((yield* store.claim(id))?.behind, [failing("alice", again)])
  })
)

const ring = contractCase(
  "keeps the newest attempts, as pages that stay as they are while more are made",
  Effect.gen(function* () {
    const { epoch, id, store } = yield* taken
    const made = maxDeliveries + 30
    const all = Array.from({ length: made }, (_, index) => attempt(index + 1))
    for (let begin = 0; begin < made; begin += maxDeliveries) {
      const deliveries = all.slice(begin, begin + maxDeliveries)
      assert.equal(yield* store.save(progress(id, epoch, { deliveries, attempts: begin + deliveries.length })), true)
    }
    const newest = all.slice(-maxDeliveries).reverse()
    const pages = yield* allPages((cursor) => store.deliveries(id, { limit: 90, cursor }))
    assert.deepEqual(pages.flat(), newest)
    const { next } = yield* store.deliveries(id, { limit: 2 })
    yield* store.save(progress(id, epoch, { deliveries: [attempt(made + 1)], attempts: made + 1 }))
    assert.deepEqual((yield* store.deliveries(id, { limit: 2, cursor: next! })).data, newest.slice(2, 4))
    assert.deepEqual((yield* store.deliveries(uniqueId("hook"), { limit: 2 })).data, [])
  })
)

export const webhookStoreContract: ReadonlyArray<ContractCase<WebhookStore>> = [
  keeps,
  changes,
  claims,
  together,
  saves,
  disables,
  ring
]
