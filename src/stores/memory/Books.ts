/** The books of one wallet in memory: a walk over its transactions. The reference for the other adapters. */
import * as Effect from "effect/Effect"
import { directionOf, type TransactionType } from "../../domain/Movement.ts"
import type { Persistence } from "../Persistence.ts"
import { copyOf } from "./Copies.ts"
import type { MemoryState, PositionedTransaction } from "./MemoryDatabase.ts"

/** What counts: not the reversal of an event that has no row. In the order of the books. */
const counted = (state: MemoryState, walletId: string, version: number): ReadonlyArray<PositionedTransaction> => {
  const uncounted = new Set((state.refusals.get(walletId) ?? []).map(({ reversedVersion }) => reversedVersion))
  return state.transactions
    .filter(
      ({ transaction }) =>
        transaction.walletId === walletId && transaction.version <= version && !uncounted.has(transaction.version)
    )
    .sort((a, b) => {
      const [one, other] = [a.transaction, b.transaction]
      return one.effectiveAt - other.effectiveAt || one.version - other.version || a.leg - b.leg
    })
}

/** `visible`: the rows as the effect sees them. */
export const bookReads = (
  visible: Effect.Effect<MemoryState>
): Pick<Persistence["Service"], "booksBalance" | "booksTotals" | "booked"> => ({
  booksBalance: ({ until, version, walletId }) =>
    Effect.map(visible, (state) =>
      counted(state, walletId, version)
        .filter(({ transaction }) => transaction.effectiveAt <= until)
        .reduce((balance, { change }) => balance + change, 0n)
    ),
  booksTotals: ({ from = 0, to = Infinity, version, walletId }) =>
    Effect.map(visible, (state) => {
      const totals = new Map<TransactionType, bigint>()
      for (const { change, transaction } of counted(state, walletId, version)) {
        const { effectiveAt, type } = transaction
        if (effectiveAt < from || effectiveAt > to) continue
        totals.set(type, (totals.get(type) ?? 0n) + change * directionOf[type])
      }
      return totals
    }),
  booked: ({ after, from = 0, limit, to = Infinity, version: until, walletId }) =>
    Effect.map(visible, (state) => {
      const rows = counted(state, walletId, until)
        .filter(
          ({ leg, transaction: { effectiveAt, version } }) =>
            effectiveAt >= from &&
            effectiveAt <= to &&
            (after === undefined || (effectiveAt - after.effectiveAt || version - after.version || leg - after.leg) > 0)
        )
        .map(({ transaction }) => transaction)
      return copyOf(rows.slice(0, limit))
    })
})
