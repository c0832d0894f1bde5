/**
 * Which wallet a load's next command goes to: always one, all alike, or by Zipf's
 * law. Seeded, so that two programs under comparison get the same sequence.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** Gives wallet numbers, `0 … wallets − 1`, without end. Synchronous and cheap. */
export type WalletChoice = () => number

export type Distribution =
  /** Every wallet as often as every other. */
  | { readonly _tag: "Uniform"; readonly wallets: number }
  /** Wallet `k` (from 1) in proportion to `1 / k^exponent`. */
  | { readonly _tag: "Zipf"; readonly wallets: number; readonly exponent: number }

/** Drawn ahead and then repeated: drawing costs nothing while the clock runs. A power of two. */
const drawn = 1 << 20

/**
 * Shares of the wallets 1 … `wallets`, summed up: the inverse of the distribution
 * function is a search in it, exact but for the rounding of a double.
 */
export const zipfShares = (wallets: number, exponent: number): Float64Array =>
  summedShares(Array.from({ length: wallets }, (_, index) => (index + 1) ** -exponent))

/** Weights, not all zero, as shares of their sum, summed up. */
export const summedShares = (weights: ReadonlyArray<number>): Float64Array => {
  const shares = new Float64Array(weights.length)
  let sum = 0
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i] ?? 0
    shares[i] = sum
  }
  for (let i = 0; i < shares.length; i++) shares[i] = (shares[i] ?? 0) / sum
  return shares
}

/** The first whose summed share lies above `u`, 0 ≤ u < 1. */
export const shareAt = (shares: Float64Array, u: number): number => {
  let low = 0
  let high = shares.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((shares[middle] ?? 1) > u) high = middle
    else low = middle + 1
  }
  return low
}

const oneWallet: WalletChoice = () => 0

/** The same seed gives the same sequence. */
export const walletChoice = (distribution: Distribution, seed: string): Effect.Effect<WalletChoice> => {
  const { wallets } = distribution
  if (wallets === 1) return Effect.succeed(oneWallet)
  const shares = distribution._tag === "Zipf" ? zipfShares(wallets, distribution.exponent) : undefined
  return drawSequence((u) => (shares === undefined ? Math.floor(u * wallets) : shareAt(shares, u)), seed)
}

/** Numbers drawn in proportion to the weights, without end. */
export const weightedChoice = (weights: ReadonlyArray<number>, seed: string): Effect.Effect<() => number> => {
  const shares = summedShares(weights)
  return drawSequence((u) => shareAt(shares, u), seed)
}

const drawSequence = (of: (u: number) => number, seed: string): Effect.Effect<() => number> =>
  Effect.map(Random.withSeed(Effect.service(Random.Random), seed), (random) => {
    const sequence = new Uint32Array(drawn)
    for (let i = 0; i < drawn; i++) sequence[i] = of(random.nextDoubleUnsafe())
    let next = 0
    return () => sequence[next++ & (drawn - 1)] ?? 0
  })
