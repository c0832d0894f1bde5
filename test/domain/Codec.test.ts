import * as FastCheck from "fast-check"
import { assert, describe, it } from "vitest"
import {
  amount,
  amountOrZero,
  currency,
  type Field,
  fields,
  id,
  integer,
  list,
  literals,
  metadata,
  nullable,
  parseJson,
  sum,
  text,
  time,
  version
} from "../../src/domain/Codec.ts"

const digits = (min: bigint, power: bigint) => FastCheck.bigInt({ min, max: 10n ** power - 1n })
const word = FastCheck.stringMatching(/^[A-Za-z0-9_-]{1,64}$/)
const anyText = FastCheck.string({ unit: "grapheme", maxLength: 64 }).filter((value) => !value.includes("\u0000"))

/** `field` and every value that it is for. */
interface Kind<A> {
  readonly field: Field<A>
  readonly values: FastCheck.Arbitrary<A>
}

const kind = <A>(field: Field<A>, values: FastCheck.Arbitrary<A>): Kind<unknown> =>
  // A table of unlike kinds: each is used with its own values only.
  ({ field, values }) as unknown as Kind<unknown>

const kinds: { readonly [name: string]: Kind<unknown> } = {
  integer: kind(integer, digits(1n - 10n ** 36n, 36n)),
  sum: kind(sum, digits(0n, 36n)),
  amount: kind(amount, digits(1n, 30n)),
  amountOrZero: kind(amountOrZero, digits(0n, 30n)),
  id: kind(id, word),
  currency: kind(currency, FastCheck.stringMatching(/^[A-Z][A-Z0-9]{2,15}$/)),
  text: kind(text, anyText),
  time: kind(time, FastCheck.integer({ min: 0, max: 253_402_300_799_999 })),
  version: kind(version, FastCheck.maxSafeNat()),
  literals: kind(literals(["a", "b"]), FastCheck.constantFrom("a", "b")),
  metadata: kind(metadata, FastCheck.dictionary(anyText, anyText, { maxKeys: 20, noNullPrototype: true })),
  list: kind(list(integer, 3), FastCheck.array(digits(0n, 36n), { maxLength: 3 }))
}

/** Any JSON, and what looks nearly like an amount. */
const foreign: FastCheck.Arbitrary<unknown> = FastCheck.oneof(
  FastCheck.jsonValue(),
  FastCheck.stringMatching(/^[-+ ]?[0-9]{0,38}(?:\.0|e1)?$/)
)

const throughJson = <A>(field: Field<A>, value: A): A | undefined =>
  field.read(JSON.parse(JSON.stringify(field.write(value))))

describe("a field", () => {
  for (const [name, { field, values }] of Object.entries(kinds)) {
    it(`${name} reads back what it writes, and null where that is allowed`, () => {
      FastCheck.assert(
        FastCheck.property(values, (value) => {
          assert.deepStrictEqual(throughJson(field, value), value)
          assert.deepStrictEqual(throughJson(nullable(field), value), value)
        }),
        { numRuns: 50 }
      )
      assert.isNull(throughJson(nullable(field), null))
      assert.isUndefined(field.read(null))
    })

    it(`${name} reads nothing else: what it reads, it would write again just so`, () => {
      FastCheck.assert(
        FastCheck.property(foreign, (given) => {
          const read = field.read(given)
          if (read !== undefined) assert.deepStrictEqual<unknown>(field.write(read), given)
        }),
        { numRuns: 200 }
      )
    })
  }
})

describe("a list", () => {
  it("keeps its order, and is refused when longer than its bound or when one item is damaged", () => {
    const words = list(id, 2)
    assert.deepStrictEqual(words.read([]), [])
    assert.deepStrictEqual(words.read(["b", "a"]), ["b", "a"])
    assert.isUndefined(words.read(["a", "b", "c"]))
    assert.isUndefined(words.read(["a", ""]))
    assert.isUndefined(words.read({ length: 0 }))
  })
})

describe("an object", () => {
  const shape = fields<{ readonly id: string; readonly time: number }>({ id, time })

  it("has exactly its fields, written in their order", () => {
    assert.strictEqual(JSON.stringify(shape.write({ time: 7, id: "a" })), '{"id":"a","time":7}')
    assert.deepStrictEqual(shape.read({ time: 7, id: "a" }), { id: "a", time: 7 })
    for (const damaged of [{ id: "a" }, { id: "a", time: 7, more: 1 }, { id: "a", more: 7 }, { id: "a", time: "7" }]) {
      assert.isUndefined(shape.read(damaged))
    }
  })

  it("does not take a prototype's property for a field", () => {
    assert.isUndefined(shape.read(Object.create({ id: "a", time: 7 })))
    const inherited = fields<{ readonly toString: string }>({ toString: id })
    assert.isUndefined(inherited.read({ more: "a" }))
    assert.strictEqual(inherited.complaint({ more: "a" }), "toString: missing")
  })
})

describe("a text that is no JSON", () => {
  it("is no value", () => {
    for (const given of ["", "{", "undefined", "1 2"]) assert.isUndefined(parseJson(given))
    assert.deepStrictEqual(parseJson('{"a":[1,null]}'), { a: [1, null] })
  })
})
