/**
 * The write pipeline to a Persistence that is not the log's database: a bounded queue, one
 * writer, a queue of wallets that are behind, the reversal of what was refused, and what
 * is known of its health.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { NotOwner, Ownership } from "../actors/Ownership.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import type { PersistenceListener, PipelineLoad } from "../actors/WritePipeline.ts"
import { none, WritePipeline } from "../actors/WritePipeline.ts"
import { ActiveWrite, makeBatchWriter } from "./BatchWriter.ts"
import * as CatchUpQueue from "./CatchUpQueue.ts"
import * as Compensations from "./Compensations.ts"
import { HighWatermark } from "./HighWatermark.ts"
import { ownShareOf } from "./OwnShare.ts"
import type { WriterContext } from "./PersistenceWriter.ts"
import { catchUpWallet } from "./PersistenceWriter.ts"
import { PersistQueue } from "./PersistQueue.ts"
import { ReversibleEvents } from "./ReversibleEvents.ts"

/** Between two looks at the gauges. */
const gaugeInterval = "1 second"

/**
 * Between two looks of a node with nothing on its way at where the log is: what is above its checkpoint is looked
 * through by whoever asks for an event that has no rows yet, and after its death.
 */
const checkpointInterval = "500 millis"

/** Until there are actors. What is refused by then is found open in Persistence. */
const nobody: PersistenceListener = {
  persisted: () => undefined,
  refused: () => undefined,
  reversed: () => undefined,
  offerUrgent: ({ command }) => new NotOwner({ walletId: command.walletId })
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
  const ownership = yield* Ownership
  const { owner } = yield* NodeIdentity
  const head = yield* log.head
  // Were this process to die before its first write, the checkpoint tells from where to look.
  yield* persistence.setCheckpoint(owner, head.position)

  const state = new PipelineState(bounds, clock, head.position)
  const { active, queue, reversible } = state
  const failing = (reason: string | undefined) => {
    state.failure = reason
  }
  const highWatermark = new HighWatermark({ log, owner, clock, failing, smallestStep: bounds.highWatermarkStep })
  const context: WriterContext = {
    bounds,
    log,
    persistence,
    history,
    listener: () => state.listener,
    failing,
    outage: (yield* StoreOutages.current).of("persistence"),
    highWatermark,
    mayReverse: reversible.mayReverse(log, owner),
    ownShare: ownShareOf(log, ownership, reversible),
    storeAtFault: () => storeFailures(catchUpQueue, active) >= bounds.persistBlockedWallets,
    storeFailed: (walletId) => active.failures.add(walletId),
    mayCompensate: () => state.budget.take()
  }
  const compensations = yield* Compensations.make({
    log,
    history,
    clock,
    offerUrgent: (reversal) => state.listener.offerUrgent(reversal)
  })
  const catchUpQueue: CatchUpQueue.CatchUpQueue = yield* CatchUpQueue.make({
    catchUp: (walletId) =>
      catchUpWallet(
        contextOfOne(context, () => catchUpQueue.blocked.has(walletId)),
        walletId
      ),
    alone: (walletId) => active.without(walletId),
    retryMillis: bounds.persistBlockedMillis,
    idle: () => state.flushedIfEmpty(catchUpQueue)
  })
  const writeNext = makeBatchWriter({ context, queue, active, catchUpQueue, highWatermark, clock, owner })
  const written = Effect.sync(() => state.flushedIfEmpty(catchUpQueue))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(state.filled, Effect.andThen(writeNext, written))))
  yield* Effect.forkScoped(Effect.repeat(measured(state, catchUpQueue), Schedule.spaced(gaugeInterval)))
  yield* Effect.forkScoped(movingCheckpoint({ log, persistence, owner, state, catchUpQueue }))

  return WritePipeline.of({
    separate: true,
    refusal: () => (queue.events < bounds.persistQueueEvents ? undefined : full()),
    appending: () => state.appending(),
    listen: (listener) => {
      state.listener = listeningTo(listener, reversible, compensations)
    },
    compensate: compensations.start,
    catchUp: (walletId, unoffered) => {
      if (unoffered !== undefined) reversible.found(walletId, unoffered)
      return catchUpQueue.run(walletId)
    },
    startCatchUp: (walletId) => void catchUpQueue.add(walletId, CatchUpQueue.noLowWatermark),
    isCatchingUp: (walletId) => catchUpQueue.isCatchingUp(walletId),
    load: () => loadOf(state, catchUpQueue, compensations.failed),
    flush: state.flush(catchUpQueue)
  })
})

/** Of a wallet by itself. One that has stopped already is not waited for: others need its place in the queue. */
const contextOfOne = (context: WriterContext, isBlocked: () => boolean): WriterContext => ({
  ...context,
  storeAtFault: () => !isBlocked() && context.storeAtFault(),
  storeFailed: () => undefined
})

/** The actors, told what the pipeline itself has to see to first. */
const listeningTo = (
  listener: PersistenceListener,
  reversible: ReversibleEvents,
  compensations: Compensations.Compensations
): PersistenceListener => ({
  ...listener,
  persisted: (walletId, version) => {
    reversible.persisted(walletId, version)
    listener.persisted(walletId, version)
  },
  refused: (walletId, version, reason) => {
    listener.refused(walletId, version, reason)
    compensations.start(walletId, version, reason)
  }
})

/** What the parts of the pipeline share, and what its service tells of it. */
class PipelineState {
  readonly queue: PersistQueue
  readonly active = new ActiveWrite()
  readonly reversible = new ReversibleEvents()
  readonly budget: Compensations.CompensationBudget
  listener = nobody
  /** Why the last write failed. */
  failure: string | undefined = undefined
  private readonly clock: Clock.Clock
  /** Open while something is in the queue. */
  private readonly hasWork = Latch.makeUnsafe()
  /** Opened for a moment whenever nothing is on its way. */
  private readonly flushed = Latch.makeUnsafe()

  constructor(bounds: ActorBounds, clock: Clock.Clock, head: bigint) {
    this.clock = clock
    this.queue = new PersistQueue(head)
    this.budget = new Compensations.CompensationBudget(clock, bounds.compensationsPerMinute)
  }

  /** Completes when something is in the queue. */
  readonly filled: Effect.Effect<void> = Effect.suspend(() => {
    if (this.queue.wallets === 0) this.hasWork.closeUnsafe()
    return this.hasWork.await
  })

  appending(): ReturnType<WritePipeline["Service"]["appending"]> {
    const lowWatermark = this.queue.appending()
    return (appended, isOver) => {
      const now = this.clock.currentTimeMillisUnsafe()
      for (const { commit, position } of appended) {
        const { epoch, events, partition, walletId } = commit
        const to = events[events.length - 1]!.version
        this.reversible.appended(walletId, { from: events[0]!.version, to, partition, epoch })
        this.queue.add(commit, position, lowWatermark, now)
      }
      if (isOver) this.queue.landed(lowWatermark)
      if (this.queue.wallets > 0) this.hasWork.openUnsafe()
    }
  }

  get lagMillis(): number {
    const oldest = this.active.since ?? this.queue.oldest
    return oldest === undefined ? 0 : Math.max(0, this.clock.currentTimeMillisUnsafe() - oldest)
  }

  /** Lets those go on who wait for {@link flush}, if nothing is on its way. */
  flushedIfEmpty(catchUpQueue: CatchUpQueue.CatchUpQueue): void {
    if (this.isBusy(catchUpQueue)) return
    this.flushed.openUnsafe()
    this.flushed.closeUnsafe()
  }

  /** Completes when nothing is on its way. */
  flush(catchUpQueue: CatchUpQueue.CatchUpQueue): Effect.Effect<void> {
    return Effect.suspend(() => (this.isBusy(catchUpQueue) ? this.flushed.await : Effect.void))
  }

  isBusy(catchUpQueue: CatchUpQueue.CatchUpQueue): boolean {
    return this.queue.wallets > 0 || this.active.since !== undefined || !catchUpQueue.isEmpty
  }
}

interface CheckpointContext {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly owner: string
  readonly state: PipelineState
  readonly catchUpQueue: CatchUpQueue.CatchUpQueue
}

/** Batches record the checkpoint of a node that has any. One that was removed with all rows is not for this to put back. */
const movingCheckpoint = ({ catchUpQueue, log, owner, persistence, state }: CheckpointContext) =>
  Effect.gen(function* () {
    const head = yield* log.head
    if (state.isBusy(catchUpQueue)) return
    state.queue.seen(head.position)
    const checkpoint = state.queue.checkpoint(catchUpQueue.lowWatermarks())
    const recorded = (yield* persistence.checkpoints).find((one) => one.owner === owner)
    if (recorded !== undefined && recorded.position < checkpoint) yield* persistence.setCheckpoint(owner, checkpoint)
  }).pipe(
    // Whether the stores answer is told by those whose work it is; the next look is soon.
    Effect.ignore({ log: "Debug" }),
    Effect.repeat(Schedule.spaced(checkpointInterval))
  )

const loadOf = (
  { budget, failure, lagMillis, queue }: PipelineState,
  { blocked }: CatchUpQueue.CatchUpQueue,
  irreversible: ReadonlyMap<string, string>
): PipelineLoad => ({
  queuedEvents: queue.events,
  queuedWallets: queue.wallets,
  lagMillis,
  blocked: [
    ...Array.from(blocked, ([walletId, { reason }]) => ({ walletId, reason })),
    ...Array.from(irreversible, ([walletId, reason]) => ({ walletId, reason }))
  ],
  failure,
  compensationsStopped: budget.isStopped
})

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

const full = () =>
  new StoreUnavailable({
    store: "persistence",
    reason: "too much is waiting to be written to PostgreSQL",
    retryAfter: 1_000
  })
