/**
 * Writes the documents that a search index has refused anew, as the log and the rows have them now: after a mend of the
 * index, or by a release that writes them differently. Those that arrive are taken off the record, and those of
 * which there is nothing to show any more.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { documentsOf } from "../../search/Documents.ts"
import { letterKey } from "../../search/Letters.ts"
import { placedEvents } from "../../search/PlacedEvents.ts"
import { transactionsOf } from "../../domain/EventKinds.ts"
import { rowDocuments } from "../../search/RowDocuments.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { type DeadLetter, Persistence } from "../../stores/Persistence.ts"
import { documentId, type SearchDocument } from "../../stores/SearchIndex.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../../stores/StoreError.ts"
import { rewriteDocuments } from "../verify/Mend.ts"
import { patiently } from "./RebuildStores.ts"
import { separateIndex, type SearchNotSeparate } from "./SeparateIndex.ts"

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
