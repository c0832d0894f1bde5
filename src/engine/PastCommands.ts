/**
 * What commands did that took place earlier, for the answers to their replays. Those that ask
 * in the same moment are answered together: a batch of a thousand replays costs a few reads.
 *
 * A log that is one with its rows tells by look-ups (`EventStore.pastCommands`). Of another,
 * or where a row is missing, the events are read in runs, and the wallet is folded once for
 * all of its versions.
 *
 * The wallet as of then is the wallet of now but for what its event says (balance, held sum,
 * version, time) and, where that has changed since, the profile.
 *
 * What was reversed since is answered as that, for ever. Why, a log of its own tells by the reversal: that has a
 * key of its own, made of the version that it reverses, and is found as every key is.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"
import * as Result from "effect/Result"
import { type CommandError, OperationReversed, OutcomeUnknown } from "../actors/EngineError.ts"
import type { Seen } from "../actors/Mailbox.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import { heldBefore } from "../domain/HoldEvents.ts"
import { profileOf, type Profile } from "../domain/Profile.ts"
import { type Hold, viewOf, type Wallet } from "../domain/Wallet.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence, type WalletView } from "../stores/Persistence.ts"
import { type Effected, openHolds } from "./Answers.ts"

/** So many events after a command its reversal is looked for in the log: one page of it. */
const nearEvents = 500

export const makeReversalReasons = Effect.gen(function* () {
  const history = yield* WalletHistory
  const persistence = yield* Persistence

  /** By the version of the command's last event; those that were not reversed are not in it. */
  return Effect.fnUntraced(function* (
    walletId: string,
    asked: ReadonlyArray<Seen>
  ): Effect.fn.Return<ReadonlyMap<number, string>, CommandError> {
    const reasons = new Map<number, string>()
    const look = ({ event }: RecordedEvent) => {
      if (event._tag === "OperationReversed") reasons.set(event.reversedVersion, event.reason)
    }
    const upTo = Math.max(...asked.map(({ current }) => current.version))
    // A retry comes soon as a rule, and needs no Persistence then, which may be just what is away.
    let from = upTo
    const far: Array<number> = []
    for (const { version } of asked) {
      if (upTo - version <= nearEvents) from = Math.min(from, version)
      else far.push(version)
    }
    if (far.length > 0) {
      const keys = far.map((version) => `e:reverse:${version}`)
      const { persistedVersion, seen } = (yield* persistence.findKeys([{ walletId, keys }]))[0]!
      const versions = seen.map(({ version }) => version).sort((a, b) => a - b)
      for (const events of (yield* history.commandsAt(walletId, versions)).values()) events.forEach(look)
      // What Persistence does not have yet the log tells.
      if (persistedVersion < upTo) from = Math.min(from, Math.max(Math.min(...far), persistedVersion))
    }
    yield* history.scan(walletId, { after: from, upTo }, look)
    return reasons
  })
})

/** Commands that are looked for together. */
const batchCommands = 1_000

/** Holds that are looked for at once, where each takes a question. */
const concurrentHolds = 16

export interface PastEffect {
  /** None: the stream does not reach them. */
  readonly events: ReadonlyArray<RecordedEvent>
  /** After its last event; `undefined`: the log has not answered it. */
  readonly profile: Profile | undefined
  /** The hold that it captured or released; of it only what never changes is as it was. */
  readonly hold: Hold | undefined
  /** Why it was reversed since; `undefined`: it was not. */
  readonly reversed: string | undefined
}

type Answer = Result.Result<PastEffect, CommandError>

class AskPast extends Request.Class<{ readonly seen: Seen }, PastEffect, CommandError> {}

/** Whether something that not every event says of the wallet has changed since. */
const isStale = ({ profileVersion, version }: Seen): boolean => version < profileVersion

/** One answer for each, in order; a failure of the store's is that of all. */
type Find = (asked: ReadonlyArray<Seen>) => Effect.Effect<ReadonlyArray<Answer>, CommandError>

export const makePastCommands = Effect.gen(function* () {
  const find = yield* makeFind
  const resolver = RequestResolver.make<AskPast>((entries) =>
    Effect.map(find(entries.map(({ request }) => request.seen)), (answers) => {
      for (const [index, entry] of entries.entries())
        entry.completeUnsafe(Result.match(answers[index]!, { onFailure: Exit.fail, onSuccess: Exit.succeed }))
    })
  ).pipe(RequestResolver.batchN(batchCommands))
  return (seen: Seen): Effect.Effect<PastEffect, CommandError> => Effect.request(new AskPast({ seen }), resolver)
})

const makeFind = Effect.gen(function* () {
  const { pastCommands } = yield* EventStore
  const fromLog = yield* makeFromLog
  if (pastCommands === undefined) return fromLog
  const find: Find = Effect.fnUntraced(function* (asked) {
    const found = yield* pastCommands(
      asked.map((seen) => ({ walletId: seen.current.id, version: seen.version, profile: isStale(seen) }))
    )
    const answers = found.map((past, index): Answer | undefined => {
      if (Result.isFailure(past)) return Result.fail(past.failure)
      const { events, profile = isStale(asked[index]!) ? undefined : profileOf(asked[index]!.current) } = past.success
      const holdId = heldBefore(events)
      const hold = holdId === undefined ? undefined : (openHolds(asked[index]!.current)(holdId) ?? past.success.hold)
      const isWhole = profile !== undefined && (holdId === undefined || hold !== undefined)
      return isWhole ? Result.succeed({ events, profile, hold, reversed: undefined }) : undefined
    })
    const missing = asked.filter((_, index) => answers[index] === undefined)
    if (missing.length === 0) return answers as ReadonlyArray<Answer>
    const rest = (yield* fromLog(missing)).values()
    return answers.map((answer) => answer ?? rest.next().value!)
  })
  return find
})

/** By wallet, one after the other: so that replays of many wallets never hold more than one connection of the store. */
const makeFromLog = Effect.gen(function* () {
  const ofWallet = yield* makeOfWallet
  const find: Find = Effect.fnUntraced(function* (asked) {
    const byWallet = new Map<string, Array<Seen>>()
    for (const seen of asked) {
      const own = byWallet.get(seen.current.id)
      if (own === undefined) byWallet.set(seen.current.id, [seen])
      else own.push(seen)
    }
    const answers = new Map<Seen, Answer>()
    for (const own of byWallet.values()) {
      const found = yield* Effect.result(ofWallet(own))
      for (const seen of own) {
        answers.set(
          seen,
          Result.flatMap(found, (effects): Answer => Result.succeed(effects.get(seen)!))
        )
      }
    }
    return asked.map((seen) => answers.get(seen)!)
  })
  return find
})

const ascending = (versions: Iterable<number>): ReadonlyArray<number> => [...new Set(versions)].sort((a, b) => a - b)

/** What several commands of one wallet did: its events in runs, and one fold at most. */
const makeOfWallet = Effect.gen(function* () {
  const history = yield* WalletHistory
  const persistence = yield* Persistence
  /** Where an append writes Persistence, what is refused never comes to the log. */
  const { separate } = yield* WritePipeline
  const reasonsOf = yield* makeReversalReasons

  const holdsOf = Effect.fnUntraced(function* (asked: ReadonlyArray<Seen>, events: (seen: Seen) => EventsOf) {
    const holds = new Map<Seen, Hold | undefined>()
    const look = (seen: Seen) => {
      const holdId = heldBefore(events(seen))
      if (holdId === undefined) return Effect.void
      const open = openHolds(seen.current)(holdId)
      const hold = open === undefined ? persistence.hold(seen.current.id, holdId) : Effect.succeed(open)
      return Effect.map(hold, (found) => holds.set(seen, found))
    }
    yield* Effect.forEach(asked, look, { concurrency: concurrentHolds, discard: true })
    return holds
  })

  return Effect.fnUntraced(function* (
    asked: ReadonlyArray<Seen>
  ): Effect.fn.Return<ReadonlyMap<Seen, PastEffect>, CommandError> {
    const walletId = asked[0]!.current.id
    const commands = yield* history.commandsAt(walletId, ascending(asked.map(({ version }) => version)))
    const eventsOf = ({ version }: Seen): EventsOf => commands.get(version) ?? []
    const stale = asked.filter((seen) => isStale(seen) && eventsOf(seen).length > 0)
    const reasons = separate && stale.length > 0 ? yield* reasonsOf(walletId, stale) : noReasons
    const holds = yield* holdsOf(
      asked.filter(({ version }) => !reasons.has(version)),
      eventsOf
    )

    const profiles = new Map<number, Profile | undefined>()
    const before = new Map<number, (holdId: string) => Hold | undefined>()
    for (const seen of stale) if (!reasons.has(seen.version)) profiles.set(seen.version, undefined)
    for (const [seen, hold] of holds) if (hold === undefined) before.set(eventsOf(seen)[0]!.version - 1, noHold)
    yield* history.atVersions(walletId, ascending([...profiles.keys(), ...before.keys()]), (wallet) => {
      if (profiles.has(wallet.version)) profiles.set(wallet.version, profileOf(wallet))
      if (before.has(wallet.version)) before.set(wallet.version, openHolds(wallet))
    })

    return new Map(
      asked.map((seen): readonly [Seen, PastEffect] => {
        const events = eventsOf(seen)
        const holdId = heldBefore(events)
        const hold =
          holdId === undefined ? undefined : (holds.get(seen) ?? before.get(events[0]!.version - 1)?.(holdId))
        const profile = isStale(seen) ? profiles.get(seen.version) : profileOf(seen.current)
        return [seen, { events, profile, hold, reversed: reasons.get(seen.version) }]
      })
    )
  })
})

type EventsOf = ReadonlyArray<RecordedEvent>

const noReasons: ReadonlyMap<number, string> = new Map()
const noHold = () => undefined

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
