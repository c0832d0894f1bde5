/**
 * Events that Persistence has not accepted yet, behind a log of its own: kept until their
 * wallets' rows have come to them, while the others go on. The checkpoint stays below them.
 *
 * Of a wallet that stands still while these are many nothing is kept but where its events begin:
 * the log is read again from there when its row has come on.
 */
import type { PositionedEvent } from "../stores/EventStore.ts"

export interface BehindEvent {
  readonly event: PositionedEvent
  /** A position before it, at which the log can be read on. */
  readonly after: bigint
}

/** Where the events of a wallet begin that are not shown. */
export interface StoppedWallet {
  readonly walletId: string
  /** A position before the first of them, at which the log can be read on. */
  readonly after: bigint
  /** When the first of them was committed, ms. */
  readonly time: number
  /** Of the last one that was seen when it was set aside: its row has to come to it. */
  readonly version: number
}

interface WalletEvents {
  count: number
  /** Since when none of its events was accepted, ms. */
  since: number
}

export class BehindEvents {
  readonly #events = new Set<BehindEvent>()
  readonly #wallets = new Map<string, WalletEvents>()
  readonly #stopped = new Map<string, StoppedWallet>()

  /** Events that are kept. */
  get size(): number {
    return this.#events.size
  }

  get wallets(): number {
    return this.#wallets.size + this.#stopped.size
  }

  get stopped(): ReadonlyMap<string, StoppedWallet> {
    return this.#stopped
  }

  has(walletId: string): boolean {
    return this.#wallets.has(walletId) || this.#stopped.has(walletId)
  }

  /** Where the log is to be read from to find all of them; `undefined`: there are none. */
  get lowest(): bigint | undefined {
    let lowest: bigint | undefined
    for (const { after } of this.#stopped.values()) if (lowest === undefined || after < lowest) lowest = after
    // They came in the order of the log.
    for (const { after } of this.#events) return lowest === undefined || after < lowest ? after : lowest
    return lowest
  }

  /** When the first of them was committed, ms. */
  get oldest(): number | undefined {
    let oldest: number | undefined
    for (const { time } of this.#stopped.values()) if (oldest === undefined || time < oldest) oldest = time
    for (const { event } of this.#events) return Math.min(event.recorded.time, oldest ?? Infinity)
    return oldest
  }

  /** In the order of the log. Of a wallet that is stopped nothing is kept. */
  add(events: Iterable<BehindEvent>, now: number): void {
    for (const one of events) {
      const { walletId } = one.event.recorded
      if (this.#stopped.has(walletId)) continue
      this.#events.add(one)
      const wallet = this.#wallets.get(walletId)
      if (wallet === undefined) this.#wallets.set(walletId, { count: 1, since: now })
      else wallet.count++
    }
  }

  remove(events: Iterable<BehindEvent>, now: number): void {
    for (const one of events) {
      if (!this.#events.delete(one)) continue
      const { walletId } = one.event.recorded
      const wallet = this.#wallets.get(walletId)!
      wallet.count--
      wallet.since = now
      if (wallet.count === 0) this.#wallets.delete(walletId)
    }
  }

  all(): ReadonlyArray<BehindEvent> {
    return [...this.#events]
  }

  /** Sets those wallets aside of which nothing was accepted since then; at most so many are set aside. */
  stop(since: number, bound: number): void {
    const standing = new Set<string>()
    for (const [walletId, wallet] of this.#wallets) {
      if (this.#stopped.size + standing.size >= bound) break
      if (wallet.since <= since) standing.add(walletId)
    }
    if (standing.size === 0) return
    for (const one of this.#events) {
      const { time, version, walletId } = one.event.recorded
      if (!standing.has(walletId)) continue
      this.#events.delete(one)
      this.#wallets.delete(walletId)
      const { after = one.after, time: first = time } = this.#stopped.get(walletId) ?? {}
      this.#stopped.set(walletId, { walletId, after, time: first, version })
    }
  }

  /** All events of it have been shown, but for those of `rest`. */
  shown(walletId: string, rest: StoppedWallet | undefined): void {
    if (rest === undefined) this.#stopped.delete(walletId)
    else this.#stopped.set(walletId, rest)
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
