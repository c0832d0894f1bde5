/**
 * Appends commits until the log has decided on each of them.
 *
 * An append whose outcome is unknown is sent again, the same events with the same checks. A
 * refusal by a user's rule, or a defect, is narrowed down by halves to the commit that it
 * concerns. What is decided is told at once: a commit on which the log cannot decide, such as
 * one after a lost answer at a damaged stream, keeps nobody else waiting.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { Commit } from "../domain/Commit.ts"
import type { AppendError, AppendOutcome, EventStore } from "../stores/EventStore.ts"
import { bisect } from "../stores/RowWriter.ts"
import type { StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import { AppendUnknown } from "../stores/StoreError.ts"
import type { Outage } from "../stores/StoreOutages.ts"
import { elapsedMillis } from "./Deadlines.ts"
import * as EngineMetrics from "./EngineMetrics.ts"

/**
 * - `Refused`: a user's rule refused this commit.
 * - `Failed`: surely nothing of this commit is in the log.
 */
export type WriteOutcome =
  | AppendOutcome
  | { readonly _tag: "Refused"; readonly reason: string }
  | { readonly _tag: "Failed"; readonly error: StoreUnavailable | StoreDefect }

/** Pauses between tries of an append: 20 ms, doubling, at most 1 s, for ever. */
const retryPause = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("1 second")]).pipe(
  Schedule.jittered
)

export interface AppendOptions<A> {
  readonly append: EventStore["Service"]["append"]
  /** How long an append that surely did not happen is tried again. */
  readonly retryMillis: number
  /** Of a part of the append all outcomes are known, in its order. Synchronous. */
  readonly decided: (part: ReadonlyArray<A>, outcomes: ReadonlyArray<WriteOutcome>) => void
  /** Of the log: told of a try that it did not answer, or turned away, and of one that it answered. */
  readonly outage: Outage
  /** The log is there and cannot say whether it has this one: it is tried on, alone, perhaps for ever. Synchronous, may come again. */
  readonly stranded: (item: A) => void
}

/** Never fails; ends when each has been decided by an answer from the log. */
export const appendUntilDecided = <A extends { readonly commit: Commit }>(
  items: ReadonlyArray<A>,
  options: AppendOptions<A>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const turns = Semaphore.makeUnsafe(1)
    const tell = (part: ReadonlyArray<A>, outcomes: ReadonlyArray<WriteOutcome>) =>
      Effect.sync((): ReadonlyArray<void> => {
        options.decided(part, outcomes)
        return []
      })
    return bisect<A, void, Undecided, never>(items, {
      attempt: (part, whole) => {
        const tries: Tries = {
          unknown: whole?.unknown ?? false,
          isPartlyDone: whole?.isPartlyDone ?? false,
          told: undefined,
          turns: whole === undefined ? undefined : turns
        }
        return Effect.matchEffect(appendWithRetry(part, tries, options), {
          onSuccess: (outcomes) =>
            options.outage.isOn
              ? Effect.andThen(options.outage.answered(appends), tell(part, outcomes))
              : tell(part, outcomes),
          onFailure: (error): Effect.Effect<ReadonlyArray<void>, Undecided> => {
            if (error._tag !== "StoreUnavailable") return Effect.fail(undecided(error, tries))
            const failed: WriteOutcome = { _tag: "Failed", error }
            return tell(
              part,
              part.map(() => failed)
            )
          }
        })
      },
      divides: (_failure): _failure is Undecided => true,
      alone: (item, { error }) =>
        tell(
          [item],
          [error._tag === "OperationRefused" ? { _tag: "Refused", reason: error.reason } : { _tag: "Failed", error }]
        ),
      sideBySide: true
    })
  })

/** One of the commits stands in the way of the others, or all do. */
interface Undecided {
  readonly error: Exclude<AppendError, AppendUnknown | StoreUnavailable>
  readonly unknown: boolean
  readonly isPartlyDone: boolean
}

const undecided = (error: Undecided["error"], { isPartlyDone, unknown }: Tries): Undecided => ({
  error,
  unknown,
  isPartlyDone: isPartlyDone || error._tag === "StoreDefect"
})

interface Tries {
  /** Whether an earlier try of these commits may be in the log. */
  unknown: boolean
  /** What has been logged of it last. */
  told: string | undefined
  /** Of an append that ended with a defect: some of its commits may be in the log. */
  readonly isPartlyDone: boolean
  /** Parts of one append are sent one at a time, in turns: one that pauses lets others pass. `undefined`: it is still whole. */
  readonly turns: Semaphore.Semaphore | undefined
}

/**
 * `AppendUnknown` is tried again for ever. `StoreUnavailable` for a while; after an
 * unknown outcome for ever too, because then the events may be in the log, and of a part of
 * an append that failed as a whole, because others of it may be. So is a
 * `StoreDefect`, once it is narrowed down to one commit: to call that commit failed
 * would be a guess.
 */
const appendWithRetry = Effect.fnUntraced(function* <A extends { readonly commit: Commit }>(
  items: ReadonlyArray<A>,
  tries: Tries,
  { append, outage, retryMillis, stranded }: AppendOptions<A>
): Effect.fn.Return<ReadonlyArray<AppendOutcome>, Exclude<AppendError, AppendUnknown>> {
  const clock = yield* Clock.Clock
  const startedAt = elapsedMillis(clock)
  const { turns } = tries
  const commits = items.map(({ commit }) => commit)
  const worthRetrying = (error: AppendError): boolean => {
    switch (error._tag) {
      case "AppendUnknown":
        return true
      case "StoreUnavailable":
        return tries.unknown || tries.isPartlyDone || elapsedMillis(clock) - startedAt < retryMillis
      case "StoreDefect":
        return tries.unknown && commits.length === 1
      case "OperationRefused":
        return false
    }
  }
  const appending = Effect.suspend(() => append(commits))
  return yield* (turns === undefined ? appending : turns.withPermits(1)(appending)).pipe(
    Effect.catchCause((cause) => Effect.fail(errorOf(cause))),
    Effect.tapError((error) => {
      if (error._tag === "AppendUnknown") tries.unknown = true
      if (error._tag === "StoreDefect" && worthRetrying(error)) stranded(items[0]!)
      return Effect.andThen(Metric.update(EngineMetrics.appendRetries, 1), report(error, commits.length, tries, outage))
    }),
    Effect.retry({ schedule: retryPause, while: worthRetrying }),
    // Unreachable by the condition above; a defect, so that it can never pass for an answer.
    Effect.catchTag("AppendUnknown", (error) => Effect.die(error))
  )
})

/** Whom an append is tried for again, in the outage of the log. */
export const appends = "appends"

/** An outage is told once, whoever meets it; what the log has against an append, once for each of its reasons. */
const report = (error: AppendError, wallets: number, tries: Tries, outage: Outage): Effect.Effect<void> => {
  if (error._tag === "AppendUnknown" || error._tag === "StoreUnavailable") {
    return Effect.asVoid(
      outage.failed(appends, error.reason, "appends are tried again, and this is told again when it is back")
    )
  }
  if (tries.told === error.message) return Effect.void
  tries.told = error.message
  return Effect.logWarning(`append of ${wallets} wallets: ${error.message}`)
}

/**
 * A store that throws, or whose own fiber is interrupted, has not said what became
 * of the append. (An interruption of the writer itself does not come here.)
 */
const errorOf = (cause: Cause.Cause<AppendError>): AppendError => {
  const error = Cause.findErrorOption(cause)
  return Option.isSome(error) && cause.reasons.every(Cause.isFailReason)
    ? error.value
    : new AppendUnknown({ reason: Cause.pretty(cause) })
}
