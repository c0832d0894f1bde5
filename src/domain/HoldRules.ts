/** Holds: the rules of placing, capturing, changing, releasing and expiring. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import {
  bothInvalid,
  closed,
  closedOrFrozen,
  currencyMismatch,
  type DecideContext,
  type Decision,
  findHold,
  insufficient,
  invalid,
  invalidAmount,
  invalidEffectiveAt,
  invalidId,
  invalidMovement,
  tooLarge
} from "./Decision.ts"
import {
  type CaptureHold,
  type CaptureHoldTo,
  type ChangeHold,
  type ExpireHold,
  type OpenHold,
  type PlaceHold,
  type ReleaseHold
} from "./Hold.ts"
import { isTime } from "./Limits.ts"
import {
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  type InvalidRequest,
  type Rejection,
  SameWallet
} from "./Rejection.ts"
import { noNote, ruledOut } from "./TransferRules.ts"
import type { Wallet } from "./Wallet.ts"
import { holdBytes, inFlightBytes, transferBytes } from "./WalletSize.ts"

// --- Rules -------------------------------------------------------------------

/** A second hold of the same id would overwrite the first and lose what it holds. */
const invalidHold = (wallet: Wallet, command: PlaceHold, time: number): InvalidRequest | undefined => {
  const rejection = invalidMovement(command) ?? invalidId("holdId", command.holdId)
  if (rejection !== undefined) return rejection
  const { expiresAt } = command
  if (expiresAt !== null && !(isTime(expiresAt) && expiresAt > time)) return invalid("expiresAt: not a time to come")
  return HashMap.has(wallet.holds, command.holdId) ? invalid("holdId: in use") : undefined
}

export const placeHold = (wallet: Wallet, command: PlaceHold, context: DecideContext): Decision => {
  const rejection =
    closedOrFrozen(wallet, "debits", context) ??
    invalidHold(wallet, command, context.time) ??
    insufficient(wallet, command.amount) ??
    tooLarge(wallet, holdBytes(command), context.limits)
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

const hasExpired = ({ expiresAt }: OpenHold, { time }: DecideContext): boolean =>
  expiresAt !== null && time >= expiresAt

/**
 * Open, with something left of it, and not beyond its time. One of which all is in flight to other wallets is
 * closed as long as they do not refuse.
 */
const usableHold = (wallet: Wallet, holdId: string, context: DecideContext): OpenHold | HoldNotFound | HoldClosed => {
  const hold = findHold(wallet, holdId)
  if (hold instanceof HoldNotFound) return hold
  return hold.remaining === 0n || hasExpired(hold, context) ? new HoldClosed({ walletId: wallet.id, holdId }) : hold
}

/** How much a capture takes, of what remains. */
const capturedAmount = (
  wallet: Wallet,
  hold: OpenHold,
  { amount: asked, effectiveAt }: Pick<CaptureHold, "amount" | "effectiveAt">,
  { time }: DecideContext
): bigint | Rejection => {
  const amount = asked ?? hold.remaining
  const wrong = invalidAmount(amount)
  if (wrong !== undefined) return wrong
  if (amount > hold.remaining) {
    return new HoldAmountExceeded({ walletId: wallet.id, holdId: hold.id, remaining: hold.remaining, amount })
  }
  return invalidEffectiveAt(effectiveAt, time) ?? amount
}

/** Needs no funds: what is captured was held, so available does not fall. */
export const captureHold = (wallet: Wallet, command: CaptureHold, context: DecideContext): Decision => {
  const rejection = closedOrFrozen(wallet, "debits", context)
  if (rejection !== undefined) return Result.fail(rejection)
  const hold = usableHold(wallet, command.holdId, context)
  if (!("id" in hold)) return Result.fail(hold)
  const amount = capturedAmount(wallet, hold, command, context)
  if (typeof amount !== "bigint") return Result.fail(amount)
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
      effectiveAt: command.effectiveAt,
      expiresAt: hold.expiresAt,
      balanceAfter: wallet.balance - amount,
      heldAfter: wallet.held - amount - released
    }
  ])
}

/**
 * Needs no funds either. What a final capture leaves is held until the destination has received: if it refuses, the
 * hold must be as before.
 */
export const captureHoldTo = (wallet: Wallet, command: CaptureHoldTo, context: DecideContext): Decision => {
  const rejection =
    closedOrFrozen(wallet, "debits", context) ??
    (command.to === wallet.id ? new SameWallet({ walletId: wallet.id }) : undefined) ??
    ruledOut(command) ??
    currencyMismatch(wallet, command.currency)
  if (rejection !== undefined) return Result.fail(rejection)
  const hold = usableHold(wallet, command.holdId, context)
  if (!("id" in hold)) return Result.fail(hold)
  const wrong =
    invalidId("transferId", command.transferId) ??
    invalidId("to", command.to) ??
    (HashMap.has(wallet.transfers, command.transferId) ? invalid("transferId: in use") : undefined)
  if (wrong !== undefined) return Result.fail(wrong)
  const amount = capturedAmount(wallet, hold, command, context)
  if (typeof amount !== "bigint") return Result.fail(amount)
  const left = hold.remaining - amount
  const rest = command.final ? left : 0n
  const added =
    transferBytes({ ...noNote, capture: { holdId: hold.id, rest } }) + (hold.inFlight === null ? inFlightBytes : 0)
  const unfit = tooLarge(wallet, added, context.limits)
  if (unfit !== undefined) return Result.fail(unfit)
  return Result.succeed([
    {
      _tag: "HoldCapturedTo",
      holdId: hold.id,
      transferId: command.transferId,
      to: command.to,
      amount,
      currency: wallet.currency,
      rest,
      capturedAfter: hold.captured + amount,
      remainingAfter: left - rest,
      effectiveAt: command.effectiveAt,
      expiresAt: hold.expiresAt,
      balanceAfter: wallet.balance - amount,
      heldAfter: wallet.held - amount
    }
  ])
}

/** `amount` is the new total: more needs funds and a wallet that is not frozen; as much as is captured closes the hold. */
export const changeHold = (wallet: Wallet, command: ChangeHold, context: DecideContext): Decision => {
  const rejection = closed(wallet)
  if (rejection !== undefined) return Result.fail(rejection)
  const found = findHold(wallet, command.holdId)
  const amount = command.amount ?? (found instanceof HoldNotFound ? 0n : found.amount)
  const raised = found instanceof HoldNotFound ? 0n : amount - found.amount
  const isFrozen = raised > 0n ? closedOrFrozen(wallet, "debits", context) : undefined
  if (isFrozen !== undefined) return Result.fail(isFrozen)
  const hold = usableHold(wallet, command.holdId, context)
  if (!("id" in hold)) return Result.fail(hold)
  const { expiry } = command
  const unfit =
    invalidChange(command) ??
    (typeof expiry?.at === "number" && expiry.at <= context.time
      ? invalid("expiresAt: not a time to come")
      : undefined) ??
    (amount < hold.captured
      ? new HoldAmountExceeded({ walletId: wallet.id, holdId: hold.id, remaining: hold.remaining, amount })
      : undefined) ??
    (raised > 0n ? insufficient(wallet, raised) : undefined)
  if (unfit !== undefined) return Result.fail(unfit)
  return Result.succeed([
    {
      _tag: "HoldChanged",
      holdId: hold.id,
      amount,
      previousAmount: hold.amount,
      expiresAt: expiry === null ? hold.expiresAt : expiry.at,
      previousExpiresAt: hold.expiresAt,
      capturedAfter: hold.captured,
      remainingAfter: amount - hold.captured,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held + raised
    }
  ])
}

/** Whatever the hold is. */
export const invalidChange = ({ amount, expiry }: ChangeHold): InvalidRequest | undefined => {
  if (amount === null && expiry === null) return invalid("nothing to change")
  return bothInvalid(
    amount === null ? undefined : invalidAmount(amount),
    expiry === null || expiry.at === null || isTime(expiry.at)
      ? undefined
      : invalid("expiresAt: not a time in milliseconds")
  )
}

/** Also at or after `expiresAt`, while HoldExpired is not written: the money is freed either way. */
export const releaseHold = (wallet: Wallet, command: ReleaseHold): Decision => {
  const rejection = closed(wallet)
  if (rejection !== undefined) return Result.fail(rejection)
  const hold = findHold(wallet, command.holdId)
  if (hold instanceof HoldNotFound) return Result.fail(hold)
  if (hold.remaining === 0n) return Result.fail(new HoldClosed({ walletId: wallet.id, holdId: hold.id }))
  return Result.succeed([
    {
      _tag: "HoldReleased",
      holdId: hold.id,
      amount: hold.remaining,
      capturedAfter: hold.captured,
      expiresAt: hold.expiresAt,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held - hold.remaining
    }
  ])
}

/**
 * In any status. Before `expiresAt` it is a rejection, not a success without an
 * event: a timer that took silence for success would never ring again.
 */
export const expireHold = (wallet: Wallet, command: ExpireHold, context: DecideContext): Decision => {
  const hold = findHold(wallet, command.holdId)
  if (hold instanceof HoldNotFound) return Result.fail(hold)
  if (hold.expiresAt === null || context.time < hold.expiresAt) {
    return Result.fail(invalid(`hold ${hold.id} has not expired yet`))
  }
  // What is refused comes back to the hold as it was: its time is over then.
  if (hold.inFlight !== null) return Result.fail(invalid(`of hold ${hold.id} something is in flight`))
  return Result.succeed([
    {
      _tag: "HoldExpired",
      holdId: hold.id,
      amount: hold.remaining,
      capturedAfter: hold.captured,
      expiresAt: hold.expiresAt,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held - hold.remaining
    }
  ])
}
