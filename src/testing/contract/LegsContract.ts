/**
 * Transfers of several legs, as rows and searches tell them. The cases append to the log and read the
 * rows at once (see `writtenThrough` for other adapters); `settled`: waits until the read model has what
 * was appended.
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { RecordedEvent } from "../../domain/Event.ts"
import { type AskedLeg, type LegTransactions, ownLegs } from "../../domain/Legs.ts"
import { noMetadata } from "../../domain/Limits.ts"
import { transactionsOf } from "../../domain/EventKinds.ts"
import { fold } from "../../domain/Evolve.ts"
import { WalletFold } from "../../engine/rebuild/SliceRebuild.ts"
import type { Transfer, Wallet } from "../../domain/Wallet.ts"
import { type DerivedWallet, justBefore } from "../../stores/WalletRows.ts"
import { EventStore, type ScannedEvents } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { ReadModel, type TransactionSearch, type TransferSearch } from "../../stores/ReadModel.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages, rowsOf } from "./Observations.ts"
import { credit, type SampleCommand, SampleWallet, uniqueId } from "./SampleWallet.ts"

type Stores = EventStore | Persistence

/** Three wallets, the first two with money. */
export const three = Effect.fnUntraced(function* () {
  const log = yield* EventStore
  const [a, b, c] = [new SampleWallet(), new SampleWallet(), new SampleWallet()] as const
  yield* log.append([a.commit(a.creation(), credit(1_000n)), b.commit(b.creation(), credit(1_000n)), c.create()])
  return [a, b, c] as const
})

export const legOf = (
  from: SampleWallet,
  to: SampleWallet,
  amount: bigint,
  reference: string | null = null,
  metadata = noMetadata
): AskedLeg => ({ from: from.id, to: to.id, amount, reference, metadata, refund: null })

interface Note {
  readonly reference: string | null
  readonly metadata: Readonly<Record<string, string>>
}

export const begin = (
  transferId: string,
  legs: ReadonlyArray<AskedLeg>,
  others: ReadonlyArray<SampleWallet>,
  note: Note = { reference: null, metadata: noMetadata }
): SampleCommand => ({
  _tag: "BeginLegs",
  transferId,
  legs,
  parties: others.map(({ id, wallet }) => ({
    walletId: id,
    currency: wallet!.currency,
    status: wallet!.status,
    freeze: wallet!.freeze,
    available: wallet!.balance
  })),
  ...note,
  effectiveAt: null,
  refundOf: null
})

export const prepare = (
  transferId: string,
  legs: ReadonlyArray<AskedLeg>,
  home: SampleWallet,
  at: SampleWallet
): SampleCommand => ({
  _tag: "PrepareLegs",
  transferId,
  home: home.id,
  currency: "EUR",
  legs: ownLegs(at.id, legs).map((leg) => ({ ...leg, refund: null })),
  effectiveAt: home.wallet!.createdAt
})

export const apply = (transferId: string): SampleCommand => ({ _tag: "ApplyLegs", transferId })
export const release = (transferId: string): SampleCommand => ({
  _tag: "ReleaseLegs",
  transferId,
  reason: "WalletClosed: b",
  leg: 1
})
const settle = (transferId: string, transactions: ReadonlyArray<LegTransactions> = []): SampleCommand => ({
  _tag: "SettleLegs",
  transferId,
  transactions
})

/** The ids that the events of all wallets have given the transactions, by leg. */
const idsOf = (
  legs: ReadonlyArray<AskedLeg>,
  applied: ReadonlyArray<RecordedEvent>
): ReadonlyArray<LegTransactions> => {
  const made = legs.map(() => ({ sent: "", received: "" }))
  for (const recorded of applied) {
    const { event } = recorded
    if (event._tag !== "LegsApplied") continue
    const transactions = transactionsOf(recorded, { currency: "EUR" })
    for (const [index, { leg, side }] of event.legs.entries()) made[leg]![side] = transactions[index]!.id
  }
  return made
}

/** A whole transfer, a commit for each step; answers the events that applied its legs. */
const carry = Effect.fnUntraced(function* (
  transferId: string,
  legs: ReadonlyArray<AskedLeg>,
  [home, ...others]: ReadonlyArray<SampleWallet>,
  note?: Note
) {
  const log = yield* EventStore
  yield* log.append([home!.commit(begin(transferId, legs, others, note))])
  yield* log.append(others.map((other) => other.commit(prepare(transferId, legs, home!, other))))
  const commits = [home!, ...others].map((wallet) => wallet.commit(apply(transferId)))
  yield* log.append(commits)
  const applied = commits.flatMap(({ events }) => events)
  yield* log.append([home!.commit(settle(transferId, idsOf(legs, applied)))])
  return applied
})

const shown = (
  id: string,
  legs: ReadonlyArray<AskedLeg>,
  ids: ReadonlyArray<LegTransactions> | undefined,
  fields: Partial<Transfer>
): Partial<Transfer> => ({
  id,
  from: null,
  to: null,
  amount: null,
  currency: null,
  legs: legs.map((leg, index) => ({
    ...leg,
    currency: "EUR",
    sentTransactionId: ids?.[index]?.sent ?? null,
    receivedTransactionId: ids?.[index]?.received ?? null
  })),
  reason: null,
  leg: null,
  refundOf: null,
  ...fields
})

const walksThrough = contractCase(
  "shows a transfer of several legs as pending until it is settled, then with the ids of all its transactions, to each wallet",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [a, b, c] = yield* three()
    const id = uniqueId("legs")
    const legs = [legOf(a, b, 60n, 'r "1" 🐎', { a: "é" }), legOf(b, c, 1_050n), legOf(c, a, 5n)]
    const note = { reference: "order", metadata: { shop: "7" } }
    a.time += 1_000
    yield* log.append([a.commit(begin(id, legs, [b, c], note))])
    const pending = shown(id, legs, undefined, {
      ...note,
      status: "pending",
      createdAt: a.time,
      effectiveAt: a.time,
      updatedAt: a.time
    })
    assert.deepEqual(yield* persistence.transfer(id), pending)
    yield* log.append([b.commit(prepare(id, legs, a, b)), c.commit(prepare(id, legs, a, c))])
    assert.equal((yield* persistence.wallet(b.id))!.held, 990n)
    const commits = [a, b, c].map((wallet) => wallet.commit(apply(id)))
    yield* log.append(commits)
    assert.deepEqual(yield* persistence.transfer(id), pending)
    const open = yield* persistence.openTransfers({ before: 2 ** 42, limit: 10_000 })
    assert.ok(open.some((one) => one.transferId === id && one.walletId === a.id))
    const ids = idsOf(
      legs,
      commits.flatMap(({ events }) => events)
    )
    a.time += 10
    yield* log.append([a.commit(settle(id, ids))])
    const completed = shown(id, legs, ids, {
      ...note,
      status: "completed",
      createdAt: a.time - 10,
      effectiveAt: a.time - 10,
      updatedAt: a.time
    })
    assert.deepEqual(yield* persistence.transfer(id), completed)
    for (const wallet of [a, b, c]) {
      for (const status of [undefined, "completed"] as const) {
        assert.deepEqual((yield* persistence.transfers({ walletId: wallet.id, status, limit: 5 })).data, [completed])
      }
      assert.deepEqual((yield* persistence.transfers({ walletId: wallet.id, status: "pending", limit: 5 })).data, [])
    }
    assert.deepEqual(yield* persistence.scanTransfers(a.id, { after: "", limit: 5 }), [completed])
    assert.deepEqual(yield* persistence.scanTransfers(b.id, { after: "", limit: 5 }), [])
  })
)

const transactions = contractCase(
  "makes of an event a transaction for each leg, in their order, also where a page ends between two",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [a, b, c] = yield* three()
    const id = uniqueId("legs")
    const legs = [legOf(a, b, 1n, "one"), legOf(b, c, 2n), legOf(a, b, 3n), legOf(c, b, 1n)]
    const applied = yield* carry(id, legs, [a, b, c])
    yield* log.append([b.commit(credit(7n))])
    const made = transactionsOf(
      applied.find(({ walletId }) => walletId === b.id)!,
      { currency: "EUR" }
    )
    assert.deepEqual(
      made.map(({ amount, balanceAfter, type }) => [type, amount, balanceAfter]),
      [
        ["transfer_in", 1n, 1_001n],
        ["transfer_out", 2n, 999n],
        ["transfer_in", 3n, 1_002n],
        ["transfer_in", 1n, 1_003n]
      ]
    )
    for (const transaction of made) assert.deepEqual(yield* persistence.transaction(transaction.id), transaction)
    const newest = yield* persistence.transactions({ walletId: b.id, limit: 10 })
    assert.deepEqual(newest.data.slice(1, 5), made.toReversed())
    for (const limit of [1, 2, 3, 5]) {
      const pages = yield* allPages((cursor) => persistence.transactions({ walletId: b.id, limit, cursor }))
      assert.deepEqual(pages.flat(), newest.data, String(limit))
    }
    const received = yield* persistence.transactions({ walletId: b.id, type: "transfer_in", limit: 2 })
    assert.deepEqual(received.data, [made[3], made[2]])
    const upwards = yield* persistence.scanTransactions(b.id, { after: -1, limit: 10 })
    assert.deepEqual(upwards, newest.data.toReversed())
    // All of one event come together.
    const cut = yield* persistence.scanTransactions(b.id, { after: -1, limit: 3 })
    assert.deepEqual(cut, upwards.slice(0, 5))
    assert.deepEqual(
      yield* persistence.scanTransactions(b.id, { after: cut.at(-1)!.version, limit: 3 }),
      upwards.slice(5)
    )
    const since = yield* persistence.transactions({
      walletId: b.id,
      from: made[0]!.createdAt,
      to: made[0]!.createdAt,
      limit: 9
    })
    assert.equal(since.data.filter(({ transferId }) => transferId === id).length, 4)
  })
)

const reversed = contractCase(
  "shows a transfer of which a leg was refused as reversed with its reason and leg, and nothing of it elsewhere",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [a, b, c] = yield* three()
    const id = uniqueId("legs")
    const legs = [legOf(a, c, 60n), legOf(b, c, 5n)]
    // In one commit of each: begun and released together.
    yield* log.append([
      a.commit(begin(id, legs, [b, c]), release(id), settle(id), credit(1n)),
      c.commit(prepare(id, legs, a, c), release(id))
    ])
    const found = yield* persistence.transfer(id)
    assert.deepEqual([found?.status, found?.reason, found?.leg], ["reversed", "WalletClosed: b", 1])
    assert.deepEqual((yield* persistence.transfers({ walletId: c.id, status: "reversed", limit: 5 })).data, [found])
    assert.equal((yield* persistence.wallet(a.id))!.held, 0n)
    assert.equal((yield* persistence.transactions({ walletId: c.id, limit: 5 })).data.length, 0)
    const other = uniqueId("legs")
    yield* log.append([a.commit(begin(other, legs, [b, c])), c.commit(prepare(other, legs, a, c))])
    yield* log.append([a.commit(release(other), settle(other)), c.commit(release(other), credit(2n))])
    assert.equal((yield* persistence.transfer(other))?.status, "reversed")
    const applied = yield* carry(uniqueId("legs"), legs, [a, c, b])
    assert.equal(applied.length, 3)
  })
)

const inOneCommit = contractCase(
  "shows what was begun, applied and settled in one commit",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [a, b, c] = yield* three()
    const id = uniqueId("legs")
    const legs = [legOf(a, b, 60n), legOf(b, c, 5n)]
    const others = [b, c].map((wallet) => wallet.commit(prepare(id, legs, a, wallet), apply(id)))
    yield* log.append([
      a.commit(
        begin(id, legs, [b, c]),
        apply(id),
        credit(1n),
        settle(id, [
          { sent: "s0", received: "r0" },
          { sent: "s1", received: "r1" }
        ])
      ),
      ...others
    ])
    assert.equal((yield* persistence.transfer(id))?.legs[1]?.receivedTransactionId, "r1")
    for (const [wallet, balances] of [
      [a, [940n, 941n]],
      [b, [1_060n, 1_055n]],
      [c, [5n]]
    ] as const) {
      const { data } = yield* persistence.transactions({ walletId: wallet.id, limit: 9 })
      assert.deepEqual(
        data
          .toReversed()
          .slice(-balances.length)
          .map(({ balanceAfter }) => balanceAfter),
        balances
      )
    }
  })
)

/** All that is shown of the wallets and of these transfers. */
export const everything = Effect.fnUntraced(function* (
  wallets: ReadonlyArray<SampleWallet>,
  ids: ReadonlyArray<string>
) {
  const persistence = yield* Persistence
  return {
    wallets: yield* Effect.forEach(wallets, ({ id }) => rowsOf(id)),
    transfers: yield* Effect.forEach(ids, (id) => persistence.transfer(id)),
    lists: yield* Effect.forEach(wallets, ({ id }) => persistence.transfers({ walletId: id, limit: 9 }))
  }
})

const rebuilds = contractCase(
  "is as it was after its wallets are rebuilt from the log, also what is only promised",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [a, b, c] = yield* three()
    const wallets = [a, b, c]
    const ids = [uniqueId("legs"), uniqueId("legs"), uniqueId("legs")] as const
    const legs = [legOf(a, b, 60n, "one"), legOf(b, c, 5n), legOf(a, b, 1n)]
    yield* carry(ids[0], legs, wallets)
    yield* log.append([a.commit(begin(ids[1], legs, [b, c])), b.commit(prepare(ids[1], legs, a, b))])
    yield* log.append([a.commit(begin(ids[2], legs, [b, c])), c.commit(prepare(ids[2], legs, a, c))])
    yield* log.append([a.commit(release(ids[2]), settle(ids[2])), c.commit(release(ids[2]))])
    const before = yield* everything(wallets, ids)
    const rewrite = Effect.forEach(
      wallets,
      Effect.fnUntraced(function* ({ id, partition }) {
        let wallet: Wallet | undefined
        for (;;) {
          const expectedVersion = wallet?.version ?? -1
          const events: ReadonlyArray<RecordedEvent> = yield* log.read(id, { after: expectedVersion, limit: 2 })
          if (events.length === 0) return
          wallet = fold(wallet, events)!
          yield* persistence.write([{ walletId: id, partition, epoch: 0, expectedVersion, events, wallet }])
        }
      }),
      { discard: true }
    )
    const walletIds = wallets.map(({ id }) => id)
    yield* persistence.rebuild(walletIds, rewrite)
    assert.deepEqual(yield* everything(wallets, ids), before)
    const { rowReplacement } = persistence
    if (rowReplacement !== undefined && log.scan !== undefined) {
      const derived: Array<DerivedWallet> = []
      for (const walletId of walletIds) {
        const scanned: ScannedEvents = yield* log.scan({
          after: { walletId: justBefore(walletId), version: 9 },
          to: walletId,
          limit: 99
        })
        const folding = new WalletFold(walletId)
        assert.ok(folding.take(scanned.events))
        derived.push(folding.derived!)
      }
      assert.equal((yield* rowReplacement.replace(derived)).size, 0)
      assert.deepEqual(yield* everything(wallets, ids), before)
      const range = { after: justBefore(b.id), to: b.id }
      assert.deepEqual((yield* persistence.rowScan!.rows(range, 99)).flaws, [])
    }
    // What was promised can still be applied.
    yield* log.append([c.commit(prepare(ids[1], legs, a, c))])
    yield* log.append(wallets.map((wallet) => wallet.commit(apply(ids[1]))))
    const { data } = yield* persistence.transactions({ walletId: b.id, limit: 1 })
    assert.equal(data[0]?.transferId, ids[1])
  })
)

export const legsContract: ReadonlyArray<ContractCase<Stores>> = [
  walksThrough,
  transactions,
  reversed,
  inOneCommit,
  rebuilds
]

export const legsSearchContract = (
  settled: Effect.Effect<void>
): ReadonlyArray<ContractCase<EventStore | ReadModel>> => [
  contractCase(
    "finds a transfer of several legs by every wallet and owner, and by what any of its legs says",
    Effect.gen(function* () {
      const model = yield* ReadModel
      const [a, b, c] = yield* three()
      const id = uniqueId("legs")
      const [reference, word, own] = [uniqueId("Ref"), uniqueId("Wort"), uniqueId("own")]
      const legs = [legOf(a, b, 60n), legOf(b, c, 7n, reference, { note: word, k: "v" })]
      yield* carry(id, legs, [a, b, c], { reference: own, metadata: { shop: "7" } })
      yield* settled
      const found = Effect.fnUntraced(function* (query: Omit<TransferSearch, "limit">) {
        return (yield* model.searchTransfers({ limit: 10, ...query })).data.map((one) => one.id)
      })
      for (const wallet of [a, b, c]) {
        assert.deepEqual(yield* found({ walletId: wallet.id }), [id])
        assert.deepEqual(yield* found({ ownerId: wallet.ownerId }), [id])
        assert.deepEqual(yield* found({ q: wallet.id }), [id])
        assert.deepEqual(yield* found({ walletId: wallet.id, status: "completed", currency: "EUR" }), [id])
      }
      const of = (query: Omit<TransferSearch, "limit">) => found({ walletId: c.id, ...query })
      assert.deepEqual(yield* of({ minAmount: 7n, maxAmount: 7n }), [id])
      assert.deepEqual(yield* of({ minAmount: 8n, maxAmount: 59n }), [])
      assert.deepEqual(yield* of({ metadata: { k: "v" } }), [id])
      assert.deepEqual(yield* of({ metadata: { shop: "7" } }), [id])
      assert.deepEqual(yield* of({ metadata: { k: "7" } }), [])
      assert.deepEqual(yield* of({ currency: "USD" }), [])
      assert.deepEqual(yield* found({ reference }), [id])
      assert.deepEqual(yield* found({ reference: own }), [id])
      assert.deepEqual(yield* found({ q: word }), [id])
      assert.deepEqual(yield* found({ q: `${word} ${own}` }), [id])
      assert.deepEqual(yield* found({ q: id }), [id])
      const { data } = yield* model.searchTransfers({ walletId: b.id, limit: 5 })
      assert.deepEqual([data[0]?.from, data[0]?.legs.length, data[0]?.reference], [null, 2, own])
    })
  ),
  contractCase(
    "finds the transactions of legs as it finds all others, newest first and by leg",
    Effect.gen(function* () {
      const log = yield* EventStore
      const model = yield* ReadModel
      const [a, b, c] = yield* three()
      const id = uniqueId("legs")
      const reference = uniqueId("Ref")
      const legs = [legOf(a, b, 60n), legOf(b, c, 7n, reference, { k: "v" }), legOf(b, a, 1n), legOf(c, b, 2n)]
      const applied = yield* carry(id, legs, [a, b, c])
      yield* log.append([b.commit(credit(5n))])
      yield* settled
      const made = applied.flatMap((recorded) => transactionsOf(recorded, { currency: "EUR" }))
      const ofB = made.filter(({ walletId }) => walletId === b.id)
      const search = Effect.fnUntraced(function* (query: Omit<TransactionSearch, "limit">) {
        return (yield* model.searchTransactions({ limit: 20, ...query })).data
      })
      assert.deepEqual((yield* search({ walletId: b.id })).slice(1, 5), ofB.toReversed())
      for (const limit of [1, 2, 3, 4]) {
        const query = { walletId: b.id, limit }
        const pages = yield* allPages((cursor) => model.searchTransactions({ ...query, cursor }))
        assert.deepEqual(pages.flat(), yield* search({ walletId: b.id }), String(limit))
      }
      assert.deepEqual((yield* search({ transferId: id })).length, 8)
      assert.deepEqual(
        yield* search({ ownerId: b.ownerId, type: "transfer_out" }),
        ofB.filter(({ type }) => type === "transfer_out").toReversed()
      )
      const byReference = yield* search({ reference })
      assert.deepEqual(byReference.map(({ walletId }) => walletId).sort(), [b.id, c.id].sort())
      assert.deepEqual((yield* search({ q: reference.toLowerCase() })).length, 2)
      assert.deepEqual((yield* search({ walletId: c.id, metadata: { k: "v" } })).length, 1)
      assert.deepEqual((yield* search({ walletId: b.id, minAmount: 7n, maxAmount: 7n })).length, 1)
      for (const transaction of made) assert.deepEqual(yield* search({ q: transaction.id }), [transaction])
    })
  )
]
