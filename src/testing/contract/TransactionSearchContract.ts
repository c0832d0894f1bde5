/** What a search for transactions must find. `settled`: waits until the read model has what was appended. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Metadata } from "../../domain/Limits.ts"
import { transactionOf } from "../../domain/EventKinds.ts"
import type { Transaction } from "../../domain/Wallet.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { ReadModel, type TransactionSearch } from "../../stores/ReadModel.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages } from "./Observations.ts"
import {
  capture,
  credit,
  debit,
  placeHold,
  receive,
  returnFunds,
  type SampleCommand,
  SampleWallet,
  send,
  settle,
  uniqueId
} from "./SampleWallet.ts"

type Stores = EventStore | ReadModel

const found = Effect.fnUntraced(function* (query: Omit<TransactionSearch, "limit">) {
  const model = yield* ReadModel
  return (yield* model.searchTransactions({ limit: 200, ...query })).data
})

export const transactionSearchContract = (settled: Effect.Effect<void>): ReadonlyArray<ContractCase<Stores>> => {
  const appended = Effect.fnUntraced(function* (sample: SampleWallet, ...commands: ReadonlyArray<SampleCommand>) {
    const log = yield* EventStore
    const all = sample.wallet === undefined ? [sample.creation(), ...commands] : commands
    const commit = sample.commit(...all)
    yield* log.append([commit])
    yield* settled
    return commit.events.flatMap((event) => transactionOf(event, commit.wallet) ?? [])
  })

  const ofOwner = contractCase(
    "finds the transactions of all wallets of an owner, newest first, by type",
    Effect.gen(function* () {
      const ownerId = uniqueId("owner")
      const [one, two] = [new SampleWallet({ ownerId }), new SampleWallet({ ownerId })]
      const hold = uniqueId("hold")
      const first = yield* appended(one, credit(9n), placeHold(hold, 5n))
      const second = yield* appended(two, credit(10n ** 30n - 1n, "Ř", { a: "🐎" }), debit(1n))
      const third = yield* appended(one, capture(hold))
      const newestFirst = [...first, ...second, ...third].reverse()
      assert.deepEqual(yield* found({ ownerId }), newestFirst)
      assert.deepEqual(yield* found({ ownerId, type: "capture" }), third)
      assert.deepEqual(
        yield* found({ ownerId, type: "credit" }),
        newestFirst.filter(({ type }) => type === "credit")
      )
      assert.deepEqual(yield* found({ ownerId: ownerId.toUpperCase() }), [])
      assert.deepEqual(yield* found({ ownerId: uniqueId("nobody") }), [])
    })
  )

  const words = contractCase(
    "finds whole words in any case in reference and metadata values, all of them",
    Effect.gen(function* () {
      const tag = uniqueId("t").replace("-", "")
      const sample = new SampleWallet()
      const metadata: Metadata = { order: `INV-2026_${tag}`, note: "Kůň 🐎" }
      const [plain, rich] = (yield* appended(
        sample,
        credit(1n, `${tag} coffee`),
        credit(2n, `Coffee, ${tag}!`, metadata)
      )) as [Transaction, Transaction]
      const q = (text: string, more: Omit<TransactionSearch, "limit"> = {}) => found({ q: text, ...more })
      assert.deepEqual(yield* q(tag), [rich, plain])
      assert.deepEqual(yield* q(`COFFEE ${tag.toUpperCase()}`), [rich, plain])
      assert.deepEqual(yield* q(`inv-2026_${tag}`), [rich])
      assert.deepEqual(yield* q(`${tag} kůň`), [rich])
      assert.deepEqual(yield* q(`${tag} 2026`), [rich])
      assert.deepEqual(yield* q(`${tag} inv-2026`), [])
      assert.deepEqual(yield* q(tag.slice(1)), [])
      assert.deepEqual(yield* q("?!"), [])
      assert.deepEqual(yield* q(tag, { type: "debit" }), [])
      assert.deepEqual(yield* q(tag, { ownerId: sample.ownerId, type: "credit" }), [rich, plain])
      assert.deepEqual(yield* q(tag, { ownerId: uniqueId("nobody") }), [])
    })
  )

  const ids = contractCase(
    "finds a transaction by its id, its wallet's id and its owner, whole and in any case",
    Effect.gen(function* () {
      const tag = uniqueId("x")
      const sample = new SampleWallet({ id: `Wallet-${tag}`, ownerId: `Owner_${tag}` })
      const [first, second] = (yield* appended(sample, credit(1n, `${tag} one`), debit(1n, `${tag} two`))) as [
        Transaction,
        Transaction
      ]
      assert.deepEqual(yield* found({ q: first.id }), [first])
      assert.deepEqual(yield* found({ q: first.id.toUpperCase() }), [first])
      assert.deepEqual(yield* found({ q: `WALLET-${tag}` }), [second, first])
      assert.deepEqual(yield* found({ q: `owner_${tag} wallet-${tag}` }), [second, first])
      assert.deepEqual(yield* found({ q: `owner_${tag} ${second.id}` }), [second])
      assert.deepEqual(yield* found({ q: `owner_${tag} two` }), [second])
      assert.deepEqual(yield* found({ q: `owner_${tag}`, type: "credit" }), [first])
      assert.deepEqual(yield* found({ q: `owner_${tag} ${uniqueId("none")}` }), [])
      assert.deepEqual(yield* found({ q: `${first.id} ${second.id}` }), [])
      assert.deepEqual(yield* found({ q: `owner_${tag}`, ownerId: uniqueId("nobody") }), [])
    })
  )

  const both = contractCase(
    "finds once what matches in more than one way",
    Effect.gen(function* () {
      const ownerId = uniqueId("twice")
      const transactions = yield* appended(new SampleWallet({ ownerId }), credit(1n, ownerId), credit(2n))
      const elsewhere = yield* appended(new SampleWallet(), credit(3n, `for ${ownerId}`))
      assert.deepEqual(yield* found({ q: ownerId }), [...transactions, ...elsewhere].reverse())
    })
  )

  const pages = contractCase(
    "cuts transactions into pages that stay as they are while rows are added",
    Effect.gen(function* () {
      const model = yield* ReadModel
      const ownerId = uniqueId("owner")
      const word = uniqueId("word")
      const [one, two] = [new SampleWallet({ ownerId }), new SampleWallet({ ownerId })]
      const first = yield* appended(one, ...Array.from({ length: 6 }, (_, i) => credit(BigInt(i + 1), word)))
      const second = yield* appended(two, ...Array.from({ length: 5 }, (_, i) => credit(BigInt(i + 1), word)))
      const expected = [...first, ...second].reverse()
      for (const query of [{ ownerId }, { q: word }, { q: ownerId }, { ownerId, type: "credit" as const, q: word }]) {
        const grown = new SampleWallet()
        const seen = yield* allPages((cursor) =>
          Effect.tap(model.searchTransactions({ ...query, limit: 4, cursor }), () =>
            appended(grown, credit(1n), debit(1n))
          )
        )
        assert.deepEqual(seen.flat(), expected, JSON.stringify(query))
      }
      const seen = yield* allPages((cursor) =>
        Effect.tap(model.searchTransactions({ ownerId, limit: 4, cursor }), () => appended(two, credit(1n, word)))
      )
      assert.deepEqual(seen.flat(), expected)
      const forged = yield* Effect.flip(model.searchTransactions({ limit: 3, cursor: "forged" }))
      assert.equal(forged._tag, "InvalidRequest")
    })
  )

  const everything = contractCase(
    "lists the newest of all wallets and types without any filter",
    Effect.gen(function* () {
      const hold = uniqueId("hold")
      const one = yield* appended(new SampleWallet(), credit(9n), placeHold(hold, 1n), capture(hold), debit(1n))
      const two = yield* appended(new SampleWallet(), credit(9n))
      const ours = new Set([...one, ...two].map(({ id }) => id))
      assert.deepEqual(
        (yield* found({})).filter(({ id }) => ours.has(id)),
        [...one, ...two].reverse()
      )
    })
  )

  const filters = contractCase(
    "filters by wallet, amount, time, currency, reference, metadata and key, each alone and together, ends included",
    Effect.gen(function* () {
      const log = yield* EventStore
      const sample = new SampleWallet()
      const [reference, key] = [uniqueId("Ref"), uniqueId("key")]
      const [first] = (yield* appended(sample, credit(10n, reference, { k: "v", "a.b": "İ" }))) as [Transaction]
      sample.time += 1_000
      const keyed = sample.keyed([`c:${key}`, credit(2n ** 53n + 1n, `${reference} `, { k: "V" })])
      yield* log.append([keyed])
      yield* settled
      const second = transactionOf(keyed.events[0]!, keyed.wallet)!
      const of = (query: Omit<TransactionSearch, "limit">) => found({ walletId: sample.id, ...query })
      assert.deepEqual(yield* of({}), [second, first])
      assert.deepEqual(yield* of({ minAmount: 10n, maxAmount: 2n ** 53n }), [first])
      assert.deepEqual(yield* of({ minAmount: 2n ** 53n + 1n }), [second])
      assert.deepEqual(yield* of({ from: first.createdAt, to: first.createdAt }), [first])
      assert.deepEqual(yield* of({ from: first.createdAt + 1 }), [second])
      assert.deepEqual(yield* of({ to: first.createdAt - 1 }), [])
      assert.deepEqual(yield* of({ currency: "USD" }), [])
      assert.deepEqual(yield* of({ metadata: { k: "V" } }), [second])
      assert.deepEqual(yield* of({ metadata: { "a.b": "İ", k: "v" } }), [first])
      assert.deepEqual(yield* of({ metadata: { "a.b": "i" } }), [])
      assert.deepEqual(yield* of({ idempotencyKey: key }), [second])
      assert.deepEqual(yield* of({ idempotencyKey: key, type: "debit" }), [])
      assert.deepEqual(yield* found({ reference }), [first])
      assert.deepEqual(yield* found({ reference: `${reference} ` }), [second])
      assert.deepEqual(yield* found({ reference: reference.toLowerCase() }), [])
      assert.deepEqual(yield* found({ reference, ownerId: sample.ownerId, minAmount: 11n }), [])
    })
  )

  const links = contractCase(
    "finds the transactions of a transfer and of a hold, of all wallets",
    Effect.gen(function* () {
      const [a, b] = [new SampleWallet(), new SampleWallet()]
      const [transferId, back, holdId] = [uniqueId("t"), uniqueId("t"), uniqueId("h")]
      const sent = yield* appended(a, credit(9n), send(transferId, b.id, 2n), send(back, b.id, 1n))
      const received = yield* appended(b, credit(9n), receive(transferId, a.id, 2n))
      const [returned] = (yield* appended(a, settle(transferId), returnFunds(back, "why"))) as [Transaction]
      const [captured] = (yield* appended(b, placeHold(holdId, 4n), capture(holdId, 1n))) as [Transaction]
      assert.deepEqual(yield* found({ transferId }), [received[1], sent[1]])
      assert.deepEqual(yield* found({ transferId: back }), [returned, sent[2]])
      assert.deepEqual(yield* found({ transferId, walletId: b.id }), [received[1]])
      assert.deepEqual(yield* found({ transferId, type: "transfer_out" }), [sent[1]])
      assert.deepEqual(yield* found({ holdId }), [captured])
      assert.deepEqual(yield* found({ holdId, walletId: b.id }), [captured])
      assert.deepEqual(yield* found({ holdId, walletId: a.id }), [])
    })
  )

  const scripts = contractCase(
    "takes words and their beginnings in every script as they are",
    Effect.gen(function* () {
      const tag = uniqueId("s").replace("-", "")
      const texts = ["İstanbul", "istanbul", "ıstanbul", "שלום", "مرحبا", "你好世界", "\ufeffmark", "x🐎yy", "ΟΔΟΣ"]
      const sample = new SampleWallet()
      const all = yield* appended(sample, ...texts.map((text) => credit(1n, `${tag} ${text}`)))
      const q = (text: string) =>
        Effect.map(found({ q: `${text} ${tag}` }), (rows) =>
          rows.map((row) => texts[all.findIndex(({ id }) => id === row.id)])
        )
      assert.deepEqual(yield* q("İSTANBUL"), ["İstanbul"])
      assert.deepEqual(yield* q("ISTANBUL"), ["istanbul"])
      assert.deepEqual(yield* q("i*"), ["istanbul", "İstanbul"])
      assert.deepEqual(yield* q("ı*"), ["ıstanbul"])
      assert.deepEqual(yield* q("של*"), ["שלום"])
      assert.deepEqual(yield* q("مرحبا"), ["مرحبا"])
      assert.deepEqual(yield* q("你*"), ["你好世界"])
      assert.deepEqual(yield* q("你好"), [])
      assert.deepEqual(yield* q("mark"), ["\ufeffmark"])
      assert.deepEqual(yield* q("y*"), ["x🐎yy"])
      assert.deepEqual(yield* q("οδος"), ["ΟΔΟΣ"])
      assert.deepEqual(yield* found({ reference: `${tag} \ufeffmark` }), [all[6]])
      assert.deepEqual(yield* found({ reference: `${tag} mark` }), [])
      const prefixed = yield* found({ q: `${tag.slice(0, -1)}*`, walletId: sample.id })
      assert.deepEqual(prefixed, [...all].reverse())
    })
  )

  return [ofOwner, words, ids, both, filters, links, scripts, pages, everything]
}
