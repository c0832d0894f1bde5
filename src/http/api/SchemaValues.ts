/**
 * The single values of the API's documents: their form (from `domain/Limits.ts`) and what they
 * decode to. Amounts travel as decimal strings and decode to `bigint` of minor
 * units; times travel as RFC 3339 and decode to milliseconds since the epoch.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { maxLegs } from "../../domain/Legs.ts"
import {
  amountOrZeroPattern,
  amountPattern,
  currencyPattern,
  idempotencyKeyPattern,
  idPattern,
  isMetadata,
  isText,
  maxMetadataKeyLength,
  maxMetadataPairs,
  maxMetadataValueLength,
  maxTextLength,
  maxTime
} from "../../domain/Limits.ts"
import { isDate } from "../../domain/BookDates.ts"
import { parseJson } from "../../domain/Json.ts"

const jsonText = "a string that is JSON"

/** `Schema.fromJsonString`, but that names are read as `parseJson` does. */
export const fromJsonText = <S extends Schema.Constraint>(schema: S) =>
  Schema.String.annotate({ expected: jsonText }).pipe(
    Schema.decodeTo(
      schema,
      new SchemaTransformation.Transformation<unknown, string>(
        SchemaGetter.transformEffect((text: string, options) =>
          Effect.try({
            try: () => parseJson(text),
            catch: () => new SchemaIssue.InvalidValue({ expected: jsonText }, text, options)
          })
        ),
        SchemaTransformation.fromJsonString().encode
      )
    )
  )

/** With the flag `u`, which JSON Schema's patterns have: without it OpenAPI would leave the pattern out. */
const matching = (pattern: RegExp, expected: string) =>
  Schema.String.check(Schema.isPattern(new RegExp(pattern.source, "u"), { expected }))

const toBigInt = {
  decode: SchemaGetter.transform((text: string) => BigInt(text)),
  encode: SchemaGetter.transform((value: bigint) => value.toString())
}

/** Wallet, owner, hold, transaction and key ids. */
export const Id = matching(idPattern, "1 to 64 of A-Z, a-z, 0-9, _ and -")

export const Currency = matching(currencyPattern, "3 to 16 of A-Z and 0-9, the first a letter")

/** Minor units, 0 < amount < 10^30. */
export const Amount = matching(amountPattern, "a string of 1 to 30 digits, above 0, without sign or leading zero").pipe(
  Schema.decodeTo(Schema.BigInt, toBigInt)
)

/** Minor units, 0 ≤ amount < 10^30. */
export const AmountOrZero = matching(
  amountOrZeroPattern,
  "a string of 1 to 30 digits, without sign or leading zero"
).pipe(Schema.decodeTo(Schema.BigInt, toBigInt))

/** Minor units; may be negative. |balance| < 10^36. */
export const Balance = matching(
  /^(?:0|-?[1-9][0-9]{0,35})$/,
  "a string of 1 to 36 digits, without leading zero, below zero with a leading -"
).pipe(Schema.decodeTo(Schema.BigInt, toBigInt))

/** A sum of amounts or balances: exact, of any size. */
export const Sum = matching(/^(?:0|-?[1-9][0-9]*)$/, "a string of digits, below zero with a leading -").pipe(
  Schema.decodeTo(Schema.BigInt, toBigInt)
)

/** Well-formed Unicode without U+0000, at most `maxLength` UTF-16 units. */
export const text = (maxLength: number) =>
  Schema.String.check(
    Schema.isMaxLength(maxLength, { expected: `at most ${maxLength} characters` }),
    Schema.makeFilter((value: string) => isText(value, maxLength), { expected: "well-formed Unicode without U+0000" })
  )

export const Text = text(maxTextLength)

const metadataForm =
  `at most ${maxMetadataPairs} pairs of strings, keys up to ${maxMetadataKeyLength} ` +
  `and values up to ${maxMetadataValueLength} characters of well-formed Unicode without U+0000`

export const Metadata = Schema.Record(Schema.String, Schema.String).check(
  Schema.isMaxProperties(maxMetadataPairs, { expected: metadataForm }),
  Schema.makeFilter((metadata: { readonly [key: string]: string }) => isMetadata(metadata), { expected: metadataForm })
)

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/

/** Milliseconds, finer digits cut off; `undefined` when it is no RFC 3339 time of the years 1970–9999. */
export const parseTime = (value: string): number | undefined => {
  const match = rfc3339.exec(value)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = "", sign, offsetHour = "0", offsetMinute = "0"] = match
  const offset = Number(offsetHour) * 60 + Number(offsetMinute)
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, "0")}Z`
  const time = Date.parse(local)
  // A day that its month does not have is rolled over by `Date`: not a time.
  if (Number.isNaN(time) || new Date(time).toISOString() !== local) return undefined
  const utc = time - (sign === "-" ? -offset : offset) * 60_000
  return utc >= 0 && utc <= maxTime ? utc : undefined
}

/** Slots of the memo below; replies of one moment name the same few instants again and again. */
const memoSlots = 1024
const memoTimes = new Float64Array(memoSlots).fill(Number.NaN)
const memoTexts: Array<string> = Array.from({ length: memoSlots }, () => "")

/** RFC 3339 in UTC with milliseconds. Formatting is dear, so each slot remembers its last instant. */
export const formatTime = (time: number): string => {
  const slot = time % memoSlots
  const known = memoTexts[slot]
  if (memoTimes[slot] === time && known !== undefined) return known
  const text = new Date(time).toISOString()
  if (slot >= 0) {
    memoTimes[slot] = time
    memoTexts[slot] = text
  }
  return text
}

const timeForm = "an RFC 3339 time of the years 1970 to 9999, like 2026-01-31T12:00:00.000Z"

export const Time = Schema.String.annotate({ format: "date-time", expected: timeForm }).pipe(
  Schema.decodeTo(Schema.Number, {
    decode: SchemaGetter.transformEffect((value: string, options) => {
      const time = parseTime(value)
      return time === undefined
        ? Effect.fail(new SchemaIssue.InvalidValue({ expected: timeForm }, value, options))
        : Effect.succeed(time)
    }),
    encode: SchemaGetter.transform(formatTime)
  })
)

const bookDateForm = "an RFC 3339 time, or a date like 2026-01-31, of the years 1970 to 9999"

/** A time, which decodes to milliseconds, or a date, which stays one: what it means is for its time zone to say. */
export const BookDate = Schema.String.annotate({ expected: bookDateForm }).pipe(
  Schema.decodeTo(Schema.Union([Schema.Number, Schema.String]), {
    decode: SchemaGetter.transformEffect((value: string, options) => {
      const end = isDate(value) ? value : parseTime(value)
      return end === undefined
        ? Effect.fail(new SchemaIssue.InvalidValue({ expected: bookDateForm }, value, options))
        : Effect.succeed(end)
    }),
    encode: SchemaGetter.transform((end: number | string) => (typeof end === "string" ? end : formatTime(end)))
  })
)

export const TimeZone = matching(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, "an IANA time zone, like Europe/Prague")

/** A whole number in a query, 0 ≤ n ≤ `maximum`. */
const wholeNumber = (minimum: number, maximum: number, expected: string) =>
  matching(/^(?:0|[1-9][0-9]{0,15})$/, expected).pipe(
    Schema.decodeTo(Schema.Number.check(Schema.isBetween({ minimum, maximum }, { expected })), {
      decode: SchemaGetter.transform((value: string) => Number(value)),
      encode: SchemaGetter.transform((value: number) => value.toString())
    })
  )

/** In replies a number, 0 or more. */
export const VersionNumber = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

/** A wallet's version: revision of an event in its stream, 0-based. */
export const Version = wholeNumber(0, Number.MAX_SAFE_INTEGER, "a version: a whole number, 0 or more")

/** A place in the log: 0 before the first event. */
export const Position = matching(/^(?:0|[1-9][0-9]{0,18})$/, "a position: a whole number, 0 or more").pipe(
  Schema.decodeTo(Schema.BigInt, toBigInt)
)

export const defaultLimit = 50
export const Limit = wholeNumber(1, 200, "a whole number from 1 to 200")

export const Cursor = matching(/^[A-Za-z0-9_-]{1,1024}$/, "the `next` of an earlier page, as it was given")

export const Await = Schema.Literals(["committed", "persisted", "indexed"])

/**
 * `Idempotency-Key`. Decodes a missing or empty key to `""`, because its presence
 * is only asked for once the whole request is known to be well-formed.
 */
export const IdempotencyKey = Schema.String.check(
  Schema.makeFilter((key: string) => key === "" || idempotencyKeyPattern.test(key), {
    expected: "1 to 255 visible ASCII characters"
  })
)

const ifMatchForm = '"<version>", the version of the wallet in double quotes, or *'

/** `If-Match`: the strong validator of one version, or any. A weak one, or several, are refused. */
export const IfMatch = matching(/^(?:\*|"(?:0|[1-9][0-9]{0,15})")$/, ifMatchForm).pipe(
  Schema.decodeTo(
    Schema.Union([
      Schema.Literal("*"),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, { expected: ifMatchForm }))
    ]),
    {
      decode: SchemaGetter.transform((text: string) => (text === "*" ? text : Number(text.slice(1, -1)))),
      encode: SchemaGetter.transform((version: "*" | number) => (version === "*" ? version : `"${version}"`))
    }
  )
)

/** In a query. */
export const Flag = Schema.Literals(["true", "false"]).pipe(
  Schema.decodeTo(Schema.Boolean, {
    decode: SchemaGetter.transform((text: "true" | "false") => text === "true"),
    encode: SchemaGetter.transform((value: boolean) => (value ? "true" : "false"))
  })
)

/** A key of a command, to search by. */
export const GivenKey = matching(idempotencyKeyPattern, "1 to 255 visible ASCII characters")

/** An object without members. `Struct({})` alone would take any value. */
export const noFields = Schema.Struct({}).check(
  Schema.makeFilter(
    (value: object) => typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0,
    { expected: "nothing here" }
  )
)

export const TransactionType = Schema.Literals([
  "credit",
  "debit",
  "capture",
  "transfer_in",
  "transfer_out",
  "reversal",
  "refund_in",
  "refund_out"
])

/** Of several legs, from 0. */
export const LegNumber = Schema.Int.check(
  Schema.isBetween({ minimum: 0, maximum: maxLegs - 1 }, { expected: "the number of a leg, from 0" })
)
