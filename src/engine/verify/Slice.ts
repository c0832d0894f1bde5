/**
 * Compares the wallets of a range of ids, in one pass over their events and rows: both are
 * read in the order of ids, and each wallet is folded with the rows that it must have left.
 *
 * Only what is right is settled here. A wallet that looks wrong in any way is named as
 * suspect, and compared in full, one by one: it may have moved meanwhile.
 *
 * The rows of the range are read first, as of one moment. So the fold goes up to the
 * version that a wallet's row had then, and what comes later is left out, but for the sums
 * of law 6, which are those up to the head.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { transactionOf } from "../../domain/EventKinds.ts"
import type { Transaction } from "../../domain/Wallet.ts"
import type { EventStore, RowFlaw, ScannedEvent, ScannedEvents } from "../../stores/EventStore.ts"
import type { DerivedRows, ScannedRows, WalletRange, RowScan } from "../../stores/WalletRows.ts"
import { addMovement, type CurrencyTotals } from "./Conservation.ts"
import type { VerifyBounds } from "./Options.ts"
import {
  type ExpectedRows,
  expectedRow,
  foldEvent,
  foldVersion,
  heldDifference,
  sizeDifference,
  startFold
} from "./Fold.ts"
import { compareRecords, type Difference, logDifference, type VerifyCounts, zeroCounts } from "./Report.ts"
import type { VerifyError } from "./Walk.ts"

/** The parts of the ports that read many wallets. */
export interface Scans {
  readonly events: NonNullable<EventStore["Service"]["scan"]>
  readonly rows: RowScan
}

export interface SliceOptions {
  readonly scans: Scans
  readonly bounds: VerifyBounds
  /** Law 6 holds, or not, here. */
  readonly head: bigint
  readonly totalsOf: (currency: string) => CurrencyTotals
  /** Called after each page, with its number of events. */
  readonly onPage: (events: number) => Effect.Effect<void>
  /** Called with the first wallets that are as they should be. */
  readonly sample: (wallet: SettledWallet) => void
}

/** A wallet whose rows are as they should be. */
export interface SettledWallet {
  readonly view: NonNullable<ReturnType<typeof expectedRow>>
  readonly newestTransaction: Transaction | undefined
}

export interface SliceFindings {
  /** Of the wallets that are settled. */
  readonly counts: VerifyCounts
  /** To be compared in full. */
  readonly suspects: Set<string>
  /** Wallets that have rows and no events. */
  readonly orphans: Array<DerivedRows>
  /** What belongs to no event's fold; of wallets that are suspects for it. */
  readonly flaws: Array<Difference>
}

const newFindings = (): SliceFindings => ({ counts: zeroCounts(), suspects: new Set(), orphans: [], flaws: [] })

/** Whether the rows of one kind are those expected. */
const areAsExpected = <Row extends { readonly id: string }>(
  expected: ExpectedRows<Row>,
  rows: ReadonlyArray<Row>
): boolean =>
  expected.open.size + expected.closed.size === rows.length &&
  rows.every((row) => {
    const known = expected.open.get(row.id) ?? expected.closed.get(row.id)
    return known !== undefined && compareRecords(known, row) === undefined
  })

/** One wallet while its events go by. */
class Candidate {
  readonly walletId: string
  readonly #rows: DerivedRows | undefined
  readonly #options: SliceOptions
  readonly #findings: SliceFindings
  readonly #fold
  readonly #lastVersion: number
  #isSuspect: boolean
  #totals: CurrencyTotals | undefined
  #balance = 0n
  #position = 0n
  #transactions = 0
  #newest: ScannedEvent | undefined

  constructor(walletId: string, rows: DerivedRows | undefined, options: SliceOptions, findings: SliceFindings) {
    this.walletId = walletId
    this.#rows = rows
    this.#options = options
    this.#findings = findings
    this.#fold = startFold(walletId, options.bounds.idsPerWallet)
    this.#lastVersion = rows?.wallet?.view.version ?? -1
    this.#isSuspect = rows?.wallet === undefined || !rows.whole || rows.refusals > 0
  }

  take(scanned: ScannedEvent): void {
    const { position, recorded } = scanned
    const { event, version } = recorded
    if (position <= this.#options.head) {
      if (event._tag === "WalletCreated") this.#totals ??= this.#options.totalsOf(event.currency)
      if (this.#totals !== undefined) addMovement(this.#totals, event)
      this.#balance = event.balanceAfter
    }
    this.#judgePlace(scanned)
    if (this.#isSuspect) return
    if (version > this.#lastVersion) {
      // Later than the rows that were read; or they are behind.
      if (position <= this.#options.head) this.#isSuspect = true
      return
    }
    const step = foldEvent(this.#fold, recorded, false)
    if (!step.goesOn || step.differences.length > 0) {
      this.#isSuspect = true
      return
    }
    if (scanned.currency !== this.#fold.wallet?.currency) {
      this.#flaw(`column currency of event ${version}`, this.#fold.wallet!.currency, scanned.currency)
    }
    // Rows of legs are apart from their events: they are compared one by one.
    if (event._tag === "LegsApplied") this.#isSuspect = true
    if (transactionOf(recorded, this.#fold.wallet!) !== undefined) {
      this.#transactions += 1
      this.#newest = scanned
    }
  }

  /** The last event has gone by. */
  finish(): void {
    if (this.#totals !== undefined) this.#totals.balances += this.#balance
    const { suspects } = this.#findings
    if (suspects.has(this.walletId) || this.#isSuspect || !this.#isAsExpected()) {
      suspects.add(this.walletId)
      return
    }
    const { counts } = this.#findings
    const { holds, transfers } = this.#rows!
    counts.wallets += 1
    counts.events += foldVersion(this.#fold) + 1
    counts.transactions += this.#transactions
    counts.keys += this.#fold.commands.commands
    counts.holds += holds.length
    counts.transfers += transfers.length
    const newestTransaction = this.#newest && transactionOf(this.#newest.recorded, this.#fold.wallet!)
    this.#options.sample({ view: expectedRow(this.#fold)!, newestTransaction })
  }

  #isAsExpected(): boolean {
    const { holds, transfers, wallet } = this.#rows!
    const fold = this.#fold
    return (
      foldVersion(fold) === this.#lastVersion &&
      fold.farReversals.length === 0 &&
      heldDifference(fold) === undefined &&
      sizeDifference(fold) === undefined &&
      compareRecords(expectedRow(fold)!, wallet!.view) === undefined &&
      areAsExpected(fold.holds, holds) &&
      areAsExpected(fold.transfers, transfers)
    )
  }

  /** Positions go up with the versions, and the wallet's row has the first. */
  #judgePlace({ position, recorded: { version } }: ScannedEvent): void {
    const row = this.#rows?.wallet
    if (version === 0 && row !== undefined && row.position !== position) {
      this.#findings.flaws.push({
        walletId: this.walletId,
        store: "persistence",
        what: "position of the wallet row",
        expected: String(position),
        found: String(row.position)
      })
      this.#isSuspect = true
    }
    if (position <= this.#position) {
      this.#flaw(`position of event ${version}`, `more than ${this.#position}`, String(position))
    }
    this.#position = position
  }

  #flaw(what: string, expected: string, found: string): void {
    this.#findings.flaws.push(logDifference(this.walletId, what, expected, found))
    this.#isSuspect = true
  }
}

const takeFlaws = (findings: SliceFindings, store: Difference["store"], flaws: ReadonlyArray<RowFlaw>): void => {
  for (const flaw of flaws) {
    findings.flaws.push({ ...flaw, store })
    findings.suspects.add(flaw.walletId)
  }
}

/** Calls `use` with each page of the range's events; the one after it is read meanwhile. */
const eachPage = Effect.fnUntraced(function* (
  { bounds, onPage, scans }: SliceOptions,
  { after, to }: WalletRange,
  use: (page: ScannedEvents) => void
): Effect.fn.Return<void, VerifyError> {
  const limit = bounds.pageEvents
  const read = (walletId: string, version: number) => scans.events({ after: { walletId, version }, to, limit })
  const ahead = (walletId: string, version: number) =>
    Effect.forkChild(read(walletId, version), { startImmediately: true })
  let next: Fiber.Fiber<ScannedEvents, VerifyError> | undefined = yield* ahead(after, Number.MAX_SAFE_INTEGER)
  while (next !== undefined) {
    const page: ScannedEvents = yield* Fiber.join(next)
    const last = page.events.at(-1)?.recorded
    const isLast = last === undefined || page.events.length < limit
    next = isLast ? undefined : yield* ahead(last.walletId, last.version)
    use(page)
    yield* onPage(page.events.length)
  }
})

/** Compares the wallets that `rows` are of. */
const compareRange = Effect.fnUntraced(function* (
  options: SliceOptions,
  range: WalletRange,
  rows: ScannedRows,
  findings: SliceFindings
): Effect.fn.Return<void, VerifyError> {
  const derived = new Map(rows.wallets.map((one) => [one.walletId, one]))
  let current: Candidate | undefined
  takeFlaws(findings, "persistence", rows.flaws)
  yield* eachPage(options, range, (page) => {
    takeFlaws(findings, "log", page.flaws)
    for (const scanned of page.events) {
      const { walletId } = scanned.recorded
      if (current?.walletId !== walletId) {
        current?.finish()
        current = new Candidate(walletId, derived.get(walletId), options, findings)
        derived.delete(walletId)
      }
      current.take(scanned)
    }
  })
  // The closure has set it; control flow analysis does not see that.
  ;(current as Candidate | undefined)?.finish()
  findings.orphans.push(...derived.values())
})

/** Compares all wallets of the range; a part at a time, where their rows are many. */
export const compareSlice = Effect.fnUntraced(function* (
  options: SliceOptions,
  range: WalletRange
): Effect.fn.Return<SliceFindings, VerifyError> {
  const findings = newFindings()
  let after = range.after
  while (true) {
    const rows = yield* options.scans.rows.rows({ after, to: range.to }, options.bounds.sliceRows)
    yield* compareRange(options, { after, to: rows.to }, rows, findings)
    if (rows.to === undefined || rows.to === range.to) return findings
    after = rows.to
  }
})
