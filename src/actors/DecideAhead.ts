/**
 * While a wallet's append is in flight, what has come to its mailbox meanwhile is decided already, on the state that
 * the append leads to; when the log has answered, the next append is ready to be sent.
 *
 * Nothing rests on what was decided ahead until then: the messages stay in the mailbox, nobody is told anything, and
 * what was decided is taken only for the very same commands, of the same epoch, on the very same state (the object that
 * the append in flight has made the wallet's). In every other case it is forgotten and they are decided anew. So a
 * command that might be judged otherwise by then ends what is decided ahead: one whose key is in the append in flight,
 * a call that was sent again, one that names a version or a limit of its key.
 */
import type { CommandKey } from "../domain/Event.ts"
import { type BatchPlan, Planning } from "./BatchPlan.ts"
import { keysInDoubt } from "./KeyLookup.ts"
import type { Envelope } from "./Mailbox.ts"
import { type ActorContext, turnSize, type WalletActor } from "./WalletActor.ts"
import { planContext } from "./PlanContext.ts"

/** Whether a command is judged by nothing but the wallet's state, the time and its own key. */
const isPlain = ({ ifVersion, limit, resend }: Envelope): boolean =>
  ifVersion === null && limit === undefined && resend === undefined

/** What an append in flight leads to. */
export type NextState = Pick<BatchPlan, "wallet" | "facts" | "spent" | "events">

export interface Decided {
  readonly batch: ReadonlyArray<Envelope>
  readonly plan: BatchPlan
  /** Keys of which the append has to tell. */
  readonly unsure: ReadonlyArray<CommandKey>
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
  /** Messages of the mailbox that it has looked at. */
  private looked = 0
  /** One has come that has to wait, and so have those behind it. */
  private isOver = false

  constructor(next: NextState, epoch: number, now: number) {
    this.next = next
    this.epoch = epoch
    this.since = now
    this.planning = new Planning(next)
    this.keysInFlight = new Set(next.events.map(({ metadata }) => metadata.key))
  }

  /** Decides what has come since; when so many more have come it is worth another look: `undefined`: never. */
  goOn(actor: WalletActor, context: ActorContext, now: number): number | undefined {
    const { mailbox } = actor
    const { waiting } = mailbox
    const end = Math.min(waiting.length, turnSize(actor, context.bounds))
    const commands: Array<Envelope> = []
    if (mailbox.hasUrgent) this.isOver = true
    for (; !this.isOver && this.looked < end; this.looked++) {
      const message = waiting[this.looked]!
      if (message._tag !== "Envelope" || message.stage !== "waiting") continue
      if (isPlain(message) && !this.keysInFlight.has(message.key)) commands.push(message)
      else this.isOver = true
    }
    if (commands.length > 0) {
      const plan = this.add(actor, context, commands, now)
      if (plan.events.length > 0) context.writer.prepare?.(plan.events, plan.wallet!)
    }
    return this.isOver || end === context.bounds.batchCommands ? undefined : context.bounds.aheadCommands
  }

  /**
   * Of the commands in hand those that were decided ahead, and with them what has come since as far as nothing has to be
   * asked. `undefined`: not what was decided.
   */
  take(
    actor: WalletActor,
    context: ActorContext,
    { epoch, now }: { readonly epoch: number; readonly now: number }
  ): Decided | undefined {
    const { batch, next } = this
    const { running } = actor
    const isSame = actor.wallet === next.wallet && actor.facts === next.facts && actor.spent === next.spent
    const age = now - this.since
    if (!isSame || epoch !== this.epoch || age < 0 || age > context.bounds.aheadMillis) return undefined
    if (batch.length === 0 || batch.length > running.length) return undefined
    for (let at = 0; at < batch.length; at++) if (batch[at] !== running[at]) return undefined
    const rest: Array<Envelope> = []
    for (let at = batch.length; at < running.length && isPlain(running[at]!); at++) rest.push(running[at]!)
    if (rest.length > 0) this.add(actor, context, rest, now)
    return { batch, plan: this.plan!, unsure: this.unsure }
  }

  private add(actor: WalletActor, context: ActorContext, commands: ReadonlyArray<Envelope>, now: number): BatchPlan {
    for (const command of commands) this.batch.push(command)
    for (const key of keysInDoubt(actor, commands)) this.unsure.push(key)
    const { wallet } = this.planning.current
    this.plan = this.planning.add(commands, planContext(actor, context, { epoch: this.epoch, now, wallet }))
    return this.plan
  }
}
