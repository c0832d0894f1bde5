/** What is read: wallets now and before, lists by pages, statements, search, sums, and the feed. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import { VersionNotReached } from "../../actors/EngineError.ts"
import { InvalidRequest } from "../../domain/Rejection.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import type { FeedEvent } from "../../engine/WalletEngine.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { failureOf, failsWith, fromNow, hour, key, openWallet } from "./EngineCalls.ts"
import { uniqueId } from "./SampleWallet.ts"

const day = 86_400_000

/** Credits of 1, 2, … that count on day 1, 2, …; searched for as soon as this is done. */
const credited = Effect.fnUntraced(function* (walletId: string, count: number) {
  const engine = yield* WalletEngine
  return yield* Effect.forEach(
    Array.from({ length: count }, (_, index) => index + 1),
    (n) =>
      engine.credit({
        walletId,
        amount: BigInt(n),
        effectiveAt: n * day,
        reference: `${walletId} ${n}`,
        metadata: { n: `${n}` },
        await: "indexed",
        idempotencyKey: key()
      })
  )
})

const past = contractCase(
  "reads a wallet as it is, as it was, and by its books",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet()
    const answers = yield* credited(walletId, 3)
    const last = answers.at(-1)!.wallet
    assert.deepEqual(yield* engine.getWallet({ walletId, minVersion: last.version }), last)
    assert.deepEqual(yield* engine.walletAt({ walletId, atVersion: 2 }), answers[1]!.wallet)
    assert.deepEqual(yield* engine.walletAt({ walletId, at: last.updatedAt }), last)
    assert.equal((yield* engine.getWallet({ walletId, effectiveAt: 2 * day })).balance, 3n)
    const reached = yield* failureOf(engine.getWallet({ walletId, minVersion: 99 }), "VersionNotReached")
    assert.deepEqual(
      { ...reached },
      { ...new VersionNotReached({ walletId, minVersion: 99, retryAfter: reached.retryAfter }) }
    )
    const future = yield* fromNow(24 * hour)
    yield* failsWith(
      engine.walletAt({ walletId, at: future }),
      new InvalidRequest({ detail: "at: not a time that has passed" })
    )
  })
)

const lists = contractCase(
  "lists transactions by pages, newest first, by type and time",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet()
    const answers = yield* credited(walletId, 3)
    const { transaction, wallet } = yield* engine.debit({
      walletId,
      amount: 1n,
      await: "indexed",
      idempotencyKey: key()
    })
    const query = { walletId, limit: 2, minVersion: wallet.version }
    const first = yield* engine.transactions(query)
    assert.deepEqual(first.data, [transaction, answers[2]!.transaction])
    const second = yield* engine.transactions({ ...query, cursor: first.next! })
    assert.deepEqual([second.data, second.next], [[answers[1]!.transaction, answers[0]!.transaction], null])
    const debits = yield* engine.transactions({ walletId, type: "debit", from: transaction.createdAt, limit: 9 })
    assert.deepEqual(debits.data, [transaction])
    yield* failsWith(
      engine.transactions({ walletId, limit: 2, cursor: "made-up" }),
      new InvalidRequest({ detail: "cursor: not one that a list of this kind has answered" })
    )
    yield* failsWith(engine.transactions({ walletId, limit: 0 }), new InvalidRequest({ detail: "limit: not 1 to 200" }))
  })
)

const events = contractCase(
  "shows a wallet's events, with amounts and times as the engine has them",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet()
    const [answer] = yield* credited(walletId, 1)
    const expiresAt = yield* fromNow(hour)
    const { hold } = yield* engine.placeHold({ walletId, amount: 1n, expiresAt, idempotencyKey: key() })
    yield* engine.freeze({ walletId, until: expiresAt, idempotencyKey: key() })
    const all = yield* engine.events({ walletId, after: -1, limit: 200 })
    assert.deepEqual(
      all.map(({ event, version }) => [version, event._tag]),
      [
        [0, "WalletCreated"],
        [1, "WalletCredited"],
        [2, "HoldPlaced"],
        [3, "WalletFrozen"]
      ]
    )
    const [, second, third, fourth] = all
    assert.equal(second?.time, answer?.transaction.createdAt)
    assert.ok(second?.event._tag === "WalletCredited" && third?.event._tag === "HoldPlaced")
    const { amount, balanceAfter, effectiveAt, metadata } = second.event
    assert.deepEqual([amount, balanceAfter, effectiveAt, { ...metadata }], [1n, 1n, day, { n: "1" }])
    assert.deepEqual([third.event.holdId, third.event.expiresAt, third.event.heldAfter], [hold.id, expiresAt, 1n])
    assert.ok(fourth?.event._tag === "WalletFrozen")
    assert.equal(fourth.event.until, expiresAt)
    assert.deepEqual(yield* engine.events({ walletId, after: 1, limit: 1 }), [third])
  })
)

const statements = contractCase(
  "makes a statement between two times or days, by pages and in one piece",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet()
    const answers = yield* credited(walletId, 5)
    const made = answers.map(({ transaction }) => transaction)
    const query = { walletId, from: 2 * day, to: "1970-01-05" }
    const first = yield* engine.statement({ ...query, limit: 2 })
    assert.deepEqual([first.openingBalance, first.closingBalance, { ...first.totals }], [1n, 10n, { credit: 9n }])
    assert.deepEqual(first.data, made.slice(1, 3))
    const second = yield* engine.statement({ ...query, limit: 2, cursor: first.next! })
    assert.deepEqual([second.data, second.next, second.closingBalance], [made.slice(3, 4), null, 10n])
    const whole = yield* engine.statementRows(query)
    assert.deepEqual([whole.openingBalance, whole.closingBalance], [1n, 10n])
    assert.deepEqual((yield* Stream.runCollect(whole.rows)).flat(), made.slice(1, 4))
    const zone = yield* engine.statement({ walletId, from: "1970-01-03", timezone: "Europe/Prague", limit: 9 })
    assert.equal(zone.openingBalance, 1n)
    const failure = yield* failureOf(
      engine.statement({ walletId, from: "1970-01-03", timezone: "Nowhere", limit: 9 }),
      "InvalidRequest"
    )
    assert.match(failure.detail, /^timezone: /)
  })
)

const search = contractCase(
  "finds wallets, transactions, transfers and holds by what they are of, and adds them up",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const ownerId = uniqueId("owner")
    const [walletId, other] = [yield* openWallet(0n, { ownerId, metadata: { tag: ownerId } }), yield* openWallet()]
    const answers = yield* credited(walletId, 3)
    const idempotencyKey = key()
    const { transfer } = yield* engine.transfer({
      from: walletId,
      to: other,
      amount: 4n,
      await: "indexed",
      idempotencyKey
    })
    const held = yield* engine.placeHold({ walletId, amount: 1n, await: "indexed", idempotencyKey: key() })
    const wallets = yield* engine.searchWallets({ ownerId, metadata: { tag: ownerId }, minBalance: 1n, limit: 9 })
    assert.deepEqual(
      wallets.data.map(({ balance, id }) => [id, balance]),
      [[walletId, 2n]]
    )
    const both = yield* engine.searchWallets({ walletIds: [walletId, other], currencies: ["EUR", "USD"], limit: 9 })
    assert.deepEqual(both.data.map(({ id }) => id).sort(), [walletId, other].sort())
    const page = yield* engine.searchTransactions({ walletId, type: "credit", minAmount: 2n, limit: 1 })
    assert.deepEqual(page.data, [answers[2]!.transaction])
    const next = yield* engine.searchTransactions({
      walletId,
      type: "credit",
      minAmount: 2n,
      limit: 1,
      cursor: page.next!
    })
    assert.deepEqual([next.data, next.next], [[answers[1]!.transaction], null])
    const booked = yield* engine.searchTransactions({ walletId, effectiveFrom: day, effectiveTo: day, limit: 9 })
    assert.deepEqual(booked.data, [answers[0]!.transaction])
    const found = yield* engine.searchTransfers({ walletId, idempotencyKey, limit: 9 })
    assert.deepEqual(
      found.data.map(({ id }) => id),
      [transfer.id]
    )
    const unfiltered = yield* engine.searchTransfers({ walletId, limit: 9 })
    assert.deepEqual(
      unfiltered.data.map(({ id }) => id),
      [transfer.id]
    )
    const holds = yield* engine.searchHolds({ walletId, status: "active", limit: 9 })
    assert.deepEqual(holds.data, [held.hold])
    const stats = yield* engine.stats({ ownerId, interval: "month" })
    assert.deepEqual(
      stats.transactions.map(({ count, sum, type }) => [type, count, sum]),
      [
        ["credit", 3, 6n],
        ["transfer_out", 1, 4n]
      ]
    )
    assert.deepEqual(
      stats.wallets.map(({ balance, count, currency, status }) => [currency, status, count, balance]),
      [["EUR", "active", 1, 2n]]
    )
    yield* failsWith(
      engine.searchWallets({ walletIds: [], limit: 9 }),
      new InvalidRequest({ detail: "walletIds: not 1 to 100 that there can be" })
    )
  })
)

const shown = ({ recorded: { event, version, walletId } }: FeedEvent) => [walletId, version, event._tag]

const feed = contractCase(
  "feeds what has happened from a position on, then what happens; by wallet and type; and goes on behind any event",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const before = yield* engine.feedHead
    const [walletId, other] = [yield* openWallet(), yield* openWallet(1n)]
    yield* credited(walletId, 1)
    const ofOne = { walletIds: [walletId] }
    const old = yield* Stream.runCollect(Stream.take(engine.feed(before, ofOne), 2))
    assert.deepEqual(old.map(shown), [
      [walletId, 0, "WalletCreated"],
      [walletId, 1, "WalletCredited"]
    ])
    const live = yield* Effect.forkScoped(
      Stream.runCollect(
        Stream.take(engine.feed(old[0]!.position, { walletIds: [walletId, other], types: ["WalletCredited"] }), 3)
      ),
      { startImmediately: true }
    )
    yield* credited(walletId, 1)
    const came = yield* Fiber.join(live)
    assert.deepEqual(
      came.map(shown).sort(),
      [
        [other, 1, "WalletCredited"],
        [walletId, 1, "WalletCredited"],
        [walletId, 2, "WalletCredited"]
      ].sort()
    )
    assert.equal((yield* engine.feedHead) >= came.at(-1)!.position, true)
    const again = yield* Stream.runCollect(Stream.take(engine.feed(old[0]!.position, ofOne), 1))
    assert.deepEqual(again.map(shown), [[walletId, 1, "WalletCredited"]])
    assert.deepEqual(again[0]?.recorded.event, old[1]?.recorded.event)
  }).pipe(Effect.scoped)
)

const pages = contractCase(
  "opens a feed by pages, which follow each other without a gap, and none beyond the head of the log",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const before = yield* engine.feedHead
    const walletId = yield* openWallet()
    yield* credited(walletId, 2)
    for (const open of [engine.openFeed(before), engine.openOwnFeed(before)]) {
      let last = before
      let own = 0
      yield* Stream.runForEachWhile(yield* open, (page) =>
        Effect.sync(() => {
          assert.equal(page.after, last)
          last = page.last
          for (const { position, recorded } of page.events) {
            assert.ok(position > page.after && position <= page.last)
            if (recorded.walletId === walletId) own++
          }
          return own < 3
        })
      )
      assert.equal(own, 3)
    }
    const beyond = before + 10n ** 12n
    const gone = yield* failureOf(Stream.runDrain(engine.feed(beyond)), "PositionGone")
    assert.deepEqual([gone.position, gone.head >= before], [beyond, true])
    yield* failsWith(
      Stream.runDrain(engine.feed(-1n)),
      new InvalidRequest({ detail: "after: not a position, 0n or more" })
    )
    yield* failsWith(
      Stream.runDrain(engine.feed(0n, { walletIds: [] })),
      new InvalidRequest({ detail: "walletIds: not 1 to 100 that there can be" })
    )
  }).pipe(Effect.scoped)
)

const state = contractCase(
  "tells whether commands can be served, and what nodes there are",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const health = yield* engine.health
    assert.equal(health.ready, true)
    for (const name of ["log", "ownership", "persistence", "readModel", "clock"] as const) {
      assert.ok(health.checks.some((check) => check.name === name))
    }
    const { node, nodes, partitions } = yield* engine.cluster
    assert.ok(partitions > 0 && node.owned.length > 0)
    assert.ok(nodes?.some(({ incarnation }) => incarnation === node.incarnation))
  })
)

export const engineReadsContract: ReadonlyArray<ContractCase<WalletEngine>> = [
  past,
  lists,
  events,
  statements,
  search,
  feed,
  pages,
  state
]
