/** The rules for the steps of a transfer, at its source and at its destination. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import {
  atLimit,
  closed,
  closedOrFrozen,
  currencyMismatch,
  findTransfer,
  insufficient,
  overBalanceLimit
} from "./Checks.ts"
import type { ReceiveTransfer, RefuseTransfer, ReverseTransfer, SendTransfer, SettleTransfer } from "./Command.ts"
import type { DecideContext, Decision } from "./Decision.ts"
import { maxTextLength, toText } from "./Limits.ts"
import { malformedMovement, malformedTransfer } from "./Validation.ts"
import { type Rejection, SameWallet, TransferNotFound, WalletClosed, WalletNotFound } from "./Rejection.ts"
import type { Wallet } from "./Wallet.ts"

export const sendTransfer = (wallet: Wallet, command: SendTransfer, context: DecideContext): Decision => {
  const rejection =
    closedOrFrozen(wallet) ??
    (command.to === wallet.id ? new SameWallet({ walletId: wallet.id }) : undefined) ??
    ruledOut(command) ??
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

/** The rejection of the destination, as if it had been asked last. */
const ruledOut = ({ destination, to }: SendTransfer): Rejection | undefined => {
  if (destination === undefined) return undefined
  return destination === "missing" ? new WalletNotFound({ walletId: to }) : new WalletClosed({ walletId: to })
}

export const receiveTransfer = (wallet: Wallet, command: ReceiveTransfer): Decision => {
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
export const refuseTransfer = (wallet: Wallet, command: RefuseTransfer): Decision =>
  Result.succeed([
    {
      _tag: "TransferRefused",
      transferId: command.transferId,
      from: command.from,
      amount: command.amount,
      reason: toText(command.reason, maxTextLength),
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])

/** In any status. */
export const settleTransfer = (wallet: Wallet, command: SettleTransfer): Decision => {
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
export const reverseTransfer = (wallet: Wallet, command: ReverseTransfer): Decision => {
  const transfer = findTransfer(wallet, command.transferId)
  if (transfer instanceof TransferNotFound) return Result.fail(transfer)
  return Result.succeed([
    {
      _tag: "TransferReversed",
      transferId: transfer.id,
      to: transfer.to,
      amount: transfer.amount,
      reason: toText(command.reason, maxTextLength),
      balanceAfter: wallet.balance + transfer.amount,
      heldAfter: wallet.held
    }
  ])
}
