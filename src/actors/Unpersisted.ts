/**
 * One wallet's events between the log and Persistence: committed, not yet accepted
 * there. With them goes what of the state may still be undone.
 */
import type { RecordedEvent } from "../domain/Event.ts"
import { Provisional } from "../domain/Provisional.ts"

interface RefusedOperation {
  readonly recorded: RecordedEvent
  readonly reason: string
}

export class Unpersisted {
  readonly provisional = new Provisional()
  /** By version, upwards; those before `first` are decided. */
  private events: Array<RecordedEvent> = []
  private first = 0
  /** Refused and not yet reversed, by version: they count as provisional until their reversal is in the log. */
  private readonly refused = new Map<number, RefusedOperation>()
  /** Refusals that came before the event itself did. */
  private readonly early = new Map<number, string>()

  /** Whether nothing is left to be decided. */
  get isEmpty(): boolean {
    return this.first === this.events.length && this.refused.size === 0
  }

  /** The event is in the log. The plan that made it has counted its share of `provisional`. */
  add(recorded: RecordedEvent): void {
    const reason = this.early.get(recorded.version)
    if (reason === undefined) {
      this.events.push(recorded)
      return
    }
    this.early.delete(recorded.version)
    this.refused.set(recorded.version, { recorded, reason })
  }

  /** An event of an earlier owner, read from the log. */
  addKnown(recorded: RecordedEvent): void {
    this.provisional.add(recorded.event)
    this.events.push(recorded)
  }

  addKnownRefused(recorded: RecordedEvent, reason: string): void {
    this.provisional.add(recorded.event)
    this.refused.set(recorded.version, { recorded, reason })
  }

  /** Persistence has decided on all events up to `version`. */
  decide(version: number): void {
    while (this.first < this.events.length && this.events[this.first]!.version <= version) {
      this.provisional.remove(this.events[this.first]!.event)
      this.first++
    }
    // The decided half is let go when it is the larger one: each event is moved once at most.
    if (this.first * 2 > this.events.length) {
      this.events = this.events.slice(this.first)
      this.first = 0
    }
  }

  /** Persistence has refused the event of that version; it says so before it says that it has decided on it. */
  refuse(version: number, reason: string): void {
    const index = this.events.findIndex((recorded, at) => at >= this.first && recorded.version === version)
    if (index < 0) {
      this.early.set(version, reason)
      return
    }
    const [recorded] = this.events.splice(index, 1)
    this.refused.set(version, { recorded: recorded!, reason })
  }

  isRefused(version: number): boolean {
    return this.refused.has(version)
  }

  /** The reversal of the event of that version is in the log. */
  reverse(version: number): void {
    const operation = this.refused.get(version)
    if (operation === undefined) return
    this.refused.delete(version)
    this.provisional.remove(operation.recorded.event)
  }
}
