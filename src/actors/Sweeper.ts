/**
 * Looks again and again for what should have happened by now, and makes it happen.
 *
 * A look finds the longest overdue first. What cannot be handled is left out of the
 * next looks for a while, so that it does not stand in the way of all others. A sweep
 * never fails; an outage is logged when it begins and when it is over.
 *
 * `run` is for ever and holds nothing between sweeps that matters: a cluster may run
 * it on any one node, or by mistake on two.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { StoreUnavailable } from "../stores/StoreError.ts"
import type { Outage, StoreOutages } from "../stores/StoreOutages.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import * as EngineMetrics from "./EngineMetrics.ts"

export interface SweepOptions<A, E> {
  /** For the log and the metrics: what it does. */
  readonly name: string
  readonly intervalMillis: number
  /** The longest overdue first. */
  readonly find: (limit: number) => Effect.Effect<ReadonlyArray<A>, E>
  readonly idOf: (item: A) => string
  /** `false`: not now, and nothing is wrong. */
  readonly handle: (item: A) => Effect.Effect<boolean, E>
  /** Where an outage of a store is told; without, it is told here. */
  readonly outages?: StoreOutages["Service"] | undefined
}

export interface Sweeper {
  /** Handles what is due now; never fails. Not to be run twice at once. */
  readonly sweep: Effect.Effect<void>
  /** Sweeps at its interval, for ever. */
  readonly run: Effect.Effect<void>
}

/** Looks of one sweep: then the next interval begins, whatever is left. */
const looksPerSweep = 64

interface Deferral {
  /** Milliseconds. */
  readonly until: number
  readonly failed: boolean
}

export const makeSweeper = <A, E>(bounds: ActorBounds, options: SweepOptions<A, E>): Sweeper => {
  const { find, handle, idOf, intervalMillis, name } = options
  const deferred = new Map<string, Deferral>()
  /** An outage has been logged and is not over. */
  let isDown = false

  const defer = (item: A, now: number, failed: boolean): void => {
    if (deferred.size < bounds.sweepDeferred) deferred.set(idOf(item), { until: now + bounds.sweepDeferMillis, failed })
  }

  /** In which nothing could be found. */
  let outage: Outage | undefined

  /** An outage of a store is that of all who ask it. */
  const reportNotFound = (cause: Cause.Cause<unknown>): Effect.Effect<unknown> => {
    const error = Cause.squash(cause)
    if (!(error instanceof StoreUnavailable) || options.outages === undefined) {
      return reportDown("what is due cannot be found", cause)
    }
    outage = options.outages.of(error.store)
    return outage.failed(name, error.reason)
  }

  const reportDown = (what: string, cause: Cause.Cause<unknown>) => {
    if (isDown || options.outages?.isAnyOn() === true) return Effect.void
    isDown = true
    return Effect.logWarning(`${name}: ${what}; tried again until it works`, cause)
  }

  const handleOne = Effect.fnUntraced(function* (item: A) {
    const exit = yield* Effect.exit(
      Effect.timeoutOrElse(handle(item), {
        duration: bounds.sweepHandleMillis,
        orElse: () => Effect.fail(new Error(`no answer within ${bounds.sweepHandleMillis} ms`))
      })
    )
    const failed = Exit.isFailure(exit)
    if (failed || !exit.value) defer(item, yield* Clock.currentTimeMillis, failed)
    if (failed) yield* reportDown(`${idOf(item)} cannot be handled`, exit.cause)
  })

  /** Answers whether there may be more. */
  const look = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    // A clock that was set back must not make it longer.
    for (const [id, { until }] of deferred)
      if (until <= now || until > now + bounds.sweepDeferMillis) deferred.delete(id)
    const limit = bounds.sweepBatch + deferred.size
    const found = yield* find(limit)
    const due = found.filter((item) => !deferred.has(idOf(item)))
    yield* Effect.forEach(due, handleOne, { concurrency: bounds.sweepConcurrency, discard: true })
    return due.length > 0 && found.length >= limit
  })

  const sweep = Effect.gen(function* () {
    for (let looks = 0; looks < looksPerSweep; looks++) if (!(yield* look)) break
    yield* Metric.update(EngineMetrics.sweepsDeferred, deferred.size)
    if (outage !== undefined) yield* outage.answered(name)
    outage = undefined
    if (!isDown) return
    for (const { failed } of deferred.values()) if (failed) return
    isDown = false
    yield* Effect.logInfo(`${name}: goes on`)
  }).pipe(Effect.catchCause(reportNotFound), Effect.asVoid)

  /** Another node sweeps from now on. */
  const leave = Effect.sync(() => {
    outage?.left(name)
    outage = undefined
  })

  return {
    sweep,
    run: Effect.repeat(sweep, Schedule.spaced(intervalMillis)).pipe(Effect.ensuring(leave), Effect.asVoid)
  }
}
