/**
 * The high watermark: rows of an event are given to Persistence only when the log says that
 * they may be. What the log does not say of anybody was surely never persisted; all else may
 * have been, whatever Persistence knows of it: it can be erased, or put back to an earlier copy.
 *
 * It runs ahead of what is written, in steps: so one write to the log serves for about a
 * second, and doubt always means persisted.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { EventStore } from "../stores/EventStore.ts"
import { type ReadError, StoreDefect } from "../stores/StoreError.ts"

/** A step is to last about so long, ms: it doubles when it lasts less, and halves when it lasts four times as long. */
const stepMillis = 1_000

/** Positions. */
const largestStep = 1n << 26n

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)

/** A log that does not answer is asked again after 50 ms, doubling, at most 1 s, for ever. */
const retryPause = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")]).pipe(
  Schedule.jittered
)

export interface HighWatermarkOptions {
  readonly log: EventStore["Service"]
  readonly owner: string
  readonly clock: Clock.Clock
  /** Positions: events of a SQL log, bytes of KurrentDB's. */
  readonly smallestStep: number
  /** Told why the log cannot be written, and with `undefined` that it can. */
  readonly failing: (reason: string | undefined) => void
}

export class HighWatermark {
  private readonly options: HighWatermarkOptions
  private readonly oneAtATime = Semaphore.makeUnsafe(1)
  private raised = -1n
  private raisedAt = 0
  private step: bigint

  constructor(options: HighWatermarkOptions) {
    this.options = options
    this.step = BigInt(options.smallestStep)
  }

  /** Rows of events up to this position may be given to Persistence. */
  covers(position: bigint): boolean {
    return position <= this.raised
  }

  /** Waits until they may. */
  cover(position: bigint): Effect.Effect<void> {
    return this.oneAtATime.withPermits(1)(
      Effect.suspend(() => (this.covers(position) ? Effect.void : this.raise(position)))
    )
  }

  private raise(position: bigint): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { clock, failing, log, owner } = this.options
      const now = clock.currentTimeMillisUnsafe()
      const lasted = now - this.raisedAt
      const smallest = BigInt(this.options.smallestStep)
      if (this.raised >= 0n && lasted < stepMillis) this.step = least(this.step * 2n, largestStep)
      else if (lasted > 4 * stepMillis && this.step >= smallest * 2n) this.step /= 2n
      const target = position + this.step
      return log.raiseHighWatermark({ owner, position: target }).pipe(
        // What the store throws is a defect of it.
        Effect.catchDefect((defect) => Effect.fail(new StoreDefect({ store: "log", reason: String(defect) }))),
        Effect.tapError((error) => Effect.sync(() => failing(error.message))),
        Effect.retry(retryPause),
        Effect.map(() => {
          failing(undefined)
          this.raised = target
          this.raisedAt = now
        }),
        Effect.orDie
      )
    })
  }
}

/**
 * Up to where others may have given rows to Persistence, in this process's time or in an
 * earlier one: of what they have written to the log, only events after it may be reversed. Of a log
 * that does not say, all.
 */
export const offeredByOthers = ({ head, raiseHighWatermark }: EventStore["Service"], owner: string) =>
  Effect.flatMap(raiseHighWatermark({ owner, position: undefined }), (others): Effect.Effect<bigint, ReadError> =>
    others === undefined ? Effect.map(head, ({ position }) => position) : Effect.succeed(others)
  )
