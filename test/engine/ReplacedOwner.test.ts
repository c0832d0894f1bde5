/** A node that does not know yet that another one has claimed its wallets. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { create, credit } from "../support/EngineCalls.ts"
import { assertVerified, forgetful, installNode } from "../support/Installation.ts"
import { modes } from "../support/RefundCalls.ts"

/** The successor has frozen the wallet; what the replaced one says when it is asked for that again. */
const askedAgain = Effect.fnUntraced(function* (separate: boolean) {
  const { installation, node } = yield* installNode({ separate, bounds: forgetful })
  yield* create(node, "a")
  yield* credit(node, "a", 10n, "fund")
  yield* credit(node, "a", 10n, "more")
  const next = yield* installation.start()
  const freeze = { walletId: "a", idempotencyKey: "freeze" }
  const first = yield* next.engine.freeze(freeze)
  return { installation, first, again: yield* Effect.result(node.engine.freeze(freeze)) }
})

describe("an owner that was replaced", () => {
  it.effect("answers a retry of what its successor has done with what the successor answered (two stores)", () =>
    Effect.gen(function* () {
      const { again, first } = yield* askedAgain(true)
      assert.isTrue(again._tag === "Success")
      if (again._tag === "Success") assert.deepStrictEqual(again.success, { ...first, replayed: true })
    })
  )

  it.effect("finds out by the append that was to tell of the key, and does nothing (one database)", () =>
    Effect.gen(function* () {
      const { again, installation } = yield* askedAgain(false)
      assert.isTrue(again._tag === "Failure" && again.failure._tag === "StoreUnavailable")
      assert.deepStrictEqual(installation.types("a"), [
        "WalletCreated",
        "WalletCredited",
        "WalletCredited",
        "WalletFrozen"
      ])
    })
  )

  for (const [where, separate] of modes) {
    it.effect(
      `finds out by what its successor has left to be ended, though nobody asks it for anything (${where})`,
      () =>
        Effect.gen(function* () {
          const { installation, node } = yield* installNode({ separate })
          for (const id of ["a", "b"]) {
            yield* create(node, id)
            yield* credit(node, id, 10n, "fund")
          }
          const next = yield* installation.start()
          yield* next.engine.freeze({ walletId: "a", until: 20_000, idempotencyKey: "freeze" })
          yield* next.engine.placeHold({ walletId: "b", amount: 4n, expiresAt: 20_000, idempotencyKey: "hold" })
          next.kill()
          yield* TestClock.setTime(20_000)
          const lost = yield* Effect.forkChild(node.ownership.lost)
          yield* TestClock.adjust("30 seconds")
          assert.isDefined(lost.pollUnsafe(), "it has nothing to say any more, and knows it")
          yield* node.stop
          yield* installation.start()
          yield* TestClock.adjust("30 seconds")
          assert.strictEqual(installation.types("a").at(-1), "FreezeExpired")
          assert.strictEqual(installation.types("b").at(-1), "HoldExpired")
          yield* assertVerified(installation)
        })
    )
  }
})
