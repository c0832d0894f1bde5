import { assert, describe, it } from "@effect/vitest"
import { noMetadata } from "../../src/domain/Limits.ts"
import { asksNothing, queryWords, transactionWords, walletWords } from "../../src/stores/SearchWords.ts"

const wordsOf = (reference: string) => transactionWords({ reference, metadata: noMetadata })

describe("the words of a text", () => {
  const cases: ReadonlyArray<readonly [text: string, words: ReadonlyArray<string>]> = [
    ["", []],
    ["Coffee", ["coffee"]],
    ["coffee, COFFEE; tea!", ["coffee", "tea"]],
    ["INV-2026_7", ["inv-2026_7", "inv", "2026", "7"]],
    ["--a-", ["--a-", "a"]],
    ["- _ -_-", []],
    ["a@b.c", ["a", "b", "c"]],
    ["Žluťoučký kůň", ["žluťoučký", "kůň"]],
    ["Cafe\u0301", ["caf\u00e9"]],
    ["नमस्ते 你好 ٣", ["नमस्ते", "你好", "٣"]],
    ["🐎 x🐎y", ["x", "y"]],
    ["İ", ["i\u0307"]]
  ]
  for (const [text, words] of cases) {
    it(`of ${JSON.stringify(text)} are ${words.length === 0 ? "none" : words.join(", ")}`, () => {
      assert.deepStrictEqual(wordsOf(text), words)
    })
  }

  it("come from reference and metadata values of a transaction, not from its keys", () => {
    assert.deepStrictEqual(transactionWords({ reference: null, metadata: { key: "value" } }), ["value"])
    assert.deepStrictEqual(transactionWords({ reference: "a", metadata: { key: "a b" } }), ["a", "b"])
    assert.deepStrictEqual(transactionWords({ reference: null, metadata: noMetadata }), [])
  })

  it("come from id, ownerId and metadata values of a wallet", () => {
    assert.deepStrictEqual(walletWords({ id: "W-1", ownerId: "Ann", metadata: { k: "Main account" } }), [
      "w-1",
      "w",
      "1",
      "ann",
      "main",
      "account"
    ])
  })
})

describe("the words of a query", () => {
  const cases: ReadonlyArray<readonly [q: string, words: ReadonlyArray<string>, prefixes: ReadonlyArray<string>]> = [
    ["Inv-2026 paid, INV-2026", ["inv-2026", "paid"], []],
    [" …-!_ ", [], []],
    ["* ** -* _", [], []],
    ["Inv-20* paid", ["paid"], ["inv-20"]],
    ["a*b *c d*, D*", ["b", "c"], ["a", "d"]],
    ["é* E\u0301*", [], ["\u00e9"]],
    ["İ* 🐎* 你*", [], ["i\u0307", "你"]],
    ["a *", ["a"], []]
  ]
  for (const [q, words, prefixes] of cases) {
    it(`of ${JSON.stringify(q)} are ${[...words, ...prefixes.map((prefix) => `${prefix}*`)].join(", ") || "none"}`, () => {
      const asked = queryWords(q)
      assert.deepStrictEqual(asked, { words, prefixes })
      assert.strictEqual(asksNothing(asked), words.length + prefixes.length === 0)
    })
  }
})
