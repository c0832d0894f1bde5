/**
 * Compares one wallet: its stream folded from the first event against its rows in
 * Persistence and its document in the read model.
 *
 * The wallet may move meanwhile. Its row names the version it shows, and the fold
 * stops at that version, so the comparison is exact. Rows that are behind the log by
 * young events lag; that is no difference where Persistence is another store. So
 * nothing is reported that a running service explains.
 *
 * Memory: one page of events and rows, the open holds and transfers, and a bounded
 * number of closed ones.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { PersistedVersion, WalletView } from "../../stores/Persistence.ts"
import type { ReadError } from "../../stores/StoreError.ts"
import { reversalDoubt } from "./Arithmetic.ts"
import { expectedRow, foldEvent, foldVersion, heldDifference, sizeDifference } from "./Fold.ts"
import { compareRecords } from "./Report.ts"
import {
  compareHoldsAndTransfers,
  compareKeys,
  compareKeysOfPage,
  compareRefusals,
  compareTransactions,
  countTransactions,
  haveLegs,
  lookUpClosedRows,
  meetRefusals
} from "./Rows.ts"
import { verifySearch } from "./Search.ts"
import {
  inRows,
  pageSize,
  startWalk,
  type VerifyError,
  type VerifyStores,
  type VerifyWalletOptions,
  type Walk,
  type WalletFindings
} from "./Walk.ts"

/** A wallet that never rests is compared as of the row read last. */
const maxRounds = 5

/** Where the wallet's rows stand. */
interface Standing {
  readonly row: WalletView | undefined
  /** `-1`: there is nothing of it. */
  readonly version: number
  /** As told beside the row, perhaps a moment later. */
  readonly persisted: PersistedVersion | undefined
}

/** The refusals come last: then those up to the version of the row are complete. */
const standingOf = Effect.fnUntraced(function* (walk: Walk): Effect.fn.Return<Standing, ReadError> {
  const { walletId } = walk.fold
  const { persistence } = walk.stores
  const row = yield* persistence.wallet(walletId)
  const persisted = (yield* persistence.persistedVersions([walletId])).get(walletId)
  const refusals = yield* persistence.refusals(walletId)
  walk.refusals = new Map(refusals.map((refusal) => [refusal.version, refusal]))
  // A wallet whose creation was refused has no row.
  const version = row?.version ?? (walk.refusals.has(0) ? (persisted?.version ?? -1) : -1)
  return { row, version, persisted }
})

/** Of events that are no more remembered. */
const judgeFarReversals = Effect.fnUntraced(function* ({
  differences,
  fold,
  stores
}: Walk): Effect.fn.Return<void, VerifyError> {
  for (const recorded of fold.farReversals.splice(0)) {
    if (recorded.event._tag !== "OperationReversed") continue
    const after = recorded.event.reversedVersion - 1
    const [reversed] = yield* stores.log.read(fold.walletId, { after, limit: 1 })
    const doubt = reversalDoubt(recorded, recorded.event, reversed)
    if (doubt !== undefined) differences.push(doubt)
  }
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
      const step = foldEvent(fold, recorded, walk.refusals.has(recorded.version))
      differences.push(...step.differences)
      if (!step.goesOn) return false
      meetRefusals(walk, recorded)
      counts.events += 1
    }
    const held = heldDifference(fold)
    if (held !== undefined) differences.push(held)
    yield* judgeFarReversals(walk)
    if (!stores.log.writesPersistence || haveLegs(events)) yield* compareTransactions(walk, after, events)
    else countTransactions(walk, events)
    if (!stores.log.writesPersistence) yield* compareKeysOfPage(walk, events)
    yield* lookUpClosedRows(walk)
  }
  return true
})

/** The rows end before an event of that version and time. */
const behind = Effect.fnUntraced(function* (walk: Walk, standing: Standing, version: number, time: number) {
  const age = Math.max(0, (yield* Clock.currentTimeMillis) - time)
  if (!walk.stores.log.writesPersistence && age < walk.options.lagMillis) {
    walk.counts.lagging += 1
    return
  }
  const sides = {
    expected: `at least ${version}`,
    found: standing.version === -1 ? "no row" : String(standing.version)
  }
  walk.differences.push(inRows(walk, "version", sides))
})

/** Folds until rows and log agree on the last version, or the wallet has moved too often. */
const followRow = Effect.fnUntraced(function* (walk: Walk): Effect.fn.Return<Standing | undefined, VerifyError> {
  let standing = yield* standingOf(walk)
  for (let round = 0; round < maxRounds; round++) {
    if (!(yield* advance(walk, standing.version))) return undefined
    const [next] = yield* walk.stores.log.read(walk.fold.walletId, { after: foldVersion(walk.fold), limit: 1 })
    if (next === undefined) return standing
    const newer = yield* standingOf(walk)
    if (newer.version < next.version) {
      yield* behind(walk, newer, next.version, next.time)
      return standing
    }
    if (round < maxRounds - 1) standing = newer
  }
  return standing
})

/** Whether the event that Persistence has at its version is the log's. */
const comparePersistedEvent = Effect.fnUntraced(function* (
  walk: Walk,
  { eventId, version }: PersistedVersion
): Effect.fn.Return<void, VerifyError> {
  const { fold, stores } = walk
  let expected = fold.eventId
  if (version !== foldVersion(fold)) {
    const [recorded] = yield* stores.log.read(fold.walletId, { after: version - 1, limit: 1 })
    expected = recorded?.id ?? "none: the log ends before it"
  }
  if (expected === eventId) return
  const found = eventId === "" ? "nothing" : eventId
  walk.differences.push(inRows(walk, `id of event ${version}`, { expected, found }))
})

/**
 * Compares the wallet as of now. Fails only where a store does not answer or an
 * event cannot be read.
 */
export const verifyWallet = Effect.fnUntraced(function* (
  stores: VerifyStores,
  walletId: string,
  options: VerifyWalletOptions
): Effect.fn.Return<WalletFindings, VerifyError> {
  const walk = startWalk(stores, walletId, options)
  const standing = yield* followRow(walk)
  const size = sizeDifference(walk.fold)
  if (size !== undefined) walk.differences.push(size)
  if (walk.lastKeyed !== undefined) yield* compareKeys(walk, [walk.lastKeyed])
  if (stores.log.writesPersistence) walk.counts.keys += walk.fold.commands.commands
  if (standing === undefined || standing.version === -1) return walk
  if (standing.persisted !== undefined) yield* comparePersistedEvent(walk, standing.persisted)
  yield* compareRefusals(walk)
  const expected = expectedRow(walk.fold)
  if (expected === undefined) {
    if (standing.row === undefined) return walk
    const sides = { expected: "none: the creation was refused", found: `version ${standing.version}` }
    walk.differences.push(inRows(walk, "wallet row", sides))
    return walk
  }
  const sides = compareRecords(expected, standing.row)
  if (sides !== undefined) walk.differences.push(inRows(walk, "wallet row", sides))
  yield* compareHoldsAndTransfers(walk)
  const search = yield* verifySearch(stores, expected, walk.newestTransaction, options.lagMillis)
  walk.counts.searched += search.searched
  walk.counts.notSearched += search.notSearched
  walk.differences.push(...search.differences)
  return walk
})
