/** The app's own test. It runs on whichever engine it is given: by a folder here, by a service elsewhere. */
import { Effect, type Layer } from "effect"
import { WalletEngine } from "effect-wallet"
import assert from "node:assert/strict"
import { open, payMonth } from "./payroll.ts"

/** The same checks; `wallets` is all that differs. */
export const paysOnce = <E>(wallets: Layer.Layer<WalletEngine, E>) =>
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    yield* open({ firm: 500n, ann: 0n, ben: 0n })
    const salaries = { ann: 310n, ben: 240n }
    assert.deepEqual(yield* payMonth("2026-01", salaries), ["ann: completed", "ben: 190 left of 240"])
    yield* engine.credit({ walletId: "firm", amount: 100n, idempotencyKey: "loan" })
    // Ann has hers already.
    assert.deepEqual(yield* payMonth("2026-01", salaries), ["ann: completed", "ben: completed"])
    const paid = yield* Effect.forEach(["firm", "ann", "ben"], (walletId) => engine.getWallet({ walletId }))
    assert.deepEqual(
      paid.map(({ balance }) => balance),
      [50n, 310n, 240n]
    )
  }).pipe(Effect.provide(wallets))
