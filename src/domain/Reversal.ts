/**
 * The rule for ReverseOperation: undoes exactly one event, which Persistence has
 * refused for good.
 *
 * The caller sees to it that nothing builds on an event that may still be
 * refused, so a reversal always succeeds; the checks here are the second wall.
 * A rejection means that the promise was broken: nothing is undone by half, and
 * available never becomes negative.
 */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import { overBalanceLimit } from "./Checks.ts"
import type { ReverseOperation } from "./Command.ts"
import type {
  HoldCaptured,
  HoldPlaced,
  HoldReleased,
  OperationReversed,
  Restored,
  TransferSent,
  WalletEvent
} from "./Event.ts"
import { maxTextLength, type Metadata, toText } from "./Limits.ts"
import { InsufficientFunds, InvalidRequest, type Rejection } from "./Rejection.ts"
import { available, type OpenHold, type Wallet, type WalletStatus } from "./Wallet.ts"

/** What a reversal does: signed changes in minor units, and what comes back. `undefined`: it cannot be done. */
interface Undo {
  readonly balanceChange: bigint
  readonly heldChange: bigint
  readonly restored: Restored
}

const nothing: Restored = { _tag: "Nothing" }

/**
 * Works in any status. `InvalidRequest`: not an operation of this wallet, an
 * engine's event, or later events build on it. `InsufficientFunds`: its money is
 * used already. `LimitExceeded`: the money to come back has no room.
 */
export const decideReversal = (
  wallet: Wallet,
  command: ReverseOperation
): Result.Result<ReadonlyArray<WalletEvent>, Rejection> => {
  const { before, operation } = command
  if (
    operation.walletId !== wallet.id ||
    operation.version > wallet.version ||
    operation.version !== (before === undefined ? 0 : before.version + 1)
  ) {
    return Result.fail(new InvalidRequest({ detail: `event ${operation.version} is no operation of this wallet` }))
  }
  const undo = undoOf(wallet, before, operation.event)
  if (undo === undefined) {
    return Result.fail(
      new InvalidRequest({ detail: `event ${operation.version} (${operation.event._tag}) cannot be reversed any more` })
    )
  }
  const rejection =
    withoutFunds(wallet, undo) ??
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

const withoutFunds = (wallet: Wallet, undo: Undo): Rejection | undefined => {
  const limitChange =
    undo.restored._tag === "OverdraftLimit" ? undo.restored.overdraftLimit - wallet.overdraftLimit : 0n
  const required = undo.heldChange - undo.balanceChange - limitChange
  const funds = available(wallet)
  return funds >= required ? undefined : new InsufficientFunds({ walletId: wallet.id, available: funds, required })
}

const undoOf = (wallet: Wallet, before: Wallet | undefined, event: WalletEvent): Undo | undefined => {
  // Only an empty wallet closes, and only once all before it is persisted: in a closed one nothing else can be undone.
  if (wallet.status === "closed" && event._tag !== "WalletClosed") return undefined
  switch (event._tag) {
    case "WalletCreated":
      return wallet.balance === 0n && HashMap.isEmpty(wallet.holds) && HashMap.isEmpty(wallet.transfers)
        ? unmoved({ _tag: "Status", status: "closed" })
        : undefined
    case "WalletCredited":
      return { balanceChange: -event.amount, heldChange: 0n, restored: nothing }
    case "WalletDebited":
      return { balanceChange: event.amount, heldChange: 0n, restored: nothing }
    case "HoldPlaced":
      return undoPlaced(wallet, event)
    case "HoldCaptured":
      return undoCaptured(wallet, before, event)
    case "HoldReleased":
      return undoReleased(wallet, before, event)
    case "TransferSent":
      return undoSent(wallet, event)
    case "TransferReceived":
      return {
        balanceChange: -event.amount,
        heldChange: 0n,
        restored: { _tag: "NoTransfer", transferId: event.transferId }
      }
    case "WalletFrozen":
      return undoStatus(wallet, before, "frozen")
    case "WalletUnfrozen":
      return undoStatus(wallet, before, "active")
    case "WalletClosed":
      return undoStatus(wallet, before, "closed")
    case "OverdraftLimitChanged":
      return wallet.overdraftLimit === event.overdraftLimit
        ? unmoved({ _tag: "OverdraftLimit", overdraftLimit: event.previousLimit })
        : undefined
    case "MetadataChanged":
      return sameMetadata(wallet.metadata, event.metadata)
        ? unmoved({ _tag: "Metadata", metadata: event.previousMetadata })
        : undefined
    // The engine's own events are facts about time or about another wallet: never compensated.
    case "HoldExpired":
    case "TransferRefused":
    case "TransferSettled":
    case "TransferReversed":
    case "OperationReversed":
      return undefined
  }
}

const unmoved = (restored: Restored): Undo => ({ balanceChange: 0n, heldChange: 0n, restored })

const openHold = (wallet: Wallet | undefined, holdId: string): OpenHold | undefined => {
  if (wallet === undefined) return undefined
  const hold = HashMap.get(wallet.holds, holdId)
  return hold._tag === "Some" ? hold.value : undefined
}

const undoPlaced = (wallet: Wallet, event: HoldPlaced): Undo | undefined => {
  const hold = openHold(wallet, event.holdId)
  if (hold === undefined || hold.captured !== 0n) return undefined
  return { balanceChange: 0n, heldChange: -event.amount, restored: { _tag: "NoHold", holdId: event.holdId } }
}

const undoCaptured = (wallet: Wallet, before: Wallet | undefined, event: HoldCaptured): Undo | undefined => {
  const hold = openHold(before, event.holdId)
  const remaining = openHold(wallet, event.holdId)?.remaining ?? 0n
  if (hold === undefined || remaining !== event.remainingAfter) return undefined
  return {
    balanceChange: event.amount,
    heldChange: event.amount + event.released,
    restored: { _tag: "Hold", hold }
  }
}

const undoReleased = (wallet: Wallet, before: Wallet | undefined, event: HoldReleased): Undo | undefined => {
  const hold = openHold(before, event.holdId)
  if (hold === undefined || openHold(wallet, event.holdId) !== undefined) return undefined
  return { balanceChange: 0n, heldChange: event.amount, restored: { _tag: "Hold", hold } }
}

const undoSent = (wallet: Wallet, event: TransferSent): Undo | undefined =>
  HashMap.has(wallet.transfers, event.transferId)
    ? {
        balanceChange: event.amount,
        heldChange: 0n,
        restored: { _tag: "NoTransfer", transferId: event.transferId }
      }
    : undefined

const undoStatus = (wallet: Wallet, before: Wallet | undefined, made: WalletStatus): Undo | undefined =>
  before === undefined || wallet.status !== made ? undefined : unmoved({ _tag: "Status", status: before.status })

const sameMetadata = (one: Metadata, other: Metadata): boolean => {
  const keys = Object.keys(one)
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && one[key] === other[key])
  )
}
