/** A node that does not know yet that another one has claimed its wallets. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { create, credit } from "../support/EngineCalls.ts"
import { forgetful, installNode } from "../support/Installation.ts"

describe("an owner that was replaced", () => {
  for (const separate of [false, true]) {
    const stores = separate ? "two stores" : "one database"

    it.effect(`answers a retry of what its successor has done with what the successor answered (${stores})`, () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate, bounds: forgetful })
        yield* create(node, "a")
        yield* credit(node, "a", 10n, "fund")
        yield* credit(node, "a", 10n, "more")
        const next = yield* installation.start()
        const freeze = { walletId: "a", idempotencyKey: "freeze" }
        const first = yield* next.engine.freeze(freeze)
        const again = yield* node.engine.freeze(freeze)
        assert.strictEqual(again.wallet.status, "frozen")
        assert.deepStrictEqual(again, { ...first, replayed: true })
      })
    )
  }
})
