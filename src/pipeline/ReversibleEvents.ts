/**
 * Which events may still be reversed when Persistence refuses them: those of which this process
 * knows that nobody can have been told that they are persisted. All others are history: after a
 * restart, an erase or a restore a rule may refuse what it let pass before, or what came before it.
 *
 * Kept of what is on its way: everything that this process has appended, and what it has found
 * that an earlier one was not allowed to persist, until Persistence has decided on it.
 */
import * as Effect from "effect/Effect"
import type { EventStore } from "../stores/EventStore.ts"
import type { ReadError } from "../stores/StoreError.ts"
import { offeredByOthers } from "./HighWatermark.ts"

/** Versions of one wallet, both included. */
export interface VersionRange {
  readonly from: number
  readonly to: number
}

/** Appended by this process under that claim. While it stands nobody else gives them to Persistence. */
interface Own extends VersionRange {
  readonly partition: number
  readonly epoch: number
}

/** An earlier process's: they were above the high watermark of all others when that was here. */
interface Unoffered extends VersionRange {
  readonly above: bigint
}

const has = (known: VersionRange | undefined, { from, to }: VersionRange): boolean =>
  known !== undefined && from >= known.from && to <= known.to

/** What lies between is somebody else's: only the later ones are sure. */
const isApart = (known: VersionRange, { from }: VersionRange): boolean => from > known.to + 1

const united = (known: VersionRange, added: VersionRange): VersionRange => ({
  from: Math.min(known.from, added.from),
  to: Math.max(known.to, added.to)
})

/** `undefined`: nothing of them is left. */
const after = <R extends VersionRange>(known: R, version: number): R | undefined => {
  if (known.to <= version) return undefined
  return known.from > version ? known : { ...known, from: version + 1 }
}

export class ReversibleEvents {
  private readonly own = new Map<string, Own>()
  private readonly unoffered = new Map<string, Unoffered>()

  /** Appended by this process, and not persisted yet. */
  appended(walletId: string, added: Own): void {
    const known = this.own.get(walletId)
    // Another claim came between: others may have persisted what is older.
    if (known === undefined || known.epoch !== added.epoch || isApart(known, added)) this.own.set(walletId, added)
    else this.own.set(walletId, { ...added, ...united(known, added) })
  }

  /** An earlier process's, above the others' high watermark `above`. */
  found(walletId: string, added: Unoffered): void {
    const known = this.unoffered.get(walletId)
    if (known === undefined || isApart(known, added)) this.unoffered.set(walletId, added)
    else this.unoffered.set(walletId, { ...united(known, added), above: known.above })
  }

  /** Persistence has decided on all events up to `version`: that may have been told. */
  persisted(walletId: string, version: number): void {
    const own = this.own.get(walletId)
    if (own !== undefined) this.keep(this.own, walletId, after(own, version))
    const unoffered = this.unoffered.get(walletId)
    if (unoffered !== undefined) this.keep(this.unoffered, walletId, after(unoffered, version))
  }

  private keep<R>(ranges: Map<string, R>, walletId: string, rest: R | undefined): void {
    if (rest === undefined) ranges.delete(walletId)
    else ranges.set(walletId, rest)
  }

  /** Whether this process has appended that event, and does not know yet that it is persisted. */
  isOwn(walletId: string, version: number): boolean {
    return has(this.own.get(walletId), { from: version, to: version })
  }

  /**
   * Whether nobody can have been told that one of these is persisted. Asks the log, which alone
   * knows who else may have persisted them meanwhile; `owner`: this process.
   */
  mayReverse(log: EventStore["Service"], owner: string) {
    return (walletId: string, versions: VersionRange): Effect.Effect<boolean, ReadError> =>
      Effect.suspend(() => {
        const own = this.own.get(walletId)
        if (own !== undefined && has(own, versions)) {
          return Effect.map(log.epochOf(own.partition), (epoch) => epoch === own.epoch)
        }
        const unoffered = this.unoffered.get(walletId)
        if (unoffered === undefined || !has(unoffered, versions)) return Effect.succeed(false)
        // The earlier process may live on, and have raised its own meanwhile.
        return Effect.map(offeredByOthers(log, owner), (now) => now === unoffered.above)
      })
  }
}
