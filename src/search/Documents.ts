/**
 * From events to the documents of what they touch. The documents are made of the rows as they are
 * now, whole, so an event says only what is to be looked at; but for transactions, which are
 * events.
 *
 * Nothing is shown that Persistence has not accepted: an event that its wallet's row has not come
 * to is behind, and one that was refused makes no document.
 */
import * as Effect from "effect/Effect"
import { callerKey } from "../domain/Event.ts"
import { kindOf } from "../domain/EventKinds.ts"
import { transactionOf } from "../domain/Projection.ts"
import type { WalletView } from "../domain/Wallet.ts"
import type { EventStore, PositionedEvent } from "../stores/EventStore.ts"
import type { IndexRows, IndexRowsQuery, Persistence } from "../stores/Persistence.ts"
import type { SearchDocument } from "../stores/SearchIndex.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { transferOwners } from "../stores/TransferOwners.ts"

export interface DocumentSources {
  readonly log: Pick<EventStore["Service"], "read" | "writesPersistence">
  readonly persistence: Pick<Persistence["Service"], "indexRows">
}

export interface EventDocuments {
  readonly documents: ReadonlyArray<SearchDocument>
  /** Those of the events that cannot be shown yet, in their order. */
  readonly behind: ReadonlyArray<PositionedEvent>
}

/** A hold or a transfer: its wallet's id and its own. */
interface OwnedId {
  readonly walletId: string
  readonly id: string
}

/** No id has a blank. */
const nameOf = ({ id, walletId }: OwnedId): string => `${walletId} ${id}`

const touchedHold = ({ recorded }: PositionedEvent): OwnedId | undefined => {
  const change = kindOf(recorded.event).holdChange?.(recorded, recorded.event)
  if (change === undefined) return undefined
  return { walletId: recorded.walletId, id: change._tag === "Placed" ? change.hold.id : change.holdId }
}

const touchedTransfer = ({ recorded }: PositionedEvent): OwnedId | undefined => {
  const change = kindOf(recorded.event).transferChange?.(recorded, recorded.event)
  if (change === undefined) return undefined
  return { walletId: recorded.walletId, id: change._tag === "Sent" ? change.transfer.id : change.transferId }
}

/** What rows the documents of these events are made of; each once. */
export const rowsAsked = (events: ReadonlyArray<PositionedEvent>): IndexRowsQuery => {
  const wallets = new Set<string>()
  const holds = new Map<string, OwnedId>()
  const transfers = new Map<string, OwnedId>()
  for (const event of events) {
    wallets.add(event.recorded.walletId)
    const hold = touchedHold(event)
    if (hold !== undefined) holds.set(nameOf(hold), hold)
    const transfer = touchedTransfer(event)
    if (transfer === undefined) continue
    transfers.set(nameOf(transfer), transfer)
    // The owner of the other one finds it, too.
    if ("to" in event.recorded.event) wallets.add(event.recorded.event.to)
  }
  return { wallets: [...wallets], holds: [...holds.values()], transfers: [...transfers.values()] }
}

interface WalletRow {
  readonly view: WalletView
  readonly position: bigint
}

/** The rows, by what they are of. */
class Rows {
  readonly wallets = new Map<string, WalletRow>()
  readonly holds: IndexRows["holds"]
  readonly transfers: IndexRows["transfers"]
  /** Wallet and version. */
  readonly #refused = new Set<string>()
  /** Transfers to wallets that are there, and of which there is no row yet. */
  readonly unready = new Set<string>()

  constructor(rows: IndexRows) {
    this.holds = rows.holds
    this.transfers = rows.transfers
    this.addWallets(rows)
  }

  addWallets({ refused, wallets }: Pick<IndexRows, "wallets" | "refused">): void {
    for (const row of wallets) this.wallets.set(row.view.id, row)
    for (const { version, walletId } of refused) this.#refused.add(`${walletId} ${version}`)
  }

  isRefused(walletId: string, version: number): boolean {
    return this.#refused.has(`${walletId} ${version}`)
  }

  /** Its creation was refused: there will be no row of it. */
  hasNone(walletId: string): boolean {
    return !this.wallets.has(walletId) && this.isRefused(walletId, 0)
  }

  isBehind(event: PositionedEvent): boolean {
    const { version, walletId } = event.recorded
    if (this.hasNone(walletId)) return false
    if (version > (this.wallets.get(walletId)?.view.version ?? -1)) return true
    const transfer = this.unready.size === 0 ? undefined : touchedTransfer(event)
    return transfer !== undefined && this.unready.has(nameOf(transfer))
  }
}

/** The documents of what these events touch. Of one wallet, hold, transfer or transaction there is one at most. */
export const documentsOf = Effect.fnUntraced(function* (
  sources: DocumentSources,
  events: ReadonlyArray<PositionedEvent>
): Effect.fn.Return<EventDocuments, ReadError | EventUnreadable> {
  if (events.length === 0) return { documents: [], behind: [] }
  const asked = rowsAsked(events)
  const rows = new Rows(yield* sources.persistence.indexRows(asked))
  yield* findDestinations(sources, asked, rows)
  const behind: Array<PositionedEvent> = []
  const shown: Array<PositionedEvent> = []
  for (const event of events) {
    if (rows.isBehind(event)) behind.push(event)
    else if (!rows.hasNone(event.recorded.walletId)) shown.push(event)
  }
  return { documents: documentsFrom(rows, shown), behind }
})

/** Not every event of a transfer says where it goes. And one that goes to a wallet whose row is to come waits for that. */
const findDestinations = Effect.fnUntraced(function* (
  { log, persistence }: DocumentSources,
  asked: IndexRowsQuery,
  rows: Rows
): Effect.fn.Return<void, ReadError | EventUnreadable> {
  const known = new Set(asked.wallets)
  const further = [...new Set(rows.transfers.map(({ transfer }) => transfer.to))].filter((to) => !known.has(to))
  if (further.length > 0) {
    rows.addWallets(yield* persistence.indexRows({ wallets: further, holds: [], transfers: [] }))
  }
  if (log.writesPersistence) return
  for (const { transfer } of rows.transfers) {
    if (rows.wallets.has(transfer.to) || rows.hasNone(transfer.to)) continue
    // One that cannot be read never has a row: nothing is to be waited for.
    const [first] = yield* Effect.catchTag(log.read(transfer.to, { after: -1, limit: 1 }), "EventUnreadable", () =>
      Effect.succeed([])
    )
    if (first !== undefined) rows.unready.add(nameOf({ walletId: transfer.from, id: transfer.id }))
  }
})

const documentsFrom = (rows: Rows, events: ReadonlyArray<PositionedEvent>): ReadonlyArray<SearchDocument> => {
  const documents: Array<SearchDocument> = []
  const wallets = new Set<string>()
  for (const event of events) {
    const { view } = rows.wallets.get(event.recorded.walletId)!
    wallets.add(view.id)
    const transaction = transactionDocument(rows, event, view)
    if (transaction !== undefined) documents.push(transaction)
  }
  for (const walletId of wallets) {
    const { position, view } = rows.wallets.get(walletId)!
    documents.push({ kind: "wallet", version: view.version, position, wallet: view })
  }
  for (const hold of rows.holds) {
    const wallet = rows.wallets.get(hold.walletId)?.view
    if (wallet === undefined || !wallets.has(wallet.id)) continue
    const { currency, ownerId, version } = wallet
    documents.push({ kind: "hold", version, ownerId, currency, hold })
  }
  for (const sent of rows.transfers) {
    const document = transferDocument(rows, sent)
    if (document !== undefined && wallets.has(sent.transfer.from)) documents.push(document)
  }
  return documents
}

const transactionDocument = (
  rows: Rows,
  { position, recorded }: PositionedEvent,
  wallet: WalletView
): SearchDocument | undefined => {
  const { metadata, version } = recorded
  if (rows.isRefused(wallet.id, version)) return undefined
  const transaction = transactionOf(recorded, wallet)
  if (transaction === undefined) return undefined
  return { kind: "transaction", version, position, ownerId: wallet.ownerId, key: callerKey(metadata.key), transaction }
}

const transferDocument = (
  rows: Rows,
  { key, position, transfer }: IndexRows["transfers"][number]
): SearchDocument | undefined => {
  const source = rows.wallets.get(transfer.from)?.view
  if (source === undefined || rows.unready.has(nameOf({ walletId: transfer.from, id: transfer.id }))) return undefined
  const destination = rows.wallets.get(transfer.to)
  const ownerIds = transferOwners(
    { status: transfer.status, position },
    source,
    destination && { ownerId: destination.view.ownerId, position: destination.position }
  )
  return { kind: "transfer", version: source.version, position, ownerIds, key, transfer }
}
