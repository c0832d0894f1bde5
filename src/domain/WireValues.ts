/**
 * The single values of events, commands and snapshots: what each is as JSON, as a schema
 * and as a codec by hand. Amounts are decimal strings, times integers of milliseconds.
 */
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { absentOrNull, type Codec, isJsonObject, quoted, withCodec } from "./Codec.ts"
import {
  amountOrZeroPattern,
  amountPattern,
  currencyPattern,
  idPattern,
  isAmount,
  isAmountOrZero,
  isCurrency,
  isId,
  isMetadata,
  isTime,
  maxTime,
  type Metadata as MetadataMap,
  noMetadata
} from "./Limits.ts"

// --- In events and snapshots: exactly what the rules let through ---------------

/** Up to 36 digits: no balance and no held sum has more. */
const balancePattern = /^(?:0|-?[1-9][0-9]{0,35})$/
const heldPattern = /^(?:0|[1-9][0-9]{0,35})$/

const digits = (pattern: RegExp) =>
  Schema.String.check(Schema.isPattern(pattern)).pipe(
    Schema.decodeTo(Schema.BigInt, {
      decode: SchemaGetter.transform((text: string) => BigInt(text)),
      encode: SchemaGetter.transform((value: bigint) => value.toString())
    })
  )

const integer: Codec<bigint> = {
  encode: (value) => value.toString(),
  text: (value) => `"${value}"`,
  decode: (value) => (typeof value === "string" && balancePattern.test(value) ? BigInt(value) : undefined)
}

const integerWhere = (holds: (value: bigint) => boolean): Codec<bigint> => ({
  ...integer,
  decode: (value) => {
    const decoded = integer.decode(value)
    return decoded !== undefined && holds(decoded) ? decoded : undefined
  }
})

/** Signed, below 10^36 either way. */
export const Balance = withCodec(digits(balancePattern), integer)
/** Of held money: below 10^36. */
export const Held = withCodec(
  digits(heldPattern),
  integerWhere((value) => value >= 0n)
)
export const Amount = withCodec(digits(amountPattern), integerWhere(isAmount))
export const AmountOrZero = withCodec(digits(amountOrZeroPattern), integerWhere(isAmountOrZero))

const stringWhere = (holds: (value: string) => boolean): Codec<string> => ({
  encode: (value) => value,
  text: quoted,
  decode: (value) => (typeof value === "string" && holds(value) ? value : undefined)
})

const isWellFormed = (value: string): boolean => value.isWellFormed()

export const Id = withCodec(Schema.String.check(Schema.isPattern(idPattern)), stringWhere(isId))
export const Currency = withCodec(Schema.String.check(Schema.isPattern(currencyPattern)), stringWhere(isCurrency))
/** Any length: the engine's own reasons may be longer than a caller's. */
export const Text = withCodec(Schema.String.check(Schema.makeFilter(isWellFormed)), stringWhere(isWellFormed))

const numberWhere = (holds: (value: number) => boolean): Codec<number> => ({
  encode: (value) => value,
  text: (value) => `${value}`,
  decode: (value) => (typeof value === "number" && holds(value) ? value : undefined)
})

/** Milliseconds since the epoch. */
export const Time = withCodec(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxTime })), numberWhere(isTime))
/** When a movement counts for the books, where its caller has said so; `null`: when it happened. */
export const EffectiveAt = absentOrNull(Time)

/** Of what is said or not said at all: left out where it is not. */
export const True = withCodec(Schema.Literal(true), {
  encode: (value) => value,
  decode: (value) => (value === true ? true : undefined)
})

/** A version: 0-based. */
export const Version = withCodec(
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  numberWhere((value) => Number.isSafeInteger(value) && value >= 0)
)

export const Metadata = withCodec(
  Schema.Record(Schema.String, Schema.String).check(Schema.makeFilter((value: MetadataMap) => isMetadata(value))),
  {
    encode: (value) => value,
    text: (value) => (value === noMetadata ? "{}" : JSON.stringify(value)),
    decode: (value) => {
      if (!isJsonObject(value)) return undefined
      // `isMetadata` judges values that are not strings too.
      const decoded = value as MetadataMap
      if (Object.keys(decoded).length === 0) return noMetadata
      return isMetadata(decoded) ? Object.freeze(decoded) : undefined
    }
  }
)

/** What a caller may say of a movement. */
export const note = { reference: Schema.NullOr(Text), metadata: Metadata }

/** What every event ends with: the balance and the held sum after it. */
export const after = { balanceAfter: Balance, heldAfter: Held }

// --- In commands: the kind of a value, not its form; that is for the rules -----

export const AnyText = withCodec(
  Schema.String,
  stringWhere(() => true)
)

export const Flag = withCodec(Schema.Boolean, {
  encode: (value) => value,
  decode: (value) => (typeof value === "boolean" ? value : undefined)
})

/** Ten times the digits that any amount may have. More is damage, and would be dear to read. */
const anyIntegerPattern = /^-?[0-9]{1,360}$/

/** A larger one is written as the largest, which every rule refuses as well. */
const largest = 10n ** 360n - 1n

const clamped = (value: bigint): string => (value > largest ? largest : value < -largest ? -largest : value).toString()

export const AnyInteger = withCodec(
  Schema.String.check(Schema.isPattern(anyIntegerPattern)).pipe(
    Schema.decodeTo(Schema.BigInt, {
      decode: SchemaGetter.transform((text: string) => BigInt(text)),
      encode: SchemaGetter.transform(clamped)
    })
  ),
  {
    encode: clamped,
    decode: (value) => (typeof value === "string" && anyIntegerPattern.test(value) ? BigInt(value) : undefined)
  }
)

/** JSON has no number for them. */
const notFinite = ["NaN", "Infinity", "-Infinity"] as const

const isNotFinite = (value: unknown): value is (typeof notFinite)[number] => notFinite.some((name) => name === value)

const named = (value: number): number | (typeof notFinite)[number] => {
  if (Number.isFinite(value)) return value
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity"
}

export const AnyTime = withCodec(
  Schema.Union([Schema.Finite, Schema.Literals(notFinite)]).pipe(
    Schema.decodeTo(Schema.Number, {
      decode: SchemaGetter.transform((value: number | string) => Number(value)),
      encode: SchemaGetter.transform(named)
    })
  ),
  {
    encode: named,
    decode: (value) => (typeof value === "number" ? value : isNotFinite(value) ? Number(value) : undefined)
  }
)

export const AnyMetadata = withCodec(
  Schema.declare((value): value is MetadataMap => isJsonObject(value)),
  {
    encode: (value) => value,
    decode: (value) => {
      if (!isJsonObject(value)) return undefined
      // The rules judge the values.
      const decoded = value as MetadataMap
      return Object.keys(decoded).length === 0 ? noMetadata : Object.freeze(decoded)
    }
  }
)

/** {@link EffectiveAt}, as a caller gives it. */
export const AnyEffectiveAt = absentOrNull(AnyTime)

/** {@link note}, as a caller gives it. */
export const anyNote = { reference: Schema.NullOr(AnyText), metadata: AnyMetadata }
