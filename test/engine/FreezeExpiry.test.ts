import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { create, credit } from "../support/EngineCalls.ts"
import type { Node } from "../support/Installation.ts"
import { assertConsistent, assertVerified, forgetful, install, installNode } from "../support/Installation.ts"
import { pass } from "../support/TransferCalls.ts"

const freeze = (node: Node, walletId: string, until: number | null, idempotencyKey = "freeze") =>
  node.engine.freeze({ walletId, direction: "all", until, reason: "audit", idempotencyKey })

const statusOf = (node: Node, walletId: string) =>
  Effect.map(node.engine.getWallet({ walletId }), ({ freeze, status }) => [status, freeze?.until ?? null])

describe("a freeze whose time is over", () => {
  it.effect("ends within two seconds, and not before", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      for (const id of ["a", "b"]) yield* create(node, id)
      yield* freeze(node, "a", 10_000)
      yield* freeze(node, "b", null)
      yield* TestClock.setTime(9_999)
      yield* pass(0)
      assert.deepStrictEqual(yield* statusOf(node, "a"), ["frozen", 10_000])
      yield* pass(2)
      assert.deepStrictEqual(yield* statusOf(node, "a"), ["active", null])
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* statusOf(node, "b"), ["frozen", null])
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletFrozen", "FreezeExpired"])
      yield* assertConsistent(installation, node, "a")
      yield* assertVerified(installation)
    })
  )

  it.effect("does not count from then on, whether its end is written or not", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* freeze(node, "a", 10_100)
      yield* TestClock.setTime(10_099)
      assert.strictEqual((yield* Effect.flip(credit(node, "a", 5n, "early")))._tag, "WalletFrozen")
      yield* TestClock.setTime(10_100)
      yield* credit(node, "a", 5n, "late")
      yield* pass(2)
      assert.deepStrictEqual(installation.types("a").slice(2), ["WalletCredited", "FreezeExpired"])
    })
  )

  it.effect("is the last one of the wallet's", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* freeze(node, "a", 10_000)
      yield* freeze(node, "a", 20_000, "longer")
      yield* TestClock.setTime(15_000)
      yield* pass(2)
      assert.deepStrictEqual(yield* statusOf(node, "a"), ["frozen", 20_000])
      yield* node.engine.unfreeze({ walletId: "a", idempotencyKey: "thaw" })
      yield* freeze(node, "a", 30_000, "again")
      yield* TestClock.setTime(25_000)
      yield* pass(2)
      assert.deepStrictEqual(yield* statusOf(node, "a"), ["frozen", 30_000])
      yield* TestClock.setTime(30_000)
      yield* pass(2)
      assert.deepStrictEqual(yield* statusOf(node, "a"), ["active", null])
      const events = ["WalletFrozen", "WalletFrozen", "WalletUnfrozen", "WalletFrozen", "FreezeExpired"]
      assert.deepStrictEqual(installation.types("a").slice(1), events)
    })
  )

  it.effect("ends after a time without any node, in a wallet that nobody has touched", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const first = yield* installation.start()
      yield* create(first, "a")
      yield* freeze(first, "a", 10_000)
      first.log.kill()
      yield* TestClock.setTime(3_600_000)
      const second = yield* installation.start()
      assert.strictEqual(second.registry.load().residentWallets, 0)
      yield* pass(2)
      assert.deepStrictEqual(yield* statusOf(second, "a"), ["active", null])
    })
  )

  it.effect("shows in the answer to a replay as it was then", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode({ bounds: forgetful })
      yield* create(node, "a")
      const first = yield* freeze(node, "a", 10_000)
      yield* TestClock.setTime(10_000)
      yield* pass(2)
      yield* credit(node, "a", 5n, "later")
      const again = yield* freeze(node, "a", 10_000)
      assert.isTrue(again.replayed)
      assert.deepStrictEqual(again.wallet, first.wallet)
      assert.deepStrictEqual(again.wallet.freeze, { direction: "all", reason: "audit", until: 10_000 })
    })
  )
})
