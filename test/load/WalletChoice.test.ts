import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { shareAt, walletChoice, weightedChoice, zipfShares } from "../../src/load/WalletChoice.ts"

const draw = (choose: () => number, count: number): ReadonlyArray<number> => Array.from({ length: count }, choose)

const frequencies = (drawn: ReadonlyArray<number>, wallets: number): ReadonlyArray<number> => {
  const counts = Array.from({ length: wallets }, () => 0)
  for (const wallet of drawn) counts[wallet] = (counts[wallet] ?? 0) + 1
  return counts.map((count) => count / drawn.length)
}

describe("WalletChoice", () => {
  it("gives Zipf's shares: the kth wallet's is 1/k of the first one's", () => {
    const shares = zipfShares(4, 1)
    const harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    let before = 0
    for (let k = 1; k <= 4; k++) {
      const share = (shares[k - 1] ?? 0) - before
      assert.approximately(share, 1 / k / harmonic, 1e-12)
      before = shares[k - 1] ?? 0
    }
    assert.strictEqual(shares[3], 1)
  })

  it("picks the wallet in whose share a number falls, at its edges too", () => {
    const shares = new Float64Array([0.5, 0.75, 1])
    const cases = [
      [0, 0],
      [0.499, 0],
      [0.5, 1],
      [0.749, 1],
      [0.75, 2],
      [0.999999, 2]
    ] as const
    for (const [u, wallet] of cases) assert.strictEqual(shareAt(shares, u), wallet)
  })

  it.effect("draws by Zipf's law within the error of the sample", () =>
    Effect.gen(function* () {
      const choose = yield* walletChoice({ _tag: "Zipf", wallets: 100, exponent: 1 }, "seed")
      const found = frequencies(draw(choose, 400_000), 100)
      const shares = zipfShares(100, 1)
      for (const k of [0, 1, 9, 99]) {
        const expected = (shares[k] ?? 0) - (k === 0 ? 0 : (shares[k - 1] ?? 0))
        assert.approximately(found[k] ?? 0, expected, 5 * Math.sqrt(expected / 400_000))
      }
    })
  )

  it.effect("draws every wallet as often as every other when uniform", () =>
    Effect.gen(function* () {
      const choose = yield* walletChoice({ _tag: "Uniform", wallets: 10 }, "seed")
      for (const found of frequencies(draw(choose, 200_000), 10)) assert.approximately(found, 0.1, 0.005)
    })
  )

  it.effect("draws by weights, and never what weighs nothing", () =>
    Effect.gen(function* () {
      const found = frequencies(draw(yield* weightedChoice([3, 0, 1], "seed"), 100_000), 3)
      assert.approximately(found[0] ?? 0, 0.75, 0.01)
      assert.strictEqual(found[1], 0)
      assert.approximately(found[2] ?? 0, 0.25, 0.01)
    })
  )

  it.effect("repeats itself for a seed and not for another one", () =>
    Effect.gen(function* () {
      const uniform = { _tag: "Uniform", wallets: 1_000 } as const
      const first = draw(yield* walletChoice(uniform, "a"), 50)
      assert.deepStrictEqual(draw(yield* walletChoice(uniform, "a"), 50), first)
      assert.notDeepEqual(draw(yield* walletChoice(uniform, "b"), 50), first)
    })
  )

  it.effect("always chooses the only wallet there is", () =>
    Effect.gen(function* () {
      const choose = yield* walletChoice({ _tag: "Zipf", wallets: 1, exponent: 1 }, "seed")
      assert.deepStrictEqual(draw(choose, 3), [0, 0, 0])
    })
  )
})
