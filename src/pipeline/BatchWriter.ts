/** Takes batch after batch out of the pipeline's queue and writes each; one at a time, whose wallets are nobody else's meanwhile. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import type { CatchUpQueue } from "./CatchUpQueue.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import type { WalletOutcome, WriterContext } from "./PersistenceWriter.ts"
import { writeCommits } from "./PersistenceWriter.ts"
import type { HighWatermark } from "./HighWatermark.ts"
import type { PersistQueue, Queued } from "./PersistQueue.ts"
import { mergeCommits } from "../stores/RowWriter.ts"

/** The batch that is being written. */
export class ActiveWrite {
  private readonly wallets = new Set<string>()
  /** Closed while there is one. */
  private readonly ended = Latch.makeUnsafe(true)
  /** Since when its oldest commit waits, ms; `undefined`: there is no batch. */
  since: number | undefined = undefined
  /** Wallets of it at whose rows Persistence itself has failed. */
  readonly failures = new Set<string>()

  begin(batch: ReadonlyArray<Queued>): void {
    this.ended.closeUnsafe()
    for (const { since, walletId } of batch) {
      this.wallets.add(walletId)
      if (this.since === undefined || since < this.since) this.since = since
    }
  }

  end(): void {
    this.wallets.clear()
    this.failures.clear()
    this.since = undefined
    this.ended.openUnsafe()
  }

  /** Completes when the wallet is not in the batch. */
  without(walletId: string): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.wallets.has(walletId) ? Effect.andThen(this.ended.await, this.without(walletId)) : Effect.void
    )
  }
}

interface BatchWriterOptions {
  readonly context: WriterContext
  readonly queue: PersistQueue
  readonly active: ActiveWrite
  readonly catchUpQueue: CatchUpQueue
  readonly highWatermark: HighWatermark
  readonly clock: Clock.Clock
  /** Whose checkpoint is recorded with the batches. */
  readonly owner: string
}

/** Writes the next batch of a queue that is not empty. Never fails. */
export const makeBatchWriter = (options: BatchWriterOptions) => {
  const { active, catchUpQueue, clock, context, highWatermark, owner, queue } = options
  const resolve = (walletId: string, lowWatermark: bigint, outcome: WalletOutcome): Effect.Effect<void> => {
    if (outcome._tag === "Stopped") return catchUpQueue.stop(walletId, lowWatermark, outcome)
    if (outcome._tag === "Behind") catchUpQueue.add(walletId, lowWatermark)
    return Effect.void
  }

  /** Up to the last of them they may be given to Persistence. */
  const covered = (batch: ReadonlyArray<Queued>): Effect.Effect<void> => {
    let highest = 0n
    for (const queued of batch) if (queued.highest > highest) highest = queued.highest
    return highWatermark.covers(highest) ? Effect.void : highWatermark.cover(highest)
  }

  const write = Effect.fnUntraced(function* (batch: ReadonlyArray<Queued>) {
    const startedAt = clock.currentTimeMillisUnsafe()
    const commits = batch.map((queued) => mergeCommits(queued.commits))
    const checkpoint = { owner, position: queue.checkpoint(catchUpQueue.lowWatermarks()) }
    const outcomes = yield* writeCommits(context, commits, checkpoint)
    for (const [index, { lowWatermark, walletId }] of batch.entries())
      yield* resolve(walletId, lowWatermark, outcomes[index]!)
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
        for (const { lowWatermark, walletId } of batch) catchUpQueue.add(walletId, lowWatermark)
      })
    )

  return Effect.gen(function* () {
    const { persistEvents, persistWallets } = context.bounds
    const taken = queue.take(persistWallets, persistEvents)
    const batch = taken.filter(({ lowWatermark, walletId }) => !catchUpQueue.leave(walletId, lowWatermark))
    active.begin(batch)
    yield* covered(batch)
    if (batch.length > 0) yield* Effect.catchDefect(write(batch), writeApart(batch))
    queue.resolve(taken)
    active.end()
  })
}
