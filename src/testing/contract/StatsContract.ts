/** What a read model adds up. `settled`: waits until it has what was appended. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { EventStore } from "../../stores/EventStore.ts"
import { ReadModel } from "../../stores/ReadModel.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { credit, debit, SampleWallet, uniqueId } from "./SampleWallet.ts"

type Stores = EventStore | ReadModel

const largest = 10n ** 30n - 1n

export const statsContract = (settled: Effect.Effect<void>): ReadonlyArray<ContractCase<Stores>> => {
  const sums = contractCase(
    "counts and adds up exactly, by currency, type and interval, ends included",
    Effect.gen(function* () {
      const log = yield* EventStore
      const model = yield* ReadModel
      const ownerId = uniqueId("owner")
      const [euro, dollar] = [new SampleWallet({ ownerId }), new SampleWallet({ ownerId, currency: "USD" })]
      // The last millisecond of a month.
      const end = Date.UTC(2024, 1, 1) - 1
      euro.time = end
      yield* log.append([euro.commit(euro.creation(), credit(largest), credit(largest), debit(1n))])
      euro.time = end + 1
      yield* log.append([euro.commit(credit(2n ** 53n + 1n))])
      dollar.time = end + 2
      yield* log.append([
        dollar.commit(dollar.creation(), credit(5n), { _tag: "Freeze", reason: null, direction: null, until: null })
      ])
      yield* settled
      const stats = (query: Partial<Parameters<typeof model.stats>[0]>) =>
        model.stats({ ownerId, interval: "month", ...query })
      const [january, february] = [Date.UTC(2024, 0, 1), Date.UTC(2024, 1, 1)]
      const ofEuro = [
        { currency: "EUR", type: "credit", start: january, count: 2, sum: 2n * largest },
        { currency: "EUR", type: "debit", start: january, count: 1, sum: 1n },
        { currency: "EUR", type: "credit", start: february, count: 1, sum: 2n ** 53n + 1n }
      ]
      const ofDollar = [{ currency: "USD", type: "credit", start: february, count: 1, sum: 5n }]
      const wallets = [
        { currency: "EUR", status: "active", count: 1, balance: 2n * largest + 2n ** 53n },
        { currency: "USD", status: "frozen", count: 1, balance: 5n }
      ]
      assert.deepEqual(yield* stats({}), { transactions: [...ofEuro, ...ofDollar], wallets })
      assert.deepEqual(yield* stats({ currency: "USD" }), { transactions: ofDollar, wallets: wallets.slice(1) })
      assert.deepEqual((yield* stats({ to: end })).transactions, ofEuro.slice(0, 2))
      assert.deepEqual((yield* stats({ from: end + 1, to: end + 1 })).transactions, ofEuro.slice(2))
      const hours = (yield* stats({ interval: "hour" })).transactions.map(({ start }) => start - february)
      assert.deepEqual(hours, [-3_600_000, -3_600_000, 0, 0])
      const days = (yield* stats({ interval: "day" })).transactions.map(({ start }) => start)
      assert.deepEqual(days, [january + 30 * 86_400_000, january + 30 * 86_400_000, february, february])
    })
  )

  const nothing = contractCase(
    "has nothing to say of an owner of nothing",
    Effect.gen(function* () {
      const model = yield* ReadModel
      const stats = yield* model.stats({ ownerId: uniqueId("nobody"), interval: "day" })
      assert.deepEqual(stats, { transactions: [], wallets: [] })
    })
  )

  return [sums, nothing]
}
