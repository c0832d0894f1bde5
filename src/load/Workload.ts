/**
 * What a load sends, operation by operation: kinds and wallets drawn from the seed, whatever is answered and whenever.
 * So the same seed sends the same commands, and two services get the same.
 */
import * as Effect from "effect/Effect"
import { commandsOf, loadKinds, type LoadKind, type Mix } from "./LoadCommand.ts"
import { type Distribution, walletChoice, weightedChoice } from "./WalletChoice.ts"

/** Wallets by number, from 0. With fewer than three wallets some are the same. */
export interface Operation {
  readonly kind: LoadKind
  readonly wallet: number
  /** Of transfers: where the money goes, … */
  readonly second: number
  /** … and from there. */
  readonly third: number
  /** The number of its first command; the others' follow. */
  readonly command: number
}

export interface WorkloadOptions {
  readonly distribution: Distribution
  readonly mix: Mix
  readonly seed: string
}

/** Draws operations without end. The first command has the number `from`. */
export const workload = ({ distribution, mix, seed }: WorkloadOptions, from: number): Effect.Effect<() => Operation> =>
  Effect.gen(function* () {
    const { wallets } = distribution
    // Of seeds of their own: of one alone the wallet would tell the kind.
    const chooseWallet = yield* walletChoice(distribution, `${seed} wallets`)
    const chooseOther = yield* walletChoice(distribution, `${seed} others`)
    const chooseKind = yield* weightedChoice(
      loadKinds.map((kind) => mix[kind]),
      `${seed} kinds`
    )
    let next = from
    return () => {
      const kind = loadKinds[chooseKind()] ?? "credit"
      const wallet = chooseWallet()
      const others = othersThan(wallet, chooseOther(), wallets)
      const command = next
      next += commandsOf[kind]
      return { kind, wallet, second: others[0] ?? wallet, third: others[1] ?? others[0] ?? wallet, command }
    }
  })

/** Those that follow a drawn one in the list, without that one. */
const othersThan = (wallet: number, drawn: number, wallets: number): ReadonlyArray<number> => {
  const others: Array<number> = []
  for (let step = 0; step < Math.min(3, wallets) && others.length < 2; step++) {
    const other = (drawn + step) % wallets
    if (other !== wallet) others.push(other)
  }
  return others
}
