/**
 * Writes commits to Persistence and finds out what stands in the way: a store that is
 * away is waited for, a gap is filled from the log, a user's refusal is narrowed down
 * to its command, a defect to its wallet. Nothing here is remembered: every step starts
 * from what Persistence and the log say.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type { Commit } from "../domain/Commit.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import { fold } from "../domain/Evolve.ts"
import { isReversible } from "../domain/EventKinds.ts"
import type { Wallet } from "../domain/Wallet.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { Checkpoint, PersistedVersion, Persistence, PersistOutcome } from "../stores/Persistence.ts"
import { Ended, type RowWriter, writeRows } from "../stores/RowWriter.ts"
import type { EventUnreadable, OperationRefused, ReadError } from "../stores/StoreError.ts"
import { StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import type { Outage } from "../stores/StoreOutages.ts"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import type { WalletHistory } from "../actors/WalletHistory.ts"
import type { PersistenceListener } from "../actors/WritePipeline.ts"
import type { HighWatermark } from "./HighWatermark.ts"
import type { VersionRange } from "./ReversibleEvents.ts"
import { findReversal } from "./Reversals.ts"

/** Events per page of a catch-up. */
const pageEvents = 500

/**
 * - `Written`: Persistence has decided on every event of the commit.
 * - `Behind`: Persistence lacks earlier events of the wallet.
 * - `Stopped`: this wallet's writing cannot go on, and nothing may be undone.
 */
export type WalletOutcome =
  | { readonly _tag: "Written" }
  | { readonly _tag: "Behind" }
  | {
      readonly _tag: "Stopped"
      readonly reason: string
      /** Persistence itself failed; else what it was given is at odds with it. */
      readonly storeFailed: boolean
    }

const written: WalletOutcome = { _tag: "Written" }
const behind: WalletOutcome = { _tag: "Behind" }
export const stopped = (reason: string): WalletOutcome => ({ _tag: "Stopped", reason, storeFailed: false })

export interface WriterContext {
  readonly bounds: ActorBounds
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly history: WalletHistory["Service"]
  /** Whom to tell; there is none until the actors are there. */
  readonly listener: () => PersistenceListener
  /** Told of every failed try, and with `undefined` that the store answers. */
  readonly failing: (reason: string | undefined) => void
  /** Of Persistence. */
  readonly outage: Outage
  /** Whether so many wallets have stopped that the store itself must be at fault: then all wait. */
  readonly storeAtFault: () => boolean
  /** Persistence itself fails at the rows of that wallet. */
  readonly storeFailed: (walletId: string) => void
  /** Says which rows may be given to Persistence. */
  readonly highWatermark: HighWatermark
  /** Whether nobody can have been told that one of these events is persisted. */
  readonly mayReverse: (walletId: string, versions: VersionRange) => Effect.Effect<boolean, ReadError>
  /** How many of these events, in their order, it is for this process to write. */
  readonly ownShare: (walletId: string, events: ReadonlyArray<RecordedEvent>) => Effect.Effect<number, ReadError>
  /** Takes one compensation out of this minute's allowance. */
  readonly mayCompensate: () => boolean
}

type WriteError = StoreUnavailable | StoreDefect | OperationRefused

/** 50 ms, doubling, at most 1 s, for ever. */
const pause = ({ persistRetryMaxMillis, persistRetryMillis }: ActorBounds) =>
  Schedule.min([Schedule.exponential(persistRetryMillis), Schedule.spaced(persistRetryMaxMillis)]).pipe(
    Schedule.jittered
  )

/** Tries again for as long as the store is away; a defect or a refusal is an answer. What the store throws is a defect of it. */
const retrying = <A, E extends WriteError>(
  context: WriterContext,
  write: Effect.Effect<A, E>
): Effect.Effect<A, Exclude<E, StoreUnavailable> | StoreDefect> =>
  write.pipe(
    Effect.timeoutOrElse({
      duration: context.bounds.persistTimeoutMillis,
      orElse: () => Effect.fail(noAnswer)
    }),
    Effect.catchDefect((defect) => Effect.fail(new StoreDefect({ store: "persistence", reason: String(defect) }))),
    Effect.tapError((error) => {
      if (error._tag === "OperationRefused") return Effect.void
      context.failing(error.message)
      // A refusal asks the log, too: who appends tells of that one.
      const isAway = error.store !== "log" && (error._tag === "StoreUnavailable" || context.storeAtFault())
      return Effect.andThen(
        Metric.update(EngineMetrics.persistRetries, 1),
        isAway
          ? context.outage.failed(rows, error.reason, "rows wait, and this is told again when it is back")
          : Effect.void
      )
    }),
    Effect.retry({
      schedule: pause(context.bounds),
      while: (error) => error._tag === "StoreUnavailable" || (error._tag === "StoreDefect" && context.storeAtFault())
    }),
    Effect.tap(() => {
      context.failing(undefined)
      return context.outage.isOn ? context.outage.answered(rows) : Effect.void
    }),
    Effect.catch((error) =>
      // Unreachable by the condition above; a defect, so that it can never pass for an answer.
      error._tag === "StoreUnavailable"
        ? Effect.die(error)
        : Effect.fail(error as Exclude<E, StoreUnavailable> | StoreDefect)
    )
  )

/** Who waits, in the outage of Persistence. */
const rows = "rows"

const noAnswer = new StoreUnavailable({ store: "persistence", reason: "it does not answer", retryAfter: 1_000 })

const failed = (context: WriterContext, walletId: string, error: StoreDefect): WalletOutcome => {
  if (error.store === "log") return stopped(error.message)
  context.storeFailed(walletId)
  return { _tag: "Stopped", reason: error.message, storeFailed: true }
}

/**
 * Events from `first` on that were there before can be refusals, made by somebody else and
 * perhaps reversed by a later owner of the wallet: that is told first.
 */
const tellFates = Effect.fnUntraced(function* (
  context: WriterContext,
  walletId: string,
  first: number
): Effect.fn.Return<void, StoreDefect> {
  const refusals = yield* retrying(context, context.persistence.refusals(walletId))
  const listener = context.listener()
  for (const { reason, reversedVersion, version } of refusals) {
    if (reversedVersion === null) listener.refused(walletId, version, reason)
    else if (version >= first) listener.reversed(walletId, version, reason)
  }
})

const outcomeOf = Effect.fnUntraced(function* (
  context: WriterContext,
  commit: Commit,
  outcome: PersistOutcome
): Effect.fn.Return<WalletOutcome> {
  const { events, walletId } = commit
  switch (outcome._tag) {
    case "Written": {
      if (outcome.before === true) {
        const told = yield* Effect.result(tellFates(context, walletId, events[0]!.version))
        if (Result.isFailure(told)) return failed(context, walletId, told.failure)
      }
      context.listener().persisted(walletId, events[events.length - 1]!.version)
      return written
    }
    case "Gap":
      return behind
    case "Diverged":
      return stopped(diverged(walletId, outcome.persistedVersion))
  }
})

const diverged = (walletId: string, version: number): string =>
  `LogDiverged: PostgreSQL has another event of wallet ${walletId} at or before version ${version} than the log; ` +
  `run: wallet verify, then wallet replay --wallet ${walletId}`

/** Outcomes are told as they come. Any failure may be one wallet's or one command's; none is left in the end. */
const rowWriter = (context: WriterContext): RowWriter<Commit, WalletOutcome, StoreDefect | OperationRefused> => ({
  write: (commits) => write(context, commits),
  divides: (_failure): _failure is StoreDefect | OperationRefused => true,
  before: ({ expectedVersion, walletId }) =>
    Effect.flatMap(stateAt(context, walletId, expectedVersion), (before) =>
      Result.isFailure(before) ? Effect.fail(new Ended(stopped(before.failure))) : Effect.succeed(before.success)
    ),
  failed: (commit, failure) =>
    failure._tag === "OperationRefused"
      ? refuseCommand(context, commit, failure.reason)
      : Effect.succeed(failed(context, commit.walletId, failure))
})

const write = (context: WriterContext, commits: ReadonlyArray<Commit>, checkpoint?: Checkpoint) =>
  Effect.flatMap(retrying(context, context.persistence.write(commits, checkpoint)), (outcomes) =>
    Effect.forEach(outcomes, (outcome, index) => outcomeOf(context, commits[index]!, outcome))
  )

/**
 * Writes one commit per wallet, all in one transaction if nothing stands in the way;
 * then `checkpoint` is recorded with them. Outcomes in the order of the commits.
 */
export const writeCommits = (
  context: WriterContext,
  commits: ReadonlyArray<Commit>,
  checkpoint?: Checkpoint
): Effect.Effect<ReadonlyArray<WalletOutcome>> =>
  writeRows(rowWriter(context), commits, write(context, commits, checkpoint))

const refusedForGood = ({ event, version, walletId }: RecordedEvent, why: string, reason: string): WalletOutcome =>
  stopped(`a rule of PostgreSQL refuses event ${version} (${event._tag}) of wallet ${walletId}, ${why}: ${reason}`)

/**
 * The refusal takes the place of the command's events; then they have to be reversed. Of
 * what may have been persisted before only those are refused that the log has reversed.
 */
const refuseCommand = Effect.fnUntraced(function* (
  context: WriterContext,
  commit: Commit,
  reason: string
): Effect.fn.Return<WalletOutcome> {
  const { events, walletId } = commit
  const first = events[0]!
  const fact = events.find((recorded) => !isReversible(recorded.event))
  if (fact !== undefined) return refusedForGood(fact, "which the engine never takes back", reason)
  const versions = { from: first.version, to: events[events.length - 1]!.version }
  const stillMay = context.mayReverse(walletId, versions)
  // Asked again while the rows are locked; here, so that no lock waits for a log that is away.
  const mayReverse = yield* readable(context, stillMay)
  if (Result.isFailure(mayReverse)) return stopped(mayReverse.failure)
  if (!mayReverse.success) return yield* refuseReversed(context, commit, reason)
  if (!context.mayCompensate()) {
    return stopped(`too many compensations: event ${first.version} of wallet ${walletId} is not reversed: ${reason}`)
  }
  const refused = yield* writeRefusal(context, commit, reason, stillMay)
  if (refused !== undefined) return refused
  yield* Metric.update(EngineMetrics.compensations, 1)
  yield* Effect.logWarning(
    `event ${first.version} (${first.event._tag}) of wallet ${walletId} was refused and is reversed: ${reason}`
  ).pipe(Effect.annotateLogs({ walletId, version: first.version, commandId: first.metadata.commandId }))
  const listener = context.listener()
  for (const recorded of events.toReversed()) listener.refused(walletId, recorded.version, reason)
  listener.persisted(walletId, versions.to)
  return written
})

/** `undefined`: the refusal is there now; else what was found in its place. `stillMay`: left out where the log has its reversal. */
const writeRefusal = Effect.fnUntraced(function* (
  context: WriterContext,
  commit: Commit,
  reason: string,
  stillMay?: Effect.Effect<boolean, ReadError>
): Effect.fn.Return<WalletOutcome | undefined> {
  const time = (yield* Clock.Clock).currentTimeMillisUnsafe()
  const refuse = context.persistence.refuse(commit, { reason, time }, stillMay)
  const result = yield* Effect.result(retrying(context, refuse))
  if (Result.isFailure(result)) return failed(context, commit.walletId, result.failure)
  switch (result.success._tag) {
    case "Written":
      return undefined
    case "Withdrawn":
      // Somebody has become the owner meanwhile, and may have persisted it.
      return yield* refuseReversed(context, commit, reason)
    default:
      return yield* outcomeOf(context, commit, result.success)
  }
})

/**
 * Rows that were lost or erased come back, and those of commands that the log has reversed are
 * refused once more. One event of a command that is reversed tells that all were refused
 * together: what is left of their reversals is made up for.
 */
const refuseReversed = Effect.fnUntraced(function* (
  context: WriterContext,
  commit: Commit,
  reason: string
): Effect.fn.Return<WalletOutcome> {
  const { events, walletId } = commit
  const reversals = yield* readable(
    context,
    Effect.forEach(events, ({ version }) => findReversal(context.log, walletId, version))
  )
  if (Result.isFailure(reversals)) return stopped(reversals.failure)
  const known = reversals.success.find((reversal) => reversal !== undefined)
  if (known === undefined) {
    const remedy = "which may have been persisted before and is never reversed; let the rule pass it"
    return refusedForGood(events[0]!, remedy, reason)
  }
  const refused = yield* writeRefusal(context, commit, known.event.reason)
  if (refused !== undefined) return refused
  const listener = context.listener()
  for (let index = events.length - 1; index >= 0; index--) {
    const { version } = events[index]!
    const reversal = reversals.success[index]
    if (reversal === undefined) listener.refused(walletId, version, known.event.reason)
    else listener.reversed(walletId, version, reversal.event.reason)
  }
  listener.persisted(walletId, events[events.length - 1]!.version)
  return written
})

/** Reads of the log are waited for as long as it takes. The failure says what cannot be read, ever. */
const readable = <A>(
  context: WriterContext,
  read: Effect.Effect<A, StoreUnavailable | StoreDefect | EventUnreadable>
): Effect.Effect<Result.Result<A, string>> =>
  read.pipe(
    Effect.retry({ schedule: pause(context.bounds), while: (error) => error._tag === "StoreUnavailable" }),
    Effect.result,
    Effect.map(Result.mapError((error) => error.message))
  )

/** The state after that event; `-1`: before the first. */
const stateAt = Effect.fnUntraced(function* (
  context: WriterContext,
  walletId: string,
  version: number
): Effect.fn.Return<Result.Result<Wallet | undefined, string>> {
  if (version < 0) return Result.succeed(undefined)
  const wallet = yield* readable(context, context.history.atVersion(walletId, version))
  if (Result.isSuccess(wallet) && wallet.success === undefined) {
    return Result.fail(`Persistence is ahead of the log, which has no event ${version} of wallet ${walletId}`)
  }
  return wallet
})

/** A page that ends in the middle of a command is cut before it. */
const wholeCommands = (page: ReadonlyArray<RecordedEvent>): ReadonlyArray<RecordedEvent> => {
  const last = page[page.length - 1]
  // One short of a page: the event before it was read along.
  if (page.length < pageEvents - 1 || last === undefined) return page
  const cut = page.findIndex((recorded) => recorded.metadata.commandId === last.metadata.commandId)
  return cut === 0 ? page : page.slice(0, cut)
}

/** Where Persistence is with the wallet, what it has refused told; a failure says why nothing can be written. */
const standing = Effect.fnUntraced(function* (
  context: WriterContext,
  walletId: string
): Effect.fn.Return<PersistedVersion, StoreDefect> {
  const found = yield* retrying(context, context.persistence.persistedVersions([walletId]))
  const persisted = found.get(walletId)
  if (persisted === undefined) return { version: -1, eventId: "" }
  // After the version was read: what is refused later is refused by the writing below.
  yield* tellFates(context, walletId, 0)
  return persisted
})

/** The log after that event; the failure says what speaks against writing it. */
const restOfLog = Effect.fnUntraced(function* (
  context: WriterContext,
  walletId: string,
  { eventId, version }: PersistedVersion
): Effect.fn.Return<Result.Result<ReadonlyArray<RecordedEvent>, string>> {
  const after = Math.max(version - 1, -1)
  const read = yield* readable(context, context.log.read(walletId, { after, limit: pageEvents }))
  if (Result.isFailure(read) || version < 0) return read
  const [known, ...rest] = read.success
  if (known?.id === eventId) return Result.succeed(rest)
  return Result.fail(
    known === undefined
      ? `PostgreSQL is ahead of the log, which has no event ${version} of wallet ${walletId}; run: wallet verify`
      : diverged(walletId, version)
  )
})

/** Brings one wallet's rows up to the log, or to what is its owner's to write, page by page, from where they are. */
export const catchUpWallet = Effect.fnUntraced(function* (
  context: WriterContext,
  walletId: string
): Effect.fn.Return<WalletOutcome> {
  let state: Wallet | undefined
  while (true) {
    const persisted = yield* Effect.result(standing(context, walletId))
    if (Result.isFailure(persisted)) return failed(context, walletId, persisted.failure)
    const after = persisted.success.version
    const page = yield* restOfLog(context, walletId, persisted.success)
    if (Result.isFailure(page)) return stopped(page.failure)
    // After the page was read: what it has is below.
    const head = yield* readable(context, context.log.head)
    if (Result.isFailure(head)) return stopped(head.failure)
    const share = yield* readable(context, context.ownShare(walletId, page.success))
    if (Result.isFailure(share)) return stopped(share.failure)
    if (share.success === 0) {
      context.listener().persisted(walletId, after)
      return written
    }
    if ((state?.version ?? -1) !== after) {
      const before = yield* stateAt(context, walletId, after)
      if (Result.isFailure(before)) return stopped(before.failure)
      state = before.success
    }
    const events =
      share.success < page.success.length ? page.success.slice(0, share.success) : wholeCommands(page.success)
    state = fold(state, events)!
    const { epoch } = events[events.length - 1]!.metadata
    const commit: Commit = { walletId, partition: 0, epoch, expectedVersion: after, events, wallet: state }
    yield* context.highWatermark.cover(head.success.position)
    const [outcome] = yield* writeCommits(context, [commit])
    if (outcome!._tag === "Stopped") return outcome!
    // Somebody else is at these rows, too: look again where they are, in a moment.
    if (outcome!._tag === "Behind") yield* Effect.sleep(context.bounds.persistRetryMillis)
  }
})
