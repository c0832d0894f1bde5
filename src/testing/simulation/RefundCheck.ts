/** Whether what a refund was refused with is true: what it is of, and what is left of that. */
import type { Account } from "./LogCheck.ts"
import type { Answered } from "./Answered.ts"
import type { Operation } from "./History.ts"
import { availableOf, type LedgerState, refundName } from "./LedgerState.ts"

/** What a refund is asked of. */
export interface Original {
  /** `null`: it cannot be refunded at all. */
  readonly amount: bigint | null
  readonly name: string
  /** Of several legs as a whole: each has a bound of its own, at its own wallet. */
  readonly isWhole: boolean
  readonly isTakenBack: boolean
  /** That makes its refunds. */
  readonly walletId: string
  /** It had no rows for a while: they were lost, or refused, and are still to be written again. */
  readonly isLost: boolean
}

export const refundTags: ReadonlySet<string> = new Set([
  "TransactionNotFound",
  "TransferNotFound",
  "NotRefundable",
  "RefundExceeded",
  "InsufficientFunds"
])

export const isRefund = ({ kind }: Operation): boolean => kind === "refund" || kind === "refundTransfer"

export const justifiesRefund = (
  tag: string,
  operation: Operation,
  { original, state }: { readonly original: Original | undefined; readonly state: LedgerState | undefined }
): boolean => {
  const asked = "amount" in operation ? operation.amount : null
  if (tag === "TransactionNotFound" || tag === "TransferNotFound") {
    return original === undefined || original.isWhole || original.isLost || original.walletId !== operation.walletId
  }
  if (original === undefined) return false
  if (tag === "NotRefundable") return original.amount === null
  if (original.isWhole) return true
  if (original.amount === null || state === undefined) return false
  const left = original.amount - (state.refunded.get(original.name) ?? 0n)
  if (tag === "RefundExceeded") return left <= 0n || (asked !== null && asked > left)
  return tag === "InsufficientFunds" && availableOf(state) < (asked ?? left)
}

export const originalOf = (
  { ledgers, several, transfers }: Account,
  { operation, rowsBefore, truth }: Answered
): Original | undefined => {
  const isLost = (walletId: string, version: number) =>
    [rowsBefore, truth.persisted].some((at) => (at.get(walletId) ?? -1) < version)
  if (operation.kind === "refund") {
    const { transactionId: id } = operation
    const ledger = ledgers.get(operation.walletId)
    const found = [...(ledger?.transactions.values() ?? [])].flat().find((one) => one.id === id)
    if (found === undefined || ledger!.reversals.has(found.version)) return undefined
    const isOwn = found.transferId === null && ["debit", "capture", "credit"].includes(found.type)
    const name = refundName(id, 0)
    return {
      amount: isOwn ? found.amount : null,
      name,
      isWhole: false,
      isTakenBack: found.type === "credit",
      walletId: operation.walletId,
      isLost: isLost(operation.walletId, found.version)
    }
  }
  if (operation.kind !== "refundTransfer") return undefined
  const { leg, transferId: id } = operation
  const one = transfers.get(id)
  const of = several.get(id)
  if (one === undefined && of === undefined) return undefined
  const isOver =
    one === undefined ? of!.decided?.event._tag === "LegsReleased" : one.ended?.event._tag === "TransferReversed"
  const isOfRefund =
    one === undefined
      ? of!.event.refundOf !== null
      : one.sent.event._tag === "TransferSent" && one.sent.event.refund !== null
  const amount = isOver || isOfRefund ? null : (one?.amount ?? of!.event.legs[leg ?? 0]!.amount)
  const sent = one?.sent ?? of!.begun
  const walletId = one?.to ?? of!.event.legs[leg ?? 0]!.to
  return {
    amount,
    name: refundName(id, leg ?? 0),
    isWhole: of !== undefined && leg === null,
    isTakenBack: true,
    walletId,
    isLost: isLost(sent.walletId, sent.version)
  }
}
