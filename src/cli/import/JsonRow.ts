/**
 * One line of JSONL as a row: texts as they are, numbers as they stand in the source.
 * A name that stands twice is refused, for `JSON.parse` would take the last one's value
 * without a word. Pure.
 */
import { parseJson, type ValueReader } from "../../domain/Json.ts"

/** Numbers by their source; what is inside of lists and objects is nobody's value. */
const asField: ValueReader = (value, source) =>
  typeof value === "number" && source !== undefined ? source : value === null ? "" : value

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
  const value: unknown = parseJson(text, asField)
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("is not an object")
  const names = Object.keys(value)
  if (countNames(text) !== names.length) throw new Error("a name stands in it twice")
  return value as Readonly<Record<string, unknown>>
}
