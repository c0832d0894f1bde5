/**
 * What commands did that took place earlier, for the answers to their replays. Those that ask
 * in the same moment are answered together: a batch of a thousand replays costs a few reads.
 *
 * A log that is one with its rows tells by look-ups (`EventStore.pastCommands`). Of another,
 * or where a row is missing, the events are read in runs, and the wallet is folded once for
 * all of its versions.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"
import * as Result from "effect/Result"
import type { CommandError } from "../actors/EngineError.ts"
import type { Seen } from "../actors/Mailbox.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import { type Profile, profileOf } from "../domain/Profile.ts"
import { heldBefore } from "../domain/HoldEvents.ts"
import type { Hold } from "../domain/Wallet.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { openHolds } from "./Answers.ts"
import { makeReversalReasons } from "./ReversalReasons.ts"

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
