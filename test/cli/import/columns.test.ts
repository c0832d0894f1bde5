import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ImportOptions } from "../../../src/cli/import/ImportOptions.ts"
import { importText, movements, refusal, services, walletIds } from "./importing.ts"

const jsonl = (...rows: ReadonlyArray<unknown>): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("")

interface Case {
  readonly name: string
  readonly file?: string
  readonly text: string
  readonly more?: Partial<ImportOptions>
  /** Amounts of wallet `w`; a text: the refusal. */
  readonly expected: ReadonlyArray<bigint> | string
}

const typed = "id,wallet_id,type,amount,currency\n1,w,credit,5,EUR\n2,w,Debit,3,EUR\n"

const cases: ReadonlyArray<Case> = [
  {
    name: "known whichever way they are written: with capitals",
    text: "ID,Wallet ID,Direction,Amount,Balance After,Currency\n1,w,credit,5,5,EUR\n2,w,debit,3,2,EUR\n",
    expected: [500n, -300n]
  },
  {
    name: "known whichever way they are written: like a program's",
    file: "a.jsonl",
    text: jsonl(
      { transactionId: 1, walletId: "w", amountIn: 5, currency: "EUR" },
      { transactionId: 2, walletId: "w", "amount-out": 3, balanceAfter: 2, currency: "EUR" }
    ),
    expected: [500n, -300n]
  },
  {
    name: "checked whichever way they are written",
    text: "id,wallet_id,amount,BALANCE,currency\n1,w,5,999,EUR\n",
    expected: "row 1 (line 2): the balance of wallet w would be 5.00 after this row, the file says 999.00"
  },
  {
    name: "never one of two that may be meant",
    text: "id,wallet_id,amount,Amount,currency\n1,w,5,6,EUR\n",
    expected: "amount and Amount may both be the amount; say which by --map amount=COLUMN"
  },
  {
    name: "one of two, where the caller says which",
    text: "id,wallet_id,amount,Amount,currency\n1,w,5,6,EUR\n",
    more: { columns: { amount: "Amount" } },
    expected: [600n]
  },
  {
    name: "both there, where one says what comes in",
    text: "id,wallet_id,amount_in,withdrawn,currency\n1,w,5,0,EUR\n2,w,0.00,3.00,EUR\n",
    expected: "there is amount_in, and no column of what goes out; name both by --map in=COLUMN --map out=COLUMN"
  },
  {
    name: "both there, where one says what goes out",
    text: "id,wallet_id,Paid Out,currency\n1,w,5,EUR\n",
    expected: "there is Paid Out, and no column of what comes in"
  },
  {
    name: "both there, or the only one is the amount",
    text: "id,wallet_id,amount_in,currency\n1,w,5,EUR\n",
    more: { columns: { amount: "amount_in" } },
    expected: [500n]
  },
  {
    name: "not passed over where one says that money goes, and the amount that it comes",
    text: typed,
    expected: 'row 2 (line 3): type: "debit", and the amount is above zero; --map direction=type says which way'
  },
  {
    name: "not passed over where one says that money comes, and the amount that it goes",
    file: "a.jsonl",
    text: jsonl({ id: 1, wallet_id: "w", amount: -5, currency: "EUR", kind: " CRDT " }),
    expected: 'row 1 (line 1): kind: "crdt", and the amount is below zero'
  },
  {
    name: "taken for the direction where the caller says so",
    text: typed,
    more: { columns: { direction: "type" } },
    expected: [500n, -300n]
  },
  { name: "kept where the caller says so", text: typed, more: { metadata: ["type"] }, expected: [500n, 300n] },
  { name: "passed over where they agree with the sign", text: typed.replace(",3,", ",-3,"), expected: [500n, -300n] },
  {
    name: "not called __proto__",
    text: "id,wallet_id,amount,currency,__proto__\n1,w,5,EUR,x\n",
    more: { metadata: ["__proto__"] },
    expected: "the header has a column __proto__, which is not read"
  },
  {
    name: "kept without the blanks around their values, so that another end of line changes nothing",
    text: "id,wallet_id,amount,currency,memo\n1,w,5,EUR,a\r\n",
    more: { metadata: ["memo"] },
    expected: [500n]
  },
  {
    name: "not full of rows: two stray quotes at the end",
    text: 'id,wallet_id,amount,currency,memo\n1,w,5,EUR,"Joe\n2,w,6,EUR,x\n3,w,7,EUR,Joe"\n4,w,8,EUR,y\n',
    expected: "line 4: the value of memo holds whole rows; a quote begins or ends it by mistake"
  },
  {
    name: "not full of rows: two stray quotes in the middle",
    text: 'id;memo;wallet_id;amount;currency\r\n1;"Joe;w;5;EUR\r\n2;Joe";w;6;EUR\r\n',
    more: { delimiter: ";" },
    expected: "line 3: the value of memo holds whole rows"
  },
  {
    name: "of several lines, as a text may be",
    text: 'id,memo,wallet_id,amount,currency\n\n1,"Joe, from,\nthe bar,\n\nwith thanks, a, b",w,5,EUR\n2,"a\nb",w,6,EUR\n',
    expected: [500n, 600n]
  },
  { name: "named by a header: blank lines are none", text: "\n\n\n", expected: "it is empty" }
]

describe("columns", () => {
  for (const { expected, file = "a.csv", more = {}, name, text } of cases) {
    it.live(`are ${name}`, () =>
      Effect.gen(function* () {
        if (typeof expected === "string") {
          assert.include(yield* refusal(file, text, more), expected)
          assert.deepStrictEqual(yield* walletIds, [])
          return
        }
        yield* importText(file, text, more)
        assert.strictEqual((yield* importText(file, text.replaceAll("\r\n", "\n"), more)).imported, 0)
        assert.deepStrictEqual(yield* movements("w"), expected)
      }).pipe(Effect.provide(services))
    )
  }
})
