/**
 * How long searches take on Elasticsearch: `node test/stores/elastic/figures.ts URL [WALLETS]`, five transactions per
 * wallet, a quarter of the wallets one owner's; each question by 8 callers, page 1 and page 200.
 */
import * as Effect from "effect/Effect"
import { plainFreeze, type Transaction, type WalletView } from "../../../src/domain/Wallet.ts"
import * as Connection from "../../../src/stores/elastic/Connection.ts"
import * as ElasticReadModel from "../../../src/stores/elastic/ElasticReadModel.ts"
import * as ElasticSearchIndex from "../../../src/stores/elastic/ElasticSearchIndex.ts"
import type { Page } from "../../../src/stores/Page.ts"
import { ReadModel, type SearchError } from "../../../src/stores/ReadModel.ts"
import { type SearchDocument, SearchIndex } from "../../../src/stores/SearchIndex.ts"

const [url = "", count = "100000"] = process.argv.slice(2)
const wallets = Number(count)
const transactionsPerWallet = 5
const begin = Date.UTC(2026, 0)
const callers = 8
const rounds = 25

const ownerOf = (wallet: number): string => (wallet % 4 === 0 ? "big-owner" : `owner-${wallet % 5_000}`)
const metadataOf = (number: number) => ({ order: `INV-${number % 10_000}`, shop: `shop-${number % 50}` })

/** Anything, but the same each time. */
const mixed = (number: number): number => Math.imul(number, 2_654_435_761) >>> 0

const walletOf = (number: number): WalletView => ({
  id: `wallet-${number}`,
  ownerId: ownerOf(number),
  currency: number % 10 === 0 ? "USD" : "EUR",
  balance: BigInt(mixed(number) % 1_000_000),
  held: 0n,
  overdraftLimit: 0n,
  status: number % 1_000 === 0 ? "frozen" : "active",
  freeze: number % 1_000 === 0 ? plainFreeze : null,
  version: transactionsPerWallet,
  metadata: metadataOf(number),
  createdAt: begin + number,
  updatedAt: begin + number
})

const transactionOf = (number: number): Transaction => {
  const wallet = mixed(number) % wallets
  return {
    id: `0190e1f0-${(number % 65_536).toString(16).padStart(4, "0")}-7000-8000-${number.toString(16).padStart(12, "0")}`,
    walletId: `wallet-${wallet}`,
    type: number % 3 === 0 ? "debit" : "credit",
    amount: BigInt((mixed(number) % 1_000_000) + 1),
    balanceAfter: 1n,
    currency: wallet % 10 === 0 ? "USD" : "EUR",
    reference: number % 2 === 0 ? `Invoice ${number % 20_000} coffee` : null,
    metadata: number % 4 === 0 ? metadataOf(number) : {},
    holdId: null,
    transferId: number % 100 === 0 ? `transfer-${number}` : null,
    version: 1,
    createdAt: begin + number * 1_000,
    effectiveAt: begin + number * 1_000
  }
}

const documentOf = (number: number): SearchDocument => {
  if (number < wallets) {
    return {
      kind: "wallet",
      version: transactionsPerWallet,
      position: BigInt(number + 1),
      wallet: walletOf(number)
    }
  }
  const transaction = transactionOf(number - wallets)
  const ownerId = ownerOf(Number(transaction.walletId.slice(7)))
  return {
    kind: "transaction",
    version: 1,
    position: BigInt(number + 1),
    ownerId,
    key: `key-${number}`,
    leg: 0,
    transaction
  }
}

const fill = Effect.gen(function* () {
  const { current, open } = yield* SearchIndex
  const state = yield* open("figures")
  if (state._tag !== "Ready") return yield* Effect.die(new Error(JSON.stringify(state)))
  const total = wallets * (1 + transactionsPerWallet)
  if ((yield* current.count("transaction")) === total - wallets) return
  const started = performance.now()
  const starts = Array.from({ length: Math.ceil(total / 1_000) }, (_, index) => index * 1_000)
  yield* Effect.forEach(
    starts,
    (start) =>
      Effect.suspend(() =>
        current.write(Array.from({ length: Math.min(1_000, total - start) }, (_, index) => documentOf(start + index)))
      ),
    { concurrency: 2, discard: true }
  )
  yield* current.refresh
  console.log(`filled ${total} in ${Math.round((performance.now() - started) / 1_000)} s`)
})

type Model = ReadModel["Service"]
type Question = (model: Model, cursor: string | undefined) => Effect.Effect<Page<unknown>, SearchError>

const limit = 50
const transactions =
  (query: Omit<Parameters<Model["searchTransactions"]>[0], "limit" | "cursor">): Question =>
  (model, cursor) =>
    model.searchTransactions({ ...query, limit, cursor })
const walletsBy =
  (query: Omit<Parameters<Model["searchWallets"]>[0], "limit" | "cursor">): Question =>
  (model, cursor) =>
    model.searchWallets({ ...query, limit, cursor })

const questions: Readonly<Record<string, Question>> = {
  "transactions, all": transactions({}),
  "transactions ownerId, a quarter of all": transactions({ ownerId: "big-owner" }),
  "transactions walletId": transactions({ walletId: "wallet-7" }),
  "transactions type": transactions({ type: "debit" }),
  "transactions currency": transactions({ currency: "USD" }),
  "transactions from, to": transactions({ from: begin + 10_000_000, to: begin + 60_000_000 }),
  "transactions amounts, half of all": transactions({ minAmount: 500_000n }),
  "transactions amounts, 1 in 1,000": transactions({ minAmount: 999_000n }),
  "transactions reference": transactions({ reference: "Invoice 7778 coffee" }),
  "transactions metadata": transactions({ metadata: { order: "INV-444" } }),
  "transactions transferId": transactions({ transferId: "transfer-4400" }),
  "transactions key": transactions({ idempotencyKey: `key-${wallets + 44}` }),
  "transactions q of two words": transactions({ q: "coffee invoice" }),
  "transactions q of a rare and a common word": transactions({ q: "coffee 7778" }),
  "transactions q=invoic*": transactions({ q: "invoic*" }),
  "transactions q=0190e*, each its own": transactions({ q: "0190e*" }),
  "wallets, all": walletsBy({}),
  "wallets ownerId, a quarter of all": walletsBy({ ownerId: "big-owner" }),
  "wallets status, 1 in 1,000": walletsBy({ status: "frozen" }),
  "wallets balances, half of all": walletsBy({ minBalance: 500_000n }),
  "wallets balances, 1 in 1,000": walletsBy({ minBalance: 999_000n }),
  "wallets metadata": walletsBy({ metadata: { shop: "shop-7" } }),
  "wallets q of two words": walletsBy({ q: "shop inv" }),
  "stats by day": (model) => Effect.map(model.stats({ interval: "day" }), () => ({ data: [], next: null })),
  "stats by day of a quarter": (model) =>
    Effect.map(model.stats({ interval: "day", ownerId: "big-owner" }), () => ({ data: [], next: null }))
}

/** The cursor of page 200, or of the last page. */
const lateCursor = Effect.fnUntraced(function* (model: Model, question: Question) {
  let cursor: string | undefined
  for (let page = 1; page < 200; page++) {
    const { next } = yield* question(model, cursor)
    if (next === null) break
    cursor = next
  }
  return cursor
})

const measure = Effect.fnUntraced(function* (model: Model, question: Question, cursor: string | undefined) {
  const took: Array<number> = []
  const one = Effect.gen(function* () {
    const started = performance.now()
    yield* question(model, cursor)
    took.push(performance.now() - started)
  })
  const outcome = yield* Effect.result(
    Effect.forEach(Array.from({ length: callers }), () => Effect.repeat(one, { times: rounds - 1 }), {
      concurrency: callers
    })
  )
  if (outcome._tag === "Failure") return outcome.failure.message
  took.sort((a, b) => a - b)
  const at = (share: number) => `${took[Math.floor((took.length - 1) * share)]!.toFixed(0)} ms`
  return `p50 ${at(0.5)}, p99 ${at(0.99)}`
})

const main = Effect.gen(function* () {
  yield* fill
  const model = yield* ReadModel
  for (const [name, question] of Object.entries(questions)) {
    yield* question(model, undefined)
    const first = yield* measure(model, question, undefined)
    const cursor = yield* lateCursor(model, question)
    const late = cursor === undefined ? "-" : yield* measure(model, question, cursor)
    console.log(`${name.padEnd(48)} page 1: ${first.padEnd(24)} page 200: ${late}`)
  }
})

const index = { prefix: "figures", refreshInterval: 1_000 }
await Effect.runPromise(
  main.pipe(
    Effect.provide([ElasticSearchIndex.layer(index), ElasticReadModel.layer(index)]),
    Effect.provide(Connection.layer({ nodes: [url] }))
  )
)
