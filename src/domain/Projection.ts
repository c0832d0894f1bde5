/**
 * What readers see of events: the transactions, holds and transfers that they make.
 * Stores write these rows, answers show them; both take them from here, so that
 * they cannot differ.
 */
import type { Commit } from "./Commit.ts"
import type {
  HoldCaptured,
  HoldExpired,
  HoldPlaced,
  HoldReleased,
  OperationReversed,
  RecordedEvent,
  TransferSent,
  WalletEvent
} from "./Event.ts"
import { type Metadata, noMetadata } from "./Limits.ts"
import type { Hold, HoldStatus, OpenHold, Transaction, TransactionType, Transfer, TransferStatus } from "./Wallet.ts"

/** The type of the transaction that an event makes; `undefined`: it moves no money. */
export const transactionType = (event: WalletEvent): TransactionType | undefined => {
  switch (event._tag) {
    case "WalletCredited":
      return "credit"
    case "WalletDebited":
      return "debit"
    case "HoldCaptured":
      return "capture"
    case "TransferReceived":
      return "transfer_in"
    case "TransferSent":
      return "transfer_out"
    case "TransferReversed":
      return "reversal"
    case "OperationReversed":
      return event.balanceChange === 0n ? undefined : "reversal"
    default:
      return undefined
  }
}

/**
 * The transaction that an event makes, `undefined` when it moves no money.
 * `wallet`: whose event it is, before or after (a currency never changes).
 */
export const transactionOf = (
  recorded: RecordedEvent,
  wallet: { readonly currency: string }
): Transaction | undefined => {
  const event = recorded.event
  switch (event._tag) {
    case "WalletCredited":
      return transaction(recorded, wallet, "credit", event.amount, event.reference, event.metadata, null, null)
    case "WalletDebited":
      return transaction(recorded, wallet, "debit", event.amount, event.reference, event.metadata, null, null)
    case "HoldCaptured":
      return transaction(recorded, wallet, "capture", event.amount, null, noMetadata, event.holdId, null)
    case "TransferReceived":
      return transaction(
        recorded,
        wallet,
        "transfer_in",
        event.amount,
        event.reference,
        event.metadata,
        null,
        event.transferId
      )
    case "TransferSent":
      return transaction(
        recorded,
        wallet,
        "transfer_out",
        event.amount,
        event.reference,
        event.metadata,
        null,
        event.transferId
      )
    case "TransferReversed":
      return transaction(recorded, wallet, "reversal", event.amount, null, noMetadata, null, event.transferId)
    case "OperationReversed":
      return reversal(recorded, wallet, event)
    default:
      return undefined
  }
}

const transaction = (
  recorded: RecordedEvent,
  wallet: { readonly currency: string },
  type: TransactionType,
  amount: bigint,
  reference: string | null,
  metadata: Metadata,
  holdId: string | null,
  transferId: string | null
): Transaction => ({
  id: recorded.id,
  walletId: recorded.walletId,
  type,
  amount,
  balanceAfter: recorded.event.balanceAfter,
  currency: wallet.currency,
  reference,
  metadata,
  holdId,
  transferId,
  version: recorded.version,
  createdAt: recorded.time
})

const reversal = (
  recorded: RecordedEvent,
  wallet: { readonly currency: string },
  event: OperationReversed
): Transaction | undefined => {
  const change = event.balanceChange
  if (change === 0n) return undefined
  const { restored } = event
  const holdId = restored._tag === "Hold" ? restored.hold.id : null
  const transferId = restored._tag === "NoTransfer" ? restored.transferId : null
  return transaction(recorded, wallet, "reversal", change < 0n ? -change : change, null, noMetadata, holdId, transferId)
}

/**
 * How a commit changes the rows of one hold.
 *
 * - `Placed`: placed in this commit; the row in full, as it is at its end.
 * - `Changed`: placed before; the columns that can change, as they are at the
 *   commit's end. Where there is no such row (its placing was refused), there is
 *   nothing to change.
 */
export type HoldChange =
  | {
      readonly _tag: "Placed"
      /** Of the event that placed it: newer holds have higher ones. */
      readonly version: number
      readonly hold: Hold
    }
  | {
      readonly _tag: "Changed"
      readonly walletId: string
      readonly holdId: string
      readonly captured: bigint
      readonly remaining: bigint
      readonly status: HoldStatus
    }

const noChanges: ReadonlyArray<HoldChange> = []

/** One change per hold that the commit's events touch, in the order of first touch. */
export const holdChanges = (commit: Pick<Commit, "events">): ReadonlyArray<HoldChange> => {
  let changes: Map<string, HoldChange> | undefined
  for (const recorded of commit.events) {
    const change = holdChange(recorded)
    if (change === undefined) continue
    changes ??= new Map()
    if (change._tag === "Placed") {
      changes.set(change.hold.id, change)
      continue
    }
    const earlier = changes.get(change.holdId)
    changes.set(
      change.holdId,
      earlier?._tag === "Placed" ? inserted(earlier.version, updated(earlier.hold, change)) : change
    )
  }
  return changes === undefined ? noChanges : Array.from(changes.values())
}

type ChangedHold = Extract<HoldChange, { readonly _tag: "Changed" }>

/** The change that one event alone makes. */
const holdChange = (recorded: RecordedEvent): HoldChange | undefined => {
  const event = recorded.event
  switch (event._tag) {
    case "HoldPlaced":
      return inserted(recorded.version, placedHold(recorded, event))
    case "HoldCaptured":
    case "HoldReleased":
    case "HoldExpired":
      return update(
        recorded.walletId,
        event.holdId,
        event.capturedAfter,
        event._tag === "HoldCaptured" ? event.remainingAfter : 0n,
        holdStatus(event)
      )
    case "OperationReversed":
      return restoredHold(recorded.walletId, event)
    default:
      return undefined
  }
}

const inserted = (version: number, hold: Hold): HoldChange => ({ _tag: "Placed", version, hold })

const update = (
  walletId: string,
  holdId: string,
  captured: bigint,
  remaining: bigint,
  status: HoldStatus
): ChangedHold => ({ _tag: "Changed", walletId, holdId, captured, remaining, status })

/** A hold whose placing was reversed holds nothing: it is shown as released. */
const restoredHold = (walletId: string, event: OperationReversed): HoldChange | undefined => {
  const { restored } = event
  switch (restored._tag) {
    case "Hold":
      return update(walletId, restored.hold.id, restored.hold.captured, restored.hold.remaining, "active")
    case "NoHold":
      return update(walletId, restored.holdId, 0n, 0n, "released")
    default:
      return undefined
  }
}

/** A hold captured in part and then released or expired is `captured`. */
const holdStatus = (event: HoldCaptured | HoldReleased | HoldExpired): HoldStatus => {
  if (event._tag === "HoldCaptured") return event.remainingAfter === 0n ? "captured" : "active"
  if (event.capturedAfter > 0n) return "captured"
  return event._tag === "HoldReleased" ? "released" : "expired"
}

const updated = (hold: Hold, change: Pick<ChangedHold, "captured" | "remaining" | "status">): Hold => ({
  id: hold.id,
  walletId: hold.walletId,
  amount: hold.amount,
  captured: change.captured,
  remaining: change.remaining,
  status: change.status,
  expiresAt: hold.expiresAt,
  reference: hold.reference,
  metadata: hold.metadata,
  createdAt: hold.createdAt
})

/** An open hold as readers see it. */
export const holdOf = (walletId: string, hold: OpenHold): Hold => ({
  id: hold.id,
  walletId,
  amount: hold.amount,
  captured: hold.captured,
  remaining: hold.remaining,
  status: "active",
  expiresAt: hold.expiresAt,
  reference: hold.reference,
  metadata: hold.metadata,
  createdAt: hold.createdAt
})

/** The hold that `recorded` has placed, as readers see it. */
export const placedHold = (recorded: RecordedEvent, event: HoldPlaced): Hold => ({
  id: event.holdId,
  walletId: recorded.walletId,
  amount: event.amount,
  captured: 0n,
  remaining: event.amount,
  status: "active",
  expiresAt: event.expiresAt,
  reference: event.reference,
  metadata: event.metadata,
  createdAt: recorded.time
})

/** `hold` after an event of its own: what an answer to a capture or release shows. */
export const holdAfter = (hold: Hold, event: HoldCaptured | HoldReleased | HoldExpired): Hold =>
  updated(hold, {
    captured: event.capturedAfter,
    remaining: event._tag === "HoldCaptured" ? event.remainingAfter : 0n,
    status: holdStatus(event)
  })

/**
 * How a commit changes the row of one transfer, which its source has.
 *
 * - `Sent`: sent in this commit; the row in full, as it is at its end.
 * - `Changed`: sent before; the columns that can change. `updatedAt` `null`: stays as
 *   it is. Where there is no such row (its sending was refused), there is nothing to
 *   change.
 */
export type TransferChange =
  | {
      readonly _tag: "Sent"
      /** Of the event that sent it. */
      readonly version: number
      readonly transfer: Transfer
    }
  | {
      readonly _tag: "Changed"
      readonly walletId: string
      readonly transferId: string
      readonly status: TransferStatus
      readonly reason: string | null
      readonly updatedAt: number | null
    }

const noTransferChanges: ReadonlyArray<TransferChange> = []

/** One change per transfer that the commit's events touch at its source, in the order of first touch. */
export const transferChanges = (commit: Pick<Commit, "events">): ReadonlyArray<TransferChange> => {
  let changes: Map<string, TransferChange> | undefined
  for (const recorded of commit.events) {
    const change = transferChange(recorded)
    if (change === undefined) continue
    changes ??= new Map()
    if (change._tag === "Sent") {
      changes.set(change.transfer.id, change)
      continue
    }
    const earlier = changes.get(change.transferId)
    changes.set(change.transferId, earlier === undefined ? change : merged(earlier, change))
  }
  return changes === undefined ? noTransferChanges : Array.from(changes.values())
}

type ChangedTransfer = Extract<TransferChange, { readonly _tag: "Changed" }>

const merged = (earlier: TransferChange, change: ChangedTransfer): TransferChange => {
  const { reason, status } = change
  if (earlier._tag === "Changed") return { ...change, updatedAt: change.updatedAt ?? earlier.updatedAt }
  const updatedAt = change.updatedAt ?? earlier.transfer.updatedAt
  return { ...earlier, transfer: { ...earlier.transfer, status, reason, updatedAt } }
}

/** The change that one event alone makes. */
const transferChange = (recorded: RecordedEvent): TransferChange | undefined => {
  const event = recorded.event
  const { time, walletId } = recorded
  switch (event._tag) {
    case "TransferSent":
      return { _tag: "Sent", version: recorded.version, transfer: sentTransfer(recorded, event) }
    case "TransferSettled":
      // Settling says what the destination has said before: the status has its time from there.
      return {
        _tag: "Changed",
        walletId,
        transferId: event.transferId,
        status: "completed",
        reason: null,
        updatedAt: null
      }
    case "TransferReversed":
      return reversedTransfer(walletId, event.transferId, event.reason, time)
    case "OperationReversed":
      if (event.restored._tag === "Transfer") {
        const { createdAt, id } = event.restored.transfer
        return { _tag: "Changed", walletId, transferId: id, status: "pending", reason: null, updatedAt: createdAt }
      }
      return event.restored._tag === "NoTransfer" && event.reversedType === "TransferSent"
        ? reversedTransfer(walletId, event.restored.transferId, event.reason, time)
        : undefined
    default:
      return undefined
  }
}

const reversedTransfer = (walletId: string, transferId: string, reason: string, time: number): ChangedTransfer => ({
  _tag: "Changed",
  walletId,
  transferId,
  status: "reversed",
  reason,
  updatedAt: time
})

/** The transfer that `recorded` has sent, as readers see it. */
const sentTransfer = (recorded: RecordedEvent, event: TransferSent): Transfer => ({
  id: event.transferId,
  from: recorded.walletId,
  to: event.to,
  amount: event.amount,
  currency: event.currency,
  status: "pending",
  reason: null,
  reference: event.reference,
  metadata: event.metadata,
  createdAt: recorded.time,
  updatedAt: recorded.time
})
