/**
 * The wallets of this node, as everybody above sees them: puts together how commands come in
 * (`Admission.ts`), which wallets are in memory (`Residency.ts`) and what becomes of their
 * fibers and of those who wait (`Supervision.ts`).
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { Wallet } from "../domain/Wallet.ts"
import { Persistence } from "../stores/Persistence.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import { Admission } from "./Admission.ts"
import * as Deadlines from "./Deadlines.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import { EventIds } from "./EventIds.ts"
import { KeyQueries } from "./KeyQueries.ts"
import { KeySegments } from "./KeySegments.ts"
import { LogWriter } from "./LogWriter.ts"
import type { ActorError, Envelope } from "./Mailbox.ts"
import { MailboxTotals } from "./Mailbox.ts"
import { Ownership } from "./Ownership.ts"
import { Residency } from "./Residency.ts"
import { Snapshots } from "./Snapshots.ts"
import { Supervision } from "./Supervision.ts"
import { persisted, refused, reversed } from "./PersistenceProgress.ts"
import type { ActorContext, ActorStatus, WalletActor } from "./WalletActor.ts"
import { statusOf } from "./WalletActor.ts"
import { UnloadedWallets } from "./UnloadedWallets.ts"
import { WalletHistory } from "./WalletHistory.ts"
import type { PersistenceListener } from "./WritePipeline.ts"
import { WalletPolicies } from "./WalletPolicies.ts"
import { WritePipeline } from "./WritePipeline.ts"

/** Between two looks for wallets that are idle or above the bound. */
const sweepInterval = "250 millis"

/** A stop waits so long for the commands in flight, */
const drainMillis = 4_000

/** … so long for what is on its way to Persistence (the reconciler finds the rest), */
const persistFlushMillis = 2_000

/** … and so long for snapshots and segments of keys (without them a wallet reads a longer tail). */
const snapshotFlushMillis = 1_000

export interface RegistryLoad {
  readonly residentWallets: number
  /** Memory that they take, about: what `ActorBounds.residentBytes` bounds. */
  readonly residentBytes: number
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
    /** The wallets with the most commands in their mailboxes, at most `limit`. Synchronous; O(busy wallets). */
    readonly deepest: (limit: number) => ReadonlyArray<readonly [walletId: string, status: ActorStatus]>
    /** `undefined`: the wallet is not resident on this node. Synchronous; does not touch it. */
    readonly inspect: (walletId: string) => ActorStatus | undefined
  }
>()("effect-wallet/actors/WalletRegistry") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(WalletRegistry, make(bounds))
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const clock = yield* Clock.Clock
  const pipeline = yield* WritePipeline
  const loads = yield* Semaphore.make(bounds.concurrentLoads)
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const awaiting = new Set<WalletActor>()
  let foundTransfers: ActorContext["transfersFound"] = () => undefined
  const context: ActorContext = {
    bounds,
    ownership: yield* Ownership,
    writer: yield* LogWriter,
    pipeline,
    history: yield* WalletHistory,
    persistence: yield* Persistence,
    keyQueries: yield* KeyQueries,
    segments: yield* KeySegments,
    snapshots: yield* Snapshots,
    ids: yield* EventIds,
    clock,
    policies: yield* WalletPolicies,
    unloaded: yield* UnloadedWallets,
    resized: (actor) => residency.resized(actor),
    borrow: (walletId) => residency.borrow(walletId),
    giveBack: (actor) => residency.giveBack(actor),
    loading: loads.withPermits(1),
    transfersFound: (walletId, transfers) => foundTransfers(walletId, transfers),
    awaiting: (actor) => {
      awaiting.add(actor)
    },
    waiting: { callers: 0 }
  }
  const totals = new MailboxTotals()
  const residency = new Residency(context)
  const supervision = new Supervision({ context, residency, totals, awaiting, fork })
  const admission = new Admission({ context, residency, supervision, totals })
  const offerUrgent = (envelope: Envelope) => admission.offerUrgent(envelope)
  pipeline.listen({ ...listener(residency, context), offerUrgent })

  yield* Deadlines.enforce(bounds, (deadlines) => Effect.sync(() => supervision.endWaits(deadlines)))
  const sweep = Effect.suspend(() => {
    residency.sweep(clock.currentTimeMillisUnsafe())
    return measured(residency, totals)
  })
  yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced(sweepInterval)))
  yield* Effect.addFinalizer(() => stop({ context, admission, residency, supervision }))

  return WalletRegistry.of({
    offer: (envelope) => admission.offer(envelope),
    current: (walletId, minVersion) => admission.current(walletId, minVersion),
    onTransfersFound: (listener) => {
      foundTransfers = listener
    },
    lose: residency.lose,
    isLeaving: (partition) => residency.isLeaving(partition),
    left: residency.left,
    isAtWork: (walletId) => residency.isAtWork(walletId),
    deepest: (limit) => deepestOf(residency.busy, limit),
    inspect: (walletId) => {
      const actor = residency.get(walletId)
      return actor && statusOf(actor)
    },
    load: () => ({
      residentWallets: residency.size,
      residentBytes: residency.bytes,
      busyWallets: residency.busy.size,
      waitingCommands: totals.messages,
      waitingBytes: totals.bytes
    })
  })
})

const waitingIn = ({ mailbox, running }: WalletActor): number => mailbox.size + running.length

/** Kept in order while they are few: a node may have tens of thousands at work. */
const deepestOf = (busy: ReadonlySet<WalletActor>, limit: number) => {
  const deepest: Array<WalletActor> = []
  for (const actor of busy) {
    const waiting = waitingIn(actor)
    if (deepest.length === limit && waiting <= waitingIn(deepest.at(-1)!)) continue
    const place = deepest.findIndex((one) => waitingIn(one) < waiting)
    deepest.splice(place === -1 ? deepest.length : place, 0, actor)
    if (deepest.length > limit) deepest.pop()
  }
  return deepest.map((actor) => [actor.walletId, statusOf(actor)] as const)
}

/** What Persistence says of a wallet, to its actor if it is in memory. */
const listener = (residency: Residency, context: ActorContext): Omit<PersistenceListener, "offerUrgent"> => ({
  persisted: (walletId, version) => {
    const actor = residency.get(walletId)
    if (actor === undefined) return
    persisted(actor, version)
    residency.leaveIfDone(actor, context.clock.currentTimeMillisUnsafe())
  },
  refused: (walletId, version) => {
    const actor = residency.get(walletId)
    if (actor !== undefined) refused(actor, version)
  },
  reversed: (walletId, version, reason) => {
    const actor = residency.get(walletId)
    if (actor !== undefined) reversed(actor, version, reason)
  }
})

const measured = Effect.fnUntraced(function* ({ busy, bytes, size }: Residency, totals: MailboxTotals) {
  let deepest = 0
  for (const { mailbox } of busy) deepest = Math.max(deepest, mailbox.size)
  yield* Metric.update(EngineMetrics.residentWallets, size)
  yield* Metric.update(EngineMetrics.residentBytes, bytes)
  yield* Metric.update(EngineMetrics.busyWallets, busy.size)
  yield* Metric.update(EngineMetrics.waitingCommands, totals.messages)
  yield* Metric.update(EngineMetrics.waitingBytes, totals.bytes)
  yield* Metric.update(EngineMetrics.deepestMailbox, deepest)
})

/** Nothing new is taken; what is here is brought to its end, as far as there is time. */
const stop = Effect.fnUntraced(function* ({
  admission,
  context,
  residency,
  supervision
}: {
  readonly context: ActorContext
  readonly admission: Admission
  readonly residency: Residency
  readonly supervision: Supervision
}) {
  admission.close()
  yield* Effect.timeoutOption(residency.stop, drainMillis)
  // The last to finish is still on its way to its mailbox.
  yield* Effect.yieldNow
  yield* Effect.timeoutOption(context.pipeline.flush, persistFlushMillis)
  supervision.endPersistenceWaits(() => true)
  residency.passivateIdle()
  yield* Effect.timeoutOption(
    Effect.all([context.snapshots.flush, context.segments.flush], { concurrency: 2, discard: true }),
    snapshotFlushMillis
  )
})
