/** Documents in requests of a bounded size. */
import type { Metadata } from "../domain/Limits.ts"
import { noMetadata } from "../domain/Limits.ts"
import type { SearchDocument } from "../stores/SearchIndex.ts"

/** A document but for its free texts, with its request's line, bytes. */
const fixedBytes = 700

const textBytes = (reference: string | null, metadata: Metadata): number => {
  let length = reference === null ? 0 : reference.length
  if (metadata !== noMetadata) for (const key in metadata) length += key.length + metadata[key]!.length
  // Each text once as it is and once by its words; up to three bytes a UTF-16 unit.
  return 6 * length
}

/** Roughly, and rather too much. */
export const documentBytes = (document: SearchDocument): number => {
  switch (document.kind) {
    case "wallet":
      return fixedBytes + textBytes(null, document.wallet.metadata)
    case "transaction":
      return fixedBytes + textBytes(document.transaction.reference, document.transaction.metadata)
    case "transfer":
      return fixedBytes + textBytes(document.transfer.reference, document.transfer.metadata)
    case "hold":
      return fixedBytes + textBytes(document.hold.reference, document.hold.metadata)
  }
}

export interface BulkBounds {
  readonly bulkDocuments: number
  readonly bulkBytes: number
}

/** Each within the bounds, or of one document. */
export const bulksOf = (
  documents: ReadonlyArray<SearchDocument>,
  { bulkBytes, bulkDocuments }: BulkBounds
): ReadonlyArray<ReadonlyArray<SearchDocument>> => {
  const bulks: Array<ReadonlyArray<SearchDocument>> = []
  let begin = 0
  let bytes = 0
  for (const [index, document] of documents.entries()) {
    const size = documentBytes(document)
    if (index > begin && (index - begin >= bulkDocuments || bytes + size > bulkBytes)) {
      bulks.push(documents.slice(begin, index))
      begin = index
      bytes = 0
    }
    bytes += size
  }
  if (begin < documents.length) bulks.push(documents.slice(begin))
  return bulks
}
