/**
 * Codecs: how values are written as JSON and read back, in the log, in snapshots and
 * between nodes.
 *
 * The Effect schemas of events, commands and states say once what they are as JSON. The
 * parser that effect makes of a schema is general: a credit takes it 3.9 µs to read and
 * 3.1 µs to write, a hold of a snapshot 5.2 and 3.4, a command 1.8 and 0.7. `replay` has 12 µs
 * per event for everything. So a codec follows the structure of its schema, with the
 * single values read and written by hand (`WireValues.ts`): 0.6 and 0.5 µs, 0.9 and 0.4,
 * 0.6 and 0.4 (`node test/domain/figures.ts`). Tests hold every codec against the parser
 * of its schema.
 *
 * Reading is strict. What is not exactly what `encode` makes is unreadable; nothing is
 * guessed, cut or filled in.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { parseJson } from "./Json.ts"

export type Json = string | number | boolean | null | ReadonlyArray<Json> | JsonObject
export type JsonObject = { readonly [name: string]: Json }

/** Of one value. `decode` answers `undefined` for what it cannot read; no value is `undefined`. */
export interface Codec<A> {
  readonly encode: (value: A) => Json
  /** The same as JSON text, to the letter, with nothing in between; absent: `encode` and `JSON.stringify`. */
  readonly text?: (value: A) => string
  readonly decode: (value: unknown) => A | undefined
}

/** Of an object with exactly the fields of a struct, in its order; a tag is not among them. */
export interface StructCodec<A> {
  readonly encode: (value: A) => JsonObject
  readonly text: (value: A) => string
  readonly decode: (value: unknown) => A | undefined
  /** `encode` as JSON text without its braces: what stands before or behind is the caller's. */
  readonly members: (value: A) => string
  /** Like `decode`, added to `target`: how a tag comes first. */
  readonly decodeInto: (target: object, value: unknown) => A | undefined
  /** Why `decode` answers `undefined`. */
  readonly explain: (value: unknown) => string
}

/** Of a union whose cases have a tag: `_tag` in memory, `type` as JSON. */
export interface UnionCodec<A extends { readonly _tag: string }> extends Codec<A> {
  readonly encode: (value: A) => JsonObject
  readonly tags: ReadonlyArray<A["_tag"]>
  readonly isTag: (tag: unknown) => tag is A["_tag"]
  /** Of one case, without its tag. */
  readonly caseOf: (tag: A["_tag"]) => StructCodec<A>
}

export const isJsonObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** `undefined` when it is not JSON (no JSON text means `undefined`). */
export const jsonOf = (text: string): unknown => {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

// --- Single values -----------------------------------------------------------

/** What a schema may be made of. */
interface Shape {
  readonly fields?: Schema.Struct.Fields
  readonly members?: ReadonlyArray<Schema.Top>
  readonly literals?: ReadonlyArray<string>
}

const written = new WeakMap<object, unknown>()

/** Members of a struct that are left out of the JSON where they are `null`. */
const absentable = new WeakSet<object>()

/** The schema, read and written by `codec`; a copy, as `Schema.Int` is everybody's. */
export const withCodec = <S extends Schema.Top>(schema: S, codec: Codec<S["Type"]>): S["Rebuild"] => {
  const own = schema.annotate({})
  written.set(own, codec)
  return own
}

/**
 * A member that most values have nothing to say of: `null` in memory, left out of the JSON; a
 * `null` there is unreadable. What is written before there was such a member reads on.
 */
export const absentOrNull = <A, I>(schema: Schema.Codec<A, I>) => {
  const member = Schema.optionalKey(schema).pipe(
    Schema.decodeTo(Schema.NullOr(Schema.toType(schema)), {
      decode: SchemaGetter.transformOptional((given: Option.Option<A>) =>
        Option.orElseSome(given, (): A | null => null)
      ),
      encode: SchemaGetter.transformOptional((value: Option.Option<A | null>) =>
        Option.filter(value, (one): one is A => one !== null)
      )
    })
  )
  absentable.add(member)
  written.set(member, nullable(codecOf(schema)))
  return member
}

/** Thrown, when the modules are loaded, for a schema of which nobody has said how to read it by hand. */
export const codecOf = <S extends Schema.Top>(schema: S): Codec<S["Type"]> => {
  // Each schema has a codec of its own type; TypeScript cannot follow the pair.
  return (written.get(schema) ?? codecOfShape(schema)) as Codec<S["Type"]>
}

/** `encode` as JSON text. */
export const textOf = <A>({ encode, text }: Codec<A>): ((value: A) => string) =>
  text ?? ((value) => JSON.stringify(encode(value)))

/** Of any text. */
export const quoted = (text: string): string => JSON.stringify(text)

const codecOfShape = (schema: Schema.Top & Shape): unknown => {
  const { ast, fields, literals, members } = schema
  if (ast.checks !== undefined || ast.encoding !== undefined) throw new Error(`no codec for a schema of ${ast._tag}`)
  if (fields !== undefined) return structCodec(schema as Struct)
  if (literals !== undefined) return literalsCodec(literals)
  if (members?.length === 2 && members[1]!.ast._tag === "Null") return nullable(codecOf(members[0]!))
  throw new Error(`no codec for a schema of ${ast._tag}`)
}

const nullable = <A>(codec: Codec<A>): Codec<A | null> => {
  const text = textOf(codec)
  return {
    encode: (value) => (value === null ? null : codec.encode(value)),
    text: (value) => (value === null ? "null" : text(value)),
    decode: (value) => (value === null ? null : codec.decode(value))
  }
}

const literalsCodec = (literals: ReadonlyArray<string>): Codec<string> => ({
  encode: (value) => value,
  text: quoted,
  decode: (value) => literals.find((literal) => literal === value)
})

/** At most `maxItems`. */
export const listCodec = <A>(item: Codec<A>, maxItems: number): Codec<ReadonlyArray<A>> => {
  const text = textOf(item)
  return {
    encode: (values) => values.map(item.encode),
    text: (values) => `[${values.map(text).join(",")}]`,
    decode: (values) => {
      if (!Array.isArray(values) || values.length > maxItems) return undefined
      const items: Array<A> = []
      for (const value of values) {
        const decoded = item.decode(value)
        if (decoded === undefined) return undefined
        items.push(decoded)
      }
      return items
    }
  }
}

// --- Structs and unions ------------------------------------------------------

interface Struct extends Schema.Top {
  readonly fields: Schema.Struct.Fields
}

/** The value, but for its tag. */
type Untagged<A> = A extends { readonly _tag: string } ? Omit<A, "_tag"> : A

const fieldsOf = (schema: Struct) =>
  Object.entries(schema.fields)
    .filter(([name]) => name !== "_tag")
    .map(([name, field]) => [name, codecOf(field as Schema.Top) as Codec<unknown>, absentable.has(field)] as const)

const membersOf = (schema: Struct) => {
  const entries = fieldsOf(schema).map(([name, codec, mayBeAbsent]) => {
    const first = `${JSON.stringify(name)}:`
    return { name, text: textOf(codec), mayBeAbsent, first, next: `,${first}` }
  })
  return (value: object): string => {
    const record = value as Readonly<Record<string, unknown>>
    let members = ""
    for (const { first, mayBeAbsent, name, next, text } of entries) {
      const member = record[name]
      if (mayBeAbsent && member === null) continue
      members += (members === "" ? first : next) + text(member)
    }
    return members
  }
}

export const structCodec = <S extends Struct>(schema: S): StructCodec<Untagged<S["Type"]>> => {
  type A = Untagged<S["Type"]>
  // The loops below know names and codecs only by index; the schema's type ties them together.
  const entries = fieldsOf(schema)
  const names = new Set(entries.map(([name]) => name))
  const encode = (value: A): JsonObject => {
    const record = value as Readonly<Record<string, unknown>>
    const json: Record<string, Json> = {}
    for (const [name, codec, mayBeAbsent] of entries) {
      if (!mayBeAbsent || record[name] !== null) json[name] = codec.encode(record[name])
    }
    return json
  }
  const members = membersOf(schema) as (value: A) => string
  const decodeInto = (target: object, value: unknown): A | undefined => {
    if (!isJsonObject(value)) return undefined
    const record = target as Record<string, unknown>
    let absent = 0
    for (const [name, codec, mayBeAbsent] of entries) {
      const given = value[name]
      if (mayBeAbsent) {
        if (given === null) return undefined
        if (given === undefined && !Object.hasOwn(value, name)) {
          record[name] = null
          absent++
          continue
        }
      }
      const decoded = codec.decode(given)
      if (decoded === undefined) return undefined
      record[name] = decoded
    }
    return Object.keys(value).length + absent === entries.length ? (record as A) : undefined
  }
  const explain = (value: unknown): string => {
    if (!isJsonObject(value)) return "not an object"
    for (const [name, codec, mayBeAbsent] of entries) {
      if (!Object.hasOwn(value, name)) {
        if (mayBeAbsent) continue
        return `${name}: missing`
      }
      if (codec.decode(value[name]) === undefined || (mayBeAbsent && value[name] === null)) return `${name}: unreadable`
    }
    const unknown = Object.keys(value).find((name) => !names.has(name))
    return `${unknown}: unknown`
  }
  return {
    encode,
    text: (value) => `{${members(value)}}`,
    members,
    decodeInto,
    decode: (value) => decodeInto({}, value),
    explain
  }
}

/** `cases`: of one or of several `Schema.TaggedUnion`. */
export const unionCodec = <Cases extends Readonly<Record<string, Struct>>>(
  cases: Cases
): UnionCodec<Extract<Cases[keyof Cases]["Type"], { readonly _tag: string }>> => {
  type A = Extract<Cases[keyof Cases]["Type"], { readonly _tag: string }>
  const codecs: Record<string, StructCodec<A>> = {}
  // Each tag has the codec of its own case, so what that reads has this tag; TypeScript cannot follow the pair.
  for (const [tag, schema] of Object.entries(cases)) codecs[tag] = structCodec(schema) as unknown as StructCodec<A>
  const isTag = (tag: unknown): tag is A["_tag"] => typeof tag === "string" && Object.hasOwn(codecs, tag)
  const caseOf = (tag: A["_tag"]): StructCodec<A> => codecs[tag]!
  return {
    tags: Object.keys(codecs),
    isTag,
    caseOf,
    encode: (value) => ({ type: value._tag, ...caseOf(value._tag).encode(value) }),
    decode: (value) => {
      if (!isJsonObject(value)) return undefined
      const { type, ...data } = value
      return isTag(type) ? caseOf(type).decodeInto({ _tag: type }, data) : undefined
    }
  }
}

/** A tagged union whose tag is called `type` as JSON: what {@link unionCodec} reads and writes, as a schema. */
export const typed = <Cases extends Readonly<Record<string, Struct>>>(union: {
  readonly cases: Cases
}): Schema.Codec<Cases[keyof Cases]["Type"], unknown> =>
  // Of each case only the tag's name changes, so the union's type stays; TypeScript cannot follow the mapping.
  Schema.Union(
    Object.values(union.cases).map((schema) => schema.pipe(Schema.encodeKeys({ _tag: "type" })))
  ) as unknown as Schema.Codec<Cases[keyof Cases]["Type"], unknown>
