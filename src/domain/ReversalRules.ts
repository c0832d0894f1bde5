/** What the reversal of an operation does: it puts back what the operation took away or replaced. */
import type { OperationReversed, RecordedEvent } from "./Event.ts"
import { buildsOnNothing, type EventKind, type EventKinds, transaction } from "./EventKind.ts"
import { type HoldChange, progressOfState } from "./Hold.ts"
import { noMetadata } from "./Limits.ts"
import type { TransferChange } from "./Transfer.ts"
import { reversedRow } from "./TransferRules.ts"
import { plainFreeze, type Transaction, type Wallet } from "./Wallet.ts"
import {
  moved,
  withHold,
  withMetadata,
  withoutHold,
  withoutTransfer,
  withoutPrepared,
  withOverdraftLimit,
  withStatus,
  withTransfer
} from "./WalletState.ts"

const evolve = (wallet: Wallet, recorded: RecordedEvent, { restored }: OperationReversed): Wallet => {
  switch (restored._tag) {
    case "Nothing":
      return moved(wallet, recorded)
    case "Hold":
      return withHold(wallet, recorded, restored.hold)
    case "NoHold":
      return withoutHold(wallet, recorded, restored.holdId)
    case "Transfer":
      return withTransfer(wallet, recorded, restored.transfer)
    case "NoTransfer":
      return withoutTransfer(wallet, recorded, restored.transferId)
    case "NoLegs":
      return withoutPrepared(wallet, recorded, restored.transferId)
    case "NoCapture":
      return withHold(withoutTransfer(wallet, recorded, restored.transferId), recorded, restored.hold)
    case "Status": {
      const { freeze, status } = restored
      return withStatus(wallet, recorded, status, status === "frozen" ? (freeze ?? plainFreeze) : null)
    }
    case "OverdraftLimit":
      return withOverdraftLimit(wallet, recorded, restored.overdraftLimit)
    case "Metadata":
      return withMetadata(wallet, recorded, restored.metadata)
  }
}

const reversal = (
  recorded: RecordedEvent,
  wallet: { readonly currency: string },
  { balanceChange, restored }: OperationReversed
): Transaction | undefined => {
  if (balanceChange === 0n) return undefined
  const amount = balanceChange < 0n ? -balanceChange : balanceChange
  const holdId = restored._tag === "Hold" || restored._tag === "NoCapture" ? restored.hold.id : null
  const transferId = restored._tag === "NoTransfer" || restored._tag === "NoCapture" ? restored.transferId : null
  return transaction(recorded, wallet, "reversal", amount, null, noMetadata, holdId, transferId)
}

/** A hold whose placing was reversed holds nothing: it is shown as released. */
const holdChange = ({ walletId }: RecordedEvent, { restored }: OperationReversed): HoldChange | undefined => {
  if (restored._tag === "Hold" || restored._tag === "NoCapture") {
    return { _tag: "Changed", walletId, holdId: restored.hold.id, ...progressOfState(restored.hold) }
  }
  if (restored._tag === "NoHold") {
    return { _tag: "Changed", walletId, holdId: restored.holdId, captured: 0n, remaining: 0n, status: "released" }
  }
  return undefined
}

/** At the source. Where a receiving is reversed there is no row of the transfer. */
const transferChange = (recorded: RecordedEvent, event: OperationReversed): TransferChange | undefined => {
  const { reason, restored, reversedType } = event
  if (restored._tag === "Transfer") {
    const { createdAt, id: transferId } = restored.transfer
    const { walletId } = recorded
    return { _tag: "Changed", walletId, transferId, status: "pending", reason: null, updatedAt: createdAt }
  }
  if (restored._tag === "NoLegs") {
    return reversedType === "LegsBegun" ? reversedRow(recorded, restored.transferId, reason) : undefined
  }
  return restored._tag === "NoCapture" || (restored._tag === "NoTransfer" && reversedType === "TransferSent")
    ? reversedRow(recorded, restored.transferId, reason)
    : undefined
}

const operationReversed: EventKind<OperationReversed> = {
  evolve,
  balanceChange: (event) => event.balanceChange,
  transaction: reversal,
  holdChange,
  transferChange,
  legsChange: (_recorded, { restored }) =>
    restored._tag === "NoLegs" ? { _tag: "Released", transferId: restored.transferId } : undefined,
  reversible: undefined,
  // It takes back what may still be reversed: to wait for that would be for ever.
  buildsOn: buildsOnNothing
}

export const reversalEvents: EventKinds<OperationReversed> = { OperationReversed: operationReversed }
