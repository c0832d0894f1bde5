/** What a caller is told who comes again while the rows' store is away: the log has it all. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { create, credit } from "../support/EngineCalls.ts"
import { installNode } from "../support/Installation.ts"

const everywhere = { committed: true, persisted: true, indexed: true }

describe("a retry while Persistence is away", () => {
  it.effect("is answered from the log, also where the wallet itself has changed since", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      yield* credit(node, "a", 5n, "k")
      yield* node.engine.freeze({ walletId: "a", idempotencyKey: "f" })
      node.persistence.writesAway = true
      node.persistence.readsAway = true
      const again = yield* create(node, "a")
      assert.deepStrictEqual([again.replayed, again.wallet.version, again.durability], [true, 0, everywhere])
      assert.strictEqual((yield* credit(node, "a", 5n, "k")).wallet.status, "active")
      assert.strictEqual((yield* node.engine.freeze({ walletId: "a", idempotencyKey: "f" })).wallet.status, "frozen")
    })
  )
})
