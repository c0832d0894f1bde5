/**
 * Documents from rows as they are now: what a search index has to show of wallets, holds and transfers.
 */
import * as Effect from "effect/Effect"
import { callerKey, type RecordedEvent } from "../domain/Event.ts"
import { walletsOf } from "../domain/Legs.ts"
import { sourceOf } from "../domain/Transfer.ts"
import { holdChanges, transactionsOf, transferChanges } from "../domain/EventKinds.ts"
import type { IndexRows, IndexRowsQuery, Persistence } from "../stores/Persistence.ts"
import type { DocumentOf, SearchDocument } from "../stores/SearchIndex.ts"
import type { ReadError } from "../stores/StoreError.ts"
import { transferOwners } from "../stores/TransferOwners.ts"

/** A wallet's row. */
export type Wallet = IndexRows["wallets"][number]

export interface RowDocuments {
  /** Of the wallets, holds and transfers asked for that have rows. */
  readonly documents: ReadonlyArray<SearchDocument>
  /** With those whose holds and transfers were asked for. */
  readonly wallets: ReadonlyMap<string, Wallet>
  /** Whether this event of one of these wallets has no rows. */
  readonly isRefused: (walletId: string, version: number) => boolean
}

const uniqueIds = (ids: Iterable<string>): ReadonlyArray<string> => [...new Set(ids)]

const byId = (wallets: IndexRows["wallets"]): ReadonlyMap<string, Wallet> =>
  new Map(wallets.map((wallet) => [wallet.view.id, wallet]))

/** Also destinations that were not asked for. */
const withDestinations = Effect.fnUntraced(function* (
  persistence: Persistence["Service"],
  transfers: IndexRows["transfers"],
  wallets: ReadonlyMap<string, Wallet>
): Effect.fn.Return<ReadonlyMap<string, Wallet>, ReadError> {
  const missing = uniqueIds(
    transfers.flatMap(({ transfer }) => walletsOf(transfer.legs)).filter((id) => !wallets.has(id))
  )
  if (missing.length === 0) return wallets
  const more = yield* persistence.indexRows({ wallets: missing, holds: [], transfers: [] })
  return new Map([...wallets, ...byId(more.wallets)])
})

export const walletDocument = ({ position, view }: Wallet): SearchDocument => ({
  kind: "wallet",
  version: view.version,
  position,
  wallet: view
})

export const holdDocument = (hold: IndexRows["holds"][number], { view }: Wallet): SearchDocument => {
  const { currency, ownerId, version } = view
  return { kind: "hold", version, ownerId, currency, hold }
}

/** `wallets`: with all of the transfer's that have rows. */
export const transferDocument = (
  { key, position, transfer }: IndexRows["transfers"][number],
  { view: { version } }: Wallet,
  wallets: ReadonlyMap<string, Wallet>
): SearchDocument => {
  const ownerIds = transferOwners(transfer, position, (id) => {
    const wallet = wallets.get(id)
    return wallet && { ownerId: wallet.view.ownerId, position: wallet.position }
  })
  return { kind: "transfer", version, position, ownerIds, key, transfer }
}

/** Of the transactions that the event makes. */
export const transactionDocuments = (
  recorded: RecordedEvent,
  position: bigint,
  { view }: Wallet
): ReadonlyArray<DocumentOf<"transaction">> =>
  transactionsOf(recorded, view).map((transaction, leg) => ({
    kind: "transaction",
    version: recorded.version,
    position,
    ownerId: view.ownerId,
    key: callerKey(recorded.metadata.key),
    leg,
    transaction
  }))

/** What the index has to show of these, as it is now; what has no row is left out. */
export const rowDocuments = Effect.fnUntraced(function* (
  persistence: Persistence["Service"],
  asked: IndexRowsQuery
): Effect.fn.Return<RowDocuments, ReadError> {
  const sources = [...asked.holds, ...asked.transfers].map(({ walletId }) => walletId)
  const rows = yield* persistence.indexRows({ ...asked, wallets: uniqueIds([...asked.wallets, ...sources]) })
  const wallets = byId(rows.wallets)
  const all = yield* withDestinations(persistence, rows.transfers, wallets)
  const refused = new Set(rows.refused.map(({ version, walletId }) => `${walletId} ${version}`))
  const wanted = new Set(asked.wallets)
  const documents: Array<SearchDocument> = []
  for (const wallet of rows.wallets) if (wanted.has(wallet.view.id)) documents.push(walletDocument(wallet))
  for (const hold of rows.holds) {
    const wallet = wallets.get(hold.walletId)
    if (wallet !== undefined) documents.push(holdDocument(hold, wallet))
  }
  for (const sent of rows.transfers) {
    const source = wallets.get(sourceOf(sent.transfer))
    if (source !== undefined) documents.push(transferDocument(sent, source, all))
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
