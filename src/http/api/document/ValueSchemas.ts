/**
 * The single values of the OpenAPI document, each under one name, with all that they have to be: what a
 * schema of the server leaves to code stands here as a rule of JSON Schema, as far as it has one.
 */
import {
  amountOrZeroPattern,
  amountPattern,
  currencyPattern,
  idempotencyKeyPattern,
  idPattern,
  maxMetadataFilters,
  maxMetadataKeyLength,
  maxMetadataPairs,
  maxMetadataValueLength,
  maxTextLength
} from "../../../domain/Limits.ts"
import { FrozenDirection } from "../../../domain/Rejection.ts"
import { KeyScope, KeyType } from "../KeySchemas.ts"
import { EventType, HoldStatus, Interval, TransferStatus, WalletStatus } from "../Schemas.ts"
import { Await, TransactionType } from "../SchemaValues.ts"
import { type Json, isObject, rewrite, schemaRef, without } from "./JsonTree.ts"

/** No U+0000; written so that every dialect of patterns reads it. */
const noNul = "^[^\\x00]*$"

/** RFC 3339 of the years 1970 to 9999; the first and the last in UTC alone, where an offset could lead out of them. */
const timePattern = (() => {
  const clock = "-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?"
  const between = "(?:197[1-9]|19[89][0-9]|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"
  const offset = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
  return `^(?:${between}${clock}${offset}|(?:1970|9999)${clock}(?:[Zz]|[+-]00:00))$`
})()

const time = { type: "string", format: "date-time" }

/** Of a patterned string of `SchemaValues.ts`, as the generator shows it. */
const patterned = (pattern: RegExp | string): Json => ({
  type: "string",
  pattern: typeof pattern === "string" ? pattern : pattern.source
})

interface Named {
  /** As the generator shows it. */
  readonly generated: Json
  /** As the document shows it, with what the generator does not know. */
  readonly documented: Json
}

const named = (generated: Json, description: string, more: Json = {}): Named => ({
  generated,
  documented: { ...generated, ...more, description }
})

const choice = (schema: { readonly literals: ReadonlyArray<string> }, description: string): Named =>
  named({ type: "string", enum: [...schema.literals] }, description)

/** In some languages all constants of all enumerations share one space of names. */
const prefixed = (schema: { readonly literals: ReadonlyArray<string> }, prefix: string, description: string): Named =>
  named({ type: "string", enum: [...schema.literals] }, description, {
    "x-enum-varnames": schema.literals.map((literal) => `${prefix}_${literal.toUpperCase()}`)
  })

const metadataText = { type: "string", maxLength: maxMetadataValueLength, pattern: noNul }

export const valueSchemas: Readonly<Record<string, Named>> = {
  Id: named(patterned(idPattern), "Of wallets, owners, holds, transfers, transactions and keys."),
  Currency: named(patterned(currencyPattern), "A code of ISO 4217, or one like it."),
  Amount: named(patterned(amountPattern), "Minor units, above 0: `1050` is 10.50 EUR."),
  AmountOrZero: named(patterned(amountOrZeroPattern), "Minor units, 0 or more."),
  Balance: named(patterned("^(?:0|-?[1-9][0-9]{0,35})$"), "Minor units; may be negative."),
  Sum: named(patterned("^(?:0|-?[1-9][0-9]*)$"), "A sum of minor units: exact, of any size; may be negative."),
  Time: named(
    time,
    "RFC 3339, of the years 1970 to 9999; in answers in UTC with milliseconds. Finer digits are cut off.",
    {
      pattern: timePattern
    }
  ),
  Text: named(
    { type: "string", maxLength: maxTextLength },
    "Well-formed Unicode without U+0000. Characters beyond U+FFFF count as two.",
    { pattern: noNul }
  ),
  KeyName: named({ type: "string", maxLength: 64, minLength: 1 }, "Well-formed Unicode without U+0000.", {
    pattern: noNul
  }),
  Metadata: named(
    { type: "object", additionalProperties: { type: "string" }, maxProperties: maxMetadataPairs },
    "Pairs of texts: well-formed Unicode without U+0000. Characters beyond U+FFFF count as two.",
    { additionalProperties: metadataText, propertyNames: { maxLength: maxMetadataKeyLength, pattern: noNul } }
  ),
  IdempotencyKey: named(
    patterned(idempotencyKeyPattern),
    "Visible ASCII. The same key with the same command has one effect. Keys count per wallet."
  ),
  Cursor: named(
    patterned("^[A-Za-z0-9_-]{1,1024}$"),
    "`next` of the page before, as it was given; with the same filters."
  ),
  TransactionType: choice(TransactionType, "The kind of transaction."),
  WalletStatus: prefixed(WalletStatus, "WALLET_STATUS", "Whether the wallet takes commands."),
  HoldStatus: prefixed(
    HoldStatus,
    "HOLD_STATUS",
    "A hold captured in part and then released or expired is `captured`."
  ),
  TransferStatus: prefixed(
    TransferStatus,
    "TRANSFER_STATUS",
    "`pending`: it is not known everywhere yet how it ended."
  ),
  EventType: choice(EventType, "What has happened."),
  KeyScope: choice(KeyScope, "What a key may do; `admin` includes the others."),
  KeyType: prefixed(KeyType, "KEY_TYPE", "A kind of mutation: to change a hold is of `hold`."),
  FreezeDirection: choice(
    FrozenDirection,
    "`debits`: nothing leaves the wallet; `credits`: nothing comes; `all`: neither."
  ),
  Interval: choice(Interval, "What times are counted by, in UTC."),
  Await: choice(Await, "What an answer waits for.")
}

/** A key of a pair to search by, in the brackets of its parameter. */
export const metadataFilter: Json = {
  type: "object",
  maxProperties: maxMetadataFilters,
  additionalProperties: metadataText,
  propertyNames: { minLength: 1, maxLength: maxMetadataKeyLength, pattern: "^[^\\[\\]\\x00]+$" }
}

/** Of times and dates: a date is one of a time zone. */
export const bookDate: Json = {
  type: "string",
  description: "A time, or a date like `2026-01-31`, of the years 1970 to 9999.",
  pattern: timePattern.replace("^(?:", "^(?:(?:19[7-9][0-9]|[2-9][0-9]{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|")
}

/** Members in one order. */
const keyOf = (node: Json): string =>
  JSON.stringify(node, (_, value: unknown) =>
    isObject(value) ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) : value
  )

const byGenerated = new Map(Object.entries(valueSchemas).map(([name, { generated }]) => [keyOf(generated), name]))

/** Integers beyond 32 bits are said to be that: generators take the narrower for granted. */
const withFormat = (node: Json): Json =>
  node["type"] === "integer" && node["format"] === undefined && typeof node["maximum"] === "number"
    ? { ...node, format: node["maximum"] > 0x7fff_ffff ? "int64" : "int32" }
    : node

/** Members that are always `true`: generators make types of them that do not compile. */
const plainBoolean = (node: Json): Json => (node["type"] === "boolean" ? without(node, "enum") : node)

/** `{type: T}` or null is `{type: [T, "null"]}`. */
const withNull = (node: Json): Json => {
  const { anyOf, ...rest } = node
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return node
  const [first, second] = anyOf as ReadonlyArray<Json>
  const isPlain = first !== undefined && typeof first["type"] === "string" && first["enum"] === undefined
  return isPlain && second?.["type"] === "null" ? { ...first, type: [first["type"], "null"], ...rest } : node
}

/** Every value that has a name, by it. */
export const withNamedValues = (document: unknown): unknown =>
  rewrite(document, (node) => {
    const name = byGenerated.get(keyOf(without(node, "description")))
    if (name === undefined) return withNull(plainBoolean(withFormat(node)))
    const description = node["description"]
    return description === undefined ? schemaRef(name) : { ...schemaRef(name), description }
  })

export const namedValueSchemas = (): Json =>
  Object.fromEntries(Object.entries(valueSchemas).map(([name, { documented }]) => [name, documented]))
