import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as FastCheck from "fast-check"
import { assert, describe, it } from "vitest"
import {
  absentOrNull,
  type Codec,
  codecOf,
  listCodec,
  jsonOf,
  structCodec,
  textOf,
  withCodec
} from "../../src/domain/Codec.ts"
import {
  Amount,
  AmountOrZero,
  AnyInteger,
  AnyMetadata,
  AnyText,
  AnyTime,
  Balance,
  Currency,
  Flag,
  Held,
  Id,
  Metadata,
  Text,
  Time,
  Version
} from "../../src/domain/WireValues.ts"

const digits = (min: bigint, power: bigint) => FastCheck.bigInt({ min, max: 10n ** power - 1n })
const word = FastCheck.stringMatching(/^[A-Za-z0-9_-]{1,64}$/)
const anyText = FastCheck.string({ unit: "grapheme", maxLength: 64 }).filter((value) => !value.includes("\u0000"))

/** A schema and values that it is for. */
interface Kind<A> {
  readonly schema: Schema.Codec<A, unknown>
  readonly values: FastCheck.Arbitrary<A>
}

const kind = <A>(schema: Schema.Codec<A, unknown>, values: FastCheck.Arbitrary<A>): Kind<unknown> =>
  // A table of unlike kinds: each is used with its own values only.
  ({ schema, values }) as unknown as Kind<unknown>

const integers = withCodec(Schema.Array(Balance).check(Schema.isMaxLength(3)), listCodec(codecOf(Balance), 3))

const kinds: { readonly [name: string]: Kind<unknown> } = {
  integer: kind(Balance, digits(1n - 10n ** 36n, 36n)),
  sum: kind(Held, digits(0n, 36n)),
  amount: kind(Amount, digits(1n, 30n)),
  amountOrZero: kind(AmountOrZero, digits(0n, 30n)),
  id: kind(Id, word),
  currency: kind(Currency, FastCheck.stringMatching(/^[A-Z][A-Z0-9]{2,15}$/)),
  text: kind(Text, anyText),
  time: kind(Time, FastCheck.integer({ min: 0, max: 253_402_300_799_999 })),
  version: kind(Version, FastCheck.maxSafeNat()),
  literals: kind(Schema.Literals(["a", "b"]), FastCheck.constantFrom("a" as const, "b" as const)),
  metadata: kind(Metadata, FastCheck.dictionary(anyText, anyText, { maxKeys: 20, noNullPrototype: true })),
  list: kind(integers, FastCheck.array(digits(0n, 36n), { maxLength: 3 }))
}

/** In commands: of any value, valid or not. */
const lenient: { readonly [name: string]: Kind<unknown> } = {
  text: kind(AnyText, FastCheck.string({ unit: "binary" })),
  flag: kind(Flag, FastCheck.boolean()),
  integer: kind(AnyInteger, digits(1n - 10n ** 360n, 360n)),
  time: kind(
    AnyTime,
    FastCheck.double().filter((value) => !Object.is(value, -0))
  ),
  metadata: kind(AnyMetadata, FastCheck.dictionary(anyText, anyText, { noNullPrototype: true }))
}

/** Any JSON, and what looks nearly like an amount. */
const foreign: FastCheck.Arbitrary<unknown> = FastCheck.oneof(
  FastCheck.jsonValue(),
  FastCheck.stringMatching(/^[-+ ]?[0-9]{0,38}(?:\.0|e1)?$/)
)

const throughJson = <A>(codec: Codec<A>, value: A): A | undefined =>
  codec.decode(JSON.parse(JSON.stringify(codec.encode(value))))

describe("a value", () => {
  for (const [name, { schema, values }] of Object.entries(kinds)) {
    const codec = codecOf(schema)
    const nullable = codecOf(Schema.NullOr(schema))
    it(`${name} reads back what it writes, and null where that is allowed`, () => {
      FastCheck.assert(
        FastCheck.property(values, (value) => {
          assert.deepStrictEqual(throughJson(codec, value), value)
          assert.deepStrictEqual(throughJson(nullable, value), value)
        }),
        { numRuns: 50 }
      )
      assert.isNull(throughJson(nullable, null))
      assert.strictEqual(textOf(nullable)(null), "null")
      assert.isUndefined(codec.decode(null))
    })

    it(`${name} reads nothing else: what it reads, it would write again just so`, () => {
      FastCheck.assert(
        FastCheck.property(foreign, (given) => {
          const read = codec.decode(given)
          if (read !== undefined) assert.deepStrictEqual<unknown>(codec.encode(read), given)
        }),
        { numRuns: 200 }
      )
    })
  }

  for (const [name, { schema, values }] of [...Object.entries(kinds), ...Object.entries(lenient)]) {
    it(`${name} is read and written by hand as by its schema`, () => {
      const codec = codecOf(schema)
      const decode = Schema.decodeUnknownResult(schema)
      const encode = Schema.encodeSync(schema)
      FastCheck.assert(
        FastCheck.property(values, (value) => {
          const written = codec.encode(value)
          assert.deepStrictEqual<unknown>(written, encode(value))
          assert.deepStrictEqual(codec.decode(written), Result.getOrThrow(decode(written)))
          assert.strictEqual(textOf(codec)(value), JSON.stringify(written))
        }),
        { numRuns: 50 }
      )
      FastCheck.assert(
        FastCheck.property(foreign, (given) => {
          assert.deepStrictEqual(codec.decode(given), Result.getOrUndefined(decode(given)))
        }),
        { numRuns: 200 }
      )
    })
  }

  it("has the codec of its own schema, whoever else begins with the same one of effect's", () => {
    const from = (least: number) =>
      withCodec(Schema.Int, {
        encode: (value) => value,
        decode: (value) => (typeof value === "number" && value >= least ? value : undefined)
      })
    const [anyOne, natural] = [from(-Infinity), from(0)]
    assert.strictEqual(codecOf(anyOne).decode(-740_993), -740_993)
    assert.isUndefined(codecOf(natural).decode(-740_993))
    assert.throws(() => codecOf(Schema.Int), "no codec")
  })

  it("of a schema that nobody has said how to read by hand has no codec", () => {
    const checked = Schema.makeFilter(() => true)
    const unknown = [
      Schema.Number,
      Id.check(checked),
      Schema.Struct({ id: Id }).check(checked),
      Schema.Struct({ id: Schema.Number }),
      Schema.NullOr(Id).check(checked),
      Schema.Literals(["a", "b"]).check(checked)
    ]
    for (const schema of unknown) assert.throws(() => codecOf(schema), "no codec")
  })
})

describe("a list", () => {
  it("keeps its order, and is refused when longer than its bound or when one item is damaged", () => {
    const words = listCodec(codecOf(Id), 2)
    assert.deepStrictEqual(words.decode([]), [])
    assert.deepStrictEqual(words.decode(["b", "a"]), ["b", "a"])
    assert.isUndefined(words.decode(["a", "b", "c"]))
    assert.isUndefined(words.decode(["a", ""]))
    assert.isUndefined(words.decode({ length: 0 }))
  })
})

describe("an object", () => {
  const Shape = Schema.Struct({ id: Id, time: Time })
  const shape = structCodec(Shape)

  it("has exactly its fields, written in their order", () => {
    assert.strictEqual(JSON.stringify(shape.encode({ time: 7, id: "a" })), '{"id":"a","time":7}')
    assert.deepStrictEqual(shape.decode({ time: 7, id: "a" }), { id: "a", time: 7 })
    for (const damaged of [{ id: "a" }, { id: "a", time: 7, more: 1 }, { id: "a", more: 7 }, { id: "a", time: "7" }]) {
      assert.isUndefined(shape.decode(damaged))
    }
  })

  it("is written as text as it is written as JSON, whichever of its fields are left out", () => {
    const Both = { first: absentOrNull(Time), '"id"': Id, list: integers, shape: Shape, last: absentOrNull(Text) }
    const codec = structCodec(Schema.Struct(Both))
    const values = FastCheck.record({
      first: FastCheck.option(FastCheck.nat()),
      '"id"': word,
      list: FastCheck.array(digits(0n, 36n), { maxLength: 3 }),
      shape: FastCheck.record({ id: word, time: FastCheck.nat() }),
      last: FastCheck.option(anyText)
    })
    FastCheck.assert(
      FastCheck.property(values, (value) => {
        assert.strictEqual(textOf(codec)(value), JSON.stringify(codec.encode(value)))
        assert.strictEqual(`{${codec.members(value)}}`, textOf(codec)(value))
      })
    )
    const onlyAbsent = structCodec(Schema.Struct({ first: absentOrNull(Time) }))
    assert.strictEqual(onlyAbsent.text({ first: null }), "{}")
  })

  it("does not take a prototype's property for a field", () => {
    assert.isUndefined(shape.decode(Object.create({ id: "a", time: 7 })))
    const inherited = structCodec(Schema.Struct({ toString: Id }))
    assert.isUndefined(inherited.decode({ more: "a" }))
    assert.strictEqual(inherited.explain({ more: "a" }), "toString: missing")
  })
})

describe("a text that is no JSON", () => {
  it("is no value", () => {
    for (const given of ["", "{", "undefined", "1 2"]) assert.isUndefined(jsonOf(given))
    assert.deepStrictEqual(jsonOf('{"a":[1,null]}'), { a: [1, null] })
  })
})
