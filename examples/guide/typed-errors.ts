import { Effect, Schedule } from "effect"
import { isRetryable, WalletEngine } from "effect-wallet"

const pay = (walletId: string, amount: bigint, orderId: string) =>
  Effect.gen(function* () {
    const wallets = yield* WalletEngine
    return yield* wallets.debit({ walletId, amount, idempotencyKey: `pay-${orderId}` })
  }).pipe(
    // With the same key a retry is always safe, whatever has become of the first try.
    Effect.retry({
      while: isRetryable,
      schedule: Schedule.exponential("100 millis").pipe(Schedule.upTo({ duration: "30 seconds" }))
    }),
    Effect.map(() => "paid"),
    Effect.catchTags({
      InsufficientFunds: ({ available }) => Effect.succeed(`only ${available} available`),
      WalletFrozen: () => Effect.succeed("frozen")
    })
  )

const program = Effect.gen(function* () {
  const wallets = yield* WalletEngine
  yield* wallets.createWallet({ id: "alice", ownerId: "ann", currency: "EUR", idempotencyKey: "create-alice" })
  return yield* pay("alice", 500n, "17")
})

Effect.runPromise(program.pipe(Effect.provide(WalletEngine.layerMemory))).then(console.log)
