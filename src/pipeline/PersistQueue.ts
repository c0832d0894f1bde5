/**
 * What waits between the log and Persistence: per wallet its commits in order, wallets
 * in the order in which they came. And the checkpoint: below which position everything of
 * this node has been written.
 */
import type { Commit } from "../domain/Commit.ts"

/** One wallet's commits that wait, in order. */
export interface Queued {
  readonly walletId: string
  readonly commits: Array<Commit>
  events: number
  /** All of its events are in the log after this position … */
  readonly lowWatermark: bigint
  /** … and not after this one. */
  highest: bigint
  /** When the first of them came, ms. */
  readonly since: number
}

/** Where an append that is on its way can land: after this position. */
export interface LowWatermark {
  readonly position: bigint
}

/** As many of the wallet's commits as have room, at least one. */
const firstOf = (queued: Queued, room: number): Queued => {
  let count = 0
  let events = 0
  for (const commit of queued.commits) {
    if (count > 0 && events + commit.events.length > room) break
    count++
    events += commit.events.length
  }
  return { ...queued, commits: queued.commits.slice(0, count), events }
}

export class PersistQueue {
  private readonly waiting = new Map<string, Queued>()
  private readonly lowWatermarks = new Set<LowWatermark>()
  /** The last position at which this node knows the log to be. */
  private known: bigint
  events = 0

  constructor(position: bigint) {
    this.known = position
  }

  get wallets(): number {
    return this.waiting.size
  }

  /** When the oldest commit that waits came, ms. */
  get oldest(): number | undefined {
    for (const queued of this.waiting.values()) return queued.since
    return undefined
  }

  /** An append is about to be sent: until `landed`, the checkpoint stays below it. */
  appending(): LowWatermark {
    const lowWatermark = { position: this.known }
    this.lowWatermarks.add(lowWatermark)
    return lowWatermark
  }

  /** The append has come to its end. What of it is in the log is to be added before. */
  landed(lowWatermark: LowWatermark): void {
    this.lowWatermarks.delete(lowWatermark)
  }

  /** The log has come that far: what of this node's is not there yet will land after it. */
  seen(position: bigint): void {
    if (position > this.known) this.known = position
  }

  add(commit: Commit, position: bigint, lowWatermark: LowWatermark, now: number): void {
    this.seen(position)
    this.events += commit.events.length
    const queued = this.waiting.get(commit.walletId)
    if (queued === undefined) {
      const { walletId } = commit
      const events = commit.events.length
      this.waiting.set(walletId, {
        walletId,
        commits: [commit],
        events,
        lowWatermark: lowWatermark.position,
        highest: position,
        since: now
      })
      return
    }
    if (position > queued.highest) queued.highest = position
    queued.commits.push(commit)
    queued.events += commit.events.length
  }

  /**
   * The next batch, oldest wallets first; at least one commit when any waits. What of a
   * wallet has no room stays at its place. What is taken counts among `events` until `resolve`.
   */
  take(wallets: number, events: number): ReadonlyArray<Queued> {
    const taken: Array<Queued> = []
    let room = events
    for (const [walletId, queued] of this.waiting) {
      if (taken.length > 0 && (taken.length >= wallets || queued.commits[0]!.events.length > room)) break
      if (queued.events <= room || queued.commits.length === 1) {
        this.waiting.delete(walletId)
        taken.push(queued)
        room -= queued.events
        continue
      }
      const part = firstOf(queued, room)
      const commits = queued.commits.slice(part.commits.length)
      this.waiting.set(walletId, { ...queued, commits, events: queued.events - part.events })
      taken.push(part)
      break
    }
    return taken
  }

  resolve(batch: ReadonlyArray<Queued>): void {
    for (const queued of batch) this.events -= queued.events
  }

  /** Below and at this position everything is written, once what has been taken is, and but for what `others` leave behind. */
  checkpoint(others: Iterable<bigint>): bigint {
    let checkpoint = this.known
    for (const { position } of this.lowWatermarks) if (position < checkpoint) checkpoint = position
    for (const { lowWatermark } of this.waiting.values()) if (lowWatermark < checkpoint) checkpoint = lowWatermark
    for (const lowWatermark of others) if (lowWatermark < checkpoint) checkpoint = lowWatermark
    return checkpoint
  }
}
