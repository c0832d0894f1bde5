/**
 * `verify`: compares the log with everything derived from it, on whatever stores
 * are configured, and law 6 at one position of the log.
 *
 * Keeps nothing that it writes, unless it is to repair; safe beside a running service. The log is walked in pages up to the
 * head at the start; each wallet is compared when its creation is met. Memory is
 * bounded: at most `walletsPerPass` wallets' currency and balance are kept, and an
 * installation with more takes another pass, which begins at the first wallet not
 * yet taken.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { EventStore, type LogHead, type PositionedEvent } from "../stores/EventStore.ts"
import { Persistence, type WalletView } from "../stores/Persistence.ts"
import { ReadModel } from "../stores/ReadModel.ts"
import { addMovement, type CurrencyTotals, emptyTotals, inTransit, isConserved } from "./Conservation.ts"
import { type CompareWallet, comparing, repairing } from "./VerifyRepair.ts"
import { addCounts, type Difference, type VerifyCounts, type VerifyReport, zeroCounts } from "./VerifyReport.ts"
import { ruleWarnings } from "./VerifyRules.ts"
import { compareStores, countOverdue } from "./VerifyStores.ts"
import type { VerifyError, VerifyStores } from "./VerifyWalk.ts"

export interface VerifyProgress {
  /** How far the log is walked, of `head`. */
  readonly position: bigint
  readonly head: bigint
  readonly wallets: number
  readonly differenceCount: number
}

export interface VerifyOptions {
  /** Compare this wallet alone; the money of all is not summed up then. */
  readonly walletId?: string | undefined
  /** Replace the rows of wallets that differ, and compare those again. Default `false`. */
  readonly repair?: boolean | undefined
  /** Wallets compared at a time. Default 8: both cores and the database stay busy. */
  readonly concurrency?: number | undefined
  /** Differences kept in the report; all are counted. Default 100. */
  readonly maxDifferences?: number | undefined
  /** Default 1,000,000: about 150 MB. */
  readonly walletsPerPass?: number | undefined
  /** How long a derived store may lag before that is a difference, milliseconds. Default 10,000. */
  readonly lagMillis?: number | undefined
  /** Called after each page of the log. */
  readonly onProgress?: ((progress: VerifyProgress) => Effect.Effect<void>) | undefined
}

/** Events per read of the whole log. */
const logPageSize = 1000
const walletPageSize = 500

interface Entry {
  readonly totals: CurrencyTotals
  balance: bigint
}

interface Verification {
  readonly stores: VerifyStores
  readonly compareWallet: CompareWallet
  readonly lagMillis: number
  readonly concurrency: number
  readonly walletsPerPass: number
  readonly maxDifferences: number
  readonly onProgress: (progress: VerifyProgress) => Effect.Effect<void>
  readonly logId: string
  readonly head: bigint
  readonly totals: Map<string, CurrencyTotals>
  readonly counts: VerifyCounts
  readonly differences: Array<Difference>
  differenceCount: number
  repaired: number
}

const report = (run: Verification, differences: ReadonlyArray<Difference>): void => {
  run.differenceCount += differences.length
  run.differences.push(...differences.slice(0, Math.max(0, run.maxDifferences - run.differences.length)))
}

const totalsOf = (run: Verification, currency: string): CurrencyTotals => {
  const known = run.totals.get(currency)
  if (known !== undefined) return known
  const made = emptyTotals(currency)
  run.totals.set(currency, made)
  return made
}

interface Pass {
  readonly table: Map<string, Entry>
  /** Position before the first wallet that this pass could not take. */
  next: bigint | undefined
}

/** Takes one event into the pass; answers the wallet that it creates, if the pass takes it. */
const take = (run: Verification, pass: Pass, { position, recorded }: PositionedEvent): string | undefined => {
  const { event, walletId } = recorded
  const entry = pass.table.get(walletId)
  if (entry !== undefined) {
    addMovement(entry.totals, event)
    entry.balance = event.balanceAfter
    return undefined
  }
  if (event._tag !== "WalletCreated" || pass.next !== undefined) return undefined
  if (pass.table.size >= run.walletsPerPass) {
    pass.next = position - 1n
    return undefined
  }
  pass.table.set(walletId, { totals: totalsOf(run, event.currency), balance: event.balanceAfter })
  return walletId
}

const compareWallets = (run: Verification, walletIds: ReadonlyArray<string>): Effect.Effect<void, VerifyError> =>
  Effect.forEach(
    walletIds,
    (walletId) =>
      Effect.map(run.compareWallet(walletId), ({ counts, differences, repaired }) => {
        addCounts(run.counts, counts)
        report(run, differences)
        if (repaired) run.repaired += 1
      }),
    { concurrency: run.concurrency, discard: true }
  )

/** One walk over the log from `after` to the head. */
const walkLog = Effect.fnUntraced(function* (run: Verification, after: bigint): Effect.fn.Return<Pass, VerifyError> {
  const pass: Pass = { table: new Map(), next: undefined }
  let position = after
  while (position < run.head) {
    const page = yield* run.stores.log.readAll({ after: position, limit: logPageSize })
    const events = page.filter((one) => one.position <= run.head)
    const created = events.flatMap((event) => take(run, pass, event) ?? [])
    yield* compareWallets(run, created)
    position = events.length < page.length || page.length === 0 ? run.head : (events.at(-1)?.position ?? run.head)
    yield* run.onProgress({
      position,
      head: run.head,
      wallets: run.counts.wallets,
      differenceCount: run.differenceCount
    })
  }
  for (const entry of pass.table.values()) entry.totals.balances += entry.balance
  return pass
})

/** A row of a wallet that the log does not know; nothing that a repair may remove. */
const reportOrphan = (run: Verification, row: WalletView): void => {
  const sides = { expected: "nothing: the log has no such wallet", found: `version ${row.version}` }
  report(run, [{ walletId: row.id, store: "persistence", what: "wallet row", ...sides }])
}

/** Rows of wallets that the log does not know. `known`: ids that need no look. */
const findOrphans = Effect.fnUntraced(function* (
  run: Verification,
  known: ReadonlyMap<string, unknown>
): Effect.fn.Return<void, VerifyError> {
  let after = ""
  for (;;) {
    const rows = yield* run.stores.persistence.scanWallets({ after, limit: walletPageSize })
    const doubtful = rows.filter((row) => !known.has(row.id))
    yield* Effect.forEach(
      doubtful,
      (row) =>
        Effect.map(run.stores.log.read(row.id, { after: -1, limit: 1 }), (events) => {
          if (events.length === 0) reportOrphan(run, row)
        }),
      { concurrency: run.concurrency, discard: true }
    )
    const last = rows.at(-1)
    if (last === undefined || rows.length < walletPageSize) return
    after = last.id
  }
})

const judgeConservation = (run: Verification): void => {
  for (const totals of run.totals.values()) {
    if (isConserved(totals)) continue
    const { balances, captures, credits, currency, debits } = totals
    report(run, [
      {
        walletId: null,
        store: "log",
        what: `conservation of ${currency} at position ${run.head}`,
        expected: `credits ${credits} - debits ${debits} - captures ${captures} = ${credits - debits - captures}`,
        found: `balances ${balances} + in transit ${inTransit(totals)} = ${balances + inTransit(totals)}`
      }
    ])
  }
}

const reportOf = (
  run: Verification,
  walletId: string | null,
  beside: Pick<VerifyReport, "overdueHolds" | "overdueTransfers" | "warnings">,
  durationMillis: number
): VerifyReport => ({
  logId: run.logId,
  position: run.head,
  walletId,
  ...run.counts,
  ...beside,
  repaired: run.repaired,
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
  const known = yield* stores.persistence.logId
  // To repair from another log would be to replace everything.
  const repair = options.repair === true && (known === undefined || known === logId)
  return {
    stores,
    compareWallet: repair ? yield* repairing(stores, walletOptions) : comparing(stores, walletOptions),
    lagMillis,
    concurrency: options.concurrency ?? 8,
    walletsPerPass: options.walletsPerPass ?? 1_000_000,
    maxDifferences: options.maxDifferences ?? 100,
    onProgress: options.onProgress ?? (() => Effect.void),
    logId,
    head: position,
    totals: new Map(),
    counts: zeroCounts(),
    differences: [],
    differenceCount: 0,
    repaired: 0
  }
})

const compareAll = Effect.fnUntraced(function* (run: Verification): Effect.fn.Return<void, VerifyError> {
  let pass = yield* walkLog(run, 0n)
  while (pass.next !== undefined) pass = yield* walkLog(run, pass.next)
  judgeConservation(run)
  yield* findOrphans(run, pass.table)
})

/** The wallet may be in none of the stores: then nothing is wrong with it. */
const compareOne = Effect.fnUntraced(function* (
  run: Verification,
  walletId: string
): Effect.fn.Return<void, VerifyError> {
  const [first] = yield* run.stores.log.read(walletId, { after: -1, limit: 1 })
  if (first !== undefined) return yield* compareWallets(run, [walletId])
  const row = yield* run.stores.persistence.wallet(walletId)
  if (row !== undefined) reportOrphan(run, row)
})

/**
 * Walks the log and compares. A report with `differenceCount` 0 is a clean bill;
 * fails only where a store does not answer or an event cannot be read.
 */
export const verify = Effect.fn("Verify.verify")(function* (
  options: VerifyOptions = {}
): Effect.fn.Return<VerifyReport, VerifyError, EventStore | Persistence | ReadModel> {
  const started = yield* Clock.currentTimeMillis
  const stores = { log: yield* EventStore, persistence: yield* Persistence, readModel: yield* ReadModel }
  const marks = yield* stores.persistence.marks
  const head = yield* stores.log.head
  const run = yield* start(options, stores, head)
  report(run, yield* compareStores(stores, head, marks))
  yield* options.walletId === undefined ? compareAll(run) : compareOne(run, options.walletId)
  const overdue = yield* countOverdue(stores, run.lagMillis)
  const warnings = yield* ruleWarnings(stores.persistence)
  return reportOf(run, options.walletId ?? null, { ...overdue, warnings }, (yield* Clock.currentTimeMillis) - started)
})
