import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { CommandError } from "../../../src/actors/EngineError.ts"
import { type Applied, ImportTarget, TargetFailed } from "../../../src/cli/import/ImportTarget.ts"
import { importKeyPrefix } from "../../../src/domain/Limits.ts"
import { WalletEngine } from "../../../src/engine/WalletEngine.ts"
import {
  amountOf,
  balance,
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

const credit = (walletId: string, units: bigint, idempotencyKey: string) =>
  Effect.flatMap(WalletEngine, (engine) => engine.credit({ walletId, amount: units, idempotencyKey }))

const newWallet = (walletId: string, more: { readonly overdraftLimit?: bigint; readonly currency?: string } = {}) =>
  Effect.flatMap(WalletEngine, (engine) =>
    engine.createWallet({ id: walletId, ownerId: "o", currency: "EUR", idempotencyKey: "new", ...more })
  )

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
        yield* refusal("c.csv", text(bare), { opening: amountOf("3") }),
        "wallet w has 10.00, not the opening balance 3.00"
      )
      assert.deepStrictEqual(yield* movements("w"), [500n, 200n, -300n, 1000n, -400n])
    }).pipe(Effect.provide(services))
  )

  it.live("has the opening balance that it had, also where all rows are booked", () =>
    Effect.gen(function* () {
      const bare = text(rows([[5, ""]]))
      yield* importText("a.csv", bare, { opening: amountOf("10") })
      assert.strictEqual((yield* importText("a.csv", bare, { opening: amountOf("10") })).known, 1)
      assert.include(
        yield* refusal("a.csv", bare, { opening: amountOf("20") }),
        "row 1 (line 2): wallet w had 10.00, not the opening balance 20.00"
      )
      const first = rows([[0, ""]])
        .join("")
        .replaceAll(",w,", ",v,")
        .replace("1,", "0,")
      assert.include(yield* refusal("a.csv", text([first], rows([[5, ""]])), { opening: amountOf("10") }), "one wallet")
      assert.strictEqual(yield* balance("w"), 1500n)
    }).pipe(Effect.provide(services))
  )

  it.live("gets its opening balance, though all of its rows are zero", () =>
    Effect.gen(function* () {
      const quiet = text(rows([[0, 100]]))
      const dry = yield* importText("a.csv", quiet, { opening: fromFile, dryRun: true })
      assert.deepStrictEqual([dry.walletsCreated, dry.openings, yield* walletIds], [1, 1, []])
      assert.strictEqual((yield* importText("a.csv", quiet, { opening: fromFile })).openings, 1)
      assert.strictEqual((yield* importText("a.csv", quiet, { opening: fromFile })).openings, 0)
      yield* importText("b.csv", text(rows([[5, 105]], 2)))
      yield* importText("a.csv", quiet, { opening: fromFile })
      assert.deepStrictEqual(yield* movements("w"), [10_000n, 500n])
      yield* importText("c.csv", quiet.replace(",w,", ",unasked,"))
      assert.deepStrictEqual(yield* walletIds, ["w"])
    }).pipe(Effect.provide(services))
  )

  it.live("is the owner's whom the file names", () =>
    Effect.gen(function* () {
      const owned = (id: number, owner: string) => `id,wallet_id,owner_id,amount,currency\n${id},w,${owner},5,EUR\n`
      yield* importText("a.csv", owned(1, ""))
      yield* importText("b.csv", owned(2, "alice"))
      yield* newWallet("v")
      const message = yield* refusal("c.csv", owned(3, "alice").replace(",w,", ",v,"))
      assert.include(message, "row 1 (line 2): wallet v is o's, not alice's")
      yield* importText("c.csv", owned(3, "").replace(",w,", ",v,"))
      yield* importText("c.csv", owned(4, "o").replace(",w,", ",v,"))
      assert.deepStrictEqual([yield* balance("w"), yield* balance("v")], [1000n, 1000n])
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

  it.live("and does one row behind later ones of its wallet has done no harm, then and when it is run again", () =>
    Effect.gen(function* () {
      const report = yield* importText("a.csv", text(january, february))
      assert.strictEqual(report.imported + report.known, 5)
      assert.deepStrictEqual(yield* movements("w"), [500n, -300n, 1000n, -400n, 200n])
      const again = yield* importText("a.csv", text(january, february))
      assert.deepStrictEqual([again.imported, again.known], [0, 5])
      // What is not of the file is seen, also behind rows out of order.
      const other = rows([[10, 20]], 6)
      yield* credit("w", 100n, "another")
      const refused = yield* refusal("a.csv", text(january, february, other))
      assert.include(refused, "row 6 (line 7): the balance of wallet w would be 21.00 after this row")
    }).pipe(Effect.provide(unreliable((item) => (item === 1 ? "before" : undefined))))
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
                    Result.succeed({ replayed: false, balance: wallet.balance, version: wallet.version })
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
