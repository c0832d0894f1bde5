/**
 * What a transfer still has to do at its wallets once it has begun, as commands, each with a key of its own: whoever
 * takes a step, in whichever way, takes the same one.
 */
import type { ApplyLegs, PrepareLegs, ReceiveTransfer, RemoteCommand, SettleLegs, SettleTransfer } from "./Command.ts"
import type { CommandKey, LegsBegun, RecordedEvent } from "./Event.ts"
import { transactionIdOf } from "./EventId.ts"
import { type LegTransactions, type OwnLeg, ownLegs, walletsOf } from "./Legs.ts"
import { sourceOf, type Transfer, withTransactions } from "./Transfer.ts"

/** A wallet of a transfer, and its legs. */
export interface Party {
  readonly walletId: string
  readonly legs: ReadonlyArray<OwnLeg>
}

/** All wallets of a transfer but its home, with their legs. */
export const otherParties = (transfer: Pick<Transfer, "legs">): ReadonlyArray<Party> =>
  walletsOf(transfer.legs)
    .slice(1)
    .map((walletId) => ({ walletId, legs: ownLegs(walletId, transfer.legs) }))

// --- One leg -----------------------------------------------------------------

/** Of step 2, at the destination: the same for receiving and for refusing. */
export const arriveKey = (transfer: Transfer): CommandKey => `e:arrive:${sourceOf(transfer)}:${transfer.id}`

/** Of step 3, at the source: the same for settling and for reversing, so that only one of them can be. */
export const endKey = ({ id }: Pick<Transfer, "id">): CommandKey => `e:end:${id}`

export const receiving = ({ effectiveAt, id: transferId, legs }: Transfer): ReceiveTransfer => {
  const { amount, currency, from, metadata, reference, to: walletId } = legs[0]!
  return { _tag: "ReceiveTransfer", walletId, transferId, from, amount, currency, reference, metadata, effectiveAt }
}

export const settling = (transfer: Transfer): SettleTransfer => ({
  _tag: "SettleTransfer",
  walletId: sourceOf(transfer),
  transferId: transfer.id
})

// --- Several legs ------------------------------------------------------------

export const prepareKey = (transfer: Transfer): CommandKey => `e:prepare:${sourceOf(transfer)}:${transfer.id}`

/** Of what a wallet but the home does once it is decided. */
export const decidedKey = (transfer: Transfer): CommandKey => `e:decided:${sourceOf(transfer)}:${transfer.id}`

export const settleKey = ({ id }: Pick<Transfer, "id">): CommandKey => `e:settle:${id}`

export const preparing = (transfer: Transfer, walletId: string, legs: PrepareLegs["legs"]): PrepareLegs => ({
  _tag: "PrepareLegs",
  walletId,
  transferId: transfer.id,
  home: sourceOf(transfer),
  currency: transfer.legs[legs[0]!.leg]!.currency,
  legs,
  effectiveAt: transfer.effectiveAt
})

export const applying = (transfer: Transfer, walletId: string): ApplyLegs => ({
  _tag: "ApplyLegs",
  walletId,
  transferId: transfer.id
})

export const settlingLegs = (transfer: Transfer, transactions: ReadonlyArray<LegTransactions>): SettleLegs => ({
  _tag: "SettleLegs",
  walletId: sourceOf(transfer),
  transferId: transfer.id,
  transactions
})

/** The ids that the events of all its wallets have given its transactions, by leg. */
export const transactionsIn = (
  transfer: Transfer,
  applied: ReadonlyArray<RecordedEvent>
): ReadonlyArray<LegTransactions> => {
  const made = transfer.legs.map(() => ({ sent: "", received: "" }))
  for (const { event, id } of applied) {
    if (event._tag !== "LegsApplied") continue
    for (const [index, { leg, side }] of event.legs.entries()) made[leg]![side] = transactionIdOf(id, index)
  }
  return made
}

/** What of a transfer is `null` where it has several legs. */
export const ofSeveral = { from: null, to: null, amount: null, currency: null, reason: null, leg: null } as const

export const begunTransfer = (recorded: RecordedEvent, event: LegsBegun): Transfer => ({
  ...ofSeveral,
  id: event.transferId,
  legs: event.legs.map((leg) => withTransactions(leg, undefined)),
  status: "pending",
  reference: event.reference,
  metadata: event.metadata,
  refundOf: event.refundOf,
  createdAt: recorded.time,
  effectiveAt: event.effectiveAt ?? recorded.time,
  updatedAt: recorded.time
})

/** The kinds of the steps that a completed transfer has taken after its first, in the order of the log. */
export const stepsAfter = (transfer: Transfer): ReadonlyArray<RemoteCommand["_tag"]> => {
  if (transfer.to !== null) return ["ReceiveTransfer", "SettleTransfer"]
  const others = walletsOf(transfer.legs).slice(1)
  return [
    ...others.map(() => "PrepareLegs" as const),
    "ApplyLegs",
    ...others.map(() => "ApplyLegs" as const),
    "SettleLegs"
  ]
}
