/**
 * The rule for ReverseOperation: undoes exactly one event, which Persistence has
 * refused for good.
 *
 * The caller sees to it that nothing builds on an event that may still be
 * refused, so a reversal always succeeds; the checks here are the second wall.
 * A rejection means that the promise was broken: nothing is undone by half, and
 * available never becomes negative, but by a forced debit.
 */
import * as Result from "effect/Result"
import type { ReverseOperation } from "./Command.ts"
import { type Decision, insufficient, invalid, overBalanceLimit } from "./Decision.ts"
import type { OperationReversed, WalletEvent } from "./Event.ts"
import type { Undo } from "./EventKind.ts"
import { kindOf } from "./EventKinds.ts"
import { maxTextLength, toText } from "./Limits.ts"
import type { Rejection } from "./Rejection.ts"
import { available, type Wallet } from "./Wallet.ts"

/**
 * Works in any status. `InvalidRequest`: not an operation of this wallet, an
 * engine's event, or later events build on it. `InsufficientFunds`: its money is
 * used already. `LimitExceeded`: the money to come back has no room.
 */
export const reverseOperation = (wallet: Wallet, command: ReverseOperation): Decision => {
  const { before, operation } = command
  if (
    operation.walletId !== wallet.id ||
    operation.version > wallet.version ||
    operation.version !== (before === undefined ? 0 : before.version + 1)
  ) {
    return Result.fail(invalid(`event ${operation.version} is no operation of this wallet`))
  }
  const undo = undoOf(wallet, before, operation.event)
  if (undo === undefined) {
    return Result.fail(invalid(`event ${operation.version} (${operation.event._tag}) cannot be reversed any more`))
  }
  const rejection =
    withoutFunds(wallet, before, undo) ??
    (undo.balanceChange > 0n ? overBalanceLimit(wallet, wallet.balance + undo.balanceChange) : undefined)
  if (rejection !== undefined) return Result.fail(rejection)
  const event: OperationReversed = {
    _tag: "OperationReversed",
    reversedVersion: operation.version,
    reversedType: operation.event._tag,
    reason: toText(command.reason, maxTextLength),
    balanceChange: undo.balanceChange,
    restored: undo.restored,
    balanceAfter: wallet.balance + undo.balanceChange,
    heldAfter: wallet.held + undo.heldChange
  }
  return Result.succeed([event])
}

/**
 * What gives money back asks for nothing; and where a forced debit had left less than nothing before the operation, what
 * is below zero after the reversal is that debit's.
 */
const withoutFunds = (wallet: Wallet, before: Wallet | undefined, undo: Undo): Rejection | undefined => {
  const limitChange =
    undo.restored._tag === "OverdraftLimit" ? undo.restored.overdraftLimit - wallet.overdraftLimit : 0n
  const required = undo.heldChange - undo.balanceChange - limitChange
  if (required <= 0n || (before !== undefined && available(before) < 0n)) return undefined
  return insufficient(wallet, required)
}

const undoOf = (wallet: Wallet, before: Wallet | undefined, event: WalletEvent): Undo | undefined => {
  // Only an empty wallet closes, and only once all before it is persisted: in a closed one nothing else can be undone.
  if (wallet.status === "closed" && event._tag !== "WalletClosed") return undefined
  return kindOf(event).reversible?.undo(wallet, before, event)
}
