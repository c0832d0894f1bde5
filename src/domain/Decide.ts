/**
 * `decide`: the rules of a wallet. From its state and a command, the events that
 * shall happen, or the rejection that says why nothing does.
 *
 * Pure: time and ids come in. Rejections have a fixed precedence, which every
 * rule below spells out by the order of its checks (`a ?? b ?? c`):
 *
 *   not found → already exists → closed → frozen → same wallet → destination not
 *   found → destination closed → currency mismatch → hold/transfer not found →
 *   hold closed → form and amount (with HoldAmountExceeded, RefundExceeded) → insufficient funds,
 *   wallet not empty → limits
 *
 * What is about the other end of a transfer stands with the currency: after what
 * the wallet itself is, before anything about the transfer itself.
 *
 * The state knows open holds only. To it a hold that was closed and one that
 * never was are both HoldNotFound; whoever can see closed holds may say HoldClosed
 * instead, which stands at the next place of the precedence.
 */
import * as Result from "effect/Result"
import type { Command } from "./Command.ts"
import type { DecideContext, Decision } from "./Decision.ts"
import { captureHold, captureHoldTo, changeHold, expireHold, placeHold, releaseHold } from "./HoldRules.ts"
import { applyLegs, beginLegs, prepareLegs, refuseLegs, releaseLegs, settleLegs } from "./LegsRules.ts"
import { close, create, expireFreeze, freeze, unfreeze, update } from "./LifecycleRules.ts"
import { credit, debit } from "./MovementRules.ts"
import { refundTransaction } from "./RefundRules.ts"
import { WalletNotFound } from "./Rejection.ts"
import { reverseOperation } from "./ReverseOperation.ts"
import { receiveTransfer, refuseTransfer, reverseTransfer, sendTransfer, settleTransfer } from "./TransferRules.ts"
import type { Wallet } from "./Wallet.ts"

export { type DecideContext, type Decision, defaultLimits, type WalletLimits } from "./Decision.ts"

/** The events of `command`, in order, to be appended all or none. */
export const decide = (wallet: Wallet | undefined, command: Command, context: DecideContext): Decision => {
  if (command._tag === "CreateWallet") return create(wallet, command, context)
  if (wallet === undefined) return Result.fail(new WalletNotFound({ walletId: command.walletId }))
  switch (command._tag) {
    case "Credit":
      return credit(wallet, command, context)
    case "Debit":
      return debit(wallet, command, context)
    case "RefundTransaction":
      return refundTransaction(wallet, command, context)
    case "PlaceHold":
      return placeHold(wallet, command, context)
    case "CaptureHold":
      return captureHold(wallet, command, context)
    case "CaptureHoldTo":
      return captureHoldTo(wallet, command, context)
    case "ChangeHold":
      return changeHold(wallet, command, context)
    case "ReleaseHold":
      return releaseHold(wallet, command)
    case "ExpireHold":
      return expireHold(wallet, command, context)
    case "SendTransfer":
      return sendTransfer(wallet, command, context)
    case "ReceiveTransfer":
      return receiveTransfer(wallet, command, context)
    case "RefuseTransfer":
      return refuseTransfer(wallet, command)
    case "SettleTransfer":
      return settleTransfer(wallet, command)
    case "ReverseTransfer":
      return reverseTransfer(wallet, command)
    case "BeginLegs":
      return beginLegs(wallet, command, context)
    case "PrepareLegs":
      return prepareLegs(wallet, command, context)
    case "RefuseLegs":
      return refuseLegs(wallet, command)
    case "ApplyLegs":
      return applyLegs(wallet, command)
    case "ReleaseLegs":
      return releaseLegs(wallet, command)
    case "SettleLegs":
      return settleLegs(wallet, command)
    case "Freeze":
      return freeze(wallet, command, context)
    case "ExpireFreeze":
      return expireFreeze(wallet, command, context)
    case "Unfreeze":
      return unfreeze(wallet, command)
    case "Close":
      return close(wallet, command)
    case "UpdateWallet":
      return update(wallet, command, context)
    case "ReverseOperation":
      return reverseOperation(wallet, command)
  }
}
