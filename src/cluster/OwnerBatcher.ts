/**
 * Gathers the calls of many links into batches, one lane per node: while one batch is on
 * its way the next one fills up, so that a message is shared the better the more there is
 * to say. A lane is chosen by the node that answered for the partition last; a
 * partition of which nothing is known has a lane of its own, and effect/cluster finds its
 * owner. A wrong guess costs one message.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import { BatchReplies, type Part, type BatchContext } from "./BatchReplies.ts"
import { decodeReply, encodeBatch } from "./CallCodec.ts"
import * as ClusterMetrics from "./ClusterMetrics.ts"
import type { RemoteQueue } from "./RemoteQueue.ts"

/** Batches of one lane on their way at once. A second one would halve both, and a message is dear: measured, a sixth slower. */
const batchesInFlight = 1

/** Calls of one batch, and bytes of their free texts: far below the largest frame, an answer being up to ten times its call. */
const batchLimit = { calls: 512, bytes: 1024 * 1024 }

interface Lane {
  readonly key: string
  readonly ready: Array<RemoteQueue>
  inFlight: number
}

export class OwnerBatcher {
  private readonly context: BatchContext
  private readonly replies: BatchReplies
  private readonly lanes = new Map<string, Lane>()
  /** The node that answered for a partition last. */
  private readonly nodes = new Map<number, string>()

  constructor(context: BatchContext) {
    this.context = context
    this.replies = new BatchReplies(context, this.nodes)
  }

  /** The link's next calls travel with the next batch of its owner. */
  enqueue(link: RemoteQueue): void {
    link.isQueued = true
    const key = this.nodes.get(link.partition) ?? `partition ${link.partition}`
    let lane = this.lanes.get(key)
    if (lane === undefined) this.lanes.set(key, (lane = { key, ready: [], inFlight: 0 }))
    lane.ready.push(link)
    this.pump(lane)
  }

  private pump(lane: Lane): void {
    if (lane.ready.length > 0 && lane.inFlight < batchesInFlight) {
      lane.inFlight++
      this.context.fork(this.sendNext(lane))
    } else if (lane.ready.length === 0 && lane.inFlight === 0) this.lanes.delete(lane.key)
  }

  private sendNext(lane: Lane): Effect.Effect<void> {
    // Whoever is ready in this turn comes along.
    return Effect.andThen(
      Effect.yieldNow,
      Effect.suspend(() => {
        const parts = this.take(lane)
        return parts.length > 0 ? this.send(parts) : Effect.void
      })
    ).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          lane.inFlight--
          this.pump(lane)
        })
      )
    )
  }

  private take(lane: Lane): ReadonlyArray<Part> {
    const parts: Array<Part> = []
    let calls = 0
    let bytes = 0
    while (lane.ready.length > 0 && calls < batchLimit.calls && bytes < batchLimit.bytes) {
      const link = lane.ready.shift()!
      link.isQueued = false
      const taken = link.send({ calls: batchLimit.calls - calls, bytes: batchLimit.bytes - bytes })
      if (taken.length === 0) {
        this.context.advance(link)
        continue
      }
      calls += taken.length
      for (const { call } of taken) bytes += call.bytes
      parts.push({ link, calls: taken })
    }
    return parts
  }

  private send(parts: ReadonlyArray<Part>): Effect.Effect<void> {
    return this.exchange(parts).pipe(
      Effect.catchDefect((defect) => this.replies.again(parts, { delivered: true, reason: String(defect) }))
    )
  }

  private exchange(parts: ReadonlyArray<Part>): Effect.Effect<void> {
    const { context, replies } = this
    return Effect.gen(function* () {
      const now = context.clock.currentTimeMillisUnsafe()
      const count = parts.reduce((total, { calls }) => total + calls.length, 0)
      yield* Metric.update(ClusterMetrics.remoteCommands, count)
      const text = encodeBatch(
        parts.map(({ calls, link }) => ({
          walletId: link.walletId,
          after: link.after,
          calls: calls.map(({ askedAt, call, isUnsure }) => ({
            call,
            waitedMillis: Math.max(0, Math.floor(now - askedAt)),
            again: isUnsure
          }))
        }))
      )
      const { partition } = parts[0]!.link
      const answered = yield* Effect.result(context.owners.ask(partition, text))
      if (Result.isFailure(answered)) return yield* replies.again(parts, answered.failure)
      if (answered.success === null) return yield* replies.again(parts, unreadable)
      const reply = decodeReply(answered.success)
      if (Result.isFailure(reply)) return yield* replies.again(parts, { delivered: true, reason: reply.failure })
      yield* replies.complete(parts, reply.success, partition)
    })
  }
}

const unreadable = { delivered: false, reason: "the calls are unreadable to their owner" }
