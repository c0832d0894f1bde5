import { Effect } from "effect"
import { Policies, type Policy, spentIn, WalletEngine } from "effect-wallet"

const minute = 60_000

/** After a payment of 500.00 or more a wallet pays nothing more for ten minutes. */
const coolDown: Policy<{ readonly paidAt: number | null }> = {
  name: "cool-down",
  version: "1",
  facts: {
    initial: { paidAt: null },
    fold: (facts, recorded) => (spentIn(recorded) >= 50_000n ? { paidAt: recorded.time } : facts),
    maxBytes: 100,
    reachMillis: 10 * minute
  },
  judge: (_wallet, command, now, { paidAt }) =>
    paidAt !== null && now < paidAt + 10 * minute && (command._tag === "Debit" || command._tag === "SendTransfer")
      ? { reason: "a large payment was made less than ten minutes ago" }
      : undefined
}

const wallets = WalletEngine.layerMemoryWith({
  policy: [coolDown, Policies.velocity({ amount: 100_000n, per: "1 day" })]
})

const payments = Effect.gen(function* () {
  const wallets = yield* WalletEngine
  yield* wallets.createWallet({ id: "alice", ownerId: "ann", currency: "EUR", idempotencyKey: "create-alice" })
  yield* wallets.credit({ walletId: "alice", amount: 500_000n, idempotencyKey: "deposit-1" })
  yield* wallets.debit({ walletId: "alice", amount: 60_000n, idempotencyKey: "laptop" })
  return yield* wallets.debit({ walletId: "alice", amount: 1_000n, idempotencyKey: "lunch" }).pipe(
    Effect.as("paid"),
    Effect.catchTag("PolicyRejected", ({ policy, reason }) => Effect.succeed(`${policy}: ${reason}`))
  )
})

Effect.runPromise(payments.pipe(Effect.provide(wallets))).then(console.log)
