/** What an app does with wallets, whatever they are on: it names the engine's service, and nothing else. */
import { Effect } from "effect"
import { WalletEngine } from "effect-wallet"

/** Pays each of them from the account of the firm, once a month: whoever is paid already is not paid again. */
export const payMonth = Effect.fnUntraced(function* (month: string, salaries: Readonly<Record<string, bigint>>) {
  const wallets = yield* WalletEngine
  return yield* Effect.forEach(Object.entries(salaries), ([employee, amount]) =>
    wallets
      .transfer({ from: "firm", to: employee, amount, reference: month, idempotencyKey: `${month}-${employee}` })
      .pipe(
        Effect.map(({ transfer }) => `${employee}: ${transfer.status}`),
        Effect.catchTag("InsufficientFunds", ({ available, required }) =>
          Effect.succeed(`${employee}: ${available} left of ${required}`)
        )
      )
  )
})

export const open = Effect.fnUntraced(function* (balances: Readonly<Record<string, bigint>>) {
  const wallets = yield* WalletEngine
  for (const [id, amount] of Object.entries(balances)) {
    yield* wallets.createWallet({ id, ownerId: id, currency: "EUR", idempotencyKey: `open-${id}` })
    if (amount > 0n) yield* wallets.credit({ walletId: id, amount, idempotencyKey: `first-${id}` })
  }
})
