/** The batch that the pipeline's writer has in active: its wallets are nobody else's until it ends. */
import * as Effect from "effect/Effect"
import type { Queued } from "./PersistQueue.ts"

export class ActiveWrite {
  private readonly wallets = new Set<string>()
  private ends: Array<(effect: Effect.Effect<void>) => void> = []
  /** Since when its oldest commit waits, ms; `undefined`: there is no batch. */
  since: number | undefined = undefined
  /** Wallets of it at whose rows Persistence itself has failed. */
  readonly failures = new Set<string>()

  take(batch: ReadonlyArray<Queued>): void {
    for (const { since, walletId } of batch) {
      this.wallets.add(walletId)
      if (this.since === undefined || since < this.since) this.since = since
    }
  }

  end(): void {
    this.wallets.clear()
    this.failures.clear()
    this.since = undefined
    const waiting = this.ends
    this.ends = []
    for (const resume of waiting) resume(Effect.void)
  }

  /** Completes when the wallet is not in active. */
  without(walletId: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.wallets.has(walletId)) return Effect.void
      const end = Effect.callback<void>((resume) => {
        this.ends.push(resume)
      })
      return Effect.andThen(end, this.without(walletId))
    })
  }
}
