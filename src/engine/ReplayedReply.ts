/**
 * What a command that took place earlier did, for the answer to its replay.
 *
 * The wallet as of then is the wallet of now but for what its event says (balance, held sum,
 * version, time) and, where that has changed since, the profile.
 *
 * What was reversed since is answered as that, for ever.
 */
import * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import { OperationReversed, OutcomeUnknown } from "../actors/EngineError.ts"
import type { Seen } from "../actors/Mailbox.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import type { Profile } from "../domain/Profile.ts"
import { viewOf, type Wallet } from "../domain/Wallet.ts"
import type { WalletView } from "../stores/Persistence.ts"
import type { Effected } from "./Answers.ts"
import { makePastCommands } from "./PastCommands.ts"

export type ReplayedEffect = Pick<Effected, "wallet" | "events" | "holdBefore">

export const makeReplayedReply = Effect.gen(function* () {
  const pastCommand = yield* makePastCommands

  return Effect.fnUntraced(function* (seen: Seen): Effect.fn.Return<ReplayedEffect, CommandError> {
    const walletId = seen.current.id
    const { events, hold, profile, reversed } = yield* pastCommand(seen)
    const last = events.at(-1)
    if (reversed !== undefined) return yield* new OperationReversed({ walletId, reason: reversed, replayed: true })
    // The key was seen, so the log has the event: a log that does not answer it has not answered yet.
    if (last === undefined || profile === undefined) return yield* new OutcomeUnknown({ walletId, retryAfter: 1_000 })
    return { wallet: asOf(seen.current, profile, last), events, holdBefore: () => hold }
  })
})

/** The view after `recorded`. */
const asOf = (
  wallet: Wallet,
  { freeze, metadata, overdraftLimit, status }: Profile,
  recorded: RecordedEvent
): WalletView => ({
  ...viewOf(wallet),
  status,
  freeze,
  overdraftLimit,
  metadata,
  balance: recorded.event.balanceAfter,
  held: recorded.event.heldAfter,
  version: recorded.version,
  updatedAt: recorded.time
})
