/**
 * Events that Persistence has not accepted yet, behind a log of its own: kept until their
 * wallets' rows have come to them, while the others go on. The checkpoint stays below them.
 */
import type { PositionedEvent } from "../stores/EventStore.ts"

export interface BehindEvent {
  readonly event: PositionedEvent
  /** A position before it, at which the log can be read on. */
  readonly after: bigint
}

export class BehindEvents {
  readonly #events = new Set<BehindEvent>()
  /** Wallet → how many of its events. */
  readonly #wallets = new Map<string, number>()

  get size(): number {
    return this.#events.size
  }

  get wallets(): number {
    return this.#wallets.size
  }

  has(walletId: string): boolean {
    return this.#wallets.has(walletId)
  }

  /** Where the log is to be read from to find all of them; `undefined`: there are none. */
  get lowest(): bigint | undefined {
    // They came in the order of the log.
    for (const { after } of this.#events) return after
    return undefined
  }

  /** When the first of them was committed, ms. */
  get oldest(): number | undefined {
    for (const { event } of this.#events) return event.recorded.time
    return undefined
  }

  add(events: Iterable<BehindEvent>): void {
    for (const one of events) {
      this.#events.add(one)
      const { walletId } = one.event.recorded
      this.#wallets.set(walletId, (this.#wallets.get(walletId) ?? 0) + 1)
    }
  }

  remove(events: Iterable<BehindEvent>): void {
    for (const one of events) {
      if (!this.#events.delete(one)) continue
      const { walletId } = one.event.recorded
      const left = this.#wallets.get(walletId)! - 1
      if (left === 0) this.#wallets.delete(walletId)
      else this.#wallets.set(walletId, left)
    }
  }

  all(): ReadonlyArray<BehindEvent> {
    return [...this.#events]
  }
}

/** Of a page that was read behind `after`. */
export const behindOf = (
  page: ReadonlyArray<PositionedEvent>,
  after: bigint,
  behind: ReadonlyArray<PositionedEvent>
): ReadonlyArray<BehindEvent> => {
  if (behind.length === 0) return []
  const late = new Set(behind)
  const found: Array<BehindEvent> = []
  let before = after
  for (const event of page) {
    if (late.has(event)) found.push({ event, after: before })
    before = event.position
  }
  return found
}
