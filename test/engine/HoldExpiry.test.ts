import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { create, credit } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Node } from "../support/Installation.ts"
import { assertConsistent, install, installNode } from "../support/Installation.ts"
import { pass } from "../support/TransferCalls.ts"

const hold = (node: Node, walletId: string, expiresAt: number | null, idempotencyKey: string, amount = 10n) =>
  Effect.map(node.engine.placeHold({ walletId, amount, expiresAt, idempotencyKey }), (answer) => answer.hold.id)

const statusOf = (node: Node, walletId: string, holdId: string) =>
  Effect.map(node.engine.hold(walletId, holdId), ({ status }) => status)

const wallet = (node: Node, id: string, amount = 100n) =>
  Effect.andThen(create(node, id), credit(node, id, amount, `fund-${id}`))

describe("a hold whose time is over", () => {
  it.effect("is released within two seconds, and not before", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* wallet(node, "a")
      const first = yield* hold(node, "a", 10_000, "1")
      const second = yield* hold(node, "a", 11_000, "2")
      const lasting = yield* hold(node, "a", null, "3")
      yield* TestClock.setTime(9_999)
      yield* pass(0)
      assert.strictEqual(yield* statusOf(node, "a", first), "active")
      yield* pass(2)
      assert.strictEqual(yield* statusOf(node, "a", first), "expired")
      yield* pass(1)
      assert.strictEqual(yield* statusOf(node, "a", second), "expired")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* statusOf(node, "a", lasting), "active")
      const { balance, held } = yield* node.engine.getWallet({ walletId: "a" })
      assert.deepStrictEqual([balance, held], [100n, 10n])
      assert.deepStrictEqual(installation.types("a").slice(5), ["HoldExpired", "HoldExpired"])
      for (const { event, time } of installation.events("a")) {
        if (event._tag === "HoldExpired") assert.isTrue(time >= 10_000 && time <= 13_000)
      }
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("cannot be captured any more, whether it is released yet or not", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* wallet(node, "a")
      const holdId = yield* hold(node, "a", 10_100, "1")
      const last = yield* hold(node, "a", 10_101, "2")
      yield* TestClock.setTime(10_100)
      const capture = (id: string, key: string) =>
        node.engine.captureHold({ walletId: "a", holdId: id, idempotencyKey: key })
      assert.strictEqual((yield* Effect.flip(capture(holdId, "late")))._tag, "HoldClosed")
      assert.strictEqual((yield* capture(last, "in-time")).hold.status, "captured")
      yield* pass(2)
      assert.deepStrictEqual(
        [yield* statusOf(node, "a", holdId), yield* statusOf(node, "a", last)],
        ["expired", "captured"]
      )
      assert.strictEqual((yield* Effect.flip(capture(holdId, "later")))._tag, "HoldClosed")
      assert.deepStrictEqual(installation.types("a").slice(4), ["HoldCaptured", "HoldExpired"])
    })
  )

  it.effect("is either captured or expired when both come in the same instant", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* wallet(node, "a", 1_000n)
      const ids = yield* Effect.forEach(Array.from({ length: 20 }), (_, n) => hold(node, "a", 10_000, `h-${n}`))
      yield* TestClock.setTime(9_999)
      const both = Effect.forEach(
        ids,
        (holdId) => Effect.exit(node.engine.captureHold({ walletId: "a", holdId, idempotencyKey: holdId })),
        { concurrency: "unbounded" }
      )
      yield* Effect.all([both, TestClock.setTime(10_000)], { concurrency: "unbounded" })
      yield* pass(2)
      const ended = yield* Effect.forEach(ids, (holdId) => statusOf(node, "a", holdId))
      const captured = ended.filter((status) => status === "captured").length
      assert.strictEqual(ended.filter((status) => status === "expired").length, 20 - captured)
      const { balance, held } = yield* node.engine.getWallet({ walletId: "a" })
      assert.deepStrictEqual([balance, held], [1_000n - 10n * BigInt(captured), 0n])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("is released after a time without any node, in a wallet that nobody has touched", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const first = yield* installation.start()
      yield* wallet(first, "a")
      const holdId = yield* hold(first, "a", 10_000, "1")
      first.log.kill()
      yield* TestClock.setTime(3_600_000)
      const second = yield* installation.start()
      assert.strictEqual(second.registry.load().residentWallets, 0)
      yield* pass(2)
      assert.strictEqual(yield* statusOf(second, "a", holdId), "expired")
    })
  )

  it.effect("is released although its wallet is frozen", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      yield* wallet(node, "a")
      const holdId = yield* hold(node, "a", 10_000, "1")
      yield* node.engine.freeze({ walletId: "a", idempotencyKey: "freeze" })
      yield* TestClock.setTime(10_000)
      yield* pass(2)
      assert.strictEqual(yield* statusOf(node, "a", holdId), "expired")
    })
  )
})

describe("the expiry of holds", () => {
  it.effect("keeps up with ten thousand of the same second, of wallets out of memory", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { residentBytes: 100 * 4_096 } })
      const ids = Array.from({ length: 1_000 }, (_, n) => `w${n}`)
      const holds = (id: string, n: number) =>
        Effect.forEach(Array.from({ length: 10 }), (_, h) => hold(node, id, 100_000 + (n % 1_000), `h-${h}`), {
          concurrency: "unbounded"
        })
      yield* Effect.forEach(ids, (id, n) => Effect.andThen(wallet(node, id), holds(id, n)), {
        concurrency: 100,
        discard: true
      })
      yield* TestClock.setTime(100_000)
      yield* pass(5)
      const active = [...installation.state.holds.values()].flatMap((holds) =>
        [...holds.values()].filter((placed) => placed.hold.status === "active")
      )
      assert.strictEqual(active.length, 0)
    })
  )

  it.effect("waits for a log that is away, and tells of it once", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      const ids = yield* Effect.forEach(["a", "b", "c"], (id) =>
        Effect.andThen(wallet(node, id), hold(node, id, 10_000, "1"))
      )
      yield* TestClock.setTime(9_000)
      node.log.draw = { append: () => Faults.unavailable, read: () => undefined }
      yield* pass(30)
      node.log.draw = undefined
      yield* pass(8)
      for (const [index, id] of ["a", "b", "c"].entries()) {
        assert.strictEqual(yield* statusOf(node, id, ids[index]!), "expired")
      }
      const told = node.logged.filter((line) => line.includes("hold expiry"))
      assert.strictEqual(told.length, 2, told.join("\n"))
      assert.include(told[1], "goes on")
    })
  )
})
