/**
 * The idempotency keys a wallet remembers in memory: the most recent ones, in
 * order, with the version from which on they are complete. Those that it has to let
 * go leave a trace in a filter, which knows for certain what was never there.
 */
import type { CommandKey, RecordedEvent } from "../domain/Event.ts"
import type { SeenKey } from "../stores/Persistence.ts"
import { KeyFilter, type KeyFilterBudget } from "./KeyFilter.ts"

interface Entry {
  readonly fingerprint: string
  readonly version: number
  readonly time: number
}

export interface KeyWindowState {
  readonly coversFrom: number
  readonly uncoveredTime: number
  readonly keys: ReadonlyArray<readonly [key: string, fingerprint: string, version: number, time: number]>
}

export class KeyWindow {
  private readonly capacity: number
  private readonly entries = new Map<string, Entry>()
  /** Keys of all events from this version on are here. */
  coversFrom: number
  /** Time of the newest event whose key is not here. */
  private uncoveredTime: number
  private readonly budget: KeyFilterBudget
  /** Made with the first key that is let go. */
  private filter: KeyFilter | undefined = undefined

  constructor(capacity: number, budget: KeyFilterBudget, state?: KeyWindowState) {
    this.capacity = capacity
    this.budget = budget
    this.coversFrom = state?.coversFrom ?? 0
    this.uncoveredTime = state?.uncoveredTime ?? -1
    if (state !== undefined) {
      for (const [key, fingerprint, version, time] of state.keys) {
        this.entries.set(key, { fingerprint, version, time })
      }
    }
  }

  /**
   * Whether only a store can tell if a key that is not here was used. `always`: also
   * one older than `retentionMillis`.
   */
  mayHaveForgotten(key: CommandKey, now: number, retentionMillis: number, always: boolean): boolean {
    const coversFrom = this.filter?.coversFrom ?? this.coversFrom
    const uncoveredTime = this.filter?.uncoveredTime ?? this.uncoveredTime
    if (coversFrom > 0 && (always || uncoveredTime >= now - retentionMillis)) return true
    return this.filter !== undefined && this.filter.has(key)
  }

  get(key: CommandKey): Pick<SeenKey, "fingerprint" | "version"> | undefined {
    return this.entries.get(key)
  }

  /** Events in the order of their versions. */
  add(recorded: RecordedEvent): void {
    const { key, fingerprint } = recorded.metadata
    this.entries.set(key, { fingerprint, version: recorded.version, time: recorded.time })
    if (this.entries.size <= this.capacity) return
    for (const [oldest, entry] of this.entries) {
      this.entries.delete(oldest)
      this.filter ??= new KeyFilter(this.budget, this.coversFrom, this.uncoveredTime)
      this.filter.add(oldest, entry.version, entry.time)
      this.coversFrom = entry.version + 1
      this.uncoveredTime = entry.time
      break
    }
  }

  /** Gives the filter's memory back to the node. */
  release(): void {
    this.filter?.release()
  }

  /** The most recent keys, at most `limit`, for a snapshot. */
  state(limit: number): KeyWindowState {
    let skip = Math.max(0, this.entries.size - limit)
    let coversFrom = this.coversFrom
    let uncoveredTime = this.uncoveredTime
    const keys: Array<readonly [string, string, number, number]> = []
    for (const [key, entry] of this.entries) {
      if (skip > 0) {
        skip--
        coversFrom = entry.version + 1
        uncoveredTime = entry.time
      } else keys.push([key, entry.fingerprint, entry.version, entry.time])
    }
    return { coversFrom, uncoveredTime, keys }
  }
}
