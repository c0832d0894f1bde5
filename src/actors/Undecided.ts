/**
 * What of a wallet Persistence, where it is a store of its own, has not decided on:
 * found when the wallet is loaded, followed with every commit, and ended by what
 * Persistence says.
 */
import type * as Effect from "effect/Effect"
import type { RecordedEvent } from "../domain/Event.ts"
import type { Persistence } from "../stores/Persistence.ts"
import { StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import type { BatchPlan } from "./BatchPlan.ts"
import type { CommandError } from "./EngineError.ts"
import { openRefusalsOf } from "./OpenRefusals.ts"
import { UnpersistedEvents } from "./UnpersistedEvents.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"

/**
 * After the wallet's state was loaded: finds what of it Persistence has not decided on,
 * and what was refused and is not yet reversed. `false`: Persistence knows a later version
 * than the state that was loaded.
 */
export const loadUndecided = function* (
  actor: WalletActor,
  context: ActorContext
): Effect.fn.Return<boolean, CommandError> {
  const { persistence, pipeline } = context
  const { wallet, walletId } = actor
  actor.unpersisted = undefined
  actor.persistedVersion = -1
  actor.refusedMeanwhile = undefined
  if (wallet === undefined) return true
  const found = yield* persistence.persistedVersions([walletId])
  // In this order: a refusal that comes after these reads is of a later version, or it is told of.
  const open = yield* openRefusalsOf(persistence, walletId)
  // It may have been told of a later one meanwhile.
  const persisted = Math.max(found.get(walletId)?.version ?? -1, actor.persistedVersion)
  const { version } = wallet
  if (persisted > version) return false
  if (persisted < version) pipeline.startCatchUp(walletId)
  if (version - persisted > context.bounds.persistBehindEvents) {
    return yield* tooFarBehind(actor.walletId, version - persisted)
  }
  const unpersisted = new UnpersistedEvents()
  const reversed = new Set<number>()
  // What it was told of as refused while it read counts, too: that version is decided, and not by a yes.
  const refusals = [...open.keys(), ...(actor.refusedMeanwhile ?? [])]
  const after = Math.min(persisted, ...refusals.map((refused) => refused - 1))
  if (after < version) {
    yield* context.history.scan(walletId, { after, upTo: version }, (recorded) => {
      unpersisted.addKnown(recorded)
      if (open.has(recorded.version)) unpersisted.refuse(recorded.version)
      if (recorded.event._tag === "OperationReversed") reversed.add(recorded.event.reversedVersion)
    })
  }
  for (const refused of actor.refusedMeanwhile ?? []) unpersisted.refuse(refused)
  actor.refusedMeanwhile = undefined
  for (const refused of reversed) unpersisted.reverse(refused)
  actor.unpersisted = unpersisted
  yield* tellRefused(actor, persistence)
  decided(actor, persisted)
  for (const [refused, reason] of open) if (!reversed.has(refused)) context.compensate(walletId, refused, reason)
  return true
}

export const tooFarBehind = (walletId: string, events: number) =>
  new StoreUnavailable({
    store: "persistence",
    reason: `PostgreSQL is ${events} events behind wallet ${walletId}`,
    retryAfter: 1_000
  })

/** Who waits for a command that Persistence has refused: that it has decided must not be told as a yes. */
const tellRefused = function* (
  { pending, walletId }: WalletActor,
  persistence: Persistence["Service"]
): Effect.fn.Return<void, CommandError> {
  if (pending === undefined) return
  for (const { reason, reversedVersion, version } of yield* persistence.refusals(walletId)) {
    pending.refuse(version)
    if (reversedVersion !== null) pending.reversed(version, walletId, reason)
  }
}

/** To go on would give the missing versions to other events. */
export const aheadOfLog = (walletId: string, version: number | undefined) =>
  new StoreDefect({
    store: "persistence",
    reason: `PostgreSQL has events of wallet ${walletId} after version ${version ?? -1}, which the log does not have`
  })

/** The plan did not come to pass: its events leave no trace. */
export const discard = (actor: WalletActor, plan: BatchPlan): void => {
  const { unpersisted } = actor
  if (unpersisted === undefined) return
  for (const recorded of plan.events) unpersisted.provisional.remove(recorded.event)
  forgetIfDecided(actor)
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
  decided(actor, actor.persistedVersion)
}

/** Persistence has decided on all events up to `version`. */
export const decided = (actor: WalletActor, version: number): void => {
  if (version > actor.persistedVersion) actor.persistedVersion = version
  actor.unpersisted?.decide(version)
  forgetIfDecided(actor)
  actor.pending?.answerUpTo(version)
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
export const forgetIfDecided = (actor: WalletActor): void => {
  if (actor.unpersisted?.isEmpty === true) actor.unpersisted = undefined
}
