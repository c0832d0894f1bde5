/**
 * Compares all wallets by slices of ids, several at a time: while one waits for the
 * database another is folded. Suspects are compared in full at the end of their slice.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { WalletRange } from "../../stores/WalletRows.ts"
import { rangeOf } from "../../stores/WalletRows.ts"
import type { ReadError } from "../../stores/StoreError.ts"
import { emptyTotals } from "./Conservation.ts"
import { searchedPerSlice, type VerifyBounds } from "./Options.ts"
import { addCounts, orphanRow } from "./Report.ts"
import { compareWallets, report, totalsOf, type Verification } from "./Verification.ts"
import { type SearchFindings, verifySearch } from "./Search.ts"
import { compareSlice, type Scans, type SettledWallet } from "./Slice.ts"
import { verifyWallet } from "./Wallet.ts"
import type { VerifyError, VerifyStores, VerifyWalletOptions, WalletFindings } from "./Walk.ts"

/** What reads many wallets; `undefined`: these stores are read wallet by wallet. */
export const scansOf = ({ log, persistence }: VerifyStores): Scans | undefined =>
  log.scan === undefined || persistence.rowScan === undefined
    ? undefined
    : { events: log.scan, rows: persistence.rowScan }

/** The ranges of wallets one after the other, together all ids that there can be. */
const rangesOf = (scans: Scans, walletsPerSlice: number) => {
  const oneAtATime = Semaphore.makeUnsafe(1)
  let after: string | undefined = ""
  const next: Effect.Effect<WalletRange | undefined, ReadError> = Effect.suspend(() => {
    if (after === undefined) return Effect.succeed(undefined)
    const from = after
    return Effect.map(scans.rows.walletBehind(from, walletsPerSlice), (to) => {
      after = to
      return { after: from, to }
    })
  })
  return oneAtATime.withPermits(1)(next)
}

/** Looks for wallets whose rows are right. */
const searchSettled = (
  stores: VerifyStores,
  sample: ReadonlyArray<SettledWallet>,
  { lagMillis }: VerifyWalletOptions,
  walletsAtATime: number
): Effect.Effect<SearchFindings, VerifyError> =>
  Effect.map(
    Effect.forEach(sample, ({ newestTransaction, view }) => verifySearch(stores, view, newestTransaction, lagMillis), {
      concurrency: walletsAtATime
    }),
    (found) => ({
      searched: found.reduce((sum, one) => sum + one.searched, 0),
      notSearched: found.reduce((sum, one) => sum + one.notSearched, 0),
      differences: found.flatMap(({ differences }) => differences)
    })
  )

const compareRangeOf = Effect.fnUntraced(function* (
  run: Verification,
  scans: Scans,
  range: WalletRange,
  onPage: (events: number) => Effect.Effect<void>
): Effect.fn.Return<void, VerifyError> {
  const sample: Array<SettledWallet> = []
  const { counts, orphans, suspects } = yield* compareSlice(
    {
      scans,
      bounds: run.bounds,
      head: run.head,
      totalsOf: (currency) => totalsOf(run, currency),
      onPage,
      sample: (wallet) => void (sample.length < searchedPerSlice && sample.push(wallet))
    },
    range
  )
  const search = yield* searchSettled(run.stores, sample, run.walletOptions, run.walletsAtATime)
  counts.searched += search.searched
  counts.notSearched += search.notSearched
  addCounts(run.counts, counts)
  report(run, search.differences)
  yield* compareWallets(run, [...suspects, ...orphans.map(({ walletId }) => walletId)])
})

export const compareBySlices = (run: Verification, scans: Scans): Effect.Effect<void, VerifyError> => {
  const nextRange = rangesOf(scans, run.bounds.walletsPerSlice)
  let scanned = 0n
  const onPage = (events: number) => {
    scanned += BigInt(events)
    return run.onProgress(scanned < run.head ? scanned : run.head)
  }
  const worker = Effect.gen(function* () {
    let range = yield* nextRange
    while (range !== undefined) {
      yield* compareRangeOf(run, scans, range, onPage)
      range = yield* nextRange
    }
  })
  const workers = Array.from({ length: run.bounds.slices }, () => worker)
  return Effect.andThen(
    Effect.all(workers, { concurrency: "unbounded", discard: true }),
    Effect.suspend(() => run.onProgress(run.head))
  )
}

const orphanOf = (walletId: string, found: { readonly version: number | undefined; readonly rows: number }) =>
  orphanRow(walletId, found.version === undefined ? `${found.rows} rows` : `version ${found.version}`)

/** One wallet in full: by its range first, and by its stream where it looks wrong. `head`: of the log, before its rows are read. */
export const verifyOne = Effect.fnUntraced(function* (
  stores: VerifyStores,
  walletId: string,
  options: VerifyWalletOptions,
  bounds: VerifyBounds,
  head: bigint
): Effect.fn.Return<WalletFindings, VerifyError> {
  const scans = scansOf(stores)
  if (scans === undefined) return yield* verifyWallet(stores, walletId, options)
  const sample: Array<SettledWallet> = []
  const { counts, flaws, orphans, suspects } = yield* compareSlice(
    {
      scans,
      bounds,
      head,
      totalsOf: emptyTotals,
      onPage: () => Effect.void,
      sample: (wallet) => void sample.push(wallet)
    },
    rangeOf(walletId)
  )
  if (suspects.has(walletId) && orphans.length === 0) {
    const { counts, differences } = yield* verifyWallet(stores, walletId, options)
    return { counts, differences: [...flaws, ...differences] }
  }
  const search = yield* searchSettled(stores, sample, options, 1)
  counts.searched += search.searched
  counts.notSearched += search.notSearched
  const unknown = orphans.map(({ holds, refusals, transfers, wallet }) =>
    orphanOf(walletId, { version: wallet?.view.version, rows: holds.length + transfers.length + refusals })
  )
  return { counts, differences: [...unknown, ...search.differences] }
})
