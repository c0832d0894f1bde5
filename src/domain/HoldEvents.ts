/** Holds: what their events do to the wallet and to the rows of readers, and how they are taken back. */
import * as HashMap from "effect/HashMap"
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
  type Hold,
  type HoldCaptured,
  type HoldCapturedTo,
  type HoldChange,
  type HoldChanged,
  type HoldEvent,
  type HoldExpired,
  holdOf,
  type HoldPlaced,
  type HoldProgressing,
  type HoldReleased,
  holdTrace,
  holdWith,
  type OpenHold,
  progressOf
} from "./Hold.ts"
import { noMetadata } from "./Limits.ts"
import { noNote, sentTransfer, transferTrace } from "./TransferRules.ts"
import type { Wallet } from "./Wallet.ts"
import { withHold, withoutHold, withTransfer } from "./WalletState.ts"
import { maxOpenBytes } from "./WalletSize.ts"

// --- State -------------------------------------------------------------------

const placed = (recorded: RecordedEvent, event: HoldPlaced): OpenHold => ({
  id: event.holdId,
  amount: event.amount,
  captured: 0n,
  remaining: event.amount,
  expiresAt: event.expiresAt,
  reference: event.reference,
  metadata: event.metadata,
  createdAt: recorded.time,
  inFlight: null,
  ended: null
})

const captured = (wallet: Wallet, recorded: RecordedEvent, event: HoldCaptured): Wallet => {
  const { capturedAfter, holdId, released, remainingAfter: remaining } = event
  return withLeft(wallet, recorded, holdId, (hold) => ({
    captured: capturedAfter,
    remaining,
    ended: released > 0n ? true : hold.ended
  }))
}

/** The hold with `changes`, for as long as there is something left of it or in flight. */
const withLeft = (
  wallet: Wallet,
  recorded: RecordedEvent,
  holdId: string,
  changes: (hold: OpenHold) => Parameters<typeof holdWith>[1]
): Wallet => {
  const hold = openHold(wallet, holdId)
  if (hold === undefined) return withoutHold(wallet, recorded, holdId)
  const left = holdWith(hold, changes(hold))
  return left.remaining === 0n && left.inFlight === null
    ? withoutHold(wallet, recorded, holdId)
    : withHold(wallet, recorded, left)
}

const capturedTo = (wallet: Wallet, recorded: RecordedEvent, event: HoldCapturedTo): Wallet => {
  const { amount, capturedAfter, effectiveAt, holdId, remainingAfter, rest, to, transferId } = event
  const held = withLeft(wallet, recorded, holdId, (hold) => ({
    captured: capturedAfter,
    remaining: remainingAfter,
    inFlight: (hold.inFlight ?? 0n) + amount
  }))
  return withTransfer(held, recorded, {
    id: transferId,
    to,
    amount,
    ...noNote,
    effectiveAt,
    createdAt: recorded.time,
    capture: { holdId, rest }
  })
}

const changed = (wallet: Wallet, recorded: RecordedEvent, event: HoldChanged): Wallet =>
  withLeft(wallet, recorded, event.holdId, () => ({
    amount: event.amount,
    remaining: event.remainingAfter,
    expiresAt: event.expiresAt
  }))

const without = (wallet: Wallet, recorded: RecordedEvent, event: HoldReleased | HoldExpired): Wallet =>
  withLeft(wallet, recorded, event.holdId, () => ({ remaining: 0n, ended: true }))

// --- What a reversal takes back ----------------------------------------------

const openHold = (wallet: Wallet | undefined, holdId: string): OpenHold | undefined => {
  if (wallet === undefined) return undefined
  const hold = HashMap.get(wallet.holds, holdId)
  return hold._tag === "Some" ? hold.value : undefined
}

const ownTrace = (event: HoldEvent): string => holdTrace(event.holdId)

const needsHold = (traces: Traces, event: HoldEvent): boolean => traces.has(ownTrace(event))

const needsHoldUnfrozen = (traces: Traces, event: HoldEvent): boolean =>
  needsUnfrozen(traces) || needsHold(traces, event)

// --- Rows --------------------------------------------------------------------

/** Its terms only where they have changed. */
const progressed = (recorded: RecordedEvent, event: HoldProgressing): HoldChange => {
  const { captured, remaining, status, terms } = progressOf(event)
  const change = { _tag: "Changed", walletId: recorded.walletId, holdId: event.holdId, captured, remaining } as const
  return event._tag === "HoldChanged" ? { ...change, status, terms } : { ...change, status }
}

/** The open hold that a command has captured, changed or released, by its events; `undefined`: it was about none. */
export const heldBefore = (events: ReadonlyArray<RecordedEvent>): string | undefined => {
  for (const { event } of events) {
    switch (event._tag) {
      case "HoldCaptured":
      case "HoldCapturedTo":
      case "HoldChanged":
      case "HoldReleased":
        return event.holdId
    }
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
    trace: ownTrace
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
    trace: ownTrace
  },
  buildsOn: needsHoldUnfrozen
}

const holdCapturedTo: EventKind<HoldCapturedTo> = {
  evolve: capturedTo,
  balanceChange: spent,
  transaction: (recorded, wallet, { amount, holdId, transferId }) =>
    transaction(recorded, wallet, "capture", amount, null, noMetadata, holdId, transferId),
  holdChange: progressed,
  transferChange: (recorded, event) => ({
    _tag: "Sent",
    version: recorded.version,
    transfer: sentTransfer(recorded, event)
  }),
  reversible: {
    undo: (wallet, before, { amount, holdId, remainingAfter, transferId }) => {
      const hold = openHold(before, holdId)
      if (hold === undefined || openHold(wallet, holdId)?.remaining !== remainingAfter) return undefined
      return HashMap.has(wallet.transfers, transferId)
        ? { balanceChange: amount, heldChange: amount, restored: { _tag: "NoCapture", transferId, hold } }
        : undefined
    },
    availableChange: nothing,
    freedAtMost: freesNothing,
    trace: ownTrace,
    moreTraces: ({ transferId }) => [transferTrace(transferId)]
  },
  buildsOn: (traces, event) => needsHoldUnfrozen(traces, event) || traces.has(transferTrace(event.transferId))
}

const holdChanged: EventKind<HoldChanged> = {
  evolve: changed,
  balanceChange: nothing,
  transaction: undefined,
  holdChange: progressed,
  transferChange: undefined,
  reversible: {
    undo: (wallet, before, event) => {
      const hold = openHold(before, event.holdId)
      if (hold === undefined || (openHold(wallet, event.holdId)?.remaining ?? 0n) !== event.remainingAfter) {
        return undefined
      }
      return {
        balanceChange: 0n,
        heldChange: event.previousAmount - event.amount,
        restored: { _tag: "Hold", hold }
      }
    },
    availableChange: (event) => event.previousAmount - event.amount,
    freedAtMost: (event) => (event.remainingAfter === 0n ? maxOpenBytes : 0),
    trace: ownTrace
  },
  buildsOn: (traces, event) => (event.amount > event.previousAmount ? needsHoldUnfrozen : needsHold)(traces, event)
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
      if (hold === undefined || (openHold(wallet, event.holdId)?.remaining ?? 0n) !== 0n) return undefined
      return { balanceChange: 0n, heldChange: event.amount, restored: { _tag: "Hold", hold } }
    },
    availableChange: received,
    freedAtMost: () => maxOpenBytes,
    trace: ownTrace
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
  HoldCapturedTo: holdCapturedTo,
  HoldChanged: holdChanged,
  HoldReleased: holdReleased,
  HoldExpired: holdExpired
}

/** The hold that `recorded` has placed, as readers see it. */
export const placedHold = (recorded: RecordedEvent, event: HoldPlaced): Hold =>
  holdOf(recorded.walletId, placed(recorded, event))
