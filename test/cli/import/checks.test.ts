import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import type { ImportOptions, Opening } from "../../../src/cli/import/ImportOptions.ts"
import type { CommandError } from "../../../src/actors/EngineError.ts"
import { type Applied, ImportTarget, TargetFailed } from "../../../src/cli/import/ImportTarget.ts"
import { importKeyPrefix } from "../../../src/domain/Limits.ts"
import { WalletEngine } from "../../../src/engine/WalletEngine.ts"
import { balance, counts, importText, movements, refusal, services, walletIds } from "./importing.ts"

const header = "id,wallet_id,amount,balance,currency\n"
const fromFile: Opening = { _tag: "File" }
const amount = (text: string): Opening => ({ _tag: "Amount", text })

/** Rows of wallet `w` in EUR: `[amount, balance]`, ids counted from `first`. */
const rows = (
  list: ReadonlyArray<readonly [amount: number, balance: number | string]>,
  first = 1
): ReadonlyArray<string> =>
  list.map(
    ([moved, after], index) =>
      `${first + index},w,${moved.toFixed(2)},${typeof after === "number" ? after.toFixed(2) : after},EUR\n`
  )

const credit = (walletId: string, units: bigint, idempotencyKey: string) =>
  Effect.flatMap(WalletEngine, (engine) => engine.credit({ walletId, amount: units, idempotencyKey }))

const newWallet = (walletId: string, more: { readonly overdraftLimit?: bigint; readonly currency?: string } = {}) =>
  Effect.flatMap(WalletEngine, (engine) =>
    engine.createWallet({ id: walletId, ownerId: "o", currency: "EUR", idempotencyKey: "new", ...more })
  )

const january = rows([
  [5, 5],
  [2, 7],
  [-3, 4]
])
const february = rows(
  [
    [10, 14],
    [-4, 10]
  ],
  4
)
const text = (...lists: ReadonlyArray<ReadonlyArray<string>>): string => header + lists.flat().join("")

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
      { opening: amount("4.00") },
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
      { opening: amount("4.00") },
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
      { opening: amount("5") },
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
      `${header}1,w,1,,EUR\n1,v,1,,EUR\n`,
      { opening: amount("5") },
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
      "row 2 (line 3): wallet w has 500 available, 600 required"
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
      const mixed = header + other.map((row, index) => row + down[index]!).join("")
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
    Effect.runPromise(
      Effect.promise(() =>
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
        )
      )
    ))
})

describe("a file against its wallets", () => {
  it.live("counts what is booked as booked, though the wallet has moved since", () =>
    Effect.gen(function* () {
      yield* importText("a.csv", text(january))
      yield* credit("w", 99n, "theirs")
      const report = yield* importText("a.csv", text(january))
      assert.deepStrictEqual([report.imported, report.known], [0, 3])
      assert.strictEqual(yield* balance("w"), 499n)
    }).pipe(Effect.provide(services))
  )

  it.live("goes on where the statement before ended", () =>
    Effect.gen(function* () {
      yield* importText("a.csv", text(january))
      yield* importText("b.csv", text(february))
      yield* importText("c.csv", text(january, february))
      assert.deepStrictEqual(yield* movements("w"), [500n, 200n, -300n, 1000n, -400n])
    }).pipe(Effect.provide(services))
  )

  it.live("goes on with the opening balance that is there, and not with another", () =>
    Effect.gen(function* () {
      yield* importText("a.csv", text(january), { opening: fromFile })
      yield* importText("b.csv", text(february), { opening: fromFile })
      yield* importText("b.csv", text(february), { opening: fromFile })
      const march = rows([[1, 12]], 9)
      assert.include(
        yield* refusal("c.csv", text(march), { opening: fromFile }),
        "wallet w has 10.00, not the opening balance 11.00"
      )
      const bare = rows([[1, ""]], 9)
      assert.include(
        yield* refusal("c.csv", text(bare), { opening: amount("3") }),
        "wallet w has 10.00, not the opening balance 3.00"
      )
      assert.deepStrictEqual(yield* movements("w"), [500n, 200n, -300n, 1000n, -400n])
    }).pipe(Effect.provide(services))
  )

  it.live("finishes what a run before could only begin, in the middle and at its end", () =>
    Effect.gen(function* () {
      yield* importText("a.csv", text(january.slice(0, 2)))
      const report = yield* importText("a.csv", text([...january, ...february].reverse()))
      assert.deepStrictEqual([report.imported, report.known], [3, 2])
      assert.deepStrictEqual(yield* movements("w"), [500n, 200n, -300n, 1000n, -400n])
    }).pipe(Effect.provide(services))
  )

  it.live("is refused where the wallet has other movements, before anything is booked", () =>
    Effect.gen(function* () {
      yield* importText("a.csv", text(january))
      yield* credit("w", 99n, "theirs")
      const both = text(january, february)
      const message =
        "row 4 (line 5): the balance of wallet w would be 14.99 after this row, the file says 14.00: it has had movements"
      assert.include(yield* refusal("a.csv", both), message)
      assert.strictEqual(yield* balance("w"), 499n)
      yield* importText("a.csv", both, { checkBalance: false })
      assert.strictEqual(yield* balance("w"), 1099n)
    }).pipe(Effect.provide(services))
  )

  it.live("is refused where a row was booked with another balance", () =>
    Effect.gen(function* () {
      yield* newWallet("w")
      yield* credit("w", 100n, "theirs")
      yield* importText("a.csv", text(january), { checkBalance: false })
      assert.include(
        yield* refusal("a.csv", text(january)),
        "row 1 (line 2): was booked before, with a balance of 6.00, and the file says 5.00"
      )
    }).pipe(Effect.provide(services))
  )

  it.live("is refused before it begins where a wallet is in another currency, frozen or closed", () =>
    Effect.gen(function* () {
      const engine = yield* WalletEngine
      yield* newWallet("w", { currency: "USD" })
      assert.include(yield* refusal("a.csv", text(january)), "row 1 (line 2): wallet w is in USD, not EUR")
      yield* newWallet("cold")
      yield* engine.freeze({ walletId: "cold", idempotencyKey: "f" })
      assert.include(
        yield* refusal("a.csv", text(january).replaceAll(",w,", ",cold,")),
        "row 3 (line 4): wallet cold is frozen"
      )
      assert.strictEqual(yield* balance("cold"), 0n)
      yield* newWallet("gone")
      yield* engine.close({ walletId: "gone", idempotencyKey: "c" })
      assert.include(
        yield* refusal("a.csv", text(january).replaceAll(",w,", ",gone,")),
        "row 1 (line 2): wallet gone is closed"
      )
    }).pipe(Effect.provide(services))
  )

  it.live("is checked again as it is booked: a wallet that moves meanwhile is told", () =>
    Effect.gen(function* () {
      yield* newWallet("w")
      const engine = yield* WalletEngine
      const theirs = Effect.asVoid(engine.credit({ walletId: "w", amount: 1n, idempotencyKey: "between" }))
      const message = yield* refusal("a.csv", text(january), {
        onProgress: ({ done, of, step }) => (step === "compare" && done === of ? Effect.orDie(theirs) : Effect.void)
      })
      assert.include(
        message,
        "is 5.01 after this row, the file says 5.00: it has moved since the file was checked (rows before it may be booked)"
      )
      assert.strictEqual((yield* engine.getWallet({ walletId: "w" })).balance, 401n)
    }).pipe(Effect.provide(services))
  )

  it.live("asks for keys without using them up", () =>
    Effect.gen(function* () {
      const target = yield* ImportTarget
      yield* newWallet("w", { overdraftLimit: 10n ** 29n })
      yield* credit("w", 1n, `${importKeyPrefix}row:1`)
      const asked = ["1", "2"].map((id) => ({ walletId: "w", idempotencyKey: `${importKeyPrefix}row:${id}` }))
      for (let times = 0; times < 2; times++) {
        const answers = yield* target.ask([...asked, { walletId: "none", idempotencyKey: "k" }])
        assert.deepStrictEqual(answers.map(Result.getOrThrow), ["done", "new", "no wallet"])
      }
      assert.strictEqual((yield* (yield* WalletEngine).getWallet({ walletId: "w" })).version, 1)
    }).pipe(Effect.provide(services))
  )
})

/** Answers that get lost, before the command is done or after. */
const unreliable = (fails: (item: number) => "before" | "after" | undefined) =>
  Layer.effect(
    ImportTarget,
    Effect.map(ImportTarget, (target) => {
      let count = 0
      const lost = Result.fail(new TargetFailed({ code: "StoreUnavailable", reason: "away", mayPass: true }))
      return ImportTarget.of({
        ...target,
        move: (moves) =>
          Effect.gen(function* () {
            const fates = moves.map(() => fails(count++))
            const sent = moves.filter((_, index) => fates[index] !== "before")
            const answers = [...(yield* target.move(sent))]
            return fates.map((fate) =>
              fate === "before" ? lost : fate === "after" ? (answers.shift(), lost) : answers.shift()!
            )
          })
      })
    })
  ).pipe(Layer.provideMerge(services))

describe("a target that fails now and then", () => {
  it.live("gets a row again until it is done, and those behind it again with it", () =>
    Effect.gen(function* () {
      const report = yield* importText("a.csv", text(january, february))
      assert.strictEqual(report.rows, 5)
      assert.deepStrictEqual(yield* movements("w"), [500n, 200n, -300n, 1000n, -400n])
    }).pipe(
      Effect.provide(unreliable((item) => (item === 4 ? "before" : item === 1 || item === 2 ? "after" : undefined)))
    )
  )

  it.live("that does not come back stops the import, and the next run finishes it", () =>
    Effect.gen(function* () {
      const engine = yield* WalletEngine
      const broken = Layer.succeed(
        ImportTarget,
        ImportTarget.of({
          ...(yield* ImportTarget),
          move: (moves) =>
            Effect.forEach(moves, (move, index): Effect.Effect<Result.Result<Applied, TargetFailed>, CommandError> =>
              index >= 2
                ? Effect.succeed(Result.fail(new TargetFailed({ code: "Gone", reason: "gone", mayPass: false })))
                : Effect.map(engine[move.direction](move), ({ wallet }) =>
                    Result.succeed({ replayed: false, balance: wallet.balance })
                  )
            ).pipe(Effect.orDie)
        })
      )
      const stopped = yield* Effect.provide(refusal("a.csv", text(january, february)), broken)
      assert.include(stopped, "row 3 (line 4): gone (rows before it may be booked)")
      assert.deepStrictEqual(yield* movements("w"), [500n, 200n])
      const report = yield* importText("a.csv", text(january, february))
      assert.deepStrictEqual([report.imported, report.known], [3, 2])
      assert.deepStrictEqual(yield* movements("w"), [500n, 200n, -300n, 1000n, -400n])
    }).pipe(Effect.provide(services))
  )
})
