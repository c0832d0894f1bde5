/**
 * A small Effect app with wallets of its own: no server, no database to set up. Run it
 * twice: the second run finds the same wallets, and every command answers what it
 * answered before, because the keys are the same.
 *
 *   npm run example [folder]
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Logger } from "effect"
import { WalletEngine } from "effect-wallet"

/** Opens the two wallets; `WalletAlreadyExists` cannot happen, for the keys name the same commands. */
const open = Effect.gen(function* () {
  const wallets = yield* WalletEngine
  yield* wallets.createWallet({ id: "alice", ownerId: "alice", currency: "EUR", idempotencyKey: "open-alice" })
  yield* wallets.createWallet({
    id: "shop",
    ownerId: "shop",
    currency: "EUR",
    metadata: { kind: "merchant" },
    idempotencyKey: "open-shop"
  })
})

/** An order of 40.00: reserved when placed, 35.50 captured when sent, the rest let go. */
const order = Effect.gen(function* () {
  const wallets = yield* WalletEngine
  yield* wallets.credit({ walletId: "alice", amount: 10_000n, reference: "top-up", idempotencyKey: "top-up-1" })
  const { hold } = yield* wallets.placeHold({
    walletId: "alice",
    amount: 4_000n,
    reference: "order 17",
    idempotencyKey: "order-17-place"
  })
  yield* wallets.captureHold({
    walletId: "alice",
    holdId: hold.id,
    amount: 3_550n,
    final: true,
    idempotencyKey: "order-17-send"
  })
  yield* wallets.credit({ walletId: "shop", amount: 3_550n, reference: "order 17", idempotencyKey: "order-17-earn" })
})

/** The rules answer with typed errors, which the compiler makes you see. */
const overspend = Effect.gen(function* () {
  const wallets = yield* WalletEngine
  yield* wallets.debit({ walletId: "alice", amount: 1_000_000n, idempotencyKey: "yacht" })
}).pipe(
  Effect.catchTag("InsufficientFunds", ({ available, required }) =>
    Console.log(`refused: ${euros(required)} asked, ${euros(available)} available`)
  )
)

const euros = (minorUnits: bigint): string => `${minorUnits / 100n}.${String(minorUnits % 100n).padStart(2, "0")} EUR`

const statement = Effect.fnUntraced(function* (walletId: string) {
  const wallets = yield* WalletEngine
  const wallet = yield* wallets.getWallet({ walletId })
  const { data } = yield* wallets.transactions({ walletId, limit: 50 })
  yield* Console.log(`${walletId}: ${euros(wallet.balance)}`)
  for (const { amount, balanceAfter, reference, type } of data.toReversed()) {
    yield* Console.log(
      `  ${type.padEnd(8)} ${euros(amount).padStart(12)} ${euros(balanceAfter).padStart(12)}  ${reference ?? ""}`
    )
  }
})

const program = Effect.gen(function* () {
  yield* open
  yield* order
  yield* overspend
  yield* statement("alice")
  yield* statement("shop")
})

const dataDir = process.argv[2] ?? ".wallets"

program.pipe(
  Effect.provide(WalletEngine.layerEmbedded({ dataDir })),
  // The engine logs little; standard output is for the statements.
  Effect.provideService(Logger.LogToStderr, true),
  NodeRuntime.runMain
)
