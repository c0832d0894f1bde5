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
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { ActiveWrite } from "./ActiveWrite.ts"
import { makeBatchWriter } from "./BatchWriter.ts"
import * as CatchUpQueue from "./CatchUpQueue.ts"
import { CompensationBudget } from "./CompensationBudget.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import type { WriterContext } from "./PersistenceWriter.ts"
import { catchUpWallet } from "./PersistenceWriter.ts"
import { PersistQueue } from "./PersistQueue.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import type { PersistenceListener } from "../actors/WritePipeline.ts"
import { none, WritePipeline } from "../actors/WritePipeline.ts"

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
  // Were this process to die before its first write, the checkpoint tells from where to look.
  yield* persistence.setCheckpoint(owner, head.position)

  const state = new PipelineState(bounds, clock, head.position)
  const { active, queue } = state
  const context: WriterContext = {
    bounds,
    log,
    persistence,
    history,
    listener: () => state.listener,
    failing: (reason) => {
      state.failure = reason
    },
    storeAtFault: () => storeFailures(catchUpQueue, active) >= bounds.persistBlockedWallets,
    storeFailed: (walletId) => active.failures.add(walletId),
    mayCompensate: () => state.budget.take()
  }
  /** One that has stopped already is not waited for: others need its place in the lane. */
  const contextOf = (walletId: string): WriterContext => ({
    ...context,
    storeAtFault: () => !catchUpQueue.blocked.has(walletId) && context.storeAtFault(),
    storeFailed: () => undefined
  })
  const catchUpQueue: CatchUpQueue.CatchUpQueue = yield* CatchUpQueue.make({
    catchUp: (walletId) => catchUpWallet(contextOf(walletId), walletId),
    alone: (walletId) => active.without(walletId),
    retryMillis: bounds.persistBlockedMillis,
    idle: () => state.whenFlushed(catchUpQueue)
  })
  const writeNext = makeBatchWriter({ context, queue, active, catchUpQueue, clock, owner })
  const flushedThen = Effect.sync(() => state.whenFlushed(catchUpQueue))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(state.park, Effect.andThen(writeNext, flushedThen))))
  yield* Effect.forkScoped(Effect.repeat(measured(state, catchUpQueue), Schedule.spaced(gaugeInterval)))

  return WritePipeline.of({
    separate: true,
    refusal: () => (queue.events < bounds.persistQueueEvents ? undefined : full),
    appending: () => state.appending(),
    listen: (listener) => {
      state.listener = listener
    },
    catchUp: (walletId) => catchUpQueue.run(walletId),
    startCatchUp: (walletId) => {
      catchUpQueue.add(walletId, CatchUpQueue.noLowWatermark)
    },
    isCatchingUp: (walletId) => catchUpQueue.isCatchingUp(walletId),
    load: () => ({
      queuedEvents: queue.events,
      queuedWallets: queue.wallets,
      lagMillis: state.lagMillis,
      blocked: Array.from(catchUpQueue.blocked, ([walletId, { reason }]) => ({ walletId, reason })),
      failure: state.failure,
      compensationsStopped: state.budget.isStopped
    }),
    flush: state.flush(catchUpQueue)
  })
})

/** What the parts of the pipeline share, and what its service tells of it. */
class PipelineState {
  readonly queue: PersistQueue
  readonly active = new ActiveWrite()
  readonly budget: CompensationBudget
  listener = silent
  /** Why the last write failed. */
  failure: string | undefined = undefined
  private readonly clock: Clock.Clock
  private wake: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  private flushed: Array<(effect: Effect.Effect<void>) => void> = []

  constructor(bounds: ActorBounds, clock: Clock.Clock, head: bigint) {
    this.clock = clock
    this.queue = new PersistQueue(head)
    this.budget = new CompensationBudget(clock, bounds.compensationsPerMinute)
  }

  /** Waits until something is in the queue. */
  readonly park: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.queue.wallets > 0) resume(Effect.void)
    else this.wake = resume
  })

  appending(): ReturnType<WritePipeline["Service"]["appending"]> {
    const lowWatermark = this.queue.appending()
    return (appended, isOver) => {
      const now = this.clock.currentTimeMillisUnsafe()
      for (const { commit, position } of appended) this.queue.add(commit, position, lowWatermark, now)
      if (isOver) this.queue.landed(lowWatermark)
      const resume = this.wake
      if (resume === undefined || this.queue.wallets === 0) return
      this.wake = undefined
      resume(Effect.void)
    }
  }

  get lagMillis(): number {
    const oldest = this.active.since ?? this.queue.oldest
    return oldest === undefined ? 0 : Math.max(0, this.clock.currentTimeMillisUnsafe() - oldest)
  }

  whenFlushed(catchUpQueue: CatchUpQueue.CatchUpQueue): void {
    if (this.queue.wallets > 0 || this.active.since !== undefined || !catchUpQueue.isEmpty) return
    const waiting = this.flushed
    this.flushed = []
    for (const resume of waiting) resume(Effect.void)
  }

  flush(catchUpQueue: CatchUpQueue.CatchUpQueue): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.flushed.push(resume)
      this.whenFlushed(catchUpQueue)
      return Effect.sync(() => {
        this.flushed = this.flushed.filter((other) => other !== resume)
      })
    })
  }
}

const measured = Effect.fnUntraced(function* (
  { lagMillis, queue }: PipelineState,
  { blocked }: CatchUpQueue.CatchUpQueue
) {
  yield* Metric.update(EngineMetrics.persistQueue, queue.events)
  yield* Metric.update(EngineMetrics.persistLag, lagMillis / 1_000)
  yield* Metric.update(EngineMetrics.persistBlocked, blocked.size)
})

/** Wallets at whose rows Persistence itself fails. */
const storeFailures = (catchUpQueue: CatchUpQueue.CatchUpQueue, active: ActiveWrite): number => {
  const wallets = new Set(active.failures)
  for (const [walletId, { storeFailed }] of catchUpQueue.blocked) if (storeFailed) wallets.add(walletId)
  return wallets.size
}

const full = new StoreUnavailable({
  store: "persistence",
  reason: "too much is waiting to be written to PostgreSQL",
  retryAfter: 1_000
})
