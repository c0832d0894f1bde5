import * as PgTypes from "@effect/sql-pg/PgTypes"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { maxTime } from "../../../src/domain/Limits.ts"
import { CompositeArray } from "../../../src/stores/sql/CompositeArray.ts"

/** What PostgreSQL would read: per element the fields, by the client's own codecs. */
const decode = (bytes: Uint8Array): { readonly elementOid: number; readonly rows: Array<Array<unknown>> } => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const int32 = () => view.getInt32((at += 4) - 4)
  assert.deepStrictEqual([int32(), int32()], [1, 0])
  const elementOid = int32()
  const length = int32()
  assert.strictEqual(int32(), 1)
  const rows = Array.from({ length }, () => {
    const end = int32() + at
    const fields = Array.from({ length: int32() }, () => {
      const oid = int32()
      const size = int32()
      if (size === -1) return null
      at += size
      return Result.getOrThrow(PgTypes.decode(bytes.subarray(at - size, at), oid, 1))
    })
    assert.strictEqual(at, end)
    return fields
  })
  assert.strictEqual(at, bytes.length)
  return { elementOid, rows }
}

describe("an array of composite values", () => {
  it("is what PostgreSQL reads, for any values and however little room was expected", () => {
    const row = fc.record({
      number: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      large: fc.maxSafeInteger(),
      text: fc.option(fc.string({ unit: "grapheme", maxLength: 90 })),
      money: fc.option(fc.bigInt({ min: -(10n ** 36n) + 1n, max: 10n ** 36n - 1n })),
      id: fc.uuid(),
      words: fc.option(fc.array(fc.string({ unit: "grapheme", maxLength: 50 }), { maxLength: 5 })),
      document: fc.option(fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.stringify(value))),
      time: fc.integer({ min: 0, max: 9_000_000_000_000 })
    })
    fc.assert(
      fc.property(fc.array(row, { maxLength: 20 }), fc.nat(600), (rows, room) => {
        const array = new CompositeArray(8, room)
        for (const { document, id, large, money, number, text, time, words } of rows) {
          array
            .begin()
            .int4(number)
            .int8(large)
            .text(text)
            .numeric(money)
            .uuid(id)
            .time(time)
            .texts(words)
            .json(document)
            .end()
        }
        const expected = rows.map(({ document, id, large, money, number, text, time, words }) => [
          number,
          BigInt(large),
          text,
          money === null ? null : String(money),
          id,
          new Date(time),
          words,
          document === null ? null : JSON.parse(document)
        ])
        assert.deepStrictEqual(decode(array.finish(12_345)), { elementOid: 12_345, rows: expected })
      })
    )
  })

  it("keeps round amounts, signs and the edges of times", () => {
    const amounts = [0n, 1n, -1n, 9_999n, 10_000n, -10_000n, 100_000_000n, 10n ** 36n - 1n, -(10n ** 36n) + 1n]
    const array = new CompositeArray(1, 0)
    for (const amount of amounts) array.begin().numeric(amount).end()
    assert.deepStrictEqual(
      decode(array.finish(1)).rows.flat(),
      amounts.map((amount) => String(amount))
    )
    const times = [0, 1, 946_684_799_999, 946_684_800_000, 1_700_000_000_123]
    const moments = new CompositeArray(1, 0)
    for (const time of times) moments.begin().time(time).end()
    assert.deepStrictEqual(
      decode(moments.finish(1)).rows.flat(),
      times.map((time) => new Date(time))
    )
  })

  it("is off by less than half a millisecond at the end of the year 9999", () => {
    const bytes = new CompositeArray(1, 0).begin().time(maxTime).end().finish(1)
    const micros = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(bytes.length - 8)
    const error = micros - (BigInt(maxTime) - 946_684_800_000n) * 1000n
    assert.isTrue(error > -500n && error < 500n)
  })

  it("refuses what is not a UUID", () => {
    for (const id of ["", "x", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-0000000000000g"]) {
      assert.throws(() => new CompositeArray(1, 0).begin().uuid(id), TypeError)
    }
  })
})
