/**
 * From what a search asks for to a query of Elasticsearch: filters only, which all have to hold; nothing is scored.
 */
import type {
  AmountSearch,
  HoldSearch,
  SearchFilter,
  StatsQuery,
  TransactionSearch,
  TransferSearch,
  WalletSearch
} from "../ReadModel.ts"
import { asksNothing, queryWords } from "../SearchWords.ts"
import { amountOrder } from "./Amounts.ts"
import { pairOf } from "./Documents.ts"

type Value = string | number

/** As much of Elasticsearch's language as is spoken here. */
export type Query =
  | { readonly term: Readonly<Record<string, { readonly value: Value }>> }
  | { readonly terms: Readonly<Record<string, ReadonlyArray<string>>> }
  | { readonly prefix: Readonly<Record<string, { readonly value: string }>> }
  | { readonly range: Readonly<Record<string, { readonly gte?: Value; readonly lte?: Value; readonly lt?: Value }>> }
  | { readonly bool: { readonly filter: ReadonlyArray<Query> } | { readonly should: ReadonlyArray<Query> } }
  | { readonly match_none: object }

const is = (field: string, value: Value | undefined): ReadonlyArray<Query> =>
  value === undefined ? [] : [{ term: { [field]: { value } } }]

const isOneOf = (field: string, values: ReadonlyArray<string> | undefined): ReadonlyArray<Query> =>
  values === undefined ? [] : [{ terms: { [field]: values } }]

/** Both ends included. */
const isWithin = (field: string, gte: Value | undefined, lte: Value | undefined): ReadonlyArray<Query> =>
  gte === undefined && lte === undefined
    ? []
    : [{ range: { [field]: { ...(gte === undefined ? {} : { gte }), ...(lte === undefined ? {} : { lte }) } } }]

const amountWithin = (field: string, min: bigint | undefined, max: bigint | undefined): ReadonlyArray<Query> =>
  isWithin(field, min === undefined ? undefined : amountOrder(min), max === undefined ? undefined : amountOrder(max))

const wordsOf = (q: string | undefined): ReadonlyArray<Query> => {
  if (q === undefined) return []
  const asked = queryWords(q)
  if (asksNothing(asked)) return [{ match_none: {} }]
  return [
    ...asked.words.flatMap((word) => is("words", word)),
    ...asked.prefixes.map((value): Query => ({ prefix: { words: { value } } }))
  ]
}

const ofAll = (query: SearchFilter, ownerField = "ownerId"): ReadonlyArray<Query> => [
  ...is(ownerField, query.ownerId),
  ...is("currency", query.currency),
  ...isOneOf("currency", query.currencies),
  ...isWithin("createdAt", query.from, query.to),
  ...Object.entries(query.metadata ?? {}).flatMap(([key, value]) => is(`metadata.${key}`, value)),
  ...wordsOf(query.q)
]

const ofAmounts = (query: AmountSearch): ReadonlyArray<Query> => [
  ...amountWithin("amountOrder", query.minAmount, query.maxAmount),
  ...is("reference", query.reference)
]

const all = (filter: ReadonlyArray<Query>): Query => ({ bool: { filter } })

export const walletQuery = (query: WalletSearch): Query =>
  all([
    ...ofAll(query),
    ...isOneOf("id", query.walletIds),
    ...is("status", query.status),
    ...amountWithin("balanceOrder", query.minBalance, query.maxBalance)
  ])

export const transactionQuery = (query: TransactionSearch): Query =>
  all([
    ...ofAll(query),
    ...ofAmounts(query),
    ...isWithin("effectiveAt", query.effectiveFrom, query.effectiveTo),
    ...is("walletId", query.walletId),
    ...isOneOf("walletId", query.walletIds),
    ...is("type", query.type),
    ...is("transferId", query.transferId),
    ...is("refundOf", query.refundOf),
    ...is("holdId", query.holdId),
    ...is("key", query.idempotencyKey)
  ])

export const transferQuery = (query: TransferSearch): Query =>
  all([
    ...is("ownerIds", query.ownerId),
    ...is("currencies", query.currency),
    ...isOneOf("currencies", query.currencies),
    ...isWithin("createdAt", query.from, query.to),
    ...Object.entries(query.metadata ?? {}).flatMap((pair) => is("pairs", pairOf(pair))),
    ...wordsOf(query.q),
    ...amountWithin("amountOrder", query.minAmount, query.maxAmount),
    ...is("references", query.reference),
    ...is("walletIds", query.walletId),
    ...isOneOf("walletIds", query.walletIds),
    ...is("refundOf", query.refundOf),
    ...is("status", query.status),
    ...is("key", query.idempotencyKey)
  ])

export const holdQuery = (query: HoldSearch): Query =>
  all([
    ...ofAll(query),
    ...ofAmounts(query),
    ...is("walletId", query.walletId),
    ...isOneOf("walletId", query.walletIds),
    ...is("status", query.status),
    ...(query.expiresBefore === undefined ? [] : [{ range: { expiresAt: { lt: query.expiresBefore } } }])
  ])

/** For statistics. */
export const ownedQuery = (query: Omit<StatsQuery, "interval">, walletField: "id" | "walletId"): Query =>
  all([
    ...is("ownerId", query.ownerId),
    ...isOneOf(walletField, query.walletIds),
    ...is("currency", query.currency),
    ...isOneOf("currency", query.currencies),
    ...isWithin("createdAt", query.from, query.to)
  ])
