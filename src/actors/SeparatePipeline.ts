/**
 * The write pipeline to a Persistence that is not the log's database: one writer, a
 * bounded queue, a lane for wallets that are behind, and what is known of its health.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import { BatchInHand } from "./BatchInHand.ts"
import * as CatchUps from "./CatchUps.ts"
import { CompensationBudget } from "./CompensationBudget.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import { NodeIdentity } from "./NodeIdentity.ts"
import type { WalletOutcome, WriterContext } from "./PersistenceWriter.ts"
import { catchUpWallet, writeCommits } from "./PersistenceWriter.ts"
import type { Queued } from "./PersistQueue.ts"
import { mergeCommits, PersistQueue } from "./PersistQueue.ts"
import { WalletHistory } from "./WalletHistory.ts"
import type { PersistenceListener } from "./WritePipeline.ts"
import { none, WritePipeline } from "./WritePipeline.ts"

/** Between two looks at the gauges. */
const gaugeInterval = "1 second"

const silent: PersistenceListener = {
  persisted: () => undefined,
  refused: () => undefined,
  reversed: () => undefined
}

/** The pipeline that the configured stores need: none where an append writes Persistence itself. */
export const layer = (bounds: ActorBounds) =>
  Layer.effect(
    WritePipeline,
    Effect.flatMap(EventStore, (log) => (log.writesPersistence ? Effect.succeed(none) : make(bounds)))
  )

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const log = yield* EventStore
  const persistence = yield* Persistence
  const history = yield* WalletHistory
  const clock = yield* Clock.Clock
  const { owner } = yield* NodeIdentity
  const head = yield* log.head
  // Were this process to die before its first write, the mark tells from where to look.
  yield* persistence.setMark(owner, head.position)

  const queue = new PersistQueue(head.position)
  const budget = new CompensationBudget(clock, bounds.compensationsPerMinute)
  let listener = silent
  let failure: string | undefined
  const hand = new BatchInHand()
  let wake: ((effect: Effect.Effect<void>) => void) | undefined
  let flushed: Array<(effect: Effect.Effect<void>) => void> = []

  const context: WriterContext = {
    bounds,
    log,
    persistence,
    history,
    listener: () => listener,
    failing: (reason) => {
      failure = reason
    },
    storeAtFault: () => new Set([...catchUps.storeFailures(), ...hand.failures]).size >= bounds.persistBlockedWallets,
    storeFailed: (walletId) => hand.failures.add(walletId),
    mayCompensate: () => budget.take()
  }
  /** One that has stopped already is not waited for: others need its place in the lane. */
  const contextOf = (walletId: string): WriterContext => ({
    ...context,
    storeAtFault: () => !catchUps.blocked().has(walletId) && context.storeAtFault(),
    storeFailed: () => undefined
  })

  const whenFlushed = () => {
    if (queue.wallets > 0 || hand.since !== undefined || !catchUps.isEmpty()) return
    for (const resume of flushed) resume(Effect.void)
    flushed = []
  }

  const catchUps: CatchUps.CatchUps = yield* CatchUps.make({
    catchUp: (walletId) => catchUpWallet(contextOf(walletId), walletId),
    alone: (walletId) => hand.without(walletId),
    retryMillis: bounds.persistBlockedMillis,
    idle: () => whenFlushed()
  })

  const settle = (walletId: string, floor: bigint, outcome: WalletOutcome): Effect.Effect<void> => {
    if (outcome._tag === "Stopped") return catchUps.stop(walletId, floor, outcome)
    if (outcome._tag === "Behind") catchUps.add(walletId, floor)
    return Effect.void
  }

  const write = Effect.fnUntraced(function* (batch: ReadonlyArray<Queued>) {
    const startedAt = clock.currentTimeMillisUnsafe()
    const commits = batch.map((queued) => mergeCommits(queued.commits))
    const mark = { owner, position: queue.mark(catchUps.floors()) }
    const outcomes = yield* writeCommits(context, commits, mark)
    for (const [index, { floor, walletId }] of batch.entries()) yield* settle(walletId, floor, outcomes[index]!)
    const events = batch.reduce((sum, queued) => sum + queued.events, 0)
    yield* Metric.update(EngineMetrics.persistBatch, events)
    yield* Metric.update(EngineMetrics.persistedEvents, events)
    yield* Metric.update(EngineMetrics.persistSeconds, (clock.currentTimeMillisUnsafe() - startedAt) / 1_000)
  })

  /** A defect of ours: each wallet goes on by itself, from the log. */
  const writeApart = (batch: ReadonlyArray<Queued>) => (defect: unknown) =>
    Effect.andThen(
      Effect.logError(`writing ${batch.length} wallets to PostgreSQL: a defect; each is tried by itself`, defect),
      Effect.sync(() => {
        for (const { floor, walletId } of batch) catchUps.add(walletId, floor)
      })
    )

  const writeNext = Effect.gen(function* () {
    const taken = queue.take(bounds.persistWallets, bounds.persistEvents)
    const batch = taken.filter(({ floor, walletId }) => !catchUps.leave(walletId, floor))
    hand.take(batch)
    if (batch.length > 0) yield* Effect.catchDefect(write(batch), writeApart(batch))
    queue.settle(taken)
    hand.end()
    whenFlushed()
  })

  const park = Effect.callback<void>((resume) => {
    if (queue.wallets > 0) resume(Effect.void)
    else wake = resume
  })

  yield* Effect.forkScoped(Effect.forever(Effect.andThen(park, writeNext)))

  const lagMillis = () => {
    const oldest = hand.since ?? queue.oldest
    return oldest === undefined ? 0 : Math.max(0, clock.currentTimeMillisUnsafe() - oldest)
  }
  yield* Effect.forkScoped(
    Effect.repeat(
      Effect.gen(function* () {
        yield* Metric.update(EngineMetrics.persistQueue, queue.events)
        yield* Metric.update(EngineMetrics.persistLag, lagMillis() / 1_000)
        yield* Metric.update(EngineMetrics.persistBlocked, catchUps.blocked().size)
      }),
      Schedule.spaced(gaugeInterval)
    )
  )

  return WritePipeline.of({
    separate: true,
    refusal: () => (queue.events < bounds.persistQueueEvents ? undefined : full),
    appending: () => {
      const floor = queue.appending()
      return (appended) => {
        const now = clock.currentTimeMillisUnsafe()
        for (const { commit, position } of appended) queue.add(commit, position, floor, now)
        queue.landed(floor)
        const resume = wake
        if (resume === undefined || queue.wallets === 0) return
        wake = undefined
        resume(Effect.void)
      }
    },
    listen: (given) => {
      listener = given
    },
    catchUp: catchUps.run,
    startCatchUp: (walletId) => catchUps.add(walletId, CatchUps.noFloor),
    isAside: catchUps.isAside,
    load: () => ({
      queuedEvents: queue.events,
      queuedWallets: queue.wallets,
      lagMillis: lagMillis(),
      blocked: Array.from(catchUps.blocked(), ([walletId, { reason }]) => ({ walletId, reason })),
      failure,
      compensationsStopped: budget.isStopped
    }),
    flush: Effect.callback<void>((resume) => {
      flushed.push(resume)
      whenFlushed()
      return Effect.sync(() => {
        flushed = flushed.filter((other) => other !== resume)
      })
    })
  })
})

const full = new StoreUnavailable({
  store: "persistence",
  reason: "too much is waiting to be written to PostgreSQL",
  retryAfter: 1_000
})
