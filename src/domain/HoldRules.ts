/** The rules for holds: placing, capturing, releasing, expiring. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import { atLimit, closed, closedOrFrozen, findHold, insufficient } from "./Checks.ts"
import type { CaptureHold, ExpireHold, PlaceHold, ReleaseHold } from "./Command.ts"
import type { DecideContext, Decision } from "./Decision.ts"
import { isAmount } from "./Limits.ts"
import { malformedHold } from "./Validation.ts"
import { HoldAmountExceeded, HoldClosed, HoldNotFound, InvalidRequest } from "./Rejection.ts"
import type { Wallet } from "./Wallet.ts"

export const placeHold = (wallet: Wallet, command: PlaceHold, context: DecideContext): Decision => {
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
export const captureHold = (wallet: Wallet, command: CaptureHold, context: DecideContext): Decision => {
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
export const releaseHold = (wallet: Wallet, command: ReleaseHold): Decision => {
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
export const expireHold = (wallet: Wallet, command: ExpireHold, context: DecideContext): Decision => {
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
