/**
 * The idempotency keys a wallet remembers in memory: the most recent ones, in
 * order, with the version from which on they are complete. Those that it has to let
 * go leave a trace in a filter, which knows for certain what was never there.
 */
import type { CommandKey, RecordedEvent } from "../domain/Event.ts"
import type { SeenKey } from "../stores/Persistence.ts"
import { keyBytes } from "./ActorSize.ts"
import { KeyFilter, type KeyFilterBudget } from "./KeyFilter.ts"

export interface KeyWindowState {
  readonly coversFrom: number
  readonly keys: ReadonlyArray<readonly [key: string, fingerprint: string, version: number]>
}

/** Up to here it grows by a key at a time, and is no longer than it has to be: most wallets have few keys. */
const shortEntries = 16

export class KeyWindow {
  private readonly capacity: number
  /** The oldest first: where in `entries` each key's fingerprint stands, and behind it the version. */
  private readonly places = new Map<string, number>()
  /** One array for all keys of a wallet, of which it has a thousand: what full collections look at are objects. */
  private entries: Array<string | number> | undefined = undefined
  /** The place that was let go last; none is negative. */
  private free = -1
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
        this.places.set(key, this.place(fingerprint, version))
        this.bytes += keyBytes(key, fingerprint)
      }
    }
  }

  /** Whether a key that is not here may be one that was let go. */
  mayHaveForgotten(key: CommandKey): boolean {
    return this.coversFrom > 0 && (this.filter === undefined || this.filter.has(key))
  }

  get(key: CommandKey): Pick<SeenKey, "fingerprint" | "version"> | undefined {
    const place = this.places.get(key)
    if (place === undefined) return undefined
    return { fingerprint: this.fingerprintAt(place), version: this.versionAt(place) }
  }

  /** Events in the order of their versions. */
  add(recorded: RecordedEvent): void {
    const { key, fingerprint } = recorded.metadata
    const known = this.places.get(key)
    if (known !== undefined) {
      // It was here, of the command's first event: its turn is that of its last one.
      this.places.delete(key)
      this.places.set(key, known)
      this.entries![known] = fingerprint
      this.entries![known + 1] = recorded.version
      return
    }
    this.places.set(key, this.place(fingerprint, recorded.version))
    this.bytes += keyBytes(key, fingerprint)
    if (this.places.size > this.capacity) this.letGo()
  }

  /** Lets go of all but the most recent ones, of a wallet that leaves memory: but for one their places stay unused. */
  shrink(limit: number): void {
    while (this.places.size > limit) this.letGo()
  }

  private place(fingerprint: string, version: number): number {
    const { entries, free } = this
    if (entries === undefined) {
      this.entries = [fingerprint, version]
      return 0
    }
    const place = free < 0 ? entries.length : free
    if (place === entries.length && place < shortEntries) {
      this.entries = entries.concat(fingerprint, version)
      return place
    }
    this.free = -1
    entries[place] = fingerprint
    entries[place + 1] = version
    return place
  }

  private fingerprintAt(place: number): string {
    return this.entries![place] as string
  }

  private versionAt(place: number): number {
    return this.entries![place + 1] as number
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
    let skip = Math.max(0, this.places.size - limit)
    let coversFrom = this.coversFrom
    const keys: Array<readonly [string, string, number]> = []
    for (const [key, place] of this.places) {
      const version = this.versionAt(place)
      if (skip > 0) {
        skip--
        coversFrom = version + 1
      } else keys.push([key, this.fingerprintAt(place), version])
    }
    return { coversFrom, keys }
  }

  private letGo(): void {
    for (const [oldest, place] of this.places) {
      const version = this.versionAt(place)
      this.places.delete(oldest)
      this.bytes -= keyBytes(oldest, this.fingerprintAt(place))
      this.free = place
      // One that does not begin with the first key would never be complete.
      if (this.coversFrom === 0) this.filter ??= new KeyFilter(this.budget)
      if (this.filter?.add(oldest, version) === false) this.filter = undefined
      this.coversFrom = version + 1
      return
    }
  }
}
