/**
 * From the verdicts of a batch that is in the log to the answers of its callers: at once
 * where that is all they wait for, else when Persistence has decided.
 */
import * as Effect from "effect/Effect"
import type { BatchPlan, Verdict } from "./BatchPlan.ts"
import type { Envelope, Reply } from "./Mailbox.ts"
import { answer } from "./Mailbox.ts"
import { PendingReplies } from "./PendingReplies.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"

/** Must not throw: nothing that follows may be lost with an answer. */
export const reply = (
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
    else replyWhenDurable(actor, envelope, replyOf(actor, verdict, verdicts), context)
  }
}

const replyWhenDurable = (actor: WalletActor, envelope: Envelope, reply: Reply, context: ActorContext): void => {
  // A caller who has been told by then is not to be counted among those who wait.
  if (envelope.stage === "answered") return
  const version = reply._tag === "Done" ? reply.wallet.version : reply.version
  // A command that changed nothing tells of an event that is not its own.
  const own = reply._tag === "Seen" || reply.events.length > 0
  const refused = own && actor.unpersisted?.isRefused(version) === true
  const enough = reply.persisted || envelope.await === "committed"
  if (!refused && (enough || context.waiting.callers >= context.bounds.persistWaitingCallers)) {
    answer(envelope, Effect.succeed(reply))
    return
  }
  const waiting = { version, envelope, reply: { ...reply, persisted: false }, own }
  actor.pending ??= new PendingReplies(context.waiting)
  if (refused) actor.pending.addRefused(waiting)
  else actor.pending.add(waiting)
  context.awaiting(actor)
}

const replyOf = (
  actor: WalletActor,
  verdict: Exclude<Verdict, { readonly _tag: "Rejected" }>,
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
  const { before, events, wallet } = accepted
  const persisted = wallet.version <= actor.persistedVersion
  return { _tag: "Done", before, wallet, events, replayed: verdict._tag === "Same", persisted }
}
