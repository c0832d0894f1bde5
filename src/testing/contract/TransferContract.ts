/**
 * Transfers as their two wallets' rows tell them, and what is due. The cases append
 * to the log and read the rows at once (see `writtenThrough` for other adapters).
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { singleLeg } from "../../domain/Transfer.ts"
import type { Transfer, TransferStatus } from "../../domain/Wallet.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages } from "./Observations.ts"
import {
  capture,
  credit,
  returnFunds,
  placeHold,
  receive,
  SampleWallet,
  send,
  settle,
  undo,
  uniqueId
} from "./SampleWallet.ts"

type Stores = EventStore | Persistence

/** Two wallets, the first with money. */
const pair = Effect.fnUntraced(function* () {
  const log = yield* EventStore
  const [source, destination] = [new SampleWallet(), new SampleWallet()] as const
  yield* log.append([source.commit(source.creation(), credit(1_000n)), destination.create()])
  return { source, destination }
})

const walksThrough = contractCase(
  "shows a transfer as pending, completed once the destination has it, and the same when it is settled",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { destination, source } = yield* pair()
    const id = uniqueId("transfer")
    source.time += 1_000
    const sentCommit = source.commit(send(id, destination.id, 10n ** 2n, 'r "1" 🐎', { ["__proto__"]: "own", a: "é" }))
    yield* log.append([sentCommit])
    const note = { reference: 'r "1" 🐎', metadata: JSON.parse('{"__proto__":"own","a":"é"}') }
    const leg = { from: source.id, to: destination.id, amount: 100n, currency: "EUR", ...note, refund: null }
    const sent: Transfer = {
      id,
      from: source.id,
      to: destination.id,
      amount: 100n,
      currency: "EUR",
      legs: singleLeg(leg),
      status: "pending",
      reason: null,
      leg: null,
      ...note,
      refundOf: null,
      createdAt: source.time,
      effectiveAt: source.time,
      updatedAt: source.time
    }
    assert.deepEqual(yield* persistence.transfer(id), sent)
    destination.time = source.time + 500
    const arrived = destination.commit(receive(id, source.id, 100n), credit(1n))
    yield* log.append([arrived])
    const ids = { sentTransactionId: sentCommit.events[0]!.id, receivedTransactionId: arrived.events[0]!.id }
    const completed = { ...sent, status: "completed", updatedAt: destination.time, legs: [{ ...leg, ...ids }] }
    assert.deepEqual(yield* persistence.transfer(id), completed)
    source.time += 9_000
    yield* log.append([source.commit(settle(id))])
    assert.deepEqual(yield* persistence.transfer(id), completed)
    assert.equal(yield* persistence.transfer(uniqueId("nobody")), undefined)
    const [asSource] = yield* persistence.scanTransfers(source.id, { after: "", limit: 10 })
    assert.equal(asSource?.status, "completed")
  })
)

const comesBack = contractCase(
  "shows a transfer as reversed with its reason, and nothing of it at a destination that has refused it",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { destination, source } = yield* pair()
    const id = uniqueId("transfer")
    yield* log.append([source.commit(send(id, destination.id, 5n), credit(1n))])
    yield* log.append([
      destination.commit({ _tag: "RefuseTransfer", transferId: id, from: source.id, amount: 5n, reason: "closed" })
    ])
    assert.equal((yield* persistence.transfer(id))?.status, "pending")
    source.time += 70
    yield* log.append([source.commit(returnFunds(id, "WalletClosed: é"))])
    const found = yield* persistence.transfer(id)
    assert.deepEqual(
      [found?.status, found?.reason, found?.updatedAt, found?.createdAt],
      ["reversed", "WalletClosed: é", source.time, source.time - 70]
    )
  })
)

const undoneThere = contractCase(
  "goes by its source when what its destination has received was undone there",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { destination, source } = yield* pair()
    const id = uniqueId("transfer")
    yield* log.append([source.commit(send(id, destination.id, 5n))])
    const before = destination.wallet
    const received = destination.commit(receive(id, source.id, 5n))
    yield* log.append([received])
    assert.equal((yield* persistence.transfer(id))?.status, "completed")
    yield* log.append([destination.commit(undo(received.events[0]!, before))])
    const sent = yield* persistence.transfer(id)
    assert.deepEqual([sent?.status, sent?.updatedAt], ["pending", source.time])
    const list = (status: TransferStatus) =>
      Effect.map(persistence.transfers({ walletId: source.id, status, limit: 9 }), ({ data }) => data.length)
    assert.deepEqual([yield* list("pending"), yield* list("completed")], [1, 0])
  })
)

const inOneCommit = contractCase(
  "shows the end of a transfer that was sent and ended in one commit",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { source } = yield* pair()
    const [settled, reversed, open] = [uniqueId("a"), uniqueId("b"), uniqueId("c")]
    const sends = [settled, reversed, open].map((id) => send(id, "elsewhere", 1n))
    yield* log.append([source.commit(...sends, returnFunds(reversed, "why"), credit(2n), settle(settled))])
    const found = yield* persistence.scanTransfers(source.id, { after: "", limit: 10 })
    assert.deepEqual(
      found.map(({ id, reason, status }) => [id, status, reason]),
      [
        [settled, "completed", null],
        [reversed, "reversed", "why"],
        [open, "pending", null]
      ]
    )
    assert.deepEqual(
      (yield* persistence.scanTransfers(source.id, { after: settled, limit: 1 })).map(({ id }) => id),
      [reversed]
    )
  })
)

/** One of each status and way to it, both ways between two wallets, in the order of sending. */
const variety = Effect.fnUntraced(function* () {
  const log = yield* EventStore
  const { destination: b, source: a } = yield* pair()
  yield* log.append([b.commit(credit(1_000n))])
  const ids: Array<readonly [string, TransferStatus]> = []
  const begin = Effect.fnUntraced(function* (from: SampleWallet, to: SampleWallet, status: TransferStatus) {
    const id = uniqueId("transfer")
    ids.push([id, status])
    yield* log.append([from.commit(send(id, to.id, 1n))])
    return id
  })
  for (let round = 0; round < 2; round++) {
    yield* begin(a, b, "pending")
    const received = yield* begin(b, a, "completed")
    yield* log.append([a.commit(receive(received, b.id, 1n))])
    const settled = yield* begin(a, b, "completed")
    yield* log.append([b.commit(receive(settled, a.id, 1n))])
    yield* log.append([a.commit(settle(settled))])
    const reversed = yield* begin(b, a, "reversed")
    yield* log.append([b.commit(returnFunds(reversed, "no"))])
    yield* begin(a, new SampleWallet(), "pending")
  }
  return { a, b, ids, newestFirst: ids.toReversed() }
})

const lists = contractCase(
  "lists the transfers of a wallet as source and as destination, newest first, by status",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const { a, b, newestFirst } = yield* variety()
    const list = (walletId: string, status?: TransferStatus) =>
      Effect.map(persistence.transfers({ walletId, limit: 50, status }), ({ data }) => data)
    assert.deepEqual(
      (yield* list(a.id)).map(({ id, status }) => [id, status]),
      newestFirst
    )
    for (const wanted of ["pending", "completed", "reversed"] as const) {
      const expected = newestFirst.filter(([, status]) => status === wanted).map(([id]) => id)
      assert.deepEqual(
        (yield* list(a.id, wanted)).map(({ id }) => id),
        expected,
        wanted
      )
    }
    assert.equal((yield* list(b.id)).length, 8)
    assert.deepEqual(yield* list(uniqueId("nobody")), [])
  })
)

const pages = contractCase(
  "cuts transfers into pages, of one wallet and of all, that stay as they are while others are sent",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { a, newestFirst } = yield* variety()
    const other = new SampleWallet({ id: uniqueId("other") })
    yield* log.append([other.commit(other.creation(), credit(100n))])
    const whileSending = <A, E, R>(read: Effect.Effect<A, E, R>) =>
      Effect.tap(read, () => log.append([other.commit(send(uniqueId("t"), "elsewhere", 1n))]))
    const own = yield* allPages((cursor) => persistence.transfers({ walletId: a.id, limit: 3, cursor }))
    assert.deepEqual(
      own.map(({ length }) => length),
      [3, 3, 3, 1]
    )
    assert.deepEqual(
      own.flat().map(({ id }) => id),
      newestFirst.map(([id]) => id)
    )
    for (const status of [undefined, "pending", "completed", "reversed"] as const) {
      const mine = new Map<string, TransferStatus>(newestFirst)
      const seen: Array<string> = []
      let cursor: string | undefined
      const wanted = newestFirst.filter((one) => status === undefined || one[1] === status).map(([id]) => id)
      while (seen.length < wanted.length) {
        const page = yield* whileSending(persistence.transfers({ limit: 2, cursor, status }))
        seen.push(...page.data.map(({ id }) => id).filter((id) => mine.has(id)))
        if (page.next === null) break
        cursor = page.next
      }
      assert.deepEqual(seen, wanted, status ?? "any")
    }
  })
)

const open = contractCase(
  "lists the transfers that their source has not ended, oldest first, the received ones too",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { destination, source } = yield* pair()
    const ids = ["c", "b", "a", "d"].map((name) => uniqueId(name))
    for (const id of ids) {
      source.time += 10
      yield* log.append([source.commit(send(id, destination.id, 1n))])
    }
    yield* log.append([destination.commit(receive(ids[1]!, source.id, 1n))])
    yield* log.append([source.commit(settle(ids[0]!))])
    const list = (before: number) =>
      Effect.map(persistence.openTransfers({ before, limit: 10_000 }), (found) =>
        found.filter(({ walletId }) => walletId === source.id)
      )
    const start = source.time - 40
    assert.deepEqual(
      yield* list(source.time),
      [1, 2].map((index) => ({ transferId: ids[index]!, walletId: source.id, createdAt: start + (index + 1) * 10 }))
    )
    assert.equal((yield* list(source.time + 1)).length, 3)
    const ahead = yield* persistence.openTransfers({ before: start + 20, after: start + 30, limit: 10_000 })
    assert.deepEqual(
      ahead.filter(({ walletId }) => walletId === source.id).map(({ transferId }) => transferId),
      [ids[3]]
    )
    const [one] = yield* persistence.openTransfers({ before: source.time + 1, limit: 1 })
    assert.ok(one !== undefined && one.createdAt <= start + 20)
  })
)

const due = contractCase(
  "lists the holds that are due, the longest overdue first, and none that is closed or never expires",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    const names = ["late", "soon", "later", "captured", "partly", "never"] as const
    const [late, soon, later, captured, partly, never] = names.map((name) => uniqueId(name)) as [
      string,
      string,
      string,
      string,
      string,
      string
    ]
    // Before all times of other cases, so that these are the longest overdue.
    sample.time = 1_000
    const at = sample.time
    yield* log.append([
      sample.commit(
        sample.creation(),
        credit(100n),
        placeHold(soon, 1n, at + 20),
        placeHold(late, 1n, at + 10),
        placeHold(later, 1n, at + 31),
        placeHold(captured, 1n, at + 5),
        placeHold(partly, 2n, at + 30),
        placeHold(never, 1n)
      )
    ])
    yield* log.append([sample.commit(capture(captured), capture(partly, 1n))])
    const list = (now: number, limit = 10_000) =>
      Effect.map(persistence.dueHolds({ now, limit }), (found) =>
        found.filter(({ walletId }) => walletId === sample.id).map(({ expiresAt, holdId }) => [holdId, expiresAt - at])
      )
    assert.deepEqual(yield* list(at + 30), [
      [late, 10],
      [soon, 20],
      [partly, 30]
    ])
    assert.deepEqual(yield* list(at + 9), [])
    sample.time = at + 10
    yield* log.append([sample.commit({ _tag: "ExpireHold", holdId: late })])
    assert.deepEqual(yield* list(at + 20), [[soon, 20]])
    assert.equal((yield* persistence.dueHolds({ now: 2 ** 42, limit: 2 })).length, 2)
  })
)

const badCursors = contractCase(
  "refuses a cursor that is not one of a list of transfers",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const forged = ['["-1"]', '["1e3"]', "[1]", '["1","2"]'].map((keys) => Buffer.from(keys).toString("base64url"))
    for (const cursor of ["", "x", ...forged]) {
      assert.equal((yield* Effect.flip(persistence.transfers({ limit: 5, cursor })))._tag, "InvalidRequest", cursor)
    }
  })
)

export const transferContract: ReadonlyArray<ContractCase<Stores>> = [
  walksThrough,
  comesBack,
  undoneThere,
  inOneCommit,
  lists,
  pages,
  open,
  due,
  badCursors
]
