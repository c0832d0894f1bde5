/**
 * The wallets in memory: activates on demand, bounds their number, passivates the
 * idle, supervises the fibers and lets no caller wait for ever.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { partitionOf } from "../domain/Partition.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { Persistence } from "../stores/Persistence.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import { begin, failAll, work } from "./ActorTurn.ts"
import type { CommandError } from "./EngineError.ts"
import { MailboxFull, OutcomeUnknown } from "./EngineError.ts"
import { DrainingWallets } from "./DrainingWallets.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import { EventIds } from "./EventIds.ts"
import { KeyQueries } from "./KeyQueries.ts"
import { KeySegments } from "./KeySegments.ts"
import { LogWriter } from "./LogWriter.ts"
import type { ActorError, Envelope, Message } from "./Mailbox.ts"
import { answer } from "./Mailbox.ts"
import { NotOwner, Ownership } from "./Ownership.ts"
import { ResidentList } from "./ResidentList.ts"
import { Snapshots } from "./Snapshots.ts"
import { persisted, refused, reversed, tooFarBehind } from "./PersistenceProgress.ts"
import type { ActorContext, ActorStatus } from "./WalletActor.ts"
import { snapshot, statusOf, WalletActor } from "./WalletActor.ts"
import { WalletHistory } from "./WalletHistory.ts"
import { WritePipeline } from "./WritePipeline.ts"

/** Between two looks for callers that have waited too long and wallets that are idle. */
const sweepInterval = "250 millis"

/**
 * Batches that one actor works through before others get their turn: batches without
 * an append never leave the fiber, and callers who ask again at once would keep it.
 */
const batchesPerTurn = 64

/** Wallets above the bound that one sweep passivates: each takes some 10 µs. */
const evictionsPerSweep = 1_000

/** A stop waits so long for the commands in flight, */
const drainMillis = 4_000

/** … so long for what is on its way to Persistence (the reconciler finds the rest), */
const persistFlushMillis = 2_000

/** … and so long for snapshots and segments of keys (without them a wallet reads a longer tail). */
const snapshotFlushMillis = 1_000

export interface RegistryLoad {
  readonly residentWallets: number
  readonly busyWallets: number
  /** In mailboxes; reads that wait in line included. */
  readonly waitingCommands: number
  /** Bytes of free texts in mailboxes. */
  readonly waitingBytes: number
}

export class WalletRegistry extends Context.Service<
  WalletRegistry,
  {
    /** Puts a command into its wallet's mailbox; `undefined`: accepted, it will be answered. Synchronous. */
    readonly offer: (envelope: Envelope) => ActorError | undefined
    /** The state as of the last commit, at least at `minVersion`; `undefined`: there is no such wallet. */
    readonly current: (walletId: string, minVersion: number) => Effect.Effect<Wallet | undefined, ActorError>
    /** `listener` is told of transfers that are in flight, for good, at a wallet that has just been loaded. One listener; synchronous. */
    readonly onTransfersFound: (listener: ActorContext["transfersFound"]) => void
    /**
     * For partitions that `Ownership` no longer gives to this node: what waits there is
     * answered with `NotOwner`, in order, after what is on its way to the log; then the
     * wallets leave memory. Completes when all are told to.
     */
    readonly lose: (partitions: ReadonlySet<number>) => Effect.Effect<void>
    /** Whether wallets of a lost partition are still in memory. Until they have left, it must not be claimed again. Synchronous, O(1). */
    readonly isLeaving: (partition: number) => boolean
    /** Completes when all wallets of lost partitions have left. */
    readonly left: Effect.Effect<void>
    /** Whether commands on the wallet are on their way here. Synchronous, O(1). */
    readonly isAtWork: (walletId: string) => boolean
    readonly load: () => RegistryLoad
    /** `undefined`: the wallet is not resident on this node. Synchronous; does not touch it. */
    readonly inspect: (walletId: string) => ActorStatus | undefined
  }
>()("effect-wallet/actors/WalletRegistry") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(WalletRegistry, make(bounds))
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const ownership = yield* Ownership
  const clock = yield* Clock.Clock
  const pipeline = yield* WritePipeline
  const loads = yield* Semaphore.make(bounds.concurrentLoads)
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  /** Wallets with callers that wait for Persistence. */
  const awaiting = new Set<WalletActor>()
  const context: ActorContext = {
    bounds,
    ownership,
    writer: yield* LogWriter,
    pipeline,
    history: yield* WalletHistory,
    persistence: yield* Persistence,
    keyQueries: yield* KeyQueries,
    segments: yield* KeySegments,
    snapshots: yield* Snapshots,
    ids: yield* EventIds,
    clock,
    loading: loads.withPermits(1),
    transfersFound: (walletId, transfers) => foundTransfers(walletId, transfers),
    awaiting: (actor) => {
      awaiting.add(actor)
    },
    waiting: { callers: 0 }
  }
  let foundTransfers: ActorContext["transfersFound"] = () => undefined
  const residents = new ResidentList()
  const busy = new Set<WalletActor>()
  let waitingCommands = 0
  let waitingBytes = 0
  let accepting = true
  let drained: ((effect: Effect.Effect<void>) => void) | undefined
  /** Wallets of lost partitions that are still in memory. */
  const draining = new DrainingWallets()

  const take = (actor: WalletActor, limit: number): Array<Message> => {
    const bytes = actor.mailbox.bytes
    const messages = actor.mailbox.take(limit)
    waitingCommands -= messages.length
    waitingBytes -= bytes - actor.mailbox.bytes
    return messages
  }

  const remove = (actor: WalletActor): void => {
    residents.remove(actor)
    actor.stopped = true
    actor.mailbox.signal()
  }

  const whenDrained = () => {
    if (busy.size === 0 && drained !== undefined) drained(Effect.void)
  }

  const becomeIdle = (actor: WalletActor): void => {
    busy.delete(actor)
    const isLost = draining.has(actor)
    const isEmpty = !actor.loaded || actor.wallet === undefined
    // Whoever is told now may ask again at once.
    if (isLost || isEmpty || !accepting) actor.replyToLast()
    // Those who wait for Persistence are told through it.
    if (actor.pending === undefined && actor.mailbox.size === 0) {
      if (isLost) passivate(actor)
      else if (isEmpty) remove(actor)
    }
    whenDrained()
  }

  const passivate = (actor: WalletActor): void => {
    const { loaded, wallet } = actor
    if (loaded && wallet !== undefined && wallet.version - actor.snapshotVersion >= bounds.snapshotMinimumEvents) {
      snapshot(actor, context)
    }
    if (loaded && pipeline.separate) context.segments.storeAll(actor.walletId, actor.keys!)
    remove(actor)
  }

  /** Makes room while there are too many, at most `limit` wallets at a time. */
  const evict = (limit: number, except?: WalletActor): void => {
    for (let n = 0; n < limit && residents.size > bounds.residentWallets; n++) {
      const victim = residents.oldestIdle(except)
      if (victim === undefined) return
      passivate(victim)
    }
  }

  const leaveIfDone = (actor: WalletActor, now: number): void => {
    if (draining.isDone(actor, now, busy.has(actor))) passivate(actor)
  }

  const lose = Effect.fnUntraced(function* (partitions: ReadonlySet<number>) {
    const lost = residents.ofPartitions(partitions)
    const now = clock.currentTimeMillisUnsafe()
    for (const actor of lost) draining.begin(actor, now)
    for (let i = 0; i < lost.length; i++) {
      lost[i]!.unpark()
      leaveIfDone(lost[i]!, now)
      if (i % evictionsPerSweep === evictionsPerSweep - 1) yield* Effect.yieldNow
    }
  })

  const run = function* (actor: WalletActor): Effect.fn.Return<void, ActorError> {
    let batches = 0
    while (!actor.stopped) {
      if (actor.mailbox.size > 0) {
        if (++batches % batchesPerTurn === 0) yield* Effect.yieldNow
        begin(actor, take(actor, bounds.batchCommands))
        yield* work(actor, context)
        continue
      }
      becomeIdle(actor)
      if (actor.stopped) return
      yield* actor.mailbox.park
    }
  }

  /** A typed failure is the answer of all in hand. A defect restarts the actor: its state comes from the log again. */
  const failed = Effect.fnUntraced(function* (actor: WalletActor, cause: Cause.Cause<ActorError>) {
    const error = Cause.findErrorOption(cause)
    if (Option.isSome(error)) return failAll(actor, Effect.fail(error.value))
    yield* Effect.logError(`wallet ${actor.walletId}: a defect; its actor starts again from the log`, cause).pipe(
      Effect.annotateLogs({ walletId: actor.walletId })
    )
    yield* Metric.update(EngineMetrics.restarts, 1)
    actor.loaded = false
    failAll(actor, actor.submitted ? Effect.fail(outcomeUnknown(actor)) : Effect.die(Cause.squash(cause)))
  })

  const supervise = Effect.fnUntraced(function* (actor: WalletActor) {
    while (!actor.stopped) {
      const exit = yield* Effect.exit(Effect.gen(() => run(actor)))
      if (Exit.isFailure(exit)) yield* failed(actor, exit.cause)
    }
  })

  /** However the fiber ends, nobody is left waiting at a mailbox that nobody reads. */
  const abandon = (actor: WalletActor): void => {
    actor.keys?.release()
    residents.remove(actor)
    busy.delete(actor)
    actor.stopped = true
    for (const envelope of actor.mailbox.takeUrgent()) answer(envelope, Effect.fail(stopping))
    actor.replyToLast()
    actor.pending?.endWaits(() => true)
    const unknown = unknownKeys(actor)
    failAll(actor, Effect.fail(unknown.size > 0 ? outcomeUnknown(actor) : stopping))
    for (const message of take(actor, Number.MAX_SAFE_INTEGER)) {
      if (message._tag === "Inquiry") message.resume(Effect.fail(stopping))
      else answer(message, Effect.fail(unknown.has(message.key) ? outcomeUnknown(actor) : stopping))
    }
    draining.ended(actor)
    whenDrained()
  }

  const send = (walletId: string, message: Message, now: number): void => {
    waitingCommands++
    if (message._tag === "Envelope") waitingBytes += message.bytes
    let actor = residents.get(walletId)
    if (actor === undefined) {
      actor = new WalletActor(walletId, partitionOf(walletId, ownership.partitions))
      actor.mailbox.push(message)
      start(actor, now)
      return
    }
    residents.touch(actor, now)
    busy.add(actor)
    actor.mailbox.push(message)
  }

  const start = (actor: WalletActor, now: number): void => {
    actor.lastUsedAt = now
    residents.add(actor)
    busy.add(actor)
    evict(2, actor)
    fork(
      Effect.ensuring(
        supervise(actor),
        Effect.sync(() => abandon(actor))
      )
    )
  }

  const refuse = (walletId: string): ActorError | undefined => {
    if (!accepting) return stopping
    const owns = ownership.epochOf(partitionOf(walletId, ownership.partitions)) !== undefined
    return owns ? undefined : new NotOwner({ walletId })
  }

  const isFull = (walletId: string, bytes: number): boolean => {
    if (waitingCommands >= bounds.nodeCommands || waitingBytes + bytes > bounds.nodeBytes) return true
    const mailbox = residents.get(walletId)?.mailbox
    return (
      mailbox !== undefined && (mailbox.size >= bounds.mailboxCommands || mailbox.bytes + bytes > bounds.mailboxBytes)
    )
  }

  /** A wallet whose rows are only read from the log is not counted by the pipeline's queue. */
  const refuseBehind = (walletId: string): CommandError | undefined => {
    if (!pipeline.isCatchingUp(walletId)) return undefined
    const events = residents.get(walletId)?.unpersisted?.size ?? 0
    return events >= bounds.persistBehindEvents ? tooFarBehind(walletId, events) : undefined
  }

  const offer = (envelope: Envelope): ActorError | undefined => {
    const { walletId } = envelope.command
    const refusal = refuse(walletId) ?? (pipeline.separate ? (pipeline.refusal() ?? refuseBehind(walletId)) : undefined)
    if (refusal !== undefined) return refusal
    if (isFull(walletId, envelope.bytes)) return new MailboxFull({ walletId, retryAfter: 1_000 })
    send(walletId, envelope, envelope.offeredAt)
    return undefined
  }

  /** Not subject to the bounds: what waits in line may wait for just this. */
  const offerUrgent = (envelope: Envelope): ActorError | undefined => {
    const { walletId } = envelope.command
    const refusal = refuse(walletId)
    if (refusal !== undefined) return refusal
    let actor = residents.get(walletId)
    if (actor === undefined) {
      actor = new WalletActor(walletId, partitionOf(walletId, ownership.partitions))
      actor.mailbox.pushUrgent(envelope)
      start(actor, envelope.offeredAt)
      return undefined
    }
    busy.add(actor)
    actor.mailbox.pushUrgent(envelope)
    actor.unpark()
    return undefined
  }

  pipeline.listen({
    persisted: (walletId, version) => {
      const actor = residents.get(walletId)
      if (actor === undefined) return
      persisted(actor, version)
      leaveIfDone(actor, clock.currentTimeMillisUnsafe())
    },
    refused: (walletId, version) => {
      const actor = residents.get(walletId)
      if (actor !== undefined) refused(actor, version)
    },
    reversed: (walletId, version, reason) => {
      const actor = residents.get(walletId)
      if (actor !== undefined) reversed(actor, version, reason)
    },
    offerUrgent
  })

  const current = (walletId: string, minVersion: number): Effect.Effect<Wallet | undefined, ActorError> =>
    Effect.suspend(() => {
      const refusal = refuse(walletId)
      if (refusal !== undefined) return Effect.fail(refusal)
      const actor = residents.get(walletId)
      if (actor !== undefined && actor.loaded && actor.wallet !== undefined && actor.wallet.version >= minVersion) {
        residents.touch(actor, clock.currentTimeMillisUnsafe())
        return Effect.succeed<Wallet | undefined>(actor.wallet)
      }
      if (isFull(walletId, 0)) return Effect.fail(new MailboxFull({ walletId, retryAfter: 1_000 }))
      return Effect.callback<Wallet | undefined, ActorError>((resume) => {
        send(walletId, { _tag: "Inquiry", minVersion, resume }, clock.currentTimeMillisUnsafe())
      }).pipe(
        Effect.timeoutOrElse({
          duration: bounds.callerWaitMillis,
          orElse: () => Effect.fail(tooLate("log", walletId))
        })
      )
    })

  /**
   * Ends the wait of callers whose time is up. One still in the mailbox will not be
   * worked on: nothing can have happened, but by an earlier try with the same key.
   */
  const endWaits = (actor: WalletActor, now: number): void => {
    const isOver = ({ offeredAt, stage }: Envelope) => stage !== "answered" && now - offeredAt > bounds.callerWaitMillis
    const running = actor.running.filter(isOver)
    const waiting: Array<Envelope> = []
    for (const message of actor.mailbox.waiting) {
      if (message._tag === "Inquiry" || message.stage === "answered") continue
      if (!isOver(message)) break
      waiting.push(message)
    }
    if (running.length === 0 && waiting.length === 0) return
    const parked = actor.isParked
    const late = Effect.fail(tooLate(parked ? "persistence" : "log", actor.walletId))
    const unknown = unknownKeys(actor)
    // All of them before the first is told: what that one does next may make the wallet go on with the others.
    for (const envelope of [...running, ...waiting]) envelope.stage = "answered"
    for (const envelope of running) envelope.resume(parked ? late : Effect.fail(outcomeUnknown(actor)))
    for (const envelope of waiting) {
      envelope.resume(unknown.has(envelope.key) ? Effect.fail(outcomeUnknown(actor)) : late)
    }
    if (parked && running.length > 0) actor.unpark()
  }

  /** They are told what is true: their command is in the log. */
  const endPersistenceWaits = (isOver: (envelope: Envelope) => boolean): void => {
    for (const actor of awaiting) {
      actor.pending?.endWaits(isOver)
      if (actor.pending?.isEmpty === true) actor.pending = undefined
      if (actor.pending === undefined) awaiting.delete(actor)
    }
  }

  const sweep = Effect.gen(function* () {
    const now = clock.currentTimeMillisUnsafe()
    let deepest = 0
    for (const actor of busy) {
      deepest = Math.max(deepest, actor.mailbox.size)
      endWaits(actor, now)
    }
    endPersistenceWaits((envelope) => now - envelope.offeredAt > bounds.callerWaitMillis)
    for (const actor of draining.all()) leaveIfDone(actor, now)
    for (const actor of residents.idleSince(now - bounds.idleMillis)) passivate(actor)
    evict(evictionsPerSweep)
    yield* Metric.update(EngineMetrics.residentWallets, residents.size)
    yield* Metric.update(EngineMetrics.busyWallets, busy.size)
    yield* Metric.update(EngineMetrics.waitingCommands, waitingCommands)
    yield* Metric.update(EngineMetrics.waitingBytes, waitingBytes)
    yield* Metric.update(EngineMetrics.deepestMailbox, deepest)
  })
  yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced(sweepInterval)))

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      accepting = false
      if (busy.size > 0) {
        yield* Effect.callback<void>((resume) => {
          drained = resume
          whenDrained()
        }).pipe(Effect.timeoutOption(drainMillis))
      }
      // The last to finish is still on its way to its mailbox.
      yield* Effect.yieldNow
      yield* Effect.timeoutOption(pipeline.flush, persistFlushMillis)
      endPersistenceWaits(() => true)
      for (const actor of residents.idleSince(Number.POSITIVE_INFINITY)) passivate(actor)
      yield* Effect.timeoutOption(
        Effect.all([context.snapshots.flush, context.segments.flush], { concurrency: 2, discard: true }),
        snapshotFlushMillis
      )
    })
  )

  return WalletRegistry.of({
    offer,
    current,
    onTransfersFound: (listener) => {
      foundTransfers = listener
    },
    lose,
    isLeaving: (partition) => draining.hasSome(partition),
    left: draining.over,
    isAtWork: (walletId) => {
      const actor = residents.get(walletId)
      return actor !== undefined && busy.has(actor)
    },
    inspect: (walletId) => {
      const actor = residents.get(walletId)
      return actor && statusOf(actor)
    },
    load: () => ({ residentWallets: residents.size, busyWallets: busy.size, waitingCommands, waitingBytes })
  })
})

const stopping = new StoreUnavailable({ store: "log", reason: "this node is stopping", retryAfter: 1_000 })

const outcomeUnknown = (actor: WalletActor) => new OutcomeUnknown({ walletId: actor.walletId, retryAfter: 1_000 })

/** Keys of commands that may be in the log without an answer yet. */
const unknownKeys = (actor: WalletActor): ReadonlySet<string> =>
  new Set(actor.submitted ? actor.running.map((envelope) => envelope.key) : [])

const tooLate = (store: "log" | "persistence", walletId: string) =>
  new StoreUnavailable({ store, reason: `wallet ${walletId} did not get to it in time`, retryAfter: 1_000 })
