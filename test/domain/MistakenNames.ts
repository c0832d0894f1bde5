/**
 * Metadata whose last names V8 mistakes (`src/domain/Json.ts`). It guesses only while no other
 * name has followed the same first one: so each pair has a first name of its own, and is a text, of
 * which nobody makes an object before it is read.
 */
import type { Metadata } from "../../src/domain/Limits.ts"

export interface MistakenPair {
  readonly first: string
  /** Read by `JSON.parse` after `first`, its last name is that of `first`. */
  readonly second: string
}

/** As they are written. */
const names = [
  ["x\\\\", "x\\n"],
  ["x\\\\", 'x\\"'],
  ["\\\\", "\\t"],
  ["\\\\", "\\u0061"],
  ["\\\\u", "\\u0061\\n"],
  ["é\\\\", "é\\n"],
  ["~\\\\", "~\\n"]
] as const

let made = 0

/** Others at each call. */
export const mistakenPairs = (): ReadonlyArray<MistakenPair> =>
  names.map(([one, other]) => {
    const name = `c${made++}`
    return { first: `{"${name}":"1","${one}":"2"}`, second: `{"${name}":"1","${other}":"2"}` }
  })

/** One after the other, as `JSON.stringify` writes them. */
export const mistakenTexts = (): ReadonlyArray<string> =>
  mistakenPairs().flatMap(({ first, second }) => [first, second.replace("\\u0061", "\\r")])

/** The same as objects: made by deleting, for then V8 keeps them as tables and learns no names from them. */
export const mistakenMetadata = (): ReadonlyArray<Metadata> =>
  mistakenTexts().map((text) => {
    const [, first, last] = /^\{("[^"]+"):"1",(".*"):"2"\}$/.exec(text)!
    const metadata: Record<string, string> = { a: "", b: "" }
    delete metadata.a
    delete metadata.b
    metadata[JSON.parse(first!) as string] = "1"
    metadata[JSON.parse(last!) as string] = "2"
    return metadata
  })
