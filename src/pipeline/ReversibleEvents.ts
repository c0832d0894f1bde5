/**
 * Which events may still be reversed when Persistence refuses them: those of which this process
 * knows that nobody can have been told that they are persisted. All others are history: after a
 * restart, an erase or a restore a rule may refuse what it let pass before, or what came before it.
 *
 * Kept of what is on its way: everything that this process has appended, until Persistence has
 * decided on it.
 */
import * as Effect from "effect/Effect"
import type { ReadError } from "../stores/StoreError.ts"

/** Versions of one wallet, both included. */
export interface VersionRange {
  readonly from: number
  readonly to: number
}

interface Reversible extends VersionRange {
  /** Some are an earlier process's: they were above the high watermark of all others when that was here. */
  readonly above: bigint | undefined
}

export class ReversibleEvents {
  private readonly wallets = new Map<string, Reversible>()

  /** Events of this process's own, not persisted yet; or of an earlier one's, above the others' high watermark `above`. */
  add(walletId: string, { from, to }: VersionRange, above?: bigint): void {
    const known = this.wallets.get(walletId)
    // What lies between is somebody else's: only the later ones are sure.
    if (known === undefined || from > known.to + 1) this.wallets.set(walletId, { from, to, above })
    else {
      this.wallets.set(walletId, {
        from: Math.min(known.from, from),
        to: Math.max(known.to, to),
        above: known.above ?? above
      })
    }
  }

  /** Persistence has decided on all events up to `version`: that may have been told. */
  persisted(walletId: string, version: number): void {
    const known = this.wallets.get(walletId)
    if (known === undefined || known.from > version) return
    if (known.to <= version) this.wallets.delete(walletId)
    else this.wallets.set(walletId, { ...known, from: version + 1 })
  }

  /** Whether nobody can have been told that one of these is persisted. `offered`: the high watermark of all others. */
  mayReverse(offered: Effect.Effect<bigint, ReadError>) {
    return (walletId: string, { from, to }: VersionRange): Effect.Effect<boolean, ReadError> => {
      const known = this.wallets.get(walletId)
      if (known === undefined || from < known.from || to > known.to) return Effect.succeed(false)
      // An earlier process may live on, and have raised its own meanwhile.
      return known.above === undefined ? Effect.succeed(true) : Effect.map(offered, (now) => now === known.above)
    }
  }
}
