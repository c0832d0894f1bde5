/**
 * Fills one set of search indexes from the log, from the set's own checkpoint up to the head: pages of events, what they
 * touch as documents, bulks of those. A few pages are under way at a time; the checkpoint follows behind what is written.
 *
 * Events whose wallets' rows have not come so far are kept aside and asked again with each page; the checkpoint
 * stays below them. Beyond a bound those of the wallets with the most of them are left: the service that follows the log
 * begins below them. What the index refuses for good is put on record, and an event that cannot be read passed over.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { bulksOf } from "../../search/Bulks.ts"
import { documentsOf } from "../../search/Documents.ts"
import { markOf } from "../../search/LogHistory.ts"
import { type LogPage, readLogPage } from "../../search/LogPage.ts"
import { defaultSearchBounds } from "../../search/SearchBounds.ts"
import type { EventStore, PositionedEvent } from "../../stores/EventStore.ts"
import type { DeadLetter, Persistence } from "../../stores/Persistence.ts"
import type { IndexSet, LogMark, SearchDocument } from "../../stores/SearchIndex.ts"
import type { EventUnreadable, ReadError } from "../../stores/StoreError.ts"
import { patiently } from "./RebuildStores.ts"

/** Pages that are read, made into documents and written at a time. */
const pagesAtATime = 3

/** Events kept aside, if nothing else is said. */
const asideEvents = 10_000

/** Unreadable events that are named. */
const named = 20

export type FillError = ReadError | EventUnreadable

export interface FillCounts {
  events: number
  documents: number
  /** Of these, refused by the index. */
  refused: number
  /** Wallets created, and transactions: each is a document of its own, unless it was refused. */
  wallets: number
  transactions: number
}

/** Events that were kept aside and are left to whoever follows the log. */
interface LeftEvents {
  readonly wallets: Set<string>
  events: number
  /** The lowest of their positions. */
  lowest: bigint | undefined
}

export interface SearchFill {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly set: IndexSet
  readonly pageEvents: number
  /** Events kept aside; with more, those of some wallets are left until half as many are kept. */
  readonly asideEvents: number
  readonly counts: FillCounts
  /** All events up to here were read. */
  position: bigint
  /** The last of them that was written. */
  mark: LogMark | undefined
  aside: ReadonlyArray<PositionedEvent>
  readonly left: LeftEvents
  /** The first ones. */
  readonly unreadable: Array<EventUnreadable>
  /** Called after each page. */
  readonly onPage: (fill: SearchFill) => Effect.Effect<void>
}

export const startFill = (
  stores: Pick<SearchFill, "log" | "persistence" | "set">,
  from: bigint,
  options: Pick<SearchFill, "onPage" | "pageEvents"> & Partial<Pick<SearchFill, "asideEvents" | "mark">>
): SearchFill => ({
  ...stores,
  asideEvents,
  mark: undefined,
  ...options,
  counts: { events: 0, documents: 0, refused: 0, wallets: 0, transactions: 0 },
  position: from,
  aside: [],
  left: { wallets: new Set(), events: 0, lowest: undefined },
  unreadable: []
})

/** The log may be away for a moment. */
const read = (fill: SearchFill, after: bigint) => patiently(readLogPage(fill.log, after, fill.pageEvents))

export const writeAll = Effect.fnUntraced(function* (
  { persistence, set }: Pick<SearchFill, "persistence" | "set">,
  documents: ReadonlyArray<SearchDocument>
): Effect.fn.Return<ReadonlyArray<DeadLetter>, ReadError> {
  const letters: Array<DeadLetter> = []
  for (const bulk of bulksOf(documents, defaultSearchBounds)) letters.push(...(yield* patiently(set.write(bulk))))
  if (letters.length > 0) yield* patiently(persistence.saveDeadLetters(letters))
  return letters
})

/** Writes what these events touch; answers those of wallets that are behind. */
const writeEvents = Effect.fnUntraced(function* (
  fill: SearchFill,
  events: ReadonlyArray<PositionedEvent>
): Effect.fn.Return<ReadonlyArray<PositionedEvent>, FillError> {
  const { behind, documents } = yield* patiently(documentsOf(fill, events))
  const letters = yield* writeAll(fill, documents)
  const { counts } = fill
  const held = new Set(behind)
  const wallets = new Set(documents.flatMap((one) => (one.kind === "wallet" ? [one.wallet.id] : [])))
  counts.events += events.length - behind.length
  counts.documents += documents.length
  counts.refused += letters.length
  counts.transactions += documents.filter(({ kind }) => kind === "transaction").length
  counts.wallets += events.filter(
    (one) => one.recorded.version === 0 && wallets.has(one.recorded.walletId) && !held.has(one)
  ).length
  return behind
})

/** Below it everything is written. */
const safePosition = ({ aside, left, position }: SearchFill): bigint => {
  const first = aside.reduce<bigint | undefined>(
    (lowest, one) => (lowest === undefined || one.position < lowest ? one.position : lowest),
    left.lowest
  )
  return first === undefined ? position : first - 1n
}

/** Takes those of some wallets away, and of wallets of which any were. */
const leave = (fill: SearchFill): void => {
  const { aside, asideEvents: bound, left } = fill
  if (aside.length > bound) {
    const counts = new Map<string, number>()
    for (const { recorded } of aside) counts.set(recorded.walletId, (counts.get(recorded.walletId) ?? 0) + 1)
    let kept = aside.length
    for (const [walletId, count] of [...counts].sort(([, a], [, b]) => b - a)) {
      if (kept <= bound / 2) break
      kept -= count
      left.wallets.add(walletId)
    }
  }
  if (left.wallets.size === 0) return
  fill.aside = aside.filter(({ position, recorded }) => {
    if (!left.wallets.has(recorded.walletId)) return true
    left.events++
    if (left.lowest === undefined || position < left.lowest) left.lowest = position
    return false
  })
}

const afterPage = Effect.fnUntraced(function* (
  fill: SearchFill,
  { events, next, unreadable }: LogPage,
  behind: ReadonlyArray<PositionedEvent>
): Effect.fn.Return<void, FillError> {
  if (unreadable !== undefined && fill.unreadable.length < named) fill.unreadable.push(unreadable)
  fill.position = next
  const last = events.at(-1)
  if (last !== undefined) fill.mark = markOf(last)
  fill.aside = [...(fill.aside.length === 0 ? [] : yield* writeEvents(fill, fill.aside)), ...behind]
  leave(fill)
  const position = safePosition(fill)
  if (position > 0n) yield* patiently(fill.set.saveCheckpoint(position, fill.mark))
  yield* fill.onPage(fill)
})

/** Until a page ends where the log does. Answers the number of events that it has read. */
export const fillToHead = (fill: SearchFill): Effect.Effect<number, FillError> => {
  let events = 0
  const nextPage = (after: bigint | undefined) =>
    after === undefined
      ? Effect.undefined
      : Effect.map(read(fill, after), (page) => [page, page.isLast ? undefined : page.next] as const)
  return Stream.unfold<bigint | undefined, LogPage, FillError, never>(fill.position, nextPage).pipe(
    Stream.mapEffect((page) => Effect.map(writeEvents(fill, page.events), (behind) => ({ page, behind })), {
      concurrency: pagesAtATime
    }),
    Stream.runForEach(({ behind, page }) => {
      events += page.events.length
      return afterPage(fill, page, behind)
    }),
    Effect.map(() => events)
  )
}
