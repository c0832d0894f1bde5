/** A run of `verify` while it is under way: its options, what it has found so far. */
import * as Effect from "effect/Effect"
import { type CurrencyTotals, emptyTotals } from "./Conservation.ts"
import type { VerifyBounds } from "./Options.ts"
import { addCounts, type Difference, type VerifyCounts } from "./Report.ts"
import type { VerifyError, VerifyStores, VerifyWalletOptions, WalletFindings } from "./Walk.ts"

export interface RepairedFindings extends WalletFindings {
  /** It differed, and does no more. */
  readonly repaired: boolean
}

export type CompareWallet = (walletId: string) => Effect.Effect<RepairedFindings, VerifyError>

export interface Verification {
  readonly stores: VerifyStores
  readonly repair: boolean
  readonly compareWallet: CompareWallet
  readonly walletOptions: VerifyWalletOptions
  readonly bounds: VerifyBounds
  readonly walletsAtATime: number
  readonly walletsPerPass: number
  readonly maxDifferences: number
  readonly onProgress: (position: bigint) => Effect.Effect<void>
  readonly logId: string
  readonly head: bigint
  readonly totals: Map<string, CurrencyTotals>
  readonly counts: VerifyCounts
  readonly differences: Array<Difference>
  differenceCount: number
  repaired: number
  deadLetters: number
  readonly warnings: Array<string>
}

export const report = (run: Verification, differences: ReadonlyArray<Difference>): void => {
  run.differenceCount += differences.length
  run.differences.push(...differences.slice(0, Math.max(0, run.maxDifferences - run.differences.length)))
}

export const totalsOf = (run: Verification, currency: string): CurrencyTotals => {
  const known = run.totals.get(currency)
  if (known !== undefined) return known
  const made = emptyTotals(currency)
  run.totals.set(currency, made)
  return made
}

/** In full, one by one. */
export const compareWallets = (run: Verification, walletIds: ReadonlyArray<string>): Effect.Effect<void, VerifyError> =>
  Effect.forEach(
    walletIds,
    (walletId) =>
      Effect.map(run.compareWallet(walletId), ({ counts, differences, repaired }) => {
        addCounts(run.counts, counts)
        report(run, differences)
        if (repaired) run.repaired += 1
      }),
    { concurrency: run.walletsAtATime, discard: true }
  )
