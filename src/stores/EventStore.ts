/**
 * Port: the log, the truth of every wallet.
 *
 * A stream per wallet, versions from 0 without gaps, and one order over all
 * streams, the *position*. A reader that has seen position N never later finds
 * an event before N.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Commit } from "../domain/Commit.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import type { Profile } from "../domain/Profile.ts"
import type { Hold, Wallet } from "../domain/Wallet.ts"
import {
  type AppendUnknown,
  type EventUnreadable,
  type OperationRefused,
  PositionGone,
  type ReadError,
  type StoreDefect,
  type StoreUnavailable
} from "./StoreError.ts"

/**
 * - `Appended`: all events of the commit are in the log, now or since an earlier
 *   try of the same append (recognised by event ids).
 * - `Conflict`: the stream is not at `expectedVersion`, and what is there is
 *   somebody else's. Nothing of this commit was written.
 * - `Fenced`: a later claim of the partition stands. Nothing of this commit was
 *   written.
 * - `KeySeen`: one of the commit's `unsureKeys` is there, at a version ≤
 *   `expectedVersion`. Nothing of this commit was written. Only a store with
 *   `writesPersistence` answers it.
 * - `Withheld`: of the commits that belong to this one, that of `walletId` could not be
 *   written, and `because` says why. Nothing of any of them was written. Where something is
 *   against several of them, any one may be named.
 *
 * For a commit that is not written the first of these counts that is true: all its event
 * ids are there (`Appended`), a later claim stands (`Fenced`), the stream is elsewhere
 * (`Conflict`), a key is there (`KeySeen`). So the keys of the commit itself, in the log
 * since an earlier try, are never taken for those of an earlier command.
 */
export type AppendOutcome =
  | {
      readonly _tag: "Appended"
      /**
       * Of the commit's last event, or of a later one of the append that carried it.
       * All events of the log up to it can be read; what is appended from now on
       * stands behind it.
       */
      readonly position: bigint
    }
  | NotWritten
  | { readonly _tag: "Withheld"; readonly walletId: string; readonly because: NotWritten }

/** Of one wallet's commit. */
export type NotWritten =
  | { readonly _tag: "Conflict" }
  | { readonly _tag: "Fenced"; readonly epoch: number }
  | { readonly _tag: "KeySeen" }

/** What is known of one wallet's commit; `undefined`: nothing speaks against writing it. */
export type MemberOutcome = Extract<AppendOutcome, { readonly _tag: "Appended" }> | NotWritten | undefined

/**
 * The outcome of a commit from those of its members, in their order: it is written with all of them or not at all.
 * `undefined`: nothing speaks against writing them.
 */
export const jointOutcome = (
  members: ReadonlyArray<Commit>,
  outcomes: ReadonlyArray<MemberOutcome>
): Result.Result<AppendOutcome | undefined, string> => {
  const [first] = outcomes
  if (members.length === 1) return Result.succeed(first)
  const written = outcomes.flatMap((outcome) => (outcome?._tag === "Appended" ? [outcome.position] : []))
  if (written.length === members.length) {
    return Result.succeed({ _tag: "Appended", position: written.reduce((a, b) => (a > b ? a : b)) })
  }
  if (written.length > 0) return Result.fail(`the log has only a part of what ${members[0]!.walletId} appended at once`)
  if (first !== undefined) return Result.succeed(first)
  for (const [index, because] of outcomes.entries()) {
    if (because === undefined || because._tag === "Appended") continue
    return Result.succeed({ _tag: "Withheld", walletId: members[index]!.walletId, because })
  }
  return Result.succeed(undefined)
}

export type AppendError = StoreUnavailable | AppendUnknown | OperationRefused | StoreDefect

export interface PositionedEvent {
  readonly position: bigint
  readonly recorded: RecordedEvent
}

/** What a store finds wrong with a row of its own that no value of the port shows. */
export interface RowFlaw {
  readonly walletId: string
  readonly what: string
  readonly expected: string
  readonly found: string
}

export interface ScannedEvent extends PositionedEvent {
  /** As its row shows it to readers of transactions. */
  readonly currency: string
}

export interface ScannedEvents {
  /** In the order of wallet and version. */
  readonly events: ReadonlyArray<ScannedEvent>
  readonly flaws: ReadonlyArray<RowFlaw>
}

/** Where a scan of events goes on. */
export interface ScanPlace {
  readonly walletId: string
  readonly version: number
}

/** A command that took place earlier. */
export interface AskedCommand {
  readonly walletId: string
  /** Of its last event. */
  readonly version: number
  /** Whether the profile is wanted. */
  readonly profile: boolean
}

/** What it did. */
export interface PastCommand {
  /** One or two, in order; none: the stream does not reach them. */
  readonly events: ReadonlyArray<RecordedEvent>
  /** The wallet's, after its last event; `undefined`: it was not asked for. */
  readonly profile: Profile | undefined
  /**
   * The hold that it has captured or released. Only what never changes of it is as it was.
   * `undefined`: it was about none, or there is no row of it.
   */
  readonly hold: Hold | undefined
}

/**
 * Longest `data` of a snapshot, bytes in UTF-8. Twice as much, as JSON in JSON, fits into a message of every
 * store: 16 MiB of PostgreSQL's driver, 17 of KurrentDB's.
 */
export const maxSnapshotBytes = 6 * 1024 * 1024

/** A wallet's state at a version, as bytes the store does not interpret. */
export interface Snapshot {
  readonly walletId: string
  readonly version: number
  /** Time of event `version`, milliseconds: `at=` finds its snapshot by it. */
  readonly time: number
  readonly data: string
}

export interface Claim {
  readonly partition: number
  /** Counts the claims of this partition, from 1. */
  readonly epoch: number
}

export interface LogHead {
  /** Chosen when the log was first created; another one is another log. */
  readonly logId: string
  /** Position of the last event, `0n` when empty. */
  readonly position: bigint
}

/** The nearest snapshot at or before a version or a time; neither: the latest. */
export interface SnapshotBound {
  readonly version?: number
  readonly time?: number
}

export class EventStore extends Context.Service<
  EventStore,
  {
    /**
     * `true`: an append writes the rows of Persistence in the same transaction, so
     * what is committed is persisted; and it looks for `Commit.unsureKeys` among these
     * rows. `false`: they are two stores, and the write pipeline stands between; an append
     * leaves `unsureKeys` alone.
     */
    readonly writesPersistence: boolean

    /**
     * Appends the commits (each at most once in the list, one per wallet, those that belong to
     * one counted), each all or nothing with what belongs to it, outcomes in the order of the commits. One wallet's conflict,
     * fence or seen key costs no other wallet anything.
     *
     * Safe to call again with the same commits after `AppendUnknown`, in the same
     * composition or a part of it: what is in the log already answers `Appended`,
     * even when a check no longer holds.
     *
     * Fails as a whole, with nothing written, but for `AppendUnknown`. A `StoreDefect`
     * or `OperationRefused` may concern one commit alone; appended apart they tell.
     * (After a defect some of several commits may be in the log.)
     */
    readonly append: (commits: ReadonlyArray<Commit>) => Effect.Effect<ReadonlyArray<AppendOutcome>, AppendError>

    /**
     * These events of the wallet may soon be appended, by a commit with this very array: a store may encode
     * what it can of them meanwhile. Comes again when the array has grown. Absent where that gains nothing.
     */
    readonly prepare?: ((events: ReadonlyArray<RecordedEvent>, wallet: Wallet) => void) | undefined

    /** Events of one stream with version > `after` (`-1`: from the first), upwards, at most `limit`. */
    readonly read: (
      walletId: string,
      options: { readonly after: number; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<RecordedEvent>, ReadError | EventUnreadable>

    /** Events of all streams with position > `after`, upwards, at most `limit`. */
    readonly readAll: (options: {
      readonly after: bigint
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<PositionedEvent>, ReadError | EventUnreadable>

    /**
     * Events of all wallets up to the id `to`, in the order of wallet and version, behind
     * `after`, at most `limit`. Only of a log that writes Persistence and keeps wallets side
     * by side; absent elsewhere.
     */
    readonly scan?: (options: {
      readonly after: ScanPlace
      readonly to: string | undefined
      readonly limit: number
    }) => Effect.Effect<ScannedEvents, ReadError | EventUnreadable>

    /**
     * What commands did that took place earlier, in the order asked: of many wallets and
     * versions at once, at a cost that does not grow with their histories. Each fails on its
     * own where an event cannot be read. Only of a log that writes Persistence; absent
     * elsewhere, and then the log is read and folded.
     */
    readonly pastCommands?: (
      asked: ReadonlyArray<AskedCommand>
    ) => Effect.Effect<ReadonlyArray<Result.Result<PastCommand, EventUnreadable>>, ReadError>

    /**
     * All streams' events with position > `after`, upwards, page by page and then
     * live, within moments of their append. A store that is away is waited for and
     * asked again from where it was: the stream ends by a failure or not at all.
     */
    readonly follow: (
      after: bigint
    ) => Stream.Stream<ReadonlyArray<PositionedEvent>, PositionGone | StoreDefect | EventUnreadable>

    /** Cheap; also the health check. */
    readonly head: Effect.Effect<LogHead, ReadError>

    /** At most `maxSnapshotBytes`; its writer sees to that. */
    readonly saveSnapshot: (snapshot: Snapshot) => Effect.Effect<void, ReadError>

    /** `StoreDefect`: it is there, and cannot be read, however often it is tried. One that is too long is passed over. */
    readonly loadSnapshot: (walletId: string, bound?: SnapshotBound) => Effect.Effect<Snapshot | undefined, ReadError>

    /**
     * Takes the partitions for `owner`, whoever had them. When this has answered,
     * no append under an older epoch can land in any of them.
     */
    readonly claim: (request: {
      readonly partitions: ReadonlyArray<number>
      readonly owner: string
      readonly time: number
    }) => Effect.Effect<ReadonlyArray<Claim>, ReadError>

    /**
     * How often the partition has been claimed, `0`: never: the epoch under which appends land. Of the
     * claims that had answered when this was asked it has all.
     */
    readonly epochOf: (partition: number) => Effect.Effect<number, ReadError>

    /**
     * Says that rows of events up to `position` may from now on be given to a Persistence of its
     * own by `owner`; `undefined` says nothing. Never lowers what the owner has said before. Answers
     * the highest position that anybody else has said, perhaps higher, never lower; `undefined`:
     * nobody else has ever said any. Leave alone where `writesPersistence`.
     */
    readonly raiseHighWatermark: (request: {
      readonly owner: string
      readonly position: bigint | undefined
    }) => Effect.Effect<bigint | undefined, ReadError>
  }
>()("effect-wallet/stores/EventStore") {}

/** Events. */
const pageSize = 500

/** What a follower waits at most to hear of a new event; a page that was not full is followed by none sooner. */
const pollInterval = "50 millis"

/** 100 ms, doubling, at most 2 s, for ever: a log that is away comes back. */
const whileAway = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]).pipe(
  Schedule.jittered
)

/** An unavailable log is waited for; any other failure is an answer. */
export const patiently = <A, E extends { readonly _tag: string }>(
  read: Effect.Effect<A, E | ReadError>
): Effect.Effect<A, Exclude<E | ReadError, { readonly _tag: "StoreUnavailable" }>> =>
  Effect.retry(read, {
    schedule: whileAway,
    while: (error) => error._tag === "StoreUnavailable"
  }) as Effect.Effect<A, Exclude<E | ReadError, { readonly _tag: "StoreUnavailable" }>>

/** Fails with `PositionGone` at once when the log has not reached `after`. */
export const followByPages =
  (log: Pick<EventStore["Service"], "head" | "readAll">): EventStore["Service"]["follow"] =>
  (after) => {
    const check = Effect.flatMap(patiently(log.head), ({ position }) =>
      after > position ? Effect.fail(new PositionGone({ position: after, head: position })) : Effect.succeed(after)
    )
    const nextPage = Effect.fnUntraced(function* ({ from, isAtHead }: { from: bigint; isAtHead: boolean }) {
      const read = patiently(log.readAll({ after: from, limit: pageSize }))
      let page = isAtHead ? [] : yield* read
      while (page.length === 0) {
        yield* Effect.sleep(pollInterval)
        page = yield* read
      }
      return [page, { from: page[page.length - 1]!.position, isAtHead: page.length < pageSize }] as const
    })
    return Stream.unwrap(Effect.map(check, (from) => Stream.unfold({ from, isAtHead: false }, nextPage)))
  }
