/**
 * The life of a batch of commands: what is in hand is checked against ownership and clock,
 * its keys are looked up where memory is not sure of them, it is decided in order against
 * the state in memory, and its events go to the log in one commit. What the log says of
 * that commit decides whether the batch is done, tried again or failed.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Commit, JointCommits } from "../domain/Commit.ts"
import type { CommandKey } from "../domain/Event.ts"
import { OperationRefused } from "../stores/StoreError.ts"
import { type BatchPlan, planBatch } from "./BatchPlan.ts"
import { committed } from "./CommittedBatch.ts"
import { type Decided, DecidedAhead, type Moment as AheadMoment, planContext } from "./DecideAhead.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import { giveBack, joinTransfers } from "./JointTransfers.ts"
import { asksSpent, keysInDoubt, loadSpent, lookUpKeys, memoryIsSure, seenWithoutAsking } from "./KeyLookup.ts"
import type { WriteOutcome } from "./AppendDecision.ts"
import type { ActorError, Envelope } from "./Mailbox.ts"
import { answer } from "./Mailbox.ts"
import { NotOwner } from "./Ownership.ts"
import { discard, UnpersistedEvents, untilPersisted } from "./PersistenceProgress.ts"
import { type ActorContext, isIsolated, type WalletActor } from "./WalletActor.ts"
import { contended, isBehind, load } from "./WalletLoading.ts"
import { reportFault } from "./WalletPolicies.ts"

/** What earlier tries of a batch have told. */
interface Attempt {
  /** Since something of the commands in hand was appended. */
  readonly conflicts: number
  /** The append cannot tell of the keys that memory is not sure of, or has told that one is there. */
  readonly lookFirst: boolean
  /** No other wallet's events go with those of the commands in hand: something was against one that did. */
  readonly alone: boolean
}

const firstAttempt: Attempt = { conflicts: 0, lookFirst: false, alone: false }

/** Works through the commands in hand, in order, until each has its reply. */
export const processCommands = function* (
  actor: WalletActor,
  context: ActorContext
): Effect.fn.Return<void, ActorError> {
  let attempt = firstAttempt
  while (actor.running.length > 0 || actor.mailbox.hasUrgent) {
    if (!actor.loaded) yield* load(actor, context)
    actor.takeUrgent()
    attempt = yield* tryBatch(actor, context, attempt)
    actor.submitted = false
  }
}

/** One try; returns what the next one has to know. */
const tryBatch = function* (
  actor: WalletActor,
  context: ActorContext,
  attempt: Attempt
): Effect.fn.Return<Attempt, ActorError> {
  const epoch = context.ownership.epochOf(actor.partition)
  if (epoch === undefined) return yield* notOwner(actor)
  // A test clock may stand between two milliseconds.
  const now = Math.floor(context.clock.currentTimeMillisUnsafe())
  const behindMillis = (actor.wallet?.updatedAt ?? 0) - now
  if (behindMillis > context.bounds.clockSkewMillis) yield* reportClock(actor, behindMillis)
  const moment = { attempt, epoch, isolated: isIsolated(actor, now, context.bounds), now }
  const ahead = actor.ahead === undefined ? undefined : yield* takeAhead(actor, context, actor.ahead, moment)
  const decided = ahead ?? (yield* decideNow(actor, context, moment))
  const { batch, plan } = decided
  if (plan.verdicts.length === 0) {
    yield* untilPersisted(actor)
    return attempt
  }
  if (plan.events.length === 0 && decided.unsure.length > 0) return { ...attempt, lookFirst: true }
  const { done, outcome } =
    plan.events.length === 0 ? nothingToAppend(plan) : yield* append(actor, context, decided, moment)
  if (outcome._tag !== "Appended")
    return yield* notAppended(actor, context, { ...decided, ...moment, outcome, joined: done !== plan })
  for (const verdict of done.verdicts) if (verdict._tag === "Defect") yield* reportDefect(actor, verdict.defect)
  for (const fault of done.faults) yield* reportFault(actor.walletId, fault)
  committed(actor, batch, done, context)
  return firstAttempt
}

/** Under which a batch is decided. */
interface Moment extends AheadMoment {
  readonly attempt: Attempt
  readonly isolated: boolean
}

interface Append {
  /** What is in the log when it is appended: the plan, or with it the ends of the transfers that it begins. */
  readonly done: BatchPlan
  readonly outcome: WriteOutcome
}

const nothingToAppend = (plan: BatchPlan): Append => ({ done: plan, outcome: { _tag: "Appended", position: 0n } })

const append = function* (
  actor: WalletActor,
  context: ActorContext,
  { batch, plan, unsure }: Decided,
  { attempt, epoch, isolated, now }: Moment
): Effect.fn.Return<Append> {
  const bytes = bytesOf(batch)
  const join =
    context.pipeline.separate || isolated || attempt.alone
      ? undefined
      : joinTransfers(actor, { batch, plan, epoch, bytes }, context, (one, ofOne) =>
          planContext(one, context, { epoch: ofOne, now, seen: undefined })
        )
  const done = join?.plan ?? plan
  actor.submitted = true
  const commit = commitOf(actor, done, epoch, unsure, join?.joint)
  if (!isolated) startAhead(actor, context, done, epoch)
  const outcome = yield* context.writer.submit(commit, { isolated, bytes: join?.bytes ?? bytes })
  if (outcome._tag === "Appended") stopAhead(actor)
  else dropAhead(actor)
  if (join !== undefined) giveBack(join, outcome, context)
  return { done, outcome }
}

/** What is against an append with other wallets may be against one of those. Nothing of it is in the log. */
const mayConcernOthers = (outcome: WriteOutcome): boolean =>
  outcome._tag === "Withheld" ||
  outcome._tag === "Refused" ||
  (outcome._tag === "Failed" && outcome.error._tag === "StoreDefect")

const namesLater = ({ wallet }: WalletActor, batch: ReadonlyArray<Envelope>): boolean => {
  for (const { ifVersion } of batch) if (ifVersion !== null && ifVersion > (wallet?.version ?? -1)) return true
  return false
}

interface NotAppended extends Decided, Moment {
  readonly outcome: Exclude<WriteOutcome, { readonly _tag: "Appended" }>
  /** Other wallets' events were to go with them. */
  readonly joined: boolean
}

/** Nothing of the plan is in the log. Either the batch is tried again, knowing more, or it fails. */
const notAppended = function* (
  actor: WalletActor,
  context: ActorContext,
  { attempt, batch, epoch, joined, now, outcome, plan }: NotAppended
): Effect.fn.Return<Attempt, ActorError> {
  if (joined && mayConcernOthers(outcome)) return { ...attempt, alone: true }
  switch (outcome._tag) {
    case "KeySeen":
      discard(actor, plan)
      if (attempt.lookFirst) return yield* seenWithoutAsking(actor)
      return { ...attempt, lookFirst: true }
    case "Withheld":
    case "Conflict": {
      actor.loaded = false
      const conflicts = attempt.conflicts + 1
      if (conflicts > context.bounds.conflictRetries) return yield* contended(actor)
      return { ...attempt, conflicts }
    }
    case "Fenced":
      actor.loaded = false
      context.ownership.fenced(actor.partition, epoch)
      return yield* notOwner(actor)
    case "Refused":
      discard(actor, plan)
      actor.isolatedUntil = now + context.bounds.isolationMillis
      // Alone each tells whether it is the one.
      if (batch.length > 1) return attempt
      answer(batch[0]!, Effect.fail(new OperationRefused({ reason: outcome.reason })))
      actor.running = actor.running.slice(1)
      return attempt
    case "Failed":
      discard(actor, plan)
      return yield* outcome.error
  }
}

/** Decides the commands in hand, once it is known which of their keys are new. */
const decideNow = function* (
  actor: WalletActor,
  context: ActorContext,
  { attempt, epoch, isolated, now }: Moment
): Effect.fn.Return<Decided, ActorError> {
  const batch = isolated && actor.running.length > 1 ? actor.running.slice(0, 1) : actor.running
  // Its caller was told of a version that this node has not heard of: another one has taken its place.
  if (namesLater(actor, batch) && (yield* isBehind(actor, context))) yield* load(actor, context)
  if (actor.spent === undefined && asksSpent(batch)) actor.spent = yield* loadSpent(actor, context, now)
  const doubts = keysInDoubt(actor, batch)
  const keys = doubts.length === 0 ? memoryIsSure : yield* lookUpKeys(actor, batch, doubts, context, attempt.lookFirst)
  if (context.pipeline.separate) actor.unpersisted ??= new UnpersistedEvents()
  const { facts, spent, wallet } = actor
  const plan = planBatch({ wallet, facts, spent }, batch, planContext(actor, context, { epoch, now, seen: keys.seen }))
  return { batch, plan, unsure: keys.unsure }
}

/** What was decided ahead, while the append before was in flight, if it is that which is in hand. */
const takeAhead = function* (
  actor: WalletActor,
  context: ActorContext,
  ahead: DecidedAhead,
  moment: Moment
): Effect.fn.Return<Decided | undefined> {
  actor.ahead = undefined
  const taken = moment.isolated || moment.attempt !== firstAttempt ? undefined : ahead.take(actor, context, moment)
  if (taken === undefined) ahead.drop(actor)
  yield* Metric.update(EngineMetrics.decidedAhead, taken === undefined ? "Dropped" : "Taken")
  return taken
}

/** From now on, until the append is decided, what fills the mailbox is decided for the next one. */
const startAhead = (actor: WalletActor, context: ActorContext, next: BatchPlan, epoch: number): void => {
  const { bounds, clock, writer } = context
  const { mailbox } = actor
  const goOn = (): void => {
    const now = Math.floor(clock.currentTimeMillisUnsafe())
    actor.ahead ??= new DecidedAhead(next, { epoch, now })
    mailbox.enough = mailbox.size + bounds.aheadCommands
    if (!actor.ahead.goOn(actor, context, now)) stopAhead(actor)
  }
  mailbox.enough = bounds.aheadCommands
  const onEnough = () => {
    try {
      goOn()
    } catch {
      // Decided in its turn it is met again, where it can be told.
      dropAhead(actor)
    }
  }
  mailbox.onEnough = onEnough
  if (mailbox.size < mailbox.enough) return
  // What waits already is decided when the append is on its way, which must not wait for that.
  writer.afterSend(() => {
    if (mailbox.onEnough === onEnough) onEnough()
  })
}

const stopAhead = ({ mailbox }: WalletActor): void => {
  mailbox.enough = Number.POSITIVE_INFINITY
  mailbox.onEnough = undefined
}

const dropAhead = (actor: WalletActor): void => {
  stopAhead(actor)
  actor.ahead?.drop(actor)
  actor.ahead = undefined
}

const commitOf = (
  actor: WalletActor,
  plan: BatchPlan,
  epoch: number,
  unsureKeys: ReadonlyArray<CommandKey>,
  joint: JointCommits | undefined
): Commit => ({
  walletId: actor.walletId,
  partition: actor.partition,
  epoch,
  expectedVersion: plan.events[0]!.version - 1,
  events: plan.events,
  wallet: plan.wallet!,
  unsureKeys,
  joint
})

const bytesOf = (batch: ReadonlyArray<Envelope>): number => {
  let bytes = 0
  for (const envelope of batch) bytes += envelope.bytes
  return bytes
}

/** A clock that is behind the wallet's last event is counted per batch, and logged once, for it lasts a while. */
const reportClock = function* (actor: WalletActor, behindMillis: number): Effect.fn.Return<void> {
  yield* Metric.update(EngineMetrics.clockBehind, 1)
  if (actor.clockReported) return
  actor.clockReported = true
  yield* Effect.logWarning(
    `this node's clock is ${behindMillis} ms behind the last event of wallet ${actor.walletId}; that event's time is used`
  ).pipe(Effect.annotateLogs({ walletId: actor.walletId }))
}

/** Its caller alone is told; the actor goes on, for its state has no part in it. */
const reportDefect = (actor: WalletActor, defect: unknown): Effect.Effect<void> =>
  Effect.logError(`wallet ${actor.walletId}: a defect in deciding one command`, Cause.die(defect)).pipe(
    Effect.annotateLogs({ walletId: actor.walletId })
  )

export const notOwner = (actor: WalletActor) => new NotOwner({ walletId: actor.walletId })
