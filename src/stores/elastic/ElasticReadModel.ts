/**
 * Search on Elasticsearch: each list is one request, sorted as its documents lie in the index and
 * begun behind the last one of the page before, so a late page costs what the first one does.
 *
 * `QueryTooWide` there are two of: beginnings of words that stand for too many words to look through in the
 * time that a search has, and statistics with too many rows or over too many transactions for it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  decodeCreation,
  decodePosition,
  decodeTransactionPlace,
  pageByCreation,
  pageByPosition,
  pageOfAllTransactions
} from "../Page.ts"
import { type AmountSearch, ReadModel, type SearchFilter } from "../ReadModel.ts"
import type { DocumentKind, DocumentOf } from "../SearchIndex.ts"
import { hasPrefix } from "../SearchWords.ts"
import { ElasticConnection } from "./Connection.ts"
import { holdQuery, type Query, transactionQuery, transferQuery, walletQuery } from "./Queries.ts"
import { documentsIn, make as makeSearches, type Request, type Searches } from "./Searches.ts"
import { statsOf } from "./Statistics.ts"

const tooWide = (query: SearchFilter): string | undefined =>
  hasPrefix(query.q)
    ? "too many words begin so: ask for more of the word, or name an ownerId, a walletId or a time"
    : undefined

/** One more than the page takes: it tells that there is a next one. */
const listed = Effect.fnUntraced(function* <K extends DocumentKind>(
  searches: Searches,
  kind: K,
  query: SearchFilter,
  request: Omit<Request, "size">
) {
  const answer = yield* searches.ask(kind, { ...request, size: query.limit + 1 }, tooWide(query))
  // They are of the kind that was asked for.
  return (yield* documentsIn(kind, answer)) as ReadonlyArray<DocumentOf<K>>
})

const byPosition = Effect.fnUntraced(function* <K extends Exclude<DocumentKind, "hold" | "transaction">>(
  searches: Searches,
  kind: K,
  query: SearchFilter,
  filter: Query
) {
  const before = yield* decodePosition(`${kind}s`, query.cursor)
  return yield* listed(searches, kind, query, {
    query: filter,
    sort: [{ position: "desc" }],
    // As text: JSON's numbers end at 2^53.
    search_after: before === undefined ? undefined : [before.toString()]
  })
})

const byPlace = Effect.fnUntraced(function* (searches: Searches, query: SearchFilter, filter: Query) {
  const before = yield* decodeTransactionPlace("transactions", query.cursor)
  return yield* listed(searches, "transaction", query, {
    query: filter,
    sort: [{ position: "desc" }, { leg: "desc" }],
    search_after: before === undefined ? undefined : [before.at.toString(), before.leg]
  })
})

const byCreation = Effect.fnUntraced(function* (searches: Searches, query: AmountSearch, filter: Query) {
  const before = yield* decodeCreation(query.cursor)
  return yield* listed(searches, "hold", query, {
    query: filter,
    sort: [{ createdAt: "desc" }, { walletId: "desc" }, { id: "desc" }],
    search_after: before === undefined ? undefined : [before.createdAt, before.walletId, before.id]
  })
})

export const make = (searches: Searches): ReadModel["Service"] => ({
  searchWallets: (query) =>
    Effect.map(byPosition(searches, "wallet", query, walletQuery(query)), (found) =>
      pageByPosition("wallets", found, query.limit, ({ wallet }) => wallet)
    ),
  searchTransactions: (query) =>
    Effect.map(byPlace(searches, query, transactionQuery(query)), (found) =>
      pageOfAllTransactions("transactions", found, query.limit, ({ transaction }) => transaction)
    ),
  searchTransfers: (query) =>
    Effect.map(byPosition(searches, "transfer", query, transferQuery(query)), (found) =>
      pageByPosition("transfers", found, query.limit, ({ transfer }) => transfer)
    ),
  searchHolds: (query) =>
    Effect.map(byCreation(searches, query, holdQuery(query)), (found) =>
      pageByCreation(
        "holds",
        found.map(({ hold }) => hold),
        query.limit,
        (hold) => hold
      )
    ),
  stats: (query) => statsOf(searches, query)
})

export interface ElasticReadModelOptions {
  /** Of all aliases; default `wallet`. */
  readonly prefix?: string | undefined
  /** Milliseconds a search may take; default 2,000. */
  readonly timeoutMillis?: number | undefined
}

/** Searches the indexes of that prefix, whichever set its aliases lead to. */
export const layer = ({ prefix = "wallet", timeoutMillis }: ElasticReadModelOptions = {}): Layer.Layer<
  ReadModel,
  never,
  ElasticConnection
> =>
  Layer.effect(
    ReadModel,
    Effect.gen(function* () {
      return make(yield* makeSearches(yield* ElasticConnection, prefix, timeoutMillis))
    })
  )
