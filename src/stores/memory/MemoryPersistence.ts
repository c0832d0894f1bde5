/** The transactional view in memory: the reference for what the other adapters must answer. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { Hold, Transaction, Transfer } from "../../domain/Wallet.ts"
import { walletsOf } from "../../domain/Legs.ts"
import { sourceOf } from "../../domain/Transfer.ts"
import {
  decodePosition,
  decodeTransactionPlace,
  decodeVersion,
  isBefore,
  type Page,
  pageByPosition,
  pageByVersion,
  pageOfTransactions
} from "../Page.ts"
import {
  type AskedKeys,
  type DueFreeze,
  type DueHold,
  type HoldQuery,
  type KeyLookup,
  type OpenTransfer,
  Persistence,
  type TransactionQuery,
  type TransferQuery
} from "../Persistence.ts"
import { bookReads } from "./Books.ts"
import { copyOf } from "./Copies.ts"
import { told } from "./ShownTransfer.ts"
import { MemoryDatabase, type MemoryState, type PositionedTransfer } from "./MemoryDatabase.ts"
import { makeDeadLetters } from "./DeadLetters.ts"
import { indexRows } from "./IndexRows.ts"
import * as PersistenceWrites from "./PersistenceWrites.ts"
import { persistedVersion, rowReplacement, rowScan } from "./Rows.ts"

/** Each with its number among those of its event. */
const inLegs = (transactions: ReadonlyArray<Transaction>) => {
  let [leg, last] = [0, -1]
  return transactions.map((transaction) => {
    const { version } = transaction
    leg = version === last ? leg + 1 : 0
    last = version
    return { version, leg, transaction }
  })
}

const listTransactions = Effect.fnUntraced(function* (
  state: MemoryState,
  query: TransactionQuery
): Effect.fn.Return<Page<Transaction>, InvalidRequest> {
  const before = yield* decodeTransactionPlace("transactionsOfWallet", query.cursor)
  const found = inLegs(state.transactionsByWallet.get(query.walletId) ?? [])
    .filter(
      ({ leg, transaction: { createdAt, type, version } }) =>
        isBefore(before, version, leg) &&
        (query.from === undefined || createdAt >= query.from) &&
        (query.to === undefined || createdAt <= query.to) &&
        (query.type === undefined || type === query.type)
    )
    .reverse()
  return pageOfTransactions("transactionsOfWallet", found, query.limit, ({ transaction }) => transaction)
})

const listHolds = Effect.fnUntraced(function* (
  state: MemoryState,
  query: HoldQuery
): Effect.fn.Return<Page<Hold>, InvalidRequest> {
  const before = yield* decodeVersion("holdsOfWallet", query.cursor)
  const found = [...(state.holds.get(query.walletId)?.values() ?? [])]
    .filter(
      ({ hold, version }) =>
        (before === undefined || version < before) && (query.status === undefined || hold.status === query.status)
    )
    .reverse()
  return pageByVersion("holdsOfWallet", found, query.limit, ({ hold }) => hold)
})

const findKeys = (state: MemoryState, { keys, walletId }: AskedKeys): KeyLookup => {
  const ofWallet = state.keys.get(walletId)
  return {
    persistedVersion: persistedVersion(state, walletId),
    seen: [...new Set(keys)].flatMap((key) => ofWallet?.get(key) ?? [])
  }
}

const allTransfers = (state: MemoryState): ReadonlyArray<PositionedTransfer> =>
  [...state.transfers.values()].flatMap((ofWallet) => [...ofWallet.values()])

const findTransfer = (state: MemoryState, transferId: string): Transfer | undefined => {
  const found = allTransfers(state).find(({ transfer }) => transfer.id === transferId)
  return found && told(state, found)
}

const listTransfers = Effect.fnUntraced(function* (
  state: MemoryState,
  query: TransferQuery
): Effect.fn.Return<Page<Transfer>, InvalidRequest> {
  const before = yield* decodePosition("transfers", query.cursor)
  const found = allTransfers(state)
    .filter(
      ({ position, transfer }) =>
        (before === undefined || position < before) &&
        (query.walletId === undefined || walletsOf(transfer.legs).includes(query.walletId))
    )
    .map((sent) => ({ position: sent.position, transfer: told(state, sent) }))
    .filter(({ transfer }) => query.status === undefined || transfer.status === query.status)
    .sort((a, b) => (a.position < b.position ? 1 : -1))
  return pageByPosition("transfers", found, query.limit, ({ transfer }) => transfer)
})

const openTransfers = (
  state: MemoryState,
  { after = Infinity, before, limit }: Parameters<Persistence["Service"]["openTransfers"]>[0]
): ReadonlyArray<OpenTransfer> =>
  allTransfers(state)
    .filter(({ transfer: { createdAt, status } }) => status === "pending" && (createdAt < before || createdAt > after))
    .map(({ transfer }) => ({ transferId: transfer.id, walletId: sourceOf(transfer), createdAt: transfer.createdAt }))
    .sort((a, b) => a.createdAt - b.createdAt)
    .slice(0, limit)

const dueHolds = (
  state: MemoryState,
  { limit, now }: { readonly now: number; readonly limit: number }
): ReadonlyArray<DueHold> =>
  [...state.holds.values()]
    .flatMap((ofWallet) => [...ofWallet.values()])
    .flatMap(({ hold: { expiresAt, id, status, walletId } }) =>
      status === "active" && expiresAt !== null && expiresAt <= now ? [{ walletId, holdId: id, expiresAt }] : []
    )
    .sort((a, b) => a.expiresAt - b.expiresAt)
    .slice(0, limit)

const dueFreezes = (
  state: MemoryState,
  { limit, now }: { readonly now: number; readonly limit: number }
): ReadonlyArray<DueFreeze> =>
  [...state.wallets.values()]
    .flatMap(({ wallet: { freeze, id: walletId } }) => {
      const until = freeze?.until ?? null
      return until !== null && until <= now ? [{ walletId, until }] : []
    })
    .sort((a, b) => a.until - b.until)
    .slice(0, limit)

/** So many, and those that are of the last one's event. */
const wholeEvents = (transactions: ReadonlyArray<Transaction>, limit: number): ReadonlyArray<Transaction> => {
  const last = transactions[limit - 1]?.version
  return transactions.filter(({ version }, index) => index < limit || version === last)
}

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1)

const scan = <A extends { readonly id: string }>(
  rows: ReadonlyArray<A>,
  { after, limit }: { readonly after: string; readonly limit: number }
): ReadonlyArray<A> =>
  rows
    .filter(({ id }) => id > after)
    .sort(byId)
    .slice(0, limit)

export const make = (state: MemoryState): Persistence["Service"] => {
  const rows = PersistenceWrites.visible(state)
  const read = <A>(f: (state: MemoryState) => A): Effect.Effect<A> => Effect.map(rows, (seen) => copyOf(f(seen)))
  const list = <A, E>(f: (state: MemoryState) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.map(Effect.flatMap(rows, f), copyOf)
  return {
    ...PersistenceWrites.make(state),
    ...makeDeadLetters(state),
    ...(state.separate ? {} : { rowScan: rowScan(rows), rowReplacement: rowReplacement(state) }),
    wallet: (walletId) => read(({ wallets }) => wallets.get(walletId)?.wallet),
    transactions: (query) => list((seen) => listTransactions(seen, query)),
    ...bookReads(rows),
    holds: (query) => list((seen) => listHolds(seen, query)),
    hold: (walletId, holdId) => read(({ holds }) => holds.get(walletId)?.get(holdId)?.hold),
    transfer: (transferId) => read((seen) => findTransfer(seen, transferId)),
    transfers: (query) => list((seen) => listTransfers(seen, query)),
    openTransfers: (options) => read((seen) => openTransfers(seen, options)),
    dueHolds: (options) => read((seen) => dueHolds(seen, options)),
    dueFreezes: (options) => read((seen) => dueFreezes(seen, options)),
    indexRows: (asked) => read((seen) => indexRows(seen, asked)),
    transaction: (id) =>
      read(({ transactions }) => transactions.find(({ transaction }) => transaction.id === id)?.transaction),
    findKeys: (asked) => read((seen) => asked.map((one) => findKeys(seen, one))),
    keySegments: (walletId, { from, limit }) =>
      read((seen) => {
        const segments = (seen.keySegments.get(walletId) ?? []).filter(({ fromVersion }) => fromVersion >= from)
        return segments.slice(0, limit)
      }),
    now: Effect.sync(() => state.now()),
    scanWallets: (options) =>
      read(({ wallets }) =>
        scan(
          [...wallets.values()].map(({ wallet }) => wallet),
          options
        )
      ),
    scanTransactions: (walletId, { after, limit }) =>
      read(({ transactionsByWallet }) =>
        wholeEvents(
          (transactionsByWallet.get(walletId) ?? []).filter(({ version }) => version > after),
          limit
        )
      ),
    scanHolds: (walletId, options) =>
      read(({ holds }) =>
        scan(
          [...(holds.get(walletId)?.values() ?? [])].map(({ hold }) => hold),
          options
        )
      ),
    scanTransfers: (walletId, options) =>
      read(({ transfers }) =>
        scan(
          [...(transfers.get(walletId)?.values() ?? [])].map(({ transfer }) => transfer),
          options
        )
      )
  }
}

export const layer: Layer.Layer<Persistence, never, MemoryDatabase> = Layer.effect(
  Persistence,
  Effect.map(MemoryDatabase, make)
)
