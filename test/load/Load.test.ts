import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { loadLines, type LoadOptions, parseMix, runLoad } from "../../src/load/Load.ts"
import { type LoadReply, LoadTarget } from "../../src/load/LoadTarget.ts"
import { clockOfLooks } from "../support/clocks.ts"

const options: LoadOptions = {
  callers: 4,
  distribution: { _tag: "Uniform", wallets: 3 },
  mix: { credit: 2, debit: 1, hold: 1, order: 1, transfer: 1, legs: 1, refund: 1, read: 1 },
  warmupMillis: 60,
  millis: 600,
  run: "t1",
  onProgress: () => Effect.void
}

/** So many commands, not so much time: three looks at the clock for each. */
const run = (given: LoadOptions) => Effect.provideService(runLoad(given), Clock.Clock, clockOfLooks())

const engine = LoadTarget.layerEngine.pipe(Layer.provideMerge(WalletEngine.layerMemory))

describe("Load", () => {
  it.live("sends the mix to the engine, and the wallets have what was answered", () =>
    Effect.gen(function* () {
      const report = yield* run({ ...options, warmupMillis: 0 })
      assert.deepStrictEqual(Object.keys(report.answers), ["ok"])
      assert.deepStrictEqual(report.kinds.map(({ kind }) => kind).sort(), [
        "credit",
        "debit",
        "hold",
        "legs",
        "order",
        "read",
        "refund",
        "transfer"
      ])
      assert.strictEqual(
        report.commands,
        report.kinds.reduce((sum, { commands }) => sum + commands, 0)
      )
      const { wallets } = yield* moneyOf("load-t1-", 3)
      assert.isAbove(wallets, 0)
    }).pipe(Effect.provide(engine))
  )

  it.live("counts refusals by their code", () =>
    Effect.gen(function* () {
      const refused: LoadReply = { code: "InsufficientFunds", made: undefined }
      const fine: LoadReply = { code: "ok", made: "h1" }
      const sent = yield* Ref.make(new Set<string>())
      const target = LoadTarget.of({
        send: (_, command, key) =>
          Ref.updateAndGet(sent, (keys) => keys.add(key)).pipe(
            Effect.andThen(Effect.yieldNow),
            Effect.as(command._tag === "Debit" ? refused : fine)
          )
      })
      const report = yield* Effect.provideService(run(options), LoadTarget, target)
      assert.isAbove(report.answers["InsufficientFunds"] ?? 0, 0)
      assert.isAbove(report.answers["ok"] ?? 0, 0)
      assert.isAtLeast((yield* Ref.get(sent)).size, report.commands)
      assert.match(loadLines(report).at(-1) ?? "", /^answers: .* InsufficientFunds/)
    })
  )

  it.live("does not begin when its wallets cannot be made", () =>
    Effect.gen(function* () {
      const target = LoadTarget.of({ send: () => Effect.succeed({ code: "Unauthorized", made: undefined }) })
      const failure = yield* Effect.flip(Effect.provideService(run(options), LoadTarget, target))
      assert.strictEqual(failure._tag, "LoadImpossible")
      assert.strictEqual(failure.code, "Unauthorized")
    })
  )

  it("reads a mix, and nothing that is none", () => {
    assert.deepStrictEqual(parseMix("credit=80, debit=20"), {
      credit: 80,
      debit: 20,
      hold: 0,
      order: 0,
      transfer: 0,
      legs: 0,
      refund: 0,
      read: 0
    })
    for (const text of ["", "credit", "credit=", "credit=-1", "credit=1=2", "gift=1", "credit=0"]) {
      assert.isUndefined(parseMix(text), text)
    }
  })
})

/** Wallets whose balance is no longer what they were opened with. */
const moneyOf = Effect.fnUntraced(function* (prefix: string, count: number) {
  const engine = yield* WalletEngine
  let wallets = 0
  for (let i = 0; i < count; i++) {
    const wallet = yield* engine.getWallet({ walletId: `${prefix}${i}` })
    assert.strictEqual(wallet.held, 0n)
    if (wallet.version > 1) wallets++
  }
  return { wallets }
})
