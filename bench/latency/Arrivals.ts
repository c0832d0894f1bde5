/**
 * Commands that arrive at a constant rate, whether the ones before have been answered or
 * not. A latency counts from the instant at which a command was to be sent: a system that
 * stands still makes late what waits meanwhile, and that is what its users feel.
 *
 * The generator looks at the clock every millisecond, so up to one of them is its own.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import { LatencyHistogram } from "../../src/load/LatencyHistogram.ts"

export const OpenLoadResult = Schema.Struct({
  /** Milliseconds from the intended start. */
  p50: Schema.Finite,
  p99: Schema.Finite,
  p999: Schema.Finite,
  /** Accepted ones per second, of those that were to be sent within the counted time. */
  perSecond: Schema.Finite,
  /** Were to be sent within that time, and could not: too many were waiting. */
  unsent: Schema.Int,
  /** Answered with a refusal. */
  refused: Schema.Int
})
export type OpenLoadResult = typeof OpenLoadResult.Type

export interface OpenLoad {
  readonly perSecond: number
  /** Not counted, milliseconds. */
  readonly rampMillis: number
  /** Counted, milliseconds. */
  readonly millis: number
}

/** What is due, and what became of it. */
export class Arrivals {
  private readonly load: OpenLoad
  private readonly startedAt: number
  private readonly histogram = new LatencyHistogram()
  private next = 0
  private unsent = 0
  private refused = 0

  constructor(load: OpenLoad, now: number) {
    this.load = load
    this.startedAt = now
  }

  /** Calls `send` with the number of each command that has become due by `now`. `false`: there are no more. */
  due(now: number, send: (n: number) => void): boolean {
    const { millis, perSecond, rampMillis } = this.load
    const elapsed = Math.min(now - this.startedAt, rampMillis + millis)
    const due = Math.ceil((elapsed * perSecond) / 1_000)
    while (this.next < due) send(this.next++)
    return elapsed < rampMillis + millis
  }

  /** Milliseconds from the start at which the nth was to be sent. */
  private intended(n: number): number {
    return (n * 1_000) / this.load.perSecond
  }

  private counts(n: number): boolean {
    return this.intended(n) >= this.load.rampMillis
  }

  answered(n: number, accepted: boolean, now: number): void {
    if (!this.counts(n)) return
    if (accepted) this.histogram.record((now - this.startedAt - this.intended(n)) * 1_000)
    else this.refused++
  }

  notSent(n: number): void {
    if (this.counts(n)) this.unsent++
  }

  get result(): OpenLoadResult {
    const { histogram, load, refused, unsent } = this
    return {
      p50: histogram.percentile(0.5) / 1_000,
      p99: histogram.percentile(0.99) / 1_000,
      p999: histogram.percentile(0.999) / 1_000,
      perSecond: (histogram.count * 1_000) / load.millis,
      unsent,
      refused
    }
  }
}

/** Between two looks at the clock, milliseconds. */
export const tickMillis = 1

/** On their way at once: beyond it a command is not sent, and counted. Below what a node takes in, a second's worth or so. */
const mostOnTheirWay = 32_768

/** Commands at a constant rate through the library; waits for the answers of all that were sent. */
export const runOpen = Effect.fnUntraced(function* <E, R>(
  load: OpenLoad,
  send: (n: number) => Effect.Effect<unknown, E, R>
) {
  const fibers = yield* FiberSet.make()
  const run = yield* FiberSet.runtime(fibers)<R>()
  const arrivals = new Arrivals(load, performance.now())
  let onTheirWay = 0
  const sendDue = (n: number) => {
    if (onTheirWay >= mostOnTheirWay) return arrivals.notSent(n)
    onTheirWay++
    run(Effect.flatMap(Effect.exit(send(n)), (exit) => answered(n, Exit.isSuccess(exit))))
  }
  const answered = (n: number, accepted: boolean) =>
    Effect.sync(() => {
      onTheirWay--
      arrivals.answered(n, accepted, performance.now())
    })
  while (arrivals.due(performance.now(), sendDue)) yield* Effect.sleep(tickMillis)
  yield* FiberSet.awaitEmpty(fibers)
  return arrivals.result
}, Effect.scoped)
