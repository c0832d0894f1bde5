/**
 * The form of a query, for callers without types: what is wrong with it is told before a store
 * or a wallet is asked. Beyond these bounds a store would fail in ways of its own, and a read
 * that waits in a wallet's mailbox would be judged together with those of others.
 *
 * Each check answers what is wrong, or `undefined`.
 */
import * as Effect from "effect/Effect"
import { eventCases } from "../domain/Event.ts"
import {
  balanceLimit,
  isAmountOrZero,
  isCurrency,
  isId,
  isIdempotencyKey,
  isMetadata,
  isText,
  isTime,
  maxFeedTypes,
  maxFeedWallets,
  maxMetadataFilters,
  maxSearchedCurrencies,
  maxSearchedWallets,
  maxTextLength,
  type Metadata,
  noMetadata,
  ownMetadata
} from "../domain/Limits.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import type { HoldStatus, TransactionType, TransferStatus, WalletStatus } from "../domain/Wallet.ts"
import type { PageRequest } from "../stores/Page.ts"
import type { HoldQuery, TransactionQuery, TransferQuery } from "../stores/Persistence.ts"
import type {
  AmountSearch,
  HoldSearch,
  SearchedWallets,
  SearchFilter,
  StatsQuery,
  TransactionSearch,
  TransferSearch,
  WalletSearch
} from "../stores/ReadModel.ts"
import type { EventsQuery, FeedFilter, StatementRead, StatsRequest, WalletMoment, WalletRead } from "./EngineApi.ts"

type Wrong = string | undefined

/** A query in good form, of which the caller keeps no hold: a copy of it is asked. */
export const asked =
  <Query extends object, A, E>(
    wrong: (query: Query) => string | undefined,
    ask: (query: Query) => Effect.Effect<A, E>,
    own: (given: Query) => Query | undefined = ownQuery
  ) =>
  (given: Query): Effect.Effect<A, E | InvalidRequest> => {
    const query = own(given)
    if (query === undefined) return Effect.fail(unreadable())
    const detail = wrong(query)
    return detail === undefined ? ask(query) : Effect.fail(new InvalidRequest({ detail }))
  }

/** A copy; `undefined`: a field throws when it is read. What is no object has no field in good form. */
export const ownQuery = <Query extends object>(given: Query): Query | undefined => {
  try {
    return withOwnLists({ ...given })
  } catch {
    return undefined
  }
}

const withOwnLists = <Query extends object>(query: Query): Query => {
  const lists: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(query))
    if (Array.isArray(value)) lists[name] = [...(value as Array<unknown>)]
  return { ...query, ...lists }
}

/** The same of a search, its metadata too. No pairs to ask for are as good as none given. */
export const ownSearch = <Query extends SearchFilter>(given: Query): Query | undefined => {
  try {
    const { metadata, ...query } = withOwnLists({ ...given } as SearchFilter)
    const own = metadata === undefined ? noMetadata : ownMetadata(metadata)
    return (own === noMetadata ? query : { ...query, metadata: own }) as Query
  } catch {
    return undefined
  }
}

export const unreadable = () => new InvalidRequest({ detail: "a field of the query throws when it is read" })

/** Items of one page. */
const maxPage = 200

const walletStatuses: ReadonlySet<unknown> = new Set<WalletStatus>(["active", "frozen", "closed"])
const holdStatuses: ReadonlySet<unknown> = new Set<HoldStatus>(["active", "captured", "released", "expired"])
const transferStatuses: ReadonlySet<unknown> = new Set<TransferStatus>(["pending", "completed", "reversed"])
const intervals: ReadonlySet<unknown> = new Set<StatsQuery["interval"]>(["hour", "day", "month"])
const transactionTypes: ReadonlySet<unknown> = new Set<TransactionType>([
  "credit",
  "debit",
  "capture",
  "transfer_in",
  "transfer_out",
  "reversal",
  "refund_in",
  "refund_out"
])

export const wrongId = (id: string, name = "walletId"): Wrong =>
  isId(id) ? undefined : `${name}: not 1 to 64 of A-Z a-z 0-9 _ -`

const isBalance = (value: bigint): boolean => typeof value === "bigint" && value > -balanceLimit && value < balanceLimit

const isVersion = (version: number): boolean => Number.isSafeInteger(version) && version >= -1

const wrongVersion = (name: string, version: number): Wrong =>
  isVersion(version) ? undefined : `${name}: not a whole number, -1 or more`

const wrongMinVersion = (minVersion: number | undefined): Wrong =>
  minVersion === undefined ? undefined : wrongVersion("minVersion", minVersion)

const wrongLimit = (limit: number): Wrong =>
  Number.isInteger(limit) && limit >= 1 && limit <= maxPage ? undefined : `limit: not 1 to ${maxPage}`

const wrongPage = ({ cursor, limit }: PageRequest): Wrong =>
  wrongLimit(limit) ?? (cursor === undefined || typeof cursor === "string" ? undefined : "cursor: not a string")

/** Of a value that may be left out. */
const wrongIf = (name: string, value: unknown, holds: boolean): Wrong =>
  value === undefined || holds ? undefined : `${name}: not one that there can be`

export const wrongRead = ({ effectiveAt, minVersion, walletId }: WalletRead): Wrong =>
  wrongId(walletId) ?? wrongMinVersion(minVersion) ?? wrongIf("effectiveAt", effectiveAt, isTime(effectiveAt!))

export const wrongMoment = (moment: WalletMoment, now: number): Wrong => {
  const wrong = wrongId(moment.walletId)
  if (wrong !== undefined) return wrong
  if (!("at" in moment)) return wrongVersion("atVersion", moment.atVersion)
  return isTime(moment.at) && moment.at <= now ? undefined : "at: not a time that has passed"
}

export const wrongEvents = ({ after, limit, walletId }: EventsQuery): Wrong =>
  wrongId(walletId) ?? wrongVersion("after", after) ?? wrongLimit(limit)

type AtLeast = { readonly minVersion?: number | undefined }

export const wrongTransactions = (query: TransactionQuery & AtLeast): Wrong =>
  wrongId(query.walletId) ??
  wrongMinVersion(query.minVersion) ??
  wrongPage(query) ??
  wrongIf("from", query.from, isTime(query.from!)) ??
  wrongIf("to", query.to, isTime(query.to!)) ??
  wrongIf("type", query.type, transactionTypes.has(query.type))

/** Its ends are read by `spanOf`. */
export const wrongStatement = (query: StatementRead & Partial<PageRequest>): Wrong =>
  wrongId(query.walletId) ??
  wrongMinVersion(query.minVersion) ??
  (query.limit === undefined ? undefined : wrongPage({ ...query, limit: query.limit }))

export const wrongHolds = (query: HoldQuery & AtLeast): Wrong =>
  wrongId(query.walletId) ??
  wrongMinVersion(query.minVersion) ??
  wrongPage(query) ??
  wrongIf("status", query.status, holdStatuses.has(query.status))

export const wrongTransfers = (query: TransferQuery): Wrong =>
  wrongPage(query) ??
  wrongIf("walletId", query.walletId, isId(query.walletId!)) ??
  wrongIf("status", query.status, transferStatuses.has(query.status))

/** Of a query that has them, the pairs asked for: keys are never empty. */
const isPairs = (pairs: Metadata): boolean => {
  if (!isMetadata(pairs)) return false
  const keys = Object.keys(pairs)
  return keys.length <= maxMetadataFilters && !keys.includes("")
}

const wrongWallets = ({ currencies, walletIds }: SearchedWallets): Wrong =>
  wrongSeveral("walletIds", walletIds, maxSearchedWallets, (id) => isId(id as string)) ??
  wrongSeveral("currencies", currencies, maxSearchedCurrencies, (currency) => isCurrency(currency as string))

const wrongFilter = (query: SearchFilter): Wrong =>
  wrongPage(query) ??
  wrongWallets(query) ??
  wrongIf("ownerId", query.ownerId, isId(query.ownerId!)) ??
  wrongIf("currency", query.currency, isCurrency(query.currency!)) ??
  wrongIf("from", query.from, isTime(query.from!)) ??
  wrongIf("to", query.to, isTime(query.to!)) ??
  wrongIf("q", query.q, isText(query.q!, maxTextLength)) ??
  wrongIf("metadata", query.metadata, isPairs(query.metadata!))

const wrongAmounts = (query: AmountSearch): Wrong =>
  wrongFilter(query) ??
  wrongIf("walletId", query.walletId, isId(query.walletId!)) ??
  wrongIf("minAmount", query.minAmount, isAmountOrZero(query.minAmount!)) ??
  wrongIf("maxAmount", query.maxAmount, isAmountOrZero(query.maxAmount!)) ??
  wrongIf("reference", query.reference, isText(query.reference!, maxTextLength))

export const wrongWalletSearch = (query: WalletSearch): Wrong =>
  wrongFilter(query) ??
  wrongIf("status", query.status, walletStatuses.has(query.status)) ??
  wrongIf("minBalance", query.minBalance, isBalance(query.minBalance!)) ??
  wrongIf("maxBalance", query.maxBalance, isBalance(query.maxBalance!))

export const wrongTransactionSearch = (query: TransactionSearch): Wrong =>
  wrongAmounts(query) ??
  wrongIf("type", query.type, transactionTypes.has(query.type)) ??
  wrongIf("effectiveFrom", query.effectiveFrom, isTime(query.effectiveFrom!)) ??
  wrongIf("effectiveTo", query.effectiveTo, isTime(query.effectiveTo!)) ??
  wrongIf("transferId", query.transferId, isId(query.transferId!)) ??
  wrongIf("refundOf", query.refundOf, isId(query.refundOf!)) ??
  wrongIf("holdId", query.holdId, isId(query.holdId!)) ??
  wrongIf("idempotencyKey", query.idempotencyKey, isIdempotencyKey(query.idempotencyKey!))

export const wrongTransferSearch = (query: TransferSearch): Wrong =>
  wrongAmounts(query) ??
  wrongIf("refundOf", query.refundOf, isId(query.refundOf!)) ??
  wrongIf("status", query.status, transferStatuses.has(query.status)) ??
  wrongIf("idempotencyKey", query.idempotencyKey, isIdempotencyKey(query.idempotencyKey!))

export const wrongHoldSearch = (query: HoldSearch): Wrong =>
  wrongAmounts(query) ??
  wrongIf("status", query.status, holdStatuses.has(query.status)) ??
  wrongIf("expiresBefore", query.expiresBefore, isTime(query.expiresBefore!))

export const wrongStats = (query: StatsRequest): Wrong =>
  wrongWallets(query) ??
  wrongIf("ownerId", query.ownerId, isId(query.ownerId!)) ??
  wrongIf("currency", query.currency, isCurrency(query.currency!)) ??
  wrongIf("from", query.from, isTime(query.from!)) ??
  wrongIf("to", query.to, isTime(query.to!)) ??
  wrongIf("interval", query.interval, intervals.has(query.interval))

/** Of what may be one of several. */
const wrongSeveral = (
  name: string,
  values: ReadonlyArray<unknown> | undefined,
  most: number,
  holds: (value: unknown) => boolean
) =>
  values === undefined || (Array.isArray(values) && values.length > 0 && values.length <= most && values.every(holds))
    ? undefined
    : `${name}: not 1 to ${most} that there can be`

export const wrongFeed = ({ types, walletIds }: FeedFilter): Wrong =>
  wrongSeveral("walletIds", walletIds, maxFeedWallets, (id) => isId(id as string)) ??
  wrongSeveral("types", types, maxFeedTypes, (type) => typeof type === "string" && Object.hasOwn(eventCases, type))

/** Positions of the log begin at 1; `0n`: from the first event. */
export const wrongPosition = (after: bigint): Wrong =>
  typeof after === "bigint" && after >= 0n ? undefined : "after: not a position, 0n or more"
