/**
 * `decide`: the rules of a wallet. From its state and a command, the events that
 * shall happen, or the rejection that says why nothing does.
 *
 * Pure: time and ids come in. Rejections have a fixed precedence, which every
 * rule below spells out by the order of its checks (`a ?? b ?? c`):
 *
 *   not found → already exists → closed → frozen → same wallet → currency
 *   mismatch → hold/transfer not found → hold closed → form and amount (with
 *   HoldAmountExceeded) → insufficient funds, wallet not empty → limits
 *
 * SameWallet stands with the currency: both are about what the other end of a
 * transfer is, before anything about the transfer itself.
 *
 * The state knows open holds only. To it a hold that was closed and one that
 * never was are both HoldNotFound; whoever can see closed holds may say HoldClosed
 * instead, which stands at the next place of the precedence.
 */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import type {
  CaptureHold,
  Close,
  Command,
  CreateWallet,
  Credit,
  Debit,
  ExpireHold,
  Freeze,
  PlaceHold,
  ReceiveTransfer,
  RefuseTransfer,
  ReleaseHold,
  ReverseTransfer,
  SendTransfer,
  SettleTransfer,
  Unfreeze,
  UpdateWallet
} from "./Command.ts"
import type { MetadataChanged, OverdraftLimitChanged, WalletEvent } from "./Event.ts"
import { isAmount, type Metadata } from "./Form.ts"
import {
  malformedCreation,
  malformedHold,
  malformedMovement,
  malformedReason,
  malformedTransfer,
  malformedUpdate
} from "./Malformed.ts"
import {
  CurrencyMismatch,
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  InsufficientFunds,
  InvalidRequest,
  LimitExceeded,
  type Rejection,
  SameWallet,
  TransferNotFound,
  WalletAlreadyExists,
  WalletClosed,
  WalletFrozen,
  WalletNotEmpty,
  WalletNotFound
} from "./Rejection.ts"
import { decideReversal } from "./Reversal.ts"
import { available, type OpenHold, type TransferInFlight, type Wallet } from "./Wallet.ts"
import { overBalanceLimit } from "./BalanceLimit.ts"

/** Bounds of one wallet, by configuration. */
export interface WalletLimits {
  /** Holds open at one time. */
  readonly openHolds: number
  /** Transfers sent and neither settled nor reversed, at one time. */
  readonly transfersInFlight: number
}

/**
 * An open hold or transfer takes up to some 12 kB of memory and snapshot when its
 * metadata is at its bound, well below 1 kB as a rule. 10,000 of each keep the
 * worst wallet at a size that one node can load and save, and are far above what
 * a wallet of one owner needs.
 */
export const defaultLimits: WalletLimits = { openHolds: 10_000, transfersInFlight: 10_000 }

export interface DecideContext {
  /** Milliseconds; not before the wallet's last event. */
  readonly time: number
  readonly limits: WalletLimits
}

export type Decision = Result.Result<ReadonlyArray<WalletEvent>, Rejection>

/**
 * The events of `command`, in order, to be appended all or none; no event where a
 * freeze or unfreeze changes nothing.
 */
export const decide = (wallet: Wallet | undefined, command: Command, context: DecideContext): Decision => {
  if (command._tag === "CreateWallet") return create(wallet, command)
  if (wallet === undefined) return Result.fail(new WalletNotFound({ walletId: command.walletId }))
  switch (command._tag) {
    case "Credit":
      return credit(wallet, command)
    case "Debit":
      return debit(wallet, command)
    case "PlaceHold":
      return placeHold(wallet, command, context)
    case "CaptureHold":
      return captureHold(wallet, command, context)
    case "ReleaseHold":
      return releaseHold(wallet, command)
    case "ExpireHold":
      return expireHold(wallet, command, context)
    case "SendTransfer":
      return sendTransfer(wallet, command, context)
    case "ReceiveTransfer":
      return receiveTransfer(wallet, command)
    case "RefuseTransfer":
      return refuseTransfer(wallet, command)
    case "SettleTransfer":
      return settleTransfer(wallet, command)
    case "ReverseTransfer":
      return reverseTransfer(wallet, command)
    case "Freeze":
      return freeze(wallet, command)
    case "Unfreeze":
      return unfreeze(wallet, command)
    case "Close":
      return close(wallet, command)
    case "ChangeOverdraftLimit":
      return update(wallet, command.overdraftLimit, null)
    case "ChangeMetadata":
      return update(wallet, null, command.metadata)
    case "UpdateWallet":
      return update(wallet, command.overdraftLimit, command.metadata)
    case "ReverseOperation":
      return decideReversal(wallet, command)
  }
}

// --- Checks: each a rejection or `undefined` --------------------------------

const closed = (wallet: Wallet): Rejection | undefined =>
  wallet.status === "closed" ? new WalletClosed({ walletId: wallet.id }) : undefined

const closedOrFrozen = (wallet: Wallet): Rejection | undefined => {
  if (wallet.status === "active") return undefined
  return wallet.status === "closed"
    ? new WalletClosed({ walletId: wallet.id })
    : new WalletFrozen({ walletId: wallet.id })
}

const currencyMismatch = (wallet: Wallet, given: string): Rejection | undefined =>
  given === wallet.currency
    ? undefined
    : new CurrencyMismatch({ walletId: wallet.id, currency: wallet.currency, given })

const insufficient = (wallet: Wallet, required: bigint): Rejection | undefined => {
  const funds = available(wallet)
  return funds >= required ? undefined : new InsufficientFunds({ walletId: wallet.id, available: funds, required })
}

const atLimit = (wallet: Wallet, limit: keyof WalletLimits, size: number, bound: number): Rejection | undefined =>
  size < bound ? undefined : new LimitExceeded({ walletId: wallet.id, limit })

const findHold = (wallet: Wallet, holdId: string): OpenHold | HoldNotFound => {
  const hold = HashMap.get(wallet.holds, holdId)
  return hold._tag === "Some" ? hold.value : new HoldNotFound({ walletId: wallet.id, holdId })
}

const findTransfer = (wallet: Wallet, transferId: string): TransferInFlight | TransferNotFound => {
  const transfer = HashMap.get(wallet.transfers, transferId)
  return transfer._tag === "Some" ? transfer.value : new TransferNotFound({ transferId })
}

// --- The wallet itself -------------------------------------------------------

const create = (wallet: Wallet | undefined, command: CreateWallet): Decision => {
  const rejection =
    wallet !== undefined ? new WalletAlreadyExists({ walletId: command.walletId }) : malformedCreation(command)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletCreated",
      ownerId: command.ownerId,
      currency: command.currency,
      overdraftLimit: command.overdraftLimit,
      metadata: command.metadata,
      balanceAfter: 0n,
      heldAfter: 0n
    }
  ])
}

const freeze = (wallet: Wallet, command: Freeze): Decision => {
  const rejection = closed(wallet) ?? malformedReason(command.reason)
  if (rejection !== undefined) return Result.fail(rejection)
  if (wallet.status === "frozen") return Result.succeed([])
  return Result.succeed([
    {
      _tag: "WalletFrozen",
      reason: command.reason,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

const unfreeze = (wallet: Wallet, command: Unfreeze): Decision => {
  const rejection = closed(wallet) ?? malformedReason(command.reason)
  if (rejection !== undefined) return Result.fail(rejection)
  if (wallet.status === "active") return Result.succeed([])
  return Result.succeed([
    {
      _tag: "WalletUnfrozen",
      reason: command.reason,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

const notEmpty = (wallet: Wallet): Rejection | undefined => {
  const openHolds = HashMap.size(wallet.holds)
  const transfersInFlight = HashMap.size(wallet.transfers)
  return wallet.balance === 0n && openHolds === 0 && transfersInFlight === 0
    ? undefined
    : new WalletNotEmpty({ walletId: wallet.id, balance: wallet.balance, openHolds, transfersInFlight })
}

const close = (wallet: Wallet, command: Close): Decision => {
  const rejection = closed(wallet) ?? malformedReason(command.reason) ?? notEmpty(wallet)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletClosed",
      reason: command.reason,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

/** `null`: not to be changed. A lower limit needs its difference to be available. */
const update = (
  wallet: Wallet,
  overdraftLimit: UpdateWallet["overdraftLimit"],
  metadata: UpdateWallet["metadata"]
): Decision => {
  const rejection =
    closed(wallet) ??
    malformedUpdate(overdraftLimit, metadata) ??
    (overdraftLimit === null ? undefined : insufficient(wallet, wallet.overdraftLimit - overdraftLimit))
  if (rejection !== undefined) return Result.fail(rejection)
  const events: Array<WalletEvent> = []
  if (overdraftLimit !== null) events.push(overdraftLimitChanged(wallet, overdraftLimit))
  if (metadata !== null) events.push(metadataChanged(wallet, metadata))
  return Result.succeed(events)
}

const overdraftLimitChanged = (wallet: Wallet, overdraftLimit: bigint): OverdraftLimitChanged => ({
  _tag: "OverdraftLimitChanged",
  overdraftLimit,
  previousLimit: wallet.overdraftLimit,
  balanceAfter: wallet.balance,
  heldAfter: wallet.held
})

const metadataChanged = (wallet: Wallet, metadata: Metadata): MetadataChanged => ({
  _tag: "MetadataChanged",
  metadata,
  previousMetadata: wallet.metadata,
  balanceAfter: wallet.balance,
  heldAfter: wallet.held
})

// --- Movements ---------------------------------------------------------------

const credit = (wallet: Wallet, command: Credit): Decision => {
  const balanceAfter = wallet.balance + command.amount
  const rejection = closed(wallet) ?? malformedMovement(command) ?? overBalanceLimit(wallet, balanceAfter)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletCredited",
      amount: command.amount,
      reference: command.reference,
      metadata: command.metadata,
      balanceAfter,
      heldAfter: wallet.held
    }
  ])
}

const debit = (wallet: Wallet, command: Debit): Decision => {
  const rejection = closedOrFrozen(wallet) ?? malformedMovement(command) ?? insufficient(wallet, command.amount)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletDebited",
      amount: command.amount,
      reference: command.reference,
      metadata: command.metadata,
      balanceAfter: wallet.balance - command.amount,
      heldAfter: wallet.held
    }
  ])
}

// --- Holds -------------------------------------------------------------------

const placeHold = (wallet: Wallet, command: PlaceHold, context: DecideContext): Decision => {
  const rejection =
    closedOrFrozen(wallet) ??
    malformedHold(wallet, command, context.time) ??
    insufficient(wallet, command.amount) ??
    atLimit(wallet, "openHolds", HashMap.size(wallet.holds), context.limits.openHolds)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "HoldPlaced",
      holdId: command.holdId,
      amount: command.amount,
      expiresAt: command.expiresAt,
      reference: command.reference,
      metadata: command.metadata,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held + command.amount
    }
  ])
}

/** Needs no funds: what is captured was held, so available does not fall. */
const captureHold = (wallet: Wallet, command: CaptureHold, context: DecideContext): Decision => {
  const rejection = closedOrFrozen(wallet)
  if (rejection !== undefined) return Result.fail(rejection)
  const hold = findHold(wallet, command.holdId)
  if (hold instanceof HoldNotFound) return Result.fail(hold)
  if (hold.expiresAt !== null && context.time >= hold.expiresAt) {
    return Result.fail(new HoldClosed({ walletId: wallet.id, holdId: hold.id }))
  }
  const amount = command.amount ?? hold.remaining
  if (!isAmount(amount)) {
    return Result.fail(new InvalidRequest({ detail: "amount: not a positive amount of at most 30 digits" }))
  }
  if (amount > hold.remaining) {
    return Result.fail(
      new HoldAmountExceeded({ walletId: wallet.id, holdId: hold.id, remaining: hold.remaining, amount })
    )
  }
  const left = hold.remaining - amount
  const released = command.final ? left : 0n
  return Result.succeed([
    {
      _tag: "HoldCaptured",
      holdId: hold.id,
      amount,
      released,
      capturedAfter: hold.captured + amount,
      remainingAfter: left - released,
      balanceAfter: wallet.balance - amount,
      heldAfter: wallet.held - amount - released
    }
  ])
}

/** Also at or after `expiresAt`, while HoldExpired is not written: the money is freed either way. */
const releaseHold = (wallet: Wallet, command: ReleaseHold): Decision => {
  const rejection = closed(wallet)
  if (rejection !== undefined) return Result.fail(rejection)
  const hold = findHold(wallet, command.holdId)
  if (hold instanceof HoldNotFound) return Result.fail(hold)
  return Result.succeed([
    {
      _tag: "HoldReleased",
      holdId: hold.id,
      amount: hold.remaining,
      capturedAfter: hold.captured,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held - hold.remaining
    }
  ])
}

/**
 * In any status. Before `expiresAt` it is a rejection, not a success without an
 * event: a timer that took silence for success would never ring again.
 */
const expireHold = (wallet: Wallet, command: ExpireHold, context: DecideContext): Decision => {
  const hold = findHold(wallet, command.holdId)
  if (hold instanceof HoldNotFound) return Result.fail(hold)
  if (hold.expiresAt === null || context.time < hold.expiresAt) {
    return Result.fail(new InvalidRequest({ detail: `hold ${hold.id} has not expired yet` }))
  }
  return Result.succeed([
    {
      _tag: "HoldExpired",
      holdId: hold.id,
      amount: hold.remaining,
      capturedAfter: hold.captured,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held - hold.remaining
    }
  ])
}

// --- Transfers ---------------------------------------------------------------

const sendTransfer = (wallet: Wallet, command: SendTransfer, context: DecideContext): Decision => {
  const rejection =
    closedOrFrozen(wallet) ??
    (command.to === wallet.id ? new SameWallet({ walletId: wallet.id }) : undefined) ??
    currencyMismatch(wallet, command.currency) ??
    malformedTransfer(wallet, command) ??
    insufficient(wallet, command.amount) ??
    atLimit(wallet, "transfersInFlight", HashMap.size(wallet.transfers), context.limits.transfersInFlight)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "TransferSent",
      transferId: command.transferId,
      to: command.to,
      amount: command.amount,
      currency: wallet.currency,
      reference: command.reference,
      metadata: command.metadata,
      balanceAfter: wallet.balance - command.amount,
      heldAfter: wallet.held
    }
  ])
}

const receiveTransfer = (wallet: Wallet, command: ReceiveTransfer): Decision => {
  const balanceAfter = wallet.balance + command.amount
  const rejection =
    closed(wallet) ??
    currencyMismatch(wallet, command.currency) ??
    malformedMovement(command) ??
    overBalanceLimit(wallet, balanceAfter)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "TransferReceived",
      transferId: command.transferId,
      from: command.from,
      amount: command.amount,
      reference: command.reference,
      metadata: command.metadata,
      balanceAfter,
      heldAfter: wallet.held
    }
  ])
}

/** In any status: a refusal has to be on record, or the source could never have its money back. */
const refuseTransfer = (wallet: Wallet, command: RefuseTransfer): Decision =>
  Result.succeed([
    {
      _tag: "TransferRefused",
      transferId: command.transferId,
      from: command.from,
      amount: command.amount,
      reason: command.reason,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])

/** In any status. */
const settleTransfer = (wallet: Wallet, command: SettleTransfer): Decision => {
  const transfer = findTransfer(wallet, command.transferId)
  if (transfer instanceof TransferNotFound) return Result.fail(transfer)
  return Result.succeed([
    {
      _tag: "TransferSettled",
      transferId: transfer.id,
      to: transfer.to,
      amount: transfer.amount,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

/** In any status. Credits leave room for what is in flight, so no limit is in its way. */
const reverseTransfer = (wallet: Wallet, command: ReverseTransfer): Decision => {
  const transfer = findTransfer(wallet, command.transferId)
  if (transfer instanceof TransferNotFound) return Result.fail(transfer)
  return Result.succeed([
    {
      _tag: "TransferReversed",
      transferId: transfer.id,
      to: transfer.to,
      amount: transfer.amount,
      reason: command.reason,
      balanceAfter: wallet.balance + transfer.amount,
      heldAfter: wallet.held
    }
  ])
}
