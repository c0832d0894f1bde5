/**
 * What becomes of the calls of a batch: answered, back into their links, or still in the
 * owner's hands and asked for until they are answered.
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
import type { OwnersService, OwnerSilent } from "./Owners.ts"
import type { LinkedCall, RemoteQueue } from "./RemoteQueue.ts"

/** After a bounce or a lost answer, ms; spread by partition, so that not all links come back at once. */
const pauseMillis = { least: 50, spread: 100 }

/** A wallet's calls in a batch. */
export interface Part {
  readonly link: RemoteQueue
  readonly calls: ReadonlyArray<LinkedCall>
}

export interface BatchContext {
  readonly owners: OwnersService
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => unknown
  /** The link may have a next step to take. */
  readonly advance: (link: RemoteQueue) => void
  readonly pause: (link: RemoteQueue, millis: number) => void
  readonly tell: (call: LinkedCall, answer: Effect.Effect<Reply, CommandError>) => void
  /** The call is no longer any link's. */
  readonly leave: (call: LinkedCall) => void
}

interface Held {
  readonly link: RemoteQueue
  readonly call: LinkedCall
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

  /** No word of the whole batch. */
  again(
    parts: ReadonlyArray<Part>,
    { delivered, reason }: Pick<OwnerSilent, "delivered" | "reason">
  ): Effect.Effect<void> {
    let count = 0
    for (const { calls, link } of parts) {
      this.nodes.delete(link.partition)
      link.sendingOver()
      for (const call of calls) {
        if (delivered) call.isUnsure = true
        this.back(link, call)
        count++
      }
      this.rest(link)
    }
    return Effect.andThen(
      Metric.update(ClusterMetrics.resent, count),
      Effect.logDebug(`owners of ${parts.length} wallets have not answered: ${reason}`)
    )
  }

  /** `partition`: whose owner was asked. */
  complete(parts: ReadonlyArray<Part>, reply: BatchReply, partition: number): Effect.Effect<void> {
    const held: Array<Held> = []
    let next = 0
    let bounced = 0
    parts.forEach(({ calls, link }, part) => {
      const epoch = reply.epochs[part] ?? null
      if (epoch === null) this.nodes.delete(link.partition)
      else this.nodes.set(link.partition, reply.node)
      link.sendingOver()
      let cameBack = 0
      for (const call of calls) {
        const index = next++
        const answer = reply.answers[index] ?? missing
        if (answer._tag === "Pending" && epoch !== null) {
          link.hold(call, epoch)
          held.push({ link, call, index })
        } else if (!this.finish(link, call, answer)) cameBack++
      }
      bounced += cameBack
      if (cameBack > 0) this.rest(link)
      else this.context.advance(link)
    })
    if (held.length > 0) this.context.fork(this.collect(partition, reply.token, held))
    return bounced === 0 ? Effect.void : Metric.update(ClusterMetrics.bounces, bounced)
  }

  /** Asks for what is pending until it is answered, or nobody knows of it. */
  private collect(partition: number, first: string | null, held: ReadonlyArray<Held>): Effect.Effect<void> {
    const { owners } = this.context
    const look = (token: string) =>
      Effect.map(Effect.result(owners.collect(partition, token)), (answered) =>
        Result.isSuccess(answered) && answered.success !== null
          ? Result.getOrUndefined(decodeReply(answered.success))
          : undefined
      )
    const collected = (open: ReadonlyArray<Held>, answers: ReadonlyArray<Answer>): ReadonlyArray<Held> =>
      open.filter((one) => !this.collected(one, answers[one.index] ?? missing))
    const forgotten = (open: ReadonlyArray<Held>): void => this.forgotten(open)
    return Effect.gen(function* () {
      let token = first
      let open = held
      while (token !== null && open.length > 0) {
        const reply: BatchReply | undefined = yield* look(token)
        token = reply?.token ?? null
        if (reply !== undefined) open = collected(open, reply.answers)
      }
      forgotten(open)
    })
  }

  /** `false`: it is still pending. */
  private collected({ call, link }: Held, answer: Answer): boolean {
    if (answer._tag === "Pending") return false
    link.release(call)
    if (this.finish(link, call, answer)) this.context.advance(link)
    else this.rest(link)
    return true
  }

  private forgotten(open: ReadonlyArray<Held>): void {
    for (const { call, link } of open) {
      link.release(call)
      call.isUnsure = true
      this.back(link, call)
      this.rest(link)
    }
  }

  /** `false`: it came back. */
  private finish(link: RemoteQueue, call: LinkedCall, answer: Answer): boolean {
    if (answer._tag === "NotOwner") {
      this.back(link, call)
      return call.isAnswered
    }
    this.context.leave(call)
    this.context.tell(call, effectOf(answer, call))
    return true
  }

  /** Into its place in the link, unless its caller has been told meanwhile. */
  private back(link: RemoteQueue, call: LinkedCall): void {
    if (call.isAnswered) this.context.leave(call)
    else link.insert(call)
  }

  private rest(link: RemoteQueue): void {
    if (!link.isQueued) this.context.pause(link, pauseMillis.least + ((link.partition * 7) % pauseMillis.spread))
  }
}

/** An owner that leaves one out has not said what became of it. */
const missing: Answer = { _tag: "Defect", reason: "no answer" }

const effectOf = (
  answer: Exclude<Answer, { readonly _tag: "NotOwner" }>,
  call: LinkedCall
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
