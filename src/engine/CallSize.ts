/** How large a command is in a mailbox, bytes: rough, for its bound only. */
import type { Metadata } from "../domain/Limits.ts"
import { noMetadata } from "../domain/Limits.ts"

/** Beside the free texts. */
export const callBytes = 256

export const textBytes = (text: string | null): number => (text === null ? 0 : 2 * text.length)

export const metadataBytes = (metadata: Metadata): number => {
  if (metadata === noMetadata) return 0
  let bytes = 0
  for (const key in metadata) bytes += 2 * (key.length + String(metadata[key]).length)
  return bytes
}
