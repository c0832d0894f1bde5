import { assert, describe, it } from "vitest"
import {
  amountOrZeroPattern,
  amountPattern,
  importKeyPrefix,
  isAmount,
  isAmountOrZero,
  isCurrency,
  isId,
  isIdempotencyKey,
  isMetadata,
  isText,
  isTime,
  noMetadata,
  toText
} from "../../src/domain/Limits.ts"

const split = <A>(values: ReadonlyArray<A>, holds: (value: A) => boolean): ReadonlyArray<A> => values.filter(holds)

const pairs = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, ""]))

describe("the form of", () => {
  it("anything is refused that is not of the type, as a caller in plain JavaScript may pass it", () => {
    // JavaScript knows no types: this is what such a caller does.
    const passed: ReadonlyArray<never> = [
      undefined,
      null,
      1,
      1.5,
      true,
      {},
      ["a"],
      ["EUR"]
    ] as unknown as ReadonlyArray<never>
    const forms: ReadonlyArray<(value: never) => boolean> = [
      isId,
      isCurrency,
      isAmount,
      isAmountOrZero,
      isIdempotencyKey,
      (value) => isText(value, 10)
    ]
    for (const form of forms) assert.deepStrictEqual(split(passed, form), [])
  })

  it("an id: 1–64 letters, digits, _ and -", () => {
    const good = ["a", "A-Z_09", "x".repeat(64)]
    assert.deepStrictEqual(split([...good, "", "x".repeat(65), "a b", "ä", "a\n", "a.b"], isId), good)
  })

  it("a currency: 3–16 capitals and digits, a capital first", () => {
    const good = ["EUR", "USDC", "A23", "ABCDEFGHIJKLMNOP"]
    assert.deepStrictEqual(split([...good, "EU", "eur", "1EU", "EUR\n", "ABCDEFGHIJKLMNOPQ", "E-R"], isCurrency), good)
  })

  it("an idempotency key: 1–255 visible ASCII characters", () => {
    const good = ["!", "~", "x".repeat(255)]
    assert.deepStrictEqual(split([...good, "", " ", "a b", "ä", "\u007f", "x".repeat(256)], isIdempotencyKey), good)
  })

  it("an import's key: its prefix never changes, or an import run again after years would pay twice", () => {
    assert.strictEqual(importKeyPrefix, "import:")
    assert.isTrue(isIdempotencyKey(importKeyPrefix))
  })

  it("an amount: positive, at most 30 digits", () => {
    const most = 10n ** 30n - 1n
    assert.deepStrictEqual(split([-1n, 0n, 1n, most, most + 1n], isAmount), [1n, most])
    assert.deepStrictEqual(split([-1n, 0n, 1n, most, most + 1n], isAmountOrZero), [0n, 1n, most])
    const bad = ["", "-1", "+1", "01", "1.0", "1e3", " 1", "1\n", "٣", "1".repeat(31)]
    const good = ["1", "10", "9".repeat(30)]
    assert.deepStrictEqual(
      split([...good, ...bad, "0"], (text) => amountPattern.test(text)),
      good
    )
    assert.deepStrictEqual(
      split(["0", ...good, ...bad, "00"], (text) => amountOrZeroPattern.test(text)),
      ["0", ...good]
    )
  })

  it("a time: whole milliseconds from 1970 to the end of 9999", () => {
    const last = Date.parse("9999-12-31T23:59:59.999Z")
    assert.deepStrictEqual(split([-1, 0, 0.5, last, last + 1, Number.NaN, Infinity], isTime), [0, last])
  })

  it("a text: well-formed, without U+0000, within its length in UTF-16 units", () => {
    const good = ["", "ab", "😀"]
    assert.deepStrictEqual(
      split([...good, "abc", "\ud83d", "a\u0000"], (text) => isText(text, 2)),
      good
    )
  })

  it("metadata: at most 20 pairs of texts, keys to 64 and values to 512", () => {
    const good = [noMetadata, {}, pairs(20), { ["k".repeat(64)]: "v".repeat(512) }]
    const bad: ReadonlyArray<Record<string, string>> = [
      pairs(21),
      { ["k".repeat(65)]: "" },
      { k: "v".repeat(513) },
      { k: "\u0000" },
      { "\ud800": "" },
      // What an untyped caller may send.
      { k: 1 as unknown as string },
      { k: null as unknown as string }
    ]
    assert.deepStrictEqual(split([...good, ...bad], isMetadata), good)
    assert.isFrozen(noMetadata)
  })
})

describe("a text from elsewhere", () => {
  it("is cut and mended, so that it has the form of one", () => {
    assert.strictEqual(toText("as it is", 8), "as it is")
    assert.strictEqual(toText("a\u0000b\u0000c", 2), "ab")
    assert.strictEqual(toText("a😀", 2), "a\ufffd")
    assert.isTrue(isText(toText("\u0000\ud800".repeat(9), 5), 5))
  })
})
