/**
 * How far Persistence, where it is a store of its own, has come with a wallet: every commit
 * adds to what it has yet to accept, what the pipeline tells takes away from it, and a
 * command that would build on what may still be undone waits for that.
 */
import type * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { RecordedEvent } from "../domain/Event.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import type { BatchPlan } from "./BatchPlan.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import { UnpersistedEvents } from "./UnpersistedEvents.ts"
import type { WalletActor } from "./WalletActor.ts"

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
