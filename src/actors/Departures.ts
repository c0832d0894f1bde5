/**
 * Wallets that have to leave memory because their partition is lost, until they have:
 * each first ends what it has on its way to the log, and stays a moment longer for
 * callers that wait for Persistence.
 */
import * as Effect from "effect/Effect"
import type { WalletActor } from "./WalletActor.ts"

/** How long a wallet stays for callers that wait for Persistence, ms; then they are told what is true by then. */
const lingerMillis = 1_000

interface Wait {
  readonly actors: Set<WalletActor>
  readonly resume: (effect: Effect.Effect<void>) => void
}

export class Departures {
  /** When each one's partition was lost, ms. */
  private readonly leaving = new Map<WalletActor, number>()
  private readonly waits = new Set<Wait>()

  begin(actor: WalletActor, now: number): void {
    if (!this.leaving.has(actor)) this.leaving.set(actor, now)
  }

  has(actor: WalletActor): boolean {
    return this.leaving.has(actor)
  }

  all(): Iterable<WalletActor> {
    return this.leaving.keys()
  }

  /** Whether it has to leave and nobody is to be told anything here any more. `busy`: it is at work. */
  isDone(actor: WalletActor, now: number, busy: boolean): boolean {
    const since = this.leaving.get(actor)
    if (since === undefined || busy || !actor.mailbox.isParked) return false
    return actor.pending === undefined || now - since >= lingerMillis
  }

  ended(actor: WalletActor): void {
    if (!this.leaving.delete(actor)) return
    for (const wait of this.waits) {
      wait.actors.delete(actor)
      if (wait.actors.size > 0) continue
      this.waits.delete(wait)
      wait.resume(Effect.void)
    }
  }

  /** Completes when all of them have ended. */
  wait(actors: ReadonlyArray<WalletActor>): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const wait: Wait = { actors: new Set(actors.filter((actor) => this.leaving.has(actor))), resume }
      if (wait.actors.size === 0) return resume(Effect.void)
      this.waits.add(wait)
      return Effect.sync(() => this.waits.delete(wait))
    })
  }
}
