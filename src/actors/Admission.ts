/**
 * The way in: whether a command is taken at all (is the wallet this node's, is there room),
 * and into the mailbox of its wallet's actor, which is started if it is not in memory. All
 * synchronous: a command costs no fiber and no timer here.
 */
import * as Effect from "effect/Effect"
import { partitionOf } from "../domain/Partition.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { MailboxFull } from "./EngineError.ts"
import type { ActorError, Envelope, MailboxTotals, Message } from "./Mailbox.ts"
import { NotOwner } from "./Ownership.ts"
import type { Residency } from "./Residency.ts"
import type { Supervision } from "./Supervision.ts"
import { stopping, tooLate } from "./Supervision.ts"
import { tooFarBehind } from "./PersistenceProgress.ts"
import type { ActorContext } from "./WalletActor.ts"
import { WalletActor } from "./WalletActor.ts"

export interface AdmissionOptions {
  readonly context: ActorContext
  readonly residency: Residency
  readonly supervision: Supervision
  readonly totals: MailboxTotals
}

export class Admission {
  private readonly options: AdmissionOptions
  private accepting = true

  constructor(options: AdmissionOptions) {
    this.options = options
  }

  /** From now on nothing is taken. */
  close(): void {
    this.accepting = false
  }

  /** `undefined`: accepted, it will be answered. */
  offer(envelope: Envelope): ActorError | undefined {
    const { context, residency } = this.options
    const { walletId } = envelope.command
    const partition = partitionOf(walletId, context.ownership.partitions)
    const refusal = this.refuse(walletId, partition)
    if (refusal !== undefined) return refusal
    const actor = residency.get(walletId)
    if (context.pipeline.separate) {
      const behind = context.pipeline.refusal() ?? this.refuseBehind(walletId, actor)
      if (behind !== undefined) return behind
    }
    if (this.isFull(actor, envelope.bytes)) return new MailboxFull({ walletId, retryAfter: 1_000 })
    this.send(walletId, partition, actor, envelope, envelope.offeredAt)
    return undefined
  }

  /** Before all others of its wallet, and not subject to the bounds: what waits in line may wait for just this. */
  offerUrgent(envelope: Envelope): ActorError | undefined {
    const { context, residency, supervision } = this.options
    const { walletId } = envelope.command
    const partition = partitionOf(walletId, context.ownership.partitions)
    const refusal = this.refuse(walletId, partition)
    if (refusal !== undefined) return refusal
    const actor = residency.get(walletId)
    if (actor === undefined) {
      const started = new WalletActor(walletId, partition)
      started.mailbox.pushUrgent(envelope)
      supervision.start(started, envelope.offeredAt)
      return undefined
    }
    residency.work(actor)
    actor.mailbox.pushUrgent(envelope)
    actor.unpark()
    return undefined
  }

  /** The state as of the last commit, at least at `minVersion`: at once where it is in memory, else in line with the commands. */
  current(walletId: string, minVersion: number): Effect.Effect<Wallet | undefined, ActorError> {
    return Effect.suspend(() => {
      const { context, residency } = this.options
      const { bounds, clock, ownership } = context
      const partition = partitionOf(walletId, ownership.partitions)
      const refusal = this.refuse(walletId, partition)
      if (refusal !== undefined) return Effect.fail(refusal)
      const actor = residency.get(walletId)
      if (actor !== undefined && actor.loaded && actor.wallet !== undefined && actor.wallet.version >= minVersion) {
        residency.touch(actor, clock.currentTimeMillisUnsafe())
        return Effect.succeed<Wallet | undefined>(actor.wallet)
      }
      if (this.isFull(actor, 0)) return Effect.fail(new MailboxFull({ walletId, retryAfter: 1_000 }))
      return Effect.callback<Wallet | undefined, ActorError>((resume) => {
        const inquiry = { _tag: "Inquiry", minVersion, resume } as const
        this.send(walletId, partition, residency.get(walletId), inquiry, clock.currentTimeMillisUnsafe())
      }).pipe(
        Effect.timeoutOrElse({
          duration: bounds.callerWaitMillis,
          orElse: () => Effect.fail(tooLate("log", walletId))
        })
      )
    })
  }

  private send(
    walletId: string,
    partition: number,
    resident: WalletActor | undefined,
    message: Message,
    now: number
  ): void {
    const { residency, supervision, totals } = this.options
    if (resident === undefined) {
      const actor = new WalletActor(walletId, partition)
      totals.push(actor.mailbox, message)
      supervision.start(actor, now)
      return
    }
    residency.touch(resident, now)
    residency.work(resident)
    totals.push(resident.mailbox, message)
  }

  private refuse(walletId: string, partition: number): ActorError | undefined {
    if (!this.accepting) return stopping()
    const owns = this.options.context.ownership.epochOf(partition) !== undefined
    return owns ? undefined : new NotOwner({ walletId })
  }

  /** By the bounds of the node, then by those of the mailbox. */
  private isFull(actor: WalletActor | undefined, bytes: number): boolean {
    const { context, totals } = this.options
    const { bounds } = context
    if (totals.messages >= bounds.nodeCommands || totals.bytes + bytes > bounds.nodeBytes) return true
    if (actor === undefined) return false
    const { mailbox } = actor
    return mailbox.size >= bounds.mailboxCommands || mailbox.bytes + bytes > bounds.mailboxBytes
  }

  /** A wallet whose rows are only read from the log is not counted by the pipeline's queue. */
  private refuseBehind(walletId: string, actor: WalletActor | undefined): ActorError | undefined {
    const { bounds, pipeline } = this.options.context
    if (!pipeline.isCatchingUp(walletId)) return undefined
    const events = actor?.unpersisted?.size ?? 0
    return events >= bounds.persistBehindEvents ? tooFarBehind(walletId, events) : undefined
  }
}
