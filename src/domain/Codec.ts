/**
 * How domain values are written as JSON in the log and in snapshots, and read
 * back: amounts as decimal strings, times as integers of milliseconds.
 *
 * Reading is strict. What is not exactly what `write` makes is unreadable; nothing
 * is guessed, cut or filled in.
 */
import { isAmount, isAmountOrZero, isCurrency, isId, isMetadata, isTime, type Metadata, noMetadata } from "./Limits.ts"

export type Json = string | number | boolean | null | ReadonlyArray<Json> | JsonObject
export type JsonObject = { readonly [name: string]: Json }

/** One kind of value. `read` answers `undefined` for what it cannot read; no value is `undefined`. */
export interface Field<A> {
  readonly write: (value: A) => Json
  readonly read: (value: unknown) => A | undefined
}

/** An object with exactly these fields, in this order. */
export interface Fields<A> {
  readonly write: (value: A) => JsonObject
  readonly read: (value: unknown) => A | undefined
  /** Like `read`, added to `target`: how a tag comes first. */
  readonly readInto: (target: object, value: unknown) => A | undefined
  /** Why `read` answers `undefined`. */
  readonly complaint: (value: unknown) => string
}

export const isJsonObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** `undefined` when it is not JSON (no JSON text means `undefined`). */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const fields = <A extends object>(table: { readonly [K in keyof A]-?: Field<A[K]> }): Fields<A> => {
  // The loops below know names and kinds only by index; the parameter's type ties them together.
  const entries = Object.entries(table) as ReadonlyArray<[string, unknown]> as ReadonlyArray<
    [keyof A & string, Field<unknown>]
  >
  const write = (value: A): JsonObject => {
    const json: Record<string, Json> = {}
    for (const [name, field] of entries) json[name] = field.write(value[name])
    return json
  }
  const readInto = (target: object, value: unknown): A | undefined => {
    if (!isJsonObject(value) || Object.keys(value).length !== entries.length) return undefined
    const record = target as Record<string, unknown>
    for (const [name, field] of entries) {
      const read = field.read(value[name])
      if (read === undefined) return undefined
      record[name] = read
    }
    return record as A
  }
  const complaint = (value: unknown): string => {
    if (!isJsonObject(value)) return "not an object"
    for (const [name, field] of entries) {
      if (!Object.hasOwn(value, name)) return `${name}: missing`
      if (field.read(value[name]) === undefined) return `${name}: unreadable`
    }
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(table, name))
    return `${unknown}: unknown`
  }
  return { write, readInto, read: (value) => readInto({}, value), complaint }
}

// --- Amounts -----------------------------------------------------------------

/** Up to 36 digits: no balance and no held sum has more. */
const integerPattern = /^(?:0|-?[1-9][0-9]{0,35})$/

/** Signed, below 10^36 either way. */
export const integer: Field<bigint> = {
  write: (value) => value.toString(),
  read: (value) => (typeof value === "string" && integerPattern.test(value) ? BigInt(value) : undefined)
}

const integerWhere = (holds: (value: bigint) => boolean): Field<bigint> => ({
  write: integer.write,
  read: (value) => {
    const read = integer.read(value)
    return read !== undefined && holds(read) ? read : undefined
  }
})

/** Of held money: below 10^36. */
export const sum: Field<bigint> = integerWhere((value) => value >= 0n)
export const amount: Field<bigint> = integerWhere(isAmount)
export const amountOrZero: Field<bigint> = integerWhere(isAmountOrZero)

// --- Others ------------------------------------------------------------------

const stringWhere = (holds: (value: string) => boolean): Field<string> => ({
  write: (value) => value,
  read: (value) => (typeof value === "string" && holds(value) ? value : undefined)
})

export const id: Field<string> = stringWhere(isId)
export const currency: Field<string> = stringWhere(isCurrency)
/** Any length: the engine's own reasons may be longer than a caller's. */
export const text: Field<string> = stringWhere((value) => value.isWellFormed())

const numberWhere = (holds: (value: number) => boolean): Field<number> => ({
  write: (value) => value,
  read: (value) => (typeof value === "number" && holds(value) ? value : undefined)
})

/** Milliseconds since the epoch. */
export const time: Field<number> = numberWhere(isTime)
/** A version: 0-based. */
export const version: Field<number> = numberWhere((value) => Number.isSafeInteger(value) && value >= 0)

export const nullable = <A>(field: Field<A>): Field<A | null> => ({
  write: (value) => (value === null ? null : field.write(value)),
  read: (value) => (value === null ? null : field.read(value))
})

export const literals = <const A extends string>(values: ReadonlyArray<A>): Field<A> => ({
  write: (value) => value,
  read: (value) => values.find((literal) => literal === value)
})

export const metadata: Field<Metadata> = {
  write: (value) => value,
  read: (value) => {
    if (!isJsonObject(value)) return undefined
    // `isMetadata` judges values that are not strings too.
    const read = value as Metadata
    if (Object.keys(read).length === 0) return noMetadata
    return isMetadata(read) ? read : undefined
  }
}

/** At most `maxItems`. */
export const list = <A>(item: Field<A>, maxItems: number): Field<ReadonlyArray<A>> => ({
  write: (values) => values.map(item.write),
  read: (values) => {
    if (!Array.isArray(values) || values.length > maxItems) return undefined
    const items: Array<A> = []
    for (const value of values) {
      const read = item.read(value)
      if (read === undefined) return undefined
      items.push(read)
    }
    return items
  }
})
