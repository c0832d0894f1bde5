/**
 * The idempotency keys a wallet remembers in memory: the most recent ones, in
 * order, with the version from which on they are complete.
 */
import type { CommandKey, RecordedEvent } from "../domain/Event.ts"
import type { SeenKey } from "../stores/Persistence.ts"

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

  constructor(capacity: number, state?: KeyWindowState) {
    this.capacity = capacity
    this.coversFrom = state?.coversFrom ?? 0
    this.uncoveredTime = state?.uncoveredTime ?? -1
    if (state !== undefined) {
      for (const [key, fingerprint, version, time] of state.keys) {
        this.entries.set(key, { fingerprint, version, time })
      }
    }
  }

  /** Whether no key younger than `retentionMillis` can be missing. */
  isComplete(now: number, retentionMillis: number): boolean {
    return this.coversFrom <= 0 || this.uncoveredTime < now - retentionMillis
  }

  /** Whether every key of the wallet's whole life is here. */
  get isWhole(): boolean {
    return this.coversFrom <= 0
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
      this.coversFrom = entry.version + 1
      this.uncoveredTime = entry.time
      break
    }
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
