/**
 * What readers are shown of refunds beside what rows and documents say: how much of an original
 * was refunded. It is asked of Persistence for a whole page at once, so that no row and no document
 * has to change with every refund, and no index is behind with it.
 */
import * as Effect from "effect/Effect"
import { refundDirections } from "../domain/Refund.ts"
import type { Transaction, Transfer } from "../domain/Wallet.ts"
import type { AskedRefunded, Persistence } from "../stores/Persistence.ts"
import type { ReadError } from "../stores/StoreError.ts"
import type { TransactionDetails, TransferDetails } from "./EngineApi.ts"

/** Of one that is new, or that cannot be refunded: nothing was. */
export const transactionDetails = (transaction: Transaction, refunded = 0n): TransactionDetails => ({
  ...transaction,
  refunded
})

/** `refunded`: by leg; left out: nothing was. */
export const transferDetails = (transfer: Transfer, refunded: ReadonlyArray<bigint> = []): TransferDetails => ({
  ...transfer,
  refunded: transfer.to === null ? null : (refunded[0] ?? 0n),
  legs: transfer.legs.map((leg, index) => ({ ...leg, refunded: refunded[index] ?? 0n }))
})

/** Whether a transaction is a movement of its own, which can be refunded. */
export const isRefundable = ({ transferId, type }: Transaction): boolean =>
  transferId === null && refundDirections[type] !== undefined

const askedOf = (transfer: Transfer): ReadonlyArray<AskedRefunded> =>
  transfer.status === "completed" && transfer.refundOf === null
    ? transfer.legs.map(({ to }, leg) => ({ walletId: to, of: transfer.id, leg }))
    : []

export interface RefundedReads {
  readonly ofTransactions: (
    transactions: ReadonlyArray<Transaction>
  ) => Effect.Effect<ReadonlyArray<TransactionDetails>, ReadError>
  readonly ofTransfers: (transfers: ReadonlyArray<Transfer>) => Effect.Effect<ReadonlyArray<TransferDetails>, ReadError>
}

/** One statement for each list; none where nothing in it can be refunded. */
export const makeRefundedReads = (persistence: Pick<Persistence["Service"], "refunded">): RefundedReads => ({
  ofTransactions: (transactions) => {
    const asked = transactions.flatMap((one): ReadonlyArray<AskedRefunded> =>
      isRefundable(one) ? [{ walletId: one.walletId, of: one.id, leg: 0 }] : []
    )
    if (asked.length === 0) return Effect.succeed(transactions.map((one) => transactionDetails(one)))
    return Effect.map(persistence.refunded(asked), (found) => {
      let next = 0
      return transactions.map((one) =>
        isRefundable(one) ? transactionDetails(one, found[next++]!.refunded) : transactionDetails(one)
      )
    })
  },
  ofTransfers: (transfers) => {
    const asked = transfers.map(askedOf)
    const all = asked.flat()
    if (all.length === 0) return Effect.succeed(transfers.map((one) => transferDetails(one)))
    return Effect.map(persistence.refunded(all), (found) => {
      let next = 0
      return transfers.map((one, index) => {
        const of = asked[index]!.length
        next += of
        return transferDetails(
          one,
          found.slice(next - of, next).map(({ refunded }) => refunded)
        )
      })
    })
  }
})
