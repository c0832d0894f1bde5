/**
 * Writes documents of a search index anew, as the log and the rows have them now: those that are missing or wrong; and
 * those that the index has refused, after a mend of it, or by a release that writes them differently. Of these the ones
 * that arrive are taken off the record, and those of which there is nothing to show any more.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { transactionsOf } from "../../domain/EventKinds.ts"
import { documentsOf } from "../../search/Documents.ts"
import { letterKey } from "../../search/Letters.ts"
import { type EventPlace, placedEvents } from "../../search/PlacedEvents.ts"
import { rowDocuments } from "../../search/RowDocuments.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { type DeadLetter, Persistence } from "../../stores/Persistence.ts"
import { documentId, type SearchDocument } from "../../stores/SearchIndex.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../../stores/StoreError.ts"
import type { DocumentFlaw, DocumentStores } from "../verify/Documents.ts"
import { patiently, type SearchNotSeparate, separateIndex } from "./RebuildStores.ts"

const documentsPerWrite = 500

/** Also over what is there as of the same event; answers those that the index has refused, which are on record then. */
export const rewriteDocuments = Effect.fnUntraced(function* (
  { persistence, set }: Pick<DocumentStores, "persistence" | "set">,
  documents: ReadonlyArray<SearchDocument>
): Effect.fn.Return<ReadonlyArray<DeadLetter>, ReadError> {
  const letters: Array<DeadLetter> = []
  for (let at = 0; at < documents.length; at += documentsPerWrite) {
    letters.push(...(yield* set.write(documents.slice(at, at + documentsPerWrite), { replace: true })))
  }
  if (letters.length > 0) yield* persistence.saveDeadLetters(letters)
  return letters
})

/** Those that can be written as they are. */
export const mendDocuments = (
  stores: DocumentStores,
  flaws: ReadonlyArray<DocumentFlaw>
): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError> =>
  rewriteDocuments(
    stores,
    flaws.flatMap(({ right, unplaced }) => (right === undefined || unplaced ? [] : [right]))
  )

/** The transactions of these events, and what else they touch. */
export const mendFromLog = (
  stores: DocumentStores,
  wanted: ReadonlyArray<EventPlace>
): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError | EventUnreadable> =>
  placedEvents(stores.log, wanted).pipe(
    Stream.mapEffect((events) => documentsOf(stores, events)),
    Stream.mapEffect(({ documents }) => rewriteDocuments(stores, documents)),
    Stream.runFold(
      (): ReadonlyArray<DeadLetter> => [],
      (all, letters) => [...all, ...letters]
    )
  )

/** Letters per read. Where the log has to be walked for them, it is so once for each. */
const pageLetters = 1_000

export interface DeadLetterReport {
  /** On record at the start. */
  readonly letters: number
  /** Written, and taken off the record. */
  readonly arrived: number
  /** Taken off the record: there is nothing to show of them. */
  readonly gone: number
  /** On record at the end. */
  readonly remaining: number
}

interface Stores {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
}

/** What is to be written of a page of letters. */
interface Anew {
  /** By kind and id. */
  readonly documents: ReadonlyMap<string, SearchDocument>
  /** Kinds and ids of those whose rows have not come so far. */
  readonly behind: ReadonlySet<string>
}

const keyOf = (document: SearchDocument): string => letterKey({ kind: document.kind, id: documentId(document) })

/** A hold's or a transfer's own id. */
const ownId = ({ id, walletId }: DeadLetter): string => id.slice(walletId.length + 1)

const partsOf = (letters: ReadonlyArray<DeadLetter>, kind: DeadLetter["kind"]) =>
  letters.filter((one) => one.kind === kind).map((one) => ({ walletId: one.walletId, id: ownId(one) }))

const anew = Effect.fnUntraced(function* (
  { log, persistence }: Stores,
  letters: ReadonlyArray<DeadLetter>
): Effect.fn.Return<Anew, ReadError | EventUnreadable> {
  const rows = yield* rowDocuments(persistence, {
    wallets: letters.flatMap(({ kind, walletId }) => (kind === "wallet" ? [walletId] : [])),
    holds: partsOf(letters, "hold"),
    transfers: partsOf(letters, "transfer")
  })
  const transactions = letters.filter(({ kind }) => kind === "transaction")
  const found = yield* placedEvents(log, transactions).pipe(
    Stream.mapEffect((events) => documentsOf({ log, persistence }, events)),
    Stream.runCollect
  )
  const wanted = new Set(transactions.map(letterKey))
  const shown = found.flatMap(({ documents }) => documents).filter((one) => wanted.has(keyOf(one)))
  const late = found.flatMap(({ behind }) => behind)
  return {
    documents: new Map([...rows.documents, ...shown].map((document) => [keyOf(document), document])),
    behind: new Set(
      late
        .flatMap(({ recorded }) => transactionsOf(recorded, { currency: "" }))
        .map(({ id }) => letterKey({ kind: "transaction", id }))
    )
  }
})

/** All of them, in pages. */
export const replayDeadLetters = Effect.gen(function* (): Effect.fn.Return<
  DeadLetterReport,
  ReadError | EventUnreadable | SearchNotSeparate,
  EventStore | Persistence
> {
  const { current, open } = yield* separateIndex
  const stores = { log: yield* EventStore, persistence: yield* Persistence }
  const { log, persistence } = stores
  const state = yield* patiently(Effect.flatMap(log.head, ({ logId }) => open(logId)))
  if (state._tag === "Foreign" || state._tag === "Unfit") {
    return yield* new StoreDefect({ store: "readModel", reason: state.reason })
  }
  const counts = { letters: 0, arrived: 0, gone: 0 }
  let after: DeadLetter | undefined
  while (true) {
    const letters = yield* patiently(persistence.deadLetters({ after, limit: pageLetters }))
    if (letters.length === 0) break
    after = letters.at(-1)
    counts.letters += letters.length
    const { behind, documents } = yield* patiently(anew(stores, letters))
    const refused = yield* patiently(rewriteDocuments({ persistence, set: current }, [...documents.values()]))
    const again = new Set(refused.map(letterKey))
    const off = letters.filter((one) => !again.has(letterKey(one)) && !behind.has(letterKey(one)))
    const arrived = off.filter((one) => documents.has(letterKey(one))).length
    counts.arrived += arrived
    counts.gone += off.length - arrived
    yield* patiently(persistence.removeDeadLetters(off))
  }
  if (counts.arrived > 0) yield* patiently(current.refresh)
  return { ...counts, remaining: yield* patiently(persistence.countDeadLetters) }
}).pipe(Effect.withSpan("DeadLetters.replayDeadLetters"))
