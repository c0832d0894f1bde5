/** A wallet's books: what counts when, as of a version. Every answer is held against a walk over all transactions. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { directionOf, type Transaction, type TransactionType } from "../../domain/Movement.ts"
import { transactionOf } from "../../domain/EventKinds.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { type BooksPlace, type BooksQuery, endOfPage, Persistence } from "../../stores/Persistence.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
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
  undo,
  uniqueId
} from "./SampleWallet.ts"

const hour = 3_600_000

/** Counts that look arbitrary and are the same at every run. */
const numbers = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

/** A wallet with 160 movements: some at times of their own, before the wallet was made too, several at one time. */
const aLife = Effect.fnUntraced(function* (seed: number) {
  const log = yield* EventStore
  const next = numbers(seed)
  const sample = new SampleWallet({ overdraftLimit: 10n ** 20n })
  const born = sample.time
  const transactions: Array<Transaction> = []
  yield* log.append([sample.create()])
  const perform = Effect.fnUntraced(function* (...commands: ReadonlyArray<SampleCommand>) {
    const commit = sample.commit(...commands)
    yield* log.append([commit])
    for (const recorded of commit.events) {
      const transaction = transactionOf(recorded, commit.wallet)
      if (transaction !== undefined) transactions.push(transaction)
    }
  })
  for (let step = 0; step < 40; step++) {
    sample.time += next(3) === 0 ? 0 : next(5) * hour
    const effectiveAt = next(2) === 0 ? null : Math.min(sample.time, born - 50 * hour + next(150) * hour)
    const [hold, transfer] = [uniqueId("h"), uniqueId("t")]
    const amount = BigInt(next(1_000) + 1) * 10n ** BigInt(next(12))
    yield* perform(
      credit(amount, null, {}, effectiveAt),
      debit(amount / 3n + 1n, "r", {}, next(2) === 0 ? null : effectiveAt)
    )
    if (step % 4 === 0) yield* perform(placeHold(hold, 5n), capture(hold, 4n, false, effectiveAt))
    // Another node's clock may be ahead of this one's.
    if (step % 5 === 0) yield* perform(receive(transfer, "elsewhere", 7n, sample.time + next(3) * hour))
    if (step % 6 === 0) yield* perform(send(transfer, "elsewhere", 3n, null, {}, effectiveAt))
    if (step % 12 === 0) yield* perform(returnFunds(transfer, "refused"))
  }
  return { sample, born, transactions }
})

const inOrder = (a: Transaction, b: Transaction): number => a.effectiveAt - b.effectiveAt || a.version - b.version

const between = (transactions: ReadonlyArray<Transaction>, { from = 0, to = Infinity, version }: BooksQuery) =>
  transactions
    .filter((one) => one.version <= version && one.effectiveAt >= from && one.effectiveAt <= to)
    .toSorted(inOrder)

const sumOf = (transactions: ReadonlyArray<Transaction>): bigint =>
  transactions.reduce((sum, { amount, type }) => sum + amount * directionOf[type], 0n)

const totalsOf = (transactions: ReadonlyArray<Transaction>): ReadonlyMap<TransactionType, bigint> => {
  const totals = new Map<TransactionType, bigint>()
  for (const { amount, type } of transactions) totals.set(type, (totals.get(type) ?? 0n) + amount)
  return totals
}

/** All pages. */
const read = Effect.fnUntraced(function* (query: BooksQuery, limit: number) {
  const persistence = yield* Persistence
  const rows: Array<Transaction> = []
  let after: BooksPlace | undefined
  for (;;) {
    const page = yield* persistence.booked({ ...query, after, limit })
    rows.push(...page)
    if (page.length < limit) return rows
    after = endOfPage(page, after)
  }
})

const holdAgainst = Effect.fnUntraced(function* (
  query: BooksQuery,
  transactions: ReadonlyArray<Transaction>,
  limit: number
) {
  const persistence = yield* Persistence
  const { from, to = 253_402_300_799_999, version, walletId } = query
  const expected = between(transactions, query)
  assert.deepEqual(yield* read(query, limit), expected)
  assert.deepEqual(new Map(yield* persistence.booksTotals(query)), totalsOf(expected))
  const closing = yield* persistence.booksBalance({ walletId, version, until: to })
  assert.equal(closing, sumOf(between(transactions, { walletId, version, to })))
  if (from === undefined || from === 0) return
  const opening = yield* persistence.booksBalance({ walletId, version, until: from - 1 })
  assert.equal(opening + sumOf(expected), closing)
})

const anySpan = contractCase(
  "are what has counted between any two times, in order, as of any version, on pages of any size",
  Effect.gen(function* () {
    for (const seed of [1, 2]) {
      const { born, sample, transactions } = yield* aLife(seed)
      const next = numbers(seed + 100)
      for (let round = 0; round < 40; round++) {
        const from = round % 7 === 0 ? undefined : born - 60 * hour + next(220) * hour
        const to = round % 5 === 0 ? undefined : (from ?? born) + next(120) * hour
        const version = round % 3 === 0 ? next(sample.version + 1) : sample.version
        yield* holdAgainst({ walletId: sample.id, version, from, to }, transactions, 1 + next(40))
      }
      assert.equal(
        sample.wallet?.balance,
        yield* (yield* Persistence).booksBalance({ walletId: sample.id, version: sample.version, until: 4e12 })
      )
    }
  })
)

const empty = contractCase(
  "of a wallet without entries, or before the first, are nothing",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    yield* log.append([sample.create()])
    const query = { walletId: sample.id, version: 0 }
    assert.deepEqual(yield* persistence.booked({ ...query, limit: 5 }), [])
    assert.equal((yield* persistence.booksTotals(query)).size, 0)
    assert.equal(yield* persistence.booksBalance({ ...query, until: sample.time }), 0n)
    yield* log.append([sample.commit(credit(5n, null, {}, 1_000), debit(2n, null, {}, 999))])
    const version = sample.version
    assert.equal(yield* persistence.booksBalance({ walletId: sample.id, version, until: 998 }), 0n)
    assert.equal(yield* persistence.booksBalance({ walletId: sample.id, version, until: 999 }), -2n)
    assert.equal(yield* persistence.booksBalance({ walletId: sample.id, version: 1, until: 1_000 }), 5n)
  })
)

export const booksContract: ReadonlyArray<ContractCase<EventStore | Persistence>> = [anySpan, empty]

const reversed = contractCase(
  "have neither an operation that was refused nor its reversal, wherever they end",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const sample = new SampleWallet({ overdraftLimit: 1_000n })
    const counted: Array<Transaction> = []
    const write = Effect.fnUntraced(function* (...commands: ReadonlyArray<SampleCommand>) {
      sample.time += hour
      const commit = sample.commit(...commands)
      yield* persistence.write([commit])
      for (const recorded of commit.events) {
        const transaction = transactionOf(recorded, commit.wallet)
        if (transaction !== undefined && recorded.event._tag !== "OperationReversed") counted.push(transaction)
      }
    })
    const refuse = Effect.fnUntraced(function* (command: SampleCommand) {
      sample.time += hour
      const before = sample.wallet
      const commit = sample.commit(command)
      yield* persistence.refuse(commit, { reason: "a rule", time: sample.time })
      return undo(commit.events[0]!, before)
    })
    yield* write(sample.creation())
    const born = sample.time
    yield* write(credit(100n), debit(30n, null, {}, born - hour))
    const first = yield* refuse(credit(7n))
    yield* write(credit(1n))
    const second = yield* refuse(debit(11n))
    yield* write(credit(2n, null, {}, born + hour))
    yield* write(first)
    yield* write(debit(4n))
    yield* write(second)
    yield* write(credit(8n))
    for (let version = 0; version <= sample.version; version++) {
      for (let from = born - 2 * hour; from <= sample.time + hour; from += hour) {
        yield* holdAgainst({ walletId: sample.id, version, from, to: from + 3 * hour }, counted, 2)
      }
      yield* holdAgainst({ walletId: sample.id, version }, counted, 3)
    }
  })
)

/** For a Persistence behind a log of its own. */
export const refusedBooksContract: ReadonlyArray<ContractCase<Persistence>> = [reversed]
