/**
 * Transfers that are brought to their end by the append that begins them.
 *
 * Where log and rows are one database, a transfer whose wallets are all in this node's memory with nothing decided
 * takes all of its steps at once: its source *borrows* the other wallets, decides each step on each wallet's state
 * as that wallet would, and appends the events of all of them together, all or none. The commands, keys and events
 * are those of the steps one by one, so nobody can tell afterwards which way it went.
 *
 * Nobody waits to borrow: a wallet that is busy, or borrowed, is not borrowed, and the transfer goes step by step (`engine/
 * TransferSaga.ts`), as it does where a wallet refuses its step. So there is nothing that chains, rings or crossing
 * transfers could lock. A borrowed wallet only lets its mailbox wait until the log has decided.
 */
import type { Commit, JointCommits } from "../domain/Commit.ts"
import type { RemoteCommand } from "../domain/Command.ts"
import type { CommandKey, RecordedEvent } from "../domain/Event.ts"
import { fingerprintOf } from "../domain/Fingerprint.ts"
import { dayOnly, type KeyLimit } from "../domain/KeyLimit.ts"
import {
  applying,
  arriveKey,
  begunTransfer,
  decidedKey,
  endKey,
  otherParties,
  type Party,
  prepareKey,
  preparing,
  receiving,
  settleKey,
  settling,
  settlingLegs,
  transactionsIn
} from "../domain/StepCommands.ts"
import { type Completion, sourceOf } from "../domain/Transfer.ts"
import { sentTransfer } from "../domain/TransferRules.ts"
import type { Transfer } from "../domain/Wallet.ts"
import { type BatchPlan, type Current, decideStep, type PlanContext, type Verdict } from "./BatchPlan.ts"
import { moveState } from "./CommittedBatch.ts"
import type { WriteOutcome } from "./AppendDecision.ts"
import type { Envelope } from "./Mailbox.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"

/** One wallet of an append, as it will be. */
interface Draft {
  readonly actor: WalletActor
  readonly context: PlanContext
  readonly epoch: number
  current: Current
  readonly events: Array<RecordedEvent>
}

export interface JointAppend {
  /** Of the source, with all that it does in the append. */
  readonly plan: BatchPlan
  readonly joint: JointCommits
  /** Of the free texts that the whole append carries, roughly. */
  readonly bytes: number
  readonly borrowed: ReadonlyArray<Draft>
}

/** What it takes to decide at a wallet. */
export type PlanContextOf = (actor: WalletActor, epoch: number) => PlanContext

/** Thrown for a step that its wallet does not take: the transfer is not brought to its end here. */
const notTaken = Symbol("a step is not taken")

interface Step {
  readonly command: RemoteCommand
  readonly key: CommandKey
  readonly limit?: KeyLimit | undefined
}

const envelopeOf = ({ command, key, limit }: Step): Envelope => ({
  _tag: "Envelope",
  command,
  key,
  fingerprint: fingerprintOf(command),
  actor: null,
  correlationId: null,
  limit,
  bytes: 0,
  await: "committed",
  ifVersion: null,
  dryRun: false,
  resend: undefined,
  resume: () => undefined,
  offeredAt: 0,
  stage: "running"
})

interface Begun {
  /** The number of its command. */
  readonly index: number
  readonly recorded: RecordedEvent
  readonly transfer: Transfer
}

/** The transfers that a batch begins, in order. Every batch is looked through: nothing is made for one that has none. */
const begunIn = (verdicts: ReadonlyArray<Verdict>): ReadonlyArray<Begun> | undefined => {
  let begun: Array<Begun> | undefined
  for (let index = 0; index < verdicts.length; index++) {
    const verdict = verdicts[index]!
    const recorded = verdict._tag === "Accepted" ? verdict.events[0] : undefined
    if (recorded === undefined) continue
    const { event } = recorded
    if (event._tag === "TransferSent" || event._tag === "HoldCapturedTo") {
      ;(begun ??= []).push({ index, recorded, transfer: sentTransfer(recorded, event) })
    } else if (event._tag === "LegsBegun") {
      ;(begun ??= []).push({ index, recorded, transfer: begunTransfer(recorded, event) })
    }
  }
  return begun
}

const noParties: ReadonlyArray<Party> = []

/** How often the steps after the first write the texts of a transfer once more: received, or promised and applied. */
const copiesOfOne = 1
const copiesOfSeveral = 3

/** What of an append is decided so far. A transfer of which a step is not taken leaves no trace in it. */
class Drafts {
  readonly borrowed = new Map<string, Draft>()
  readonly order: Array<RecordedEvent>
  bytes: number
  private readonly source: Draft
  /** Events of the source's batch itself. */
  private readonly begun: number
  private readonly context: ActorContext
  private readonly planContextOf: PlanContextOf

  constructor(source: Draft, bytes: number, context: ActorContext, planContextOf: PlanContextOf) {
    this.source = source
    this.bytes = bytes
    this.order = [...source.events]
    this.begun = source.events.length
    this.context = context
    this.planContextOf = planContextOf
  }

  /** `undefined`: one of its steps is not taken. `bytes`: of its texts. */
  conclude({ recorded, transfer }: Begun, bytes: number): Completion | undefined {
    const { to } = transfer
    const { bounds } = this.context
    const others = to === null ? otherParties(transfer) : noParties
    // What bounds refunds is asked of Persistence, before they are promised.
    if (others.some(({ legs }) => legs.some(({ refund }) => refund !== null))) return undefined
    const steps = to === null ? 2 * others.length + 2 : 2
    const copied = bytes * (to === null ? copiesOfSeveral : copiesOfOne)
    if (this.order.length - this.begun + steps > bounds.jointEvents) return undefined
    if (this.bytes + copied > bounds.appendBytes) return undefined
    const walletIds = to === null ? others.map(({ walletId }) => walletId) : [to]
    if (!this.borrow(walletIds)) return undefined
    const ordered = this.order.length
    const involved = [this.source, ...walletIds.map((walletId) => this.borrowed.get(walletId)!)]
    const before = involved.map(({ current, events }) => ({ current, length: events.length }))
    try {
      const completion = to === null ? this.takeLegs(recorded, transfer, others) : this.takeOne(recorded, transfer)
      this.bytes += copied
      return completion
    } catch {
      // A step that is not taken, or that throws: step by step it is met again, by itself, and told.
      this.order.length = ordered
      for (const [index, draft] of involved.entries()) {
        draft.current = before[index]!.current
        draft.events.length = before[index]!.length
      }
      return undefined
    }
  }

  private takeOne(begun: RecordedEvent, transfer: Transfer): Completion {
    const received = this.take({ command: receiving(transfer), key: arriveKey(transfer) })
    this.take({ command: settling(transfer), key: endKey(transfer) })
    return { updatedAt: received.time, transactions: [{ sent: begun.id, received: received.id }] }
  }

  private takeLegs(begun: RecordedEvent, transfer: Transfer, others: ReadonlyArray<Party>): Completion {
    const { keyLimit } = begun.metadata
    const limit = keyLimit && dayOnly(keyLimit)
    for (const { legs, walletId } of others) {
      const unbounded = legs.map((leg) => ({ ...leg, refund: null }))
      this.take({ command: preparing(transfer, walletId, unbounded), key: prepareKey(transfer), limit })
    }
    const home = sourceOf(transfer)
    const applied = [this.take({ command: applying(transfer, home), key: endKey(transfer) })]
    for (const { walletId } of others) {
      applied.push(this.take({ command: applying(transfer, walletId), key: decidedKey(transfer) }))
    }
    const transactions = transactionsIn(transfer, applied)
    const { time } = this.take({ command: settlingLegs(transfer, transactions), key: settleKey(transfer) })
    return { updatedAt: time, transactions }
  }

  /** The event of a step, decided by its wallet's rules on its state as the steps before it leave it. */
  private take(step: Step): RecordedEvent {
    const { walletId } = step.command
    const draft = walletId === this.source.actor.walletId ? this.source : this.borrowed.get(walletId)!
    const decided = decideStep(draft.current, envelopeOf(step), draft.context)
    if (decided === undefined || decided.events.length !== 1) throw notTaken
    const { facts, spent, wallet } = decided
    draft.current = { wallet, facts, spent }
    const event = decided.events[0]!
    draft.events.push(event)
    this.order.push(event)
    return event
  }

  private borrow(walletIds: ReadonlyArray<string>): boolean {
    const { bounds, borrow } = this.context
    for (const walletId of walletIds) {
      if (this.borrowed.has(walletId)) continue
      if (this.borrowed.size >= bounds.jointWallets) return false
      const actor = borrow(walletId)
      if (actor === undefined) return false
      const epoch = this.context.ownership.epochOf(actor.partition)!
      const { facts, spent, wallet } = actor
      this.borrowed.set(walletId, {
        actor,
        epoch,
        context: this.planContextOf(actor, epoch),
        current: { wallet, facts, spent },
        events: []
      })
    }
    return true
  }
}

export interface BatchToJoin {
  readonly batch: ReadonlyArray<Envelope>
  readonly plan: BatchPlan
  readonly epoch: number
  /** Of its free texts, roughly. */
  readonly bytes: number
}

/**
 * Brings the transfers that a batch begins to their end, where that can be done at once. `undefined`: none of them
 * can, and nothing is borrowed.
 */
export const joinTransfers = (
  actor: WalletActor,
  { batch, bytes, epoch, plan }: BatchToJoin,
  context: ActorContext,
  planContextOf: PlanContextOf
): JointAppend | undefined => {
  const begun = begunIn(plan.verdicts)
  if (begun === undefined) return undefined
  const source: Draft = {
    actor,
    epoch,
    context: planContextOf(actor, epoch),
    current: { wallet: plan.wallet, facts: plan.facts, spent: plan.spent },
    events: [...plan.events]
  }
  const drafts = new Drafts(source, bytes, context, planContextOf)
  const verdicts = [...plan.verdicts]
  for (const one of begun) {
    const { index } = one
    const completion = drafts.conclude(one, batch[index]!.bytes)
    const verdict = verdicts[index]!
    if (completion !== undefined && verdict._tag === "Accepted") verdicts[index] = { ...verdict, completion }
  }
  const borrowed: Array<Draft> = []
  for (const draft of drafts.borrowed.values()) {
    if (draft.events.length > 0) borrowed.push(draft)
    else context.giveBack(draft.actor)
  }
  if (borrowed.length === 0) return undefined
  const { facts, spent, wallet } = source.current
  return {
    plan: { ...plan, verdicts, events: source.events, wallet, facts, spent },
    joint: { commits: borrowed.map(commitOf), order: drafts.order },
    bytes: drafts.bytes,
    borrowed
  }
}

/** Their steps' keys are new if the first step's is: the source's commit says whether that is sure. */
const commitOf = ({ actor, current, epoch, events }: Draft): Commit => ({
  walletId: actor.walletId,
  partition: actor.partition,
  epoch,
  expectedVersion: events[0]!.version - 1,
  events,
  wallet: current.wallet!
})

/** The log has decided: the borrowed wallets are as it has them, and go on. */
export const giveBack = ({ borrowed }: JointAppend, outcome: WriteOutcome, context: ActorContext): void => {
  const defects: Array<unknown> = []
  for (const { actor, current, epoch, events } of borrowed) {
    try {
      if (outcome._tag === "Appended" && !actor.stopped) {
        actor.replyToLast()
        moveState(actor, { ...current, events }, context)
      }
    } catch (defect) {
      // Half moved: its state comes from the log again.
      actor.loaded = false
      defects.push(defect)
    }
    if (outcome._tag === "Withheld" && outcome.walletId === actor.walletId) {
      actor.loaded = false
      if (outcome.because._tag === "Fenced") context.ownership.fenced(actor.partition, epoch)
    }
    context.giveBack(actor)
  }
  if (defects.length > 0) throw defects[0]
}
