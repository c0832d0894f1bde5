import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import type { ImportOptions } from "../../../src/cli/import/ImportOptions.ts"
import { WalletEngine } from "../../../src/engine/WalletEngine.ts"
import {
  amountOf,
  balance,
  balanceHeader,
  counts,
  february,
  fromFile,
  importText,
  january,
  movements,
  refusal,
  rows,
  services,
  text,
  walletIds
} from "./importing.ts"

describe("balances of a file", () => {
  const fit: ReadonlyArray<
    readonly [
      name: string,
      text: string,
      more: Partial<ImportOptions>,
      booked: ReadonlyArray<bigint>,
      also: Readonly<Record<string, number>>
    ]
  > = [
    ["from oldest to newest", text(january), {}, [500n, 200n, -300n], {}],
    ["from newest to oldest", text([...january].reverse()), {}, [500n, 200n, -300n], { newestFirst: 1 }],
    ["one row", text(rows([[5, 5]])), {}, [500n], {}],
    [
      "not in every row",
      text(
        rows([
          [5, ""],
          [2, 7],
          [-3, ""],
          [1, 5]
        ])
      ),
      {},
      [500n, 200n, -300n, 100n],
      {}
    ],
    [
      "not in every row, from newest to oldest",
      text(
        [
          ...rows([
            [5, ""],
            [2, 7],
            [-3, ""],
            [1, 5],
            [1, ""]
          ])
        ].reverse()
      ),
      {},
      [500n, 200n, -300n, 100n, 100n],
      { newestFirst: 1 }
    ],
    [
      "of rows of zero",
      text(
        rows([
          [5, 5],
          [0, 5],
          [1, 6]
        ])
      ),
      {},
      [500n, 100n],
      { zeroRows: 1 }
    ],
    [
      "after an opening balance that the file tells",
      text(february),
      { opening: fromFile },
      [400n, 1000n, -400n],
      { openings: 1 }
    ],
    [
      "after an opening balance that the caller tells",
      text(february),
      { opening: amountOf("4.00") },
      [400n, 1000n, -400n],
      { openings: 1 }
    ],
    [
      "after an opening balance, from newest to oldest",
      text([...february].reverse()),
      { opening: fromFile },
      [400n, 1000n, -400n],
      { openings: 1, newestFirst: 1 }
    ],
    [
      "after an opening balance below zero",
      text(rows([[5, 3]])),
      { opening: fromFile, overdraft: "2.00" },
      [-200n, 500n],
      { openings: 1 }
    ],
    [
      "none, after an opening balance",
      text(rows([[5, ""]])),
      { opening: amountOf("4.00") },
      [400n, 500n],
      { openings: 1 }
    ],
    ["after an opening balance of zero", text(january), { opening: fromFile }, [500n, 200n, -300n], {}],
    [
      "that are ignored",
      text(
        rows([
          [5, 1],
          [2, 1]
        ])
      ),
      { checkBalance: false },
      [500n, 200n],
      {}
    ]
  ]
  for (const [name, file, more, booked, also] of fit) {
    it.live(`fit: ${name}; once and again, and in a dry run that changes nothing`, () =>
      Effect.gen(function* () {
        const dry = counts(yield* importText("a.csv", file, { ...more, dryRun: true }))
        assert.deepStrictEqual(yield* walletIds, [])
        const report = counts(yield* importText("a.csv", file, more))
        assert.deepStrictEqual({ ...dry, dryRun: undefined }, { ...report, dryRun: undefined })
        assert.deepStrictEqual(yield* movements("w"), booked)
        for (const [count, number] of Object.entries(also)) assert.strictEqual(report[count], number, count)
        const again = counts(yield* importText("a.csv", file, more))
        assert.deepStrictEqual([again.imported, again.openings, again.known], [undefined, undefined, report.rows])
        assert.deepStrictEqual(yield* movements("w"), booked)
      }).pipe(Effect.provide(services))
    )
  }

  const unfit: ReadonlyArray<readonly [name: string, text: string, more: Partial<ImportOptions>, message: string]> = [
    [
      "in the middle",
      text(
        rows([
          [5, 5],
          [2, 7.01],
          [-3, 4.01]
        ])
      ),
      {},
      "row 2 (line 3): the balance of wallet w is 7.00 after this row, the file says 7.01"
    ],
    [
      "in the last row",
      text(
        rows([
          [5, 5],
          [2, 7],
          [-3, 4.01]
        ])
      ),
      {},
      "row 3 (line 4): the balance of wallet w is 4.00 after this row, the file says 4.01"
    ],
    [
      "from newest to oldest",
      text(
        [
          ...rows([
            [5, 5],
            [2, 7],
            [-3, 4.5],
            [1, 5.5]
          ])
        ].reverse()
      ),
      {},
      "row 3 (line 4): the balance of wallet w is 7.50 after this row, the file says 7.00"
    ],
    [
      "of a row of zero",
      text(
        rows([
          [5, 5],
          [0, 6],
          [1, 6]
        ])
      ),
      {},
      "row 2 (line 3)"
    ],
    ["where the order is told", text([...january].reverse()), { order: "oldest-first" }, "row 2 (line 3)"],
    [
      "with an opening that nobody told of",
      text(february),
      {},
      "row 1 (line 2): the balance of wallet w would be 10.00 after this row, the file says 14.00: the file begins with 4.00, and it is new; --opening file"
    ],
    [
      "with an opening that is another",
      text(february),
      { opening: amountOf("5") },
      "wallet w begins with 4.00 in the file, and --opening says 5"
    ],
    [
      "with no balances to take an opening from",
      text(rows([[5, ""]])),
      { opening: fromFile },
      "--opening file: wallet w has no balances in the file"
    ],
    ["with an opening below what is allowed", text(rows([[5, 3]])), { opening: fromFile }, "cannot begin below zero"],
    [
      "with one opening for two wallets",
      `${balanceHeader}1,w,1,,EUR\n1,v,1,,EUR\n`,
      { opening: amountOf("5") },
      "--opening AMOUNT is for a file of one wallet"
    ],
    [
      "that go below what is allowed",
      text(
        rows([
          [5, 5],
          [-6, -1]
        ])
      ),
      {},
      "row 2 (line 3): wallet w has 5.00 available, 6.00 required"
    ],
    [
      "though only a row of zero has one",
      text(
        rows([
          [5, ""],
          [0, 100]
        ])
      ),
      {},
      "row 1 (line 2): the balance of wallet w would be 5.00 after this row, the file's other balances say 100.00: " +
        "the file begins with 95.00, and it is new; --opening file books that first"
    ],
    [
      "though only a row of zero has one, from newest to oldest",
      text(
        rows([
          [0, 100],
          [2, ""],
          [5, ""]
        ])
      ),
      { order: "newest-first" },
      "row 3 (line 4): the balance of wallet w would be 5.00 after this row, the file's other balances say 98.00"
    ],
    [
      "in either order equally, where the opening balance is to be booked",
      text(
        rows([
          [5, 5],
          [-5, 0]
        ])
      ),
      { opening: fromFile },
      "row 1 (line 2): --opening file: the balances of wallet w fit either way, from 0.00 or, newest first, from 5.00; " +
        "give --order oldest-first or newest-first"
    ]
  ]
  for (const [name, file, more, message] of unfit) {
    it.live(`do not fit ${name}: the row is named, nothing is booked`, () =>
      Effect.gen(function* () {
        assert.include(yield* refusal("a.csv", file, more), message)
        assert.deepStrictEqual(yield* walletIds, [])
        assert.include(yield* refusal("a.csv", file, { ...more, dryRun: true }), message)
      }).pipe(Effect.provide(services))
    )
  }

  it.live("are those of their own wallet, whichever way each runs", () =>
    Effect.gen(function* () {
      const other = ["1,v,1.00,1.00,EUR\n", "2,v,2.00,3.00,EUR\n", "3,v,4.00,7.00,EUR\n"]
      const down = [...january].reverse()
      const mixed = balanceHeader + other.map((row, index) => row + down[index]!).join("")
      assert.strictEqual((yield* importText("a.csv", mixed)).newestFirst, 1)
      assert.deepStrictEqual(
        [yield* movements("w"), yield* movements("v")],
        [
          [500n, 200n, -300n],
          [100n, 200n, 400n]
        ]
      )
    }).pipe(Effect.provide(services))
  )

  it.live("that fit both ways go by the dates", () =>
    Effect.gen(function* () {
      const dated = (days: ReadonlyArray<string>) =>
        `id,wallet_id,amount,balance,currency,date\n${days.map((day, i) => `${i},w,${i % 2 === 0 ? 5 : -5},${i % 2 === 0 ? 5 : 0},EUR,${day}\n`).join("")}`
      assert.strictEqual((yield* importText("a.csv", dated(["2024-01-01", "2024-01-02", "2024-01-03"]))).newestFirst, 0)
      const falling = dated(["2024-01-03", "2024-01-02", "2024-01-01"]).replaceAll(",w,", ",v,")
      assert.strictEqual((yield* importText("b.csv", falling)).newestFirst, 1)
      const { data } = yield* (yield* WalletEngine).transactions({ walletId: "v", limit: 10 })
      assert.deepStrictEqual(
        data.map(({ metadata }) => metadata.bookedOn),
        ["2024-01-03", "2024-01-02", "2024-01-01"]
      )
    }).pipe(Effect.provide(services))
  )

  it.live("that are not there do not tell that the dates run from newest to oldest: the caller has to", () =>
    Effect.gen(function* () {
      const dated = "id,wallet_id,amount,currency,date\n2,w,-3,EUR,2024-01-02\n1,w,5,EUR,2024-01-01\n"
      assert.include(yield* refusal("a.csv", dated), "give --order newest-first or oldest-first")
      yield* importText("a.csv", dated, { order: "newest-first" })
      assert.deepStrictEqual(yield* movements("w"), [500n, -300n])
    }).pipe(Effect.provide(services))
  )

  it.live("of more rows than a page of the spool holds fit from newest to oldest, too", () =>
    Effect.gen(function* () {
      const many = rows(Array.from({ length: 12_000 }, (_, index) => [1, index + 1] as const))
      const report = yield* importText("a.csv", text([...many].reverse()))
      assert.deepStrictEqual([report.imported, report.newestFirst], [12_000, 1])
      assert.strictEqual(yield* balance("w"), 1_200_000n)
    }).pipe(Effect.provide(services))
  )

  it("of any file are right one way, the other way round, and wrong after any change", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 3, maxLength: 8 }),
        fc.nat(),
        fc.boolean(),
        (moves, place, turn) => {
          let sum = 0
          const list = rows(moves.map((units) => [units / 100, (sum += units) / 100] as const))
          const at = place % list.length
          const broken = list.map((row, index) =>
            index === at
              ? row.replace(/,(\d+\.\d\d),EUR/, (_, x: string) => `,${(Number(x) + 1000).toFixed(2)},EUR`)
              : row
          )
          const order = (all: ReadonlyArray<string>) => (turn ? [...all].reverse() : all)
          return Effect.runPromise(
            Effect.gen(function* () {
              yield* refusal("b.csv", text(order(broken)))
              assert.deepStrictEqual(yield* walletIds, [])
              yield* importText("a.csv", text(order(list)))
              assert.deepStrictEqual(yield* movements("w"), moves.map(BigInt))
            }).pipe(Effect.provide(services))
          )
        }
      ),
      { numRuns: 25 }
    ))
})
