/**
 * What follows when a batch has come to pass: the state moves, the keys are remembered, a
 * snapshot is asked for if one is due, and the callers are replied to, each at once where
 * the log is all that it waits for, else when Persistence has decided.
 */
import * as Effect from "effect/Effect"
import { changesProfile } from "../domain/Profile.ts"
import type { BatchPlan, Verdict } from "./BatchPlan.ts"
import type { Envelope, Reply } from "./Mailbox.ts"
import { answer } from "./Mailbox.ts"
import { PendingReplies } from "./PendingReplies.ts"
import { follow, forgetIfPersisted } from "./PersistenceProgress.ts"
import { type ActorContext, snapshot, type WalletActor } from "./WalletActor.ts"

const nothing: ReadonlyArray<never> = []

/** The events of the plan are in the log. Replies are made after the next append is on its way. */
export const committed = (
  actor: WalletActor,
  batch: ReadonlyArray<Envelope>,
  plan: BatchPlan,
  context: ActorContext
): void => {
  actor.replyToLast()
  moveState(actor, plan, context)
  if (plan.events.length === 0) replyToBatch(actor, batch, plan, context)
  else {
    const replies = () => replyToBatch(actor, batch, plan, context)
    actor.unreplied = replies
    context.writer.afterSend(() => actor.replyToLast())
  }
  // What follows can fail; these commands no longer can.
  const decided = plan.verdicts.length
  actor.running = decided === actor.running.length ? nothing : actor.running.slice(decided)
}

/** What is in the log of a wallet now. */
export type Moved = Pick<BatchPlan, "events" | "wallet" | "facts" | "spent">

export const moveState = (actor: WalletActor, plan: Moved, context: ActorContext): void => {
  if (plan.events.length === 0) return forgetIfPersisted(actor)
  const wallet = plan.wallet!
  const keys = actor.keys!
  actor.wallet = wallet
  actor.facts = plan.facts
  actor.spent = plan.spent
  for (const recorded of plan.events) {
    keys.add(recorded)
    if (changesProfile(recorded.event)) actor.profileVersion = recorded.version
  }
  if (context.pipeline.separate) {
    follow(actor, plan.events)
    if (keys.filter?.isDue === true) context.segments.store(actor.walletId, keys)
  }
  context.resized(actor)
  if (wallet.version - actor.snapshotVersion >= context.bounds.snapshotEvents) snapshot(actor, context)
}

/** Must not throw: nothing that follows may be lost with a reply. */
const replyToBatch = (
  actor: WalletActor,
  batch: ReadonlyArray<Envelope>,
  plan: BatchPlan,
  context: ActorContext
): void => {
  const { verdicts } = plan
  for (let i = 0; i < verdicts.length; i++) {
    const envelope = batch[i]!
    const verdict = verdicts[i]!
    if (verdict._tag === "Rejected") answer(envelope, Effect.fail(verdict.error))
    else if (verdict._tag === "Defect") answer(envelope, Effect.die(verdict.defect))
    else if (verdict._tag === "Tried") answer(envelope, Effect.succeed(triedReply(verdict)))
    else replyWhenDurable(actor, envelope, replyOf(actor, verdict, verdicts), context)
  }
}

/** Nothing of it is anywhere, so there is nothing to wait for. */
const triedReply = ({ before, events, wallet }: Extract<Verdict, { readonly _tag: "Tried" }>): Reply => ({
  _tag: "Done",
  before,
  wallet,
  events,
  replayed: false,
  persisted: false
})

const replyWhenDurable = (actor: WalletActor, envelope: Envelope, reply: Reply, context: ActorContext): void => {
  // A caller who has been told by then is not to be counted among those who wait.
  if (envelope.stage === "answered") return
  const version = reply._tag === "Done" ? reply.wallet.version : reply.version
  const refused = actor.unpersisted?.isRefused(version) === true
  const enough = reply.persisted || envelope.await === "committed"
  if (!refused && (enough || context.waiting.callers >= context.bounds.persistWaitingCallers)) {
    answer(envelope, Effect.succeed(reply))
    return
  }
  const waiting = { version, envelope, reply: { ...reply, persisted: false } }
  actor.pending ??= new PendingReplies(context.waiting)
  if (refused) actor.pending.addRefused(waiting)
  else actor.pending.add(waiting)
  context.awaiting(actor)
}

const replyOf = (
  actor: WalletActor,
  verdict: Exclude<Verdict, { readonly _tag: "Rejected" | "Defect" | "Tried" }>,
  verdicts: ReadonlyArray<Verdict>
): Reply => {
  if (verdict._tag === "Seen") {
    const { profileVersion } = actor
    const persisted = verdict.version <= actor.persistedVersion
    return { _tag: "Seen", version: verdict.version, current: actor.wallet!, profileVersion, persisted }
  }
  const accepted = verdict._tag === "Accepted" ? verdict : verdicts[verdict.first]!
  // `first` is an accepted command by construction of the plan.
  if (accepted._tag !== "Accepted") throw new Error("a repeated command without its first")
  const { before, completion, events, wallet } = accepted
  const persisted = wallet.version <= actor.persistedVersion
  return { _tag: "Done", before, wallet, events, replayed: verdict._tag === "Same", persisted, completion }
}
