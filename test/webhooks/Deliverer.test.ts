import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { makeBackoff } from "../../src/webhooks/Backoff.ts"
import { defaultWebhookBounds } from "../../src/webhooks/WebhookBounds.ts"
import { acknowledgedOf, Life, live, makeWorld, until, whileTime, type World } from "./World.ts"

const second = 1_000
const hour = 3_600 * second

/** Days as minutes: what the engine does all the while would be done for days. */
const shorter = { ...defaultWebhookBounds, retryMaxMillis: 2 * second, giveUpMillis: 72 * second, giveUpAttempts: 20 }

const test = (name: string, run: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(name, () => Effect.flatMap(makeWorld, run).pipe(Effect.scoped))

let made = 0

const wallet = (world: World, id: string) =>
  world.engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `c-${id}` })

/** Many at once, in their order. */
const credit = (world: World, walletId: string, times: number) =>
  Effect.forEach(
    Array.from({ length: times }),
    () => world.engine.credit({ walletId, amount: 1n, idempotencyKey: `k${++made}` }),
    { concurrency: "unbounded", discard: true }
  )

const url = "http://r.test/"

const begin = Effect.fnUntraced(function* (world: World, bounds = defaultWebhookBounds) {
  const { webhooks } = yield* live(world, new Life(Infinity), bounds)
  const { webhook } = yield* whileTime(webhooks.create({ url, from: 0n }))
  return { webhooks, id: webhook.id }
})

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe("an endpoint", () => {
  test("is tried again within 250 ms, then after twice as long each time, up to ten minutes", (world) =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const clock = yield* Clock.Clock
      world.answer = () => {
        times.push(clock.currentTimeMillisUnsafe())
        return 500
      }
      yield* begin(world)
      yield* whileTime(wallet(world, "a"))
      yield* until(() => times.length === 8, 10)
      const pauses = times.slice(1).map((time, index) => time - times[index]!)
      assert.isAtMost(pauses[0]!, 250)
      for (const [index, pause] of pauses.entries()) {
        const exact = 200 * 2 ** index
        assert.isAtLeast(pause, 0.8 * exact)
        assert.isAtMost(pause, 1.2 * exact + 20)
      }
    }))

  test("is tried again at least every ten minutes, some 440 times in three days", () =>
    Effect.gen(function* () {
      const backoff = yield* makeBackoff(defaultWebhookBounds, 0)
      const pauses: Array<number> = []
      while (pauses.reduce((sum, pause) => sum + pause, 0) < defaultWebhookBounds.giveUpMillis)
        pauses.push(yield* backoff)
      assert.isAbove(pauses.length, 400)
      assert.isBelow(pauses.length, 500)
      assert.isAtMost(Math.max(...pauses), 1.2 * 10 * 60 * second)
      assert.strictEqual(defaultWebhookBounds.giveUpMillis, 3 * 24 * hour)
      const resumed = yield* makeBackoff(defaultWebhookBounds, 300)
      assert.isAtLeast(yield* resumed, 0.8 * 10 * 60 * second)
    }))

  test("is disabled after the time that it has, says why, and goes on from where it was", (world) =>
    Effect.gen(function* () {
      let isMended = false
      world.answer = (walletId, version) => (walletId === "a" && version === 1 && !isMended ? 500 : 204)
      const { id, webhooks } = yield* begin(world, shorter)
      const beganAt = yield* Clock.currentTimeMillis
      yield* whileTime(Effect.andThen(wallet(world, "a"), wallet(world, "b")))
      yield* whileTime(credit(world, "a", 3))
      yield* until(() => webhooks.trouble() !== undefined)
      assert.isAtLeast((yield* Clock.currentTimeMillis) - beganAt, 72 * second)
      assert.isAtMost((yield* Clock.currentTimeMillis) - beganAt, 80 * second)
      const off = yield* webhooks.get(id)
      assert.deepStrictEqual([off.status, off.lastError], ["disabled", "wallet a, behind version 0: HTTP 500"])
      assert.include(webhooks.trouble(), `webhook ${id} is disabled (wallet a`)
      yield* whileTime(credit(world, "b", 2))
      const before = world.sent.length
      yield* until(Effect.map(Clock.currentTimeMillis, (now) => now > beganAt + 90 * second))
      assert.strictEqual(world.sent.length, before)
      isMended = true
      yield* whileTime(webhooks.update(id, { status: "enabled" }))
      yield* until(() => Object.values(acknowledgedOf(world.sent)).flat().length === 7)
      assert.deepStrictEqual(acknowledgedOf(world.sent), { a: range(0, 3), b: range(0, 2) })
      assert.deepStrictEqual((yield* webhooks.get(id)).status, "enabled")
    }))

  test("keeps a row for a wallet that is refused, however much is behind it, and lets all others pass", (world) =>
    Effect.gen(function* () {
      let isMended = false
      world.answer = (walletId) => (walletId === "stuck" && !isMended ? 400 : 204)
      const { id, webhooks } = yield* begin(world)
      yield* whileTime(Effect.andThen(wallet(world, "stuck"), wallet(world, "other")))
      yield* whileTime(credit(world, "stuck", 3_000))
      yield* whileTime(credit(world, "other", 1_000))
      yield* until(() => (acknowledgedOf(world.sent)["other"]?.length ?? 0) === 1_001)
      yield* until(Effect.map(webhooks.get(id), ({ position }) => position === 4_002n))
      const claimed = yield* world.store.claim(id)
      assert.deepStrictEqual(
        claimed?.behind.map(({ delivered, through, walletId }) => [walletId, delivered, through]),
        [["stuck", -1, 3_000]]
      )
      isMended = true
      yield* until(() => (acknowledgedOf(world.sent)["stuck"]?.length ?? 0) === 3_001, 1_000)
      assert.deepStrictEqual(acknowledgedOf(world.sent)["stuck"], range(0, 3_000))
    }))

  test("holds up no other wallet by one that is never answered", (world) =>
    Effect.gen(function* () {
      world.answer = (walletId) => (walletId === "hangs" ? undefined : 204)
      yield* begin(world)
      yield* whileTime(Effect.andThen(wallet(world, "hangs"), wallet(world, "other")))
      yield* whileTime(credit(world, "hangs", 600))
      yield* whileTime(credit(world, "other", 600))
      const beganAt = yield* Clock.currentTimeMillis
      yield* until(() => (acknowledgedOf(world.sent)["other"]?.length ?? 0) === 601)
      assert.isAtMost((yield* Clock.currentTimeMillis) - beganAt, 5_000)
    }))

  test("is slowed by no other, and by no wallet that has many events at once", (world) =>
    Effect.gen(function* () {
      world.answer = (_, __, to) => (to === "http://slow.test/" ? undefined : 204)
      const { webhooks } = yield* begin(world)
      yield* whileTime(webhooks.create({ url: "http://slow.test/", from: 0n }))
      yield* whileTime(Effect.andThen(wallet(world, "busy"), wallet(world, "calm")))
      yield* whileTime(Effect.andThen(credit(world, "busy", 1_500), credit(world, "calm", 1)))
      yield* until(() => Object.values(acknowledgedOf(world.sent)).flat().length === 1_503)
      assert.isTrue(world.sent.every((sent) => sent.url === url))
      assert.deepStrictEqual(acknowledgedOf(world.sent), { busy: range(0, 1_500), calm: [0, 1] })
    }))

  test("that was away is sent all that waits as soon as it answers", (world) =>
    Effect.gen(function* () {
      let isAway = true
      world.answer = () => (isAway ? 503 : 204)
      yield* begin(world, { ...defaultWebhookBounds, retryMaxMillis: 40 * second })
      const ids = range(1, 20).map((n) => `w${n}`)
      yield* whileTime(Effect.forEach(ids, (id) => wallet(world, id), { discard: true }))
      const beganAt = yield* Clock.currentTimeMillis
      yield* until(Effect.map(Clock.currentTimeMillis, (now) => now > beganAt + 90 * second))
      const tried = world.sent.length
      isAway = false
      yield* until(() => world.sent.length > tried)
      const backAt = yield* Clock.currentTimeMillis
      yield* until(() => Object.values(acknowledgedOf(world.sent)).flat().length === 20)
      assert.isAtMost((yield* Clock.currentTimeMillis) - backAt, 2_000)
    }))

  test("is sent again what is behind a position, and nothing is skipped", (world) =>
    Effect.gen(function* () {
      const { id, webhooks } = yield* begin(world)
      yield* whileTime(wallet(world, "a"))
      yield* whileTime(credit(world, "a", 4))
      yield* until(Effect.map(webhooks.get(id), ({ position }) => position === 5n))
      const forward = yield* Effect.flip(webhooks.replay(id, 6n))
      assert.strictEqual(forward._tag, "PositionGone")
      yield* whileTime(webhooks.replay(id, 2n))
      yield* until(() => world.sent.length === 8)
      assert.deepStrictEqual(
        world.sent.map(({ version }) => version),
        [0, 1, 2, 3, 4, 2, 3, 4]
      )
      assert.deepStrictEqual(world.sent[2]?.id, world.sent[5]?.id)
      yield* whileTime(webhooks.update(id, { status: "disabled" }))
      yield* whileTime(credit(world, "a", 1))
      const skipping = yield* Effect.flip(webhooks.replay(id, 6n))
      assert.strictEqual(skipping._tag, "InvalidRequest")
    }))

  test("of a wallet that is behind is replayed from further back in order", (world) =>
    Effect.gen(function* () {
      let begun = 0
      world.answer = (_, version) => {
        if (version === 0) begun++
        return version === 2 && begun < 2 ? 500 : 204
      }
      const { id, webhooks } = yield* begin(world)
      yield* whileTime(wallet(world, "a"))
      yield* whileTime(credit(world, "a", 4))
      yield* until(
        Effect.map(webhooks.get(id), ({ position, walletsBehind }) => position === 5n && walletsBehind === 1)
      )
      yield* whileTime(webhooks.replay(id, 0n))
      yield* until(() => acknowledgedOf(world.sent)["a"]?.length === 5)
      const acknowledged = world.sent.filter(({ isAcknowledged }) => isAcknowledged).map(({ version }) => version)
      assert.deepStrictEqual(acknowledged, [0, 1, 0, 1, 2, 3, 4])
    }))

  test("that is ahead of its log is disabled, with what is to be done", (world) =>
    Effect.gen(function* () {
      const { id, webhooks } = yield* begin(world)
      yield* world.store.change(id, { position: 1_000n }, 0)
      yield* until(Effect.map(webhooks.get(id), ({ status }) => status === "disabled"))
      assert.match((yield* webhooks.get(id)).lastError ?? "", /the log ends at 0, .* replay from where the receiver is/)
    }))

  test("signs with both secrets while they roll", (world) =>
    Effect.gen(function* () {
      const { id, webhooks } = yield* begin(world)
      const signaturesOf = Effect.map(world.store.get(id), (webhook) => webhook!)
      const before = yield* signaturesOf
      yield* whileTime(webhooks.rollSecret(id, { overlapMillis: hour }))
      const after = yield* signaturesOf
      assert.notStrictEqual(after.secret, before.secret)
      assert.deepStrictEqual(after.previous?.secret, before.secret)
      yield* whileTime(webhooks.rollSecret(id, { overlapMillis: 0 }))
      assert.isNull((yield* signaturesOf).previous)
      const wrong = yield* Effect.flip(webhooks.rollSecret(id, { overlapMillis: -1 }))
      assert.strictEqual(wrong._tag, "InvalidRequest")
    }))

  test("is one of so many, and no more", (world) =>
    Effect.gen(function* () {
      const { webhooks } = yield* live(world, new Life(Infinity), { ...defaultWebhookBounds, webhooks: 2 })
      for (const _ of [1, 2]) yield* whileTime(webhooks.create({ url }))
      const error = yield* Effect.flip(webhooks.create({ url }))
      assert.deepStrictEqual([error._tag, error.message], ["LimitExceeded", "an installation has at most 2 webhooks"])
    }))
})
