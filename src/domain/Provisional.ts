/**
 * What of a wallet's state may still be undone, and which commands would build on it.
 *
 * Where PostgreSQL stands behind the log, an event is provisional until PostgreSQL has
 * accepted its rows: a rule of the user's may refuse them, and then exactly that event
 * is reversed. A reversal must always be possible and must never make available
 * negative, but where a forced debit has left it so, which waits for whatever may take money
 * back. So a command that would need the money, the hold, the transfer, the status
 * or the very wallet that a provisional event has made waits until that is decided.
 *
 * The engine's own events (HoldExpired, the end of a transfer, OperationReversed) are
 * facts: they are never reversed, and count for nothing here.
 *
 * So does a command that would need the room of what a provisional event has ended: a
 * reversal puts that back, and the state must not be larger than its bound for it.
 */
import * as HashMap from "effect/HashMap"
import type { WalletEvent } from "./Event.ts"
import { kindOf } from "./EventKinds.ts"
import { maxLegs } from "./Legs.ts"
import { preparesLegs } from "./LegsEvents.ts"
import { amountLimit, balanceLimit } from "./Limits.ts"
import { transferTrace } from "./TransferRules.ts"
import { available, type Wallet } from "./Wallet.ts"

/** The provisional events of one wallet, as sums. Mutable: every event that is added is removed once it is decided. */
export class Provisional {
  #events = 0
  /** By how much reversals could lower available. */
  #gained = 0n
  /** By how much reversals could raise the balance. */
  #spent = 0n
  readonly #traces = new Map<string, number>()
  /** By how much reversals could make the state larger, bytes; and by which event. */
  #freed = 0
  readonly #freedBy = new Map<WalletEvent, number>()

  /** How many events may still be undone. */
  get size(): number {
    return this.#events
  }

  /** `freed`: by how much it has made the state smaller, bytes; left out where the state before it is not known. */
  add(event: WalletEvent, freed: number = kindOf(event).reversible?.freedAtMost(event) ?? 0): void {
    this.#count(event, 1)
    if (freed <= 0 || kindOf(event).reversible === undefined) return
    this.#freed += freed
    this.#freedBy.set(event, freed)
  }

  remove(event: WalletEvent): void {
    this.#count(event, -1)
    const freed = this.#freedBy.get(event)
    if (freed === undefined) return
    this.#freed -= freed
    this.#freedBy.delete(event)
  }

  /** Whether a state that has grown to so many bytes would be larger than `bound` once all is reversed. */
  crowds(size: number, bound: number): boolean {
    return size + this.#freed > bound
  }

  /** Whether the sending of that transfer may still be undone. */
  hasSent(transferId: string): boolean {
    return this.#traces.has(transferTrace(transferId))
  }

  /**
   * Whether `events`, decided together, leading to `after`, would build on something that
   * may still be undone.
   */
  carries(events: ReadonlyArray<WalletEvent>, after: Wallet): boolean {
    if (this.#events === 0) return false
    // It takes back what is provisional: to wait for that would be for ever.
    if (events.length === 1 && events[0]!._tag === "OperationReversed") return false
    if (this.#traces.has("created")) return true
    let needs = false
    let receives = false
    let gains = 0n
    for (const event of events) {
      const kind = kindOf(event)
      if (kind.buildsOn(this.#traces, event)) return true
      // The engine's own events are facts: they wait for nothing but what they end.
      if (kind.reversible === undefined) continue
      const change = kind.reversible.availableChange(event)
      if (change < 0n) needs = true
      else gains += change
      if (kind.balanceChange(event) > 0n || preparesLegs(event)) receives = true
    }
    return (
      (needs && available(after) < this.#gained) ||
      (receives && this.#isNearLimit(after)) ||
      (gains > 0n && this.#fillsDebt(after, gains))
    )
  }

  /**
   * Whether the wallet, left below zero by a forced debit, is filled up by more than one thing that may be undone. It waits:
   * of the second nobody could tell, after the first is undone, that its money was never there to be spent.
   */
  #fillsDebt(after: Wallet, gains: bigint): boolean {
    return this.#gained > 0n && available(after) < this.#gained + gains
  }

  /** Whether all that may come back, by reversals and from transfers in flight, could reach the bound of a balance. */
  #isNearLimit(after: Wallet): boolean {
    const open = HashMap.size(after.transfers) + maxLegs * HashMap.size(after.prepared)
    const inFlight = BigInt(open) * amountLimit
    return after.balance + this.#spent + inFlight >= balanceLimit
  }

  #count(event: WalletEvent, sign: 1 | -1): void {
    const { balanceChange, reversible } = kindOf(event)
    if (reversible === undefined) return
    this.#events += sign
    const gained = reversible.availableChange(event)
    if (gained > 0n) this.#gained += sign === 1 ? gained : -gained
    const moved = balanceChange(event)
    if (moved < 0n) this.#spent += sign === 1 ? -moved : moved
    const key = reversible.trace(event)
    if (key !== undefined) this.#countTrace(key, sign)
    if (reversible.moreTraces === undefined) return
    for (const other of reversible.moreTraces(event)) this.#countTrace(other, sign)
  }

  #countTrace(key: string, sign: 1 | -1): void {
    const count = (this.#traces.get(key) ?? 0) + sign
    if (count === 0) this.#traces.delete(key)
    else this.#traces.set(key, count)
  }
}
