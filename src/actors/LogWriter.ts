/**
 * Gathers the commits of all wallets of this node into as few appends as the log
 * can take: while a few appends are in flight the next one fills up. Answers to
 * callers are made after the next append is on its way, so that the log never waits
 * for them.
 *
 * An append whose outcome is unknown is sent again, the same events with the same
 * checks, until the log has decided; its wallets append nothing else meanwhile. A refusal
 * by a user's rule is narrowed down by halves to the wallet it concerns; a wallet
 * that was refused travels alone for a while.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { Commit } from "../domain/Commit.ts"
import type { AppendError, AppendOutcome } from "../stores/EventStore.ts"
import { EventStore } from "../stores/EventStore.ts"
import { bisect } from "../stores/RowWriter.ts"
import type { StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import { AppendUnknown } from "../stores/StoreError.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import { WritePipeline } from "./WritePipeline.ts"

/**
 * - `Refused`: a user's rule refused this commit.
 * - `Failed`: surely nothing of this commit is in the log.
 */
export type WriteOutcome =
  | AppendOutcome
  | { readonly _tag: "Refused"; readonly reason: string }
  | { readonly _tag: "Failed"; readonly error: StoreUnavailable | StoreDefect }

interface Submission {
  readonly commit: Commit
  readonly bytes: number
  readonly resume: (effect: Effect.Effect<WriteOutcome>) => void
}

/** Pauses between tries of an append: 20 ms, doubling, at most 1 s, for ever. */
const retryPause = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("1 second")]).pipe(
  Schedule.jittered
)

export class LogWriter extends Context.Service<
  LogWriter,
  {
    /** Answers when the log has decided. At most one commit per wallet at a time. */
    readonly submit: (
      commit: Commit,
      options: {
        /** Not together with other wallets. */
        readonly isolated: boolean
        /** Size of what it carries, roughly. */
        readonly bytes: number
      }
    ) => Effect.Effect<WriteOutcome>
    /**
     * Runs `task` once, soon: after the next append is on its way, or at once when
     * there is none to send. For work that the log need not wait for. Must not throw.
     */
    readonly afterSend: (task: () => void) => void
  }
>()("effect-wallet/actors/LogWriter") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(LogWriter, make(bounds))
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const log = yield* EventStore
  const pipeline = yield* WritePipeline
  const clock = yield* Clock.Clock
  const gathered: Array<Submission> = []
  const alone: Array<Submission> = []
  let tasks: Array<() => void> = []
  let inFlight = 0
  let isolatedNext = false
  /** While outcomes are handed out, what the wallets submit and put off waits for the end of it. */
  let distributing = false
  let wake: ((effect: Effect.Effect<boolean>) => void) | undefined

  const canSend = () => inFlight < bounds.appendsInFlight && (gathered.length > 0 || alone.length > 0)

  /** Answers whether more may be ready in this turn of the event loop. */
  const park = Effect.callback<boolean>((resume) => {
    // Looks again: between the loop's own look and this step its fiber may have given way to a wallet.
    if (canSend() || tasks.length > 0) resume(Effect.succeed(true))
    else wake = resume
  })

  const signal = (moreMayCome: boolean) => {
    if (wake === undefined) return
    const resumeLoop = wake
    wake = undefined
    resumeLoop(Effect.succeed(moreMayCome))
  }

  const submit: LogWriter["Service"]["submit"] = (commit, { bytes, isolated }) =>
    Effect.callback<WriteOutcome>((resume) => {
      ;(isolated ? alone : gathered).push({ commit, bytes, resume })
      if (!distributing && canSend()) signal(true)
    })

  /** Everybody's commits and those that travel alone take turns. */
  const take = (): Array<Submission> => {
    if (alone.length > 0 && (isolatedNext || gathered.length === 0)) {
      isolatedNext = false
      return alone.splice(0, 1)
    }
    isolatedNext = true
    let events = 0
    let bytes = 0
    let count = 0
    while (count < gathered.length && count < bounds.appendCommits) {
      const submission = gathered[count]!
      events += submission.commit.events.length
      bytes += submission.bytes
      if (count > 0 && (events > bounds.appendEvents || bytes > bounds.appendBytes)) break
      count++
    }
    return gathered.splice(0, count)
  }

  /** Answering callers makes new commands, whose wallets may add tasks. */
  const runTasks = () => {
    while (tasks.length > 0) {
      const due = tasks
      tasks = []
      for (const task of due) task()
    }
  }

  const write = Effect.fnUntraced(function* (batch: ReadonlyArray<Submission>) {
    const startedAt = clock.currentTimeMillisUnsafe()
    const commits = batch.map((submission) => submission.commit)
    const landed = pipeline.appending()
    const outcomes = yield* appendUntilDecided(log.append, commits, bounds, false)
    yield* measured(batch.length, outcomes, clock.currentTimeMillisUnsafe() - startedAt)
    distributing = true
    // Each wallet moves its state and, if its mailbox has filled, submits its next commit right here.
    for (let i = 0; i < batch.length; i++) batch[i]!.resume(Effect.succeed(outcomes[i]!))
    distributing = false
    if (pipeline.separate) landed(appended(commits, outcomes))
    inFlight--
    signal(false)
  })

  yield* Effect.forkScoped(
    Effect.ensuring(
      Effect.gen(function* () {
        while (true) {
          if (!canSend()) {
            runTasks()
            if (!canSend() && (yield* park)) yield* Effect.yieldNow
            continue
          }
          inFlight++
          yield* Effect.forkChild(write(take()), { startImmediately: true })
          // The driver writes to its socket at the end of this turn of the event loop: only then is the append on its way.
          if (tasks.length > 0) yield* Effect.yieldNow
          runTasks()
        }
      }),
      Effect.sync(runTasks)
    )
  )

  return LogWriter.of({
    submit,
    afterSend: (task) => {
      tasks.push(task)
      if (wake !== undefined && !distributing) runTasks()
    }
  })
})

/** What of an append is in the log. */
const appended = (commits: ReadonlyArray<Commit>, outcomes: ReadonlyArray<WriteOutcome>) =>
  commits.flatMap((commit, index) => {
    const outcome = outcomes[index]!
    return outcome._tag === "Appended" ? [{ commit, position: outcome.position }] : []
  })

type Append = EventStore["Service"]["append"]

/**
 * Appends until every commit has an outcome. Never fails; ends only with an answer
 * from the log. `unknown`: an earlier try of these commits may be in the log.
 */
const appendUntilDecided = (
  append: Append,
  commits: ReadonlyArray<Commit>,
  bounds: ActorBounds,
  unknown: boolean
): Effect.Effect<ReadonlyArray<WriteOutcome>> =>
  bisect<Commit, WriteOutcome, Undecided, never>(commits, {
    attempt: (part, whole) => {
      const tries: Tries = { unknown: whole?.unknown ?? unknown }
      return Effect.catch(appendWithRetry(append, part, bounds, tries), (error) =>
        error._tag === "StoreUnavailable"
          ? Effect.succeed(part.map((): WriteOutcome => ({ _tag: "Failed", error })))
          : Effect.fail({ error, unknown: tries.unknown })
      )
    },
    divides: (_failure): _failure is Undecided => true,
    alone: (_commit, { error }) =>
      Effect.succeed(
        error._tag === "OperationRefused" ? { _tag: "Refused", reason: error.reason } : { _tag: "Failed", error }
      )
  })

/** One of the commits stands in the way of the others, or all do. */
interface Undecided extends Tries {
  readonly error: Exclude<AppendError, AppendUnknown | StoreUnavailable>
}

interface Tries {
  /** Whether the outcome of any try so far is unknown: then these commits may be in the log. */
  unknown: boolean
}

/**
 * `AppendUnknown` is tried again for ever. `StoreUnavailable` for a while; after an
 * unknown outcome for ever too, because then the events may be in the log. So is a
 * `StoreDefect`, once it is narrowed down to one commit: to call that commit failed
 * would be a guess.
 */
const appendWithRetry = Effect.fnUntraced(function* (
  append: Append,
  commits: ReadonlyArray<Commit>,
  bounds: ActorBounds,
  tries: Tries
): Effect.fn.Return<ReadonlyArray<AppendOutcome>, Exclude<AppendError, AppendUnknown>> {
  const clock = yield* Clock.Clock
  const startedAt = clock.currentTimeMillisUnsafe()
  const worthRetrying = (error: AppendError): boolean => {
    switch (error._tag) {
      case "AppendUnknown":
        return true
      case "StoreUnavailable":
        return tries.unknown || clock.currentTimeMillisUnsafe() - startedAt < bounds.appendRetryMillis
      case "StoreDefect":
        return tries.unknown && commits.length === 1
      case "OperationRefused":
        return false
    }
  }
  return yield* Effect.suspend(() => append(commits)).pipe(
    Effect.catchCause((cause) => Effect.fail(errorOf(cause))),
    Effect.tapError((error) => {
      if (error._tag === "AppendUnknown") tries.unknown = true
      return Effect.andThen(
        Metric.update(EngineMetrics.appendRetries, 1),
        Effect.logWarning(`append of ${commits.length} wallets: ${error.message}`)
      )
    }),
    Effect.retry({ schedule: retryPause, while: worthRetrying }),
    // Unreachable by the condition above; a defect, so that it can never pass for an answer.
    Effect.catchTag("AppendUnknown", (error) => Effect.die(error))
  )
})

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

/** Updates the metrics: per append, never per command. */
const measured = Effect.fnUntraced(function* (wallets: number, outcomes: ReadonlyArray<WriteOutcome>, millis: number) {
  yield* Metric.update(EngineMetrics.appendBatch, wallets)
  yield* Metric.update(EngineMetrics.appendSeconds, millis / 1_000)
  let committed = 0
  for (const outcome of outcomes) {
    if (outcome._tag === "Appended") committed++
    else yield* Metric.update(EngineMetrics.appendOutcomes, outcome._tag)
  }
  yield* Metric.update(EngineMetrics.commitsAppended, committed)
})
