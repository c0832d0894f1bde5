/** The app's own test, on whichever engine `engine.ts` names: `node --test`. */
import { Effect } from "effect"
import { WalletEngine } from "effect-wallet"
import assert from "node:assert/strict"
import { test } from "node:test"
import { wallets } from "./engine.ts"
import { open, payMonth } from "./payroll.ts"

const paysOnce = Effect.gen(function* () {
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
})

test("pays each of them once a month", () => Effect.runPromise(Effect.provide(paysOnce, wallets)))
