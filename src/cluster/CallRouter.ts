/**
 * Where a call goes: into this node's own mailboxes, or into the queue of its wallet for the
 * wallet's owner. Plain and synchronous; `ClusterCalls` makes a service of it.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import type { Deadlines } from "../actors/Deadlines.ts"
import type { CommandError } from "../actors/EngineError.ts"
import { MailboxFull, OutcomeUnknown } from "../actors/EngineError.ts"
import type { ActorError, Reply, Resend } from "../actors/Mailbox.ts"
import type { Ownership } from "../actors/Ownership.ts"
import type { WalletRegistry } from "../actors/WalletRegistry.ts"
import { partitionOf } from "../domain/Partition.ts"
import type { CommandMetrics } from "../engine/CommandMetrics.ts"
import { envelopeOf, isNotOwner, kindOf, resendOf, type WalletCall, wantedOf } from "../engine/WalletCalls.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { OwnerBatcher } from "./OwnerBatcher.ts"
import type { OwnerClient } from "./OwnerClient.ts"
import type { OwnerUrls } from "./OwnerUrls.ts"
import { type QueuedCall, RemoteQueue } from "./RemoteQueue.ts"

/** So much longer the owner's own answer is waited for: it knows better what is true at the end of the wait. */
const ownerAnswerMillis = 1_000

/** Until a claim of this node's own stands, or until calls before have come back, ms. */
const shortPauseMillis = 10

/** How often a queue is emptied into its mailbox before others get their turn. */
const roundsPerTurn = 8

export interface RouterContext {
  readonly bounds: ActorBounds
  readonly registry: WalletRegistry["Service"]
  readonly ownership: Ownership["Service"]
  readonly owners: OwnerClient["Service"]
  readonly urls: OwnerUrls["Service"]
  readonly clock: Clock.Clock
  readonly metrics: CommandMetrics["Service"]
  readonly fork: (effect: Effect.Effect<void>) => unknown
}

export class CallRouter {
  private readonly context: RouterContext
  private readonly batcher: OwnerBatcher
  private readonly queues = new Map<string, RemoteQueue>()
  /** Of the call asked last. */
  private sequence = 0
  /** Of the calls in queues. */
  private bytes = 0
  private isClosed = false
  /** Calls in queues. */
  waiting = 0

  constructor(context: RouterContext) {
    this.context = context
    const { clock, fork, owners, urls } = context
    this.batcher = new OwnerBatcher({
      owners,
      urls,
      clock,
      fork,
      advance: (queue) => this.advance(queue),
      pause: (queue, millis) => this.pause(queue, millis),
      answer: (call, answer) => this.answer(call, answer),
      left: (call) => this.left(call)
    })
  }

  /** `resume` is called once. */
  ask(given: WalletCall, resume: QueuedCall["resume"]): void {
    const { clock, ownership } = this.context
    const { walletId } = given.command
    const call: QueuedCall = {
      sequence: ++this.sequence,
      call: given,
      askedAt: clock.currentTimeMillisUnsafe(),
      resume,
      isAnswered: false,
      isInDoubt: false
    }
    const isLocal = ownership.epochOf(partitionOf(walletId, ownership.partitions)) !== undefined
    if (isLocal && (this.queues.size === 0 || !this.queues.has(walletId))) return this.offerLocally(call)
    const refusal = this.refusal(walletId, given.bytes)
    if (refusal === undefined) this.enqueue(call)
    else this.answer(call, Effect.fail(refusal))
  }

  /** Answers those whose wait is over. */
  endWaits(deadlines: Deadlines): void {
    for (const queue of this.queues.values()) {
      for (const call of queue.all()) {
        if (!deadlines.isOver(call.askedAt)) continue
        const isWaiting = queue.isWaiting(call)
        if (!isWaiting && !deadlines.isOver(call.askedAt, ownerAnswerMillis)) continue
        if (isWaiting) this.left(call)
        else call.isInDoubt = true
        this.answer(call, Effect.fail(unreachable(call.call.command.walletId)))
      }
      queue.dropAnswered()
      this.advance(queue)
    }
  }

  /** Answers all; from now on nothing is taken. */
  close(): void {
    this.isClosed = true
    for (const queue of this.queues.values()) {
      for (const call of queue.all()) {
        if (!queue.isWaiting(call)) call.isInDoubt = true
        this.answer(call, Effect.fail(stopping()))
      }
    }
    this.queues.clear()
  }

  private refusal(walletId: string, bytes: number): CommandError | undefined {
    if (this.isClosed) return stopping()
    const { bounds } = this.context
    const queue = this.queues.get(walletId)
    const isFull =
      this.waiting >= bounds.nodeCommands ||
      this.bytes + bytes > bounds.nodeBytes ||
      (queue !== undefined && (queue.size >= bounds.mailboxCommands || queue.bytes + bytes > bounds.mailboxBytes))
    return isFull ? new MailboxFull({ walletId, retryAfter: 1_000 }) : undefined
  }

  private offerLocally(call: QueuedCall, resend?: Resend): void {
    const answered = (answer: Effect.Effect<Reply, ActorError>) => {
      if (isNotOwner(answer)) this.enqueue(call)
      else this.answer(call, answer as Effect.Effect<Reply, CommandError>)
    }
    const refusal = this.context.registry.offer(envelopeOf(call.call, call.askedAt, answered, resend))
    if (refusal !== undefined) answered(Effect.fail(refusal))
  }

  /** Into the queue of its wallet. */
  private enqueue(call: QueuedCall): void {
    if (this.isClosed) return this.answer(call, Effect.fail(stopping()))
    const { walletId } = call.call.command
    let queue = this.queues.get(walletId)
    if (queue === undefined) {
      queue = new RemoteQueue(walletId, partitionOf(walletId, this.context.ownership.partitions))
      this.queues.set(walletId, queue)
    }
    this.waiting++
    this.bytes += call.call.bytes
    queue.insert(call)
    this.advance(queue)
  }

  /** It is in no queue any more. */
  private left(call: QueuedCall): void {
    this.waiting--
    this.bytes -= call.call.bytes
  }

  /** Once per call. */
  private answer(call: QueuedCall, answer: Effect.Effect<Reply, CommandError>): void {
    if (call.isAnswered) return
    call.isAnswered = true
    const final = call.isInDoubt ? inDoubt(answer, call) : answer
    this.context.metrics.answered(kindOf(call.call), call.askedAt, final, wantedOf(call.call))
    call.resume(final)
  }

  /** Takes the next step for a queue that waits for nothing. */
  private advance(queue: RemoteQueue): void {
    if (queue.isScheduled || queue.isSending) return
    const { owners, registry } = this.context
    if (!queue.hasWaiting) return this.dropIfEmpty(queue)
    if (this.isOwned(queue)) {
      // What the owner before has accepted has to be decided first.
      if (queue.isAllWaiting) this.drainLocally(queue)
      else this.pause(queue, shortPauseMillis)
      // What was asked before is still to come back, or the claim is on its way.
    } else if (registry.isAtWork(queue.walletId) || owners.isLocal(queue.partition)) this.pause(queue, shortPauseMillis)
    else this.batcher.schedule(queue)
  }

  /**
   * A mailbox may answer at once, and who is answered may ask again at once: the queue
   * stands until all that waited before are in the mailbox.
   */
  private drainLocally(queue: RemoteQueue): void {
    queue.isScheduled = true
    for (let round = 0; queue.hasWaiting && round < roundsPerTurn && this.isOwned(queue); round++) {
      const calls = queue.takeWaiting()
      for (const call of calls) this.left(call)
      const isResent = ({ call, isInDoubt }: QueuedCall) => isInDoubt && !call.dryRun
      const resend = resendOf(calls.filter(isResent).map(({ call }) => call.key))
      for (const call of calls) this.offerLocally(call, isResent(call) ? resend : undefined)
    }
    queue.isScheduled = false
    if (queue.hasWaiting) this.pause(queue, shortPauseMillis)
    else this.dropIfEmpty(queue)
  }

  private isOwned(queue: RemoteQueue): boolean {
    return this.context.ownership.epochOf(queue.partition) !== undefined
  }

  private dropIfEmpty(queue: RemoteQueue): void {
    if (queue.isEmpty && this.queues.get(queue.walletId) === queue) this.queues.delete(queue.walletId)
  }

  private pause(queue: RemoteQueue, millis: number): void {
    queue.isScheduled = true
    this.context.fork(
      Effect.andThen(
        Effect.sleep(millis),
        Effect.sync(() => {
          queue.isScheduled = false
          this.advance(queue)
        })
      )
    )
  }
}

const stopping = () => new StoreUnavailable({ store: "leases", reason: "this node is stopping", retryAfter: 1_000 })

export const unreachable = (walletId: string) =>
  new StoreUnavailable({
    store: "leases",
    reason: `the owner of wallet ${walletId} could not be reached in time`,
    retryAfter: 1_000
  })

/** These are in the log, so that they are true of every try; of another failure an earlier try may be the exception. */
const loggedFailures = new Set(["OperationReversed", "IdempotencyKeyReused"])

/** The answer to a call of which an earlier try may have been done. */
const inDoubt = (answer: Effect.Effect<Reply, CommandError>, call: QueuedCall): Effect.Effect<Reply, CommandError> => {
  // Of a dry run no try has done anything.
  if (!Exit.isExit(answer) || call.call.dryRun) return answer
  const exit = answer as Exit.Exit<Reply, CommandError>
  if (Exit.isSuccess(exit)) return exit
  const isLogged = exit.cause.reasons.some((reason) => reason._tag === "Fail" && loggedFailures.has(reason.error._tag))
  return isLogged ? exit : Effect.fail(new OutcomeUnknown({ walletId: call.call.command.walletId, retryAfter: 1_000 }))
}
