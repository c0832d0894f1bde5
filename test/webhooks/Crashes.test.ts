import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { defaultWebhookBounds } from "../../src/webhooks/WebhookBounds.ts"
import { acknowledgedOf, Life, live, makeWorld, until, whileTime, type World } from "./World.ts"

const wallets = ["a", "b", "c"]
const credits = 4
/** Checkpoints while lanes have events in hand. */
const bounds = { ...defaultWebhookBounds, saveMillis: 100, lookMillis: 200 }
const head = BigInt(wallets.length * (credits + 1))
const versions = Array.from({ length: credits + 1 }, (_, version) => version)

const fill = Effect.fnUntraced(function* ({ engine }: World) {
  for (const id of wallets) {
    yield* engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `c-${id}` })
  }
  for (let n = 0; n < credits; n++) {
    for (const walletId of wallets) yield* engine.credit({ walletId, amount: 1n, idempotencyKey: `k-${walletId}-${n}` })
  }
})

/** Refuses each third request, and one wallet for longer. */
const refusing = () => {
  let asked = 0
  let stubborn = 0
  return (walletId: string, version: number) => {
    if (walletId === "b" && version === 3 && ++stubborn < 4) return 500
    return ++asked % 3 === 0 ? 503 : 204
  }
}

/** A process that dies at one step, then one that dies at another, then one that lives. Answers how many steps the first took. */
const run = Effect.fnUntraced(function* (first: number, second: number) {
  const world = yield* makeWorld
  yield* whileTime(fill(world))
  world.answer = refusing()
  world.answerMillis = 120
  const lives = [new Life(first), new Life(second), new Life(Infinity)]
  let id: string | undefined
  const isDone = () => Object.values(acknowledgedOf(world.sent)).flat().length === wallets.length * versions.length
  for (const life of lives) {
    const { end, webhooks } = yield* live(world, life, bounds)
    id ??= (yield* whileTime(webhooks.create({ url: "http://r.test/", from: 0n }))).webhook.id
    yield* until(() => Deferred.isDoneUnsafe(life.died) || isDone())
    const isSaved = Effect.map(
      world.store.get(id),
      (webhook) => webhook?.position === head && webhook.walletsBehind === 0
    )
    if (!life.isDead) yield* until(Effect.map(isSaved, (saved) => saved || life.isDead))
    yield* whileTime(end, 500)
  }
  assert.deepStrictEqual(acknowledgedOf(world.sent), { a: versions, b: versions, c: versions }, `${first}, ${second}`)
  const saved = world.positions.get(id!) ?? []
  assert.deepStrictEqual(
    saved,
    [...saved].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    `${first}, ${second}`
  )
  const last = yield* world.store.get(id!)
  assert.deepStrictEqual([last?.position, last?.walletsBehind, last?.lastError], [head, 0, null], `${first}, ${second}`)
  return { steps: lives[0]!.steps, sent: world.sent.length }
}, Effect.scoped)

describe("a process that dies between any two steps", () => {
  it.effect(
    "has every event sent, in order per wallet, and the checkpoint never goes back",
    () =>
      Effect.gen(function* () {
        const whole = yield* run(Infinity, Infinity)
        assert.isAbove(whole.steps, 40)
        let again = 0
        for (let step = 1; step <= whole.steps; step++) {
          const { sent } = yield* run(step, ((step * 7) % whole.steps) + 1)
          if (sent > whole.sent) again++
        }
        // It is not that nothing was ever lost on the way: what was acknowledged and not saved came again.
        assert.isAbove(again, 10)
      }),
    300_000
  )

  it.effect(
    "loses nothing where two nodes deliver to one endpoint at once",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld
        world.answer = refusing()
        world.answerMillis = 120
        const nodes = [yield* live(world, new Life(Infinity), bounds), yield* live(world, new Life(Infinity), bounds)]
        const { webhook } = yield* whileTime(nodes[0]!.webhooks.create({ url: "http://r.test/", from: 0n }))
        yield* whileTime(fill(world))
        const all = wallets.length * versions.length
        yield* until(() => Object.values(acknowledgedOf(world.sent)).flat().length === all)
        // Each takes it from the other, and the one that was left behind saves nothing.
        const claimed = yield* Effect.map(world.store.get(webhook.id), (known) => known!.epoch)
        assert.isAbove(claimed, 2)
        yield* whileTime(nodes[0]!.end, 500)
        const isSaved = Effect.map(world.store.get(webhook.id), (known) => known?.position === head)
        yield* until(isSaved)
        yield* whileTime(nodes[1]!.end, 500)
        assert.deepStrictEqual(acknowledgedOf(world.sent), { a: versions, b: versions, c: versions })
        const saved = world.positions.get(webhook.id)!
        assert.deepStrictEqual(
          saved,
          [...saved].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
        )
      }).pipe(Effect.scoped),
    300_000
  )
})
