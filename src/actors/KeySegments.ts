/**
 * Keeps the filters of wallets' keys beyond memory, where the log is a store of its own:
 * full segments are stored off the hot path, and read again when a wallet that has come
 * back is first in doubt about a key. What no segment covers is read from the log.
 *
 * A segment is bound to the id of its last event; what is read is believed only when the log
 * has that event at that version.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { EventStore } from "../stores/EventStore.ts"
import { type KeySegment, Persistence } from "../stores/Persistence.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import * as BackgroundWriter from "./BackgroundWriter.ts"
import { addTo, bytesFor, type FilterSegment, KeyFilter, newSegment, nextCapacity, segmentForm } from "./KeyFilter.ts"
import type { KeyWindow } from "./KeyWindow.ts"
import { WalletHistory } from "./WalletHistory.ts"

/** Segments of one read: at most a megabyte. */
const pageSegments = 4

/** Events of one read when segments are made from the log. */
const pageEvents = 500

/** Between two segments made from the log, so that the wallets at work have the stores to themselves. */
const makingPause = "20 millis"

export interface SegmentStores {
  readonly bounds: ActorBounds
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly history: WalletHistory["Service"]
}

export type SegmentError = ReadError | EventUnreadable

const eventIdAt = Effect.fnUntraced(function* ({ log }: SegmentStores, walletId: string, version: number) {
  const [recorded] = yield* log.read(walletId, { after: version - 1, limit: 1 })
  return recorded?.version === version ? recorded.id : undefined
})

/**
 * Stores it as the one that follows `previousEventId`, or leaves it: the log does not have its
 * last event. It may grow meanwhile: bits are only ever set, so what is stored has all that it says.
 */
const save = Effect.fnUntraced(function* (
  stores: SegmentStores,
  walletId: string,
  segment: FilterSegment,
  previousEventId: string
): Effect.fn.Return<void, SegmentError> {
  const { bits, count, fromVersion, toVersion } = segment
  const eventId = yield* eventIdAt(stores, walletId, toVersion)
  if (eventId === undefined) return
  const versions = { fromVersion, toVersion, previousEventId, eventId }
  yield* stores.persistence.saveKeySegment({ walletId, ...versions, form: segmentForm, keys: count, bits })
  segment.storedTo = toVersion
  segment.storedCount = count
  segment.storedEventId = eventId
})

/** Stores what is full, or has as many new keys as are worth it, in order. `all`: also less. */
export const storeSegments = Effect.fnUntraced(function* (
  stores: SegmentStores,
  walletId: string,
  segments: ReadonlyArray<FilterSegment>,
  all: boolean
): Effect.fn.Return<void, SegmentError> {
  const { keySegmentKeys, keySegmentMinimumKeys } = stores.bounds
  const worth = all ? keySegmentMinimumKeys : keySegmentKeys
  let previousEventId = ""
  for (const segment of segments) {
    const { capacity, count, storedCount, storedTo, toVersion } = segment
    const isFull = count >= capacity
    if (storedTo < toVersion && (isFull || count - storedCount >= worth)) {
      yield* save(stores, walletId, segment, previousEventId)
    }
    // Its successors would hang in the air.
    if (!isFull || segment.storedTo < toVersion) return
    previousEventId = segment.storedEventId
  }
})

/** Takes the segments that are there and hang together from version 0 to `upTo` into the filter. `false`: there is no memory for them. */
const adoptChain = Effect.fnUntraced(function* (
  { persistence }: SegmentStores,
  walletId: string,
  filter: KeyFilter,
  upTo: number
) {
  let previousEventId = ""
  while (filter.toVersion < upTo) {
    const page = yield* persistence.keySegments(walletId, { from: filter.toVersion + 1, limit: pageSegments })
    for (const segment of page) {
      if (filter.toVersion >= upTo || !continues(segment, filter.toVersion + 1, previousEventId)) return true
      if (!filter.adopt(restored(segment))) return false
      previousEventId = segment.eventId
    }
    if (page.length < pageSegments) return true
  }
  return true
})

/** Takes away what is of another history than the log's: an id stands in one history, and so do all before it. */
const dropForeign = Effect.fnUntraced(function* (stores: SegmentStores, walletId: string, filter: KeyFilter) {
  for (let last = filter.segments.at(-1); last !== undefined; last = filter.segments.at(-1)) {
    if ((yield* eventIdAt(stores, walletId, last.toVersion)) === last.storedEventId) return
    filter.dropLast()
  }
})

/**
 * - `Filled`: the filter has all keys up to that version.
 * - `TooMany`: there is no memory for them.
 * - `Missing`: the log would have to tell of more versions than a command may wait for.
 */
export type Filling = "Filled" | "TooMany" | "Missing"

/** Fills an empty filter with all keys up to a version, from the segments and the log. */
export const fill = Effect.fnUntraced(function* (
  stores: SegmentStores,
  walletId: string,
  filter: KeyFilter,
  upTo: number
): Effect.fn.Return<Filling, SegmentError> {
  if (!(yield* adoptChain(stores, walletId, filter, upTo))) return "TooMany"
  yield* dropForeign(stores, walletId, filter)
  const after = filter.toVersion
  if (after >= upTo) return "Filled"
  if (upTo - after > stores.bounds.keyTailEvents) return "Missing"
  let goesOn = true
  yield* stores.history.scan(walletId, { after, upTo }, ({ metadata, version }) => {
    if (goesOn) goesOn = version === filter.toVersion + 1 && filter.add(metadata.key, version)
  })
  return goesOn && filter.toVersion === upTo ? "Filled" : "TooMany"
})

/**
 * Segments from the log, from the end of those that are there (`last`) to `upTo`. `made`: told
 * that one more is stored, returns whether to go on.
 */
export const makeSegments = Effect.fnUntraced(function* (
  stores: SegmentStores,
  walletId: string,
  { last, upTo }: { readonly last: FilterSegment | undefined; readonly upTo: number },
  made: () => boolean
): Effect.fn.Return<void, SegmentError> {
  const shape = { segmentKeys: stores.bounds.keySegmentKeys, largestKeys: stores.bounds.keySegmentLargestKeys }
  const follow = (segment: FilterSegment | undefined) => newSegment(nextCapacity(segment, shape), after(segment) + 1)
  // A part of a segment goes on.
  const isPart = last !== undefined && last.count < last.capacity
  let segment = isPart ? { ...last, bits: last.bits.slice() } : follow(last)
  const before = segment.fromVersion - 1
  let previousEventId = before < 0 ? "" : yield* eventIdAt(stores, walletId, before)
  let at = after(last)
  while (at < upTo && previousEventId !== undefined) {
    const page = yield* stores.log.read(walletId, { after: at, limit: pageEvents })
    for (const { metadata, version } of page) {
      if (version > upTo) break
      addTo(segment, metadata.key, version)
      at = version
      const isFull = segment.count >= segment.capacity
      if (!isFull && version < upTo) continue
      yield* save(stores, walletId, segment, previousEventId)
      if (segment.storedTo < version) return
      if (!made() || !isFull) return
      previousEventId = segment.storedEventId
      segment = follow(segment)
      yield* Effect.sleep(makingPause)
    }
    if (page.length < pageEvents) return
  }
})

const after = (last: FilterSegment | undefined): number => last?.toVersion ?? -1

/** Whether a stored segment is the next one, and of a form that this release reads. */
const continues = (segment: KeySegment, from: number, previousEventId: string): boolean =>
  segment.form === segmentForm &&
  segment.fromVersion === from &&
  segment.toVersion >= from &&
  segment.previousEventId === previousEventId &&
  isPowerOfTwo(segment.bits.length)

const isPowerOfTwo = (n: number): boolean => n > 0 && (n & (n - 1)) === 0

/** As it was when it was stored; the bits are its own. */
export const restored = ({ bits, eventId, fromVersion, keys, toVersion }: KeySegment): FilterSegment => ({
  bits,
  capacity: bits.length / bytesFor(1),
  count: keys,
  fromVersion,
  toVersion,
  storedTo: toVersion,
  storedCount: keys,
  storedEventId: eventId
})

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
