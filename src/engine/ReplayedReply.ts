/**
 * What a command that took place earlier did, for the answer to its replay.
 *
 * Its events are read from the log. The wallet as of then is the wallet of now but
 * for what every event carries itself, unless something rarer (status, overdraft
 * limit, metadata) has changed since: only then the state is folded again.
 *
 * What was reversed since is answered as that, for ever: the reversal has a key of its
 * own, made of the version that it reverses, and is found as every key is.
 */
import * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import { OperationReversed, OutcomeUnknown } from "../actors/EngineError.ts"
import type { Seen } from "../actors/Mailbox.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import { type Hold, viewOf, type Wallet } from "../domain/Wallet.ts"
import type { WalletView } from "../stores/Persistence.ts"
import { Persistence } from "../stores/Persistence.ts"
import type { Effected } from "./Answers.ts"
import { openHolds } from "./Answers.ts"

/** So many events after a command its reversal is looked for in the log: one page of it. */
const nearEvents = 500

export type ReplayedEffect = Pick<Effected, "wallet" | "events" | "holdBefore">

export const makeReplayedReply = Effect.gen(function* () {
  const history = yield* WalletHistory
  const persistence = yield* Persistence
  /** Where an append writes Persistence, what is refused never comes to the log. */
  const { separate } = yield* WritePipeline

  /** A hold with the fields that never change; `undefined`: it is closed, and Persistence does not have it yet. */
  const holdNow = (wallet: Wallet, holdId: string): Effect.Effect<Hold | undefined, CommandError> => {
    const open = openHolds(wallet)(holdId)
    return open === undefined ? persistence.hold(wallet.id, holdId) : Effect.succeed(open)
  }

  /** Why the event of that version was reversed; `undefined`: it was not, up to `upTo`. */
  const reversalOf = Effect.fnUntraced(function* (
    walletId: string,
    version: number,
    upTo: number
  ): Effect.fn.Return<string | undefined, CommandError> {
    let reason: string | undefined
    const look = ({ event }: RecordedEvent) => {
      if (event._tag === "OperationReversed" && event.reversedVersion === version) reason = event.reason
    }
    const inLog = (after: number) => history.scan(walletId, { after, upTo }, look)
    // A retry comes soon as a rule, and needs no Persistence then, which may be just what is away.
    if (upTo - version <= nearEvents) {
      yield* inLog(version)
      return reason
    }
    const found = (yield* persistence.findKeys([{ walletId, keys: [`e:reverse:${version}`] }]))[0]!
    const reversal = found.seen[0]
    if (reversal !== undefined) (yield* history.commandEvents(walletId, reversal.version)).forEach(look)
    else if (found.persistedVersion < upTo) yield* inLog(Math.max(version, found.persistedVersion))
    return reason
  })

  return Effect.fnUntraced(function* (seen: Seen): Effect.fn.Return<ReplayedEffect, CommandError> {
    const { current, profileVersion, version } = seen
    const walletId = current.id
    const events = yield* history.commandEvents(walletId, version)
    // The key was seen, so the log has the event: a log that does not answer it has not answered yet.
    if (events.length === 0) return yield* new OutcomeUnknown({ walletId, retryAfter: 1_000 })
    const last = events[events.length - 1]!
    if (events[0]!.version > profileVersion) {
      const holdId = heldBefore(events)
      const hold = holdId === undefined ? undefined : yield* holdNow(current, holdId)
      if (holdId === undefined || hold !== undefined) {
        return { wallet: asOf(current, last), events, holdBefore: () => hold }
      }
    }
    const reason = separate ? yield* reversalOf(walletId, version, current.version) : undefined
    if (reason !== undefined) return yield* new OperationReversed({ walletId, reason, replayed: true })
    const before = events[0]!.version === 0 ? undefined : yield* history.atVersion(walletId, events[0]!.version - 1)
    const wallet = yield* history.atVersion(walletId, version)
    if (wallet === undefined) return yield* new OutcomeUnknown({ walletId, retryAfter: 1_000 })
    return { wallet, events, holdBefore: openHolds(before) }
  })
})

/** The hold that a capture or release was about. */
const heldBefore = (events: ReadonlyArray<RecordedEvent>): string | undefined => {
  for (const { event } of events) {
    if (event._tag === "HoldCaptured" || event._tag === "HoldReleased") return event.holdId
  }
  return undefined
}

/** The view after `recorded`, of a wallet whose profile has not changed since. Its holds and transfers have. */
const asOf = (wallet: Wallet, recorded: RecordedEvent): WalletView => ({
  ...viewOf(wallet),
  balance: recorded.event.balanceAfter,
  held: recorded.event.heldAfter,
  version: recorded.version,
  updatedAt: recorded.time
})
