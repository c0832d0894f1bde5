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
 *
 * Beside the wallets the stores are compared as wholes: whose log's events Persistence has,
 * checkpoints that no node can have left, what should have ended by itself, and rules of
 * the user's that will stand in the engine's way.
 *
 * A repair replaces a wallet's rows when they differ, one wallet at a time, and compares it again.
 * Rows that know more than the log are left alone: they may be all that is left of what
 * the log has lost, and whoever throws them away has to say so.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import { EventStore, type LogHead } from "../../stores/EventStore.ts"
import { type Checkpoint, Persistence, type RuleFault, type RuleTrial } from "../../stores/Persistence.ts"
import { ReadModel } from "../../stores/ReadModel.ts"
import { SearchIndex } from "../../stores/SearchIndex.ts"
import type { ReadError } from "../../stores/StoreError.ts"
import { rebuildStores } from "../rebuild/Rebuild.ts"
import { patiently } from "../rebuild/RebuildStores.ts"
import { rebuildWallets } from "../rebuild/WalletRebuild.ts"
import { inTransit, isConserved } from "./Conservation.ts"
import { compareIndex } from "./Indexed.ts"
import { compareInLogOrder } from "./LogOrder.ts"
import { defaultVerifyBounds, readInTurn, type VerifyOptions, walletsAtATime } from "./Options.ts"
import { type Difference, dueBound, orphanRow, type VerifyReport, zeroCounts } from "./Report.ts"
import { compareBySlices, scansOf, verifyOne } from "./Slices.ts"
import { type CompareWallet, compareWallets, type RepairedFindings, report, type Verification } from "./Verification.ts"
import type { VerifyError, VerifyStores, WalletFindings } from "./Walk.ts"

/** `checkpoints`: read before the head was, so that none of them can have passed it. */
export const compareStores = Effect.fnUntraced(function* (
  { log, persistence }: VerifyStores,
  head: LogHead,
  checkpoints: ReadonlyArray<Checkpoint>
): Effect.fn.Return<ReadonlyArray<Difference>, ReadError> {
  const inPersistence = (what: string, expected: string, found: string): Difference => ({
    walletId: null,
    store: "persistence",
    what,
    expected,
    found
  })
  const differences: Array<Difference> = []
  const logId = yield* persistence.logId
  if (logId !== undefined && logId !== head.logId) differences.push(inPersistence("id of the log", head.logId, logId))
  if (log.writesPersistence) return differences
  for (const { owner, position } of checkpoints) {
    if (position <= head.position) continue
    differences.push(
      inPersistence(`checkpoint of ${owner}`, `at most ${head.position}, the head of the log`, `${position}`)
    )
  }
  return differences
})

/** Holds and transfers that a running service would have ended; without one they wait for its start. */
export const countOverdue = Effect.fnUntraced(function* (
  { persistence }: VerifyStores,
  lagMillis: number
): Effect.fn.Return<{ readonly overdueHolds: number; readonly overdueTransfers: number }, ReadError> {
  const before = (yield* Clock.currentTimeMillis) - lagMillis
  const holds = yield* persistence.dueHolds({ now: before, limit: dueBound })
  const transfers = yield* persistence.openTransfers({ before, limit: dueBound })
  return { overdueHolds: holds.length, overdueTransfers: transfers.length }
})

const faultWarning = ({ reason, rule, table, tried }: RuleFault): string =>
  `the ${rule} on ${table} refuses ${tried}: ${reason}. A rule has to let the engine's own facts pass ` +
  `(docs/OPERATIONS.md, "Rules of your own")`

const untriedWarning = (reason: string): string => `rules of your own on the tables were not tried: ${reason}`

const warningsOf = ({ faults, untried }: RuleTrial): ReadonlyArray<string> => [
  ...faults.map(faultWarning),
  ...(untried === undefined ? [] : [untriedWarning(untried)])
]

/**
 * Rules of the user's that do not let the engine's own facts pass: no difference yet, but
 * one to come. Never fails: a trial that cannot be made is a warning, too.
 */
export const ruleWarnings = ({ tryRules }: Persistence["Service"]): Effect.Effect<ReadonlyArray<string>> =>
  tryRules === undefined
    ? Effect.succeed([])
    : Effect.match(tryRules, { onSuccess: warningsOf, onFailure: ({ message }) => [untriedWarning(message)] })

type Compare = (walletId: string) => Effect.Effect<WalletFindings, VerifyError>

/** Compares only. */
export const comparing =
  (compare: Compare): CompareWallet =>
  (walletId) =>
    Effect.map(compare(walletId), ({ counts, differences }) => ({ counts, differences, repaired: false }))

const notRepaired = (walletId: string, reason: string): Difference => ({
  walletId,
  store: "persistence",
  what: "repair",
  expected: "new rows",
  found: reason
})

const ahead = (walletId: string): string =>
  "the rows are ahead of the log: restore a later copy of it, or accept the loss by: " +
  `wallet replay --wallet ${walletId}`

const isAhead = Effect.fnUntraced(function* ({ log, persistence }: VerifyStores, walletId: string) {
  const persisted = (yield* persistence.persistedVersions([walletId])).get(walletId)
  if (persisted === undefined) return false
  const [last] = yield* log.read(walletId, { after: persisted.version - 1, limit: 1 })
  return last === undefined
})

/** Compares and repairs. What cannot be repaired is a difference of its own, beside the others. */
export const repairing = Effect.fnUntraced(function* (
  stores: VerifyStores,
  compareOnly: Compare
): Effect.fn.Return<CompareWallet, never, EventStore | Persistence> {
  const replaying = yield* rebuildStores
  const oneAtATime = yield* Semaphore.make(1)
  const compare = comparing(compareOnly)

  const repair = Effect.fnUntraced(function* (
    walletId: string,
    before: RepairedFindings
  ): Effect.fn.Return<RepairedFindings, VerifyError> {
    if (yield* isAhead(stores, walletId)) {
      return { ...before, differences: [...before.differences, notRepaired(walletId, ahead(walletId))] }
    }
    const counts = { events: 0, written: 0, refused: 0 }
    const rebuilt = yield* Effect.result(patiently(rebuildWallets(replaying, counts, [walletId])))
    if (Result.isFailure(rebuilt)) {
      const { failure } = rebuilt
      if (failure._tag === "StoreUnavailable") return yield* failure
      return { ...before, differences: [...before.differences, notRepaired(walletId, failure.message)] }
    }
    const after = yield* compare(walletId)
    return { ...after, repaired: after.differences.length === 0 }
  })

  return (walletId) =>
    Effect.flatMap(compare(walletId), (found) =>
      found.differences.every(({ store }) => store === "log")
        ? Effect.succeed(found)
        : oneAtATime.withPermits(1)(repair(walletId, found))
    )
})

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
