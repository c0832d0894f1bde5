/** Transfers of several legs: the rules of their steps, at the home and at every other wallet, and what their events do. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import {
  closed,
  currencyMismatch,
  type DecideContext,
  type Decision,
  findPrepared,
  invalid,
  invalidId,
  invalidMovement,
  overBalanceLimit,
  tooLarge
} from "./Decision.ts"
import type { RecordedEvent, WalletEvent } from "./Event.ts"
import {
  buildsOnNothing,
  type EventKind,
  type EventKinds,
  freesNothing,
  needsUnfrozen,
  nothing,
  type Reversible,
  type Traces
} from "./EventKind.ts"
import { transactionIdOf } from "./EventId.ts"
import {
  type ApplyLegs,
  type BeginLegs,
  legChange,
  type LegsApplied,
  type LegsBegun,
  legsChange,
  type LegsEvent,
  type LegsPrepared,
  type LegsRefused,
  type LegsReleased,
  type LegsSettled,
  type OwnLeg,
  ownLegs,
  type PreparedLegs,
  type PrepareLegs,
  type RefuseLegs,
  type ReleaseLegs,
  type SettleLegs
} from "./Legs.ts"
import { begunOf, invalidLegs, ofLeg, partiesOf, ruledOut, shortage } from "./LegsForm.ts"
import { maxTextLength, toText } from "./Limits.ts"
import {
  InsufficientFunds,
  type InvalidRequest,
  LimitExceeded,
  type Rejection,
  TransferNotFound,
  WalletFrozen
} from "./Rejection.ts"
import { withTransactions } from "./Transfer.ts"
import { transferTrace } from "./TransferRules.ts"
import { available, type Transaction, type Wallet } from "./Wallet.ts"
import { moved, withoutPrepared, withPrepared } from "./WalletState.ts"
import { preparedBytes } from "./WalletSize.ts"

// --- The whole transfer ------------------------------------------------------

export const beginLegs = (wallet: Wallet, command: BeginLegs, context: DecideContext): Decision => {
  const partyOf = partiesOf(wallet, command)
  const rejection =
    ruledOut(command.legs, partyOf) ??
    invalidLegs(command) ??
    invalidId("transferId", command.transferId) ??
    (command.legs[0]!.from === wallet.id ? undefined : invalid("legs: the first is another wallet's")) ??
    (HashMap.has(wallet.prepared, command.transferId) ? invalid("transferId: in use") : undefined) ??
    shortage(command.legs, partyOf)
  if (rejection !== undefined) return Result.fail(rejection)
  const begun = begunOf(command, (walletId) => partyOf(walletId).currency)
  const own = ownLegs(wallet.id, command.legs)
  const course = courseOf(own)
  const unfit = overRoom(wallet, own, course) ?? tooLarge(wallet, preparedBytes({ legs: own, begun }), context.limits)
  if (unfit !== undefined) return Result.fail(unfit)
  return Result.succeed([
    {
      _tag: "LegsBegun",
      transferId: command.transferId,
      ...begun,
      held: course.deepest,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held + course.deepest
    }
  ])
}

// --- One wallet's legs -------------------------------------------------------

/** How a wallet's legs, one after the other, move its balance: minor units below and above where it begins. */
interface Course {
  readonly deepest: bigint
  readonly highest: bigint
}

const courseOf = (legs: ReadonlyArray<OwnLeg>): Course => {
  let [at, deepest, highest] = [0n, 0n, 0n]
  for (const leg of legs) {
    at += legChange(leg)
    if (-at > deepest) deepest = -at
    if (at > highest) highest = at
  }
  return { deepest, highest }
}

const overRoom = (wallet: Wallet, legs: ReadonlyArray<OwnLeg>, { highest }: Course): Rejection | undefined => {
  const rejection = highest === 0n ? undefined : overBalanceLimit(wallet, wallet.balance + highest)
  return rejection && new LimitExceeded({ ...rejection, leg: legs.find(({ side }) => side === "received")!.leg })
}

const invalidOwnLegs = ({ legs, transferId }: PrepareLegs): InvalidRequest | undefined => {
  if (legs.length === 0) return invalid("legs: none")
  for (const leg of legs) {
    const wrong = invalidId("counterparty", leg.counterparty) ?? invalidMovement(leg)
    if (wrong !== undefined) return ofLeg(leg.leg, wrong)
  }
  return invalidId("transferId", transferId)
}

const frozen = (wallet: Wallet, legs: ReadonlyArray<OwnLeg>): Rejection | undefined => {
  if (wallet.status !== "frozen") return undefined
  const sent = legs.find(({ side }) => side === "sent")
  return sent && new WalletFrozen({ walletId: wallet.id, leg: sent.leg })
}

/** Each leg on what the wallet's legs before it leave. */
const ownShortage = (wallet: Wallet, legs: ReadonlyArray<OwnLeg>): Rejection | undefined => {
  let funds = available(wallet)
  for (const one of legs) {
    const { amount, leg, side } = one
    if (side === "sent" && funds < amount) {
      return new InsufficientFunds({ walletId: wallet.id, available: funds, required: amount, leg })
    }
    funds += legChange(one)
  }
  return undefined
}

export const prepareLegs = (wallet: Wallet, command: PrepareLegs, context: DecideContext): Decision => {
  const { home, legs, transferId } = command
  const course = courseOf(legs)
  const rejection =
    closed(wallet) ??
    frozen(wallet, legs) ??
    currencyMismatch(wallet, command.currency) ??
    invalidOwnLegs(command) ??
    (HashMap.has(wallet.prepared, transferId) ? invalid("transferId: in use") : undefined) ??
    ownShortage(wallet, legs) ??
    overRoom(wallet, legs, course) ??
    tooLarge(wallet, preparedBytes({ legs, begun: null }), context.limits)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "LegsPrepared",
      transferId,
      home,
      legs,
      held: course.deepest,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held + course.deepest
    }
  ])
}

/** In any status: a refusal has to be on record, or it might be prepared after the home has decided. */
export const refuseLegs = (wallet: Wallet, command: RefuseLegs): Decision =>
  Result.succeed([
    {
      _tag: "LegsRefused",
      transferId: command.transferId,
      home: command.home,
      leg: command.leg,
      reason: toText(command.reason, maxTextLength),
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])

/** Prepared, and nothing decided yet. */
const findUndecided = (wallet: Wallet, transferId: string): PreparedLegs | TransferNotFound => {
  const prepared = findPrepared(wallet, transferId)
  return prepared instanceof TransferNotFound || prepared.decision === null
    ? prepared
    : new TransferNotFound({ transferId })
}

/** In any status. What is held in transit and the room above keep every rule out of its way. */
export const applyLegs = (wallet: Wallet, command: ApplyLegs): Decision => {
  const prepared = findUndecided(wallet, command.transferId)
  if (prepared instanceof TransferNotFound) return Result.fail(prepared)
  const { held, home, id: transferId, legs } = prepared
  return Result.succeed([
    {
      _tag: "LegsApplied",
      transferId,
      home,
      legs,
      released: held,
      balanceAfter: wallet.balance + legsChange(legs),
      heldAfter: wallet.held - held
    }
  ])
}

/** In any status. */
export const releaseLegs = (wallet: Wallet, command: ReleaseLegs): Decision => {
  const prepared = findUndecided(wallet, command.transferId)
  if (prepared instanceof TransferNotFound) return Result.fail(prepared)
  const { held, home, id: transferId } = prepared
  return Result.succeed([
    {
      _tag: "LegsReleased",
      transferId,
      home,
      released: held,
      reason: toText(command.reason, maxTextLength),
      leg: command.leg,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held - held
    }
  ])
}

/** In any status; only what is decided can be settled. */
export const settleLegs = (wallet: Wallet, command: SettleLegs): Decision => {
  const prepared = findPrepared(wallet, command.transferId)
  if (prepared instanceof TransferNotFound) return Result.fail(prepared)
  const { begun, decision, id: transferId } = prepared
  const { transactions } = command
  if (decision === null || begun === null) return Result.fail(invalid(`transfer ${transferId} is not decided`))
  if (transactions.length !== (decision.reason === null ? begun.legs.length : 0)) {
    return Result.fail(invalid(`transfer ${transferId} has other transactions`))
  }
  return Result.succeed([
    {
      _tag: "LegsSettled",
      transferId,
      ...decision,
      transactions,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

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
export const preparesLegs = ({ _tag }: WalletEvent): boolean => _tag === "LegsBegun" || _tag === "LegsPrepared"

const needsLegs = (traces: Traces, { transferId }: LegsEvent): boolean => traces.has(transferTrace(transferId))

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
  evolve: (wallet, recorded, { held, legs, metadata, reference, transferId }) => {
    const own = ownLegs(wallet.id, legs)
    return withPrepared(wallet, recorded, {
      id: transferId,
      home: wallet.id,
      legs: own,
      held,
      room: courseOf(own).highest,
      createdAt: recorded.time,
      begun: { legs, reference, metadata },
      decision: null
    })
  },
  transferChange: ({ time, version }, { legs, metadata, reference, transferId }) => ({
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
      createdAt: time,
      updatedAt: time
    }
  }),
  legsChange: ({ walletId }, { legs, transferId }) => ({ _tag: "Prepared", transferId, legs: ownLegs(walletId, legs) }),
  reversible: preparing(),
  buildsOn: (traces, event) => needsUnfrozen(traces) || needsLegs(traces, event)
}

const legsPrepared: EventKind<LegsPrepared> = {
  ...unmoved,
  evolve: (wallet, recorded, { held, home, legs, transferId }) =>
    withPrepared(wallet, recorded, {
      id: transferId,
      home,
      legs,
      held,
      room: courseOf(legs).highest,
      createdAt: recorded.time,
      begun: null,
      decision: null
    }),
  legsChange: (_recorded, { legs, transferId }) => ({ _tag: "Prepared", transferId, legs }),
  reversible: preparing(),
  buildsOn: (traces, event) =>
    needsLegs(traces, event) || (event.legs.some(({ side }) => side === "sent") && needsUnfrozen(traces))
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
      version,
      createdAt
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
  evolve: (wallet, recorded, { leg, reason, transferId }) => decided(wallet, recorded, transferId, { reason, leg }),
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
