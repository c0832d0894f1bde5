/** Facts of policies: plain data, how large it is, and its JSON, in which a text says whether it was a number without bound. */
import { isJsonObject, type Json } from "./Codec.ts"
import { textBytes } from "./WalletSize.ts"

/** JSON, and `bigint`. */
export type Fact = null | boolean | number | bigint | string | ReadonlyArray<Fact> | { readonly [name: string]: Fact }

/** Of a number in JSON, bytes: `-1.2345678901234567e+100`. */
const numberBytes = 24

/** Below this, and above its negative, a number without bound has at most 40 characters with sign, mark and quotes. */
const usual = 10n ** 36n

/** Of such a number in JSON, bytes. */
const usualBytes = 40

/**
 * Bytes of its JSON, at most. Throws where that is more than `most`, and where it is no plain data: what has
 * no JSON, or comes back from it as something else.
 */
export const factBytes = (fact: unknown, most: number): number => {
  const bytes = measured(fact, most)
  if (bytes > most) throw new Error(`facts of more than ${most} bytes`)
  return bytes
}

/** May stop as soon as it is more than `most`. */
const measured = (fact: unknown, most: number): number => {
  switch (typeof fact) {
    case "boolean":
      return 5
    case "number":
      if (Number.isFinite(fact)) return numberBytes
      break
    case "bigint":
      return fact < usual && fact > -usual ? usualBytes : fact.toString().length + 4
    case "string":
      return textBytes(fact) + 1
    case "object":
      if (fact === null) return 4
      return Array.isArray(fact) ? listBytes(fact, most) : objectBytes(fact, most)
    default:
  }
  throw new Error(`facts are plain data: no ${typeof fact === "number" ? String(fact) : typeof fact}`)
}

const listBytes = (list: ReadonlyArray<unknown>, most: number): number => {
  let bytes = 2
  for (const item of list) {
    bytes += 1 + measured(item, most - bytes)
    if (bytes > most) return bytes
  }
  return bytes
}

const objectBytes = (object: object, most: number): number => {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null)
    throw new Error("facts are plain data: no objects of a class")
  let bytes = 2
  for (const [name, value] of Object.entries(object)) {
    bytes += 2 + textBytes(name) + measured(value, most - bytes)
    if (bytes > most) return bytes
  }
  return bytes
}

const bigintMark = "n"
const textMark = "t"

/** Of plain data. */
export const encodeFact = (fact: Fact): Json => {
  if (typeof fact === "bigint") return bigintMark + fact.toString()
  if (typeof fact === "string") return textMark + fact
  if (typeof fact !== "object" || fact === null) return fact
  if (isList(fact)) return fact.map(encodeFact)
  return Object.fromEntries(Object.entries(fact).map(([name, value]) => [name, encodeFact(value)]))
}

const isList = (fact: object): fact is ReadonlyArray<Fact> => Array.isArray(fact)

const integer = /^-?[0-9]{1,65536}$/

/** `undefined`: it is damaged. */
export const decodeFact = (json: unknown): Fact | undefined => {
  if (json === null || typeof json === "boolean" || typeof json === "number") return json
  if (typeof json === "string") return decodeText(json)
  if (Array.isArray(json)) {
    const items = json.map(decodeFact)
    return items.every((item) => item !== undefined) ? items : undefined
  }
  if (!isJsonObject(json)) return undefined
  const members = Object.entries(json).map(([name, value]) => [name, decodeFact(value)] as const)
  return members.every((member): member is readonly [string, Fact] => member[1] !== undefined)
    ? Object.fromEntries(members)
    : undefined
}

const decodeText = (text: string): Fact | undefined => {
  const rest = text.slice(1)
  if (text.startsWith(textMark)) return rest
  return text.startsWith(bigintMark) && integer.test(rest) ? BigInt(rest) : undefined
}
