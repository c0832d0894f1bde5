/** What a search for wallets must find. `settled`: waits until the read model has what was appended. */
import * as Effect from "effect/Effect"
import { viewOf } from "../../domain/Wallet.ts"
import assert from "node:assert/strict"
import { EventStore } from "../../stores/EventStore.ts"
import { ReadModel, type WalletSearch } from "../../stores/ReadModel.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages } from "./Observations.ts"
import { credit, debit, type SampleCommand, SampleWallet, type SampleWalletOptions, uniqueId } from "./SampleWallet.ts"

type Stores = EventStore | ReadModel

const found = Effect.fnUntraced(function* (query: Omit<WalletSearch, "limit">) {
  const model = yield* ReadModel
  return (yield* model.searchWallets({ limit: 200, ...query })).data.map(({ id }) => id)
})

export const walletSearchContract = (settled: Effect.Effect<void>): ReadonlyArray<ContractCase<Stores>> => {
  const created = Effect.fnUntraced(function* (
    options: SampleWalletOptions,
    ...commands: ReadonlyArray<SampleCommand>
  ) {
    const log = yield* EventStore
    const sample = new SampleWallet(options)
    yield* log.append([sample.commit(sample.creation(), ...commands)])
    yield* settled
    return sample
  })

  const whole = contractCase(
    "finds a wallet as it is, with the largest amounts",
    Effect.gen(function* () {
      const log = yield* EventStore
      const model = yield* ReadModel
      const sample = yield* created(
        { overdraftLimit: 10n ** 30n - 1n, metadata: { "k 🐎": "v" } },
        debit(10n ** 30n - 1n)
      )
      const view = Effect.map(model.searchWallets({ ownerId: sample.ownerId, limit: 5 }), ({ data }) => data)
      const expected = viewOf(sample.wallet!)
      assert.deepEqual(yield* view, [expected])
      yield* log.append([sample.commit(...Array.from({ length: 9 }, () => credit(10n ** 30n - 1n)))])
      yield* settled
      const later = viewOf(sample.wallet!)
      assert.deepEqual(yield* view, [later])
    })
  )

  const filters = contractCase(
    "filters by owner, currency and status, together and alone",
    Effect.gen(function* () {
      const ownerId = uniqueId("owner")
      const currency = `C${uniqueId("").slice(1, 12).toUpperCase()}`
      const euro = yield* created({ ownerId })
      const frozen = yield* created(
        { ownerId, currency },
        { _tag: "Freeze", reason: null, direction: null, until: null }
      )
      const closed = yield* created({ currency }, { _tag: "Close", reason: null })
      assert.deepEqual(yield* found({ ownerId }), [frozen.id, euro.id])
      assert.deepEqual(yield* found({ currency }), [closed.id, frozen.id])
      assert.deepEqual(yield* found({ currency, status: "closed" }), [closed.id])
      assert.deepEqual(yield* found({ ownerId, status: "frozen" }), [frozen.id])
      assert.deepEqual(yield* found({ ownerId, status: "active", currency }), [])
      assert.deepEqual(yield* found({ ownerId: ownerId.toUpperCase() }), [])
      assert.deepEqual(yield* found({ ownerId: uniqueId("nobody") }), [])
    })
  )

  const balances = contractCase(
    "filters by balances, both ends included, below zero too",
    Effect.gen(function* () {
      const ownerId = uniqueId("owner")
      const overdraftLimit = 10n ** 29n
      const low = yield* created({ ownerId, overdraftLimit }, debit(10n ** 29n))
      const minus = yield* created({ ownerId, overdraftLimit }, debit(150n))
      const zero = yield* created({ ownerId })
      const high = yield* created({ ownerId }, credit(10n ** 30n - 1n))
      const by = (minBalance?: bigint, maxBalance?: bigint) => found({ ownerId, minBalance, maxBalance })
      assert.deepEqual(yield* by(-150n, 0n), [zero.id, minus.id])
      assert.deepEqual(yield* by(-149n, 1n), [zero.id])
      assert.deepEqual(yield* by(undefined, -1n), [minus.id, low.id])
      assert.deepEqual(yield* by(-(10n ** 29n), -(10n ** 29n)), [low.id])
      assert.deepEqual(yield* by(10n ** 30n - 1n), [high.id])
      assert.deepEqual(yield* by(10n ** 35n), [])
      assert.deepEqual(yield* by(1n, 0n), [])
    })
  )

  const words = contractCase(
    "finds whole words in any case in id, ownerId and metadata values, all of them",
    Effect.gen(function* () {
      const tag = uniqueId("w").replace("-", "")
      const metadata = { title: `${tag}Žluťoučký-Kůň, číslo_7`, more: "ΟΔΟΣ straße e\u0301t\u00e9" }
      const { id } = yield* created({ id: `${tag}-Main_1`, ownerId: `Own-${tag}`, metadata })
      const q = (text: string) => found({ q: text })
      for (const hit of [
        tag,
        tag.toUpperCase(),
        `${tag}-MAIN_1`,
        `own-${tag}`,
        `${tag}žluťoučký-KŮŇ`,
        `kůň ${tag}`,
        `ČÍSLO_7 ${tag}`,
        `${tag} 7`,
        `"${tag}" (kůň)`,
        `${tag} οδος`,
        `${tag} STRASSE`.replace("SS", "ß"),
        `${tag} ÉTÉ`
      ]) {
        assert.deepEqual(yield* q(hit), [id], hit)
      }
      for (const miss of [
        tag.slice(0, -1),
        `${tag}-main`,
        `${tag} kun`,
        `${tag} nothing`,
        `${tag} %`.replace(tag, "…"),
        "!!",
        " "
      ]) {
        assert.deepEqual(yield* q(miss), [], miss)
      }
      assert.deepEqual(yield* found({ q: tag, ownerId: uniqueId("nobody") }), [])
    })
  )

  const changedWords = contractCase(
    "finds a wallet by its present metadata, not by what it was",
    Effect.gen(function* () {
      const log = yield* EventStore
      const [was, is] = [uniqueId("was"), uniqueId("is")]
      const sample = yield* created({ metadata: { a: was } })
      yield* log.append([sample.commit({ _tag: "UpdateWallet", overdraftLimit: null, metadata: { a: is } })])
      yield* log.append([sample.commit(credit(1n))])
      yield* settled
      assert.deepEqual(yield* found({ q: was }), [])
      assert.deepEqual(yield* found({ q: is }), [sample.id])
    })
  )

  const pages = contractCase(
    "cuts wallets into pages, newest first, that stay as they are while wallets are made and moved",
    Effect.gen(function* () {
      const log = yield* EventStore
      const model = yield* ReadModel
      const ownerId = uniqueId("owner")
      const samples = Array.from({ length: 7 }, () => new SampleWallet({ ownerId }))
      for (const sample of samples) yield* log.append([sample.create()])
      yield* settled
      const seen = yield* allPages((cursor) =>
        Effect.tap(model.searchWallets({ ownerId, limit: 3, cursor }), () =>
          Effect.andThen(log.append([new SampleWallet({ ownerId }).create(), samples[0]!.commit(credit(1n))]), settled)
        )
      )
      assert.deepEqual(
        seen.flat().map(({ id }) => id),
        samples.map(({ id }) => id).reverse()
      )
      assert.equal((yield* Effect.flip(model.searchWallets({ limit: 3, cursor: "forged" })))._tag, "InvalidRequest")
    })
  )

  const more = contractCase(
    "filters by time of creation and by pairs of metadata, ends included, and by how words begin",
    Effect.gen(function* () {
      const ownerId = uniqueId("owner")
      const tag = uniqueId("m").replace("-", "")
      const one = yield* created({ ownerId, metadata: { k: `Café ${tag}`, "a.b": "x", __proto_: "p" } })
      const two = yield* created({ ownerId, metadata: { k: `café ${tag}`, "a.b": "\ufeffx" } })
      const at = one.time
      const of = (query: Omit<WalletSearch, "limit">) => found({ ownerId, ...query })
      assert.deepEqual(yield* of({ from: at, to: at }), [two.id, one.id])
      assert.deepEqual(yield* of({ from: at + 1 }), [])
      assert.deepEqual(yield* of({ to: at - 1 }), [])
      assert.deepEqual(yield* found({ metadata: { k: `Café ${tag}` } }), [one.id])
      assert.deepEqual(yield* found({ metadata: { k: `café ${tag}`, "a.b": "\ufeffx" } }), [two.id])
      assert.deepEqual(yield* found({ metadata: { k: `café ${tag}`, "a.b": "x" } }), [])
      assert.deepEqual(yield* of({ metadata: { "a.b": "x" } }), [one.id])
      assert.deepEqual(yield* of({ metadata: { a: "x" } }), [])
      assert.deepEqual(yield* of({ q: `cafe\u0301 ${tag.slice(0, 8)}*` }), [two.id, one.id])
      assert.deepEqual(yield* of({ q: "caf*" }), [two.id, one.id])
      assert.deepEqual(yield* of({ q: "cafe*" }), [])
      assert.deepEqual(yield* of({ q: "*" }), [])
    })
  )

  return [whole, filters, balances, words, changedWords, more, pages]
}
