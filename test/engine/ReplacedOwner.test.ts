/** A node that does not know yet that another one has claimed its wallets. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { create, credit } from "../support/EngineCalls.ts"
import { forgetful, installNode } from "../support/Installation.ts"

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
})
