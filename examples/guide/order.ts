import { Effect } from "effect"
import { WalletEngine } from "effect-wallet"

/** An order: reserved when it is placed, captured when it is sent. */
const order = Effect.gen(function* () {
  const wallets = yield* WalletEngine
  yield* wallets.createWallet({ id: "alice", ownerId: "ann", currency: "EUR", idempotencyKey: "create-alice" })
  yield* wallets.createWallet({ id: "shop", ownerId: "shop", currency: "EUR", idempotencyKey: "create-shop" })
  yield* wallets.credit({ walletId: "alice", amount: 10_000n, idempotencyKey: "deposit-1" })
  const { hold } = yield* wallets.placeHold({ walletId: "alice", amount: 4_000n, idempotencyKey: "order-17" })
  yield* wallets.captureHold({ walletId: "alice", holdId: hold.id, final: true, idempotencyKey: "order-17-send" })
  const { transfer } = yield* wallets.transfer({ from: "alice", to: "shop", amount: 1_000n, idempotencyKey: "tip" })
  const { balance, version } = yield* wallets.getWallet({ walletId: "alice" })
  return { balance, version, transfer: transfer.status }
})

Effect.runPromise(order.pipe(Effect.provide(WalletEngine.layerMemory))).then(console.log)
