/** Requests such as the OpenAPI document allows, drawn from its schemas. */
import * as fc from "fast-check"
import { idPattern } from "../../../src/domain/Limits.ts"
import { faultOf, type Json, type Operation, type Parameter, referred } from "./OpenApiJson.ts"

export interface Request {
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

/**
 * Rules that no schema can say, for what they are about moves with the clock, with the state or between
 * parameters: the descriptions say them, and only what keeps to them is drawn.
 */
const past = { min: new Date("1971-01-01T00:00:00Z"), max: new Date("2026-01-01T00:00:00Z"), noInvalidDate: true }
const future = { min: new Date("9000-01-01T00:00:00Z"), max: new Date("9998-01-01T00:00:00Z"), noInvalidDate: true }

const isAhead = (name: string): boolean => name === "expiresAt" || name === "until"

/** Where nobody listens, and nothing leaves this machine. */
export const nowhere = "http://127.0.0.1:9/events"

const offsets = ["Z", "z", "+00:00", "-00:00", "+05:30", "-11:00"]

/** Written in every way that is allowed. */
const time = (name: string): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.date(isAhead(name) ? future : past),
      fc.constantFrom(...offsets),
      fc.constantFrom("", ".5", ".123", ".123456789")
    )
    .map(([date, offset, fraction]) => date.toISOString().slice(0, 19) + fraction + offset)

/** Any character but U+0000 and half ones. */
const sign = fc
  .oneof(
    fc.integer({ min: 1, max: 0xff }),
    fc.integer({ min: 0x100, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0x10ffff })
  )
  .map((code) => String.fromCodePoint(code))

/** Counted in UTF-16, as the description of texts says. */
const text = (schema: Json): fc.Arbitrary<string> => {
  const maxLength = (schema["maxLength"] as number | undefined) ?? 64
  const minLength = (schema["minLength"] as number | undefined) ?? 0
  const longest = fc.constantFrom("x", "é", "\n", '"').map((one) => one.repeat(maxLength))
  const any = fc.array(sign, { minLength, maxLength: 20 }).map((signs) => signs.join(""))
  return fc
    .oneof({ weight: 9, arbitrary: any }, longest)
    .filter((value) => value.length <= maxLength && faultOf(schema, value) === undefined)
}

/** Texts that are classes of signs and their numbers, which is all that patterns of values are. */
const isShape = (pattern: string): boolean => !pattern.includes("[^")

const string = (schema: Json, name: string): fc.Arbitrary<unknown> => {
  const { format, pattern } = schema as { readonly format?: string; readonly pattern?: string }
  if (name === "url") return fc.constant(nowhere)
  // A date may be given as a time.
  if (format === "date-time" || pattern?.includes("[Tt]") === true) return time(name)
  if (name === "timezone") return fc.constantFrom("UTC", "Europe/Prague", "America/New_York", "Asia/Kolkata")
  if (pattern === undefined || !isShape(pattern)) return text(schema)
  const any = fc.stringMatching(new RegExp(pattern))
  return pattern === idPattern.source ? fc.oneof(fc.constantFrom("alice", "bob"), any) : any
}

/** A few pairs, or as many and as long as there may be. */
const map = (schema: Json): fc.Arbitrary<unknown> => {
  const { additionalProperties, maxProperties, propertyNames } = schema as Readonly<Record<string, Json>>
  const most = Array.from({ length: Number(maxProperties) }, (_, index) => [
    String(index).padEnd(Number(propertyNames!["maxLength"]), "n"),
    "v".repeat(Number(additionalProperties!["maxLength"]))
  ])
  const few = fc.dictionary(text({ type: "string", ...propertyNames }), text(additionalProperties!), {
    maxKeys: 3,
    noNullPrototype: true
  })
  return fc.oneof({ weight: 9, arbitrary: few }, fc.constant(Object.fromEntries(most)))
}

interface Variant {
  readonly required: ReadonlyArray<string>
  readonly excluded: ReadonlyArray<string>
}

const requiredOf = (schema: unknown): ReadonlyArray<string> =>
  ((schema as Json | undefined)?.["required"] as ReadonlyArray<string> | undefined) ?? []

/** The ways to keep to `if`, `else` and `dependentSchemas`, as `CommandSchemas.ts` writes them. */
const variantsOf = (schema: Json): ReadonlyArray<Variant> => {
  const required = requiredOf(schema)
  if (schema["if"] === undefined) return [{ required, excluded: [] }]
  const given = requiredOf(schema["if"])
  const dependent = Object.values(schema["dependentSchemas"] as Record<string, { not: { anyOf: ReadonlyArray<Json> } }>)
  return [
    { required: [...required, ...given], excluded: dependent.flatMap(({ not }) => not.anyOf.flatMap(requiredOf)) },
    { required: [...required, ...requiredOf(schema["else"])], excluded: given }
  ]
}

const object = (schema: Json): fc.Arbitrary<unknown> => {
  const properties = schema["properties"] as Readonly<Record<string, Json>> | undefined
  if (properties === undefined) return map(schema)
  const variants = variantsOf(schema).map(({ excluded, required }) => {
    const named = Object.entries(properties).filter(([name]) => !excluded.includes(name))
    const members = Object.fromEntries(named.map(([name, one]) => [name, arbitraryOf(one, name)]))
    return fc.record(members, { requiredKeys: [...required], noNullPrototype: true })
  })
  return fc.oneof(...variants).filter((value) => faultOf(schema, value) === undefined)
}

const array = (schema: Json, name: string): fc.Arbitrary<unknown> =>
  fc.array(arbitraryOf(schema["items"] as Json, name), {
    minLength: (schema["minItems"] as number | undefined) ?? 0,
    maxLength: Math.min((schema["maxItems"] as number | undefined) ?? 5, 5),
    size: "max"
  })

const integer = ({ maximum, minimum }: Json): fc.Arbitrary<unknown> =>
  fc.oneof(
    fc.integer({ min: minimum as number, max: maximum as number }),
    fc.constantFrom(minimum as number, maximum as number)
  )

const ofType = (schema: Json, type: unknown, name: string): fc.Arbitrary<unknown> => {
  switch (type) {
    case "string":
      return string(schema, name)
    case "integer":
      return integer(schema)
    case "boolean":
      return fc.boolean()
    case "array":
      return schema["uniqueItems"] === true
        ? array(schema, name).map((items) => [...new Set(items as Array<unknown>)])
        : array(schema, name)
    case "object":
      return object(schema)
    case "null":
      return fc.constant(null)
    default:
      throw new Error(`no arbitrary for ${JSON.stringify(schema)}`)
  }
}

/** `name`: of the member or parameter, where it says more than the schema. */
export const arbitraryOf = (schema: Json, name = ""): fc.Arbitrary<unknown> => {
  if (typeof schema["$ref"] === "string") return arbitraryOf(referred(schema["$ref"]) as Json, name)
  const cases = (schema["oneOf"] ?? schema["anyOf"]) as ReadonlyArray<Json> | undefined
  if (cases !== undefined) return fc.oneof(...cases.map((one) => arbitraryOf(one, name)))
  if ("const" in schema) return fc.constant(schema["const"])
  if (Array.isArray(schema["enum"])) return fc.constantFrom(...(schema["enum"] as Array<unknown>))
  const types = Array.isArray(schema["type"]) ? schema["type"] : [schema["type"]]
  return fc.oneof(...types.map((type) => ofType(schema, type, name)))
}

// --- Requests ----------------------------------------------------------------

/** Given by an earlier page alone, and its filters with it. */
const isOpaque = ({ name }: Parameter): boolean => name === "cursor"

/** At most one of these is asked for. */
const exclusive = ["minVersion", "atVersion", "at", "effectiveAt"]

const encoded = (name: string, value: unknown, { style }: Parameter): ReadonlyArray<readonly [string, string]> => {
  if (Array.isArray(value)) return value.map((one) => [name, String(one)])
  if (style === "deepObject")
    return Object.entries(value as object).map(([key, one]) => [`${name}[${key}]`, String(one)])
  return [[name, String(value)]]
}

const isOneOf = (values: Json): boolean => exclusive.filter((name) => name in values).length <= 1

/** `from` is not after `to`. */
const inOrder = (values: Json): Json => {
  const { from, to } = values
  return typeof from === "string" && typeof to === "string" && Date.parse(from) > Date.parse(to)
    ? { ...values, from: to, to: from }
    : values
}

const valuesOf = (operation: Operation): fc.Arbitrary<Json> => {
  const given = operation.parameters.filter((one) => !isOpaque(one))
  return fc
    .record(Object.fromEntries(given.map(({ name, schema }) => [name, arbitraryOf(schema, name)])), {
      requiredKeys: given.filter(({ required }) => required === true).map(({ name }) => name),
      noNullPrototype: true
    })
    .map((values) => inOrder(values as Json))
    .filter((values) => operation.method !== "get" || operation.path !== "/v1/wallets/{id}" || isOneOf(values))
}

const bodyOf = ({ requestBody }: Operation): fc.Arbitrary<unknown> => {
  const schema = requestBody?.content["application/json"]?.schema
  if (schema === undefined) return fc.constant(undefined)
  return requestBody?.required === true ? arbitraryOf(schema) : fc.option(arbitraryOf(schema), { nil: undefined })
}

/** `known`: ids of what there is, taken as often as others. */
export const requestOf = (operation: Operation, known: Readonly<Record<string, string>>): fc.Arbitrary<Request> =>
  fc.tuple(valuesOf(operation), bodyOf(operation), fc.boolean()).map(([drawn, body, isKnown]) => {
    const values = isKnown ? { ...drawn, ...pick(drawn, known) } : drawn
    let path = operation.path
    const query = new URLSearchParams()
    const headers: Record<string, string> = {}
    for (const parameter of operation.parameters) {
      const value = values[parameter.name]
      if (value === undefined) continue
      if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(String(value)))
      else if (parameter.in === "header") headers[parameter.name] = String(value)
      else for (const [name, one] of encoded(parameter.name, value, parameter)) query.append(name, one)
    }
    return { path, query: query.size === 0 ? "" : `?${query}`, headers, body }
  })

const pick = (drawn: Json, known: Readonly<Record<string, string>>): Json =>
  Object.fromEntries(Object.entries(known).filter(([name]) => name in drawn))
