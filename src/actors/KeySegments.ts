/**
 * Keeps the filters of wallets' keys beyond memory, where the log is a store of its own:
 * full segments are stored off the hot path, and read again when a wallet that has come
 * back is first in doubt about a key. What no segment covers is read from the log.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import * as BackgroundWriter from "./BackgroundWriter.ts"
import { bytesFor, type FilterSegment, KeyFilter } from "./KeyFilter.ts"
import type { KeyWindow } from "./KeyWindow.ts"
import { fill, makeSegments, type SegmentError, type SegmentStores, storeSegments } from "./SegmentSteps.ts"
import { WalletHistory } from "./WalletHistory.ts"

export class KeySegments extends Context.Service<
  KeySegments,
  {
    /**
     * Gives the window a filter of all keys before it, if that can be had: from the segments
     * and the log, within the bounds. Never fails: without it Persistence is asked.
     */
    readonly cover: (walletId: string, keys: KeyWindow) => Effect.Effect<void>
    /** Stores what is due. Synchronous; skipped when too much is waiting. */
    readonly store: (walletId: string, keys: KeyWindow) => void
    /** The same for a wallet that leaves memory, with the last segment and what its snapshot does not keep. */
    readonly storeAll: (walletId: string, keys: KeyWindow) => void
    /** Waits until all that was asked for is stored, or skipped because a store refused it. */
    readonly flush: Effect.Effect<void>
  }
>()("effect-wallet/actors/KeySegments") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(KeySegments, make(bounds))
}

interface Storing {
  readonly walletId: string
  /** All of the wallet, in order; those that are stored already tell where the others stand. */
  readonly segments: ReadonlyArray<FilterSegment>
  readonly all: boolean
}

interface Making {
  readonly walletId: string
  readonly last: FilterSegment | undefined
  readonly upTo: number
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const stores: SegmentStores = {
    bounds,
    log: yield* EventStore,
    persistence: yield* Persistence,
    history: yield* WalletHistory
  }
  const storing = yield* BackgroundWriter.make(bounds.keySegmentQueue, ({ all, segments, walletId }: Storing) =>
    logged(walletId, "a segment was not stored")(storeSegments(stores, walletId, segments, all))
  )
  const store = (walletId: string, { filter }: KeyWindow, all: boolean): void => {
    if (filter === undefined || filter.segments.length === 0) return
    filter.isDue = false
    storing.offer({ walletId, segments: filter.segments.slice(), all })
  }
  const startMaking = yield* makeMaking(stores)

  const cover = (walletId: string, keys: KeyWindow): Effect.Effect<void, SegmentError> =>
    Effect.suspend(() => {
      const upTo = keys.coversFrom - 1
      // A command has two events at most.
      if (!keys.budget.hasRoom(bytesFor((upTo + 1) / 2))) {
        keys.mayFindFilter = false
        return Effect.void
      }
      const filter = new KeyFilter(keys.budget)
      return Effect.onExit(fill(stores, walletId, filter, upTo), (exit) =>
        Effect.sync(() => {
          // Whatever came of it, to try it again would come to the same.
          if (Exit.isSuccess(exit)) keys.mayFindFilter = false
          if (Exit.isSuccess(exit) && exit.value === "Filled") return keys.adopt(filter)
          const last = filter.segments.at(-1)
          filter.release()
          if (Exit.isSuccess(exit) && exit.value === "Missing") startMaking({ walletId, last, upTo }, keys)
        })
      ).pipe(Effect.asVoid)
    })

  return KeySegments.of({
    cover: (walletId, keys) => logged(walletId, "their segments could not be read")(cover(walletId, keys)),
    store: (walletId, keys) => store(walletId, keys, false),
    storeAll: (walletId, keys) => {
      keys.shrink(bounds.keysInSnapshot)
      store(walletId, keys, true)
    },
    flush: storing.flush
  })
})

/** Nothing is lost: the log has every key. */
const logged = (walletId: string, what: string) =>
  Effect.catchCause((cause) =>
    Effect.annotateLogs(Effect.logWarning(`keys of wallet ${walletId}: ${what}`, cause), { walletId })
  )

/** Segments that were never stored, or are gone, are made again, one wallet at a time. */
const makeMaking = Effect.fnUntraced(function* (stores: SegmentStores) {
  const { bounds } = stores
  /** By wallet, with who waits for them. */
  const waiting = new Map<string, KeyWindow>()
  const making = yield* BackgroundWriter.make(bounds.keySegmentQueue, (job: Making) => {
    const made = () => {
      const keys = waiting.get(job.walletId)
      if (keys === undefined) return false
      keys.mayFindFilter = true
      // One that has reached the segments by now stores the next ones itself.
      return keys.filter === undefined
    }
    return logged(
      job.walletId,
      "their segments were not made"
    )(makeSegments(stores, job.walletId, job, made)).pipe(
      Effect.ensuring(Effect.sync(() => waiting.delete(job.walletId)))
    )
  })
  return (job: Making, keys: KeyWindow): void => {
    if (bytesFor(job.upTo) > bounds.keyFilterWalletBytes) return
    if (waiting.has(job.walletId) || making.offer(job)) waiting.set(job.walletId, keys)
  }
})
