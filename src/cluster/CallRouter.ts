/**
 * Where a call goes: to this node's own mailboxes, or into the link of its wallet. Plain
 * and synchronous; `ClusterCalls` makes a service of it.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import type { CommandError } from "../actors/EngineError.ts"
import { MailboxFull, OutcomeUnknown } from "../actors/EngineError.ts"
import type { ActorError, Reply, Resend } from "../actors/Mailbox.ts"
import type { Ownership } from "../actors/Ownership.ts"
import type { WalletRegistry } from "../actors/WalletRegistry.ts"
import { partitionOf } from "../domain/Partition.ts"
import type { CommandMetrics } from "../engine/CommandMetrics.ts"
import { envelopeOf, isNotOwner, resendOf, type WalletCall } from "../engine/WalletCalls.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { OwnerBatcher } from "./OwnerBatcher.ts"
import type { OwnersService } from "./Owners.ts"
import { type LinkedCall, RemoteQueue } from "./RemoteQueue.ts"

/** So much longer the owner's own word is waited for: it knows better what is true at the end of the wait. */
const lastWordMillis = 1_000

/** Until a claim of this node's own stands, or until calls before have come back, ms. */
const shortPauseMillis = 10

/** How often a link is emptied into its mailbox before others get their turn. */
const roundsPerTurn = 8

export interface RouterContext {
  readonly bounds: ActorBounds
  readonly registry: WalletRegistry["Service"]
  readonly ownership: Ownership["Service"]
  readonly owners: OwnersService
  readonly clock: Clock.Clock
  readonly metrics: CommandMetrics["Service"]
  readonly fork: (effect: Effect.Effect<void>) => unknown
}

export class CallRouter {
  private readonly context: RouterContext
  private readonly lanes: OwnerBatcher
  private readonly links = new Map<string, RemoteQueue>()
  private numbers = 0
  private bytes = 0
  private isClosed = false
  /** Calls in links. */
  waiting = 0

  constructor(context: RouterContext) {
    this.context = context
    const { clock, fork, owners } = context
    this.lanes = new OwnerBatcher({
      owners,
      clock,
      fork,
      advance: (link) => this.advance(link),
      pause: (link, millis) => this.pause(link, millis),
      tell: (call, answer) => this.tell(call, answer),
      leave: (call) => this.leave(call)
    })
  }

  /** `resume` is called once. */
  ask(given: WalletCall, resume: LinkedCall["resume"]): void {
    const { clock, ownership } = this.context
    const { walletId } = given.command
    const call: LinkedCall = {
      number: ++this.numbers,
      call: given,
      askedAt: clock.currentTimeMillisUnsafe(),
      resume,
      isAnswered: false,
      isUnsure: false
    }
    const isHere = ownership.epochOf(partitionOf(walletId, ownership.partitions)) !== undefined
    if (isHere && (this.links.size === 0 || !this.links.has(walletId))) return this.offerHere(call)
    const refusal = this.refusal(walletId, given.bytes)
    if (refusal === undefined) this.enter(call)
    else this.tell(call, Effect.fail(refusal))
  }

  /** Tells those whose wait is over. */
  endWaits(now: number): void {
    const { callerWaitMillis } = this.context.bounds
    for (const link of this.links.values()) {
      for (const call of link.all()) {
        const over = now - call.askedAt - callerWaitMillis
        if (over <= 0) continue
        const isWaiting = link.isWaiting(call)
        if (!isWaiting && over <= lastWordMillis) continue
        if (isWaiting) this.leave(call)
        else call.isUnsure = true
        this.tell(call, Effect.fail(unreachable(call)))
      }
      link.forgetAnswered()
      this.advance(link)
    }
  }

  /** Tells all that wait; from now on nothing is taken. */
  close(): void {
    this.isClosed = true
    for (const link of this.links.values()) {
      for (const call of link.all()) {
        if (!link.isWaiting(call)) call.isUnsure = true
        this.tell(call, Effect.fail(stopping))
      }
    }
    this.links.clear()
  }

  private refusal(walletId: string, bytes: number): CommandError | undefined {
    if (this.isClosed) return stopping
    const { bounds } = this.context
    const link = this.links.get(walletId)
    const isFull =
      this.waiting >= bounds.nodeCommands ||
      this.bytes + bytes > bounds.nodeBytes ||
      (link !== undefined && (link.size >= bounds.mailboxCommands || link.bytes + bytes > bounds.mailboxBytes))
    return isFull ? new MailboxFull({ walletId, retryAfter: 1_000 }) : undefined
  }

  private offerHere(call: LinkedCall, resend?: Resend): void {
    const answered = (answer: Effect.Effect<Reply, ActorError>) => {
      if (isNotOwner(answer)) this.enter(call)
      else this.tell(call, answer as Effect.Effect<Reply, CommandError>)
    }
    const refusal = this.context.registry.offer(envelopeOf(call.call, call.askedAt, answered, resend))
    if (refusal !== undefined) answered(Effect.fail(refusal))
  }

  /** Into the link of its wallet. */
  private enter(call: LinkedCall): void {
    if (this.isClosed) return this.tell(call, Effect.fail(stopping))
    const { walletId } = call.call.command
    let link = this.links.get(walletId)
    if (link === undefined) {
      link = new RemoteQueue(walletId, partitionOf(walletId, this.context.ownership.partitions))
      this.links.set(walletId, link)
    }
    this.waiting++
    this.bytes += call.call.bytes
    link.insert(call)
    this.advance(link)
  }

  /** It is no longer any link's. */
  private leave(call: LinkedCall): void {
    this.waiting--
    this.bytes -= call.call.bytes
  }

  /** Once per call. */
  private tell(call: LinkedCall, answer: Effect.Effect<Reply, CommandError>): void {
    if (call.isAnswered) return
    call.isAnswered = true
    const told = call.isUnsure ? inDoubt(answer, call) : answer
    this.context.metrics.answered(call.call.command._tag, call.askedAt, told)
    call.resume(told)
  }

  /** Takes the next step for a link that waits for nothing. */
  private advance(link: RemoteQueue): void {
    if (link.isQueued || link.isSending) return
    const { owners, registry } = this.context
    if (!link.hasWaiting) return this.forget(link)
    if (this.isOwned(link)) {
      // What its owner before has in hand has to be decided first.
      if (link.isFree) this.offerAll(link)
      else this.pause(link, shortPauseMillis)
      // What was asked before is still to come back, or the claim is on its way.
    } else if (registry.isAtWork(link.walletId) || owners.isHere(link.partition)) this.pause(link, shortPauseMillis)
    else this.lanes.enqueue(link)
  }

  /**
   * A mailbox may answer at once, and who is answered may ask again at once: the link
   * stands until all that waited before are in the mailbox.
   */
  private offerAll(link: RemoteQueue): void {
    link.isQueued = true
    for (let round = 0; link.hasWaiting && round < roundsPerTurn && this.isOwned(link); round++) {
      const calls = link.drain()
      for (const call of calls) this.leave(call)
      const resend = resendOf(calls.flatMap(({ call, isUnsure }) => (isUnsure ? [call.key] : [])))
      for (const call of calls) this.offerHere(call, call.isUnsure ? resend : undefined)
    }
    link.isQueued = false
    if (link.hasWaiting) this.pause(link, shortPauseMillis)
    else this.forget(link)
  }

  private isOwned(link: RemoteQueue): boolean {
    return this.context.ownership.epochOf(link.partition) !== undefined
  }

  private forget(link: RemoteQueue): void {
    if (link.isEmpty && this.links.get(link.walletId) === link) this.links.delete(link.walletId)
  }

  private pause(link: RemoteQueue, millis: number): void {
    link.isQueued = true
    this.context.fork(
      Effect.andThen(
        Effect.sleep(millis),
        Effect.sync(() => {
          link.isQueued = false
          this.advance(link)
        })
      )
    )
  }
}

const stopping = new StoreUnavailable({ store: "leases", reason: "this node is stopping", retryAfter: 1_000 })

const unreachable = (call: LinkedCall) =>
  new StoreUnavailable({
    store: "leases",
    reason: `the owner of wallet ${call.call.command.walletId} could not be reached in time`,
    retryAfter: 1_000
  })

/** These are on record, so that they are true of every try; of another failure an earlier try may be the exception. */
const onRecord = new Set(["OperationReversed", "IdempotencyKeyReused"])

/** The answer to a call of which an earlier try is unaccounted for. */
const inDoubt = (answer: Effect.Effect<Reply, CommandError>, call: LinkedCall): Effect.Effect<Reply, CommandError> => {
  if (!Exit.isExit(answer)) return answer
  const exit = answer as Exit.Exit<Reply, CommandError>
  if (Exit.isSuccess(exit)) return exit
  const isOnRecord = exit.cause.reasons.some((reason) => reason._tag === "Fail" && onRecord.has(reason.error._tag))
  return isOnRecord
    ? exit
    : Effect.fail(new OutcomeUnknown({ walletId: call.call.command.walletId, retryAfter: 1_000 }))
}
