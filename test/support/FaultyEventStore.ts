/**
 * A log that fails as it is told: wraps another log, records what it is asked for
 * and gives each append or read the next fault of a script.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Commit } from "../../src/domain/Commit.ts"
import type { AppendError, AppendOutcome, EventStore } from "../../src/stores/EventStore.ts"
import type { RecordedEvent } from "../../src/domain/Event.ts"
import {
  AppendUnknown,
  EventUnreadable,
  OperationRefused,
  StoreDefect,
  StoreUnavailable
} from "../../src/stores/StoreError.ts"

type Append = Effect.Effect<ReadonlyArray<AppendOutcome>, AppendError>

/** What becomes of one append; `write` is the real one. */
export type AppendFault = (write: Append, commits: ReadonlyArray<Commit>) => Append

/** What becomes of one read of a stream. */
export type ReadFault = <A, E>(
  read: Effect.Effect<A, E>
) => Effect.Effect<A, E | StoreUnavailable | StoreDefect | EventUnreadable>

export const unavailableLog = new StoreUnavailable({ store: "log", reason: "scripted", retryAfter: 1_000 })

export const defectiveLog = new StoreDefect({ store: "log", reason: "scripted" })

/** Fails before the write. */
export const unavailable: AppendFault = () => Effect.fail(unavailableLog)

/** Writes; the answer is lost. */
export const loseAnswer: AppendFault = (write) =>
  Effect.andThen(write, Effect.fail(new AppendUnknown({ reason: "scripted: the answer was lost" })))

/** Never writes, and nobody can know. */
export const loseRequest: AppendFault = () =>
  Effect.fail(new AppendUnknown({ reason: "scripted: the request was lost" }))

/** Answers unknown at once; the write lands when `when` is done. */
export const landLate =
  (when: Deferred.Deferred<void>): AppendFault =>
  (write) =>
    Effect.andThen(
      Effect.forkDetach(Effect.andThen(Deferred.await(when), write)),
      Effect.fail(new AppendUnknown({ reason: "scripted: on its way" }))
    )

/** Waits for `when`, then writes. */
export const heldUntil =
  (when: Deferred.Deferred<void>): AppendFault =>
  (write) =>
    Effect.andThen(Deferred.await(when), write)

/** Writes, and answers only after `when`. */
export const answerHeldUntil =
  (when: Deferred.Deferred<void>): AppendFault =>
  (write) =>
    Effect.tap(write, () => Deferred.await(when))

export const defective: AppendFault = () => Effect.fail(defectiveLog)

export const refuse: AppendFault = () => Effect.fail(new OperationRefused({ reason: "scripted" }))

/** Writes, then the driver throws. */
export const throwAfter: AppendFault = (write) => Effect.andThen(write, Effect.die(new Error("scripted")))

/** Writes, fails, and throws while it cleans up: the failure alone would say that nothing was written. */
export const failAndThrowAfter: AppendFault = (write) =>
  Effect.andThen(write, Effect.failCause(Cause.combine(Cause.fail(unavailableLog), Cause.die(new Error("scripted")))))

/** Writes, then the driver's own fiber is interrupted. */
export const interruptAfter: AppendFault = (write) => Effect.andThen(write, Effect.interrupt)

export const unreadable =
  (error: StoreUnavailable | StoreDefect | EventUnreadable): ReadFault =>
  () =>
    Effect.fail(error)

const unreadableEvent = ({ event, version, walletId }: RecordedEvent) =>
  new EventUnreadable({ walletId, version, type: event._tag, reason: "scripted" })

export interface FaultyEventStore {
  readonly store: EventStore["Service"]
  /** Faults of the next appends, in order; then none. */
  readonly appendFaults: Array<AppendFault>
  /** Faults of the next reads of streams, in order; then none. */
  readonly readFaults: Array<ReadFault>
  /** What comes before the next raises of the high watermark, in order. */
  readonly raiseFaults: Array<Effect.Effect<void, StoreUnavailable>>
  /** Chooses the faults when the scripts are empty. */
  draw: { readonly append: () => AppendFault | undefined; readonly read: () => ReadFault | undefined } | undefined
  /** Every append that was asked for, retries included. */
  readonly appends: Array<ReadonlyArray<Commit>>
  /** How many events it was told may soon be appended, each time. */
  readonly prepared: Array<number>
  /** Every read of a stream. */
  readonly reads: Array<{ readonly walletId: string; readonly after: number }>
  /** Every look-up of commands that took place earlier, by how many; only where the log tells them. */
  readonly pastReads: Array<number>
  /** From now on nothing that was or will be asked is ever answered, as if the process were gone. */
  readonly kill: () => void
}

/**
 * `broken`: ids of events that cannot be read. `tellsPast`: what took place earlier is looked up,
 * where the inner log can; else it is read from the streams, with their faults.
 */
export const make = (
  inner: EventStore["Service"],
  broken: ReadonlySet<string> = new Set(),
  tellsPast = false
): FaultyEventStore => {
  let killed = false
  const appendFaults: Array<AppendFault> = []
  const readFaults: Array<ReadFault> = []
  const raiseFaults: FaultyEventStore["raiseFaults"] = []
  const appends: Array<ReadonlyArray<Commit>> = []
  const prepared: Array<number> = []
  const reads: FaultyEventStore["reads"] = []
  const pastReads: Array<number> = []
  const pastCommands = tellsPast ? inner.pastCommands : undefined

  const mortal = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() =>
      killed ? Effect.never : Effect.flatMap(Effect.exit(effect), (exit) => (killed ? Effect.never : exit))
    )

  const faulty: FaultyEventStore = {
    appendFaults,
    readFaults,
    raiseFaults,
    draw: undefined,
    appends,
    prepared,
    reads,
    pastReads,
    kill: () => {
      killed = true
    },
    store: {
      writesPersistence: inner.writesPersistence,
      append: (commits) =>
        mortal(
          Effect.suspend(() => {
            appends.push(commits)
            const write = inner.append(commits)
            const fault = appendFaults.shift() ?? faulty.draw?.append()
            return fault === undefined ? write : fault(write, commits)
          })
        ),
      prepare: (events) => prepared.push(events.length),
      read: (walletId, options) => {
        reads.push({ walletId, after: options.after })
        const read = Effect.tap(inner.read(walletId, options), (page) => {
          const bad = page.find(({ id }) => broken.has(id))
          return bad === undefined ? Effect.void : Effect.fail(unreadableEvent(bad))
        })
        return mortal(
          Effect.suspend(() => {
            const fault = readFaults.shift() ?? faulty.draw?.read()
            return fault === undefined ? read : fault(read)
          })
        )
      },
      ...(pastCommands && {
        pastCommands: (asked) => {
          pastReads.push(asked.length)
          return mortal(pastCommands(asked))
        }
      }),
      readAll: (options) =>
        mortal(
          Effect.tap(inner.readAll(options), (page) => {
            const bad = page.find(({ recorded }) => broken.has(recorded.id))
            return bad === undefined ? Effect.void : Effect.fail(unreadableEvent(bad.recorded).at(bad.position))
          })
        ),
      follow: (after) =>
        Stream.concat(
          Stream.takeWhile(inner.follow(after), () => !killed),
          Stream.never
        ),
      head: mortal(inner.head),
      saveSnapshot: (snapshot) => mortal(inner.saveSnapshot(snapshot)),
      loadSnapshot: (walletId, bound) => mortal(inner.loadSnapshot(walletId, bound)),
      claim: (request) => mortal(inner.claim(request)),
      epochOf: (partition) => mortal(inner.epochOf(partition)),
      raiseHighWatermark: (request) =>
        mortal(
          Effect.suspend(() => Effect.andThen(raiseFaults.shift() ?? Effect.void, inner.raiseHighWatermark(request)))
        )
    }
  }
  return faulty
}
