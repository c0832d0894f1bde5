/** Holds: the rules of placing, capturing, releasing and expiring, and what their events do. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import {
  closed,
  closedOrFrozen,
  type DecideContext,
  type Decision,
  findHold,
  insufficient,
  invalid,
  invalidEffectiveAt,
  invalidId,
  invalidMovement,
  tooLarge
} from "./Decision.ts"
import type { RecordedEvent } from "./Event.ts"
import {
  type EventKind,
  type EventKinds,
  freesNothing,
  needsUnfrozen,
  nothing,
  received,
  spent,
  transaction,
  type Traces
} from "./EventKind.ts"
import {
  type CaptureHold,
  type ExpireHold,
  type Hold,
  type HoldCaptured,
  type HoldChange,
  type HoldEvent,
  type HoldExpired,
  holdOf,
  type HoldPlaced,
  type HoldReleased,
  type OpenHold,
  type PlaceHold,
  progressOf,
  type ReleaseHold
} from "./Hold.ts"
import { isAmount, isTime, noMetadata } from "./Limits.ts"
import { HoldAmountExceeded, HoldClosed, HoldNotFound, type InvalidRequest } from "./Rejection.ts"
import type { Wallet } from "./Wallet.ts"
import { withHold, withoutHold } from "./WalletState.ts"
import { holdBytes, maxOpenBytes } from "./WalletSize.ts"

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
    closedOrFrozen(wallet) ??
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
    return Result.fail(invalid("amount: not a positive amount of at most 30 digits"))
  }
  if (amount > hold.remaining) {
    return Result.fail(
      new HoldAmountExceeded({ walletId: wallet.id, holdId: hold.id, remaining: hold.remaining, amount })
    )
  }
  const untimely = invalidEffectiveAt(command.effectiveAt, context.time)
  if (untimely !== undefined) return Result.fail(untimely)
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
    return Result.fail(invalid(`hold ${hold.id} has not expired yet`))
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

// --- State -------------------------------------------------------------------

const placed = (recorded: RecordedEvent, event: HoldPlaced): OpenHold => ({
  id: event.holdId,
  amount: event.amount,
  captured: 0n,
  remaining: event.amount,
  expiresAt: event.expiresAt,
  reference: event.reference,
  metadata: event.metadata,
  createdAt: recorded.time
})

const captured = (wallet: Wallet, recorded: RecordedEvent, event: HoldCaptured): Wallet => {
  const hold = openHold(wallet, event.holdId)
  if (hold === undefined || event.remainingAfter === 0n) return withoutHold(wallet, recorded, event.holdId)
  return withHold(wallet, recorded, {
    id: hold.id,
    amount: hold.amount,
    captured: event.capturedAfter,
    remaining: event.remainingAfter,
    expiresAt: hold.expiresAt,
    reference: hold.reference,
    metadata: hold.metadata,
    createdAt: hold.createdAt
  })
}

const without = (wallet: Wallet, recorded: RecordedEvent, event: HoldReleased | HoldExpired): Wallet =>
  withoutHold(wallet, recorded, event.holdId)

// --- What a reversal takes back ----------------------------------------------

const openHold = (wallet: Wallet | undefined, holdId: string): OpenHold | undefined => {
  if (wallet === undefined) return undefined
  const hold = HashMap.get(wallet.holds, holdId)
  return hold._tag === "Some" ? hold.value : undefined
}

/** Its hold is what an event leaves behind, and what the next event of the hold builds on. */
const holdTrace = (event: HoldEvent): string => `hold ${event.holdId}`

const needsHold = (traces: Traces, event: HoldEvent): boolean => traces.has(holdTrace(event))

const needsHoldUnfrozen = (traces: Traces, event: HoldEvent): boolean =>
  needsUnfrozen(traces) || needsHold(traces, event)

// --- Rows --------------------------------------------------------------------

const progressed = (recorded: RecordedEvent, event: HoldCaptured | HoldReleased | HoldExpired): HoldChange => {
  const { captured, remaining, status } = progressOf(event)
  return { _tag: "Changed", walletId: recorded.walletId, holdId: event.holdId, captured, remaining, status }
}

/** The open hold that a command has captured or released, by its events; `undefined`: it was about none. */
export const heldBefore = (events: ReadonlyArray<RecordedEvent>): string | undefined => {
  for (const { event } of events) {
    if (event._tag === "HoldCaptured" || event._tag === "HoldReleased") return event.holdId
  }
  return undefined
}

// --- The events --------------------------------------------------------------

const holdPlaced: EventKind<HoldPlaced> = {
  evolve: (wallet, recorded, event) => withHold(wallet, recorded, placed(recorded, event)),
  balanceChange: nothing,
  transaction: undefined,
  holdChange: (recorded, event) => ({
    _tag: "Placed",
    version: recorded.version,
    hold: placedHold(recorded, event)
  }),
  transferChange: undefined,
  reversible: {
    undo: (wallet, _before, event) => {
      const hold = openHold(wallet, event.holdId)
      if (hold === undefined || hold.captured !== 0n) return undefined
      return { balanceChange: 0n, heldChange: -event.amount, restored: { _tag: "NoHold", holdId: event.holdId } }
    },
    availableChange: spent,
    freedAtMost: freesNothing,
    trace: holdTrace
  },
  buildsOn: needsHoldUnfrozen
}

const holdCaptured: EventKind<HoldCaptured> = {
  evolve: captured,
  balanceChange: spent,
  transaction: (recorded, wallet, event) =>
    transaction(recorded, wallet, "capture", event.amount, null, noMetadata, event.holdId, null),
  holdChange: progressed,
  transferChange: undefined,
  reversible: {
    undo: (wallet, before, event) => {
      const hold = openHold(before, event.holdId)
      const remaining = openHold(wallet, event.holdId)?.remaining ?? 0n
      if (hold === undefined || remaining !== event.remainingAfter) return undefined
      return {
        balanceChange: event.amount,
        heldChange: event.amount + event.released,
        restored: { _tag: "Hold", hold }
      }
    },
    availableChange: (event) => event.released,
    // It is not said how large the hold was.
    freedAtMost: (event) => (event.remainingAfter === 0n ? maxOpenBytes : 0),
    trace: holdTrace
  },
  buildsOn: needsHoldUnfrozen
}

const holdReleased: EventKind<HoldReleased> = {
  evolve: without,
  balanceChange: nothing,
  transaction: undefined,
  holdChange: progressed,
  transferChange: undefined,
  reversible: {
    undo: (wallet, before, event) => {
      const hold = openHold(before, event.holdId)
      if (hold === undefined || openHold(wallet, event.holdId) !== undefined) return undefined
      return { balanceChange: 0n, heldChange: event.amount, restored: { _tag: "Hold", hold } }
    },
    availableChange: received,
    freedAtMost: () => maxOpenBytes,
    trace: holdTrace
  },
  buildsOn: needsHold
}

const holdExpired: EventKind<HoldExpired> = {
  evolve: without,
  balanceChange: nothing,
  transaction: undefined,
  holdChange: progressed,
  transferChange: undefined,
  reversible: undefined,
  buildsOn: needsHold
}

export const holdEvents: EventKinds<HoldEvent> = {
  HoldPlaced: holdPlaced,
  HoldCaptured: holdCaptured,
  HoldReleased: holdReleased,
  HoldExpired: holdExpired
}

/** The hold that `recorded` has placed, as readers see it. */
export const placedHold = (recorded: RecordedEvent, event: HoldPlaced): Hold =>
  holdOf(recorded.walletId, placed(recorded, event))
