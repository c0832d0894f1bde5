import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { importFile } from "../../../src/cli/import/Import.ts"
import type { ImportProgress } from "../../../src/cli/import/ImportOptions.ts"
import { WalletEngine } from "../../../src/engine/WalletEngine.ts"
import { balance, counts, options, refusal, services, temporaryFile, walletIds } from "./importing.ts"

const fixture = join(import.meta.dirname, "../fixtures/movements.csv")

const header = "transaction_id,account_id,direction,amount,balance_after,currency\n"

describe("import", () => {
  it.live("takes a bank's file as it is: wallets on first sight, rows in order, balances checked", () =>
    Effect.gen(function* () {
      const progress: Array<ImportProgress> = []
      const onProgress = (one: ImportProgress) => Effect.sync(() => progress.push(one))
      const report = yield* importFile(options(fixture, { onProgress }))
      assert.deepStrictEqual(counts(report), { rows: 5, imported: 5, walletsCreated: 2, balancesChecked: 5 })
      assert.strictEqual(yield* balance("alpha"), 7500n)
      assert.strictEqual(yield* balance("beta"), 5001n)
      assert.deepStrictEqual(progress.at(-1), { step: "book", done: 5, of: 5 })
      const engine = yield* WalletEngine
      const { data } = yield* engine.transactions({ walletId: "alpha", limit: 10 })
      assert.deepStrictEqual(
        data.map(({ amount, metadata, reference, type }) => ({ amount, metadata, reference, type })),
        [
          { amount: 525n, metadata: { bookedOn: "2024-01-03" }, reference: 'Refund "A"', type: "credit" },
          { amount: 3025n, metadata: { bookedOn: "2024-01-02" }, reference: null, type: "debit" },
          { amount: 10000n, metadata: { bookedOn: "2024-01-01" }, reference: "Opening", type: "credit" }
        ]
      )
    }).pipe(Effect.provide(services))
  )

  it.live("changes nothing when it runs again, and still checks every balance", () =>
    Effect.gen(function* () {
      yield* importFile(options(fixture))
      const report = yield* importFile(options(fixture))
      assert.deepStrictEqual(counts(report), { rows: 5, known: 5, firstKnownLine: 2, balancesChecked: 5 })
      assert.deepStrictEqual(report.notes, [])
      assert.strictEqual(yield* balance("alpha"), 7500n)
    }).pipe(Effect.provide(services))
  )

  it.live("finishes a file that grew since the last import", () =>
    Effect.gen(function* () {
      const first = yield* temporaryFile("a.csv", `${header}1,w,credit,1.00,1.00,EUR\n`)
      const grown = yield* temporaryFile("b.csv", `${header}1,w,credit,1.00,1.00,EUR\n2,w,debit,0.40,0.60,EUR\n`)
      yield* importFile(options(first))
      const report = yield* importFile(options(grown))
      assert.strictEqual(report.imported, 1)
      assert.strictEqual(report.known, 1)
      assert.strictEqual(yield* balance("w"), 60n)
    }).pipe(Effect.provide(services))
  )

  it.live("stops at the first balance that is not the bank's, and names the row", () =>
    Effect.gen(function* () {
      const text = `${header}1,w,credit,1.00,1.00,EUR\n2,w,credit,1.00,2.01,EUR\n3,w,credit,1.00,3.00,EUR\n`
      assert.strictEqual(
        yield* refusal("a.csv", text),
        "FILE, row 2 (line 3): the balance of wallet w is 2.00 after this row, the file says 2.01"
      )
      assert.deepStrictEqual(yield* walletIds, [])
    }).pipe(Effect.provide(services))
  )

  it.live("names the row that the rules of the wallet reject", () =>
    Effect.gen(function* () {
      const text = `${header}1,w,credit,1.00,,EUR\n2,w,debit,1.01,,EUR\n`
      assert.strictEqual(
        yield* refusal("a.csv", text),
        "FILE, row 2 (line 3): wallet w has 1.00 available, 1.01 required"
      )
    }).pipe(Effect.provide(services))
  )

  it.live("names a row in another currency than its wallet's", () =>
    Effect.gen(function* () {
      const text = `${header}1,w,credit,1.00,,EUR\n2,w,credit,1.00,,USD\n`
      assert.strictEqual(yield* refusal("a.csv", text), "FILE, row 2 (line 3): wallet w is in EUR, not USD")
    }).pipe(Effect.provide(services))
  )

  it.live("lets wallets that it creates go below zero where that is allowed", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile("a.csv", `${header}1,w,debit,5.00,-5.00,EUR\n`)
      yield* importFile(options(file, { overdraft: "10.00" }))
      assert.strictEqual(yield* balance("w"), -500n)
    }).pipe(Effect.provide(services))
  )

  it.live("finds columns by the caller's names, and takes the sign as direction where there is no other", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile("a.csv", "ref;konto;castka;branch\nx/1;w;10;north\nx/2;w;-4;\n")
      yield* importFile(
        options(file, {
          delimiter: ";",
          columns: { id: "ref", wallet: "konto", amount: "castka" },
          currency: "CZK",
          exponents: { others: undefined, named: { CZK: 0 } },
          metadata: ["branch"]
        })
      )
      assert.strictEqual(yield* balance("w"), 6n)
      const { data } = yield* (yield* WalletEngine).transactions({ walletId: "w", limit: 10 })
      assert.deepStrictEqual(
        data.map((one) => one.metadata),
        [{}, { branch: "north" }]
      )
    }).pipe(Effect.provide(services))
  )

  it.live("reads JSONL, numbers exactly as they stand", () =>
    Effect.gen(function* () {
      const lines = [
        { id: 1, wallet_id: "w", currency: "EUR", amount: "AMOUNT", balance: "90071992547409.93" },
        { id: "2", wallet_id: "w", currency: "EUR", amount: -0.93, balance: null }
      ]
      const text = lines.map((line) => JSON.stringify(line).replace('"AMOUNT"', "90071992547409.93")).join("\n")
      const file = yield* temporaryFile("a.jsonl", `${text}\n\n`)
      const report = yield* importFile(options(file))
      assert.strictEqual(report.balancesChecked, 1)
      assert.strictEqual(yield* balance("w"), 9007199254740900n)
    }).pipe(Effect.provide(services))
  )

  const unfit: ReadonlyArray<readonly [name: string, text: string, message: string]> = [
    ["a.csv", `${header}1,w,credit,1.005,,EUR\n`, 'row 1 (line 2): amount: "1.005" has more than 2 decimals'],
    ["a.csv", `${header}1,w,credit,1e3,,EUR\n`, 'row 1 (line 2): amount: "1e3" is not an amount like 1234.56'],
    ["a.csv", `${header}1,w,credit,-1,,EUR\n`, "row 1 (line 2): amount: has a sign although there is a direction"],
    ["a.csv", `${header}1,w,in,1,,EUR\n`, 'row 1 (line 2): direction: "in" is neither credit nor debit'],
    ["a.csv", `${header},w,credit,1,,EUR\n`, "row 1 (line 2): id: is empty"],
    ["a.csv", `${header}1,w w,credit,1,,EUR\n`, 'row 1 (line 2): wallet: "w w" is not 1-64 of A-Z a-z 0-9 _ -'],
    ["a.csv", `${header}1,w,credit,1,,eur\n`, 'row 1 (line 2): currency: "eur" is not a code like EUR'],
    ["a.csv", `${header}1,w,credit,1,x,EUR\n`, 'row 1 (line 2): balance: "x" is not an amount like 1234.56'],
    ["a.csv", "id,amount,currency\n1,2,EUR\n", "there is no wallet column; name it by --map wallet=COLUMN"],
    ["a.csv", "id,wallet_id,amount\n1,w,2\n", "there is no currency column; give --currency CODE"],
    ["a.csv", "id,id,amount\n1,w,2\n", "the header names the column id twice"],
    ["a.csv", `${header}1,w,credit\n`, "Invalid Record Length"],
    ["a.csv", `${header}1,"w,credit\n`, "Quote Not Closed"],
    ["a.jsonl", "{\n", "line 1: "],
    ["a.jsonl", "[1]\n", "line 1: "],
    [
      "a.jsonl",
      '{"id":true,"wallet_id":"w","amount":1,"currency":"EUR"}\n',
      "the value of id is neither a text nor a number"
    ],
    [
      "a.jsonl",
      '{"id":1,"wallet_id":"w","amount":1,"currency":"EUR","amount":2}\n',
      "line 1: a name stands in it twice"
    ]
  ]
  for (const [name, text, message] of unfit) {
    it.live(`refuses ${JSON.stringify(text.replace(header, ""))}`, () =>
      Effect.gen(function* () {
        assert.include(yield* refusal(name, text), message)
        const engine = yield* WalletEngine
        assert.deepStrictEqual((yield* engine.searchWallets({ limit: 10 })).data, [])
      }).pipe(Effect.provide(services))
    )
  }

  it.live("books nothing of a file in which one row does not parse, whosever it is", () =>
    Effect.gen(function* () {
      const text = `${header}1,w,credit,1.00,1.00,EUR\n2,v,credit,x,2.00,EUR\n`
      assert.include(yield* refusal("a.csv", text), "row 2 (line 3)")
      assert.deepStrictEqual(yield* walletIds, [])
    }).pipe(Effect.provide(services))
  )

  it.live("names a file that is not there", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(importFile(options("/nonexistent/file.csv")))
      assert.match(error.message, /^\/nonexistent\/file\.csv cannot be read: .+/)
    }).pipe(Effect.provide(services))
  )
})
