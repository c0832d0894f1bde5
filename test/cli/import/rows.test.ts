import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ImportOptions } from "../../../src/cli/import/ImportOptions.ts"
import { WalletEngine } from "../../../src/engine/WalletEngine.ts"
import { balance, counts, decimal, importText, movements, refusal, services, walletIds } from "./importing.ts"

const jsonl = (...rows: ReadonlyArray<unknown>): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("")
const header = "id,wallet_id,amount,currency\n"

interface Case {
  readonly name: string
  readonly file?: string
  readonly text: string
  readonly more?: Partial<ImportOptions>
  /** Amounts of wallet `w`, as they are booked; a text: the refusal. */
  readonly expected: ReadonlyArray<bigint> | string
  readonly also?: Readonly<Record<string, number>>
}

const cases: ReadonlyArray<Case> = [
  {
    name: "a direction that only later rows of JSONL have",
    file: "a.jsonl",
    text: jsonl(
      { id: 1, wallet_id: "w", amount: 10, currency: "EUR" },
      { id: 2, wallet_id: "w", amount: 3, currency: "EUR", direction: "debit" }
    ),
    expected: [1000n, -300n]
  },
  {
    name: "a currency that only later rows of JSONL have",
    file: "a.jsonl",
    text: jsonl({ id: 1, wallet_id: "v", amount: 10 }, { id: 2, wallet_id: "w", amount: 500, currency: "JPY" }),
    more: { currency: "EUR" },
    expected: [500n]
  },
  {
    name: "a balance that only later rows of JSONL have",
    file: "a.jsonl",
    text: jsonl(
      { id: 1, wallet_id: "w", amount: 10, currency: "EUR" },
      { id: 2, wallet_id: "w", amount: 3, currency: "EUR", balance: 12 }
    ),
    expected:
      "row 1 (line 1): the balance of wallet w would be 10.00 after this row, the file's other balances say 9.00: " +
      "the file begins with -1.00, and it is new"
  },
  {
    name: "rows of JSONL that name the same fields differently",
    file: "a.jsonl",
    text: jsonl(
      { transaction_id: 1, account_id: "w", amount: 1, currency: "EUR" },
      { id: 2, wallet_id: "w", amount: 2, currency: "EUR" }
    ),
    expected: [100n, 200n]
  },
  {
    name: "a row of JSONL without an amount",
    file: "a.jsonl",
    text: jsonl({ id: 1, wallet_id: "w", amount: 1, currency: "EUR" }, { id: 2, wallet_id: "w", currency: "EUR" }),
    expected: "row 2 (line 2): there is no amount column"
  },
  {
    name: "a row of JSONL without the field that is mapped to the direction",
    file: "a.jsonl",
    text: jsonl(
      { id: 1, wallet_id: "w", amount: 1, currency: "EUR", way: "debit" },
      { id: 2, wallet_id: "w", amount: 1, currency: "EUR" }
    ),
    more: { columns: { direction: "way" }, overdraft: "5" },
    expected: "row 2 (line 2): there is no way (mapped to direction)"
  },
  {
    name: "a mapped field that no row of JSONL has",
    file: "a.jsonl",
    text: jsonl({ id: 1, wallet_id: "w", amount: 1, currency: "EUR" }),
    more: { columns: { balance: "saldo" } },
    expected: "no row has saldo (mapped to balance)"
  },
  {
    name: "a list where nobody looks",
    file: "a.jsonl",
    text: jsonl({ id: 1, wallet_id: "w", amount: 1, currency: "EUR", tags: ["a", { amount: 5 }], ok: true }),
    expected: [100n]
  },
  {
    name: "a list where an amount belongs",
    file: "a.jsonl",
    text: jsonl({ id: 1, wallet_id: "w", amount: [1], currency: "EUR" }),
    expected: "row 1 (line 1): the value of amount is neither a text nor a number"
  },
  {
    name: "a field of JSONL that nobody mapped, strictly",
    file: "a.jsonl",
    text: jsonl(
      { id: 1, wallet_id: "w", amount: 1, currency: "EUR" },
      { id: 2, wallet_id: "w", amount: 1, currency: "EUR", fee: 1 }
    ),
    more: { strict: true },
    expected: "row 2 (line 2): --strict: nothing is said about fee"
  },
  {
    name: "a column that nobody mapped, strictly",
    text: "id,wallet_id,amount,currency,fee\n1,w,1,EUR,2\n",
    more: { strict: true },
    expected: "--strict: nothing is said about fee"
  },
  { name: "yen without decimals", text: `${header}1,w,500,JPY\n`, expected: [500n] },
  { name: "yen with decimals", text: `${header}1,w,500.00,JPY\n`, expected: '"500.00" has more than 0 decimals' },
  { name: "dinars with three decimals", text: `${header}1,w,1.5,KWD\n2,w,0.001,KWD\n`, expected: [1500n, 1n] },
  {
    name: "a currency that is no standard's",
    text: `${header}1,w,5,USDC\n`,
    expected: "ISO 4217 has no decimals for USDC"
  },
  {
    name: "a currency that is no standard's, with its decimals",
    text: `${header}1,w,5,USDC\n2,v,5,EUR\n`,
    more: { exponents: { others: 6, named: {} } },
    expected: [5_000_000n]
  },
  {
    name: "a decimal comma that nobody told of",
    text: `id;wallet_id;amount;currency\n1;w;1,50;EUR\n`,
    more: { delimiter: ";" },
    expected: '"1,50" is not an amount like 1234.56'
  },
  {
    name: "decimal commas and dots between thousands",
    text: `id;wallet_id;amount;currency\n1;w;1.234,50;EUR\n2;w;-1.000;EUR\n`,
    more: { delimiter: ";", decimal: decimal("1.234,56") },
    expected: [123450n, -100000n]
  },
  {
    name: "minus behind and in parentheses",
    text: `id;wallet_id;amount;currency\n1;w;5.00;EUR\n2;w;(2.00);EUR\n`,
    more: { delimiter: ";", decimal: decimal("(1234.56)") },
    expected: [500n, -200n]
  },
  {
    name: "rows of zero",
    text: `${header}1,w,0.00,EUR\n2,w,5,EUR\n3,w,-0,EUR\n`,
    expected: [500n],
    also: { zeroRows: 2 }
  },
  {
    name: "blank rows and empty lines",
    text: `${header}\n1,w,5,EUR\n,,,\n , ,,\n\n2,w,1,EUR\n\n`,
    expected: [500n, 100n],
    also: { blankRows: 5 }
  },
  {
    name: "blank rows of JSONL",
    file: "a.jsonl",
    text: `\n${jsonl({ id: 1, wallet_id: "w", amount: 1, currency: "EUR" }, { id: "", amount: null }, {})}\n`,
    expected: [100n],
    also: { blankRows: 4 }
  },
  { name: "a header and nothing else", text: header, expected: [] },
  { name: "an empty file", text: "", expected: "it is empty" },
  {
    name: "money in one column and out of another",
    text: "id,wallet_id,currency,Credit,Debit\n1,w,EUR,10.00,\n2,w,EUR,,4.00\n3,w,EUR,0.00,1.00\n4,w,EUR,0,0\n",
    more: { columns: { in: "Credit", out: "Debit" } },
    expected: [1000n, -400n, -100n],
    also: { zeroRows: 1 }
  },
  {
    name: "money in both columns",
    text: "id,wallet_id,currency,paid_in,paid_out\n1,w,EUR,10.00,1\n",
    expected: "in, out: both have an amount"
  },
  {
    name: "money in neither column",
    text: "id,wallet_id,currency,paid_in,paid_out\n1,w,EUR,,\n",
    expected: "in, out: both are empty"
  },
  {
    name: "a sign in a column that has one",
    text: "id,wallet_id,currency,paid_in,paid_out\n1,w,EUR,,-5\n",
    expected: "out: has a sign"
  },
  {
    name: "lines before the header, quotes and all",
    text: `Statement of "Joe's account\nFrom,2024-01-01\n${header}1,w,5,EUR\n2,w,x,EUR\n`,
    more: { skip: 2 },
    expected: 'row 2 (line 5): amount: "x" is not an amount'
  },
  {
    name: "lines before rows of JSONL",
    file: "a.jsonl",
    text: `# made today\n${jsonl({ id: 1, wallet_id: "w", amount: 1, currency: "EUR" })}`,
    more: { skip: 1 },
    expected: [100n]
  },
  {
    name: "more lines to skip than there are",
    text: `${header}1,w,5,EUR\n`,
    more: { skip: 9 },
    expected: "it is empty"
  },
  {
    name: "a first line for spreadsheets",
    text: `sep=;\r\nid;wallet_id;amount;currency\r\n1;w;5;EUR\r\n`,
    expected: [500n]
  },
  {
    name: "a first line for spreadsheets, and one more to skip",
    text: `sep=;\nBank\nid;wallet_id;amount;currency\n1;w;x;EUR\n`,
    more: { skip: 2 },
    expected: "row 1 (line 4): amount"
  },
  {
    name: "a first line that the caller contradicts",
    text: `sep=;\nid;wallet_id\n`,
    more: { delimiter: "," },
    expected: "its first line says sep=;, and --delimiter ,"
  },
  {
    name: "a balance that is ignored and is none",
    text: "id,wallet_id,amount,currency,balance\n1,w,5,EUR,n/a\n",
    more: { checkBalance: false },
    expected: [500n]
  },
  {
    name: "a balance that is none",
    text: "id,wallet_id,amount,currency,balance\n1,w,5,EUR,n/a\n",
    expected: 'balance: "n/a" is not an amount'
  },
  {
    name: "a wallet called wallet, with a row called wallet",
    text: "id,amount,currency\nwallet,5,EUR\nopening,1,EUR\n",
    more: { wallet: "w" },
    expected: [500n, 100n]
  },
  {
    name: "a statement of one account",
    text: "id,account_id,amount,currency\n1,CZ65 0800,5,EUR\n2,CZ65 0800,1,EUR\n",
    more: { wallet: "w" },
    expected: [500n, 100n]
  },
  {
    name: "a statement of one account that has two",
    text: "id,account_id,amount,currency\n1,A 1,5,EUR\n2,A 2,1,EUR\n",
    more: { wallet: "w" },
    expected: 'row 2 (line 3): --wallet: the account is "A 2", and "A 1" on line 2'
  },
  {
    name: "accounts by a map",
    text: `${header}1,assets:bank,5,EUR\n2,income:salary,1,EUR\n`,
    more: {
      walletMap: new Map([
        ["assets:bank", "w"],
        ["income:salary", ""]
      ])
    },
    expected: [500n],
    also: { unmappedRows: 1 }
  },
  {
    name: "an account that the map does not have",
    text: `${header}1,other,5,EUR\n`,
    more: { walletMap: new Map() },
    expected: '--wallet-map says nothing about "other"'
  },
  {
    name: "an account that is no id",
    text: `${header}1,assets:bank,5,EUR\n`,
    expected: 'wallet: "assets:bank" is not 1-64 of A-Z a-z 0-9 _ -; --wallet-map FILE'
  },
  {
    name: "an owner that changes",
    text: `id,wallet_id,amount,currency,owner_id\n1,w,5,EUR,ann\n2,w,5,EUR,bob\n`,
    expected: "row 2 (line 3): wallet w is ann's on line 2, not bob's"
  },
  {
    name: "a column bookedOn beside a date",
    text: "id,wallet_id,amount,currency,date,bookedOn\n1,w,5,EUR,2024-01-01,x\n",
    more: { metadata: ["bookedOn"] },
    expected: "metadata: the column bookedOn"
  },
  { name: "a header with columns that have no name", text: `${header.trim()},,\n1,w,5,EUR,,\n`, expected: [500n] },
  {
    name: "a word that is every object's",
    text: "id,wallet_id,amount,currency,direction\n1,w,5,EUR,constructor\n",
    expected: 'direction: "constructor" is neither credit nor debit'
  }
]

describe("rows", () => {
  for (const { also = {}, expected, file = "a.csv", more = {}, name, text } of cases) {
    it.live(`${typeof expected === "string" ? "refuses" : "takes"} ${name}`, () =>
      Effect.gen(function* () {
        if (typeof expected === "string") {
          assert.include(yield* refusal(file, text, more), expected)
          assert.deepStrictEqual(yield* walletIds, [])
          return
        }
        const report = counts(yield* importText(file, text, more))
        for (const [count, number] of Object.entries(also)) assert.strictEqual(report[count], number, count)
        if (expected.length > 0) assert.deepStrictEqual(yield* movements("w"), expected)
        const again = counts(yield* importText(file, text, more))
        assert.strictEqual(again.imported, undefined)
        assert.strictEqual(again.known, report.rows)
      }).pipe(Effect.provide(services))
    )
  }

  it.live("counts the values that nobody has asked for", () =>
    Effect.gen(function* () {
      const lines = jsonl(
        { id: 1, wallet_id: "w", amount: 1, currency: "EUR", fee: 1, note: "" },
        { id: 2, wallet_id: "w", amount: 1, currency: "EUR", fee: 2, note: "x" },
        { id: 3, transaction_id: 7, wallet_id: "w", amount: 1, currency: "EUR" }
      )
      const { ignored } = yield* importText("a.jsonl", lines)
      assert.deepStrictEqual(ignored, { fee: 2, note: 1, id: 1 })
    }).pipe(Effect.provide(services))
  )

  it.live("counts the names that nobody has asked for only as far as memory goes", () =>
    Effect.gen(function* () {
      const lines = jsonl(
        ...Array.from({ length: 500 }, (_, id) => ({ id, wallet_id: "w", amount: 1, currency: "EUR", [`x${id}`]: 1 }))
      )
      const { ignored } = yield* importText("a.jsonl", lines)
      assert.strictEqual(Object.keys(ignored).length, 65)
      assert.strictEqual(ignored["(others)"], 436)
    }).pipe(Effect.provide(services))
  )
})

const twice = "lines 2 and 3 of wallet w have the same id"

describe("ids of rows", () => {
  const refusals: ReadonlyArray<readonly [name: string, text: string, message: string]> = [
    ["the same id twice", `${header}1,w,5,EUR\n1,w,6,EUR\n`, twice],
    ["two equal rows with the same id", `${header}1,w,5,EUR\n1,w,5,EUR\n`, twice],
    [
      "the same id twice, far apart",
      `${header}1,w,5,EUR\n${Array.from({ length: 9000 }, (_, i) => `x${i},w,1,EUR\n`).join("")}1,w,5,EUR\n`,
      "lines 2 and 9003"
    ]
  ]
  for (const [name, text, message] of refusals) {
    it.live(`are refused with both lines: ${name}`, () =>
      Effect.gen(function* () {
        assert.include(yield* refusal("a.csv", text), message)
        assert.deepStrictEqual(yield* walletIds, [])
      }).pipe(Effect.provide(services))
    )
  }

  it.live("count for their wallet alone", () =>
    Effect.gen(function* () {
      yield* importText("a.csv", `${header}1,w,5,EUR\n1,v,-5,EUR\n`, { overdraft: "10" })
      assert.deepStrictEqual([yield* movements("w"), yield* movements("v")], [[500n], [-500n]])
    }).pipe(Effect.provide(services))
  )

  const equal = "txnidx,date,wallet_id,amount,currency,part\n1,2024-01-01,w,5,EUR,a\n1,2024-01-01,w,5,EUR,b\n"
  const apart: ReadonlyArray<readonly [name: string, more: Partial<ImportOptions>]> = [
    ["further columns", { rowIds: { _tag: "Columns", names: ["txnidx", "part"] } }],
    ["their lines", { rowIds: { _tag: "Line" }, columns: { id: "txnidx" } }],
    ["what they say, and how often", {}]
  ]
  for (const [name, more] of apart) {
    it.live(`are told apart by ${name}`, () =>
      Effect.gen(function* () {
        yield* importText("a.csv", equal, more)
        assert.deepStrictEqual(yield* movements("w"), [500n, 500n])
        assert.strictEqual((yield* importText("a.csv", equal, more)).known, 2)
        assert.strictEqual(yield* balance("w"), 1000n)
      }).pipe(Effect.provide(services))
    )
  }

  it.live("are not the same because their columns are put together the same way", () =>
    Effect.gen(function* () {
      const text = "a,b,wallet_id,amount,currency\nx y,z,w,1,EUR\nx,y z,w,1,EUR\n"
      yield* importText("a.csv", text, { rowIds: { _tag: "Columns", names: ["a", "b"] } })
      assert.deepStrictEqual(yield* movements("w"), [100n, 100n])
    }).pipe(Effect.provide(services))
  )

  it.live("made of what rows say survive an export that overlaps", () =>
    Effect.gen(function* () {
      const top = "date,wallet_id,amount,currency\n"
      const [a, b, c] = ["2024-01-01,w,5,EUR\n", "2024-01-02,w,3,EUR\n", "2024-01-03,w,5,EUR\n"]
      yield* importText("a.csv", `${top}${a}${b}${b}`)
      const { imported, known } = yield* importText("b.csv", `${top}${b}${b}${b}${c}`)
      assert.deepStrictEqual({ imported, known }, { imported: 2, known: 2 })
      assert.strictEqual(yield* balance("w"), 1900n)
    }).pipe(Effect.provide(services))
  )

  it.live("made of what rows say do not depend on what is kept or compared besides", () =>
    Effect.gen(function* () {
      const text = "date,wallet_id,amount,currency,balance\n2024-01-01,w,5,EUR,5.00\n"
      yield* importText("a.csv", text)
      assert.strictEqual((yield* importText("a.csv", text, { checkBalance: false })).known, 1)
      const shorter = text.replace("5.00", "+5")
      assert.strictEqual((yield* importText("a.csv", shorter)).known, 1)
      assert.strictEqual((yield* importText("a.csv", shorter, { checkBalance: false })).known, 1)
      assert.strictEqual((yield* importText("a.csv", text.replace("5.00", "?"), { checkBalance: false })).known, 0)
    }).pipe(Effect.provide(services))
  )

  it.live("of two files that are the same are told: another row is refused, the same row is counted", () =>
    Effect.gen(function* () {
      yield* importText("a.csv", `${header}1,w,5,EUR\n2,w,6,EUR\n`)
      const other = `${header}1,w,7,EUR\n3,w,1,EUR\n`
      assert.include(
        yield* refusal("b.csv", other),
        "FILE, row 1 (line 2): a row with this id was booked before, and said something else"
      )
      assert.strictEqual(yield* balance("w"), 1100n)
      const report = yield* importText("c.csv", `${header}9,w,1,EUR\n2,w,6,EUR\n`)
      assert.deepStrictEqual([report.imported, report.known, report.firstKnownLine], [1, 1, 3])
      assert.match(report.notes.join(), /1 row there already, the first on line 3: .*--source NAME/)
      assert.strictEqual(yield* balance("w"), 1200n)
    }).pipe(Effect.provide(services))
  )

  it.live("of two sources never meet", () =>
    Effect.gen(function* () {
      const text = `${header}1,w,5,EUR\n`
      yield* importText("a.csv", text)
      yield* importText("a.csv", text, { source: "bank" })
      yield* importText("a.csv", text, { source: "other" })
      assert.strictEqual((yield* importText("a.csv", text, { source: "bank" })).known, 1)
      assert.strictEqual(yield* balance("w"), 1500n)
    }).pipe(Effect.provide(services))
  )

  it.live("that no later file could be told from are noted", () =>
    Effect.gen(function* () {
      const { notes } = yield* importText("a.csv", "wallet_id,amount,currency\nw,5,EUR\nw,5,EUR\n")
      assert.match(notes.join(), /no id, no date and no balance/)
      assert.strictEqual(yield* balance("w"), 1000n)
      assert.deepStrictEqual(
        (yield* importText("b.csv", "date,wallet_id,amount,currency\n2024-01-01,v,5,EUR\n")).notes,
        []
      )
    }).pipe(Effect.provide(services))
  )

  it.live("that are made another way than the last time are noted, where no balance tells", () =>
    Effect.gen(function* () {
      const note = /1 wallet had movements before, none of which is a row of this file/
      const file = "id,date,wallet_id,amount,currency,memo\n1,2024-01-01,w,5,EUR,rent\n"
      assert.deepStrictEqual((yield* importText("a.csv", file)).notes, [])
      assert.deepStrictEqual((yield* importText("a.csv", file)).notes, [])
      const others: ReadonlyArray<Partial<ImportOptions>> = [
        { source: "bank" },
        { rowIds: { _tag: "Line" } },
        { rowIds: { _tag: "Columns", names: ["id", "memo"] } }
      ]
      for (const more of others) {
        const { notes } = yield* importText("a.csv", file, { ...more, dryRun: true })
        assert.match(notes.join(), note, JSON.stringify(more))
      }
      const bare = file.replaceAll(/^[^,]*,/gm, "")
      yield* importText("b.csv", bare.replace(",w,", ",v,"))
      const mapped = yield* importText("b.csv", bare.replace(",w,", ",v,"), { columns: { reference: "memo" } })
      assert.match(mapped.notes.join(), note)
      const withBalance = (text: string) => text.replace("memo", "balance").replace("rent", "5.00")
      assert.include(yield* refusal("a.csv", withBalance(file), { source: "bank" }), "row 1 (line 2): the balance")
    }).pipe(Effect.provide(services))
  )

  it.live("are whole letters: half a pair would be any other half", () =>
    Effect.gen(function* () {
      const half = (letter: string) => `{"id":"${letter}","wallet_id":"w","amount":1,"currency":"EUR"}\n`
      for (const letter of ["\\ud800", "x\\udc00", "\\udc00\\ud800"]) {
        assert.include(yield* refusal("a.jsonl", half(letter)), "row 1 (line 1): id: has half of a surrogate pair")
      }
      assert.strictEqual((yield* importText("a.jsonl", half("\\ud83d\\ude00") + half("\ud83d\ude01"))).imported, 2)
    }).pipe(Effect.provide(services))
  )

  it.live("may have any length and any letters", () =>
    Effect.gen(function* () {
      const long = "x".repeat(300)
      yield* importText("a.csv", `${header}${long}1,w,1,EUR\n${long}2,w,1,EUR\n\u00e9 1,w,1,EUR\n\u00e8 1,w,1,EUR\n`)
      assert.strictEqual(yield* balance("w"), 400n)
    }).pipe(Effect.provide(services))
  )

  it.live("lead to their wallet, which may be called wallet", () =>
    Effect.gen(function* () {
      yield* importText("a.csv", `${header}wallet,wallet,1,EUR\n`)
      assert.strictEqual((yield* importText("a.csv", `${header}wallet,wallet,1,EUR\n`)).known, 1)
      assert.strictEqual((yield* (yield* WalletEngine).getWallet({ walletId: "wallet" })).balance, 100n)
    }).pipe(Effect.provide(services))
  )
})
