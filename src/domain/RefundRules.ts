/** Refunds: the rule of those of a transaction, what bounds all of them, and what their events do. */
import * as Result from "effect/Result"
import {
  closedOrFrozen,
  type DecideContext,
  type Decision,
  insufficient,
  invalidEffectiveAt,
  invalidMovement,
  overBalanceLimit
} from "./Decision.ts"
import type { Command } from "./Command.ts"
import type { RecordedEvent } from "./Event.ts"
import {
  buildsOnNothing,
  type EventKinds,
  freesNothing,
  needsUnfrozen,
  noTrace,
  received,
  spent,
  transaction
} from "./EventKind.ts"
import { ownLegs } from "./Legs.ts"
import { type RefundBound, type RefundedLeg, refundedBy, type RefundEvent, type RefundTransaction } from "./Refund.ts"
import { remembered } from "./Refund.ts"
import { RefundExceeded, type Rejection } from "./Rejection.ts"
import type { Wallet } from "./Wallet.ts"
import { moved, withRefunds } from "./WalletState.ts"

/** What a command would refund, with what bounds it. */
interface Bounded extends RefundedLeg {
  readonly bound: RefundBound
}

/**
 * What is left of an original, minor units. Of a state that does not reach back to the bound's
 * version nothing is: nobody asks then ({@link isBehindRefunds}).
 */
export const refundLeft = (wallet: Wallet, refund: Bounded): bigint => {
  const refunded = refundedBy(wallet.refunds, refund, refund.bound)
  return refunded === undefined || refunded >= refund.bound.amount ? 0n : refund.bound.amount - refunded
}

/** `leg`: that the rejection names. */
export const exceededRefund = (
  wallet: Wallet,
  refund: Bounded,
  amount: bigint,
  leg: number | null
): Rejection | undefined => {
  const refundable = refundLeft(wallet, refund)
  return amount <= refundable
    ? undefined
    : new RefundExceeded({ walletId: wallet.id, refundable, ...(leg === null ? {} : { leg }) })
}

/** A transaction is a whole of its own. */
const boundOf = ({ bound, transactionId }: RefundTransaction): Bounded => ({ of: transactionId, leg: 0, bound })

/** What a command would refund at that wallet. */
export const refundsOf = (wallet: Wallet, command: Command): ReadonlyArray<Bounded> => {
  switch (command._tag) {
    case "RefundTransaction":
      return [boundOf(command)]
    case "SendTransfer":
      return command.refund === null ? [] : [command.refund]
    case "BeginLegs":
      if (command.refundOf === null) return []
      return command.legs.flatMap(({ from, refund }) => (refund !== null && from === wallet.id ? [refund] : []))
    case "PrepareLegs":
      return command.legs.flatMap(({ refund }) => (refund === null ? [] : [refund]))
    default:
      return []
  }
}

/**
 * Whether the command would be judged by rows that are older than what the state remembers. Who asks
 * it has to look at the rows again.
 */
export const isBehindRefunds = (wallet: Wallet, command: Command): boolean =>
  refundsOf(wallet, command).some(({ bound }) => bound.version < wallet.refunds.since)

/** What an owner knows of refunds whose rows it is not sure of. */
export interface UndecidedRefunds {
  /** Persistence has accepted or refused all events up to here, as far as the owner was told. */
  readonly persistedVersion: number
  /** Whether a refund of that original was refused and is not reversed yet. */
  readonly isRefused: (refund: RefundedLeg) => boolean
}

/**
 * Whether the state has a refund of the same original of which the rows that bound this one may or may not tell: it was
 * refused and is not reversed yet, or the rows are later than what the owner was told. State and rows do not fit
 * together then, whatever is decided by them; the command waits.
 */
export const isAmidRefunds = (
  { refunds: { changes, since } }: Wallet,
  refunds: ReadonlyArray<Bounded>,
  { isRefused, persistedVersion }: UndecidedRefunds
): boolean =>
  refunds.some((refund) => {
    const { leg, of } = refund
    const isUntold = (version: number) => version > persistedVersion && version <= refund.bound.version
    return (
      isRefused(refund) ||
      isUntold(since) ||
      changes.some((change) => change.of === of && change.leg === leg && isUntold(change.version))
    )
  })

export const refundTransaction = (wallet: Wallet, command: RefundTransaction, context: DecideContext): Decision => {
  const { time } = context
  const { direction, effectiveAt, metadata, reference, transactionId } = command
  const isIn = direction === "in"
  const refund = boundOf(command)
  const left = refundLeft(wallet, refund)
  // With nothing left all of it is no amount: that it is too much stands behind the form.
  const amount = command.amount ?? (left > 0n ? left : 1n)
  const balanceAfter = isIn ? wallet.balance + amount : wallet.balance - amount
  const rejection =
    closedOrFrozen(wallet, isIn ? "credits" : "debits", context) ??
    invalidMovement({ amount, reference, metadata }) ??
    invalidEffectiveAt(effectiveAt, time) ??
    exceededRefund(wallet, refund, amount, null) ??
    (isIn ? overBalanceLimit(wallet, balanceAfter) : insufficient(wallet, amount))
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: isIn ? "RefundReceived" : "RefundPaid",
      refundOf: transactionId,
      amount,
      reference,
      metadata,
      effectiveAt,
      balanceAfter,
      heldAfter: wallet.held
    }
  ])
}

/** The wallet remembers what an event of its has refunded, or brought back. What refunds nothing is passed over. */
export const refundedChange = (
  wallet: Wallet,
  { version }: RecordedEvent,
  moves: ReadonlyArray<{ readonly refund: RefundedLeg | null; readonly amount: bigint }>
): Wallet =>
  withRefunds(
    wallet,
    remembered(
      wallet.refunds,
      moves.flatMap(({ amount, refund }) =>
        refund === null ? [] : [{ version, of: refund.of, leg: refund.leg, amount }]
      )
    )
  )

/** A refund as a row of it says it. */
export interface MadeRefund extends RefundedLeg {
  readonly amount: bigint
  /** By which it goes back; `null`: by itself. */
  readonly transferId: string | null
}

/** What an event refunds: for stores that keep it apart. */
export const refundsMade = ({ event, walletId }: RecordedEvent): ReadonlyArray<MadeRefund> => {
  switch (event._tag) {
    case "RefundReceived":
    case "RefundPaid":
      return [{ of: event.refundOf, leg: 0, amount: event.amount, transferId: null }]
    case "TransferSent":
      return event.refund === null ? [] : [{ ...event.refund, amount: event.amount, transferId: event.transferId }]
    case "LegsBegun":
    case "LegsPrepared": {
      const { transferId } = event
      const legs = event._tag === "LegsBegun" ? ownLegs(walletId, event.legs) : event.legs
      return legs.flatMap(({ amount, refund }) => (refund === null ? [] : [{ ...refund, amount, transferId }]))
    }
    default:
      return []
  }
}

/** The transfer that has brought its refunds back with this event; `undefined`: none has. */
export const refundsReturned = ({ event }: RecordedEvent): string | undefined =>
  event._tag === "TransferReversed" || event._tag === "LegsReleased" ? event.transferId : undefined

const evolve = (wallet: Wallet, recorded: RecordedEvent, { amount, refundOf }: RefundEvent): Wallet =>
  refundedChange(moved(wallet, recorded), recorded, [{ refund: { of: refundOf, leg: 0 }, amount }])

export const refundEvents: EventKinds<RefundEvent> = {
  RefundReceived: {
    evolve,
    balanceChange: received,
    transaction: (recorded, wallet, { amount, metadata, reference, refundOf }) =>
      transaction(recorded, wallet, "refund_in", amount, reference, metadata, null, null, refundOf),
    holdChange: undefined,
    transferChange: undefined,
    reversible: {
      undo: (_wallet, _before, event) => ({
        balanceChange: -event.amount,
        heldChange: 0n,
        restored: { _tag: "Nothing" }
      }),
      availableChange: received,
      freedAtMost: freesNothing,
      trace: noTrace
    },
    buildsOn: buildsOnNothing
  },
  RefundPaid: {
    evolve,
    balanceChange: spent,
    transaction: (recorded, wallet, { amount, metadata, reference, refundOf }) =>
      transaction(recorded, wallet, "refund_out", amount, reference, metadata, null, null, refundOf),
    holdChange: undefined,
    transferChange: undefined,
    reversible: {
      undo: (_wallet, _before, event) => ({
        balanceChange: event.amount,
        heldChange: 0n,
        restored: { _tag: "Nothing" }
      }),
      availableChange: spent,
      freedAtMost: freesNothing,
      trace: noTrace
    },
    buildsOn: needsUnfrozen
  }
}
