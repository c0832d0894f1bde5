/**
 * An order that is sent in two parcels and comes back in part, one that is cancelled, and one that is declined. Run it
 * twice: nothing happens twice.
 *
 *   node --conditions=effect-wallet-source examples/shop/main.ts [folder]
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Logger } from "effect"
import { WalletEngine } from "effect-wallet"
import { Shop } from "./Shop.ts"

const program = Effect.gen(function* () {
  const shop = yield* Shop
  yield* shop.topUp("ann", "bank-transfer-1", 10_000n)

  const order = yield* shop.place({ id: "17", customer: "ann", total: 4_000n })
  const books = yield* shop.ship(order, { id: "1", amount: 2_500n, last: false })
  yield* shop.ship(order, { id: "2", amount: 1_200n, last: true })
  yield* shop.payReturn(books, "a", 1_000n)
  yield* shop.payReturn(books, "b", 500n)
  yield* shop
    .payReturn(books, "c", 1_001n)
    .pipe(Effect.catchTag("ReturnTooLarge", ({ refundable }) => Console.log(`no return of 10.01: ${refundable} left`)))

  const changedMind = yield* shop.place({ id: "18", customer: "ann", total: 2_000n })
  yield* shop.cancel(changedMind)
  yield* shop
    .ship(changedMind, { id: "1", amount: 2_000n, last: true })
    .pipe(Effect.catchTag("NotReserved", ({ orderId }) => Console.log(`order ${orderId} cannot be sent: cancelled`)))

  yield* shop
    .place({ id: "19", customer: "ann", total: 1_000_000n })
    .pipe(Effect.catchTag("PaymentDeclined", ({ orderId }) => Console.log(`order ${orderId} is declined`)))

  yield* statement("ann")
  yield* statement("bookshop")
})

const statement = Effect.fnUntraced(function* (walletId: string) {
  const wallets = yield* WalletEngine
  const { balance, held } = yield* wallets.getWallet({ walletId })
  yield* Console.log(`${walletId}: ${balance}, of it held ${held}`)
  const { data } = yield* wallets.transactions({ walletId, limit: 50 })
  for (const { amount, balanceAfter, reference, type } of data.toReversed()) {
    yield* Console.log(`  ${type} ${amount} -> ${balanceAfter} ${reference ?? ""}`.trimEnd())
  }
})

const dataDir = process.argv[2] ?? ".wallets/shop"

program.pipe(
  Effect.provide(Shop.layer("bookshop", "EUR").pipe(Layer.provideMerge(WalletEngine.layerEmbedded({ dataDir })))),
  Effect.provideService(Logger.LogToStderr, true),
  NodeRuntime.runMain
)
