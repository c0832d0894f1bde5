/** Transfers of several legs: what their events do to the wallets that take part, and to the rows of readers. */
import * as HashMap from "effect/HashMap"
import type { RecordedEvent, WalletEvent } from "./Event.ts"
import {
  buildsOnNothing,
  effectiveAtOf,
  type EventKind,
  type EventKinds,
  freesNothing,
  needsCreditsUnfrozen,
  needsUnfrozen,
  nothing,
  type Reversible,
  type Traces
} from "./EventKind.ts"
import { transactionIdOf } from "./EventId.ts"
import {
  courseOf,
  legChange,
  type LegsApplied,
  type LegsBegun,
  legsChange,
  type LegsEvent,
  type LegsPrepared,
  type LegsRefused,
  type LegsReleased,
  type LegsSettled,
  ownLegs,
  type PreparedLegs
} from "./Legs.ts"
import { refundedChange } from "./RefundRules.ts"
import { withTransactions } from "./Transfer.ts"
import { transferTrace } from "./TransferRules.ts"
import type { Transaction, Wallet } from "./Wallet.ts"
import { moved, withoutPrepared, withPrepared } from "./WalletState.ts"

// --- State -------------------------------------------------------------------

const ofPrepared = (wallet: Wallet, transferId: string): PreparedLegs | undefined => {
  const prepared = HashMap.get(wallet.prepared, transferId)
  return prepared._tag === "Some" ? prepared.value : undefined
}

/** At home the transfer stays until all others know; elsewhere it is over. */
const decided = (
  wallet: Wallet,
  recorded: RecordedEvent,
  transferId: string,
  decision: NonNullable<PreparedLegs["decision"]>
): Wallet => {
  const prepared = ofPrepared(wallet, transferId)
  return prepared === undefined || prepared.begun === null
    ? withoutPrepared(wallet, recorded, transferId)
    : withPrepared(wallet, recorded, { ...prepared, held: 0n, room: 0n, decision })
}

/** Whether the event promises legs: it keeps money and room for them. */
export const preparesLegs = (event: WalletEvent): event is LegsBegun | LegsPrepared =>
  event._tag === "LegsBegun" || event._tag === "LegsPrepared"

const needsLegs = (traces: Traces, { transferId }: LegsEvent): boolean => traces.has(transferTrace(transferId))

const needsThawed = (traces: Traces, legs: LegsPrepared["legs"]): boolean =>
  legs.some(({ side }) => (side === "sent" ? needsUnfrozen : needsCreditsUnfrozen)(traces))

const preparing = <E extends LegsBegun | LegsPrepared>(): Reversible<E> => ({
  undo: (wallet, _before, event) =>
    ofPrepared(wallet, event.transferId)?.decision === null
      ? {
          balanceChange: 0n,
          heldChange: -event.held,
          restored: { _tag: "NoLegs", transferId: event.transferId }
        }
      : undefined,
  availableChange: (event) => -event.held,
  freedAtMost: freesNothing,
  trace: (event) => transferTrace(event.transferId)
})

// --- The events --------------------------------------------------------------

const unmoved = {
  balanceChange: nothing,
  transaction: undefined,
  holdChange: undefined,
  transferChange: undefined
}

const legsBegun: EventKind<LegsBegun> = {
  ...unmoved,
  evolve: (wallet, recorded, { effectiveAt, held, legs, metadata, reference, refundOf, transferId }) => {
    const own = ownLegs(wallet.id, legs)
    const next = withPrepared(wallet, recorded, {
      id: transferId,
      home: wallet.id,
      legs: own,
      held,
      room: courseOf(own).highest,
      // The home's time: all sides of it share one.
      effectiveAt: effectiveAt ?? recorded.time,
      createdAt: recorded.time,
      begun: { legs, reference, metadata, refundOf, keyLimit: recorded.metadata.keyLimit ?? null },
      decision: null
    })
    return refundedChange(next, recorded, own)
  },
  transferChange: ({ time, version }, { effectiveAt, legs, metadata, reference, refundOf, transferId }) => ({
    _tag: "Sent",
    version,
    transfer: {
      id: transferId,
      from: null,
      to: null,
      amount: null,
      currency: null,
      legs: legs.map((leg) => withTransactions(leg, undefined)),
      status: "pending",
      reason: null,
      leg: null,
      reference,
      metadata,
      refundOf,
      createdAt: time,
      effectiveAt: effectiveAt ?? time,
      updatedAt: time
    }
  }),
  legsChange: ({ walletId }, { legs, transferId }) => ({ _tag: "Prepared", transferId, legs: ownLegs(walletId, legs) }),
  reversible: preparing(),
  buildsOn: (traces, event) => needsUnfrozen(traces) || needsCreditsUnfrozen(traces) || needsLegs(traces, event)
}

const legsPrepared: EventKind<LegsPrepared> = {
  ...unmoved,
  evolve: (wallet, recorded, { effectiveAt, held, home, legs, transferId }) =>
    refundedChange(
      withPrepared(wallet, recorded, {
        id: transferId,
        home,
        legs,
        held,
        room: courseOf(legs).highest,
        effectiveAt,
        createdAt: recorded.time,
        begun: null,
        decision: null
      }),
      recorded,
      legs
    ),
  legsChange: (_recorded, { legs, transferId }) => ({ _tag: "Prepared", transferId, legs }),
  reversible: preparing(),
  buildsOn: (traces, event) => needsLegs(traces, event) || needsThawed(traces, event.legs)
}

const legsRefused: EventKind<LegsRefused> = {
  ...unmoved,
  evolve: moved,
  reversible: undefined,
  buildsOn: buildsOnNothing
}

/** One for each leg, in their order, each with the balance after it. */
const transactionsOfLegs = (
  recorded: RecordedEvent,
  { currency }: { readonly currency: string },
  { balanceAfter, legs, transferId }: LegsApplied
): ReadonlyArray<Transaction> => {
  const { id, time: createdAt, version, walletId } = recorded
  const effectiveAt = effectiveAtOf(recorded)
  let balance = balanceAfter - legsChange(legs)
  return legs.map((leg, index) => {
    balance += legChange(leg)
    return {
      id: transactionIdOf(id, index),
      walletId,
      type: leg.side === "sent" ? "transfer_out" : "transfer_in",
      amount: leg.amount,
      balanceAfter: balance,
      currency,
      reference: leg.reference,
      metadata: leg.metadata,
      holdId: null,
      transferId,
      refundOf: null,
      version,
      createdAt,
      effectiveAt
    }
  })
}

const legsApplied: EventKind<LegsApplied> = {
  ...unmoved,
  evolve: (wallet, recorded, { transferId }) => decided(wallet, recorded, transferId, { reason: null, leg: null }),
  balanceChange: ({ legs }) => legsChange(legs),
  transactions: transactionsOfLegs,
  legsChange: ({ version }, { legs, transferId }) => ({
    _tag: "Applied",
    transferId,
    legs,
    version,
    prepared: false
  }),
  reversible: undefined,
  buildsOn: needsLegs
}

const legsReleased: EventKind<LegsReleased> = {
  ...unmoved,
  evolve: (wallet, recorded, { leg, reason, transferId }) => {
    const legs = ofPrepared(wallet, transferId)?.legs ?? []
    return refundedChange(
      decided(wallet, recorded, transferId, { reason, leg }),
      recorded,
      // What they would have given back they have not given back.
      legs.map(({ amount, refund }) => ({ refund, amount: -amount }))
    )
  },
  legsChange: (_recorded, { transferId }) => ({ _tag: "Released", transferId }),
  reversible: undefined,
  buildsOn: needsLegs
}

const legsSettled: EventKind<LegsSettled> = {
  ...unmoved,
  evolve: (wallet, recorded, { transferId }) => withoutPrepared(wallet, recorded, transferId),
  transferChange: ({ time, walletId }, { leg, reason, transactions, transferId }) => ({
    _tag: "Changed",
    walletId,
    transferId,
    status: reason === null ? "completed" : "reversed",
    reason,
    leg,
    transactions,
    updatedAt: time
  }),
  reversible: undefined,
  buildsOn: needsLegs
}

export const legsEvents: EventKinds<LegsEvent> = {
  LegsBegun: legsBegun,
  LegsPrepared: legsPrepared,
  LegsRefused: legsRefused,
  LegsApplied: legsApplied,
  LegsReleased: legsReleased,
  LegsSettled: legsSettled
}
