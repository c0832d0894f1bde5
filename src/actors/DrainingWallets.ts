/**
 * Wallets that have to leave memory because their partition is lost, until they have:
 * each first ends what it has on its way to the log, and stays a moment longer for
 * callers that wait for Persistence.
 */
import type * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { WalletActor } from "./WalletActor.ts"

/** How long a wallet stays for callers that wait for Persistence, ms; then they are told what is true by then. */
const lingerMillis = 1_000

export class DrainingWallets {
  /** When each one's partition was lost, ms. */
  private readonly leaving = new Map<WalletActor, number>()
  /** How many there are of each partition. */
  private readonly counts = new Map<number, number>()
  /** Closed while there are any. */
  private readonly none = Latch.makeUnsafe(true)

  begin(actor: WalletActor, now: number): void {
    if (this.leaving.has(actor)) return
    this.leaving.set(actor, now)
    this.none.closeUnsafe()
    this.counts.set(actor.partition, (this.counts.get(actor.partition) ?? 0) + 1)
  }

  has(actor: WalletActor): boolean {
    return this.leaving.has(actor)
  }

  hasSome(partition: number): boolean {
    return this.counts.has(partition)
  }

  all(): Iterable<WalletActor> {
    return this.leaving.keys()
  }

  /** Whether it has to leave and nobody is to be told anything here any more. `busy`: it is at work. */
  isDone(actor: WalletActor, now: number, busy: boolean): boolean {
    const since = this.leaving.get(actor)
    if (since === undefined || busy || !actor.mailbox.isParked) return false
    return !actor.owesAnswers || now - since >= lingerMillis
  }

  ended(actor: WalletActor): void {
    if (!this.leaving.delete(actor)) return
    const left = this.counts.get(actor.partition)! - 1
    if (left > 0) this.counts.set(actor.partition, left)
    else this.counts.delete(actor.partition)
    if (this.leaving.size === 0) this.none.openUnsafe()
  }

  /** Completes when none is left. */
  readonly over: Effect.Effect<void> = this.none.await
}
