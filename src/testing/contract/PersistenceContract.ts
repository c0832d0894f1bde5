/**
 * What every transactional view must do. The cases append to the log and read the
 * rows at once: for adapters that are written with the log, in one step.
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { transactionOf } from "../../domain/EventKinds.ts"
import type { Hold, Transaction } from "../../domain/Wallet.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { keyContract } from "./KeyContract.ts"
import { allPages, bare, keysFound, viewOf } from "./Observations.ts"
import {
  capture,
  credit,
  debit,
  placeHold,
  release,
  type SampleCommand,
  SampleWallet,
  type SampleWalletOptions,
  uniqueId
} from "./SampleWallet.ts"

type Stores = EventStore | Persistence

const sampleWith = Effect.fnUntraced(function* (
  make: (sample: SampleWallet) => ReadonlyArray<SampleCommand>,
  options: SampleWalletOptions = {}
) {
  const log = yield* EventStore
  const sample = new SampleWallet(options)
  const commit = sample.commit(sample.creation(), ...make(sample))
  yield* log.append([commit])
  const transactions = commit.events.flatMap((event) => transactionOf(event, commit.wallet) ?? [])
  return { sample, commit, transactions }
})

const walletRow = contractCase(
  "shows a wallet as of its last commit, whatever its amounts and metadata",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { sample } = yield* sampleWith(() => [debit(10n ** 30n - 1n)], {
      overdraftLimit: 10n ** 30n - 1n,
      metadata: { clé: "žluťoučký 🐎", ["__proto__"]: "own", quote: '"{},\\' }
    })
    assert.deepEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
    sample.time += 60_000
    const largest = Array.from({ length: 40 }, () => credit(10n ** 30n - 1n))
    yield* log.append([
      sample.commit(
        ...largest,
        { _tag: "UpdateWallet", overdraftLimit: null, metadata: {} },
        { _tag: "Freeze", reason: null, direction: null, until: null }
      )
    ])
    assert.deepEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
    yield* log.append([sample.commit({ _tag: "UpdateWallet", overdraftLimit: 5n, metadata: { a: "b" } })])
    assert.deepEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
    assert.equal(yield* persistence.wallet(uniqueId("nobody")), undefined)
  })
)

const byId = contractCase(
  "finds a transaction by its id, and nothing by any other",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const { commit, transactions } = yield* sampleWith(() => [
      credit(9n, "Ř", { a: "🐎" }),
      placeHold(uniqueId("hold"), 1n),
      debit(2n)
    ])
    for (const transaction of transactions) {
      assert.deepEqual(yield* persistence.transaction(transaction.id), transaction)
    }
    // Of the wallet and its hold: they move no money.
    for (const index of [0, 2]) assert.equal(yield* persistence.transaction(commit.events[index]!.id), undefined)
    const [first] = transactions
    const another = `${first!.id.slice(0, 25)}${first!.id[25] === "0" ? "1" : "0"}${first!.id.slice(26)}`
    for (const id of [another, uniqueId("none"), "", first!.id.toUpperCase(), first!.id.replaceAll("-", "")]) {
      assert.equal(yield* persistence.transaction(id), undefined, id)
    }
  })
)

/** Changes whatever can be changed of a value, however deep. */
const spoil = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return
  for (const name of Object.keys(value)) {
    spoil(Reflect.get(value, name))
    Reflect.set(value, name, "spoilt")
  }
}

const ownAnswers = contractCase(
  "answers with what is the reader's own: to change it changes nothing that is stored",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { sample } = yield* sampleWith(() => [credit(9n, null, { a: "b" }), placeHold(uniqueId("hold"), 1n)], {
      metadata: { c: "d" }
    })
    const page = { walletId: sample.id, limit: 10 }
    const reads: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      log.read(sample.id, { after: -1, limit: 10 }),
      persistence.wallet(sample.id),
      persistence.transactions(page),
      persistence.holds(page),
      persistence.scanTransactions(sample.id, { after: -1, limit: 10 }),
      persistence.scanHolds(sample.id, { after: "", limit: 10 })
    ]
    for (const read of reads) {
      const before = structuredClone(yield* read)
      spoil(yield* read)
      assert.deepEqual(structuredClone(yield* read), before)
    }
  })
)

const nothingOnConflict = contractCase(
  "writes nothing of a commit that the log refuses",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { sample, transactions } = yield* sampleWith(() => [credit(5n)])
    const before = viewOf(sample.wallet!)
    sample.commit(credit(1n))
    const ahead = sample.commit(credit(2n), placeHold(uniqueId("hold"), 1n))
    assert.deepEqual(bare(yield* log.append([ahead])), [{ _tag: "Conflict" }])
    assert.deepEqual(yield* persistence.wallet(sample.id), before)
    const page = yield* persistence.transactions({ walletId: sample.id, limit: 10 })
    assert.deepEqual(page.data, transactions)
    assert.deepEqual((yield* persistence.holds({ walletId: sample.id, limit: 10 })).data, [])
    assert.deepEqual((yield* keysFound(sample.id, [ahead.events[0]!.metadata.key])).seen, [])
  })
)

const transactionRows = contractCase(
  "shows every movement of a balance with all it says, newest first",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const hold = uniqueId("hold")
    const transfer = uniqueId("transfer")
    const { sample, transactions } = yield* sampleWith(() => [
      credit(10n ** 29n, 'Účet č. 5 🐎 "x"', { note: "a, {b}", ["__proto__"]: "p" }),
      debit(1n),
      placeHold(hold, 50n),
      capture(hold, 20n),
      { _tag: "Freeze", reason: null, direction: null, until: null },
      {
        _tag: "ReceiveTransfer",
        transferId: transfer,
        from: "else",
        currency: "EUR",
        amount: 9n,
        reference: "r",
        metadata: {},
        effectiveAt: 1
      }
    ])
    const { data } = yield* persistence.transactions({ walletId: sample.id, limit: 200 })
    assert.deepEqual(data, [...transactions].reverse())
    assert.deepEqual(
      data.map(({ type }) => type),
      ["transfer_in", "capture", "debit", "credit"]
    )
    assert.equal(data[0]!.transferId, transfer)
    assert.equal(data[1]!.holdId, hold)
    assert.deepEqual((yield* persistence.transactions({ walletId: uniqueId("nobody"), limit: 5 })).data, [])
  })
)

const transactionPages = contractCase(
  "cuts transactions into pages that stay as they are while rows are added",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { sample, transactions } = yield* sampleWith(() =>
      Array.from({ length: 12 }, (_, i) => credit(BigInt(i + 1)))
    )
    const pages = yield* allPages((cursor) =>
      Effect.tap(persistence.transactions({ walletId: sample.id, limit: 5, cursor }), () =>
        log.append([sample.commit(credit(1_000n), debit(1_000n))])
      )
    )
    assert.deepEqual(pages.flat(), [...transactions].reverse())
    assert.deepEqual(
      pages.map(({ length }) => length),
      [5, 5, 2]
    )
    const exact = yield* persistence.transactions({ walletId: sample.id, limit: 18 })
    assert.equal(exact.next, null)
  })
)

const transactionFilters = contractCase(
  "filters transactions by type and by times, both ends included",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    const start = sample.time
    yield* log.append([sample.create()])
    for (let second = 1; second <= 20; second++) {
      sample.time = start + second * 1_000
      yield* log.append([sample.commit(credit(BigInt(second)), debit(1n), credit(1n))])
    }
    const list = (query: {
      readonly from?: number
      readonly to?: number
      readonly type?: "credit" | "debit" | "capture"
    }) => Effect.map(persistence.transactions({ walletId: sample.id, limit: 100, ...query }), ({ data }) => data)
    const seconds = (rows: ReadonlyArray<Transaction>) => [
      ...new Set(rows.map((row) => (row.createdAt - start) / 1_000))
    ]
    const at = (second: number) => start + second * 1_000
    assert.deepEqual(seconds(yield* list({ from: at(18) })), [20, 19, 18])
    assert.deepEqual(seconds(yield* list({ to: at(2) })), [2, 1])
    assert.deepEqual(seconds(yield* list({ from: at(7), to: at(9) })), [9, 8, 7])
    assert.deepEqual(seconds(yield* list({ from: at(7) + 1, to: at(9) - 1 })), [8])
    assert.equal((yield* list({ from: at(5), to: at(5) })).length, 3)
    assert.deepEqual(yield* list({ from: at(21) }), [])
    assert.deepEqual(yield* list({ to: at(1) - 1 }), [])
    assert.equal((yield* list({ type: "debit" })).length, 20)
    assert.deepEqual(yield* list({ type: "capture" }), [])
    assert.deepEqual(
      (yield* list({ type: "debit", from: at(3), to: at(4) })).map(({ version }) => version),
      [11, 8]
    )
  })
)

const holdsOf = (sample: SampleWallet) => {
  const holds = ["a", "b", "c", "d", "e"].map((name) => uniqueId(name))
  const [a, b, c, d, e] = holds as [string, string, string, string, string]
  return {
    holds,
    commands: [
      ...holds.map((id) => placeHold(id, 10n, sample.time + 5_000)),
      capture(a),
      capture(b, 4n, true),
      release(c),
      capture(d, 3n)
    ],
    a,
    b,
    c,
    d,
    e
  }
}

const holdRows = contractCase(
  "shows holds open and closed, newest first, by status, one by one and by pages",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    const { a, b, c, commands, d, e, holds } = holdsOf(sample)
    yield* log.append([sample.commit(sample.creation(), credit(100n), ...commands)])
    const list = (status?: Hold["status"]) =>
      Effect.map(persistence.holds({ walletId: sample.id, limit: 50, status }), ({ data }) => data.map(({ id }) => id))
    assert.deepEqual(yield* list(), [...holds].reverse())
    assert.deepEqual(yield* list("active"), [e, d])
    assert.deepEqual(yield* list("captured"), [b, a])
    assert.deepEqual(yield* list("released"), [c])
    assert.deepEqual(yield* list("expired"), [])
    const hold = yield* persistence.hold(sample.id, d)
    const { expiresAt, createdAt } = { createdAt: sample.time, expiresAt: sample.time + 5_000 }
    const open = { id: d, walletId: sample.id, amount: 10n, captured: 3n, remaining: 7n, status: "active", expiresAt }
    assert.deepEqual(hold, { ...open, reference: null, metadata: {}, createdAt })
    assert.equal(yield* persistence.hold(uniqueId("nobody"), d), undefined)
    const pages = yield* allPages((cursor) => persistence.holds({ walletId: sample.id, limit: 2, cursor }))
    assert.deepEqual(
      pages.flat().map(({ id }) => id),
      [...holds].reverse()
    )
  })
)

const holdChanges = contractCase(
  "changes the row of a hold that was placed in an earlier commit",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [captured, released, expired] = ["captured", "released", "expired"].map((name) => uniqueId(name)) as [
      string,
      string,
      string
    ]
    const { sample } = yield* sampleWith(({ time }) => [
      credit(100n),
      placeHold(captured, 30n),
      placeHold(released, 20n),
      placeHold(expired, 10n, time + 1)
    ])
    yield* log.append([sample.commit(capture(captured, 10n), capture(captured, 5n), release(released))])
    sample.time += 2
    yield* log.append([sample.commit({ _tag: "ExpireHold", holdId: expired }, release(captured))])
    const rows = yield* Effect.all([captured, released, expired].map((id) => persistence.hold(sample.id, id)))
    assert.deepEqual(
      rows.map((hold) => [hold?.status, hold?.captured, hold?.remaining]),
      [
        ["captured", 15n, 0n],
        ["released", 0n, 0n],
        ["expired", 0n, 0n]
      ]
    )
  })
)

const scans = contractCase(
  "walks over all wallets, transactions and holds in order, so that they can be verified",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const prefix = uniqueId("scan")
    const samples = ["3", "1", "-2", "Z", "a"].map((name) => new SampleWallet({ id: `${prefix}${name}` }))
    yield* log.append(samples.map((sample) => sample.create()))
    const found = (yield* persistence.scanWallets({ after: prefix, limit: 5 })).map(({ id }) => id)
    assert.deepEqual(
      found,
      ["-2", "1", "3", "Z", "a"].map((name) => `${prefix}${name}`)
    )
    assert.deepEqual(
      (yield* persistence.scanWallets({ after: `${prefix}1`, limit: 1 })).map(({ id }) => id),
      [`${prefix}3`]
    )
    const { sample, transactions } = yield* sampleWith((one) => [credit(100n), debit(1n), ...holdsOf(one).commands])
    assert.deepEqual(yield* persistence.scanTransactions(sample.id, { after: -1, limit: 100 }), transactions)
    assert.deepEqual(yield* persistence.scanTransactions(sample.id, { after: 1, limit: 2 }), transactions.slice(1, 3))
    const holds = yield* persistence.scanHolds(sample.id, { after: "", limit: 100 })
    assert.equal(holds.length, 5)
    assert.deepEqual(
      holds.map(({ id }) => id),
      holds.map(({ id }) => id).sort()
    )
    assert.deepEqual(yield* persistence.scanHolds(sample.id, { after: holds[1]!.id, limit: 2 }), holds.slice(2, 4))
  })
)

const badCursors = contractCase(
  "refuses a cursor that is not one of its own",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const forged = [
      '["-1"]',
      '["1e3"]',
      '["99999999999999999999"]',
      "[1]",
      '["1","-2"]',
      '["1","2","3"]',
      "{}",
      "["
    ].map((keys) => Buffer.from(keys).toString("base64url"))
    for (const cursor of ["", "x", "%00", "a".repeat(2_000), ...forged]) {
      const query = { walletId: "nobody", limit: 5, cursor }
      assert.equal((yield* Effect.flip(persistence.transactions(query)))._tag, "InvalidRequest", cursor)
      assert.equal((yield* Effect.flip(persistence.holds(query)))._tag, "InvalidRequest", cursor)
    }
  })
)

const ownClock = contractCase(
  "has a clock that goes on, in milliseconds since 1970",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const first = yield* persistence.now
    const second = yield* persistence.now
    assert.equal(typeof first, "number")
    assert.ok(second >= first, `${second} after ${first}`)
    // Between 2020 and 2100: not seconds, and not microseconds.
    assert.ok(first > 1_577_836_800_000 && first < 4_102_444_800_000, String(first))
  })
)

export const persistenceContract: ReadonlyArray<ContractCase<Stores>> = [
  walletRow,
  ownAnswers,
  nothingOnConflict,
  transactionRows,
  byId,
  transactionPages,
  transactionFilters,
  holdRows,
  holdChanges,
  scans,
  badCursors,
  ownClock,
  ...keyContract
]
