/** Writes documents that are missing or wrong anew, as the log and the rows have them now. */
import * as Effect from "effect/Effect"
import { rowDocuments, transactionDocument } from "../../search/RowDocuments.ts"
import type { PositionedEvent } from "../../stores/EventStore.ts"
import type { DeadLetter } from "../../stores/Persistence.ts"
import type { SearchDocument } from "../../stores/SearchIndex.ts"
import type { EventUnreadable, ReadError } from "../../stores/StoreError.ts"
import type { DocumentFlaw, DocumentStores } from "./Documents.ts"

const documentsPerWrite = 500

/** Events per read of the whole log. */
const pageEvents = 2_000

/** Also over what is there as of the same event; answers those that the index has refused, which are on record then. */
export const rewriteDocuments = Effect.fnUntraced(function* (
  { persistence, set }: DocumentStores,
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

/** An event whose place in the log is wanted. */
export interface WantedEvent {
  readonly walletId: string
  readonly version: number
}

const nameOf = ({ version, walletId }: WantedEvent): string => `${walletId} ${version}`

const documentsOfEvents = Effect.fnUntraced(function* (
  { persistence }: DocumentStores,
  events: ReadonlyArray<PositionedEvent>
): Effect.fn.Return<ReadonlyArray<SearchDocument>, ReadError> {
  const wallets = [...new Set(events.map(({ recorded }) => recorded.walletId))]
  const rows = yield* rowDocuments(persistence, { wallets, holds: [], transfers: [] })
  return events.flatMap(({ position, recorded }) => {
    const wallet = rows.wallets.get(recorded.walletId)
    if (wallet === undefined || rows.isRefused(recorded.walletId, recorded.version)) return []
    if (recorded.version > wallet.view.version) return []
    return transactionDocument(recorded, position, wallet) ?? []
  })
})

/**
 * The transactions of these events, whose places the log tells only in its own order: one walk over it, until all are
 * found.
 */
export const mendFromLog = Effect.fnUntraced(function* (
  stores: DocumentStores,
  wanted: ReadonlyArray<WantedEvent>
): Effect.fn.Return<ReadonlyArray<DeadLetter>, ReadError | EventUnreadable> {
  const open = new Set(wanted.map(nameOf))
  const letters: Array<DeadLetter> = []
  let after = 0n
  while (open.size > 0) {
    const page = yield* stores.log.readAll({ after, limit: pageEvents })
    const found = page.filter(({ recorded }) => open.delete(nameOf(recorded)))
    if (found.length > 0) letters.push(...(yield* rewriteDocuments(stores, yield* documentsOfEvents(stores, found))))
    const last = page.at(-1)
    if (last === undefined) break
    after = last.position
  }
  return letters
})
