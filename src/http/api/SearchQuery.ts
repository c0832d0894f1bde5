/**
 * The query of a search: the filters that every list can be narrowed by, and metadata, which is
 * a parameter a pair on the wire, `metadata[key]=value`, and one map in the decoded query.
 */
import * as Context from "effect/Context"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import type { Scope } from "../../stores/ApiKeyStore.ts"
import {
  isMetadata,
  maxMetadataFilters,
  maxMetadataKeyLength,
  maxMetadataValueLength,
  maxSearchedCurrencies,
  maxSearchedWallets,
  type Metadata
} from "../../domain/Limits.ts"
import { doc, pageQuery } from "./EndpointParts.ts"
import { QueryTooWide } from "./Problem.ts"
import { AmountOrZero, Currency, Id, Text, Time } from "./SchemaValues.ts"

const metadataForm =
  `1 to ${maxMetadataFilters} parameters metadata[key]=value, keys of 1 to ${maxMetadataKeyLength} and values of up to ` +
  `${maxMetadataValueLength} characters of well-formed Unicode without U+0000, no square brackets in a key`

const prefix = "metadata["
const suffix = "]"

/**
 * A bracket in a key is refused: `metadata[a][b]` is more likely a caller's nested map, which would
 * be searched for in vain, than one of the few keys that have one.
 */
const isPairs = (pairs: Metadata): boolean => {
  const keys = Object.keys(pairs)
  return keys.length <= maxMetadataFilters && keys.every((key) => /^[^[\]]+$/.test(key)) && isMetadata(pairs)
}

const Pairs = Schema.Record(Schema.String, Schema.String).check(Schema.makeFilter(isPairs, { expected: metadataForm }))

const PairParameters = Schema.Record(Schema.TemplateLiteral([prefix, Schema.String, suffix]), Schema.String)

interface WithPairs {
  readonly [name: string]: unknown
  readonly metadata?: Metadata
}

const isPair = (name: string): boolean => name.startsWith(prefix) && name.endsWith(suffix)

/** `Object.fromEntries` and not assignments: a key may be `__proto__`. */
const gathered = (query: WithPairs): WithPairs => {
  const entries = Object.entries(query)
  const pairs = entries.filter(([name]) => isPair(name))
  if (pairs.length === 0) return query
  const metadata = pairs.map(([name, value]) => [name.slice(prefix.length, -suffix.length), value] as const)
  return Object.fromEntries([
    ...entries.filter(([name]) => !isPair(name)),
    ["metadata", Object.fromEntries(metadata)]
  ]) as WithPairs
}

const spread = ({ metadata = {}, ...query }: WithPairs): WithPairs =>
  Object.fromEntries([
    ...Object.entries(query),
    ...Object.entries(metadata).map(([key, value]) => [prefix + key + suffix, value] as const)
  ])

/** These parameters and `metadata[…]`. */
const withPairs = <const Fields extends Schema.Struct.Fields>(fields: Fields) => {
  const onWire = Schema.StructWithRest(Schema.Struct(fields), [PairParameters])
  const decoded = Schema.toType(Schema.Struct({ ...fields, metadata: Schema.optionalKey(Pairs) }))
  return onWire.pipe(
    Schema.decodeTo(decoded, {
      decode: SchemaGetter.transform((query) => gathered(query as WithPairs) as typeof decoded.Encoded),
      encode: SchemaGetter.transform((query) => spread(query as WithPairs) as typeof onWire.Type)
    })
  )
}

/** A parameter that may stand several times. */
export const several = <S extends Schema.Top>(schema: S, most: number) => {
  const expected = `1 to ${most} of them`
  return Schema.Array(schema).check(Schema.isMinLength(1, { expected }), Schema.isMaxLength(most, { expected }))
}

/** The wallets that a search is about, whatever else it asks for. */
export const searchedWallets = {
  walletIds: Schema.optionalKey(several(Id, maxSearchedWallets)),
  currencies: Schema.optionalKey(several(Currency, maxSearchedCurrencies))
}

/** What every list takes, and this. */
export const searchQuery = <const Fields extends Schema.Struct.Fields>(fields: Fields) =>
  withPairs({
    ownerId: Schema.optionalKey(Id),
    currency: Schema.optionalKey(Currency),
    from: Schema.optionalKey(Time),
    to: Schema.optionalKey(Time),
    q: Schema.optionalKey(Text),
    ...searchedWallets,
    ...fields,
    ...pageQuery
  })

/** Of what moves or holds an amount. */
export const amountFilters = {
  walletId: Schema.optionalKey(Id),
  minAmount: Schema.optionalKey(AmountOrZero),
  maxAmount: Schema.optionalKey(AmountOrZero),
  reference: Schema.optionalKey(Text)
}

export const searchProblems = [QueryTooWide] as const

/** As OpenAPI has it: an object whose members are parameters with brackets. */
const metadataParameter = {
  name: "metadata",
  in: "query",
  required: false,
  style: "deepObject",
  explode: true,
  description:
    "`metadata[key]=value`: the pair is there, exactly so. Up to 5 pairs, each key once; all of them must be there.",
  schema: {
    type: "object",
    maxProperties: maxMetadataFilters,
    additionalProperties: { type: "string", maxLength: maxMetadataValueLength }
  }
}

interface Operation {
  readonly parameters?: ReadonlyArray<unknown>
}

const withMetadataParameter = (operation: Operation): Operation => ({
  ...operation,
  parameters: [...(operation.parameters ?? []), metadataParameter]
})

export const searchDoc = (summary: string, scope: Scope, description = "") =>
  Context.merge(doc(summary, scope, description), OpenApi.annotations({ transform: withMetadataParameter }))
