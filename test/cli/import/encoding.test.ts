import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FileText } from "../../../src/cli/import/FileText.ts"
import { WalletEngine } from "../../../src/engine/WalletEngine.ts"
import { importText, refusal, services, walletIds } from "./importing.ts"

const header = "id,wallet_id,amount,currency,reference\n"
const latin = (text: string) => Buffer.from(text, "latin1")
const rows = `${header}1,w,1.00,EUR,plain\n2,w,2.00,EUR,caf\u00e9\n`

const utf16 = (text: string, order: "le" | "be") => {
  const bytes = Buffer.from(`\ufeff${text}`, "utf16le")
  return order === "le" ? bytes : bytes.swap16()
}

const references = Effect.gen(function* () {
  const { data } = yield* (yield* WalletEngine).transactions({ walletId: "w", limit: 10 })
  return data.map(({ reference }) => reference)
})

describe("the encoding of a file", () => {
  const sound: ReadonlyArray<readonly [name: string, bytes: Uint8Array, encoding: string | undefined]> = [
    ["UTF-8", Buffer.from(rows), undefined],
    ["UTF-8 with its mark", Buffer.from(`\ufeff${rows}`), undefined],
    ["UTF-16, little end first, with its mark", utf16(rows, "le"), undefined],
    ["UTF-16, big end first, with its mark", utf16(rows, "be"), undefined],
    ["UTF-16 by name", Buffer.from(rows, "utf16le"), "utf-16le"],
    ["windows-1252 by name", latin(rows), "windows-1252"],
    ["UTF-8 with CR LF", Buffer.from(rows.replaceAll("\n", "\r\n")), undefined],
    ["UTF-8 with CR alone", Buffer.from(rows.replaceAll("\n", "\r")), undefined]
  ]
  for (const [name, bytes, encoding] of sound) {
    it.live(`is read: ${name}`, () =>
      Effect.gen(function* () {
        const report = yield* importText("a.csv", bytes, { encoding })
        assert.strictEqual(report.imported, 2)
        assert.deepStrictEqual(yield* references, ["caf\u00e9", "plain"])
      }).pipe(Effect.provide(services))
    )
  }

  it.live("of JSONL may be UTF-16 as well", () =>
    Effect.gen(function* () {
      const line = JSON.stringify({ id: 1, wallet_id: "w", amount: 1, currency: "EUR", reference: "\u010desk\u00fd" })
      yield* importText("a.jsonl", utf16(`${line}\r\n`, "le"))
      assert.deepStrictEqual(yield* references, ["\u010desk\u00fd"])
    }).pipe(Effect.provide(services))
  )

  const broken: ReadonlyArray<
    readonly [name: string, bytes: Uint8Array, encoding: string | undefined, message: string]
  > = [
    ["a.csv", latin(rows), undefined, "line 3: is not UTF-8; name what it is by --encoding, like windows-1252"],
    ["a.csv", latin(rows.replaceAll("\n", "\r\n")), undefined, "line 3: is not UTF-8"],
    ["a.jsonl", latin('{"id":1}\n\n{"id":"\u00e9"}\n'), undefined, "line 3: is not UTF-8"],
    ["a.csv", Buffer.concat([Buffer.from(header), Buffer.from([0xc3])]), undefined, "line 2: is not UTF-8"],
    ["a.csv", utf16(`${header}1,w,1.00,EUR,\ud800\n`, "le"), undefined, "line 2: is not utf-16le"],
    [
      "a.csv",
      Buffer.from(`\ufeff${rows}`),
      "windows-1252",
      "begins with the mark of utf-8, and --encoding says windows-1252"
    ]
  ]
  for (const [name, bytes, encoding, message] of broken) {
    it.live(`is refused: ${name}, ${message}`, () =>
      Effect.gen(function* () {
        assert.include(yield* refusal(name, bytes, { encoding }), message)
        assert.deepStrictEqual(yield* walletIds, [])
      }).pipe(Effect.provide(services))
    )
  }

  it.live("has a bound for a line", () =>
    Effect.gen(function* () {
      assert.match(yield* refusal("a.jsonl", "x".repeat(200_000)), /line 1: has more than 65536 /)
      assert.match(yield* refusal("a.csv", `${header}1,w,1,EUR,"${"x\n".repeat(50_000)}`), /Max Record Size/)
    }).pipe(Effect.provide(services))
  )

  it("is the same however the bytes are cut", () => {
    for (const bytes of [
      Buffer.from(`\ufeff${rows}`),
      utf16(rows, "le"),
      utf16(rows, "be"),
      utf16(rows.replaceAll("\n", "\r\n"), "be")
    ]) {
      const whole = new FileText({ encoding: undefined, skip: 1 })
      const expected = whole.push(bytes) + whole.end()
      assert.include(expected, "caf\u00e9")
      assert.notInclude(expected, "wallet_id")
      for (const size of [1, 2, 3, 7]) {
        const text = new FileText({ encoding: undefined, skip: 1 })
        let read = ""
        for (let at = 0; at < bytes.length; at += size) read += text.push(bytes.subarray(at, at + size))
        assert.strictEqual(read + text.end(), expected, `in pieces of ${size}`)
      }
    }
  })
})
