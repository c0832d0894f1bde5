/** What a search for holds must find. `settled`: waits until the read model has what was appended. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { maxTime, type Metadata, noMetadata } from "../../domain/Limits.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { type HoldSearch, ReadModel } from "../../stores/ReadModel.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages } from "./Observations.ts"
import { capture, credit, placeHold, release, type SampleCommand, SampleWallet, uniqueId } from "./SampleWallet.ts"

type Stores = EventStore | ReadModel

const found = Effect.fnUntraced(function* (query: Omit<HoldSearch, "limit">) {
  const model = yield* ReadModel
  return (yield* model.searchHolds({ limit: 200, ...query })).data.map(({ id }) => id)
})

const place = (
  holdId: string,
  amount: bigint,
  reference: string | null,
  metadata: Metadata = noMetadata,
  expiresAt: number | null = null
): SampleCommand => ({ _tag: "PlaceHold", holdId, amount, expiresAt, reference, metadata })

export const holdSearchContract = (settled: Effect.Effect<void>): ReadonlyArray<ContractCase<Stores>> => {
  const appended = Effect.fnUntraced(function* (sample: SampleWallet, ...commands: ReadonlyArray<SampleCommand>) {
    const log = yield* EventStore
    const creation = sample.wallet === undefined ? [sample.creation(), credit(1_000n)] : []
    yield* log.append([sample.commit(...creation, ...commands)])
    yield* settled
  })

  const whole = contractCase(
    "finds a hold as it is, by wallet, owner, currency and status",
    Effect.gen(function* () {
      const model = yield* ReadModel
      const ownerId = uniqueId("owner")
      const [a, b] = [new SampleWallet({ ownerId }), new SampleWallet({ ownerId, currency: "USD" })]
      const [open, gone, taken, other] = [uniqueId("h"), uniqueId("h"), uniqueId("h"), uniqueId("h")]
      yield* appended(a, place(open, 5n, "Ř", { a: "🐎" }, a.time + 60_000))
      a.time += 1
      yield* appended(a, placeHold(gone, 2n))
      a.time += 1
      yield* appended(a, placeHold(taken, 3n), release(gone), capture(taken, 1n, true), capture(open, 1n))
      b.time += 5
      yield* appended(b, placeHold(other, 1n))
      const { data } = yield* model.searchHolds({ walletId: a.id, limit: 10 })
      assert.deepEqual(
        data.map(({ id, status }) => [id, status]),
        [
          [taken, "captured"],
          [gone, "released"],
          [open, "active"]
        ]
      )
      assert.deepEqual(data[2], {
        id: open,
        walletId: a.id,
        amount: 5n,
        captured: 1n,
        remaining: 4n,
        status: "active",
        expiresAt: a.time - 2 + 60_000,
        reference: "Ř",
        metadata: { a: "🐎" },
        createdAt: a.time - 2
      })
      assert.deepEqual(yield* found({ ownerId }), [other, taken, gone, open])
      assert.deepEqual(yield* found({ ownerId, currency: "USD" }), [other])
      assert.deepEqual(yield* found({ ownerId, status: "active" }), [other, open])
      assert.deepEqual(yield* found({ walletId: a.id, status: "captured" }), [taken])
      assert.deepEqual(yield* found({ ownerId: ownerId.toUpperCase() }), [])
      assert.deepEqual(yield* found({ walletId: b.id, status: "released" }), [])
    })
  )

  const filters = contractCase(
    "filters by amount, time, expiry, reference and metadata, each alone and together, ends included",
    Effect.gen(function* () {
      const sample = new SampleWallet()
      const [one, two, three] = [uniqueId("h"), uniqueId("h"), uniqueId("h")]
      const first = sample.time
      yield* appended(sample, place(one, 10n, "rent", { k: "v" }, first + 10_000))
      sample.time += 1_000
      yield* appended(sample, place(two, 20n, "Rent", { k: "V" }, first + 20_000))
      sample.time += 1_000
      yield* appended(sample, place(three, 30n, null))
      const of = (query: Omit<HoldSearch, "limit">) => found({ walletId: sample.id, ...query })
      assert.deepEqual(yield* of({ minAmount: 10n, maxAmount: 20n }), [two, one])
      assert.deepEqual(yield* of({ maxAmount: 19n }), [one])
      assert.deepEqual(yield* of({ from: first + 1_000 }), [three, two])
      assert.deepEqual(yield* of({ to: first }), [one])
      assert.deepEqual(yield* of({ from: first + 1, to: first + 1_999 }), [two])
      assert.deepEqual(yield* of({ expiresBefore: first + 20_000 }), [one])
      assert.deepEqual(yield* of({ expiresBefore: first + 20_001, status: "active" }), [two, one])
      assert.deepEqual(yield* of({ reference: "rent" }), [one])
      assert.deepEqual(yield* of({ metadata: { k: "V" } }), [two])
      assert.deepEqual(yield* of({ metadata: { k: "V" }, reference: "rent" }), [])
    })
  )

  const farTimes = contractCase(
    "tells times apart by a millisecond up to the last one that there is",
    Effect.gen(function* () {
      for (const last of [maxTime, maxTime - 12_345_678_901]) {
        const sample = new SampleWallet()
        const [early, late] = [uniqueId("early"), uniqueId("late")]
        sample.time = last - 2
        yield* appended(sample, place(early, 1n, null, noMetadata, last - 1))
        sample.time = last - 1
        yield* appended(sample, place(late, 1n, null, noMetadata, last))
        const of = (query: Omit<HoldSearch, "limit">) => found({ walletId: sample.id, ...query })
        assert.deepEqual(yield* of({ expiresBefore: last, status: "active" }), [early])
        assert.deepEqual(yield* of({ expiresBefore: last - 1 }), [])
        assert.deepEqual(yield* of({ from: last - 1 }), [late])
        assert.deepEqual(yield* of({ from: last - 2 }), [late, early])
        assert.deepEqual(yield* of({ to: last - 2 }), [early])
        assert.deepEqual(yield* of({ to: last - 3 }), [])
      }
    })
  )

  const words = contractCase(
    "finds words of reference and metadata, its id, its wallet's id and its owner's, and how they begin",
    Effect.gen(function* () {
      const tag = uniqueId("h").replace("-", "")
      const sample = new SampleWallet({ id: `Wallet-${tag}`, ownerId: `Owner_${tag}` })
      const [one, two] = [`Hold-${tag}`, uniqueId("h")]
      yield* appended(sample, place(one, 1n, `Kůň ${tag}`))
      sample.time += 1
      yield* appended(sample, place(two, 1n, null, { note: `${tag} 你好` }))
      const q = (text: string) => found({ q: text, walletId: sample.id })
      assert.deepEqual(yield* q(tag), [two, one])
      assert.deepEqual(yield* q(`${tag} KŮŇ`), [one])
      assert.deepEqual(yield* q(`HOLD-${tag}`), [one])
      assert.deepEqual(yield* q(`wallet-${tag} 你*`), [two])
      assert.deepEqual(yield* q(`owner_${tag}`), [two, one])
      assert.deepEqual(yield* q(`owner_${tag.slice(0, -1)}*`), [two, one])
      assert.deepEqual(yield* q("你好你*"), [])
      assert.deepEqual(yield* q("…"), [])
    })
  )

  const pages = contractCase(
    "cuts holds into pages that stay as they are while there are more, also of one millisecond",
    Effect.gen(function* () {
      const model = yield* ReadModel
      const ownerId = uniqueId("owner")
      const samples = [new SampleWallet({ ownerId }), new SampleWallet({ ownerId })]
      for (const sample of samples) {
        yield* appended(sample, ...Array.from({ length: 5 }, () => placeHold(uniqueId("h"), 1n)))
      }
      const all = yield* found({ ownerId })
      assert.equal(all.length, 10)
      for (const query of [{ ownerId }, { ownerId, q: ownerId }]) {
        const seen = yield* allPages((cursor) =>
          Effect.tap(model.searchHolds({ ...query, limit: 3, cursor }), () => {
            const sample = new SampleWallet({ ownerId })
            sample.time += 1
            return appended(sample, placeHold(uniqueId("later"), 1n))
          })
        )
        const ids = seen.flat().map(({ id }) => id)
        assert.deepEqual(
          ids.filter((id) => !id.startsWith("later")),
          all,
          JSON.stringify(query)
        )
      }
      assert.equal((yield* Effect.flip(model.searchHolds({ limit: 3, cursor: "forged" })))._tag, "InvalidRequest")
    })
  )

  return [whole, filters, farTimes, words, pages]
}
