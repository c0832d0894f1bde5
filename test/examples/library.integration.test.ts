/** The examples that embed the library: run twice on one folder, and looked at by an engine of the test's own. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { readyDataDir } from "../support/embedded.ts"
import { runExample } from "./exampleProcess.ts"

/** Balances, what is held, and all transactions of each wallet, with the version, which any effect would move. */
const booksOf = (dataDir: string, walletIds: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const wallets = yield* WalletEngine
    return yield* Effect.forEach(walletIds, (walletId) =>
      Effect.gen(function* () {
        const { balance, held, version } = yield* wallets.getWallet({ walletId })
        const { data } = yield* wallets.transactions({ walletId, limit: 50 })
        const transactions = data.toReversed().map(({ amount, type }) => `${type} ${amount}`)
        return { walletId, balance, held, version, transactions }
      })
    )
  }).pipe(Effect.provide(WalletEngine.layerEmbedded({ dataDir })))

const examples: ReadonlyArray<{
  readonly name: string
  readonly says: ReadonlyArray<string>
  readonly books: ReadonlyArray<readonly [walletId: string, balance: bigint, ...transactions: ReadonlyArray<string>]>
}> = [
  {
    name: "shop",
    says: [
      "no return of 10.01: 1000 left",
      "order 18 cannot be sent: cancelled",
      "order 19 is declined",
      "ann: 7800, of it held 0",
      "bookshop: 2200, of it held 0"
    ],
    books: [
      ["ann", 7_800n, "credit 10000", "capture 2500", "capture 1200", "transfer_in 1000", "transfer_in 500"],
      ["bookshop", 2_200n, "transfer_in 2500", "transfer_in 1200", "transfer_out 1000", "transfer_out 500"]
    ]
  },
  {
    name: "game",
    says: [
      "no castle: wallet ben-GOLD has 150 available, 90000 required",
      "no trade: wallet ben-GOLD has 150 available, 151 required",
      "no treasure: policy purse-cap of wallet ann-GOLD: the balance would be up to 5400, at most 5000 may it be",
      "ann: 1400 gold, 15 gems",
      "ben: 150 gold, 5 gems"
    ],
    books: [
      ["ann-GOLD", 1_400n, "transfer_in 1000", "transfer_in 400"],
      ["ann-GEMS", 15n, "credit 30", "transfer_out 10", "transfer_out 5"],
      ["ben-GOLD", 150n, "credit 900", "transfer_out 350", "transfer_out 400"],
      ["ben-GEMS", 5n, "transfer_in 5"],
      ["treasury-GOLD", 999_000n, "credit 1000000", "transfer_out 1000"],
      ["treasury-GEMS", 10n, "transfer_in 10"],
      ["game-GOLD", 350n, "transfer_in 350"]
    ]
  },
  {
    name: "usage-credits",
    says: [
      "report-1: charged, 21000 left",
      "report-4: 9000 of 10000 within 1h are spent, 2000 asked",
      "report-5: 185000 credits are missing",
      "June: 0 + 24000 - 7000 = 17000",
      '422 {"code":"PolicyRejected","policy":"hourly-credits","retryable":false,"detail":"policy hourly-credits of wallet credits-acme: 9000 of 10000 within 1h are spent, 2000 asked"}'
    ],
    books: [["credits-acme", 15_000n, "credit 4000", "credit 20000", "debit 3000", "debit 4000", "debit 2000"]]
  }
]

describe("an example on the library", () => {
  it.live.each(examples)("$name: ends as it says, and changes nothing when it runs again", ({ books, name, says }) =>
    Effect.gen(function* () {
      const dataDir = yield* readyDataDir
      const ids = books.map(([walletId]) => walletId)
      const said = yield* runExample(`examples/${name}/main.ts`, dataDir)
      assert.includeMembers(said.split("\n"), [...says])
      const found = yield* booksOf(dataDir, ids)
      assert.deepStrictEqual(
        found.map(({ balance, transactions, walletId }) => [walletId, balance, ...transactions]),
        books.map((row) => [...row])
      )
      assert.isTrue(found.every(({ held }) => held === 0n))

      assert.strictEqual(yield* runExample(`examples/${name}/main.ts`, dataDir), said)
      assert.deepStrictEqual(yield* booksOf(dataDir, ids), found)
    })
  )
})
