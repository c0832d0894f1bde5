/**
 * Wallets whose rows are behind the log: a few are caught up at one time, each from the
 * log, while the others are written as they come. Also holds the wallets whose writing has
 * stopped, and tries them again.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import type { WalletOutcome } from "./PersistenceWriter.ts"
import { stopped } from "./PersistenceWriter.ts"

/** Wallets that are caught up at one time: each holds a store connection while it does. */
const workers = 4

/** A position after every other: nothing of this node waits behind the wallet. */
export const noLowWatermark = 2n ** 127n

interface Behind {
  /** All that this node has not written of it is in the log after this position. */
  lowWatermark: bigint
  /** More has come since its catch-up began to look. */
  again: boolean
  /** Whether it is caught up, told at the end; else it has stopped. */
  readonly caughtUp: Deferred.Deferred<boolean>
}

interface Blocked {
  lowWatermark: bigint
  readonly reason: string
  readonly storeFailed: boolean
}

export interface CatchUpOptions {
  readonly catchUp: (walletId: string) => Effect.Effect<WalletOutcome>
  /** Completes when nobody else is writing the wallet; from then on nobody else begins to. */
  readonly alone: (walletId: string) => Effect.Effect<void>
  readonly retryMillis: number
  /** Called whenever the queue has become empty. */
  readonly idle: () => void
}

export class CatchUpQueue {
  private readonly options: CatchUpOptions
  private readonly queue: Queue.Queue<string>
  private readonly behind = new Map<string, Behind>()
  private readonly stoppedWallets = new Map<string, Blocked>()

  constructor(options: CatchUpOptions, queue: Queue.Queue<string>) {
    this.options = options
    this.queue = queue
  }

  /** Whether the wallet's events are left in the log for now. */
  isCatchingUp(walletId: string): boolean {
    return this.behind.has(walletId) || this.stoppedWallets.has(walletId)
  }

  /** The same of events that are in the log after `lowWatermark`; those that are left are this queue's from now on. */
  leave(walletId: string, lowWatermark: bigint): boolean {
    const waiting = this.behind.get(walletId)
    if (waiting !== undefined) waiting.again = true
    const entry = waiting ?? this.stoppedWallets.get(walletId)
    if (entry === undefined) return false
    if (lowWatermark < entry.lowWatermark) entry.lowWatermark = lowWatermark
    return true
  }

  /** Puts the wallet into the queue. */
  add(walletId: string, lowWatermark: bigint): Behind {
    const known = this.behind.get(walletId)
    if (known !== undefined) {
      known.again = true
      if (lowWatermark < known.lowWatermark) known.lowWatermark = lowWatermark
      return known
    }
    const entry: Behind = { lowWatermark, again: false, caughtUp: Deferred.makeUnsafe() }
    this.behind.set(walletId, entry)
    Queue.offerUnsafe(this.queue, walletId)
    return entry
  }

  /** Puts it there and waits; `false`: it has stopped. */
  run(walletId: string): Effect.Effect<boolean> {
    return Effect.suspend(() => Deferred.await(this.add(walletId, noLowWatermark).caughtUp))
  }

  /** The wallet's writing has stopped. Logged when the reason is a new one. */
  stop(
    walletId: string,
    lowWatermark: bigint,
    outcome: Extract<WalletOutcome, { _tag: "Stopped" }>
  ): Effect.Effect<void> {
    const { reason, storeFailed } = outcome
    const known = this.stoppedWallets.get(walletId)
    const lowest = known !== undefined && known.lowWatermark < lowWatermark ? known.lowWatermark : lowWatermark
    this.stoppedWallets.set(walletId, { lowWatermark: lowest, reason, storeFailed })
    return known?.reason === reason
      ? Effect.void
      : Effect.logError(`writing of wallet ${walletId} has stopped: ${reason}`)
  }

  /** What the checkpoint must stay below. */
  *lowWatermarks(): Generator<bigint> {
    for (const { lowWatermark } of this.behind.values()) yield lowWatermark
    for (const { lowWatermark } of this.stoppedWallets.values()) yield lowWatermark
  }

  get isEmpty(): boolean {
    return this.behind.size === 0
  }

  /** The wallets whose writing has stopped. */
  get blocked(): ReadonlyMap<string, { readonly reason: string; readonly storeFailed: boolean }> {
    return this.stoppedWallets
  }

  /** One worker, for ever. */
  get worker(): Effect.Effect<never> {
    return Effect.forever(Effect.flatMap(Queue.take(this.queue), (walletId) => this.work(walletId)))
  }

  /** Tries those that have stopped again and again. */
  get retrying(): Effect.Effect<void> {
    const retryAll = Effect.sync(() => {
      for (const [walletId, { lowWatermark }] of this.stoppedWallets) this.add(walletId, lowWatermark)
    })
    return Effect.asVoid(Effect.repeat(retryAll, Schedule.spaced(this.options.retryMillis)))
  }

  private readonly work = Effect.fnUntraced(function* (this: CatchUpQueue, walletId: string) {
    const entry = this.behind.get(walletId)
    if (entry === undefined) return
    let outcome: WalletOutcome
    yield* this.options.alone(walletId)
    do {
      entry.again = false
      outcome = yield* this.catchUp(walletId)
    } while (entry.again && outcome._tag !== "Stopped")
    this.behind.delete(walletId)
    if (outcome._tag === "Stopped") yield* this.stop(walletId, entry.lowWatermark, outcome)
    else {
      if (this.stoppedWallets.delete(walletId)) {
        yield* Effect.annotateLogs(Effect.logInfo(`writing of wallet ${walletId} goes on`), { walletId })
      }
      yield* Metric.update(EngineMetrics.reconciledWallets, 1)
    }
    Deferred.doneUnsafe(entry.caughtUp, Effect.succeed(outcome._tag !== "Stopped"))
    if (this.isEmpty) this.options.idle()
  })

  /** A defect of ours is this wallet's alone. */
  private catchUp(walletId: string): Effect.Effect<WalletOutcome> {
    const outcome = Effect.suspend(() => this.options.catchUp(walletId))
    return Effect.catchDefect(outcome, (defect) => Effect.succeed(stopped(String(defect))))
  }
}

/** The queue at work, until the scope ends. */
export const make = Effect.fnUntraced(function* (
  options: CatchUpOptions
): Effect.fn.Return<CatchUpQueue, never, Scope.Scope> {
  const catchUpQueue = new CatchUpQueue(options, yield* Queue.unbounded<string>())
  for (let n = 0; n < workers; n++) yield* Effect.forkScoped(catchUpQueue.worker)
  yield* Effect.forkScoped(catchUpQueue.retrying)
  return catchUpQueue
})
