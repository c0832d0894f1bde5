/** Transfers as readers see them: with what the rows of their destinations say. */
import { completed, sourceOf } from "../../domain/Transfer.ts"
import type { Transfer } from "../../domain/Wallet.ts"
import type { MemoryState, PositionedTransfer } from "./MemoryDatabase.ts"

/** As its two wallets' rows tell it. */
export const told = (state: MemoryState, { transfer }: PositionedTransfer): Transfer => {
  if (transfer.to === null || transfer.status === "reversed") return transfer
  const rows = (state.transactionsByWallet.get(transfer.to) ?? []).filter(
    ({ transferId }) => transferId === transfer.id
  )
  if (rows.some(({ type }) => type === "reversal")) return transfer
  const received = rows.find(({ type }) => type === "transfer_in")
  if (received === undefined) return transfer
  return completed(transfer, {
    updatedAt: received.createdAt,
    transactions: [{ sent: sentId(state, transfer)!, received: received.id }]
  })
}

const sentId = (state: MemoryState, transfer: Transfer): string | undefined =>
  (state.transactionsByWallet.get(sourceOf(transfer)) ?? []).find(
    ({ transferId, type }) => transferId === transfer.id && (type === "transfer_out" || type === "capture")
  )?.id

/** As its source has it, for readers: with its transactions once it is completed. */
export const shownTransfer = (state: MemoryState, sent: PositionedTransfer): Transfer =>
  sent.transfer.status === "completed" ? { ...told(state, sent), updatedAt: sent.transfer.updatedAt } : sent.transfer
