/**
 * Callers in a closed loop: each sends its next command when it has the reply to
 * the one before. The rate is counted between two instants in which all are busy:
 * neither the start nor the end of the callers is in it.
 */
import * as Effect from "effect/Effect"

export interface LoopOptions {
  readonly callers: number
  /** Before the count begins, milliseconds. */
  readonly rampMillis: number
  /** Counted, milliseconds; longer when it takes longer until there is one reply per caller. */
  readonly millis: number
}

export interface LoopResult {
  /** Replies within the counted time. */
  readonly counted: number
  /** Commands done in all, ramp and tail included. */
  readonly total: number
  readonly perSecond: number
}

/**
 * Counts replies by the monotonic clock. When the time is up and not every caller
 * has had a reply on average, it goes on until that is so: a short run of slow
 * commands has a rate too.
 */
class Count {
  private readonly from: number
  private readonly until: number
  private readonly callers: number
  private ended: number | undefined
  private total = 0
  private counted = 0

  constructor({ callers, millis, rampMillis }: LoopOptions) {
    this.from = performance.now() + rampMillis
    this.until = this.from + millis
    this.callers = callers
  }

  /** `false`: the count is over, the caller stops. */
  answered(): boolean {
    this.total++
    if (this.ended !== undefined) return false
    const now = performance.now()
    if (now < this.from) return true
    if (now < this.until || this.counted < this.callers) {
      this.counted++
      return true
    }
    this.ended = now
    return false
  }

  get result(): LoopResult {
    const millis = (this.ended ?? performance.now()) - this.from
    return { counted: this.counted, total: this.total, perSecond: (this.counted * 1_000) / millis }
  }
}

/** Every caller a fiber, as an app's requests are. `send(n)`: the nth command of the run, from 0. */
export const runFibers = Effect.fnUntraced(function* <E, R>(
  options: LoopOptions,
  send: (n: number) => Effect.Effect<unknown, E, R>
): Effect.fn.Return<LoopResult, E, R> {
  let next = 0
  const count = new Count(options)
  const caller = Effect.gen(function* () {
    do yield* send(next++)
    while (count.answered())
  })
  yield* Effect.all(
    Array.from({ length: options.callers }, () => caller),
    { concurrency: "unbounded", discard: true }
  )
  return count.result
})

/** Every caller a bare function: the least that a caller can cost. */
export const runCallbacks = (
  options: LoopOptions,
  send: (n: number, answered: () => void) => void
): Effect.Effect<LoopResult> =>
  Effect.callback<LoopResult>((resume) => {
    let next = 0
    let waiting = options.callers
    const count = new Count(options)
    const answered = () => {
      if (count.answered()) send(next++, answered)
      else if (--waiting === 0) resume(Effect.succeed(count.result))
    }
    for (let i = 0; i < options.callers; i++) send(next++, answered)
  })
