/**
 * From events to the documents of what they touch. The documents are made of the rows as they are
 * now, whole, so an event says only what is to be looked at; but for transactions, which are
 * events.
 *
 * Nothing is shown that Persistence has not accepted: an event that its wallet's row has not come
 * to is behind, and one that was refused makes no document.
 */
import * as Effect from "effect/Effect"
import type { WalletEvent } from "../domain/Event.ts"
import { kindOf } from "../domain/EventKinds.ts"
import { walletsOf } from "../domain/Legs.ts"
import { sourceOf } from "../domain/Transfer.ts"
import type { EventStore, PositionedEvent } from "../stores/EventStore.ts"
import type { IndexRows, IndexRowsQuery, Persistence } from "../stores/Persistence.ts"
import type { SearchDocument } from "../stores/SearchIndex.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { holdDocument, transactionDocuments, transferDocument, type Wallet, walletDocument } from "./RowDocuments.ts"

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

/** Those that an event of a transfer names. */
const otherWallets = (event: WalletEvent): ReadonlyArray<string> => {
  if (event._tag === "LegsBegun") return walletsOf(event.legs)
  return "to" in event ? [event.to] : []
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
    // The owners of all its wallets find it.
    for (const walletId of otherWallets(event.recorded.event)) wallets.add(walletId)
  }
  return { wallets: [...wallets], holds: [...holds.values()], transfers: [...transfers.values()] }
}

/** The rows, by what they are of. */
class Rows {
  readonly wallets = new Map<string, Wallet>()
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
    return this.#refused.size > 0 && this.#refused.has(`${walletId} ${version}`)
  }

  /** Its creation was refused: there will be no row of it. */
  hasNone(walletId: string): boolean {
    return !this.wallets.has(walletId) && this.isRefused(walletId, 0)
  }

  /** The wallet's row has not come to the event, or the row of its transfer's destination is to come. */
  isBehind(event: PositionedEvent, { view }: Wallet): boolean {
    if (event.recorded.version > view.version) return true
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
  return documentsFrom(rows, events)
})

/** Not every event of a transfer says where it goes. And one that goes to a wallet whose row is to come waits for that. */
const findDestinations = Effect.fnUntraced(function* (
  { log, persistence }: DocumentSources,
  asked: IndexRowsQuery,
  rows: Rows
): Effect.fn.Return<void, ReadError | EventUnreadable> {
  const known = new Set(asked.wallets)
  const further = [...new Set(rows.transfers.flatMap(({ transfer }) => walletsOf(transfer.legs)))].filter(
    (walletId) => !known.has(walletId)
  )
  if (further.length > 0) {
    rows.addWallets(yield* persistence.indexRows({ wallets: further, holds: [], transfers: [] }))
  }
  if (log.writesPersistence) return
  for (const { transfer } of rows.transfers) {
    for (const walletId of walletsOf(transfer.legs).slice(1)) {
      if (rows.wallets.has(walletId) || rows.hasNone(walletId)) continue
      // One that cannot be read never has a row: nothing is to be waited for.
      const [first] = yield* Effect.catchTag(log.read(walletId, { after: -1, limit: 1 }), "EventUnreadable", () =>
        Effect.succeed([])
      )
      if (first !== undefined) rows.unready.add(nameOf({ walletId: sourceOf(transfer), id: transfer.id }))
    }
  }
})

const documentsFrom = (rows: Rows, events: ReadonlyArray<PositionedEvent>): EventDocuments => {
  const documents: Array<SearchDocument> = []
  const behind: Array<PositionedEvent> = []
  const shown = new Set<Wallet>()
  for (const event of events) {
    const { position, recorded } = event
    const { version, walletId } = recorded
    const wallet = rows.wallets.get(walletId)
    if (wallet === undefined || rows.isBehind(event, wallet)) {
      if (!rows.hasNone(walletId)) behind.push(event)
      continue
    }
    shown.add(wallet)
    if (!rows.isRefused(walletId, version)) documents.push(...transactionDocuments(recorded, position, wallet))
  }
  for (const wallet of shown) documents.push(walletDocument(wallet))
  for (const hold of rows.holds) {
    const wallet = rows.wallets.get(hold.walletId)
    if (wallet !== undefined && shown.has(wallet)) documents.push(holdDocument(hold, wallet))
  }
  for (const sent of rows.transfers) {
    const { transfer } = sent
    const walletId = sourceOf(transfer)
    const source = rows.wallets.get(walletId)
    if (source === undefined || !shown.has(source) || rows.unready.has(nameOf({ walletId, id: transfer.id }))) continue
    documents.push(transferDocument(sent, source, rows.wallets))
  }
  return { documents, behind }
}
