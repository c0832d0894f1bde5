/** Statistics in memory: a walk over all rows. */
import type * as Effect from "effect/Effect"
import type { Stats, StatsQuery, TransactionStats, WalletStats } from "../ReadModel.ts"
import { intervalStart, orderedStats } from "../Statistics.ts"
import type { QueryTooWide } from "../StoreError.ts"
import { isOneOf, isWithin } from "./Matching.ts"
import type { MemoryState } from "./MemoryDatabase.ts"

const isAsked = (asked: string | undefined, value: string | undefined): boolean =>
  asked === undefined || asked === value

const ofTransactions = (state: MemoryState, query: StatsQuery): Iterable<TransactionStats> => {
  const groups = new Map<string, TransactionStats>()
  for (const { transaction } of state.transactions) {
    const { amount, createdAt, currency, type, walletId } = transaction
    if (!isAsked(query.ownerId, state.wallets.get(walletId)?.wallet.ownerId)) continue
    if (!isOneOf(query.walletIds, walletId) || !isOneOf(query.currencies, currency)) continue
    if (!isAsked(query.currency, currency) || !isWithin(createdAt, query.from, query.to)) continue
    const start = intervalStart(createdAt, query.interval)
    const group = `${start} ${currency} ${type}`
    const { count, sum } = groups.get(group) ?? { count: 0, sum: 0n }
    groups.set(group, { currency, type, start, count: count + 1, sum: sum + amount })
  }
  return groups.values()
}

const ofWallets = (state: MemoryState, query: StatsQuery): Iterable<WalletStats> => {
  const groups = new Map<string, WalletStats>()
  for (const { wallet } of state.wallets.values()) {
    const { currency, id, status } = wallet
    if (!isOneOf(query.walletIds, id) || !isOneOf(query.currencies, currency)) continue
    if (!isAsked(query.ownerId, wallet.ownerId) || !isAsked(query.currency, currency)) continue
    const group = `${currency} ${status}`
    const { balance, count } = groups.get(group) ?? { count: 0, balance: 0n }
    groups.set(group, { currency, status, count: count + 1, balance: balance + wallet.balance })
  }
  return groups.values()
}

export const statsOf = (state: MemoryState, query: StatsQuery): Effect.Effect<Stats, QueryTooWide> =>
  orderedStats(ofTransactions(state, query), ofWallets(state, query))
