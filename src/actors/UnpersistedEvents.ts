/**
 * One wallet's events between the log and Persistence: committed, not yet accepted
 * there. With them goes what of the state may still be undone.
 */
import type { RecordedEvent } from "../domain/Event.ts"
import { Provisional } from "../domain/Provisional.ts"
import type { RefundedLeg } from "../domain/Refund.ts"
import { refundsMade } from "../domain/RefundRules.ts"

export class UnpersistedEvents {
  readonly provisional = new Provisional()
  /** By version, upwards; those before `first` are resolved. */
  private events: Array<RecordedEvent> = []
  private first = 0
  /** Refused and not yet reversed, by version: they count as provisional until their reversal is in the log. */
  private readonly refused = new Map<number, RecordedEvent>()
  /** Versions that were refused before the event itself came here. */
  private readonly refusedEarly = new Set<number>()
  /** Versions whose reversal came here before the news that they were refused. */
  private readonly reversedEarly = new Set<number>()

  /** Whether nothing is left to be resolved, not even of a plan that is on its way to the log. */
  get isEmpty(): boolean {
    return this.first === this.events.length && this.refused.size === 0 && this.provisional.size === 0
  }

  /** Events that Persistence has neither accepted nor refused. */
  get size(): number {
    return this.events.length - this.first
  }

  /** The event is in the log. The plan that made it has counted its share of `provisional`. */
  add(recorded: RecordedEvent): void {
    if (this.refusedEarly.delete(recorded.version)) this.hold(recorded)
    else this.events.push(recorded)
  }

  /** An event of an earlier owner, or of an earlier activation, read from the log. */
  addKnown(recorded: RecordedEvent): void {
    this.provisional.add(recorded.event)
    this.add(recorded)
  }

  /** Persistence has accepted or refused all events up to `version`. */
  resolveUpTo(version: number): void {
    while (this.first < this.events.length && this.events[this.first]!.version <= version) {
      this.provisional.remove(this.events[this.first]!.event)
      this.first++
    }
    for (const reversed of this.reversedEarly) if (reversed <= version) this.reversedEarly.delete(reversed)
    // The resolved half is let go when it is the larger one: each event is moved once at most.
    if (this.first * 2 > this.events.length) {
      this.events = this.events.slice(this.first)
      this.first = 0
    }
  }

  /** Persistence has refused the event of that version; it says so before it says that it has decided on it. */
  refuse(version: number): void {
    if (this.reversedEarly.has(version)) return
    const refused = this.take(version)
    if (refused !== undefined) this.hold(refused)
    else if (!this.refused.has(version)) this.refusedEarly.add(version)
  }

  isRefused(version: number): boolean {
    return this.refused.has(version)
  }

  /** Whether a refund of that original was refused, and its reversal is not in the log yet. */
  hasRefusedRefund({ leg, of }: RefundedLeg): boolean {
    for (const refused of this.refused.values()) {
      if (refundsMade(refused).some((made) => made.of === of && made.leg === leg)) return true
    }
    return false
  }

  /** The reversal of the event of that version is in the log. */
  reverse(version: number): void {
    const refused = this.refused.get(version)
    const operation = refused ?? this.take(version)
    if (operation === undefined) return
    if (refused === undefined) this.reversedEarly.add(version)
    this.refused.delete(version)
    this.provisional.remove(operation.event)
  }

  /** Until its reversal is in the log. */
  private hold(refused: RecordedEvent): void {
    this.refused.set(refused.version, refused)
  }

  /** Out of those that Persistence has neither accepted nor refused. */
  private take(version: number): RecordedEvent | undefined {
    const index = this.events.findIndex((recorded, at) => at >= this.first && recorded.version === version)
    return index < 0 ? undefined : this.events.splice(index, 1)[0]
  }
}
