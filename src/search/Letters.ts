/** Dead letters: documents that the search index has refused, on record in Persistence. */
import * as Effect from "effect/Effect"
import type { DeadLetter, Persistence } from "../stores/Persistence.ts"
import type { ReadError } from "../stores/StoreError.ts"

/** The first ones, at most `bound`. */
export const lettersUpTo = Effect.fnUntraced(function* (
  persistence: Persistence["Service"],
  bound: number
): Effect.fn.Return<ReadonlyArray<DeadLetter>, ReadError> {
  const letters: Array<DeadLetter> = []
  while (letters.length < bound) {
    const page = yield* persistence.deadLetters({ after: letters.at(-1), limit: Math.min(500, bound - letters.length) })
    letters.push(...page)
    if (page.length === 0) break
  }
  return letters
})

/** By kind and id, as a document and its dead letter have in common. */
export const letterKey = ({ id, kind }: Pick<DeadLetter, "id" | "kind">): string => `${kind} ${id}`
