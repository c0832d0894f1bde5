/**
 * Rows that are erased or rebuilt from the log, whether or not the log writes them
 * itself. The cases append to the log and read the rows at once (see
 * `writtenThrough` for adapters that stand behind their log).
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import assert from "node:assert/strict"
import type { Commit } from "../../domain/Commit.ts"
import { fold } from "../../domain/Evolve.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { rowsOf, transactionsOf, viewOf, written } from "./Observations.ts"
import { capture, credit, debit, placeHold, release, SampleWallet, send, settle, uniqueId } from "./SampleWallet.ts"

type Stores = EventStore | Persistence

/** A wallet's commits from the log, `size` events each. */
const commitsOf = Effect.fnUntraced(function* (walletId: string, size: number) {
  const log = yield* EventStore
  const commits: Array<Commit> = []
  let wallet: Wallet | undefined
  for (;;) {
    const expectedVersion = wallet?.version ?? -1
    const events = yield* log.read(walletId, { after: expectedVersion, limit: size })
    if (events.length === 0) return commits
    wallet = fold(wallet, events)!
    commits.push({ walletId, partition: 0, epoch: 0, expectedVersion, events, wallet })
  }
})

/** Writes all that the log has of a wallet. */
const rewrite = Effect.fnUntraced(function* (walletId: string, size = 3) {
  const persistence = yield* Persistence
  for (const commit of yield* commitsOf(walletId, size)) {
    assert.deepEqual(yield* persistence.write([commit]), [written])
  }
})

/** A wallet with rows of every kind. */
const full = Effect.fnUntraced(function* () {
  const log = yield* EventStore
  const sample = new SampleWallet()
  const [held, done, sent, ended] = ["held", "done", "sent", "ended"].map((name) => uniqueId(name)) as [
    string,
    string,
    string,
    string
  ]
  yield* log.append([sample.commit(sample.creation(), credit(100n, "one", { a: "b" }), placeHold(held, 10n))])
  yield* log.append([sample.commit(placeHold(done, 5n), capture(held, 3n), send(sent, "elsewhere", 7n))])
  yield* log.append([
    sample.commit(release(done), send(ended, "elsewhere", 1n), {
      _tag: "Freeze",
      reason: null,
      direction: null,
      until: null
    })
  ])
  yield* log.append([sample.commit(settle(ended), credit(2n))])
  const keys = (yield* log.read(sample.id, { after: -1, limit: 99 })).map(({ metadata }) => metadata.key)
  return { sample, keys, rows: yield* rowsOf(sample.id, keys) }
})

const erases = contractCase(
  "erases every row of one wallet but the log's own, and of no other, and has them again when they are written",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [gone, other] = [yield* full(), yield* full()]
    yield* persistence.erase(gone.sample.id)
    const { seen, transactions, ...left } = yield* rowsOf(gone.sample.id, gone.keys)
    assert.deepEqual(left, { wallet: undefined, holds: [], transfers: [], refusals: [], persisted: undefined })
    assert.equal(seen.persistedVersion, -1)
    // An event is one row: where it is the log's, it stays.
    assert.deepEqual(transactions, log.writesPersistence ? gone.rows.transactions : [])
    assert.deepEqual(seen.seen, log.writesPersistence ? gone.rows.seen.seen : [])
    assert.deepEqual(yield* rowsOf(other.sample.id, other.keys), other.rows)
    yield* rewrite(gone.sample.id)
    assert.deepEqual(yield* rowsOf(gone.sample.id, gone.keys), gone.rows)
  })
)

const failsWithoutRows = contractCase(
  "fails an append that writes rows while the wallet's are erased, and takes it once they are there again",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    if (!log.writesPersistence) return
    const { sample } = yield* full()
    yield* persistence.erase(sample.id)
    const commit = sample.commit(credit(1n))
    assert.equal((yield* Effect.flip(log.append([commit])))._tag, "StoreDefect")
    yield* rewrite(sample.id)
    const [outcome] = yield* log.append([commit])
    assert.equal(outcome?._tag, "Appended")
    assert.deepEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
  })
)

const rebuilds = contractCase(
  "rebuilds wallets in one go, as they were, and goes on with them",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const wallets = [yield* full(), yield* full(), yield* full()]
    const ids = wallets.map(({ sample }) => sample.id)
    const answer = yield* persistence.rebuild(
      [...ids, uniqueId("nobody")],
      Effect.as(
        Effect.forEach(ids, (id, index) => rewrite(id, index + 1)),
        "done"
      )
    )
    assert.equal(answer, "done")
    for (const { keys, rows, sample } of wallets) {
      assert.deepEqual(yield* rowsOf(sample.id, keys), rows)
      yield* log.append([sample.commit(credit(1n))])
      assert.deepEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
    }
  })
)

const rollsBack = contractCase(
  "leaves the rows as they were when the rewriting fails, with its own error",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { keys, rows, sample } = yield* full()
    const error = yield* Effect.flip(
      persistence.rebuild(
        [sample.id],
        Effect.gen(function* () {
          const [first] = yield* commitsOf(sample.id, 4)
          yield* persistence.write([first!])
          return yield* Effect.fail("own error" as const)
        })
      )
    )
    assert.equal(error, "own error")
    assert.deepEqual(yield* rowsOf(sample.id, keys), rows)
    yield* log.append([sample.commit(credit(1n))])
    assert.deepEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
  })
)

const seesItself = contractCase(
  "shows the rewriting what it has written, and takes refusals",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const { rows, keys, sample } = yield* full()
    yield* persistence.rebuild(
      [sample.id],
      Effect.gen(function* () {
        assert.equal((yield* persistence.persistedVersions([sample.id])).size, 0)
        const [first, second, ...rest] = yield* commitsOf(sample.id, 2)
        yield* persistence.write([first!])
        assert.equal((yield* persistence.persistedVersions([sample.id])).get(sample.id)?.version, 1)
        assert.deepEqual(yield* persistence.refuse(second!, { reason: "no", time: sample.time }), written)
        for (const commit of rest) assert.deepEqual(yield* persistence.write([commit]), [written])
      })
    )
    assert.deepEqual(
      (yield* persistence.refusals(sample.id)).map(({ version }) => version),
      [2, 3]
    )
    assert.equal((yield* persistence.scanHolds(sample.id, { after: "", limit: 9 })).length, 0)
    yield* persistence.rebuild([sample.id], rewrite(sample.id))
    assert.deepEqual(yield* rowsOf(sample.id, keys), rows)
  })
)

const keepsPlaces = contractCase(
  "leaves rebuilt rows at their places in the lists over wallets",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [one, two] = [new SampleWallet(), new SampleWallet()] as const
    const destination = uniqueId("destination")
    yield* log.append([one, two].map((sample) => sample.commit(sample.creation(), credit(100n))))
    const ids: Array<string> = []
    for (const sample of [one, two, one, one, two, one]) {
      ids.push(uniqueId("transfer"))
      yield* log.append([sample.commit(send(ids.at(-1)!, destination, 1n))])
    }
    const list = Effect.map(persistence.transfers({ walletId: destination, limit: 50 }), ({ data }) =>
      data.map(({ id }) => id)
    )
    yield* persistence.rebuild([one.id], rewrite(one.id))
    assert.deepEqual(yield* list, ids.toReversed())
    const last = uniqueId("transfer")
    yield* log.append([one.commit(send(last, destination, 1n))])
    assert.deepEqual(yield* list, [last, ...ids.toReversed()])
  })
)

const beside = contractCase(
  "loses and doubles nothing of a wallet that moves while it is rebuilt",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    yield* log.append([sample.commit(sample.creation(), credit(1_000n))])
    const moving = Effect.gen(function* () {
      for (let round = 0; round < 15; round++) {
        const [hold, transfer] = [uniqueId("hold"), uniqueId("transfer")]
        yield* log.append([sample.commit(placeHold(hold, 2n), send(transfer, "elsewhere", 1n))])
        yield* Effect.yieldNow
        yield* log.append([sample.commit(capture(hold), settle(transfer), debit(1n))])
        yield* Effect.yieldNow
      }
    })
    const rebuilding = Effect.gen(function* () {
      for (let round = 0; round < 10; round++) {
        yield* Effect.retry(persistence.rebuild([sample.id], rewrite(sample.id, 500)), {
          schedule: Schedule.spaced(1),
          while: ({ _tag }) => _tag === "StoreUnavailable"
        })
      }
    })
    yield* Effect.all([moving, rebuilding], { concurrency: "unbounded" })
    const events = yield* log.read(sample.id, { after: -1, limit: 1_000 })
    const rows = yield* rowsOf(sample.id)
    assert.equal(events.length, sample.version + 1)
    assert.deepEqual(rows.wallet, viewOf(sample.wallet!))
    assert.deepEqual(rows.transactions, transactionsOf(sample.wallet!, events))
    assert.deepEqual(
      rows.holds.map(({ status }) => status),
      Array(15).fill("captured")
    )
    assert.deepEqual(
      rows.transfers.map(({ status }) => status),
      Array(15).fill("completed")
    )
  })
)

export const rebuildContract: ReadonlyArray<ContractCase<Stores>> = [
  erases,
  failsWithoutRows,
  rebuilds,
  rollsBack,
  seesItself,
  keepsPlaces,
  beside
]
