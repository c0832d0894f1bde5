/**
 * Decides a mailbox batch in order against the in-memory state. Pure: what it
 * needs of time, ids and keys comes in. Nothing has happened until the plan's
 * events are in the log; only then are its verdicts true.
 */
import * as Result from "effect/Result"
import type { WalletLimits } from "../domain/Decide.ts"
import { decide } from "../domain/Decide.ts"
import type { CommandKey, EventMetadata, RecordedEvent, WalletEvent } from "../domain/Event.ts"
import { evolve } from "../domain/Evolve.ts"
import {
  addSpent,
  countedIn,
  dayOf,
  type KeyLimit,
  type KeySpent,
  spentOn,
  takenBy,
  takingLeg
} from "../domain/KeyLimit.ts"
import { questionsOf } from "../domain/Policy.ts"
import type { PolicySet, WalletFacts } from "../domain/PolicySet.ts"
import { PolicyFault } from "../domain/PolicySet.ts"
import type { Provisional } from "../domain/Provisional.ts"
import { isAmidRefunds, isBehindRefunds, refundsOf, type UndecidedRefunds } from "../domain/RefundRules.ts"
import { KeyLimitExceeded, type Rejection } from "../domain/Rejection.ts"
import type { Completion } from "../domain/Transfer.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { growth, walletBytes } from "../domain/WalletSize.ts"
import type { SeenKey } from "../stores/Persistence.ts"
import { refundsBehind, StoreUnavailable } from "../stores/StoreError.ts"
import { IdempotencyKeyReused, OutcomeUnknown, PolicyDefect, VersionMismatch } from "./EngineError.ts"
import type { Envelope, Resend } from "./Mailbox.ts"

/**
 * - `Accepted`: `events` lead from `before` to `wallet`.
 * - `Tried`: a dry run, which would have been accepted; nothing that follows knows of it.
 * - `Same`: an equal command with the same key comes earlier in this batch, at `first`.
 * - `Seen`: it took place earlier, its last event is `version`.
 * - `Defect`: to decide it has thrown. Nothing of it has happened; the others go on.
 */
export type Verdict =
  | Accepted
  | Tried
  | Rejected
  | { readonly _tag: "Same"; readonly first: number }
  | { readonly _tag: "Seen"; readonly version: number }
  | { readonly _tag: "Defect"; readonly defect: unknown }

interface Rejected {
  readonly _tag: "Rejected"
  readonly error: RefusedCommand
}

type RefusedCommand =
  | Rejection
  | IdempotencyKeyReused
  | VersionMismatch
  | OutcomeUnknown
  | PolicyDefect
  | StoreUnavailable

interface Outcome {
  readonly before: Wallet | undefined
  readonly wallet: Wallet
  readonly events: ReadonlyArray<RecordedEvent>
  /** What policies know after them; `undefined`: there are none. */
  readonly facts: WalletFacts | undefined
  /** What keys have spent after them; `undefined`: that is not known. */
  readonly spent: KeySpent | undefined
}

export interface Accepted extends Outcome {
  readonly _tag: "Accepted"
  /** Of a transfer that comes to its end in the same append. */
  readonly completion?: Completion | undefined
}

interface Tried extends Outcome {
  readonly _tag: "Tried"
}

export interface BatchPlan {
  /**
   * In the order of the batch. Fewer than the batch has: the command after them would
   * build on an event that may still be undone; it waits, and those behind it.
   */
  readonly verdicts: ReadonlyArray<Verdict>
  /** Of all accepted commands, in order. */
  readonly events: ReadonlyArray<RecordedEvent>
  readonly wallet: Wallet | undefined
  readonly facts: WalletFacts | undefined
  readonly spent: KeySpent | undefined
  /** Policies that have thrown. */
  readonly faults: ReadonlyArray<PolicyFault>
}

export interface PlanContext {
  readonly walletId: string
  /** The node's time, ms: what expires is judged by it. */
  readonly now: number
  /** Of the events, ms: `now`, but not before the wallet's last event. */
  readonly time: number
  readonly epoch: number
  readonly limits: WalletLimits
  readonly nextId: (time: number) => string
  readonly seen: (key: CommandKey) => Pick<SeenKey, "fingerprint" | "version"> | undefined
  /** Events that may still be undone; those of the plan are added. `undefined`: there can be none. */
  readonly provisional: Provisional | undefined
  /** `undefined`: there can be none. */
  readonly undecidedRefunds: UndecidedRefunds | undefined
  /** `undefined`: there are none. */
  readonly policies: PolicySet | undefined
}

/** What a command is decided on. */
export interface Current {
  readonly wallet: Wallet | undefined
  readonly facts: WalletFacts | undefined
  /** What keys with a limit of the day have spent; `undefined`: that is not known, and nothing of theirs is accepted. */
  readonly spent: KeySpent | undefined
}

export const planBatch = (start: Current, batch: ReadonlyArray<Envelope>, context: PlanContext): BatchPlan =>
  new Planning(start).add(batch, context)

/** Decides commands in their order, in one go or in several: what it has decided by then is its plan. */
export class Planning {
  /** What the next command is decided on. */
  current: Current
  private readonly verdicts: Array<Verdict> = []
  private readonly events: Array<RecordedEvent> = []
  private readonly faults: Array<PolicyFault> = []
  /** Where the commands stand that it has accepted. */
  private readonly accepted = new Map<CommandKey, number>()

  constructor(start: Current) {
    this.current = start
  }

  /** May stop before the end of the batch, and then takes no more. */
  add(batch: ReadonlyArray<Envelope>, context: PlanContext): BatchPlan {
    const { accepted, events, faults, verdicts } = this
    const overtaken = overtakenKeys(batch, context)
    for (const envelope of batch) {
      const first = accepted.get(envelope.key)
      const verdict =
        first === undefined
          ? judgeSafely(this.current, envelope, context, overtaken, faults)
          : this.fingerprintAt(first) === envelope.fingerprint
            ? { _tag: "Same" as const, first }
            : keyReused(envelope, context)
      if (isAmid(verdict, this.current.wallet, envelope, context)) break
      if (verdict._tag === "Accepted" && mustWait(verdict, context)) break
      verdicts.push(verdict)
      if (verdict._tag !== "Accepted") continue
      this.current = verdict
      accepted.set(envelope.key, verdicts.length - 1)
      for (const recorded of verdict.events) events.push(recorded)
    }
    const { facts, spent, wallet } = this.current
    return { verdicts, events, wallet, facts, spent, faults }
  }

  /** Of a command that it has accepted. */
  private fingerprintAt(place: number): string | undefined {
    const verdict = this.verdicts[place]
    return verdict?._tag === "Accepted" ? verdict.events[0]?.metadata.fingerprint : undefined
  }
}

/** What a wallet comes to by one command of the engine's; `undefined`: it does not take it as a new one. */
export const decideStep = (current: Current, envelope: Envelope, context: PlanContext): Accepted | undefined => {
  const faults: Array<PolicyFault> = []
  const verdict = judge(current, envelope, context, undefined, faults)
  return verdict._tag === "Accepted" && faults.length === 0 ? verdict : undefined
}

/** Whether it was judged by rows that do not fit to the state, however it was: also a rejection would be of no state at all. */
const isAmid = (
  { _tag }: Verdict,
  wallet: Wallet | undefined,
  { command }: Envelope,
  { undecidedRefunds }: PlanContext
): boolean => {
  if (undecidedRefunds === undefined || wallet === undefined) return false
  if (_tag !== "Accepted" && _tag !== "Tried" && _tag !== "Rejected") return false
  const refunds = refundsOf(wallet, command)
  return refunds.length > 0 && isAmidRefunds(wallet, refunds, undecidedRefunds)
}

/** Whether the events build on provisional ones; if not they become provisional themselves. */
const mustWait = ({ before, events, wallet }: Accepted, { limits, provisional }: PlanContext): boolean => {
  if (provisional === undefined) return false
  const grown = growth(before, wallet)
  if (provisional.size > 0) {
    const decided = events.map((recorded) => recorded.event)
    if (provisional.carries(decided, wallet)) return true
    if (grown > 0 && isCallers(decided) && provisional.crowds(walletBytes(wallet), limits.stateBytes)) return true
  }
  // Of several events the last one is what makes the state smaller.
  const last = events.length - 1
  for (const [index, recorded] of events.entries()) provisional.add(recorded.event, index === last ? -grown : 0)
  return false
}

/** A reversal takes the room that was kept for it. */
const isCallers = ([event]: ReadonlyArray<WalletEvent>): boolean => event?._tag !== "OperationReversed"

/** Resent calls that stand before one which has been done: if they have not, they were rejected before that. */
const overtakenKeys = (batch: ReadonlyArray<Envelope>, { seen }: PlanContext): ReadonlySet<CommandKey> | undefined => {
  let resends: Set<Resend> | undefined
  for (const { resend } of batch) if (resend !== undefined) (resends ??= new Set()).add(resend)
  if (resends === undefined) return undefined
  const overtaken = new Set<CommandKey>()
  for (const { keys } of resends) {
    const lastDone = keys.findLastIndex((key) => seen(key) !== undefined)
    for (let place = 0; place < lastDone; place++) overtaken.add(keys[place]!)
  }
  return overtaken
}

/** One command's defect is that command's: those before and after it are decided as if it had not been there. */
const judgeSafely = (
  current: Current,
  envelope: Envelope,
  context: PlanContext,
  overtaken: ReadonlySet<CommandKey> | undefined,
  faults: Array<PolicyFault>
): Verdict => {
  try {
    return judge(current, envelope, context, overtaken, faults)
  } catch (defect) {
    return { _tag: "Defect", defect }
  }
}

const judge = (
  current: Current,
  envelope: Envelope,
  context: PlanContext,
  overtaken: ReadonlySet<CommandKey> | undefined,
  faults: Array<PolicyFault>
): Verdict => {
  const { wallet } = current
  const seen = context.seen(envelope.key)
  if (seen !== undefined) {
    return seen.fingerprint === envelope.fingerprint
      ? { _tag: "Seen", version: seen.version }
      : keyReused(envelope, context)
  }
  if (envelope.resend !== undefined && overtaken?.has(envelope.key) === true) {
    return { _tag: "Rejected", error: new OutcomeUnknown({ walletId: context.walletId, retryAfter: 1_000 }) }
  }
  // A wallet that is not there is told by the rules.
  if (envelope.ifVersion !== null && wallet !== undefined && wallet.version !== envelope.ifVersion) {
    return { _tag: "Rejected", error: new VersionMismatch({ walletId: context.walletId, version: wallet.version }) }
  }
  // Told apart from what the rules reject: with another look it may be judged.
  if (wallet !== undefined && isBehindRefunds(wallet, envelope.command)) {
    return {
      _tag: "Rejected",
      error: new StoreUnavailable({ store: "persistence", reason: refundsBehind, retryAfter: 1_000 })
    }
  }
  const decision = decide(wallet, envelope.command, { time: context.now, limits: context.limits })
  if (Result.isFailure(decision)) return { _tag: "Rejected", error: decision.failure }
  const decided = record(current, decision.success, envelope, context)
  const verdict = envelope.limit === undefined ? decided : limited(decided, envelope.limit, context)
  if (verdict._tag === "Rejected") return verdict
  return context.policies === undefined ? verdict : judgeByPolicies(current.facts!, envelope, verdict, context, faults)
}

/** What the rules have accepted. Facts that cannot be folded stop what policies are asked about, and nothing else. */
const judgeByPolicies = (
  facts: WalletFacts,
  { command }: Envelope,
  verdict: Accepted | Tried,
  { policies, time, walletId }: PlanContext,
  faults: Array<PolicyFault>
): Verdict => {
  const questions = questionsOf(verdict.before, command)
  const against = policies!.judge(questions, time, facts)
  if (against !== undefined && !(against instanceof PolicyFault)) return { _tag: "Rejected", error: against }
  const folded = policies!.foldAll(facts, verdict.events)
  const fault = against ?? (questions.length > 0 ? folded.faults[0] : undefined)
  if (fault === undefined) {
    faults.push(...folded.faults)
    return { ...verdict, facts: folded.facts }
  }
  faults.push(fault)
  return { _tag: "Rejected", error: new PolicyDefect({ walletId, policy: fault.policy }) }
}

/** What the rules have accepted, and a key with limits asks for: within them, with what it has spent then. */
const limited = (
  verdict: Accepted | Tried,
  { keyId, perDay, perOperation }: KeyLimit,
  { time, walletId }: PlanContext
): Accepted | Tried | Rejected => {
  let { spent } = verdict
  const day = dayOf(time)
  for (const recorded of verdict.events) {
    if (perOperation !== null) {
      const taken = takenBy(recorded)
      if (taken.amount > perOperation) {
        const leg = taken.leg === undefined ? {} : { leg: taken.leg }
        const over = { walletId, limit: "perOperation", bound: perOperation, remaining: perOperation, ...leg } as const
        return { _tag: "Rejected", error: new KeyLimitExceeded(over) }
      }
    }
    const counted = perDay === null ? 0n : countedIn(recorded)
    if (perDay === null || counted === 0n) continue
    if (spent === undefined) return { _tag: "Rejected", error: spendingUnknown() }
    const left = perDay - spentOn(spent, keyId, day)
    if (counted > left) {
      const remaining = left > 0n ? left : 0n
      return {
        _tag: "Rejected",
        error: new KeyLimitExceeded({ walletId, limit: "perDay", bound: perDay, remaining, ...takingLeg(recorded) })
      }
    }
    spent = addSpent(spent, keyId, day, counted)
  }
  return { ...verdict, spent }
}

/** Its actor finds it out before it decides; only a transfer that borrows the wallet meets this, and goes step by step. */
const spendingUnknown = () =>
  new StoreUnavailable({ store: "log", reason: "what a key has spent today is not known yet", retryAfter: 1_000 })

const record = (
  { spent, wallet: before }: Current,
  decided: ReadonlyArray<WalletEvent>,
  envelope: Envelope,
  context: PlanContext
): Accepted | Tried => {
  const commandId = context.nextId(context.time)
  const { limit } = envelope
  const own: EventMetadata = {
    commandId,
    key: envelope.key,
    fingerprint: envelope.fingerprint,
    correlationId: envelope.correlationId,
    causationId: null,
    actor: envelope.actor,
    epoch: context.epoch
  }
  const metadata =
    limit === undefined || limit.perDay === null
      ? own
      : { ...own, keyLimit: { keyId: limit.keyId, perDay: limit.perDay } }
  let wallet = before
  const events = new Array<RecordedEvent>(decided.length)
  for (let i = 0; i < decided.length; i++) {
    const recorded: RecordedEvent = {
      id: i === 0 ? commandId : context.nextId(context.time),
      walletId: context.walletId,
      version: wallet === undefined ? 0 : wallet.version + 1,
      time: context.time,
      event: decided[i]!,
      metadata
    }
    events[i] = recorded
    wallet = evolve(wallet, recorded)
  }
  return { _tag: envelope.dryRun ? "Tried" : "Accepted", before, wallet: wallet!, events, facts: undefined, spent }
}

const keyReused = (envelope: Envelope, context: PlanContext): Verdict => ({
  _tag: "Rejected",
  error: new IdempotencyKeyReused({ walletId: context.walletId, key: envelope.key.slice(2) })
})
