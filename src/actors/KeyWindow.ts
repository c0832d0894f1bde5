/**
 * The idempotency keys a wallet remembers in memory: the most recent ones, in
 * order, with the version from which on they are complete. Those that it has to let
 * go leave a trace in a filter, which knows for certain what was never there.
 */
import type { CommandKey, RecordedEvent } from "../domain/Event.ts"
import type { SeenKey } from "../stores/Persistence.ts"
import { keyBytes } from "./ActorSize.ts"
import { KeyFilter, type KeyFilterBudget } from "./KeyFilter.ts"

interface Entry {
  readonly fingerprint: string
  readonly version: number
}

export interface KeyWindowState {
  readonly coversFrom: number
  readonly keys: ReadonlyArray<readonly [key: string, fingerprint: string, version: number]>
}

export class KeyWindow {
  private readonly capacity: number
  private readonly entries = new Map<string, Entry>()
  /** Keys of all events from this version on are here. */
  coversFrom: number
  /** Memory that the keys take, about; without the filter, which has a budget of its own. */
  bytes = 0
  readonly budget: KeyFilterBudget
  /** Of all keys before `coversFrom`. `undefined`: nothing is known of them, or there are none. */
  filter: KeyFilter | undefined = undefined
  /** Whether stored segments may have the keys that are not here. Only where they are stored. */
  mayFindFilter = true

  constructor(capacity: number, budget: KeyFilterBudget, state?: KeyWindowState) {
    this.capacity = capacity
    this.budget = budget
    this.coversFrom = state?.coversFrom ?? 0
    if (state !== undefined) {
      for (const [key, fingerprint, version] of state.keys) {
        this.entries.set(key, { fingerprint, version })
        this.bytes += keyBytes(key, fingerprint)
      }
    }
  }

  /** Whether a key that is not here may be one that was let go. */
  mayHaveForgotten(key: CommandKey): boolean {
    return this.coversFrom > 0 && (this.filter === undefined || this.filter.has(key))
  }

  get(key: CommandKey): Pick<SeenKey, "fingerprint" | "version"> | undefined {
    return this.entries.get(key)
  }

  /** Events in the order of their versions. */
  add(recorded: RecordedEvent): void {
    const { key, fingerprint } = recorded.metadata
    const entry = { fingerprint, version: recorded.version }
    const { size } = this.entries
    this.entries.set(key, entry)
    if (this.entries.size === size) {
      // It was here, of the command's first event: its place is that of its last one.
      this.entries.delete(key)
      this.entries.set(key, entry)
      return
    }
    this.bytes += keyBytes(key, fingerprint)
    if (size >= this.capacity) this.letGo()
  }

  /** Lets go of all but the most recent ones. */
  shrink(limit: number): void {
    while (this.entries.size > limit) this.letGo()
  }

  /** A filter of all keys before `coversFrom`. */
  adopt(filter: KeyFilter): void {
    this.filter?.release()
    this.filter = filter
  }

  /** Gives the filter's memory back to the node. */
  release(): void {
    this.filter?.release()
    this.filter = undefined
  }

  /** The most recent keys, at most `limit`, for a snapshot. */
  state(limit: number): KeyWindowState {
    let skip = Math.max(0, this.entries.size - limit)
    let coversFrom = this.coversFrom
    const keys: Array<readonly [string, string, number]> = []
    for (const [key, entry] of this.entries) {
      if (skip > 0) {
        skip--
        coversFrom = entry.version + 1
      } else keys.push([key, entry.fingerprint, entry.version])
    }
    return { coversFrom, keys }
  }

  private letGo(): void {
    for (const [oldest, entry] of this.entries) {
      this.entries.delete(oldest)
      this.bytes -= keyBytes(oldest, entry.fingerprint)
      // One that does not begin with the first key would never be complete.
      if (this.coversFrom === 0) this.filter ??= new KeyFilter(this.budget)
      if (this.filter?.add(oldest, entry.version) === false) this.filter = undefined
      this.coversFrom = entry.version + 1
      return
    }
  }
}
