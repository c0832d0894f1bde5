/**
 * One line of JSONL as a row: texts as they are, numbers as they stand in the source.
 * A name that stands twice is refused, for `JSON.parse` would take the last one's value
 * without a word. Pure.
 */

/** The third parameter is "JSON.parse source text access", which the TypeScript library does not know yet. */
type SourceReviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown

/** Numbers by their source; what is inside of lists and objects is nobody's value. */
const reviver: SourceReviver = (_, value, context) =>
  typeof value === "number" && context?.source !== undefined ? context.source : value === null ? "" : value

/** How many names the outermost object has, those that stand twice included. The text is JSON. */
const countNames = (text: string): number => {
  let depth = 0
  let names = 0
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++
        break
      case "{":
      case "[":
        depth++
        break
      case "}":
      case "]":
        depth--
        break
      case ":":
        if (depth === 1) names++
    }
  }
  return names
}

/** Throws what is wrong with the line. Values that are neither texts nor numbers nor null stay what they are. */
export const parseObject = (text: string): Readonly<Record<string, unknown>> => {
  const value: unknown = JSON.parse(text, reviver as (key: string, value: unknown) => unknown)
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("is not an object")
  const names = Object.keys(value)
  if (countNames(text) !== names.length) throw new Error("a name stands in it twice")
  return value as Readonly<Record<string, unknown>>
}
