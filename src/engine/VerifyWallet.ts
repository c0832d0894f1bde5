/**
 * Compares one wallet: its stream folded from the first event against its rows in
 * Persistence and its document in the read model.
 *
 * The wallet may move meanwhile. Its row names the version it shows, and the fold
 * stops at that version, so the comparison is exact; transactions and keys never
 * change once written; a hold that an event after that version has touched is left
 * out. So nothing is reported that a running service explains.
 *
 * Memory: one page of events and rows, the open holds, and at most
 * `closedHoldsBound` closed ones.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../domain/Event.ts"
import { holdChanges, transactionOf } from "../domain/Projection.ts"
import type { Hold, Transaction } from "../domain/Wallet.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { Persistence, WalletView } from "../stores/Persistence.ts"
import type { ReadModel } from "../stores/ReadModel.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { foldEvent, foldVersion, heldDifference, openHolds, startFold, type WalletFold } from "./VerifyFold.ts"
import { compareRecords, type Difference, type VerifyCounts, zeroCounts } from "./VerifyReport.ts"
import { verifySearch } from "./VerifySearch.ts"

export interface VerifyStores {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly readModel: ReadModel["Service"]
}

export interface VerifyWalletOptions {
  /** How long a derived store may lag behind the log before that is a difference, milliseconds. */
  readonly lagMillis: number
  /** Keys of events younger than this must be on record, milliseconds. */
  readonly keyRetentionMillis: number
}

export interface WalletFindings {
  readonly counts: VerifyCounts
  readonly differences: ReadonlyArray<Difference>
}

export type VerifyError = ReadError | EventUnreadable

/** Events and rows per read: about a megabyte at most in memory. */
const pageSize = 500
/** Closed holds kept for one comparison by scan, about 30 MB; beyond it they are looked up one by one. */
const closedHoldsBound = 100_000
/** A wallet that never rests is compared as of the row read last. */
const maxRounds = 5
const pollMillis = 50

interface Walk {
  readonly stores: VerifyStores
  readonly options: VerifyWalletOptions
  readonly fold: WalletFold
  readonly counts: VerifyCounts
  readonly differences: Array<Difference>
  /** Hold rows that are not as expected, by hold id, unless the wallet has moved. */
  readonly holdSuspects: Map<string, Difference>
  /** Closed holds compared before the final scan. */
  holdsLookedUp: number
  /** The last event of the page before: its command may go on in the next. */
  lastKeyed: RecordedEvent | undefined
  newestTransaction: Transaction | undefined
}

const inRows = (
  walk: Walk,
  what: string,
  sides: { readonly expected: string; readonly found: string }
): Difference => ({
  walletId: walk.fold.walletId,
  store: "persistence",
  what,
  ...sides
})

/** Merges by version: rows missing, rows too many, rows with other content. */
const compareTransactions = Effect.fnUntraced(function* (
  walk: Walk,
  after: number,
  events: ReadonlyArray<RecordedEvent>
) {
  const last = after + events.length
  const rows = yield* walk.stores.persistence.scanTransactions(walk.fold.walletId, { after, limit: events.length })
  const found = new Map(rows.filter((row) => row.version <= last).map((row) => [row.version, row]))
  for (const recorded of events) {
    const row = found.get(recorded.version)
    found.delete(recorded.version)
    const expected = walk.fold.wallet === undefined ? undefined : transactionOf(recorded, walk.fold.wallet)
    if (expected === undefined) {
      if (row !== undefined) {
        const sides = { expected: "nothing", found: `a ${row.type} of ${row.amount}` }
        walk.differences.push(inRows(walk, `transaction of event ${recorded.version}`, sides))
      }
      continue
    }
    walk.counts.transactions += 1
    walk.newestTransaction = expected
    const sides = compareRecords(expected, row)
    if (sides !== undefined) walk.differences.push(inRows(walk, `transaction of event ${recorded.version}`, sides))
  }
})

/** `events` in order; a command's key is on record with its last version. */
const compareKeys = Effect.fnUntraced(function* (walk: Walk, events: ReadonlyArray<RecordedEvent>) {
  const expected = new Map(events.map((recorded) => [recorded.metadata.key as string, recorded]))
  if (expected.size === 0) return
  const { seen } = yield* walk.stores.persistence.findKeys(walk.fold.walletId, [...expected.keys()])
  const found = new Map(seen.map((one) => [one.key, one]))
  const oldest = (yield* Clock.currentTimeMillis) - walk.options.keyRetentionMillis
  for (const [key, { metadata, time, version }] of expected) {
    const row = found.get(key)
    if (row === undefined && time < oldest) continue
    walk.counts.keys += 1
    const sides = compareRecords({ key, fingerprint: metadata.fingerprint, version }, row)
    if (sides !== undefined) walk.differences.push(inRows(walk, `key of event ${version}`, sides))
  }
})

/** Keeps the last event back: only the next one tells whether its command has ended. */
const compareKeysOfPage = (walk: Walk, events: ReadonlyArray<RecordedEvent>) => {
  const last = events.at(-1)
  const all = walk.lastKeyed === undefined ? events : [walk.lastKeyed, ...events]
  walk.lastKeyed = last
  return compareKeys(
    walk,
    all.filter((recorded) => recorded.metadata.key !== last?.metadata.key)
  )
}

/** Keeps the number of closed holds in memory at its bound. */
const lookUpClosedHolds = Effect.fnUntraced(function* (walk: Walk) {
  const { closedHolds, walletId } = walk.fold
  if (closedHolds.size < closedHoldsBound) return
  yield* Effect.forEach(
    closedHolds.values(),
    (expected) =>
      Effect.map(walk.stores.persistence.hold(walletId, expected.id), (row) => {
        const sides = compareRecords(expected, row)
        if (sides !== undefined) walk.holdSuspects.set(expected.id, inRows(walk, `hold ${expected.id}`, sides))
      }),
    { concurrency: 8, discard: true }
  )
  walk.holdsLookedUp += closedHolds.size
  closedHolds.clear()
})

/** Folds on to version `to`. `false`: the stream ends or breaks before it. */
const advance = Effect.fnUntraced(function* (walk: Walk, to: number): Effect.fn.Return<boolean, VerifyError> {
  const { counts, differences, fold, stores } = walk
  while (foldVersion(fold) < to) {
    const after = foldVersion(fold)
    const events = yield* stores.log.read(fold.walletId, { after, limit: Math.min(pageSize, to - after) })
    if (events.length === 0) {
      differences.push(inRows(walk, "version", { expected: `at most ${after}, the log's last`, found: String(to) }))
      return false
    }
    for (const recorded of events) {
      const step = foldEvent(fold, recorded)
      differences.push(...step.differences)
      if (!step.goesOn) return false
      counts.events += 1
    }
    const held = heldDifference(fold)
    if (held !== undefined) differences.push(held)
    yield* compareTransactions(walk, after, events)
    yield* compareKeysOfPage(walk, events)
    yield* lookUpClosedHolds(walk)
  }
  return true
})

/** The row, once it shows at least `version` or the lag allowed has passed. */
const rowAt = Effect.fnUntraced(function* (walk: Walk, version: number) {
  const deadline = (yield* Clock.currentTimeMillis) + walk.options.lagMillis
  let row = yield* walk.stores.persistence.wallet(walk.fold.walletId)
  while ((row?.version ?? -1) < version && (yield* Clock.currentTimeMillis) < deadline) {
    yield* Effect.sleep(pollMillis)
    row = yield* walk.stores.persistence.wallet(walk.fold.walletId)
  }
  return row
})

/** Folds until row and log agree on the last version, or the wallet has moved too often. */
const followRow = Effect.fnUntraced(function* (walk: Walk): Effect.fn.Return<WalletView | undefined, VerifyError> {
  let row = yield* walk.stores.persistence.wallet(walk.fold.walletId)
  for (let round = 0; round < maxRounds; round++) {
    if (!(yield* advance(walk, row?.version ?? -1))) return undefined
    const version = foldVersion(walk.fold)
    const [next] = yield* walk.stores.log.read(walk.fold.walletId, { after: version, limit: 1 })
    if (next === undefined) return row
    const newer = yield* rowAt(walk, next.version)
    if ((newer?.version ?? -1) < next.version) {
      const sides = { expected: `at least ${next.version}`, found: row === undefined ? "no row" : String(version) }
      walk.differences.push(inRows(walk, "version", sides))
      return row
    }
    if (round < maxRounds - 1) row = newer
  }
  return row
})

const compareHoldRows = Effect.fnUntraced(function* (walk: Walk, expected: Map<string, Hold>) {
  const { walletId } = walk.fold
  let after = ""
  let rowCount = 0
  const unknown: Array<string> = []
  for (;;) {
    const rows = yield* walk.stores.persistence.scanHolds(walletId, { after, limit: pageSize })
    for (const row of rows) {
      const hold = expected.get(row.id)
      expected.delete(row.id)
      if (hold === undefined) unknown.push(row.id)
      const sides = hold === undefined ? undefined : compareRecords(hold, row)
      if (sides !== undefined) walk.holdSuspects.set(row.id, inRows(walk, `hold ${row.id}`, sides))
    }
    rowCount += rows.length
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) break
    after = last.id
  }
  for (const hold of expected.values()) {
    walk.holdSuspects.set(hold.id, inRows(walk, `hold ${hold.id}`, { expected: "a row", found: "nothing" }))
  }
  if (unknown.length > walk.holdsLookedUp) {
    for (const id of unknown.slice(0, pageSize)) {
      walk.holdSuspects.set(id, inRows(walk, `hold ${id}`, { expected: "nothing", found: "a row" }))
    }
  }
  walk.counts.holds += rowCount
})

/** Holds touched after the version compared explain themselves. */
const compareHolds = Effect.fnUntraced(function* (walk: Walk) {
  const { fold } = walk
  const expected = openHolds(fold)
  for (const hold of fold.closedHolds.values()) expected.set(hold.id, hold)
  yield* compareHoldRows(walk, expected)
  let after = foldVersion(fold)
  while (walk.holdSuspects.size > 0) {
    const events = yield* walk.stores.log.read(fold.walletId, { after, limit: pageSize })
    for (const change of holdChanges({ events })) {
      walk.holdSuspects.delete(change._tag === "Placed" ? change.hold.id : change.holdId)
    }
    const last = events.at(-1)
    if (last === undefined || events.length < pageSize) break
    after = last.version
  }
  walk.differences.push(...walk.holdSuspects.values())
})

const viewOf = (fold: WalletFold): WalletView | undefined => {
  if (fold.wallet === undefined) return undefined
  const { holds: _holds, transfers: _transfers, ...view } = fold.wallet
  return view
}

/**
 * Compares the wallet as of now. Fails only where a store does not answer or an
 * event cannot be read.
 */
export const verifyWallet = Effect.fnUntraced(function* (
  stores: VerifyStores,
  walletId: string,
  options: VerifyWalletOptions
): Effect.fn.Return<WalletFindings, VerifyError> {
  const walk: Walk = {
    stores,
    options,
    fold: startFold(walletId),
    counts: { ...zeroCounts(), wallets: 1 },
    differences: [],
    holdSuspects: new Map(),
    holdsLookedUp: 0,
    lastKeyed: undefined,
    newestTransaction: undefined
  }
  const row = yield* followRow(walk)
  if (walk.lastKeyed !== undefined) yield* compareKeys(walk, [walk.lastKeyed])
  const expected = viewOf(walk.fold)
  if (row !== undefined && expected !== undefined) {
    const sides = compareRecords(expected, row)
    if (sides !== undefined) walk.differences.push(inRows(walk, "wallet row", sides))
    yield* compareHolds(walk)
    const search = yield* verifySearch(stores, expected, walk.newestTransaction, options.lagMillis)
    walk.counts.notSearched += search.notSearched
    walk.differences.push(...search.differences)
  }
  return { counts: walk.counts, differences: walk.differences }
})
