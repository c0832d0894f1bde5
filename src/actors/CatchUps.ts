/**
 * The lane for wallets whose rows are behind the log: a few are caught up at one time,
 * each from the log, while the others are written as they come. Also holds the wallets
 * whose writing has stopped, and tries them again.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as EngineMetrics from "./EngineMetrics.ts"
import type { WalletOutcome } from "./PersistenceWriter.ts"
import { stopped } from "./PersistenceWriter.ts"

/** Wallets that are caught up at one time: each holds a store connection while it does. */
const workers = 4

/** A position after every other: nothing of this node waits behind the wallet. */
export const noFloor = 2n ** 127n

interface Behind {
  /** All that this node has not written of it is in the log after this position. */
  floor: bigint
  /** More has come since its catch-up began to look. */
  again: boolean
  readonly waiters: Array<(effect: Effect.Effect<boolean>) => void>
}

interface Blocked {
  floor: bigint
  readonly reason: string
  readonly storeFailed: boolean
}

export interface CatchUps {
  /** Whether the wallet's events are left in the log for now. */
  readonly isAside: (walletId: string) => boolean
  /** The same of events that are in the log after `floor`; those that are left are this lane's from now on. */
  readonly leave: (walletId: string, floor: bigint) => boolean
  /** Puts the wallet into the lane. */
  readonly add: (walletId: string, floor: bigint) => void
  /** Puts it there and waits; `false`: it has stopped. */
  readonly run: (walletId: string) => Effect.Effect<boolean>
  /** The wallet's writing has stopped. */
  readonly stop: (
    walletId: string,
    floor: bigint,
    outcome: Extract<WalletOutcome, { _tag: "Stopped" }>
  ) => Effect.Effect<void>
  /** What the mark must stay below. */
  readonly floors: () => Iterable<bigint>
  readonly isEmpty: () => boolean
  readonly blocked: () => ReadonlyMap<string, { readonly reason: string }>
  /** Wallets stopped by the store itself. */
  readonly storeFailures: () => Iterable<string>
}

/** `idle`: called whenever the lane has become empty. Needs the scope of the pipeline. */
export const make = Effect.fnUntraced(function* (options: {
  readonly catchUp: (walletId: string) => Effect.Effect<WalletOutcome>
  /** Completes when nobody else is writing the wallet; from then on nobody else begins to. */
  readonly alone: (walletId: string) => Effect.Effect<void>
  readonly retryMillis: number
  readonly idle: () => void
}) {
  const behind = new Map<string, Behind>()
  const blocked = new Map<string, Blocked>()
  const queue = yield* Queue.unbounded<string>()

  const enter = (walletId: string, floor: bigint): Behind => {
    const known = behind.get(walletId)
    if (known !== undefined) {
      known.again = true
      if (floor < known.floor) known.floor = floor
      return known
    }
    const entry: Behind = { floor, again: false, waiters: [] }
    behind.set(walletId, entry)
    Queue.offerUnsafe(queue, walletId)
    return entry
  }

  const stop: CatchUps["stop"] = (walletId, floor, { reason, storeFailed }) => {
    const known = blocked.get(walletId)
    blocked.set(walletId, {
      floor: known !== undefined && known.floor < floor ? known.floor : floor,
      reason,
      storeFailed
    })
    return known?.reason === reason
      ? Effect.void
      : Effect.logError(`writing of wallet ${walletId} has stopped: ${reason}`).pipe(Effect.annotateLogs({ walletId }))
  }

  /** A defect of ours is this wallet's alone. */
  const caughtUp = (walletId: string) =>
    options.catchUp(walletId).pipe(Effect.catchDefect((defect) => Effect.succeed(stopped(String(defect)))))

  const work = Effect.fnUntraced(function* (walletId: string) {
    const entry = behind.get(walletId)
    if (entry === undefined) return
    let outcome: WalletOutcome
    yield* options.alone(walletId)
    do {
      entry.again = false
      outcome = yield* caughtUp(walletId)
    } while (entry.again && outcome._tag !== "Stopped")
    behind.delete(walletId)
    if (outcome._tag === "Stopped") yield* stop(walletId, entry.floor, outcome)
    else {
      blocked.delete(walletId)
      yield* Metric.update(EngineMetrics.reconciledWallets, 1)
    }
    for (const resume of entry.waiters) resume(Effect.succeed(outcome._tag !== "Stopped"))
    if (behind.size === 0) options.idle()
  })

  const worker = Effect.forever(Effect.flatMap(Queue.take(queue), work))
  yield* Effect.forkScoped(
    Effect.all(
      Array.from({ length: workers }, () => worker),
      { concurrency: workers }
    )
  )

  const retryBlocked = Effect.sync(() => {
    for (const [walletId, { floor }] of blocked) enter(walletId, floor)
  })
  yield* Effect.forkScoped(Effect.repeat(retryBlocked, Schedule.spaced(options.retryMillis)))

  const floors = function* (): Generator<bigint> {
    for (const { floor } of behind.values()) yield floor
    for (const { floor } of blocked.values()) yield floor
  }

  const lane: CatchUps = {
    isAside: (walletId) => behind.has(walletId) || blocked.has(walletId),
    leave: (walletId, floor) => {
      const waiting = behind.get(walletId)
      if (waiting !== undefined) waiting.again = true
      const entry = waiting ?? blocked.get(walletId)
      if (entry === undefined) return false
      if (floor < entry.floor) entry.floor = floor
      return true
    },
    add: (walletId, floor) => {
      enter(walletId, floor)
    },
    run: (walletId) =>
      Effect.callback<boolean>((resume) => {
        enter(walletId, noFloor).waiters.push(resume)
      }),
    stop,
    floors,
    isEmpty: () => behind.size === 0,
    blocked: () => blocked,
    storeFailures: function* () {
      for (const [walletId, { storeFailed }] of blocked) if (storeFailed) yield walletId
    }
  }
  return lane
})
