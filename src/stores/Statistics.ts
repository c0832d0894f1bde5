/** Where intervals of statistics begin, and their bound and order, for every read model alike. */
import * as Effect from "effect/Effect"
import type { Stats, StatsQuery, TransactionStats, WalletStats } from "./ReadModel.ts"
import { QueryTooWide } from "./StoreError.ts"

/** Of transactions, in one answer. */
export const maxStatsRows = 10_000

/** Times are UTC, milliseconds. */
export const intervalStart = (time: number, interval: StatsQuery["interval"]): number => {
  const date = new Date(time)
  switch (interval) {
    case "hour":
      return date.setUTCMinutes(0, 0, 0)
    case "day":
      return date.setUTCHours(0, 0, 0, 0)
    case "month":
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** In their order. `QueryTooWide`: more than one answer takes. */
export const orderedStats = (
  transactions: Iterable<TransactionStats>,
  wallets: Iterable<WalletStats>
): Effect.Effect<Stats, QueryTooWide> => {
  const stats = {
    transactions: [...transactions].sort(
      (a, b) => a.start - b.start || compare(a.currency, b.currency) || compare(a.type, b.type)
    ),
    wallets: [...wallets].sort((a, b) => compare(a.currency, b.currency) || compare(a.status, b.status))
  }
  if (stats.transactions.length <= maxStatsRows) return Effect.succeed(stats)
  const detail = `more than ${maxStatsRows} rows: name a currency, a shorter time or a longer interval`
  return Effect.fail(new QueryTooWide({ detail }))
}
