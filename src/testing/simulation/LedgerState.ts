/** What the model knows of a wallet after one of its events, and the transaction that the event leaves. */
import type { RecordedEvent } from "../../domain/Event.ts"
import { transactionIdOf } from "../../domain/EventId.ts"
import type { OwnLeg } from "../../domain/Legs.ts"
import type { Metadata } from "../../domain/Limits.ts"
import type { Freeze, HoldStatus, Transaction, TransactionType, WalletStatus } from "../../domain/Wallet.ts"

export interface LedgerHold {
  readonly id: string
  readonly walletId: string
  readonly amount: bigint
  readonly captured: bigint
  readonly remaining: bigint
  readonly status: HoldStatus
  readonly expiresAt: number | null
  readonly reference: string | null
  readonly metadata: Metadata
  readonly createdAt: number
  /** Closed while a part was on its way to another wallet: what comes back of that is free. */
  readonly ended: boolean
}

/** A capture to another wallet that is in flight. */
export interface LedgerCapture {
  readonly holdId: string
  /** What it releases when it arrives. */
  readonly rest: bigint
}

/** A wallet after one of its events. Values; the maps are never changed. */
export interface LedgerState {
  readonly id: string
  readonly ownerId: string
  readonly currency: string
  readonly balance: bigint
  readonly held: bigint
  readonly overdraftLimit: bigint
  readonly status: WalletStatus
  readonly freeze: Freeze | null
  /** Whether a forced debit was ever among its events. */
  readonly forced: boolean
  readonly version: number
  readonly metadata: Metadata
  readonly createdAt: number
  readonly updatedAt: number
  /** Open and closed ones. */
  readonly holds: ReadonlyMap<string, LedgerHold>
  /** Sent and not ended: transfer id → amount. */
  readonly inFlight: ReadonlyMap<string, bigint>
  /** Those of {@link inFlight} whose money was captured from a hold. */
  readonly captures: ReadonlyMap<string, LedgerCapture>
  /** Promised of transfers of several legs, by transfer id; at its home until it is settled. */
  readonly prepared: ReadonlyMap<string, LedgerLegs>
}

export interface LedgerLegs {
  readonly legs: ReadonlyArray<OwnLeg>
  readonly held: bigint
  readonly decided: boolean
}

export const availableOf = ({ balance, held, overdraftLimit }: LedgerState): bigint => balance - held + overdraftLimit

export const isOpenHold = (hold: LedgerHold | undefined): hold is LedgerHold => hold?.status === "active"

export const openHoldsOf = ({ holds }: LedgerState): number => Array.from(holds.values()).filter(isOpenHold).length

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

const openBytes = (reference: string | null, metadata: Metadata): number =>
  320 + (reference === null ? 0 : jsonBytes(reference)) + jsonBytes(metadata)

/** What a reader is shown of it. */
export const viewOf = ({
  captures: _captures,
  forced: _forced,
  holds: _holds,
  inFlight: _inFlight,
  prepared: _prepared,
  ...view
}: LedgerState) => view

export const holdViewOf = (hold: LedgerHold | undefined) => {
  if (hold === undefined) return undefined
  const { ended: _ended, ...view } = hold
  return view
}

/** Of a transfer of several legs: more than the workload draws. */
export const legsBytes = 20_000

/** Of a hold or transfer that a client asks for. */
export const askedBytes = (reference: string | null): number => openBytes(reference, {})

/** Of a wallet's metadata. */
export const metadataBytes = (metadata: Metadata): number => jsonBytes(metadata)

/** As the manual counts it. Of what is in flight the model keeps no references: `mostReference` is the longest. */
export const stateBytes = (
  { captures, holds, inFlight, metadata, prepared }: LedgerState,
  mostReference: string | null
): number => {
  let bytes = 600 + jsonBytes(metadata) + inFlight.size * askedBytes(mostReference)
  // Of a home there is the whole transfer, too, of which the model does not know how many legs it has.
  if (mostReference !== null) bytes += prepared.size * legsBytes
  // … nor whether a hold that waits for one of them is still kept.
  if (mostReference !== null) bytes += captures.size * (216 + askedBytes(mostReference))
  for (const hold of holds.values()) if (isOpenHold(hold)) bytes += openBytes(hold.reference, hold.metadata)
  return bytes
}

export const heldIn = ({ captures, holds, prepared }: Pick<LedgerState, "captures" | "holds" | "prepared">): bigint => {
  let held = 0n
  for (const hold of holds.values()) if (isOpenHold(hold)) held += hold.remaining
  for (const legs of prepared.values()) held += legs.held
  for (const { rest } of captures.values()) held += rest
  return held
}

export const withLegs = (state: LedgerState, transferId: string, legs: LedgerLegs | undefined): LedgerState => {
  const prepared = new Map(state.prepared)
  if (legs === undefined) prepared.delete(transferId)
  else prepared.set(transferId, legs)
  return { ...state, prepared, held: heldIn({ ...state, prepared }) }
}

/** Signed. */
export const movedBy = ({ amount, side }: OwnLeg): bigint => (side === "sent" ? -amount : amount)

/** What a wallet lacks at the deepest point of its legs, if it has nothing. */
export const neededFor = (legs: ReadonlyArray<OwnLeg>): bigint => {
  let [at, needed] = [0n, 0n]
  for (const leg of legs) {
    at += movedBy(leg)
    if (-at > needed) needed = -at
  }
  return needed
}

/** The legs of a transfer that are one wallet's. */
export const legsOf = (
  walletId: string,
  legs: ReadonlyArray<{
    readonly from: string
    readonly to: string
    readonly amount: bigint
    readonly reference: string | null
  }>
): ReadonlyArray<OwnLeg> => {
  const own: Array<OwnLeg> = []
  legs.forEach(({ amount, from, reference, to }, leg) => {
    const of = { leg, amount, reference, metadata: {} }
    if (from === walletId) own.push({ ...of, side: "sent", counterparty: to })
    else if (to === walletId) own.push({ ...of, side: "received", counterparty: from })
  })
  return own
}

/** Whether a part of the hold is on its way to another wallet. */
export const isUnderWay = ({ captures }: LedgerState, holdId: string): boolean =>
  Array.from(captures.values()).some((capture) => capture.holdId === holdId)

/** Whether what goes that way is stopped at `time`, ms. */
export const isFrozen = ({ freeze }: LedgerState, way: "debits" | "credits", time: number): boolean =>
  freeze !== null &&
  (freeze.direction === "all" || freeze.direction === way) &&
  (freeze.until === null || time < freeze.until)

export const withHold = (state: LedgerState, hold: LedgerHold): LedgerState => {
  const holds = new Map(state.holds).set(hold.id, hold)
  return { ...state, holds, held: heldIn({ ...state, holds }) }
}

const typeOf = ({ event }: RecordedEvent, moved: boolean): TransactionType | undefined => {
  switch (event._tag) {
    case "WalletCredited":
      return "credit"
    case "WalletDebited":
      return "debit"
    case "HoldCaptured":
    case "HoldCapturedTo":
      return "capture"
    case "TransferReceived":
      return "transfer_in"
    case "TransferSent":
      return "transfer_out"
    case "TransferReversed":
      return "reversal"
    case "OperationReversed":
      return moved ? "reversal" : undefined
    default:
      return undefined
  }
}

/** Of a transfer of several legs: one each, with the balance after it. */
const transactionsOfLegs = (
  { event, id, time: createdAt, version, walletId }: RecordedEvent,
  { balance, currency }: LedgerState
): ReadonlyArray<Transaction> => {
  if (event._tag !== "LegsApplied") return []
  let balanceAfter = balance
  return event.legs.map((leg, index) => {
    balanceAfter += movedBy(leg)
    return {
      id: transactionIdOf(id, index),
      walletId,
      type: leg.side === "sent" ? "transfer_out" : "transfer_in",
      amount: leg.amount,
      balanceAfter,
      currency,
      reference: leg.reference,
      metadata: leg.metadata,
      holdId: null,
      transferId: event.transferId,
      version,
      createdAt,
      effectiveAt: event.effectiveAt ?? createdAt
    }
  })
}

export const transactionsOf = (
  recorded: RecordedEvent,
  after: LedgerState,
  before: LedgerState | undefined
): ReadonlyArray<Transaction> => {
  if (recorded.event._tag === "LegsApplied") return transactionsOfLegs(recorded, before!)
  const transaction = transactionOf(recorded, after, before)
  return transaction === undefined ? [] : [transaction]
}

const transactionOf = (
  recorded: RecordedEvent,
  after: LedgerState,
  before: LedgerState | undefined
): Transaction | undefined => {
  const change = after.balance - (before?.balance ?? 0n)
  const type = typeOf(recorded, change !== 0n)
  if (type === undefined) return undefined
  const { event, id, time: createdAt, version, walletId } = recorded
  const noted = "reference" in event ? event : { reference: null, metadata: {} }
  const restored = event._tag === "OperationReversed" ? event.restored : undefined
  return {
    id,
    walletId,
    type,
    amount: change < 0n ? -change : change,
    balanceAfter: after.balance,
    currency: after.currency,
    reference: noted.reference,
    metadata: noted.metadata,
    holdId: "holdId" in event ? event.holdId : restored !== undefined && "hold" in restored ? restored.hold.id : null,
    transferId:
      "transferId" in event
        ? event.transferId
        : restored?._tag === "NoTransfer" || restored?._tag === "NoCapture"
          ? restored.transferId
          : null,
    version,
    createdAt,
    effectiveAt: "effectiveAt" in event ? (event.effectiveAt ?? createdAt) : createdAt
  }
}

/** What the model of a wallet judges an event by. */
export interface Rules {
  readonly broken: (law: string) => void
  readonly landedAt: number
  /** What every command that takes money has to mind. */
  readonly spends: (amount: bigint) => void
  /** … and every command that moves money that way. */
  readonly thaws: (way: "debits" | "credits") => void
}

/** For an event at `time`, ms, after that state. Its own time may have been earlier than that, never later. */
export const rulesFor = (
  before: LedgerState,
  time: number,
  { broken, landedAt }: Pick<Rules, "broken" | "landedAt">
): Rules => {
  const thaws = (way: "debits" | "credits") => {
    if (isFrozen(before, way, time)) broken(`the wallet is frozen for ${way}`)
  }
  const spends = (amount: bigint) => {
    if (amount <= 0n) broken(`an amount of ${amount}`)
    if (before.status === "closed") broken("the wallet is closed")
    thaws("debits")
    if (availableOf(before) < amount) broken(`only ${availableOf(before)} is available`)
  }
  return { broken, landedAt, spends, thaws }
}
