/**
 * One turn of a wallet's actor: the messages that it has taken from its mailbox, reads and
 * commands, until each has its reply. What fails a turn is the reply to all that is left of it.
 */
import * as Effect from "effect/Effect"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { notOwner, processCommands } from "./CommandBatch.ts"
import type { CommandError } from "./EngineError.ts"
import type { ActorError, Envelope, Inquiry, Message } from "./Mailbox.ts"
import { answer } from "./Mailbox.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"
import { isBehind, load } from "./WalletLoading.ts"

const nothing: ReadonlyArray<never> = []

/** Takes messages in hand: from now on they are replied to by the steps below or by the supervisor. */
export const begin = (actor: WalletActor, messages: ReadonlyArray<Message>): void => {
  const inquiries: Array<Inquiry> = []
  const envelopes: Array<Envelope> = []
  for (const message of messages) {
    if (message._tag === "Inquiry") inquiries.push(message)
    else if (message.stage === "waiting") {
      message.stage = "running"
      envelopes.push(message)
    }
  }
  actor.running = envelopes
  actor.inquiries = inquiries
  actor.lastTurn = messages.length
}

/** Replies to everything that is in hand. A failure is the reply to all that is left. */
export const work = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<void, ActorError> {
  // Whatever fails below is the reply to these, too: left in the mailbox they would be tried again without a pause.
  actor.takeUrgent()
  // Whatever is in memory may be out of date, and what is read from the log is out of date soon.
  if (context.ownership.epochOf(actor.partition) === undefined) return yield* notOwner(actor)
  if (!actor.loaded) yield* load(actor, context)
  if (actor.inquiries.length > 0) yield* replyToInquiries(actor, context)
  yield* processCommands(actor, context)
  actor.running = nothing
  actor.inquiries = nothing
}

/** After a failure: the same reply to all that is left, each an object of its own. */
export const failAll = (actor: WalletActor, reply: () => Effect.Effect<never, ActorError>): void => {
  for (const inquiry of actor.inquiries) inquiry.resume(reply())
  for (const envelope of actor.running) answer(envelope, reply())
  actor.running = nothing
  actor.inquiries = nothing
  actor.submitted = false
}

/** The state as of the last commit; a read that knows of a later version makes the wallet look again. */
const replyToInquiries = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<void, CommandError> {
  const wanted = Math.max(...actor.inquiries.map((inquiry) => inquiry.minVersion))
  if (wanted > (actor.wallet?.version ?? -1) && (yield* isBehind(actor, context))) yield* load(actor, context)
  for (const inquiry of actor.inquiries) {
    inquiry.resume(
      actor.wallet !== undefined && actor.wallet.version < inquiry.minVersion
        ? Effect.fail(notYet(actor, inquiry.minVersion))
        : Effect.succeed(actor.wallet)
    )
  }
}

const notYet = (actor: WalletActor, minVersion: number) =>
  new StoreUnavailable({
    store: "log",
    reason: `wallet ${actor.walletId} is at version ${actor.wallet?.version}, not yet at ${minVersion}`,
    retryAfter: 1_000
  })
