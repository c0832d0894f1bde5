/** What a search for transfers must find. `settled`: waits until the read model has what was appended. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { singleLeg } from "../../domain/Transfer.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { ReadModel, type TransferSearch } from "../../stores/ReadModel.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages } from "./Observations.ts"
import {
  credit,
  receive,
  returnFunds,
  type SampleCommand,
  SampleWallet,
  send,
  settle,
  uniqueId
} from "./SampleWallet.ts"

type Stores = EventStore | ReadModel

const found = Effect.fnUntraced(function* (query: Omit<TransferSearch, "limit">) {
  const model = yield* ReadModel
  return (yield* model.searchTransfers({ limit: 200, ...query })).data.map(({ id }) => id)
})

export const transferSearchContract = (settled: Effect.Effect<void>): ReadonlyArray<ContractCase<Stores>> => {
  const appended = Effect.fnUntraced(function* (sample: SampleWallet, ...commands: ReadonlyArray<SampleCommand>) {
    const log = yield* EventStore
    const creation = sample.wallet === undefined ? [sample.creation(), credit(1_000n)] : []
    yield* log.append([sample.commit(...creation, ...commands)])
    yield* settled
  })

  const whole = contractCase(
    "finds a transfer as its source tells it, by either side, its status and its owners",
    Effect.gen(function* () {
      const model = yield* ReadModel
      const [a, b] = [new SampleWallet(), new SampleWallet()]
      const [pending, completed, reversed] = [uniqueId("t"), uniqueId("t"), uniqueId("t")]
      yield* appended(b, send(pending, "elsewhere", 5n))
      yield* appended(a, send(pending, b.id, 7n, "Ř", { a: "🐎" }), send(completed, b.id, 2n), send(reversed, b.id, 3n))
      yield* appended(b, receive(pending, a.id, 7n), receive(completed, a.id, 2n))
      yield* appended(a, settle(completed), returnFunds(reversed, "why"))
      const { data } = yield* model.searchTransfers({ walletId: a.id, limit: 10 })
      assert.deepEqual(
        data.map(({ id, status }) => [id, status]),
        [
          [reversed, "reversed"],
          [completed, "completed"],
          [pending, "pending"]
        ]
      )
      assert.deepEqual(data[2], {
        id: pending,
        from: a.id,
        to: b.id,
        amount: 7n,
        currency: "EUR",
        legs: singleLeg({
          from: a.id,
          to: b.id,
          amount: 7n,
          currency: "EUR",
          reference: "Ř",
          metadata: { a: "🐎" },
          refund: null
        }),
        status: "pending",
        reason: null,
        leg: null,
        reference: "Ř",
        metadata: { a: "🐎" },
        refundOf: null,
        createdAt: a.time,
        effectiveAt: a.time,
        updatedAt: a.time
      })
      assert.equal(data[0]!.reason, "why")
      assert.deepEqual(yield* found({ walletId: b.id }), [reversed, completed, pending, pending])
      assert.deepEqual(yield* found({ ownerId: b.ownerId }), [reversed, completed, pending, pending])
      assert.deepEqual(yield* found({ ownerId: a.ownerId, walletId: b.id }), [reversed, completed, pending])
      assert.deepEqual(yield* found({ ownerId: a.ownerId, status: "reversed" }), [reversed])
      assert.deepEqual(yield* found({ walletId: b.id, status: "pending" }), [pending, pending])
      assert.deepEqual(yield* found({ walletId: a.id, ownerId: uniqueId("nobody") }), [])
      assert.deepEqual(yield* found({ walletId: a.id.toUpperCase() }), [])
    })
  )

  const owners = contractCase(
    "finds a transfer by its destination's owner if that wallet was there when it was sent, or has received it",
    Effect.gen(function* () {
      const [a, b] = [new SampleWallet(), new SampleWallet()]
      const [pending, reversed, completed, later] = [uniqueId("t"), uniqueId("t"), uniqueId("t"), uniqueId("t")]
      yield* appended(a, send(pending, b.id, 1n), send(reversed, b.id, 2n), send(completed, b.id, 3n))
      yield* appended(a, returnFunds(reversed, "there is no such wallet"))
      yield* appended(b)
      const ofB = Effect.gen(function* () {
        const byOwner = yield* found({ ownerId: b.ownerId })
        assert.deepEqual(yield* found({ q: b.ownerId }), byOwner)
        assert.deepEqual(yield* found({ q: `${b.ownerId.slice(0, -1)}*`, walletId: a.id }), byOwner)
        return byOwner
      })
      assert.deepEqual(yield* ofB, [])
      yield* appended(b, receive(completed, a.id, 3n))
      yield* appended(a, settle(completed), send(later, b.id, 4n))
      assert.deepEqual(yield* ofB, [later, completed])
      const all = [later, completed, reversed, pending]
      assert.deepEqual(yield* found({ ownerId: a.ownerId }), all)
      assert.deepEqual(yield* found({ walletId: b.id }), all)
    })
  )

  const filters = contractCase(
    "filters by amount, time, reference, metadata, currency and key, each alone and together, ends included",
    Effect.gen(function* () {
      const log = yield* EventStore
      const sample = new SampleWallet()
      const [one, two] = [uniqueId("t"), uniqueId("t")]
      const [reference, key] = [uniqueId("Ref"), uniqueId("key")]
      yield* appended(sample)
      yield* log.append([sample.keyed([`c:${key}`, send(one, "elsewhere", 10n, reference, { k: "v", "a.b": "w" })])])
      const first = sample.time
      sample.time += 1_000
      yield* appended(sample, send(two, "elsewhere", 20n, reference, { k: "V" }))
      const of = (query: Omit<TransferSearch, "limit">) => found({ walletId: sample.id, ...query })
      assert.deepEqual(yield* of({ minAmount: 10n, maxAmount: 19n }), [one])
      assert.deepEqual(yield* of({ minAmount: 20n }), [two])
      assert.deepEqual(yield* of({ to: first }), [one])
      assert.deepEqual(yield* of({ from: first + 1, to: first + 1_000 }), [two])
      assert.deepEqual(yield* of({ metadata: { k: "v" } }), [one])
      assert.deepEqual(yield* of({ metadata: { k: "v", "a.b": "w" } }), [one])
      assert.deepEqual(yield* of({ metadata: { k: "v", "a.b": "v" } }), [])
      assert.deepEqual(yield* of({ currency: "EUR" }), [two, one])
      assert.deepEqual(yield* of({ currency: "USD" }), [])
      assert.deepEqual(yield* of({ idempotencyKey: key }), [one])
      assert.deepEqual(yield* of({ idempotencyKey: key.toUpperCase() }), [])
      assert.deepEqual(yield* of({ idempotencyKey: key, minAmount: 11n }), [])
      assert.deepEqual(yield* found({ reference }), [two, one])
      assert.deepEqual(yield* found({ reference: reference.toLowerCase() }), [])
      assert.deepEqual(yield* found({ reference, metadata: { k: "V" }, minAmount: 20n }), [two])
    })
  )

  const words = contractCase(
    "finds words of reference and metadata, its id, its wallets' ids and their owners', and how they begin",
    Effect.gen(function* () {
      const tag = uniqueId("t").replace("-", "")
      const [a, b] = [new SampleWallet({ id: `From-${tag}` }), new SampleWallet({ ownerId: `To_${tag}` })]
      const [one, two] = [`Transfer-${tag}`, uniqueId("t")]
      yield* appended(b)
      yield* appended(a, send(one, b.id, 1n, `Kůň ${tag}`), send(two, b.id, 1n, null, { note: `${tag} 你好` }))
      assert.deepEqual(yield* found({ q: tag }), [two, one])
      assert.deepEqual(yield* found({ q: `${tag} KŮŇ` }), [one])
      assert.deepEqual(yield* found({ q: `${tag} 你好` }), [two])
      assert.deepEqual(yield* found({ q: one.toUpperCase() }), [one])
      assert.deepEqual(yield* found({ q: `from-${tag}` }), [two, one])
      assert.deepEqual(yield* found({ q: `to_${tag} ${two}` }), [two])
      assert.deepEqual(yield* found({ q: `${tag} ků*` }), [one])
      assert.deepEqual(yield* found({ q: `${tag} 你*` }), [two])
      assert.deepEqual(yield* found({ q: `from-${tag.slice(0, -1)}*`, walletId: b.id }), [two, one])
      assert.deepEqual(yield* found({ q: "*", walletId: a.id }), [])
    })
  )

  const pages = contractCase(
    "cuts transfers into pages that stay as they are while there are more, and while they end",
    Effect.gen(function* () {
      const model = yield* ReadModel
      const sample = new SampleWallet()
      const ids = Array.from({ length: 7 }, () => uniqueId("t"))
      for (const id of ids) yield* appended(sample, send(id, "elsewhere", 1n))
      const ends = [...ids]
      const seen = yield* allPages((cursor) =>
        Effect.tap(model.searchTransfers({ ownerId: sample.ownerId, limit: 3, cursor }), () =>
          appended(sample, send(uniqueId("t"), "elsewhere", 1n), settle(ends.pop()!))
        )
      )
      assert.deepEqual(
        seen.flat().map(({ id }) => id),
        ids.reverse()
      )
      assert.equal((yield* Effect.flip(model.searchTransfers({ limit: 3, cursor: "forged" })))._tag, "InvalidRequest")
    })
  )

  return [whole, owners, filters, words, pages]
}
