/** Search in memory: a walk over all rows. The reference for the other adapters. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { Hold, Transaction, Transfer } from "../../domain/Wallet.ts"
import { walletsOf } from "../../domain/Legs.ts"
import {
  decodeCreation,
  decodePosition,
  decodeTransactionPlace,
  type HoldPlace,
  isBefore as isPlacedBefore,
  type Page,
  pageByCreation,
  pageByPosition,
  pageOfAllTransactions
} from "../Page.ts"
import type { WalletView } from "../Persistence.ts"
import {
  type HoldSearch,
  ReadModel,
  type TransactionSearch,
  type TransferSearch,
  type WalletSearch
} from "../ReadModel.ts"
import { transactionWords, walletWords } from "../SearchWords.ts"
import { transferOwners } from "../TransferOwners.ts"
import { copyOf } from "./Copies.ts"
import { MemoryDatabase, type MemoryState } from "./MemoryDatabase.ts"
import * as Matching from "./Matching.ts"
import { shownTransfer } from "./ShownTransfer.ts"
import { statsOf } from "./Stats.ts"

interface Positioned {
  readonly position: bigint
}

const newestFirst = (a: Positioned, b: Positioned): number =>
  a.position < b.position ? 1 : a.position > b.position ? -1 : 0

const isBefore =
  (before: bigint | undefined) =>
  ({ position }: Positioned): boolean =>
    before === undefined || position < before

const ownerOf = (state: MemoryState, walletId: string): string | undefined =>
  state.wallets.get(walletId)?.wallet.ownerId

const known = (ids: ReadonlyArray<string | undefined>): ReadonlyArray<string> => ids.filter((id) => id !== undefined)

const searchWallets = Effect.fnUntraced(function* (
  state: MemoryState,
  query: WalletSearch
): Effect.fn.Return<Page<WalletView>, InvalidRequest> {
  const before = yield* decodePosition("wallets", query.cursor)
  const asked = Matching.askedOf(query)
  const matches = (wallet: WalletView): boolean =>
    Matching.matches(asked, wallet, {
      ownerIds: [wallet.ownerId],
      currency: wallet.currency,
      walletId: wallet.id,
      words: walletWords,
      ids: []
    }) &&
    Matching.isWithin(wallet.balance, query.minBalance, query.maxBalance) &&
    (query.status === undefined || wallet.status === query.status)
  const found = [...state.wallets.values()]
    .filter(isBefore(before))
    .filter(({ wallet }) => matches(wallet))
    .sort(newestFirst)
  return pageByPosition("wallets", found, query.limit, ({ wallet }) => wallet)
})

const searchTransactions = Effect.fnUntraced(function* (
  state: MemoryState,
  query: TransactionSearch
): Effect.fn.Return<Page<Transaction>, InvalidRequest> {
  const before = yield* decodeTransactionPlace("transactions", query.cursor)
  const asked = Matching.askedOf(query)
  const matches = (transaction: Transaction): boolean => {
    const ownerIds = known([ownerOf(state, transaction.walletId)])
    const { currency, id, walletId } = transaction
    return (
      Matching.matches(asked, transaction, {
        ownerIds,
        currency,
        walletId,
        words: transactionWords,
        ids: [id, walletId]
      }) &&
      Matching.matchesAmount(query, transaction, [walletId]) &&
      (query.type === undefined || transaction.type === query.type) &&
      Matching.isWithin(transaction.effectiveAt, query.effectiveFrom, query.effectiveTo) &&
      (query.transferId === undefined || transaction.transferId === query.transferId) &&
      (query.refundOf === undefined || transaction.refundOf === query.refundOf) &&
      (query.holdId === undefined || transaction.holdId === query.holdId)
    )
  }
  const found = state.transactions
    .filter(({ leg, position }) => isPlacedBefore(before, position, leg))
    .filter(({ key, transaction }) => Matching.hasKey(query.idempotencyKey, key) && matches(transaction))
    .sort((a, b) => newestFirst(a, b) || b.leg - a.leg)
  return pageOfAllTransactions("transactions", found, query.limit, ({ transaction }) => transaction)
})

const searchTransfers = Effect.fnUntraced(function* (
  state: MemoryState,
  query: TransferSearch
): Effect.fn.Return<Page<Transfer>, InvalidRequest> {
  const before = yield* decodePosition("transfers", query.cursor)
  const asked = Matching.askedOf(query)
  const placed = (walletId: string) => {
    const row = state.wallets.get(walletId)
    return row && { ownerId: row.wallet.ownerId, position: row.position }
  }
  const matches = (transfer: Transfer, position: bigint): boolean => {
    const walletIds = walletsOf(transfer.legs)
    const ownerIds = transferOwners(transfer, position, placed)
    const ids = [transfer.id, ...walletIds]
    return (
      Matching.matchesTransfer(asked, transfer, { ownerIds, walletIds, ids }) &&
      (query.status === undefined || transfer.status === query.status)
    )
  }
  const found = [...state.transfers.values()]
    .flatMap((ofWallet) => [...ofWallet.values()])
    .filter(isBefore(before))
    .filter(({ key, position, transfer }) => Matching.hasKey(query.idempotencyKey, key) && matches(transfer, position))
    .sort(newestFirst)
  return pageByPosition("transfers", found, query.limit, (sent) => shownTransfer(state, sent))
})

const compare = <A extends bigint | number | string>(a: A, b: A): number => (a < b ? -1 : a > b ? 1 : 0)

const byCreation = (a: HoldPlace, b: HoldPlace): number =>
  compare(a.createdAt, b.createdAt) || compare(a.walletId, b.walletId) || compare(a.id, b.id)

const searchHolds = Effect.fnUntraced(function* (
  state: MemoryState,
  query: HoldSearch
): Effect.fn.Return<Page<Hold>, InvalidRequest> {
  const before = yield* decodeCreation(query.cursor)
  const asked = Matching.askedOf(query)
  const matches = (hold: Hold): boolean => {
    const { id, walletId } = hold
    const wallet = state.wallets.get(walletId)?.wallet
    const ownerIds = known([wallet?.ownerId])
    const currency = wallet?.currency
    return (
      Matching.matches(asked, hold, { ownerIds, currency, walletId, words: transactionWords, ids: [id, walletId] }) &&
      Matching.matchesAmount(query, hold, [walletId]) &&
      (query.status === undefined || hold.status === query.status) &&
      (query.expiresBefore === undefined || (hold.expiresAt !== null && hold.expiresAt < query.expiresBefore))
    )
  }
  const found = [...state.holds.values()]
    .flatMap((ofWallet) => [...ofWallet.values()].map(({ hold }) => hold))
    .filter((hold) => (before === undefined || byCreation(hold, before) < 0) && matches(hold))
    .sort((a, b) => byCreation(b, a))
  return pageByCreation("holds", found, query.limit, (hold) => hold)
})

export const make = (state: MemoryState): ReadModel["Service"] => ({
  searchWallets: (query) => Effect.map(searchWallets(state, query), copyOf),
  searchTransactions: (query) => Effect.map(searchTransactions(state, query), copyOf),
  searchTransfers: (query) => Effect.map(searchTransfers(state, query), copyOf),
  searchHolds: (query) => Effect.map(searchHolds(state, query), copyOf),
  stats: (query) => Effect.suspend(() => statsOf(state, query))
})

export const layer: Layer.Layer<ReadModel, never, MemoryDatabase> = Layer.effect(
  ReadModel,
  Effect.map(MemoryDatabase, make)
)
