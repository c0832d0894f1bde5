/**
 * One wallet: a fiber, its mailbox and the state, nothing shared. It drains the
 * mailbox, decides the batch, appends the events in one commit, moves the state
 * and answers. While the append is in flight the mailbox fills: that is the group
 * commit.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Commit } from "../domain/Commit.ts"
import type { CommandKey } from "../domain/Event.ts"
import { walletTag } from "../domain/EventId.ts"
import type { TransferInFlight, Wallet } from "../domain/Wallet.ts"
import type { Persistence, SeenKey } from "../stores/Persistence.ts"
import { OperationRefused, StoreUnavailable } from "../stores/StoreError.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import type { WriteOutcome } from "./AppendDecision.ts"
import type { BatchPlan } from "./BatchPlan.ts"
import { planBatch } from "./BatchPlan.ts"
import type { CommandError } from "./EngineError.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import type { EventIds } from "./EventIds.ts"
import { keysInDoubt, memoryIsSure, seenWithoutAsking, lookUpKeys } from "./KeyLookup.ts"
import type { KeyQueries } from "./KeyQueries.ts"
import type { KeySegments } from "./KeySegments.ts"
import type { KeyWindow } from "./KeyWindow.ts"
import type { LogWriter } from "./LogWriter.ts"
import type { ActorError, Envelope, Inquiry, Message } from "./Mailbox.ts"
import { answer, Mailbox } from "./Mailbox.ts"
import type { Ownership } from "./Ownership.ts"
import { NotOwner } from "./Ownership.ts"
import type { PendingReplies, PendingCount } from "./PendingReplies.ts"
import { reply } from "./Replies.ts"
import type { Snapshots } from "./Snapshots.ts"
import { discard, follow, forgetIfDecided } from "./Undecided.ts"
import { UnpersistedEvents } from "./UnpersistedEvents.ts"
import { contended, load } from "./WalletLoading.ts"
import { changesProfile } from "./WalletHistory.ts"
import type { WalletHistory } from "./WalletHistory.ts"
import type { WritePipeline } from "./WritePipeline.ts"

/** What all actors of a node share. */
export interface ActorContext {
  readonly bounds: ActorBounds
  readonly ownership: Ownership["Service"]
  readonly writer: LogWriter["Service"]
  readonly pipeline: WritePipeline["Service"]
  readonly history: WalletHistory["Service"]
  readonly persistence: Persistence["Service"]
  readonly keyQueries: KeyQueries["Service"]
  readonly segments: KeySegments["Service"]
  readonly snapshots: Snapshots["Service"]
  readonly ids: EventIds["Service"]
  readonly clock: Clock.Clock
  /** Limits how many wallets load at once. */
  readonly loading: <A, E>(load: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Sees to it that a refused event is reversed. Synchronous. */
  readonly compensate: (walletId: string, version: number, reason: string) => void
  /** The wallet was loaded, and these of its transfers have been sent, for good, and not ended. Synchronous. */
  readonly transfersFound: (walletId: string, transfers: ReadonlyArray<TransferInFlight>) => void
  /** The wallet has callers that wait for Persistence. Synchronous. */
  readonly awaiting: (actor: WalletActor) => void
  /** How many there are at all wallets. */
  readonly waiting: PendingCount
}

const nothing: ReadonlyArray<never> = []

export class WalletActor {
  readonly walletId: string
  readonly partition: number
  /** What the ids of its events end with. */
  readonly tag: string
  readonly mailbox = new Mailbox()
  /** As of the last commit; meaningless until `loaded`. */
  wallet: Wallet | undefined = undefined
  loaded = false
  keys: KeyWindow | undefined = undefined
  /** Version of the last event that changed status, overdraft limit or metadata. */
  profileVersion = -1
  /** The last version of which a snapshot was made, or at least asked for. */
  snapshotVersion = -1
  /** Until then its commands go to the log one by one, ms. */
  isolatedUntil = 0
  /** Whether it was told that the clock is behind this wallet: once is enough for the log. */
  clockReported = false
  stopped = false
  /** The commands being worked on. */
  running: ReadonlyArray<Envelope> = nothing
  /** The reads being worked on. */
  inquiries: ReadonlyArray<Inquiry> = nothing
  /** Whether the running commands may have reached the log. */
  submitted = false
  /** Up to here Persistence has decided; everything, where an append writes it. */
  persistedVersion = Number.POSITIVE_INFINITY
  /** Versions that it was told to be refused while it was not loaded. */
  refusedMeanwhile: Set<number> | undefined = undefined
  /** What is between the log and Persistence; `undefined`: nothing. */
  unpersisted: UnpersistedEvents | undefined = undefined
  /** Callers that wait for Persistence, or for a reversal; `undefined`: there are none. */
  pending: PendingReplies | undefined = undefined
  /** Answers the callers of the last append; `undefined`: done. */
  unreplied: (() => void) | undefined = undefined
  /** Set while the first command in hand waits for Persistence: it would build on what may still be undone. */
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  /** Neighbours in the registry's list of residents, by last use. */
  newer: WalletActor | undefined = undefined
  older: WalletActor | undefined = undefined
  lastUsedAt = 0

  constructor(walletId: string, partition: number) {
    this.walletId = walletId
    this.partition = partition
    this.tag = walletTag(walletId)
  }

  /**
   * Answers are put off until the next append is on its way, but no further than to its
   * end: that may be the reversal of just what they tell of.
   */
  replyToLast(): void {
    const replyNow = this.unreplied
    this.unreplied = undefined
    replyNow?.()
  }

  /** Whether callers are still to be told of what is in the log. */
  get owesAnswers(): boolean {
    return this.unreplied !== undefined || this.pending !== undefined
  }

  /** Whether the commands in hand wait for Persistence. None of them has had an effect. */
  get isParked(): boolean {
    return this.resume !== undefined
  }

  /** Waits for {@link unpark}. `stay`: whether there still is something to wait for. */
  park(stay: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (stay()) this.resume = resume
      else resume(Effect.void)
    })
  }

  unpark(): void {
    const resume = this.resume
    this.resume = undefined
    resume?.(Effect.void)
  }
}

/*
 * The steps below are plain generators, run by delegation inside the one effect of
 * the actor's fiber: a batch costs one suspension, not one per step.
 */

/** Takes messages in hand: from now on they are answered by the steps below or by the supervisor. */
export const begin = (actor: WalletActor, messages: ReadonlyArray<Message>): void => {
  const inquiries: Array<Inquiry> = []
  const envelopes: Array<Envelope> = []
  for (const message of messages) {
    if (message._tag === "Inquiry") inquiries.push(message)
    else if (message.stage === "waiting") {
      message.stage = "running"
      envelopes.push(message)
    }
  }
  actor.running = envelopes
  actor.inquiries = inquiries
}

/** Answers everything that was taken in hand. A failure is the answer of all that is left. */
export const work = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<void, ActorError> {
  // Whatever fails below is the answer of these, too: left in the mailbox they would be tried again without a pause.
  inHand(actor, actor.running)
  // Whatever is in memory may be out of date, and what is read from the log is out of date soon.
  if (context.ownership.epochOf(actor.partition) === undefined) return yield* notOwner(actor)
  if (!actor.loaded) yield* load(actor, context)
  if (actor.inquiries.length > 0) yield* inquire(actor, context)
  if (actor.running.length > 0 || actor.mailbox.hasUrgent) yield* process(actor, context)
  actor.running = nothing
  actor.inquiries = nothing
}

/** After a failure: the same answer for all that is left. */
export const failAll = (actor: WalletActor, effect: Effect.Effect<never, ActorError>): void => {
  for (const inquiry of actor.inquiries) inquiry.resume(effect)
  for (const envelope of actor.running) answer(envelope, effect)
  actor.running = nothing
  actor.inquiries = nothing
  actor.submitted = false
}

/** Answers reads with the state as of the last commit; one that knows of a later version makes it look again. */
const inquire = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<void, CommandError> {
  const wanted = Math.max(...actor.inquiries.map((inquiry) => inquiry.minVersion))
  if (wanted > (actor.wallet?.version ?? -1) && (yield* isBehind(actor, context))) yield* load(actor, context)
  for (const inquiry of actor.inquiries) {
    inquiry.resume(
      actor.wallet !== undefined && actor.wallet.version < inquiry.minVersion
        ? Effect.fail(notYet(actor, inquiry.minVersion))
        : Effect.succeed(actor.wallet)
    )
  }
}

/** Whether the log has more of the wallet. To load without need could cost a state that is good. */
const isBehind = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<boolean, CommandError> {
  const after = actor.wallet?.version ?? -1
  let found = false
  yield* context.history.scan(actor.walletId, { after, upTo: after + 1 }, () => {
    found = true
  })
  return found
}

/** Works through the commands, in order, until each is answered. */
const process = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<void, ActorError> {
  let pending = actor.running
  let conflicts = 0
  /** The append cannot tell of the keys that memory is not sure of, or has told that one is there. */
  let lookFirst = false
  while (pending.length > 0 || actor.mailbox.hasUrgent) {
    if (!actor.loaded) yield* load(actor, context)
    pending = inHand(actor, pending)
    if (pending.length === 0) return
    const epoch = context.ownership.epochOf(actor.partition)
    if (epoch === undefined) return yield* notOwner(actor)
    // A test clock may stand between two milliseconds.
    const now = Math.floor(context.clock.currentTimeMillisUnsafe())
    yield* checkClock(actor, now, context)
    const isolated = now < actor.isolatedUntil
    const part = isolated && pending.length > 1 ? pending.slice(0, 1) : pending
    const doubts = keysInDoubt(actor, part)
    const keys = doubts.length === 0 ? memoryIsSure : yield* lookUpKeys(actor, part, doubts, context, lookFirst)
    const plan = decideBatch(actor, part, context, { epoch, now, seen: keys.seen })
    if (plan.verdicts.length === 0) {
      pending = yield* untilDecided(actor, pending)
      continue
    }
    if (plan.events.length === 0 && keys.unsure.length > 0) {
      lookFirst = true
      continue
    }
    const decided = plan.verdicts.length
    let outcome: WriteOutcome = appendedNothing
    if (plan.events.length > 0) {
      actor.submitted = true
      outcome = yield* context.writer.submit(commitOf(actor, plan, epoch, keys.unsure), {
        isolated,
        bytes: bytesOf(part)
      })
    }
    switch (outcome._tag) {
      case "Appended":
        appended(actor, part, plan, context)
        pending = decided === pending.length ? nothing : pending.slice(decided)
        // What follows can fail; these commands no longer can.
        actor.running = pending
        conflicts = 0
        lookFirst = false
        break
      case "KeySeen":
        discard(actor, plan)
        if (lookFirst) return yield* seenWithoutAsking(actor)
        lookFirst = true
        break
      case "Conflict":
        actor.loaded = false
        if (++conflicts > context.bounds.conflictRetries) return yield* contended(actor)
        break
      case "Fenced":
        actor.loaded = false
        context.ownership.fenced(actor.partition, epoch)
        return yield* notOwner(actor)
      case "Refused":
        discard(actor, plan)
        actor.isolatedUntil = now + context.bounds.isolationMillis
        if (part.length > 1) break
        answer(part[0]!, Effect.fail(new OperationRefused({ reason: outcome.reason })))
        pending = pending.slice(1)
        actor.running = pending
        break
      case "Failed":
        discard(actor, plan)
        return yield* outcome.error
    }
    actor.submitted = false
  }
}

/** What was planned has come to pass: the state moves, and the callers are told, after the next append is on its way. */
const appended = (actor: WalletActor, batch: ReadonlyArray<Envelope>, plan: BatchPlan, context: ActorContext): void => {
  actor.replyToLast()
  commit(actor, plan, context)
  if (plan.events.length === 0) return reply(actor, batch, plan, context)
  actor.unreplied = () => reply(actor, batch, plan, context)
  context.writer.afterSend(() => actor.replyToLast())
}

const appendedNothing: WriteOutcome = { _tag: "Appended", position: 0n }

/** What there is to do now: the engine's own first. */
const inHand = (actor: WalletActor, pending: ReadonlyArray<Envelope>): ReadonlyArray<Envelope> => {
  if (!actor.mailbox.hasUrgent) return pending
  const urgent = actor.mailbox.takeUrgent()
  for (const envelope of urgent) envelope.stage = "running"
  const all = [...urgent, ...pending]
  actor.running = all
  return all
}

/**
 * Persistence has to decide first. Ends when it has, when the engine has something more
 * urgent, or the first caller has gone. Answers what is left: callers who were told that
 * nothing has happened are right.
 */
const untilDecided = function* (
  actor: WalletActor,
  pending: ReadonlyArray<Envelope>
): Effect.fn.Return<ReadonlyArray<Envelope>> {
  const { persistedVersion } = actor
  yield* Metric.update(EngineMetrics.parkedCommands, 1)
  yield* actor.park(
    () =>
      !actor.stopped &&
      actor.persistedVersion === persistedVersion &&
      !actor.mailbox.hasUrgent &&
      pending[0]!.stage !== "answered"
  )
  const left = pending.filter((envelope) => envelope.stage !== "answered")
  actor.running = left
  return left
}

const bytesOf = (batch: ReadonlyArray<Envelope>): number => {
  let bytes = 0
  for (const envelope of batch) bytes += envelope.bytes
  return bytes
}

const commitOf = (
  actor: WalletActor,
  plan: BatchPlan,
  epoch: number,
  unsureKeys: ReadonlyArray<CommandKey>
): Commit => ({
  walletId: actor.walletId,
  partition: actor.partition,
  epoch,
  expectedVersion: plan.events[0]!.version - 1,
  events: plan.events,
  wallet: plan.wallet!,
  unsureKeys
})

const decideBatch = (
  actor: WalletActor,
  batch: ReadonlyArray<Envelope>,
  context: ActorContext,
  options: {
    readonly epoch: number
    readonly now: number
    readonly seen: ReadonlyMap<string, SeenKey> | undefined
  }
): BatchPlan => {
  const keys = actor.keys!
  const { seen } = options
  if (context.pipeline.separate) actor.unpersisted ??= new UnpersistedEvents()
  return planBatch(actor.wallet, batch, {
    walletId: actor.walletId,
    time: Math.max(options.now, actor.wallet?.updatedAt ?? 0),
    epoch: options.epoch,
    limits: context.bounds.limits,
    nextId: (time) => context.ids.nextOfWallet(time, actor.tag),
    seen: (key: CommandKey) => keys.get(key) ?? seen?.get(key),
    provisional: actor.unpersisted?.provisional
  })
}

/** The events are in the log: the state moves. */
const commit = (actor: WalletActor, plan: BatchPlan, context: ActorContext): void => {
  if (plan.events.length === 0) return forgetIfDecided(actor)
  const wallet = plan.wallet!
  const keys = actor.keys!
  actor.wallet = wallet
  for (const recorded of plan.events) {
    keys.add(recorded)
    if (changesProfile(recorded.event)) actor.profileVersion = recorded.version
  }
  if (context.pipeline.separate) {
    follow(actor, plan.events)
    if (keys.filter?.isDue === true) context.segments.store(actor.walletId, keys)
  }
  if (wallet.version - actor.snapshotVersion >= context.bounds.snapshotEvents) snapshot(actor, context)
}

/** Asks for a snapshot of the committed state. */
export const snapshot = (actor: WalletActor, context: ActorContext): void => {
  const wallet = actor.wallet!
  const keys = actor.keys!.state(context.bounds.keysInSnapshot)
  if (context.snapshots.offer({ wallet, profileVersion: actor.profileVersion, keys }))
    actor.snapshotVersion = wallet.version
}

/** A clock that is behind the wallet's last event is counted per batch, and logged once, for it lasts a while. */
const checkClock = function* (actor: WalletActor, now: number, context: ActorContext): Effect.fn.Return<void> {
  const behindMillis = (actor.wallet?.updatedAt ?? 0) - now
  if (behindMillis <= context.bounds.clockSkewMillis) return
  yield* Metric.update(EngineMetrics.clockBehind, 1)
  if (actor.clockReported) return
  actor.clockReported = true
  yield* Effect.logWarning(
    `this node's clock is ${behindMillis} ms behind the last event of wallet ${actor.walletId}; that event's time is used`
  ).pipe(Effect.annotateLogs({ walletId: actor.walletId }))
}

const notYet = (actor: WalletActor, minVersion: number) =>
  new StoreUnavailable({
    store: "log",
    reason: `wallet ${actor.walletId} is at version ${actor.wallet?.version}, not yet at ${minVersion}`,
    retryAfter: 1_000
  })

const notOwner = (actor: WalletActor) => new NotOwner({ walletId: actor.walletId })
