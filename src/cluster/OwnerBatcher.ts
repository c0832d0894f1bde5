/**
 * Gathers the calls of many queues into batches, one line per destination: while one batch
 * is in flight the next one fills up, so that a message is shared the better the more there
 * is to send. The destination is the node that answered for the partition last; a partition
 * of which nothing is known is a destination of its own, and effect/cluster finds its owner.
 * A wrong guess costs one message.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import { type BatchContext, type BatchPart, BatchReplies } from "./BatchReplies.ts"
import { decodeReply, encodeBatch } from "./CallCodec.ts"
import * as ClusterMetrics from "./ClusterMetrics.ts"
import type { RemoteQueue } from "./RemoteQueue.ts"

/** Batches in flight at once to one destination. A second one would halve both, and a message is dear: measured, a sixth slower. */
const batchesInFlight = 1

/** Calls of one batch, and bytes of their free texts: far below the largest frame, an answer being up to ten times its call. */
const batchLimit = { calls: 512, bytes: 1024 * 1024 }

interface Destination {
  readonly key: string
  readonly ready: Array<RemoteQueue>
  inFlight: number
}

export class OwnerBatcher {
  private readonly context: BatchContext
  private readonly replies: BatchReplies
  private readonly destinations = new Map<string, Destination>()
  /** Partition → the node that answered for it last. */
  private readonly nodes = new Map<number, string>()

  constructor(context: BatchContext) {
    this.context = context
    this.replies = new BatchReplies(context, this.nodes)
  }

  /** The queue's next calls go with the next batch to its owner. */
  schedule(queue: RemoteQueue): void {
    queue.isScheduled = true
    const key = this.nodes.get(queue.partition) ?? `partition ${queue.partition}`
    let destination = this.destinations.get(key)
    if (destination === undefined) this.destinations.set(key, (destination = { key, ready: [], inFlight: 0 }))
    destination.ready.push(queue)
    this.sendIfIdle(destination)
  }

  private sendIfIdle(destination: Destination): void {
    const { inFlight, key, ready } = destination
    if (ready.length > 0 && inFlight < batchesInFlight) {
      destination.inFlight++
      this.context.fork(this.sendNext(destination))
    } else if (ready.length === 0 && inFlight === 0) this.destinations.delete(key)
  }

  private sendNext(destination: Destination): Effect.Effect<void> {
    // What becomes ready in this turn goes with it.
    return Effect.andThen(
      Effect.yieldNow,
      Effect.suspend(() => {
        const parts = this.take(destination)
        return parts.length > 0 ? this.send(parts) : Effect.void
      })
    ).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          destination.inFlight--
          this.sendIfIdle(destination)
        })
      )
    )
  }

  private take({ ready }: Destination): ReadonlyArray<BatchPart> {
    const parts: Array<BatchPart> = []
    let calls = 0
    let bytes = 0
    while (ready.length > 0 && calls < batchLimit.calls && bytes < batchLimit.bytes) {
      const queue = ready.shift()!
      queue.isScheduled = false
      const taken = queue.startSending({ calls: batchLimit.calls - calls, bytes: batchLimit.bytes - bytes })
      if (taken.length === 0) {
        this.context.advance(queue)
        continue
      }
      calls += taken.length
      for (const { call } of taken) bytes += call.bytes
      parts.push({ queue, calls: taken })
    }
    return parts
  }

  private send(parts: ReadonlyArray<BatchPart>): Effect.Effect<void> {
    return this.exchange(parts).pipe(
      Effect.catchDefect((defect) => this.replies.noReply(parts, { delivered: true, reason: String(defect) }))
    )
  }

  private exchange(parts: ReadonlyArray<BatchPart>): Effect.Effect<void> {
    const { context, replies } = this
    return Effect.gen(function* () {
      const now = context.clock.currentTimeMillisUnsafe()
      const count = parts.reduce((total, { calls }) => total + calls.length, 0)
      yield* Metric.update(ClusterMetrics.remoteCommands, count)
      const text = encodeBatch(
        parts.map(({ calls, queue }) => ({
          walletId: queue.walletId,
          after: queue.after,
          calls: calls.map(({ askedAt, call, isInDoubt }) => ({
            call,
            waitedMillis: Math.max(0, Math.floor(now - askedAt)),
            again: isInDoubt
          }))
        }))
      )
      const { partition } = parts[0]!.queue
      const answered = yield* Effect.result(context.owners.ask(partition, text))
      if (Result.isFailure(answered)) return yield* replies.noReply(parts, answered.failure)
      if (answered.success === null) return yield* replies.noReply(parts, unreadable)
      const reply = decodeReply(answered.success)
      if (Result.isFailure(reply)) return yield* replies.noReply(parts, { delivered: true, reason: reply.failure })
      yield* replies.received(parts, reply.success, partition)
    })
  }
}

const unreadable = { delivered: false, reason: "the calls are unreadable to their owner" }
