/**
 * The way of a filter's segments between a wallet's memory, the store and the log. A
 * segment is bound to the id of its last event; what is read is believed only when the log
 * has that event at that version.
 */
import * as Effect from "effect/Effect"
import type { EventStore } from "../stores/EventStore.ts"
import type { KeySegment } from "../stores/Persistence.ts"
import type { Persistence } from "../stores/Persistence.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import {
  addTo,
  bytesFor,
  type FilterSegment,
  type KeyFilter,
  newSegment,
  nextCapacity,
  segmentForm
} from "./KeyFilter.ts"
import type { WalletHistory } from "./WalletHistory.ts"

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
