/** Replaces what is derived of wallets in memory. */
import * as Effect from "effect/Effect"
import type { MemoryState } from "./MemoryDatabase.ts"
import { applyCommit, eraseRows, persistedVersion } from "./Rows.ts"
import type { DerivedWallet, RowReplacement } from "../RowReplacement.ts"

const positionsOf = (state: MemoryState, walletId: string): ReadonlyArray<bigint> =>
  state.log.flatMap(({ position, recorded }) => (recorded.walletId === walletId ? [position] : []))

/** Here keys and transactions are apart from the events: they come from those again. */
const replaceOne = (state: MemoryState, { holds, transfers, wallet }: DerivedWallet): void => {
  const walletId = wallet.id
  const events = state.streams.get(walletId)!
  const positions = positionsOf(state, walletId)
  eraseRows(state, walletId)
  applyCommit(
    state,
    { walletId, partition: 0, epoch: 0, expectedVersion: -1, events, wallet },
    (version) => positions[version]!
  )
  if (holds.length > 0) state.holds.set(walletId, new Map(holds.map((one) => [one.hold.id, one])))
  if (transfers.length > 0) state.transfers.set(walletId, new Map(transfers.map((one) => [one.transfer.id, one])))
}

const isBehind = (state: MemoryState, { wallet }: DerivedWallet): boolean =>
  (state.streams.get(wallet.id)?.length ?? 0) - 1 !== wallet.version

export const make = (state: MemoryState): RowReplacement => ({
  heads: (after, limit) =>
    Effect.sync(() =>
      Array.from(state.streams.keys())
        .filter((walletId) => walletId > after)
        .sort()
        .slice(0, limit)
        .map((walletId) => ({
          walletId,
          last: state.streams.get(walletId)!.length - 1,
          persisted: persistedVersion(state, walletId)
        }))
    ),
  replace: (wallets) =>
    Effect.sync(() => {
      const moved = wallets.filter((one) => isBehind(state, one))
      for (const one of wallets) if (!moved.includes(one)) replaceOne(state, one)
      return new Set(moved.map(({ wallet }) => wallet.id))
    })
})
