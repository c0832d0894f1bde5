/**
 * JSON of a body, strictly: UTF-8, and no member twice in one object. `JSON.parse` keeps the
 * last of two members of one name; other readers of the same bytes, a proxy or an audit, keep
 * the first, and then they disagree about an amount.
 *
 * Names need not be compared, however they are escaped, since the value that `JSON.parse`
 * makes lacks what stood twice. A text that is as short as its value can be written has
 * nothing more in it: most bodies are such. Of any other the members are counted: one `:`
 * each, outside of strings.
 */
import { isUtf8 } from "node:buffer"
import { parseJson } from "../domain/Json.ts"

/** What {@link parseBody} answers of bytes that are not JSON in UTF-8. */
export const notJson = Symbol("effect-wallet/http/JsonBody/notJson")
/** What it answers of JSON in which a member stands twice. */
export const repeatedMember = Symbol("effect-wallet/http/JsonBody/repeatedMember")

/** The text of bytes in UTF-8. */
export const textOf = (bytes: Buffer): string | undefined => (isUtf8(bytes) ? bytes.toString("utf8") : undefined)

/*
 * A value may be nested too deeply for a recursion: both walks keep a list of what is left.
 */

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null

/** Characters that a string, a literal or a number takes at least. Of a number only that it takes one. */
const shortest = (value: unknown): number => {
  if (typeof value === "string") return value.length + 2
  if (typeof value === "number") return 1
  return value === false ? 5 : 4
}

/** Braces or brackets and commas around `items`. */
const frame = (items: number): number => (items === 0 ? 2 : items + 1)

/** Characters that the text of a value has at least. */
const shortestText = (value: unknown): number => {
  let length = isNested(value) ? 0 : shortest(value)
  const nested: Array<object> = []
  let current = isNested(value) ? value : undefined
  while (current !== undefined) {
    let items = 0
    if (Array.isArray(current)) {
      items = current.length
      for (const item of current) {
        if (isNested(item)) nested.push(item)
        else length += shortest(item)
      }
    } else {
      const members = current as Readonly<Record<string, unknown>>
      for (const name in members) {
        const member = members[name]
        items++
        // The name's quotes and the colon.
        length += name.length + 3
        // Nearly all are strings.
        if (typeof member === "string") length += member.length + 2
        else if (isNested(member)) nested.push(member)
        else length += shortest(member)
      }
    }
    length += frame(items)
    current = nested.pop()
  }
  return length
}

/** Members of all objects in a value. */
const membersIn = (value: unknown): number => {
  let count = 0
  const nested: Array<object> = []
  let current = isNested(value) ? value : undefined
  while (current !== undefined) {
    const items = Object.values(current)
    if (!Array.isArray(current)) count += items.length
    for (const item of items) if (isNested(item)) nested.push(item)
    current = nested.pop()
  }
  return count
}

const quote = '"'.charCodeAt(0)
const backslash = "\\".charCodeAt(0)
const colon = ":".charCodeAt(0)

/** Members that are written in a text that is JSON: `:` outside of strings. */
const membersWritten = (text: string): number => {
  let count = 0
  let isString = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) isString = !isString
    else if (!isString) count += code === colon ? 1 : 0
    // What is escaped, a quote for one, does not end the string.
    else if (code === backslash) at++
  }
  return count
}

/** Objects and arrays within each other; a batch with metadata has four. */
const maxDepth = 16

/** Bytes; a shorter text cannot hold enough to take long, and needs no look. */
const simpleBytes = 1024

const comma = ",".charCodeAt(0)
const openBrace = "{".charCodeAt(0)
const closeBrace = "}".charCodeAt(0)
const openBracket = "[".charCodeAt(0)
const closeBracket = "]".charCodeAt(0)

/**
 * Whether a text, JSON or not, is nested deeper than any body, or has more than `maxSigns` of `:`
 * and `,` outside of strings: two for each member, one for each item. Known in one pass over the
 * bytes, before anything is made of them: what is made of many or deep values takes a hundred times as long.
 */
export const isIntricate = (bytes: Buffer, maxSigns: number): boolean => {
  if (bytes.length <= simpleBytes) return false
  let depth = 0
  let signs = 0
  let isString = false
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes[at]
    if (isString) {
      if (code === backslash) at++
      else if (code === quote) isString = false
    } else if (code === quote) {
      isString = true
    } else if (code === colon || code === comma) {
      if (++signs > maxSigns) return true
    } else if (code === openBrace || code === openBracket) {
      if (++depth > maxDepth) return true
    } else if (code === closeBrace || code === closeBracket) {
      depth--
    }
  }
  return false
}

/** Whether a member stands twice in one object of `text`, of which `JSON.parse` has made `value`. */
export const isAnyRepeated = (text: string, value: unknown): boolean =>
  text.length !== shortestText(value) && membersWritten(text) !== membersIn(value)

/** The value, or {@link notJson}. */
export const parseText = (text: string): unknown => {
  try {
    return parseJson(text)
  } catch {
    return notJson
  }
}

/** The value, or one of {@link notJson} and {@link repeatedMember}. */
export const parseBody = (bytes: Buffer): unknown => {
  const text = textOf(bytes)
  if (text === undefined) return notJson
  const value = parseText(text)
  return value !== notJson && isAnyRepeated(text, value) ? repeatedMember : value
}
