/**
 * What of a wallet's state may still be undone, and which commands would build on it.
 *
 * Where PostgreSQL stands behind the log, an event is provisional until PostgreSQL has
 * accepted its rows: a rule of the user's may refuse them, and then exactly that event
 * is reversed. A reversal must always be possible and must never make available
 * negative. So a command that would need the money, the hold, the transfer, the status
 * or the very wallet that a provisional event has made waits until that is decided.
 *
 * The engine's own events (HoldExpired, the end of a transfer, OperationReversed) are
 * facts: they are never reversed, and count for nothing here.
 */
import * as HashMap from "effect/HashMap"
import type { WalletEvent } from "./Event.ts"
import { amountLimit, balanceLimit } from "./Limits.ts"
import { available, type Wallet } from "./Wallet.ts"

/** By how much an event changes what is available, minor units. */
const availableChange = (event: WalletEvent): bigint => {
  switch (event._tag) {
    case "WalletCreated":
      return event.overdraftLimit
    case "WalletCredited":
    case "TransferReceived":
    case "TransferReversed":
    case "HoldReleased":
    case "HoldExpired":
      return event.amount
    case "WalletDebited":
    case "TransferSent":
    case "HoldPlaced":
      return -event.amount
    case "HoldCaptured":
      return event.released
    case "OverdraftLimitChanged":
      return event.overdraftLimit - event.previousLimit
    default:
      return 0n
  }
}

/** By how much an event lowers the balance, minor units. */
const spending = (event: WalletEvent): bigint => {
  switch (event._tag) {
    case "WalletDebited":
    case "TransferSent":
    case "HoldCaptured":
      return event.amount
    default:
      return 0n
  }
}

/** Whether a user's rule can undo it. */
export const isReversible = (event: WalletEvent): boolean => {
  switch (event._tag) {
    case "HoldExpired":
    case "TransferRefused":
    case "TransferSettled":
    case "TransferReversed":
    case "OperationReversed":
      return false
    default:
      return true
  }
}

/** What an event leaves behind that a later one may build on, beside money. */
const trace = (event: WalletEvent): string | undefined => {
  switch (event._tag) {
    case "WalletCreated":
      return "created"
    case "HoldPlaced":
    case "HoldCaptured":
    case "HoldReleased":
      return `hold ${event.holdId}`
    case "TransferSent":
      return `transfer ${event.transferId}`
    case "WalletFrozen":
    case "WalletClosed":
      return "status"
    case "WalletUnfrozen":
      return "unfrozen"
    case "OverdraftLimitChanged":
      return "limit"
    case "MetadataChanged":
      return "metadata"
    default:
      return undefined
  }
}

/** The provisional events of one wallet, as sums. Mutable: every event that is added is removed once it is decided. */
export class Provisional {
  #events = 0
  /** By how much reversals could lower available. */
  #gained = 0n
  /** By how much reversals could raise the balance. */
  #spent = 0n
  readonly #traces = new Map<string, number>()

  /** How many events may still be undone. */
  get size(): number {
    return this.#events
  }

  add(event: WalletEvent): void {
    this.#count(event, 1)
  }

  remove(event: WalletEvent): void {
    this.#count(event, -1)
  }

  /** Whether the sending of that transfer may still be undone. */
  hasSent(transferId: string): boolean {
    return this.#traces.has(`transfer ${transferId}`)
  }

  /**
   * Whether `events`, decided together, leading to `after`, would build on something that
   * may still be undone. No events: the command found that all is as it wants it to be.
   */
  carries(events: ReadonlyArray<WalletEvent>, after: Wallet): boolean {
    if (this.#events === 0) return false
    // It takes back what is provisional: to wait for that would be for ever.
    if (events.length === 1 && events[0]!._tag === "OperationReversed") return false
    if (this.#traces.has("created")) return true
    if (events.length === 0) return this.#traces.has("status") || this.#traces.has("unfrozen")
    for (const event of events) if (this.#touches(event)) return true
    let needs = false
    let receives = false
    for (const event of events) {
      if (availableChange(event) < 0n) needs = true
      if (event._tag === "WalletCredited" || event._tag === "TransferReceived") receives = true
    }
    return (needs && available(after) < this.#gained) || (receives && this.#isNearLimit(after))
  }

  /** Whether all that may come back, by reversals and from transfers in flight, could reach the bound of a balance. */
  #isNearLimit(after: Wallet): boolean {
    const inFlight = BigInt(HashMap.size(after.transfers)) * amountLimit
    return after.balance + this.#spent + inFlight >= balanceLimit
  }

  #touches(event: WalletEvent): boolean {
    switch (event._tag) {
      case "WalletClosed":
        return true
      case "WalletFrozen":
      case "WalletUnfrozen":
        return this.#traces.has("status") || this.#traces.has("unfrozen")
      case "WalletDebited":
        return this.#traces.has("unfrozen")
      case "HoldPlaced":
      case "HoldCaptured":
      case "TransferSent":
        return this.#traces.has("unfrozen") || this.#traces.has(trace(event)!)
      case "HoldReleased":
      case "OverdraftLimitChanged":
      case "MetadataChanged":
        return this.#traces.has(trace(event)!)
      case "HoldExpired":
        return this.#traces.has(`hold ${event.holdId}`)
      case "TransferSettled":
      case "TransferReversed":
        return this.#traces.has(`transfer ${event.transferId}`)
      default:
        return false
    }
  }

  #count(event: WalletEvent, sign: 1 | -1): void {
    if (!isReversible(event)) return
    this.#events += sign
    const change = availableChange(event)
    if (change > 0n) this.#gained += sign === 1 ? change : -change
    const spent = spending(event)
    if (spent > 0n) this.#spent += sign === 1 ? spent : -spent
    const key = trace(event)
    if (key === undefined) return
    const count = (this.#traces.get(key) ?? 0) + sign
    if (count === 0) this.#traces.delete(key)
    else this.#traces.set(key, count)
  }
}
