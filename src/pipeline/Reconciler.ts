/**
 * Finds what was committed and never written to a Persistence of its own, and has it
 * written: the log is the outbox.
 *
 * Every node leaves a checkpoint: all its appends below that position are persisted. When the
 * node is gone, the log is looked through from there once, up to where it stood when the
 * node's claims were taken; nothing of that node can come later. Beside that a slow look
 * goes over the whole log again and again, for what no checkpoint tells of, and refusals whose
 * reversal a crash has cut off are finished.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { makeSweeper } from "../actors/Sweeper.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { StoreDefect } from "../stores/StoreError.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import { bringUp, makeRecovery, type Page, readPage, type RecoveryContext } from "./Recovery.ts"

/** The slow look rests so many times as long as it worked: it takes some 2 % of the node. */
const restFactor = 50

/** … and at least so long, ms. */
const restMillis = 1_000

/** Events younger than this are on their way anyway, ms. */
const settledMillis = 30_000

/** Between two looks for refusals that wait for their reversal, ms. */
const refusalsMillis = 2_000

/** An outage is asked again after so long. */
const retryPause = Schedule.spaced("1 second")

export interface ReconcilerLoad {
  /** Where the look after dead owners is; `undefined`: there is none under way. */
  readonly recovering: bigint | undefined
  /** Where the slow look over the whole log is. */
  readonly position: bigint
}

export class Reconciler extends Context.Service<
  Reconciler,
  {
    /**
     * Has everything written that dead owners have committed; then their checkpoints are removed.
     * To be called when their claims have been taken: nothing of theirs can come later. Not
     * to be run on two nodes, or twice, at one time.
     */
    readonly recover: (isAlive: (owner: string) => boolean) => Effect.Effect<void, ReadError | EventUnreadable>
    readonly load: () => ReconcilerLoad
  }
>()("effect-wallet/pipeline/Reconciler") {
  /** `alone`: no other node lives beside this one, so it recovers after all others as it starts. */
  static readonly layer = (bounds: ActorBounds, options: { readonly alone: boolean } = { alone: true }) =>
    Layer.effect(Reconciler, make(bounds, options.alone))
}

/** What a store throws, or a defect of ours, must not end the looking for good. */
const outlivesDefects = <A, E>(look: Effect.Effect<A, E>): Effect.Effect<A, E | StoreDefect> =>
  Effect.catchDefect(look, (defect) => Effect.fail(new StoreDefect({ store: "log", reason: String(defect) })))

/** Those that nobody has in work. A time that is still to come is of a bad clock, and tells no age. */
const forgotten = (pipeline: WritePipeline["Service"], { heads }: Page, now: number): Page["heads"] => {
  const isSettled = (time: number): boolean => time < now - settledMillis || time > now
  return new Map(
    Array.from(heads).filter(([walletId, { time }]) => isSettled(time) && !pipeline.isCatchingUp(walletId))
  )
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds, alone: boolean) {
  const log = yield* EventStore
  const persistence = yield* Persistence
  const pipeline = yield* WritePipeline
  const { owner } = yield* NodeIdentity
  const clock = yield* Clock.Clock
  const outages = yield* StoreOutages.current
  const context: RecoveryContext = { log, persistence, pipeline, owner }
  let recovering: bigint | undefined
  let position = 0n
  let isWaiting = false

  const recover = makeRecovery(context, (at) => {
    recovering = at
  })

  /** One page of the slow look; returns its time in ms. */
  const lookOn = Effect.gen(function* () {
    const startedAt = clock.currentTimeMillisUnsafe()
    const page = yield* readPage(log, position)
    const found = yield* bringUp(context, forgotten(pipeline, page, startedAt))
    if (found.length > 0)
      yield* Effect.logWarning(`${found.length} wallets were behind the log that no checkpoint told of`)
    position = page.isLast ? 0n : page.next
    if (isWaiting) yield* Effect.logInfo("the reconciler goes on")
    isWaiting = false
    yield* Metric.update(EngineMetrics.reconcilerPosition, Number(position))
    return Math.max(0, clock.currentTimeMillisUnsafe() - startedAt)
  }).pipe(
    outlivesDefects,
    Effect.catch((error) => Effect.as(reportWaiting(error), restMillis))
  )

  /** An outage is told of once. */
  const reportWaiting = (error: ReadError | EventUnreadable) =>
    Effect.suspend(() => {
      if (isWaiting || (error._tag === "StoreUnavailable" && outages.of(error.store).isOn)) return Effect.void
      isWaiting = true
      return Effect.logWarning(`the reconciler waits: ${error.message}`)
    })

  const refusals = makeSweeper<
    { readonly walletId: string; readonly version: number; readonly reason: string },
    ReadError
  >(bounds, {
    name: "reversals of refused operations",
    outages,
    intervalMillis: refusalsMillis,
    find: (limit) => persistence.openRefusals({ after: { walletId: "", version: -1 }, limit }),
    idOf: ({ version, walletId }) => `${walletId} ${version}`,
    handle: ({ reason, version, walletId }) =>
      Effect.sync(() => {
        pipeline.compensate(walletId, version, reason)
        return false
      })
  })

  const recoverAlone = outlivesDefects(recover(() => false)).pipe(
    Effect.tapError(reportWaiting),
    Effect.retry(retryPause)
  )
  const lookForEver = Effect.forever(
    Effect.flatMap(lookOn, (millis) => Effect.sleep(Math.max(restMillis, millis * restFactor)))
  )
  if (pipeline.separate) {
    yield* Effect.forkScoped(alone ? Effect.andThen(recoverAlone, lookForEver) : lookForEver)
    yield* Effect.forkScoped(refusals.run)
  }

  return Reconciler.of({ recover, load: () => ({ recovering, position }) })
})
