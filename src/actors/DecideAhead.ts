/**
 * Deciding at a wallet: what its actor gives to those who decide, and how that is done ahead.
 *
 * While a wallet's append is in flight, what has come to its mailbox meanwhile is decided already, on the state that
 * the append leads to; when the log has answered, the next append is ready to be sent.
 *
 * Nothing rests on what was decided ahead until then: the messages stay in the mailbox, nobody is told anything, and
 * what was decided is taken only for the very same commands, of the same epoch, on the very same state (the object that
 * the append in flight has made the wallet's). In every other case it is dropped and they are decided anew. So a
 * command that might be judged otherwise by then ends what is decided ahead: one whose key is in the append in flight,
 * a call that was sent again, one that names a version or a limit of its key.
 *
 * What was sent is never dropped: the append in flight is decided by the log alone, and only what follows it is here.
 */
import type { CommandKey } from "../domain/Event.ts"
import type { Provisional } from "../domain/Provisional.ts"
import type { Wallet } from "../domain/Wallet.ts"
import type { SeenKey } from "../stores/Persistence.ts"
import { type BatchPlan, type PlanContext, Planning } from "./BatchPlan.ts"
import { isInDoubt } from "./KeyLookup.ts"
import type { Envelope } from "./Mailbox.ts"
import { forgetIfPersisted, UnpersistedEvents } from "./PersistenceProgress.ts"
import { type ActorContext, turnSize, type WalletActor } from "./WalletActor.ts"

export interface DecideOptions {
  readonly epoch: number
  readonly now: number
  /** Keys that were looked up. */
  readonly seen?: ReadonlyMap<string, SeenKey> | undefined
  /** The state that is decided on; `undefined`: the committed one. */
  readonly wallet?: Wallet | undefined
}

export const planContext = (
  actor: WalletActor,
  context: ActorContext,
  { epoch, now, seen, wallet = actor.wallet }: DecideOptions
): PlanContext => {
  const keys = actor.keys!
  const { persistedVersion, unpersisted } = actor
  return {
    walletId: actor.walletId,
    now,
    time: Math.max(now, wallet?.updatedAt ?? 0),
    epoch,
    limits: context.bounds.limits,
    nextId: (time) => context.ids.nextOfWallet(time, actor.tag),
    seen: (key: CommandKey) => keys.get(key) ?? seen?.get(key),
    provisional: unpersisted?.provisional,
    undecidedRefunds: unpersisted && {
      persistedVersion,
      isRefused: (refund) => unpersisted.hasRefusedRefund(refund)
    },
    policies: context.policies
  }
}

/** What an append in flight leads to. */
export type NextState = Pick<BatchPlan, "wallet" | "facts" | "spent" | "events">

/** A batch of commands that are decided, and not in the log yet. */
export interface Decided {
  readonly batch: ReadonlyArray<Envelope>
  readonly plan: BatchPlan
  /** Keys of which the append has to tell. */
  readonly unsure: ReadonlyArray<CommandKey>
}

export interface Moment {
  readonly epoch: number
  readonly now: number
}

export class DecidedAhead {
  private readonly next: NextState
  private readonly keysInFlight: ReadonlySet<CommandKey>
  private readonly epoch: number
  private readonly since: number
  private readonly planning: Planning
  private readonly batch: Array<Envelope> = []
  private readonly unsure: Array<CommandKey> = []
  private plan: BatchPlan | undefined = undefined
  /** That count the events of the plan. */
  private provisional: Provisional | undefined = undefined
  /** Messages of the mailbox that it has looked at. */
  private looked = 0
  /** One has come that has to wait, and so have those behind it. */
  private isOver = false

  constructor(next: NextState, { epoch, now }: Moment) {
    this.next = next
    this.epoch = epoch
    this.since = now
    this.planning = new Planning(next)
    this.keysInFlight = new Set(next.events.map(({ metadata }) => metadata.key))
  }

  /** Decides what has come since. `false`: there will be no more. */
  goOn(actor: WalletActor, context: ActorContext, now: number): boolean {
    const { mailbox } = actor
    const { waiting } = mailbox
    const end = Math.min(waiting.length, turnSize(actor, context.bounds))
    const commands: Array<Envelope> = []
    if (mailbox.hasUrgent) this.isOver = true
    for (; !this.isOver && this.looked < end; this.looked++) {
      const message = waiting[this.looked]!
      if (message._tag !== "Envelope" || message.stage !== "waiting") continue
      if (isPlain(message, actor, context) && !this.keysInFlight.has(message.key)) commands.push(message)
      else this.isOver = true
    }
    if (commands.length > 0) {
      const plan = this.add(actor, context, commands, now)
      if (plan.events.length > 0) context.writer.prepare?.(plan.events, plan.wallet!)
    }
    return !this.isOver && end < context.bounds.batchCommands
  }

  /**
   * Of the commands in hand those that were decided ahead, and with them what has come since as far as nothing has to be
   * asked. `undefined`: they are not what was decided, or not under what it was decided.
   */
  take(actor: WalletActor, context: ActorContext, { epoch, now }: Moment): Decided | undefined {
    const { batch, next } = this
    const { running } = actor
    const isNext = actor.wallet === next.wallet && actor.facts === next.facts && actor.spent === next.spent
    const age = now - this.since
    if (!isNext || epoch !== this.epoch || age < 0 || age > context.bounds.aheadMillis) return undefined
    if (batch.length === 0 || batch.length > running.length) return undefined
    for (let at = 0; at < batch.length; at++) if (batch[at] !== running[at]) return undefined
    const rest: Array<Envelope> = []
    if (this.plan!.verdicts.length === batch.length) {
      for (let at = batch.length; at < running.length; at++) {
        if (!isPlain(running[at]!, actor, context)) break
        rest.push(running[at]!)
      }
    }
    if (rest.length > 0) this.add(actor, context, rest, now)
    return { batch, plan: this.plan!, unsure: this.unsure }
  }

  /** It is decided anew, or not at all: its events leave no trace. */
  drop(actor: WalletActor): void {
    if (this.provisional === undefined) return
    for (const { event } of this.plan?.events ?? []) this.provisional.remove(event)
    forgetIfPersisted(actor)
  }

  private add(actor: WalletActor, context: ActorContext, commands: ReadonlyArray<Envelope>, now: number): BatchPlan {
    if (context.pipeline.separate) this.provisional = (actor.unpersisted ??= new UnpersistedEvents()).provisional
    for (const command of commands) {
      this.batch.push(command)
      if (isInDoubt(actor.keys!, command.key)) this.unsure.push(command.key)
    }
    const { wallet } = this.planning.current
    const plan = this.planning.add(commands, planContext(actor, context, { epoch: this.epoch, now, wallet }))
    this.plan = plan
    // One builds on what may still be undone.
    if (plan.verdicts.length < this.batch.length) {
      this.isOver = true
      this.batch.length = plan.verdicts.length
    }
    return plan
  }
}

/** Whether a command is judged by nothing but the wallet's state, the time, and its own key, of which nobody has to be asked first. */
const isPlain = (
  { ifVersion, key, limit, resend }: Envelope,
  { keys }: WalletActor,
  { pipeline }: ActorContext
): boolean =>
  ifVersion === null && limit === undefined && resend === undefined && !(pipeline.separate && isInDoubt(keys!, key))
