import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import * as NullStores from "../../bench/NullStores.ts"

/** Few keys in memory: the stores are asked for the others. */
const engine = Layer.orDie(
  WalletEngine.layer({ bounds: { ...defaultBounds, keysInMemory: 4 }, partitions: 4 }).pipe(
    Layer.provide(NullStores.layer)
  )
)

describe("NullStores", () => {
  it.live("keep a resident wallet at work when a key of it is looked up in them", () =>
    Effect.gen(function* () {
      const engine = yield* WalletEngine
      yield* engine.createWallet({ id: "w", ownerId: "o", currency: "EUR", idempotencyKey: "create" })
      const credit = (n: number) => engine.credit({ walletId: "w", amount: 1n, idempotencyKey: `k${n}` })
      for (let n = 0; n < 100; n++) yield* credit(n)
      // Its filter has it, its memory has not: only the stores could tell, and they know nothing.
      const { replayed, wallet } = yield* credit(0)
      assert.isFalse(replayed)
      assert.strictEqual(wallet.balance, 101n)
    }).pipe(Effect.provide(engine))
  )
})
