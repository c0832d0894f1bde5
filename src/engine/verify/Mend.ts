/** Writes documents that are missing or wrong anew, as the log and the rows have them now. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { documentsOf } from "../../search/Documents.ts"
import { type EventPlace, placedEvents } from "../../search/PlacedEvents.ts"
import type { DeadLetter } from "../../stores/Persistence.ts"
import type { SearchDocument } from "../../stores/SearchIndex.ts"
import type { EventUnreadable, ReadError } from "../../stores/StoreError.ts"
import type { DocumentFlaw, DocumentStores } from "./Documents.ts"

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
