/**
 * What searches that are narrowed to some wallets, or to some currencies, must find. `settled`: waits until the read
 * model has what was appended.
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { noMetadata } from "../../domain/Limits.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { ReadModel, type SearchedWallets } from "../../stores/ReadModel.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages } from "./Observations.ts"
import { credit, placeHold, type SampleCommand, SampleWallet, uniqueId } from "./SampleWallet.ts"

const sent = (transferId: string, to: string, currency: string): SampleCommand => ({
  _tag: "SendTransfer",
  transferId,
  to,
  currency,
  destination: null,
  amount: 5n,
  reference: null,
  metadata: noMetadata,
  effectiveAt: null,
  refund: null
})

type Stores = EventStore | ReadModel

export const searchedWalletsContract = (settled: Effect.Effect<void>): ReadonlyArray<ContractCase<Stores>> => {
  /** Two wallets in euros and one in dollars, each with money, a hold and a transfer to the next one. */
  const world = Effect.gen(function* () {
    const log = yield* EventStore
    const ownerId = uniqueId("owner")
    const wallets = ["EUR", "EUR", "USD"].map((currency) => new SampleWallet({ ownerId, currency }))
    const transfers = wallets.map(() => uniqueId("t"))
    for (const wallet of wallets) yield* log.append([wallet.commit(wallet.creation(), credit(1_000n))])
    for (const [index, wallet] of wallets.entries()) {
      const to = wallets[(index + 1) % 3]!
      yield* log.append([
        wallet.commit(placeHold(uniqueId("h"), 10n), sent(transfers[index]!, to.id, wallet.wallet!.currency))
      ])
    }
    yield* settled
    return { ownerId, ids: wallets.map(({ id }) => id), transfers }
  })

  const lists = contractCase(
    "by wallets finds what is of one of them, in whole pages, whatever else is asked for",
    Effect.gen(function* () {
      const model = yield* ReadModel
      const { ids, ownerId, transfers } = yield* world
      const walletIds = [ids[0]!, ids[2]!, uniqueId("nobody")]
      const all = Effect.fnUntraced(function* (asked: SearchedWallets & { readonly ownerId?: string }) {
        const paged = <A, B>(
          list: (
            query: typeof asked & { readonly limit: number; readonly cursor: string | undefined }
          ) => Effect.Effect<{ readonly data: ReadonlyArray<A>; readonly next: string | null }, B>
        ) =>
          Effect.map(
            allPages((cursor) => list({ ...asked, limit: 1, cursor })),
            (pages) => pages.flat()
          )
        const sorted = (values: ReadonlyArray<string>) => [...new Set(values)].toSorted()
        return {
          wallets: sorted((yield* paged(model.searchWallets)).map(({ id }) => id)),
          transactions: sorted((yield* paged(model.searchTransactions)).map(({ walletId }) => walletId)),
          holds: sorted((yield* paged(model.searchHolds)).map(({ walletId }) => walletId)),
          transfers: sorted((yield* paged(model.searchTransfers)).map(({ id }) => id))
        }
      })
      const two = [ids[0]!, ids[2]!].toSorted()
      const ofTwo = { wallets: two, transactions: two, holds: two, transfers: transfers.toSorted() }
      assert.deepEqual(yield* all({ walletIds }), ofTwo)
      assert.deepEqual(yield* all({ walletIds, ownerId }), ofTwo)
      const none = { wallets: [], transactions: [], holds: [], transfers: [] }
      assert.deepEqual(yield* all({ walletIds: [uniqueId("nobody")] }), none)
      const dollars = { wallets: [ids[2]!], transactions: [ids[2]!], holds: [ids[2]!], transfers: [transfers[2]!] }
      assert.deepEqual(yield* all({ walletIds, currencies: ["USD", "CZK"] }), dollars)
      assert.deepEqual(yield* all({ ownerId, currencies: ["USD", "CZK"] }), dollars)
      const one = yield* all({ walletIds: [ids[1]!] })
      assert.deepEqual(one.transfers, [transfers[0]!, transfers[1]!].toSorted())
    })
  )

  const sums = contractCase(
    "by wallets and currencies sums what is of them",
    Effect.gen(function* () {
      const model = yield* ReadModel
      const { ids, ownerId } = yield* world
      const counts = Effect.fnUntraced(function* (asked: SearchedWallets & { readonly ownerId?: string }) {
        const { transactions, wallets } = yield* model.stats({ ...asked, interval: "day" })
        return {
          wallets: wallets.map(({ count, currency }) => [currency, count]),
          credits: transactions.flatMap(({ count, currency, type }) => (type === "credit" ? [[currency, count]] : []))
        }
      })
      const both = [
        ["EUR", 1],
        ["USD", 1]
      ]
      assert.deepEqual(yield* counts({ walletIds: [ids[0]!, ids[2]!] }), { wallets: both, credits: both })
      const dollars = { wallets: [["USD", 1]], credits: [["USD", 1]] }
      assert.deepEqual(yield* counts({ walletIds: ids, currencies: ["USD", "CZK"] }), dollars)
      assert.deepEqual(yield* counts({ ownerId, currencies: ["USD"] }), dollars)
    })
  )

  return [lists, sums]
}
