import { Effect } from "effect"
import { WalletEngine } from "effect-wallet"

const program = Effect.gen(function* () {
  const wallets = yield* WalletEngine
  yield* wallets.createWallet({ id: "alice", ownerId: "alice", currency: "EUR", idempotencyKey: "create-alice" })
  const { wallet } = yield* wallets.credit({ walletId: "alice", amount: 1050n, idempotencyKey: "credit-1" })
  return wallet.balance
}).pipe(Effect.catchTag("StoreUnavailable", (error) => Effect.logError(error.message)))

Effect.runPromise(program.pipe(Effect.provide(WalletEngine.layerEmbedded({ dataDir: ".wallets" }))))
