/**
 * Rebuilds single wallets: brings one up to the log from where its rows are, or
 * replaces the rows of some at once, so that no reader sees them missing.
 */
import * as Effect from "effect/Effect"
import { fold } from "../../domain/Evolve.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import {
  commitOf,
  type RebuildCommit,
  type RebuildCounts,
  type RebuildStores,
  stateAt,
  type WriteError
} from "./RebuildStores.ts"
import { triesAtATime, writeCommits } from "./RebuildWriter.ts"
import { StoreUnavailable } from "../../stores/StoreError.ts"

/** Events per read of a stream. */
const pageEvents = 1_000

/** Events of a rebuild that are written together, over all of its wallets. */
const gatheredEvents = 4_000

/** Others may write the wallet meanwhile; so often the look begins again. */
const maxRounds = 10_000

/** Until Persistence has all that the stream has. */
export const catchUpWallet = Effect.fnUntraced(function* (
  stores: RebuildStores,
  counts: RebuildCounts,
  walletId: string
): Effect.fn.Return<Wallet | undefined, WriteError> {
  let state: Wallet | undefined
  for (let round = 0; round < maxRounds; round++) {
    const found = yield* stores.persistence.persistedVersions([walletId])
    const after = found.get(walletId)?.version ?? -1
    if ((state?.version ?? -1) !== after) state = yield* stateAt(stores, walletId, after)
    const events = yield* stores.log.read(walletId, { after, limit: pageEvents })
    if (events.length === 0) return state
    const before: Wallet | undefined = state
    state = fold(before, events)!
    yield* writeCommits(stores, counts, [commitOf(before, state, events)], { triesAtATime })
    counts.written += events.length
  }
  const reason = `wallet ${walletId} moved ${maxRounds} times while it was caught up`
  return yield* new StoreUnavailable({ store: "persistence", reason, retryAfter: 1_000 })
})

/** All events of the wallets, gathered over them, in the order of each. */
const rewrite = Effect.fnUntraced(function* (
  stores: RebuildStores,
  counts: RebuildCounts,
  walletIds: ReadonlyArray<string>
): Effect.fn.Return<void, WriteError> {
  let gathered: Array<RebuildCommit> = []
  let size = 0
  const flush = Effect.gen(function* () {
    counts.written += size
    // On one connection: no tries beside each other.
    yield* writeCommits(stores, counts, gathered, { triesAtATime: 1 })
    gathered = []
    size = 0
  })
  for (const walletId of walletIds) {
    let state: Wallet | undefined
    while (true) {
      const after = state?.version ?? -1
      const events = yield* stores.log.read(walletId, { after, limit: pageEvents })
      if (events.length === 0) break
      counts.events += events.length
      // One commit per wallet and write.
      if (after >= 0 && gathered.some((commit) => commit.walletId === walletId)) yield* flush
      const next: Wallet = fold(state, events)!
      gathered.push(commitOf(state, next, events))
      state = next
      size += events.length
      if (size >= gatheredEvents) yield* flush
      // The stream's end: where Persistence is the log's database, nobody appends to it meanwhile.
      if (events.length < pageEvents) break
    }
  }
  yield* flush
})

/**
 * Replaces all rows of the wallets by what the log has, in one transaction: a failure
 * leaves them as they were. A wallet that the log does not know has none afterwards.
 */
export const rebuildWallets = Effect.fnUntraced(function* (
  stores: RebuildStores,
  counts: RebuildCounts,
  walletIds: ReadonlyArray<string>
): Effect.fn.Return<void, WriteError> {
  // Of this try alone: one that fails has done nothing.
  const own: RebuildCounts = { events: 0, written: 0, refused: counts.refused }
  yield* stores.persistence.rebuild(walletIds, rewrite(stores, own, walletIds))
  counts.events += own.events
  counts.written += own.written
  counts.refused = own.refused
})
