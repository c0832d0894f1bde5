/** Search over the documents of an index in memory that have been refreshed. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { sourceOf } from "../../domain/Transfer.ts"
import { ReadModel } from "../ReadModel.ts"
import type { SearchDocument } from "../SearchIndex.ts"
import { StoreDefect } from "../StoreError.ts"
import { makeState, type MemoryState } from "./MemoryDatabase.ts"
import * as MemoryReadModel from "./MemoryReadModel.ts"
import type { MemorySearchState } from "./MemorySearchIndex.ts"

const entry = <A>(maps: Map<string, Map<string, A>>, walletId: string): Map<string, A> => {
  const found = maps.get(walletId) ?? new Map<string, A>()
  maps.set(walletId, found)
  return found
}

/** The namespace is that of a caller's; the engine's own are not kept. */
const storedKey = (key: string | null): string => (key === null ? "e:" : `c:${key}`)

const add = (rows: MemoryState, document: SearchDocument): void => {
  switch (document.kind) {
    case "wallet":
      rows.wallets.set(document.wallet.id, document)
      return
    case "transaction":
      // No search adds changes up.
      rows.transactions.push({ ...document, key: storedKey(document.key), change: 0n })
      return
    case "transfer":
      entry(rows.transfers, sourceOf(document.transfer)).set(document.transfer.id, {
        ...document,
        key: storedKey(document.key)
      })
      return
    case "hold":
      entry(rows.holds, document.hold.walletId).set(document.hold.id, document)
  }
}

const absent = new StoreDefect({ store: "readModel", reason: "there is no search index" })

/** Rows made of the documents anew, at every search. */
const searched = (state: MemorySearchState): Effect.Effect<ReadModel["Service"], StoreDefect> =>
  Effect.suspend(() => {
    if (state.current === undefined) return Effect.fail(absent)
    const rows = makeState({}, () => 0)
    for (const ofKind of Object.values(state.current.visible)) for (const one of ofKind.values()) add(rows, one)
    return Effect.succeed(MemoryReadModel.make(rows))
  })

export const make = (state: MemorySearchState): ReadModel["Service"] => {
  const now = searched(state)
  return ReadModel.of({
    searchWallets: (query) => Effect.flatMap(now, (readModel) => readModel.searchWallets(query)),
    searchTransactions: (query) => Effect.flatMap(now, (readModel) => readModel.searchTransactions(query)),
    searchTransfers: (query) => Effect.flatMap(now, (readModel) => readModel.searchTransfers(query)),
    searchHolds: (query) => Effect.flatMap(now, (readModel) => readModel.searchHolds(query)),
    stats: (query) => Effect.flatMap(now, (readModel) => readModel.stats(query))
  })
}

export const layer = (state: MemorySearchState): Layer.Layer<ReadModel> => Layer.sync(ReadModel, () => make(state))
