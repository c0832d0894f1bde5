/**
 * Documents from rows as they are now: what a search index has to show of wallets, holds and transfers.
 */
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../domain/Event.ts"
import { walletsOf } from "../domain/Legs.ts"
import { sourceOf } from "../domain/Transfer.ts"
import { holdChanges, transferChanges } from "../domain/Projection.ts"
import type { IndexRows, IndexRowsQuery, Persistence } from "../stores/Persistence.ts"
import type { SearchDocument } from "../stores/SearchIndex.ts"
import type { ReadError } from "../stores/StoreError.ts"
import { transferOwners } from "../stores/TransferOwners.ts"

type Wallet = IndexRows["wallets"][number]

export interface RowDocuments {
  /** Of the wallets, holds and transfers asked for that have rows. */
  readonly documents: ReadonlyArray<SearchDocument>
  /** With those whose holds and transfers were asked for. */
  readonly wallets: ReadonlyMap<string, Wallet>
  /** Whether this event of one of these wallets has no rows. */
  readonly isRefused: (walletId: string, version: number) => boolean
}

const uniqueIds = (ids: Iterable<string>): ReadonlyArray<string> => [...new Set(ids)]

/** By wallet: its owner, and the position of its first event. */
type Owners = ReadonlyMap<string, { readonly ownerId: string; readonly position: bigint }>

const ownersOf = (wallets: IndexRows["wallets"]) =>
  wallets.map(({ position, view }) => [view.id, { ownerId: view.ownerId, position }] as const)

/** Also of destinations that were not asked for: only their owners are wanted, which never change. */
const withDestinations = Effect.fnUntraced(function* (
  persistence: Persistence["Service"],
  { transfers, wallets }: IndexRows
): Effect.fn.Return<Owners, ReadError> {
  const owners = new Map(ownersOf(wallets))
  const missing = uniqueIds(
    transfers.flatMap(({ transfer }) => walletsOf(transfer.legs)).filter((id) => !owners.has(id))
  )
  if (missing.length === 0) return owners
  const more = yield* persistence.indexRows({ wallets: missing, holds: [], transfers: [] })
  return new Map([...owners, ...ownersOf(more.wallets)])
})

/** What the index has to show of these, as it is now; what has no row is left out. */
export const rowDocuments = Effect.fnUntraced(function* (
  persistence: Persistence["Service"],
  asked: IndexRowsQuery
): Effect.fn.Return<RowDocuments, ReadError> {
  const sources = [...asked.holds, ...asked.transfers].map(({ walletId }) => walletId)
  const rows = yield* persistence.indexRows({ ...asked, wallets: uniqueIds([...asked.wallets, ...sources]) })
  const owners = yield* withDestinations(persistence, rows)
  const wallets = new Map(rows.wallets.map((one) => [one.view.id, one]))
  const refused = new Set(rows.refused.map(({ version, walletId }) => `${walletId} ${version}`))
  const wanted = new Set(asked.wallets)
  const documents: Array<SearchDocument> = []
  for (const { position, view } of rows.wallets) {
    if (wanted.has(view.id)) documents.push({ kind: "wallet", version: view.version, position, wallet: view })
  }
  for (const hold of rows.holds) {
    const view = wallets.get(hold.walletId)?.view
    if (view === undefined) continue
    documents.push({ kind: "hold", version: view.version, ownerId: view.ownerId, currency: view.currency, hold })
  }
  for (const { key, position, transfer } of rows.transfers) {
    const view = wallets.get(sourceOf(transfer))?.view
    if (view === undefined) continue
    const ownerIds = transferOwners(transfer, position, (id) => owners.get(id))
    documents.push({ kind: "transfer", version: view.version, position, ownerIds, key, transfer })
  }
  return {
    documents,
    wallets,
    isRefused: (walletId, version) => refused.has(`${walletId} ${version}`)
  }
})

/** Holds and transfers whose rows these events of one wallet change. */
export const touchedBy = (
  walletId: string,
  events: ReadonlyArray<RecordedEvent>
): Pick<IndexRowsQuery, "holds" | "transfers"> => ({
  holds: holdChanges({ events }).map((change) => ({
    walletId,
    id: change._tag === "Placed" ? change.hold.id : change.holdId
  })),
  transfers: transferChanges({ events }).map((change) => ({
    walletId,
    id: change._tag === "Sent" ? change.transfer.id : change.transferId
  }))
})
