/**
 * A small sequential model of one wallet, written from the rules as they are promised and
 * not from the engine's code: what each event of a log does, and whether it may.
 */
import type { LegsEvent, RecordedEvent, RefundEvent, WalletEvent } from "../../domain/Event.ts"
import type { Transaction } from "../../domain/Wallet.ts"
import { isSame } from "./PlainData.ts"
import { moveHold } from "./LedgerHolds.ts"
import { moveFreeze } from "./LedgerFreeze.ts"
import {
  availableOf,
  heldIn,
  type LedgerCapture,
  type LedgerLegs,
  type LedgerState,
  openHoldsOf,
  refundName,
  legsOf,
  movedBy,
  neededFor,
  type Rules,
  rulesFor,
  transactionsOf,
  withHold,
  withLegs,
  withRefunded
} from "./LedgerState.ts"

/** Whether an event says that all is as it is because of the other one. */
const reliesOn = (event: WalletEvent, other: WalletEvent): boolean => {
  if (event._tag !== "NothingChanged") return false
  switch (other._tag) {
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
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
    this.checkAvailable(event, before, after, broken)
    this.states.push(after)
    this.events.push(recorded)
    const transactions = transactionsOf(recorded, after, before)
    if (transactions.length > 0) this.transactions.set(version, transactions)
  }

  /** Below zero only a forced debit brings it, and the reversal of what came while it was so. */
  private checkAvailable(
    event: WalletEvent,
    before: LedgerState | undefined,
    after: LedgerState,
    broken: (law: string) => void
  ): void {
    const available = availableOf(after)
    if (available >= 0n || (event._tag === "WalletDebited" && event.forced === true)) return
    const undone = event._tag === "OperationReversed" ? this.states[event.reversedVersion - 1] : undefined
    const short = before === undefined ? 0n : availableOf(before)
    const isNoLower = short < 0n && available >= short
    const wasShort = undone !== undefined && availableOf(undone) < 0n
    if (!after.forced || !(isNoLower || wasShort)) broken(`available is ${available}`)
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
      freeze: null,
      forced: false,
      version,
      metadata: created.metadata,
      createdAt: time,
      updatedAt: time,
      holds: new Map(),
      inFlight: new Map(),
      captures: new Map(),
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
    const rules = rulesFor(before, time, { broken, landedAt })
    const { spends, thaws } = rules
    const isOpen = () => before.status !== "closed" || broken("the wallet is closed")
    switch (event._tag) {
      case "WalletCreated":
        broken("the wallet exists")
        return state
      case "WalletCredited":
      case "TransferReceived":
        isOpen()
        thaws("credits")
        return { ...state, balance: before.balance + event.amount }
      case "WalletDebited":
        if (event.forced === true) thaws("debits")
        else spends(event.amount)
        isOpen()
        return { ...state, balance: before.balance - event.amount, forced: before.forced || event.forced === true }
      case "RefundReceived":
      case "RefundPaid":
        return this.moveRefund(state, event, { broken, landedAt, spends, thaws })
      case "TransferSent":
      case "TransferRefused":
      case "TransferSettled":
      case "TransferReversed":
        return this.moveTransfer(before, state, event, rules)
      case "LegsBegun":
      case "LegsPrepared":
      case "LegsRefused":
      case "LegsApplied":
      case "LegsReleased":
      case "LegsSettled":
        return this.moveLegs(before, state, event, broken, thaws)
      case "HoldPlaced":
      case "HoldCaptured":
      case "HoldCapturedTo":
      case "HoldChanged":
      case "HoldReleased":
      case "HoldExpired":
        return moveHold(before, state, event, rules)
      case "WalletFrozen":
      case "WalletUnfrozen":
      case "FreezeExpired":
        return moveFreeze(before, state, event, rules)
      case "WalletClosed":
        isOpen()
        if (before.balance !== 0n || openHoldsOf(before) > 0 || before.inFlight.size > 0 || before.prepared.size > 0)
          broken("the wallet is not empty")
        return { ...state, status: "closed", freeze: null }
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
    { broken, spends, thaws }: Rules
  ): LedgerState {
    const isIn = _tag === "RefundReceived"
    if (isIn) thaws("credits")
    else spends(amount)
    if (state.status === "closed") broken("the wallet is closed")
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
    { broken, spends }: Pick<Rules, "broken" | "landedAt" | "spends">
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
        if (event._tag === "TransferSettled" && event.holdId === null && !before.captures.has(event.transferId))
          return { ...state, inFlight }
        const sent = this.events.find(
          (one) => one.event._tag === "TransferSent" && one.event.transferId === event.transferId
        )
        const refund = sent?.event._tag === "TransferSent" ? sent.event.refund : null
        const back = event._tag === "TransferReversed" ? event.amount : 0n
        const moved = { ...withRefunded(state, refund, -back), balance: before.balance + back, inFlight }
        const capture = before.captures.get(event.transferId)
        if (event.holdId !== (capture?.holdId ?? null)) broken(`it is of hold ${capture?.holdId ?? null}`)
        if (capture === undefined) return moved
        return this.endCapture(before, moved, event, capture)
      }
    }
  }

  /** Of what was captured: it has arrived, or the hold is as if nothing had been. */
  private endCapture(
    before: LedgerState,
    state: LedgerState,
    event: Extract<WalletEvent, { _tag: "TransferSettled" | "TransferReversed" }>,
    { holdId, rest }: LedgerCapture
  ): LedgerState {
    const captures = new Map(before.captures)
    captures.delete(event.transferId)
    const hold = before.holds.get(holdId)!
    if (event._tag === "TransferSettled") {
      // One that releases the rest closes the hold.
      return withHold({ ...state, captures }, { ...hold, ended: hold.ended || rest > 0n })
    }
    const captured = hold.captured - event.amount
    const [final] = Array.from(captures).filter(([, one]) => one.holdId === holdId && one.rest > 0n)
    if (!hold.ended && final !== undefined) {
      // It is a part of what that one releases.
      captures.set(final[0], { holdId, rest: final[1].rest + event.amount })
      return withHold({ ...state, captures }, { ...hold, captured })
    }
    const remaining = hold.ended ? hold.remaining : hold.remaining + event.amount + rest
    const ended = captured > 0n ? "captured" : "released"
    return withHold({ ...state, captures }, { ...hold, captured, remaining, status: remaining > 0n ? "active" : ended })
  }

  private moveLegs(
    before: LedgerState,
    state: LedgerState,
    event: LegsEvent,
    broken: (law: string) => void,
    thaws: (way: "debits" | "credits") => void
  ): LedgerState {
    const { transferId } = event
    const known = before.prepared.get(transferId)
    switch (event._tag) {
      case "LegsBegun":
      case "LegsPrepared": {
        const legs = event._tag === "LegsBegun" ? legsOf(before.id, event.legs) : event.legs
        if (known !== undefined) broken("its legs are prepared already")
        if (before.status === "closed") broken("the wallet is closed")
        if (legs.some(({ side }) => side === "sent")) thaws("debits")
        if (legs.some(({ side }) => side === "received")) thaws("credits")
        if (legs.length === 0) broken("no leg is the wallet's")
        const held = neededFor(legs)
        if (event.held !== held) broken(`it holds ${event.held} in transit, which needs ${held}`)
        if (held > 0n && availableOf(before) < held) broken(`only ${availableOf(before)} is available`)
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
        return { ...state, status: "closed", freeze: null }
      case "WalletCredited":
      case "TransferReceived":
        return { ...state, balance: state.balance - event.amount }
      case "WalletDebited":
        return { ...state, balance: state.balance + event.amount }
      case "RefundReceived":
      case "RefundPaid": {
        const back = event._tag === "RefundPaid" ? event.amount : -event.amount
        return { ...withRefunded(state, { of: event.refundOf, leg: 0 }, -event.amount), balance: state.balance + back }
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
      case "HoldCapturedTo": {
        const inFlight = new Map(state.inFlight)
        const captures = new Map(state.captures)
        if (!inFlight.delete(event.transferId) || !captures.delete(event.transferId)) broken("the transfer has ended")
        const moved = { ...state, balance: state.balance + event.amount, inFlight, captures }
        return withHold(moved, earlier!.holds.get(event.holdId)!)
      }
      case "HoldReleased":
      case "HoldChanged":
        return withHold(state, earlier!.holds.get(event.holdId)!)
      case "WalletFrozen":
      case "WalletUnfrozen":
      case "WalletClosed":
        return { ...state, status: earlier!.status, freeze: earlier!.freeze }
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
