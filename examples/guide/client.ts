import { Effect, Redacted } from "effect"
import { WalletClient } from "effect-wallet/client"

export const program = Effect.gen(function* () {
  const { wallets } = yield* WalletClient
  const { wallet } = yield* wallets.debit({
    params: { id: "alice" },
    headers: { "idempotency-key": "fee-1" },
    query: {},
    payload: { amount: 250n }
  })
  return wallet.balance
}).pipe(Effect.catchTag("InsufficientFunds", () => Effect.succeed(0n)))

export const client = WalletClient.layerFetch({
  baseUrl: "http://127.0.0.1:3000",
  apiKey: Redacted.make("the secret of a key")
})
