/**
 * Compares a wallet and, where that is asked for, replaces its rows when they differ
 * and compares it again. One wallet is repaired at a time.
 *
 * Rows that know more than the log are left alone: they may be all that is left of what
 * the log has lost, and whoever throws them away has to say so.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import type { EventStore } from "../../stores/EventStore.ts"
import type { Persistence } from "../../stores/Persistence.ts"
import { rebuildStores } from "../rebuild/Rebuild.ts"
import { rebuildWallets } from "../rebuild/WalletRebuild.ts"
import { patiently } from "../rebuild/RebuildStores.ts"
import type { Difference } from "./Report.ts"
import type { CompareWallet, RepairedFindings } from "./Verification.ts"
import type { VerifyError, VerifyStores, WalletFindings } from "./Walk.ts"

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
