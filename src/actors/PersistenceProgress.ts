/**
 * How far Persistence, where it is a store of its own, has come with a wallet: its events that are
 * committed and not yet accepted there, and with them what of the state may still be undone. Every
 * commit adds to them, what the pipeline tells takes away from them, and a command that would build
 * on what may still be undone waits for that.
 */
import type * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { RecordedEvent } from "../domain/Event.ts"
import { Provisional } from "../domain/Provisional.ts"
import type { RefundedLeg } from "../domain/Refund.ts"
import { refundsMade } from "../domain/RefundRules.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import type { BatchPlan } from "./BatchPlan.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import type { WalletActor } from "./WalletActor.ts"

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

/** The plan did not come to pass: its events leave no trace. */
export const discard = (actor: WalletActor, plan: BatchPlan): void => {
  const { unpersisted } = actor
  if (unpersisted === undefined) return
  for (const recorded of plan.events) unpersisted.provisional.remove(recorded.event)
  forgetIfPersisted(actor)
}

/** The events are in the log, on their way to Persistence; a reversal ends what the reversed one had left open. */
export const follow = (actor: WalletActor, events: ReadonlyArray<RecordedEvent>): void => {
  const unpersisted = (actor.unpersisted ??= new UnpersistedEvents())
  for (const recorded of events) {
    unpersisted.add(recorded)
    if (recorded.event._tag === "OperationReversed") unpersisted.reverse(recorded.event.reversedVersion)
  }
  for (const { event } of events) {
    if (event._tag === "OperationReversed") {
      // Its refusal may have been found by somebody else, and be told here later.
      actor.pending?.refuse(event.reversedVersion)
      actor.pending?.reversed(event.reversedVersion, actor.walletId, event.reason)
    }
  }
  persisted(actor, actor.persistedVersion)
}

/** Persistence has accepted or refused all events up to `version`. */
export const persisted = (actor: WalletActor, version: number): void => {
  if (version > actor.persistedVersion) actor.persistedVersion = version
  actor.unpersisted?.resolveUpTo(version)
  forgetIfPersisted(actor)
  actor.pending?.replyUpTo(version)
  if (actor.pending?.isEmpty === true) actor.pending = undefined
  actor.unpark()
}

/** Persistence has refused that event; its reversal is on its way. */
export const refused = (actor: WalletActor, version: number): void => {
  actor.pending?.refuse(version)
  if (actor.loaded) (actor.unpersisted ??= new UnpersistedEvents()).refuse(version)
  else (actor.refusedMeanwhile ??= new Set()).add(version)
}

/**
 * The event of that version was refused, and is reversed. One that does not know of the
 * reversal has lost the wallet without noticing: it tells the callers, and what it has in
 * memory is worth nothing any more.
 */
export const reversed = (actor: WalletActor, version: number, reason: string): void => {
  actor.replyToLast()
  actor.pending?.refuse(version)
  actor.pending?.reversed(version, actor.walletId, reason)
  if (actor.pending?.isEmpty === true) actor.pending = undefined
  // Its reversal would have been a later change of the profile.
  if (actor.profileVersion < version) actor.loaded = false
}

/** An idle wallet keeps nothing of this. */
export const forgetIfPersisted = (actor: WalletActor): void => {
  if (actor.unpersisted?.isEmpty === true) actor.unpersisted = undefined
}

/**
 * The first command in hand would build on what Persistence may still refuse. Ends when
 * Persistence has decided, when the engine has something more urgent, or the first caller
 * has gone. Callers who were told meanwhile that nothing has happened are right: they are
 * left out.
 */
export const untilPersisted = function* (actor: WalletActor): Effect.fn.Return<void> {
  const { persistedVersion } = actor
  yield* Metric.update(EngineMetrics.parkedCommands, 1)
  const isOver =
    actor.stopped ||
    actor.persistedVersion !== persistedVersion ||
    actor.mailbox.hasUrgent ||
    actor.running[0]!.stage === "answered"
  if (!isOver) yield* actor.park()
  actor.running = actor.running.filter((envelope) => envelope.stage !== "answered")
}

export const tooFarBehind = (walletId: string, events: number) =>
  new StoreUnavailable({
    store: "persistence",
    reason: `PostgreSQL is ${events} events behind wallet ${walletId}`,
    retryAfter: 1_000
  })
