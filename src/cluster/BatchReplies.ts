/**
 * What becomes of the calls of a batch: answered, back into their queues, or pending at the
 * owner and asked for until they are answered.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import type { CommandError } from "../actors/EngineError.ts"
import { OutcomeUnknown } from "../actors/EngineError.ts"
import type { Reply } from "../actors/Mailbox.ts"
import type { Answer, BatchReply } from "./CallCodec.ts"
import { decodeReply } from "./CallCodec.ts"
import * as ClusterMetrics from "./ClusterMetrics.ts"
import type { OwnerClient, OwnerUnavailable } from "./OwnerClient.ts"
import type { OwnerUrls } from "./OwnerUrls.ts"
import type { QueuedCall, RemoteQueue } from "./RemoteQueue.ts"

/** After a bounce or a lost answer, ms; spread by partition, so that not all queues come back at once. */
const backOffMillis = { least: 50, spread: 100 }

/** A wallet's calls in a batch. */
export interface BatchPart {
  readonly queue: RemoteQueue
  readonly calls: ReadonlyArray<QueuedCall>
}

/** The router, as the sending of batches needs it. */
export interface BatchContext {
  readonly owners: OwnerClient["Service"]
  readonly urls: OwnerUrls["Service"]
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => unknown
  /** The queue may have a next step to take. */
  readonly advance: (queue: RemoteQueue) => void
  readonly pause: (queue: RemoteQueue, millis: number) => void
  readonly answer: (call: QueuedCall, answer: Effect.Effect<Reply, CommandError>) => void
  /** The call is in no queue any more. */
  readonly left: (call: QueuedCall) => void
}

interface PendingCall {
  readonly queue: RemoteQueue
  readonly call: QueuedCall
  /** In its batch. */
  readonly index: number
}

export class BatchReplies {
  private readonly context: BatchContext
  private readonly nodes: Map<number, string>

  /** `nodes`: who answered for a partition last; kept up to date here. */
  constructor(context: BatchContext, nodes: Map<number, string>) {
    this.context = context
    this.nodes = nodes
  }

  /** None came, or none that can be read: all calls go again. */
  noReply(
    parts: ReadonlyArray<BatchPart>,
    { delivered, reason }: Pick<OwnerUnavailable, "delivered" | "reason">
  ): Effect.Effect<void> {
    let count = 0
    for (const { calls, queue } of parts) {
      this.forget(queue.partition)
      queue.endSending()
      for (const call of calls) {
        if (delivered) call.isInDoubt = true
        this.requeue(queue, call)
        count++
      }
      this.backOff(queue)
    }
    return Effect.andThen(
      Metric.update(ClusterMetrics.resent, count),
      Effect.logDebug(`owners of ${parts.length} wallets have not answered: ${reason}`)
    )
  }

  /** Whoever has answered for it before is its owner no more, or away. */
  private forget(partition: number): void {
    this.nodes.delete(partition)
    this.context.urls.told(partition, undefined)
  }

  /** `partition`: whose owner was asked. */
  received(parts: ReadonlyArray<BatchPart>, reply: BatchReply, partition: number): Effect.Effect<void> {
    const pending: Array<PendingCall> = []
    let next = 0
    let bounced = 0
    parts.forEach(({ calls, queue }, part) => {
      const epoch = reply.epochs[part] ?? null
      if (epoch === null) this.forget(queue.partition)
      else {
        this.nodes.set(queue.partition, reply.node)
        this.context.urls.told(queue.partition, reply.url)
      }
      queue.endSending()
      let requeued = 0
      for (const call of calls) {
        const index = next++
        const answer = reply.answers[index] ?? missing
        if (answer._tag === "Pending" && epoch !== null) {
          queue.addPending(call, epoch)
          pending.push({ queue, call, index })
        } else if (!this.finish(queue, call, answer)) requeued++
      }
      bounced += requeued
      if (requeued > 0) this.backOff(queue)
      else this.context.advance(queue)
    })
    if (pending.length > 0) this.context.fork(this.collect(partition, reply.token, pending))
    return bounced === 0 ? Effect.void : Metric.update(ClusterMetrics.bounces, bounced)
  }

  /** Asks for what is pending until it is answered, or the owner knows nothing of it any more. */
  private collect(
    partition: number,
    firstToken: string | null,
    pending: ReadonlyArray<PendingCall>
  ): Effect.Effect<void> {
    const { owners } = this.context
    const collected = (token: string) =>
      Effect.map(Effect.result(owners.collect(partition, token)), (answered) =>
        Result.isSuccess(answered) && answered.success !== null
          ? Result.getOrUndefined(decodeReply(answered.success))
          : undefined
      )
    const stillPending = (open: ReadonlyArray<PendingCall>, answers: ReadonlyArray<Answer>) =>
      open.filter((one) => this.isStillPending(one, answers[one.index] ?? missing))
    const resend = (open: ReadonlyArray<PendingCall>): void => this.resend(open)
    return Effect.gen(function* () {
      let token = firstToken
      let open = pending
      while (token !== null && open.length > 0) {
        const reply: BatchReply | undefined = yield* collected(token)
        token = reply?.token ?? null
        if (reply !== undefined) open = stillPending(open, reply.answers)
      }
      resend(open)
    })
  }

  /** Takes the answer, if it is one. */
  private isStillPending({ call, queue }: PendingCall, answer: Answer): boolean {
    if (answer._tag === "Pending") return true
    queue.removePending(call)
    if (this.finish(queue, call, answer)) this.context.advance(queue)
    else this.backOff(queue)
    return false
  }

  /** What the owner had accepted, and nobody answers any more. */
  private resend(open: ReadonlyArray<PendingCall>): void {
    for (const { call, queue } of open) {
      queue.removePending(call)
      call.isInDoubt = true
      this.requeue(queue, call)
      this.backOff(queue)
    }
  }

  /** `false`: it is back in its queue. */
  private finish(queue: RemoteQueue, call: QueuedCall, answer: Answer): boolean {
    if (answer._tag === "NotOwner") {
      this.requeue(queue, call)
      return call.isAnswered
    }
    this.context.left(call)
    this.context.answer(call, effectOf(answer, call))
    return true
  }

  /** Into its place in the queue, unless its caller has been answered meanwhile. */
  private requeue(queue: RemoteQueue, call: QueuedCall): void {
    if (call.isAnswered) this.context.left(call)
    else queue.insert(call)
  }

  private backOff(queue: RemoteQueue): void {
    if (queue.isScheduled) return
    this.context.pause(queue, backOffMillis.least + ((queue.partition * 7) % backOffMillis.spread))
  }
}

/** An owner that leaves one out has not said what became of it. */
const missing: Answer = { _tag: "Defect", reason: "no answer" }

const effectOf = (
  answer: Exclude<Answer, { readonly _tag: "NotOwner" }>,
  call: QueuedCall
): Effect.Effect<Reply, CommandError> => {
  switch (answer._tag) {
    case "Done":
    case "Seen":
      return Effect.succeed(answer)
    case "Failed":
      return Effect.fail(answer.error)
    case "Pending":
    case "Defect":
      return Effect.fail(new OutcomeUnknown({ walletId: call.call.command.walletId, retryAfter: 1_000 }))
  }
}
