/** Rows as a search index shows them. */
import { callerKey } from "../../domain/Event.ts"
import type { IndexRows, IndexRowsQuery } from "../Persistence.ts"
import type { MemoryState } from "./MemoryDatabase.ts"
import { shownTransfer } from "./ShownTransfer.ts"

export const indexRows = (state: MemoryState, { holds, transfers, wallets }: IndexRowsQuery): IndexRows => ({
  wallets: wallets.flatMap((walletId) => {
    const row = state.wallets.get(walletId)
    return row === undefined ? [] : [{ view: row.wallet, position: row.position }]
  }),
  holds: holds.flatMap(({ id, walletId }) => state.holds.get(walletId)?.get(id)?.hold ?? []),
  transfers: transfers.flatMap(({ id, walletId }) => {
    const sent = state.transfers.get(walletId)?.get(id)
    return sent === undefined
      ? []
      : [{ transfer: shownTransfer(state, sent), position: sent.position, key: callerKey(sent.key) }]
  }),
  refused: wallets.flatMap((walletId) =>
    (state.refusals.get(walletId) ?? []).map(({ version }) => ({ walletId, version }))
  )
})
