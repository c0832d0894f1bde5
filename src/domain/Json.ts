/**
 * JSON whose names a caller has chosen: as `JSON.parse` reads it, were it not for an error in V8.
 *
 * From Node 24 on (seen in 24.21, V8 13.6, and 26.10, V8 14.6; not in 22.23, V8 12.4) a name with an
 * escape is taken for one that another text of the process had in the same place: after
 * `JSON.parse('{"c":1,"x\\\\":2}')` the text `{"c":1,"x\n":2}` has a member `x\` and none `x⏎`. V8
 * guesses the next name from the last object that began alike, and compares the guess with the
 * name as it is written, not as it is read. Names without an escape are not touched by it. A test
 * tells of the runtime whether it still does so; once none that `engines` allows does, this file can go.
 *
 * So V8 gets no name with an escape: names are written without, and read back afterwards. That
 * leaves everything else of JSON, and what is wrong with a text, to `JSON.parse`.
 */

const quote = '"'.charCodeAt(0)
const backslash = "\\".charCodeAt(0)
const colon = ":".charCodeAt(0)

/** Quote, backslash and control characters, which no name has as they are, and `~`, with which what stands for them begins. */
const special = /[^ !#-[\]-}\u007f-\uffff]/
const specials = new RegExp(special, "g")
const marked = /~(..)/g

/** One for one; a name of digits, or `__proto__`, stays what it is, and with it the order of the names. */
const withoutEscape = (name: string): string =>
  special.test(name) ? name.replace(specials, (unit) => `~${unit.charCodeAt(0).toString(16).padStart(2, "0")}`) : name

const original = (name: string): string =>
  name.includes("~") ? name.replace(marked, (_, unit: string) => String.fromCharCode(Number.parseInt(unit, 16))) : name

/** Of the closing quote of the string that opens at `open`; or the text's length. */
const endOfString = (text: string, open: number): number => {
  let at = open + 1
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) return at
    if (code === backslash) at++
  }
  return text.length
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** The text with all names written without an escape; `undefined`: no name has one. */
const withPlainNames = (text: string): string | undefined => {
  let plain = ""
  let taken = 0
  let hasEscape = false
  let close = -1
  for (let open = text.indexOf('"'); open !== -1; open = text.indexOf('"', close + 1)) {
    close = endOfString(text, open)
    let next = close + 1
    while (isSpace(text.charCodeAt(next))) next++
    if (text.charCodeAt(next) !== colon) continue
    const written = text.slice(open, close + 1)
    const isEscaped = written.includes("\\")
    if (!isEscaped && !written.includes("~")) continue
    hasEscape ||= isEscaped
    // A string alone is read right.
    plain += `${text.slice(taken, open)}"${withoutEscape(JSON.parse(written) as string)}"`
    taken = close + 1
  }
  return hasEscape ? plain + text.slice(taken) : undefined
}

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null

const withOriginalNames = (value: object): object => {
  if (Array.isArray(value) || !Object.keys(value).some((name) => name.includes("~"))) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [original(name), member]))
}

/** From the outside in, with a list of what is left: a value may be nested too deeply for a recursion. */
const renamed = (value: unknown): unknown => {
  if (!isNested(value)) return value
  const whole = withOriginalNames(value)
  const left = [whole as Record<string, unknown>]
  for (let current = left.pop(); current !== undefined; current = left.pop()) {
    for (const name of Object.keys(current)) {
      const member = current[name]
      if (!isNested(member)) continue
      const named = withOriginalNames(member)
      // Its own, also where it is called `__proto__`.
      if (named !== member) current[name] = named
      left.push(named as Record<string, unknown>)
    }
  }
  return whole
}

/** What becomes of a value that is nested in another, from the inside out; `source`: a number, a literal or a string as it is written. */
export type ValueReader = (value: unknown, source: string | undefined) => unknown

/** The third parameter is "JSON.parse source text access", which the TypeScript library does not know yet. */
type SourceReviver = (name: string, value: unknown, context?: { readonly source?: string }) => unknown

const parse = (text: string, read: ValueReader | undefined): unknown => {
  if (read === undefined) return JSON.parse(text)
  const reviver: SourceReviver = (_, value, context) => read(value, context?.source)
  return JSON.parse(text, reviver as (name: string, value: unknown) => unknown)
}

/** Throws a `SyntaxError`, as `JSON.parse` does. */
export const parseJson = (text: string, read?: ValueReader): unknown => {
  // Nearly all texts have none.
  if (!text.includes("\\")) return parse(text, read)
  const plain = withPlainNames(text)
  return plain === undefined ? parse(text, read) : renamed(parse(plain, read))
}
