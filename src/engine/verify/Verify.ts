/**
 * `verify`: compares the log with everything derived from it, on whatever stores
 * are configured, and law 6 at one position of the log.
 *
 * Keeps nothing that it writes, unless it is to repair; safe beside a running service. Memory is bounded
 * (`Options.ts`).
 *
 * Where an event is one row for log and view, the wallets are compared by slices, in one
 * pass over events and rows (`Slices.ts`). There a transaction cannot be held against
 * its event, for they are the same row. What is held against it instead is the fold: balance
 * and held sum after it by the arithmetic of each event, the hold or transfer that it ends,
 * the money that it needs, ids and keys that come once, times and positions that go up,
 * columns that repeat the event or have to be empty, and the wallet's row, holds and
 * transfers. What no fold can tell (a reference, metadata, a key replaced by another one,
 * two amounts altered so that all still adds up) nothing here finds: the checksums of the
 * pages do (`data_checksums`, `pg_amcheck`), or a comparison with a backup.
 *
 * A search index of its own is compared after that, document by document (`Indexed.ts`).
 *
 * Elsewhere the log is walked up to the head, and each wallet is compared when its creation
 * is met, transactions and keys included (`LogOrder.ts`).
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { EventStore, type LogHead } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { ReadModel } from "../../stores/ReadModel.ts"
import { SearchIndex } from "../../stores/SearchIndex.ts"
import { inTransit, isConserved } from "./Conservation.ts"
import { defaultVerifyBounds, type VerifyOptions, walletsAtATime } from "./Options.ts"
import { compareIndex } from "./Indexed.ts"
import { readInTurn } from "./InTurn.ts"
import { compareInLogOrder } from "./LogOrder.ts"
import { comparing, repairing } from "./Repair.ts"
import { orphanRow, type VerifyReport, zeroCounts } from "./Report.ts"
import { compareWallets, report, type Verification } from "./Verification.ts"
import { compareBySlices, scansOf, verifyOne } from "./Slices.ts"
import { compareStores, countOverdue, ruleWarnings } from "./Stores.ts"
import type { VerifyError, VerifyStores } from "./Walk.ts"

const judgeConservation = (run: Verification): void => {
  for (const totals of run.totals.values()) {
    if (isConserved(totals)) continue
    const { balances, captures, credits, currency, debits, refundsIn, refundsOut } = totals
    const outside = credits - debits - captures + refundsIn - refundsOut
    report(run, [
      {
        walletId: null,
        store: "log",
        what: `conservation of ${currency} at position ${run.head}`,
        expected:
          `credits ${credits} - debits ${debits} - captures ${captures} + refunds in ${refundsIn} - ` +
          `refunds out ${refundsOut} = ${outside}`,
        found: `balances ${balances} + in transit ${inTransit(totals)} = ${balances + inTransit(totals)}`
      }
    ])
  }
}

const reportOf = (
  run: Verification,
  walletId: string | null,
  beside: Pick<VerifyReport, "overdueHolds" | "overdueTransfers">,
  durationMillis: number
): VerifyReport => ({
  logId: run.logId,
  position: run.head,
  walletId,
  ...run.counts,
  ...beside,
  repaired: run.repaired,
  deadLetters: run.deadLetters,
  warnings: run.warnings,
  conservation: [...run.totals.values()].sort((a, b) => (a.currency < b.currency ? -1 : 1)),
  differenceCount: run.differenceCount,
  differences: run.differences,
  durationMillis
})

const start = Effect.fnUntraced(function* (
  options: VerifyOptions,
  stores: VerifyStores,
  { logId, position }: LogHead
): Effect.fn.Return<Verification, VerifyError, EventStore | Persistence> {
  const lagMillis = options.lagMillis ?? 10_000
  const walletOptions = { lagMillis }
  const bounds = { ...defaultVerifyBounds, ...options.bounds }
  const known = yield* stores.persistence.logId
  // To repair from another log would be to replace everything.
  const repair = options.repair === true && (known === undefined || known === logId)
  const compare = (walletId: string) => verifyOne(stores, walletId, walletOptions, bounds, position)
  const onProgress = options.onProgress ?? (() => Effect.void)
  const run: Verification = {
    stores,
    repair,
    compareWallet: repair ? yield* repairing(stores, compare) : comparing(compare),
    walletOptions,
    bounds,
    walletsAtATime: options.concurrency ?? walletsAtATime,
    walletsPerPass: options.walletsPerPass ?? 1_000_000,
    maxDifferences: options.maxDifferences ?? 100,
    onProgress: (at) =>
      onProgress({
        position: at,
        head: position,
        wallets: run.counts.wallets,
        differenceCount: run.differenceCount
      }),
    logId,
    head: position,
    totals: new Map(),
    counts: zeroCounts(),
    differences: [],
    differenceCount: 0,
    repaired: 0,
    deadLetters: 0,
    warnings: []
  }
  return run
})

const compareAll = Effect.fnUntraced(function* (run: Verification): Effect.fn.Return<void, VerifyError> {
  const scans = scansOf(run.stores)
  yield* scans === undefined ? compareInLogOrder(run) : compareBySlices(run, scans)
  judgeConservation(run)
})

/** The wallet may be in none of the stores: then nothing is wrong with it. */
const compareOne = Effect.fnUntraced(function* (
  run: Verification,
  walletId: string
): Effect.fn.Return<void, VerifyError> {
  const [first] = yield* run.stores.log.read(walletId, { after: -1, limit: 1 })
  if (first !== undefined) return yield* compareWallets(run, [walletId])
  const row = yield* run.stores.persistence.wallet(walletId)
  if (row !== undefined) report(run, [orphanRow(row.id, `version ${row.version}`)])
})

/**
 * Compares. A report with `differenceCount` 0 is a clean bill;
 * fails only where a store does not answer or an event cannot be read.
 */
export const verify = Effect.fn("Verify.verify")(function* (
  options: VerifyOptions = {}
): Effect.fn.Return<VerifyReport, VerifyError, EventStore | Persistence | ReadModel> {
  const started = yield* Clock.currentTimeMillis
  const index = Option.getOrUndefined(yield* Effect.serviceOption(SearchIndex))
  const given = { log: yield* EventStore, persistence: yield* Persistence, readModel: yield* ReadModel, index }
  const stores = options.inTurn === undefined ? given : readInTurn(given, options.inTurn)
  const checkpoints = yield* stores.persistence.checkpoints
  const head = yield* stores.log.head
  const run = yield* start(options, stores, head)
  report(run, yield* compareStores(stores, head, checkpoints))
  yield* options.walletId === undefined ? compareAll(run) : compareOne(run, options.walletId)
  if (index !== undefined) {
    yield* compareIndex(run, index, options.walletId)
  }
  const overdue = yield* countOverdue(stores, run.walletOptions.lagMillis)
  run.warnings.push(...(yield* ruleWarnings(stores.persistence)))
  return reportOf(run, options.walletId ?? null, overdue, (yield* Clock.currentTimeMillis) - started)
})
