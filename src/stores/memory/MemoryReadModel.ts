/** Search in memory: a walk over all rows, newest first. The reference for the other adapters. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { Transaction } from "../../domain/Wallet.ts"
import { decodePosition, type Page, pageByPosition } from "../Page.ts"
import type { WalletView } from "../Persistence.ts"
import { ReadModel, type TransactionSearch, type WalletSearch } from "../ReadModel.ts"
import { foldCase, queryWords, transactionWords, walletWords } from "../SearchWords.ts"
import { copyOf } from "./Copies.ts"
import { MemoryDatabase, type MemoryState, type PositionedTransaction } from "./MemoryDatabase.ts"

/** `undefined`: no words asked for, everything matches. */
const wordsOf = (q: string | undefined): ReadonlyArray<string> | undefined =>
  q === undefined ? undefined : queryWords(q)

const containsAll = (words: ReadonlyArray<string> | undefined, found: ReadonlySet<string>): boolean =>
  words === undefined || (words.length > 0 && words.every((word) => found.has(word)))

const matchesWallet =
  (query: WalletSearch, words: ReadonlyArray<string> | undefined) =>
  (wallet: WalletView): boolean =>
    (query.ownerId === undefined || wallet.ownerId === query.ownerId) &&
    (query.currency === undefined || wallet.currency === query.currency) &&
    (query.status === undefined || wallet.status === query.status) &&
    (query.minBalance === undefined || wallet.balance >= query.minBalance) &&
    (query.maxBalance === undefined || wallet.balance <= query.maxBalance) &&
    containsAll(words, words === undefined ? new Set() : new Set(walletWords(wallet)))

const searchWallets = Effect.fnUntraced(function* (
  state: MemoryState,
  query: WalletSearch
): Effect.fn.Return<Page<WalletView>, InvalidRequest> {
  const before = yield* decodePosition(query.cursor)
  const matches = matchesWallet(query, wordsOf(query.q))
  const found = [...state.wallets.values()]
    .filter(({ position, wallet }) => (before === undefined || position < before) && matches(wallet))
    .sort((a, b) => (a.position < b.position ? 1 : -1))
  return pageByPosition(found, query.limit, ({ wallet }) => wallet)
})

const foundIn = (transaction: Transaction, ownerId: string | undefined): ReadonlySet<string> => {
  const words = new Set(transactionWords(transaction))
  words.add(foldCase(transaction.id)).add(foldCase(transaction.walletId))
  if (ownerId !== undefined) words.add(foldCase(ownerId))
  return words
}

const searchTransactions = Effect.fnUntraced(function* (
  state: MemoryState,
  query: TransactionSearch
): Effect.fn.Return<Page<Transaction>, InvalidRequest> {
  const before = yield* decodePosition(query.cursor)
  const words = wordsOf(query.q)
  const found: Array<PositionedTransaction> = []
  for (let index = state.transactions.length - 1; index >= 0 && found.length <= query.limit; index--) {
    const positioned = state.transactions[index]!
    const { transaction } = positioned
    if (before !== undefined && positioned.position >= before) continue
    if (query.type !== undefined && transaction.type !== query.type) continue
    const ownerId = state.wallets.get(transaction.walletId)?.wallet.ownerId
    if (query.ownerId !== undefined && ownerId !== query.ownerId) continue
    if (words !== undefined && !containsAll(words, foundIn(transaction, ownerId))) continue
    found.push(positioned)
  }
  return pageByPosition(found, query.limit, ({ transaction }) => transaction)
})

export const make = (state: MemoryState): ReadModel["Service"] => ({
  searchWallets: (query) => Effect.map(searchWallets(state, query), copyOf),
  searchTransactions: (query) => Effect.map(searchTransactions(state, query), copyOf)
})

export const layer: Layer.Layer<ReadModel, never, MemoryDatabase> = Layer.effect(
  ReadModel,
  Effect.map(MemoryDatabase, make)
)
