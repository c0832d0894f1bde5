import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import type { WebhookStore } from "../../src/stores/WebhookStore.ts"
import { defaultWebhookBounds, type WebhookBounds } from "../../src/webhooks/WebhookBounds.ts"
import { type NewWebhook, Webhooks } from "../../src/webhooks/Webhooks.ts"
import { makeReceiver, type Receiver, versionsOf } from "./Receiver.ts"

const quick: WebhookBounds = {
  ...defaultWebhookBounds,
  saveMillis: 20,
  lookMillis: 50,
  hangingMillis: 50,
  retryMillis: 20
}

const service = (bounds: WebhookBounds = quick) =>
  Webhooks.layer({ allowPrivate: true, bounds }).pipe(
    Layer.provideMerge(WalletEngine.layer({ bounds: defaultBounds, partitions: 8 })),
    Layer.provideMerge(MemoryStores.layer())
  )

type Services = Webhooks | WalletEngine | WebhookStore | Scope.Scope

const test = (name: string, run: Effect.Effect<void, unknown, Services>, bounds?: WebhookBounds) =>
  it.live(name, () => run.pipe(Effect.scoped, Effect.provide(service(bounds))))

let made = 0

const wallet = Effect.fnUntraced(function* (id: string, ownerId = "owner") {
  const engine = yield* WalletEngine
  yield* engine.createWallet({ id, ownerId, currency: "EUR", idempotencyKey: `create-${id}` })
  return id
})

const credit = Effect.fnUntraced(function* (walletId: string, times = 1) {
  const engine = yield* WalletEngine
  for (let n = 0; n < times; n++) yield* engine.credit({ walletId, amount: 1n, idempotencyKey: `k${++made}` })
})

/** A receiver and its endpoint, from the first event on. */
const hook = Effect.fnUntraced(function* (given: Omit<NewWebhook, "url"> = { from: 0n }) {
  const receiver = yield* makeReceiver()
  const { secret, webhook } = yield* (yield* Webhooks).create({ url: receiver.url, ...given })
  receiver.secrets = [Redacted.value(secret)]
  return { receiver, id: webhook.id, secret: Redacted.value(secret) }
})

const hasAll = (count: number) => (receiver: Receiver) => receiver.acknowledged.length >= count

/** Until an endpoint is as it should be. */
const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>, until: (value: A) => boolean) =>
  Effect.repeat(effect, { schedule: Schedule.spaced(10), until })

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe("webhooks", () => {
  test(
    "sends every event as the feed has it, signed, in order",
    Effect.gen(function* () {
      const engine = yield* WalletEngine
      const { receiver, secret } = yield* hook()
      yield* wallet("alice")
      yield* credit("alice", 3)
      yield* receiver.until(hasAll(4))
      assert.strictEqual(receiver.forged, 0)
      const sent = receiver.received
      assert.deepStrictEqual(versionsOf(sent).get("alice"), [0, 1, 2, 3])
      const events = yield* engine.events({ walletId: "alice", after: -1, limit: 9 })
      assert.deepStrictEqual(
        sent.map(({ id }) => id),
        events.map(({ id }) => `evt_${id}`)
      )
      const [, second] = sent
      const time = new Date(events[1]!.time).toISOString()
      assert.deepStrictEqual(
        [second?.type, second?.timestamp, second?.data.type, second?.data.time],
        ["WalletCredited", time, "WalletCredited", time]
      )
      assert.deepStrictEqual(second?.data.data.amount, "1")
      const { body, headers } = second!
      const verified = yield* Webhooks.verify({ headers, body }, secret)
      assert.deepStrictEqual(verified, { id: second!.id, type: "WalletCredited", timestamp: time, data: second!.data })
    })
  )

  test(
    "begins at the head of the log, or at a position",
    Effect.gen(function* () {
      yield* wallet("alice")
      const head = yield* hook({})
      const second = yield* hook({ from: 1n })
      yield* credit("alice", 2)
      yield* head.receiver.until(hasAll(2))
      yield* second.receiver.until(hasAll(2))
      assert.deepStrictEqual(versionsOf(head.receiver.received).get("alice"), [1, 2])
      assert.deepStrictEqual(versionsOf(second.receiver.received).get("alice"), [1, 2])
      const error = yield* Effect.flip((yield* Webhooks).create({ url: "http://127.0.0.1/", from: 99n }))
      assert.strictEqual(error._tag, "PositionGone")
    })
  )

  test(
    "sends only what is wanted: types, wallets, an owner's",
    Effect.gen(function* () {
      for (const [id, owner] of [
        ["a", "one"],
        ["b", "two"],
        ["c", "one"]
      ] as const)
        yield* wallet(id, owner)
      const byType = yield* hook({ from: 0n, types: ["WalletCredited"] })
      const byWallet = yield* hook({ from: 0n, walletIds: ["b"] })
      // Behind their creation: the owners have to be looked up.
      const byOwner = yield* hook({ from: 3n, ownerId: "one" })
      for (const id of ["a", "b", "c", "b", "a"]) yield* credit(id)
      yield* byType.receiver.until(hasAll(5))
      yield* byWallet.receiver.until(hasAll(3))
      yield* byOwner.receiver.until(hasAll(3))
      const seen = ({ receiver }: { readonly receiver: Receiver }) => Object.fromEntries(versionsOf(receiver.received))
      assert.deepStrictEqual(seen(byType), { a: [1, 2], b: [1, 2], c: [1] })
      assert.deepStrictEqual(seen(byWallet), { b: [0, 1, 2] })
      assert.deepStrictEqual(seen(byOwner), { a: [1, 2], c: [1] })
    })
  )

  test(
    "delays no other wallet by one whose event is refused, and keeps its order",
    Effect.gen(function* () {
      const webhooks = yield* Webhooks
      const { id, receiver } = yield* hook()
      let isMended = false
      receiver.answer = ({ data }) => (data.walletId === "stuck" && data.version >= 1 && !isMended ? 422 : undefined)
      yield* wallet("stuck")
      yield* wallet("other")
      yield* credit("stuck", 100)
      yield* credit("other", 100)
      yield* receiver.until(() => versionsOf(receiver.acknowledged).get("other")?.length === 101)
      const { lastError, walletsBehind } = yield* eventually(
        webhooks.get(id),
        ({ position, walletsBehind }) => walletsBehind === 1 && position === 202n
      )
      assert.deepStrictEqual([walletsBehind, lastError], [1, "wallet stuck, behind version 0: HTTP 422"])
      isMended = true
      yield* receiver.until(() => versionsOf(receiver.acknowledged).get("stuck")?.length === 101)
      assert.deepStrictEqual(
        receiver.acknowledged.filter(({ data }) => data.walletId === "stuck").map(({ data }) => data.version),
        range(0, 100)
      )
      const after = yield* eventually(webhooks.get(id), ({ walletsBehind }) => walletsBehind === 0)
      assert.isNull(after.lastError)
    })
  )

  test(
    "sends the same id again, and signs each attempt anew",
    Effect.gen(function* () {
      const { receiver } = yield* hook()
      let tries = 0
      receiver.answer = () => (++tries < 3 ? 500 : undefined)
      yield* wallet("alice")
      yield* receiver.until(hasAll(1))
      assert.strictEqual(new Set(receiver.received.map(({ id }) => id)).size, 1)
      assert.strictEqual(receiver.received.length, 3)
      assert.strictEqual(receiver.forged, 0)
    })
  )
})
