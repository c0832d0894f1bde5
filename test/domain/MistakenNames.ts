/** Metadata whose last names V8 mistakes for one another, in whatever order they are read (`src/domain/Json.ts`). */
import type { Metadata } from "../../src/domain/Limits.ts"

export const mistakenNames: ReadonlyArray<Metadata> = [
  "x\\",
  "x\n",
  'x"',
  "x\t",
  "\\",
  "\n",
  "\\u",
  "é\n",
  "~\\~5c",
  "~5c"
].map((name) => ({ c: "1", [name]: "2" }))

/** Each after each. */
export const mistakenPairs: ReadonlyArray<Metadata> = mistakenNames.flatMap((one) =>
  mistakenNames.flatMap((other) => [one, other])
)
