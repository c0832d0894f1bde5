/**
 * Compares the documents that a search index has of some wallets with what the log and the rows say:
 * each transaction with its event, each wallet, hold and transfer with its row.
 *
 * The wallets may move meanwhile. What is as of a later event than the rows or, of a transaction, the events that were
 * read is not judged, only whether the log has such an event. Whatever else differs may still be on its way: the caller
 * compares again once the index has come so far (`Indexed.ts`).
 *
 * Memory: the events and documents of one window (`windowEvents`), and of the wallets compared together
 * the ids of their holds and transfers, about 0.1 kB each.
 */
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../../domain/Event.ts"
import { letterKey } from "../../search/Letters.ts"
import { rowDocuments, type RowDocuments, touchedBy, transactionDocuments } from "../../search/RowDocuments.ts"
import { sourceOf } from "../../domain/Transfer.ts"
import type { EventStore } from "../../stores/EventStore.ts"
import type { IndexRowsQuery, Persistence } from "../../stores/Persistence.ts"
import { documentId, documentWallet, type IndexSet, type SearchDocument } from "../../stores/SearchIndex.ts"
import type { EventUnreadable, ReadError } from "../../stores/StoreError.ts"
import { justBefore } from "../../stores/WalletRows.ts"
import { compareRecords } from "./Report.ts"

/** Versions of a wallet, or of several with fewer events together, that are compared at a time. */
export const windowEvents = 4_000

const readEvents = 1_000

/** A wallet and the number of its events, about. */
export interface SizedWallet {
  readonly id: string
  readonly events: number
}

export interface DocumentStores {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly set: IndexSet
}

/** One document that is not as it must be. */
export interface DocumentFlaw {
  readonly kind: SearchDocument["kind"]
  readonly id: string
  readonly walletId: string
  readonly expected: string
  readonly found: string
  /** As it must be; `undefined`: there must be none. */
  readonly right: SearchDocument | undefined
  /** `undefined`: there is none. */
  readonly foundVersion: number | undefined
  /** The log has no such version: what is right will be taken for older, and refused. */
  readonly isAhead: boolean
  /** The event's place is not known from here: not to be written as it is. */
  readonly unplaced: boolean
}

export interface DocumentFindings {
  /** How many were there and right, by wallet. */
  readonly documents: ReadonlyMap<string, number>
  readonly flaws: ReadonlyArray<DocumentFlaw>
}

type CompareError = ReadError | EventUnreadable

/** An event, and its position where the log tells it. */
interface PlacedEvent {
  readonly recorded: RecordedEvent
  readonly position: bigint | undefined
}

interface Window {
  readonly from: number
  readonly to: number
}

const keyOf = (document: SearchDocument): string => `${document.kind} ${documentId(document)}`

/** What is compared: one level, so that a difference names the field. */
const contentOf = (document: SearchDocument, unplaced: boolean): Record<string, unknown> => {
  switch (document.kind) {
    case "wallet":
      return { ...document.wallet, position: document.position }
    case "transaction": {
      const { key, leg, ownerId, position, transaction, version } = document
      return { ...transaction, asOf: version, ownerId, key, leg, ...(unplaced ? {} : { position }) }
    }
    case "transfer": {
      const { key, ownerIds, position, transfer } = document
      return { ...transfer, ownerIds: [...new Set(ownerIds)].sort(), key, position }
    }
    case "hold":
      return { ...document.hold, ownerId: document.ownerId, currency: document.currency }
  }
}

/** By wallet and version, where the log keeps wallets side by side. */
const scanned = Effect.fnUntraced(function* (
  scan: NonNullable<EventStore["Service"]["scan"]>,
  ids: ReadonlyArray<string>,
  { from, to }: Window
): Effect.fn.Return<ReadonlyArray<PlacedEvent>, CompareError> {
  const wanted = new Set(ids)
  const last = ids[ids.length - 1]!
  const events: Array<PlacedEvent> = []
  let after =
    from === 0
      ? { walletId: justBefore(ids[0]!), version: Number.MAX_SAFE_INTEGER }
      : { walletId: ids[0]!, version: from - 1 }
  while (true) {
    const page = yield* scan({ after, to: last, limit: readEvents })
    const final = page.events.at(-1)?.recorded
    for (const { position, recorded } of page.events) {
      if (wanted.has(recorded.walletId) && recorded.version <= to) events.push({ recorded, position })
    }
    const isPast = final !== undefined && ids.length === 1 && final.version >= to
    if (final === undefined || page.events.length < readEvents || isPast) return events
    after = { walletId: final.walletId, version: final.version }
  }
})

const readOne = Effect.fnUntraced(function* (
  log: EventStore["Service"],
  walletId: string,
  { from, to }: Window
): Effect.fn.Return<ReadonlyArray<PlacedEvent>, CompareError> {
  const events: Array<PlacedEvent> = []
  let after = from - 1
  while (after < to) {
    const page = yield* log.read(walletId, { after, limit: Math.min(readEvents, to - after) })
    for (const recorded of page) events.push({ recorded, position: undefined })
    if (page.length < readEvents) return events
    after = page[page.length - 1]!.version
  }
  return events
})

/** `ids`: in their order. */
const eventsOf = (log: EventStore["Service"], ids: ReadonlyArray<string>, window: Window) =>
  log.scan === undefined
    ? Effect.map(
        Effect.forEach(ids, (id) => readOne(log, id, window), { concurrency: 8 }),
        (all) => all.flat()
      )
    : scanned(log.scan, ids, window)

/** Holds and transfers of several wallets, by wallet and id. */
type Parts = Pick<IndexRowsQuery, "holds" | "transfers">

const touchedParts = (events: ReadonlyArray<PlacedEvent>): Parts => {
  const byWallet = new Map<string, Array<RecordedEvent>>()
  for (const { recorded } of events) {
    const ofWallet = byWallet.get(recorded.walletId)
    if (ofWallet === undefined) byWallet.set(recorded.walletId, [recorded])
    else ofWallet.push(recorded)
  }
  const touched = [...byWallet].map(([walletId, ofWallet]) => touchedBy(walletId, ofWallet))
  return { holds: touched.flatMap(({ holds }) => holds), transfers: touched.flatMap(({ transfers }) => transfers) }
}

/** Those among the documents that are not among `known`. */
const unknownParts = (documents: ReadonlyArray<SearchDocument>, known: ReadonlyMap<string, unknown>): Parts => {
  const unknown = documents.filter((one) => !known.has(keyOf(one)))
  return {
    holds: unknown.flatMap((one) => (one.kind === "hold" ? [{ walletId: one.hold.walletId, id: one.hold.id }] : [])),
    transfers: unknown.flatMap((one) =>
      one.kind === "transfer" ? [{ walletId: sourceOf(one.transfer), id: one.transfer.id }] : []
    )
  }
}

/** Some wallets while they are compared, window by window. */
interface Comparison {
  readonly stores: DocumentStores
  readonly ids: ReadonlyArray<string>
  /** Called between rows and index: until the index shows what the rows show. */
  readonly settle: Effect.Effect<void, CompareError>
  readonly flaws: Array<DocumentFlaw>
  readonly documents: Map<string, number>
  /** Holds, transfers and wallets that must be there. */
  readonly awaited: Set<string>
  /** Those that are. */
  readonly seen: Set<string>
}

const flawOf = (
  document: SearchDocument,
  sides: { readonly expected: string; readonly found: string },
  more: Partial<Pick<DocumentFlaw, "right" | "foundVersion" | "isAhead" | "unplaced">>
): DocumentFlaw => ({
  kind: document.kind,
  id: documentId(document),
  walletId: documentWallet(document),
  right: undefined,
  foundVersion: undefined,
  isAhead: false,
  unplaced: false,
  ...sides,
  ...more
})

/** What is expected of one window. */
interface Expected {
  readonly rows: RowDocuments
  /** By kind and id. */
  readonly right: ReadonlyMap<string, { readonly document: SearchDocument; readonly unplaced: boolean }>
  /** Of each wallet the newest event that was read; the rows, which were read after it, may show later ones. */
  readonly newest: ReadonlyMap<string, number>
}

const expectedOf = (events: ReadonlyArray<PlacedEvent>, rows: RowDocuments): Expected => {
  const right = new Map<string, { readonly document: SearchDocument; readonly unplaced: boolean }>()
  const newest = new Map<string, number>()
  for (const document of rows.documents) right.set(keyOf(document), { document, unplaced: false })
  for (const { position, recorded } of events) {
    newest.set(recorded.walletId, recorded.version)
    const wallet = rows.wallets.get(recorded.walletId)
    if (wallet === undefined || recorded.version > wallet.view.version) continue
    if (rows.isRefused(recorded.walletId, recorded.version)) continue
    for (const document of transactionDocuments(recorded, position ?? 0n, wallet)) {
      right.set(keyOf(document), { document, unplaced: position === undefined })
    }
  }
  return { rows, right, newest }
}

/** Whether the log has the event that a document is as of, beyond the rows that were read. */
const hasEvent = ({ stores }: Comparison, walletId: string, version: number): Effect.Effect<boolean, CompareError> =>
  Effect.map(stores.log.read(walletId, { after: version - 1, limit: 1 }), (events) => events.length > 0)

/** Judges a document that is there. */
const judge = Effect.fnUntraced(function* (
  comparison: Comparison,
  { newest, right, rows }: Expected,
  found: SearchDocument
): Effect.fn.Return<void, CompareError> {
  const { flaws } = comparison
  const known = right.get(keyOf(found))
  const walletVersion = rows.wallets.get(documentWallet(found))?.view.version ?? -1
  if (found.version > walletVersion && walletVersion >= 0) {
    if (yield* hasEvent(comparison, documentWallet(found), found.version)) return
    const sides = { expected: `as of version ${walletVersion} at most`, found: `as of version ${found.version}` }
    flaws.push(flawOf(found, sides, { right: known?.document, foundVersion: found.version, isAhead: true }))
    return
  }
  if (known === undefined) {
    // The event came between the reading of the log and that of the rows.
    const isLater = found.kind === "transaction" && found.version > (newest.get(documentWallet(found)) ?? -1)
    if (isLater && (yield* hasEvent(comparison, documentWallet(found), found.version))) return
    const sides = { expected: "nothing", found: `a ${found.kind} as of version ${found.version}` }
    flaws.push(flawOf(found, sides, { foundVersion: found.version }))
    return
  }
  const sides = compareRecords(contentOf(known.document, known.unplaced), contentOf(found, known.unplaced))
  if (sides === undefined) {
    const { documents } = comparison
    documents.set(documentWallet(found), (documents.get(documentWallet(found)) ?? 0) + 1)
  } else {
    const { document, unplaced } = known
    flaws.push(flawOf(found, sides, { right: document, unplaced, foundVersion: found.version }))
  }
})

const missing = (comparison: Comparison, document: SearchDocument, unplaced: boolean): void => {
  const sides = { expected: `a ${document.kind} as of version ${document.version}`, found: "nothing" }
  comparison.flaws.push(flawOf(document, sides, { right: document, unplaced }))
}

const compareWindow = Effect.fnUntraced(function* (
  comparison: Comparison,
  window: Window
): Effect.fn.Return<void, CompareError> {
  const { awaited, ids, seen, stores } = comparison
  const { log, persistence, set } = stores
  const events = yield* eventsOf(log, ids, window)
  const touched = touchedParts(events)
  const rows = yield* rowDocuments(persistence, { wallets: ids, ...touched })
  yield* comparison.settle
  const found = yield* set.documentsOf(ids, window)
  const expected = expectedOf(events, rows)
  // A hold or transfer is as of the version that its wallet had when it was written: it may have been touched long before.
  const others = unknownParts(found, expected.right)
  const more = yield* others.holds.length + others.transfers.length === 0
    ? Effect.succeed([])
    : Effect.map(rowDocuments(persistence, { wallets: [], ...others }), ({ documents }) => documents)
  const all: Expected = {
    ...expected,
    right: new Map([
      ...expected.right,
      ...more.map((document) => [keyOf(document), { document, unplaced: false }] as const)
    ])
  }
  const foundKeys = new Set(found.map(keyOf))
  yield* Effect.forEach(found, (one) => judge(comparison, all, one), { discard: true })
  for (const [key, { document, unplaced }] of expected.right) {
    if (document.kind === "transaction") {
      if (!foundKeys.has(key)) missing(comparison, document, unplaced)
    } else awaited.add(key)
  }
  for (const one of found) if (one.kind !== "transaction") seen.add(keyOf(one))
})

/** Of documents that were awaited in vain, as they must be. */
const rightOf = Effect.fnUntraced(function* (
  persistence: Persistence["Service"],
  keys: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<SearchDocument>, ReadError> {
  const parts = (kind: string) =>
    keys.flatMap((key) => {
      if (!key.startsWith(`${kind} `)) return []
      const [walletId = "", id = ""] = key.slice(kind.length + 1).split(".")
      return [{ walletId, id }]
    })
  const { documents } = yield* rowDocuments(persistence, {
    wallets: parts("wallet").map(({ walletId }) => walletId),
    holds: parts("hold"),
    transfers: parts("transfer")
  })
  return documents
})

/**
 * Compares all documents of these wallets, in the order of their ids. Those with more events than a window alone:
 * `wallets` is then that one. `since`: of a wallet alone, what is as of this version or a later one.
 */
export const compareDocuments = Effect.fnUntraced(function* (
  stores: DocumentStores,
  wallets: ReadonlyArray<SizedWallet>,
  settle: Effect.Effect<void, CompareError>,
  since = 0
): Effect.fn.Return<DocumentFindings, CompareError> {
  const ids = wallets.map(({ id }) => id)
  const comparison: Comparison = {
    stores,
    ids,
    settle,
    flaws: [],
    documents: new Map(),
    awaited: new Set(),
    seen: new Set()
  }
  const events = Math.max(...wallets.map((one) => one.events))
  const last = wallets.length === 1 ? events - 1 : since
  let from = since
  do {
    const isLast = from + windowEvents > last
    yield* compareWindow(comparison, { from, to: isLast ? Number.MAX_SAFE_INTEGER : from + windowEvents - 1 })
    from += windowEvents
  } while (from <= last)
  const absent = [...comparison.awaited].filter((key) => !comparison.seen.has(key))
  for (let at = 0; at < absent.length; at += windowEvents) {
    const right = yield* rightOf(stores.persistence, absent.slice(at, at + windowEvents))
    for (const document of right) missing(comparison, document, false)
  }
  return { documents: comparison.documents, flaws: comparison.flaws }
})

/** Times that wallets are compared with an index that has caught up. */
const rounds = 2

const same = (flaw: DocumentFlaw) => `${letterKey(flaw)} ${flaw.found}`

/**
 * {@link compareDocuments}, but that a flaw is what differs each time in the same way, with the index caught up. Once
 * tells little of a wallet that moves: rows are read wallets first, so a hold or transfer may be shown newer than the
 * wallet it is as of, and newer than the rows that were read before.
 */
export const compareSettled = Effect.fnUntraced(function* (
  stores: DocumentStores,
  wallets: ReadonlyArray<SizedWallet>,
  settle: Effect.Effect<void, CompareError>
): Effect.fn.Return<DocumentFindings, CompareError> {
  let findings = yield* compareDocuments(stores, wallets, settle)
  for (let round = 1; round < rounds && findings.flaws.length > 0; round++) {
    const before = new Set(findings.flaws.map(same))
    const again = yield* compareDocuments(stores, wallets, settle)
    findings = { ...again, flaws: again.flaws.filter((flaw) => before.has(same(flaw))) }
  }
  return findings
})
