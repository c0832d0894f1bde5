/**
 * A small sequential model of one wallet, written from the rules as they are promised and
 * not from the engine's code: what each event of a log does, and whether it may.
 */
import type { LegsEvent, RecordedEvent, RefundEvent, WalletEvent } from "../../domain/Event.ts"
import type { Transaction } from "../../domain/Wallet.ts"
import { isSame } from "./PlainData.ts"
import { soundMillis } from "./FaultPlan.ts"
import {
  availableOf,
  heldIn,
  type LedgerHold,
  type LedgerLegs,
  type LedgerState,
  openHoldsOf,
  refundName,
  legsOf,
  movedBy,
  neededFor,
  transactionsOf,
  withHold,
  withLegs,
  withRefunded
} from "./LedgerState.ts"

interface Rules {
  readonly broken: (law: string) => void
  readonly landedAt: number
  /** What every command that takes money has to mind. */
  readonly spends: (amount: bigint) => void
}

/** Whether an event says that all is as it is because of the other one. */
const reliesOn = (event: WalletEvent, other: WalletEvent): boolean => {
  if (event._tag !== "NothingChanged") return false
  switch (other._tag) {
    case "WalletFrozen":
    case "WalletUnfrozen":
      return event.command !== "UpdateWallet"
    case "OverdraftLimitChanged":
    case "MetadataChanged":
      return event.command === "UpdateWallet"
    default:
      return other._tag === "WalletCreated"
  }
}

/** Of the legs that refund others; `sign`: whether it is begun or has come back. */
const refunding = (state: LedgerState, legs: LedgerLegs["legs"], sign: bigint): LedgerState =>
  legs.reduce((after, { amount, refund }) => withRefunded(after, refund, sign * amount), state)

/** The history of one wallet as the model tells it. */
export class Ledger {
  readonly walletId: string
  /** By version. */
  readonly states: Array<LedgerState> = []
  readonly events: Array<RecordedEvent> = []
  /** By version of the event that made it. */
  readonly transactions = new Map<number, ReadonlyArray<Transaction>>()
  /** Version of an event that was reversed → version of its reversal. */
  readonly reversals = new Map<number, number>()
  private readonly violated: (law: string) => void

  constructor(walletId: string, violated: (law: string) => void) {
    this.walletId = walletId
    this.violated = violated
  }

  at(version: number): LedgerState | undefined {
    return this.states[version]
  }

  /** `landedAt`: when it came into the log, ms, by the true time. */
  apply(recorded: RecordedEvent, landedAt: number): void {
    const before = this.states.at(-1)
    const { event, time, version, walletId } = recorded
    const place = `${event._tag} at version ${version} of ${walletId}`
    const broken = (law: string) => this.violated(`${place}: ${law}`)
    if (version !== (before?.version ?? -1) + 1) broken(`it follows version ${before?.version ?? -1}`)
    if (before !== undefined && time < before.updatedAt) broken("its time is before that of the event before it")
    const after =
      before === undefined ? this.create(recorded, broken) : this.move(before, recorded, { broken, landedAt })
    if (after.balance !== event.balanceAfter)
      broken(`it says a balance of ${event.balanceAfter}, which is ${after.balance}`)
    if (after.held !== event.heldAfter) broken(`it says that ${event.heldAfter} is held, which is ${after.held}`)
    if (availableOf(after) < 0n) broken(`available is ${availableOf(after)}`)
    this.states.push(after)
    this.events.push(recorded)
    const transactions = transactionsOf(recorded, after, before)
    if (transactions.length > 0) this.transactions.set(version, transactions)
  }

  private create(recorded: RecordedEvent, broken: (law: string) => void): LedgerState {
    const { event, time, version, walletId } = recorded
    if (event._tag !== "WalletCreated") broken("the wallet does not exist")
    const created =
      event._tag === "WalletCreated" ? event : { ownerId: "", currency: "", overdraftLimit: 0n, metadata: {} }
    return {
      id: walletId,
      ownerId: created.ownerId,
      currency: created.currency,
      balance: 0n,
      held: 0n,
      overdraftLimit: created.overdraftLimit,
      status: "active",
      version,
      metadata: created.metadata,
      createdAt: time,
      updatedAt: time,
      holds: new Map(),
      inFlight: new Map(),
      prepared: new Map(),
      refunded: new Map()
    }
  }

  private move(
    before: LedgerState,
    recorded: RecordedEvent,
    { broken, landedAt }: Pick<Rules, "broken" | "landedAt">
  ): LedgerState {
    const { event, time, version } = recorded
    const state = { ...before, version, updatedAt: time }
    const spends = (amount: bigint) => {
      if (amount <= 0n) broken(`an amount of ${amount}`)
      if (before.status !== "active") broken(`the wallet is ${before.status}`)
      if (availableOf(before) < amount) broken(`only ${availableOf(before)} is available`)
    }
    const isOpen = () => before.status !== "closed" || broken("the wallet is closed")
    switch (event._tag) {
      case "WalletCreated":
        broken("the wallet exists")
        return state
      case "WalletCredited":
      case "TransferReceived":
        isOpen()
        return { ...state, balance: before.balance + event.amount }
      case "WalletDebited":
        spends(event.amount)
        return { ...state, balance: before.balance - event.amount }
      case "RefundReceived":
      case "RefundPaid":
        return this.moveRefund(state, event, { broken, landedAt, spends })
      case "TransferSent":
      case "TransferRefused":
      case "TransferSettled":
      case "TransferReversed":
        return this.moveTransfer(before, state, event, { broken, landedAt, spends })
      case "LegsBegun":
      case "LegsPrepared":
      case "LegsRefused":
      case "LegsApplied":
      case "LegsReleased":
      case "LegsSettled":
        return this.moveLegs(before, state, event, broken)
      case "HoldPlaced":
      case "HoldCaptured":
      case "HoldReleased":
      case "HoldExpired":
        return this.moveHold(before, state, event, { broken, landedAt, spends })
      case "WalletFrozen":
        if (before.status !== "active") broken(`the wallet is ${before.status}`)
        return { ...state, status: "frozen" }
      case "WalletUnfrozen":
        if (before.status !== "frozen") broken(`the wallet is ${before.status}`)
        return { ...state, status: "active" }
      case "WalletClosed":
        isOpen()
        if (before.balance !== 0n || openHoldsOf(before) > 0 || before.inFlight.size > 0 || before.prepared.size > 0)
          broken("the wallet is not empty")
        return { ...state, status: "closed" }
      case "OverdraftLimitChanged":
        isOpen()
        return { ...state, overdraftLimit: event.overdraftLimit }
      case "MetadataChanged":
        isOpen()
        return { ...state, metadata: event.metadata }
      case "NothingChanged":
        isOpen()
        if (event.command === "Freeze" && before.status !== "frozen") broken(`the wallet is ${before.status}`)
        if (event.command === "Unfreeze" && before.status !== "active") broken(`the wallet is ${before.status}`)
        return state
      case "OperationReversed":
        return this.undo(state, event.reversedVersion, broken)
    }
  }

  /** Of a movement of its own that was not reversed, and no more of it than there is. */
  private moveRefund(
    state: LedgerState,
    { _tag, amount, refundOf }: RefundEvent,
    { broken, spends }: Rules
  ): LedgerState {
    const isIn = _tag === "RefundReceived"
    if (!isIn) spends(amount)
    else if (state.status === "closed") broken("the wallet is closed")
    const original = [...this.transactions.values()].flat().find(({ id }) => id === refundOf)
    if (original === undefined || this.reversals.has(original.version)) broken("there is nothing to refund")
    else if (!(isIn ? ["debit", "capture"] : ["credit"]).includes(original.type))
      broken(`it refunds a ${original.type}`)
    const after = withRefunded(state, { of: refundOf, leg: 0 }, amount)
    const refunded = after.refunded.get(refundName(refundOf, 0))!
    if (original !== undefined && refunded > original.amount) broken(`${refunded} of ${original.amount} is refunded`)
    return { ...after, balance: state.balance + (isIn ? amount : -amount) }
  }

  private moveTransfer(
    before: LedgerState,
    state: LedgerState,
    event: Extract<WalletEvent, { _tag: "TransferSent" | "TransferRefused" | "TransferSettled" | "TransferReversed" }>,
    { broken, spends }: Rules
  ): LedgerState {
    switch (event._tag) {
      case "TransferSent":
        spends(event.amount)
        if (before.inFlight.has(event.transferId)) broken("the transfer is in flight already")
        if (event.to === before.id) broken("the wallet sends to itself")
        return {
          ...withRefunded(state, event.refund, event.amount),
          balance: before.balance - event.amount,
          inFlight: new Map(before.inFlight).set(event.transferId, event.amount)
        }
      case "TransferRefused":
        return state
      case "TransferSettled":
      case "TransferReversed": {
        const amount = before.inFlight.get(event.transferId)
        if (amount !== event.amount) broken(`in flight is ${amount}`)
        const inFlight = new Map(before.inFlight)
        inFlight.delete(event.transferId)
        if (event._tag === "TransferSettled") return { ...state, inFlight }
        const sent = this.events.find(
          (one) => one.event._tag === "TransferSent" && one.event.transferId === event.transferId
        )
        const refund = sent?.event._tag === "TransferSent" ? sent.event.refund : null
        return { ...withRefunded(state, refund, -event.amount), balance: before.balance + event.amount, inFlight }
      }
    }
  }

  private moveLegs(
    before: LedgerState,
    state: LedgerState,
    event: LegsEvent,
    broken: (law: string) => void
  ): LedgerState {
    const { transferId } = event
    const known = before.prepared.get(transferId)
    switch (event._tag) {
      case "LegsBegun":
      case "LegsPrepared": {
        const legs = event._tag === "LegsBegun" ? legsOf(before.id, event.legs) : event.legs
        if (known !== undefined) broken("its legs are prepared already")
        if (before.status === "closed") broken("the wallet is closed")
        const sends = legs.some(({ side }) => side === "sent")
        if (sends && before.status === "frozen") broken("the wallet is frozen")
        if (legs.length === 0) broken("no leg is the wallet's")
        const held = neededFor(legs)
        if (event.held !== held) broken(`it holds ${event.held} in transit, which needs ${held}`)
        if (availableOf(before) < held) broken(`only ${availableOf(before)} is available`)
        return withLegs(refunding(state, legs, 1n), transferId, { legs, held, decided: false })
      }
      case "LegsRefused":
        return state
      case "LegsApplied":
      case "LegsReleased": {
        if (known === undefined || known.decided) {
          broken("nothing is prepared")
          return state
        }
        if (event.released !== known.held) broken(`${known.held} is held in transit`)
        // At home it stays until all know.
        const rest = event.home === before.id ? { legs: known.legs, held: 0n, decided: true } : undefined
        const after = withLegs(state, transferId, rest)
        if (event._tag === "LegsReleased") return refunding(after, known.legs, -1n)
        if (!isSame(event.legs, known.legs)) broken("other legs were promised")
        return { ...after, balance: event.legs.reduce((sum, leg) => sum + movedBy(leg), before.balance) }
      }
      case "LegsSettled":
        if (known?.decided !== true) broken("it is not decided")
        return withLegs(state, transferId, undefined)
    }
  }

  private moveHold(
    before: LedgerState,
    state: LedgerState,
    event: Extract<WalletEvent, { _tag: "HoldPlaced" | "HoldCaptured" | "HoldReleased" | "HoldExpired" }>,
    { broken, landedAt, spends }: Rules
  ): LedgerState {
    // The owner's time; unless the event before it was dated ahead: then it was earlier, and is not known.
    const time = state.updatedAt > before.updatedAt ? state.updatedAt : -Infinity
    switch (event._tag) {
      case "HoldPlaced": {
        spends(event.amount)
        if (event.expiresAt !== null && event.expiresAt <= time) broken("it has expired as it is placed")
        const { amount, expiresAt, holdId: id, metadata, reference } = event
        const walletId = before.id
        const hold: LedgerHold = {
          id,
          walletId,
          amount,
          captured: 0n,
          remaining: amount,
          status: "active",
          expiresAt,
          reference,
          metadata,
          createdAt: state.updatedAt
        }
        return withHold(state, hold)
      }
      case "HoldCaptured": {
        if (before.status !== "active") broken(`the wallet is ${before.status}`)
        const hold = this.openHold(before, event.holdId, broken)
        if (hold === undefined) return state
        if (hold.expiresAt !== null && time >= hold.expiresAt)
          broken(`the hold has expired at ${hold.expiresAt}, it is ${time}`)
        if (event.amount <= 0n || event.amount > hold.remaining)
          broken(`${event.amount} of ${hold.remaining} is captured`)
        const captured = hold.captured + event.amount
        const remaining = hold.remaining - event.amount - event.released
        if (event.released !== 0n && remaining !== 0n) broken("a part is released")
        const status = remaining === 0n ? "captured" : "active"
        return withHold({ ...state, balance: before.balance - event.amount }, { ...hold, captured, remaining, status })
      }
      case "HoldReleased":
      case "HoldExpired": {
        if (event._tag === "HoldReleased" && before.status === "closed") broken("the wallet is closed")
        const hold = this.openHold(before, event.holdId, broken)
        if (hold === undefined) return state
        if (event.amount !== hold.remaining) broken(`${event.amount} of ${hold.remaining} is released`)
        if (event._tag === "HoldExpired") {
          const { expiresAt } = hold
          if (expiresAt === null || state.updatedAt < expiresAt)
            broken(`the hold expires at ${expiresAt}, it is ${state.updatedAt}`)
          else if (landedAt + soundMillis < expiresAt)
            broken(`the hold expires at ${expiresAt}, it is ${landedAt} in truth`)
        }
        const ended = event._tag === "HoldReleased" ? "released" : "expired"
        return withHold(state, { ...hold, remaining: 0n, status: hold.captured > 0n ? "captured" : ended })
      }
    }
  }

  private openHold({ holds }: LedgerState, holdId: string, broken: (law: string) => void): LedgerHold | undefined {
    const hold = holds.get(holdId)
    if (hold?.status === "active") return hold
    broken(`hold ${holdId} is ${hold?.status ?? "not there"}`)
    return undefined
  }

  /** Exactly one event, as if it had never been; all others stay. */
  private undo(state: LedgerState, version: number, broken: (law: string) => void): LedgerState {
    const undone = this.events[version]
    if (undone === undefined || this.reversals.has(version)) {
      broken(`event ${version} is ${undone === undefined ? "not there" : "reversed already"}`)
      return state
    }
    this.reversals.set(version, state.version)
    const { event } = undone
    const relied = this.events.slice(version + 1).find((later) => reliesOn(later.event, event))
    if (relied !== undefined) broken(`event ${relied.version} has found what event ${version} did, and rests on it`)
    const earlier = this.states[version - 1]
    switch (event._tag) {
      case "WalletCreated":
        return { ...state, status: "closed" }
      case "WalletCredited":
      case "TransferReceived":
        return { ...state, balance: state.balance - event.amount }
      case "WalletDebited":
        return { ...state, balance: state.balance + event.amount }
      case "RefundReceived":
      case "RefundPaid":
        return {
          ...withRefunded(state, { of: event.refundOf, leg: 0 }, -event.amount),
          balance: state.balance + (event._tag === "RefundPaid" ? event.amount : -event.amount)
        }
      case "TransferSent": {
        if (!state.inFlight.has(event.transferId)) broken("the transfer has ended")
        const inFlight = new Map(state.inFlight)
        inFlight.delete(event.transferId)
        return { ...withRefunded(state, event.refund, -event.amount), balance: state.balance + event.amount, inFlight }
      }
      case "LegsBegun":
      case "LegsPrepared":
        if (state.prepared.get(event.transferId)?.decided !== false) broken("the transfer is decided")
        return withLegs(
          refunding(state, state.prepared.get(event.transferId)?.legs ?? [], -1n),
          event.transferId,
          undefined
        )
      case "HoldPlaced": {
        const holds = new Map(state.holds)
        holds.delete(event.holdId)
        return { ...state, holds, held: heldIn({ ...state, holds }) }
      }
      case "HoldCaptured":
        return withHold({ ...state, balance: state.balance + event.amount }, earlier!.holds.get(event.holdId)!)
      case "HoldReleased":
        return withHold(state, earlier!.holds.get(event.holdId)!)
      case "WalletFrozen":
      case "WalletUnfrozen":
      case "WalletClosed":
        return { ...state, status: earlier!.status }
      case "OverdraftLimitChanged":
        return { ...state, overdraftLimit: earlier!.overdraftLimit }
      case "MetadataChanged":
        return { ...state, metadata: earlier!.metadata }
      case "NothingChanged":
        return state
      default:
        broken(`${event._tag} is a fact and cannot be reversed`)
        return state
    }
  }
}
