/** What leaves the engine is the caller's own: whatever it does to an answer, nothing changes elsewhere. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { types as utilTypes } from "node:util"
import type { Metadata } from "../../src/domain/Limits.ts"
import { inspect } from "../../src/engine/Inspect.ts"
import type { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/memory/MemoryReadModel.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { ReadModel } from "../../src/stores/ReadModel.ts"
import { StoreDefect } from "../../src/stores/StoreError.ts"
import { appended, create, credit, waiting } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { assertConsistent, assertVerified, installNode, until } from "../support/Installation.ts"
import * as Deferred from "effect/Deferred"
import * as Fiber from "effect/Fiber"

const spoilt = (value: unknown): unknown => {
  switch (typeof value) {
    case "bigint":
      return value + 10n ** 9n
    case "number":
      return value + 1_000
    case "boolean":
      return !value
    default:
      return "spoilt"
  }
}

/** Spoils all that can be changed in a value, however deep, and says how much that was. */
const spoil = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 0
  let count = 0
  for (const name of Reflect.ownKeys(value)) {
    const inner: unknown = Reflect.get(value, name)
    if (typeof inner === "object" && inner !== null) count += spoil(inner)
    else if (Reflect.set(value, name, spoilt(inner))) count++
    if (Array.isArray(value) && Reflect.set(value, "length", 0)) count++
  }
  return count
}

const metadata = { order: "17" }

/** A wallet with everything in it: metadata, open and closed holds, transfers both ways. */
const furnish = Effect.fnUntraced(function* (installation: Installation, { engine }: Node) {
  const answers: Array<unknown> = []
  const keep = <A>(answer: A): A => {
    answers.push(answer)
    return answer
  }
  yield* engine.createWallet({ id: "b", ownerId: "o", currency: "EUR", idempotencyKey: "create" })
  keep(yield* engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", metadata, idempotencyKey: "create" }))
  keep(yield* engine.credit({ walletId: "a", amount: 1_000n, reference: "r", metadata, idempotencyKey: "credit" }))
  const debited = keep(yield* engine.debit({ walletId: "a", amount: 10n, metadata, idempotencyKey: "debit" }))
  const { hold } = yield* engine.placeHold({ walletId: "a", amount: 50n, metadata, idempotencyKey: "hold" })
  const holdId = hold.id
  keep(yield* engine.captureHold({ walletId: "a", holdId, amount: 20n, idempotencyKey: "capture" }))
  const other = keep(yield* engine.placeHold({ walletId: "a", amount: 5n, metadata, idempotencyKey: "hold-2" }))
  const closed = other.hold.id
  keep(yield* engine.releaseHold({ walletId: "a", holdId: closed, idempotencyKey: "release" }))
  keep(yield* engine.freeze({ walletId: "a", reason: "audit", idempotencyKey: "freeze" }))
  keep(yield* engine.unfreeze({ walletId: "a", idempotencyKey: "unfreeze" }))
  keep(yield* engine.updateWallet({ walletId: "a", overdraftLimit: 7n, idempotencyKey: "update" }))
  const sent = keep(yield* engine.transfer({ from: "a", to: "b", amount: 100n, metadata, idempotencyKey: "transfer" }))
  // All that comes after an answer has come.
  const { persisted } = installation.state
  const isWritten = (id: string) => persisted.get(id)?.length === installation.events(id).length
  yield* until(() => installation.types("a").includes("TransferSettled"), "the transfer is settled")
  yield* until(() => isWritten("a") && isWritten("b"), "all rows are written")
  return { answers, holdId, transferId: sent.transfer.id, transactionId: debited.transaction.id }
})

type Furnished = Effect.Success<ReturnType<typeof furnish>>

/** One of every query, and of every replay. */
const reads = (installation: Installation, { engine }: Node, { holdId, transactionId, transferId }: Furnished) => {
  const ofA = { walletId: "a", limit: 50 }
  return {
    getWallet: engine.getWallet({ walletId: "a" }),
    "walletAt version": engine.walletAt({ walletId: "a", atVersion: 3 }),
    "walletAt time": engine.walletAt({ walletId: "a", at: 1_000 }),
    events: engine.events({ ...ofA, after: -1 }),
    transactions: engine.transactions(ofA),
    holds: engine.holds(ofA),
    hold: engine.hold("a", holdId),
    transfers: engine.transfers({ limit: 50 }),
    getTransfer: engine.getTransfer(transferId),
    searchWallets: engine.searchWallets({ limit: 50 }),
    searchTransactions: engine.searchTransactions({ limit: 50, metadata }),
    searchTransfers: engine.searchTransfers({ limit: 50, currency: "EUR" }),
    searchHolds: engine.searchHolds({ limit: 50, ownerId: "o" }),
    stats: engine.stats({ interval: "day" }),
    transaction: engine.transaction(transactionId),
    feed: Stream.runCollect(Stream.take(engine.feed(0n), 12)),
    cluster: engine.cluster,
    health: engine.health,
    inspect: inspect("a").pipe(
      Effect.provideService(EventStore, installation.log),
      Effect.provideService(Persistence, MemoryPersistence.make(installation.state)),
      Effect.provideService(ReadModel, MemoryReadModel.make(installation.state)),
      Effect.map(({ time: _, ...report }) => report)
    ),
    "a credit again": engine.credit({
      walletId: "a",
      amount: 1_000n,
      reference: "r",
      metadata,
      idempotencyKey: "credit"
    }),
    "a creation again": engine.createWallet({
      id: "a",
      ownerId: "o",
      currency: "EUR",
      metadata,
      idempotencyKey: "create"
    }),
    "a hold again": engine.placeHold({ walletId: "a", amount: 50n, metadata, idempotencyKey: "hold" }),
    "a capture again": engine.captureHold({ walletId: "a", holdId, amount: 20n, idempotencyKey: "capture" }),
    "a transfer again": engine.transfer({ from: "a", to: "b", amount: 100n, metadata, idempotencyKey: "transfer" })
  }
}

const copy = (value: unknown): unknown => structuredClone(value)

describe.each([
  ["one store", false],
  ["Persistence behind the log", true]
])("an answer, over %s", (_name, separate) => {
  it.effect("may be spoilt by its caller: nothing else is", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate })
      yield* TestClock.setTime(1_000)
      const furnished = yield* furnish(installation, node)
      for (const answer of furnished.answers) assert.isAbove(spoil(answer), 5)
      yield* assertConsistent(installation, node, "a")
      for (const [name, read] of Object.entries(reads(installation, node, furnished))) {
        const before = copy(yield* read)
        const given = yield* read
        assert.isAbove(spoil(given), 0, name)
        assert.notDeepEqual(copy(given), before, name)
        assert.deepStrictEqual(copy(yield* read), before, name)
        yield* assertConsistent(installation, node, "a")
        yield* assertConsistent(installation, node, "b")
      }
      yield* assertVerified(installation)
    })
  )
})

describe("an answer", () => {
  it.effect("that says more money than there is lets nobody spend it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const { wallet } = yield* credit(node, "a", 5n, "k")
      Object.assign(wallet, { balance: 10n ** 9n })
      const debit = node.engine.debit({ walletId: "a", amount: 10n ** 8n, idempotencyKey: "d" })
      assert.strictEqual((yield* Effect.flip(debit))._tag, "InsufficientFunds")
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited"])
    })
  )

  it.effect("is a plain view with what is available, without what only the engine needs", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* furnish(installation, node)
      const names =
        "id ownerId currency balance held available overdraftLimit status freeze version metadata createdAt updatedAt".split(
          " "
        )
      const { wallet } = yield* credit(node, "a", 5n, "k")
      const seen = [
        wallet,
        (yield* credit(node, "a", 5n, "k")).wallet,
        yield* node.engine.getWallet({ walletId: "a" }),
        yield* node.engine.walletAt({ walletId: "a", atVersion: wallet.version }),
        (yield* node.engine.searchWallets({ q: "a", limit: 1 })).data[0]!
      ]
      for (const one of seen) {
        assert.deepStrictEqual(Object.keys(one), names)
        assert.deepStrictEqual(one, wallet)
        assert.strictEqual(one.available, one.balance - one.held + one.overdraftLimit)
      }
      assert.deepInclude(wallet, { balance: 875n, held: 30n, available: 852n })
    })
  )

  it.effect("has metadata that are frozen, also after the wallet was read from a snapshot or the log", () =>
    Effect.gen(function* () {
      for (const snapshotEvents of [1, 1_000]) {
        const { installation, node } = yield* installNode({ bounds: { snapshotEvents } })
        const { answers } = yield* furnish(installation, node)
        const found: Array<object> = []
        const look = (value: unknown): void => {
          if (typeof value !== "object" || value === null) return
          for (const [name, inner] of Object.entries(value)) {
            if (name === "metadata") found.push(inner as object)
            else look(inner)
          }
        }
        answers.forEach(look)
        yield* node.stop
        const next = yield* installation.start()
        look(yield* credit(next, "a", 5n, "again"))
        look(yield* next.engine.getWallet({ walletId: "a" }))
        look(yield* next.engine.holds({ walletId: "a", limit: 10 }))
        assert.isAbove(found.length, 10)
        for (const one of found) assert.isFrozen(one)
      }
    })
  )
})

describe("what a caller gives", () => {
  it.effect("may be changed after the call: what was asked was asked", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* create(node, "b")
      const own = { order: "17" }
      const input = { walletId: "a", amount: 5n, metadata: own, idempotencyKey: "k" }
      const asked = node.engine.credit(input)
      Object.assign(own, { order: "18" })
      Object.assign(input, { amount: -1n, walletId: "b", idempotencyKey: "" })
      const { transaction } = yield* asked
      assert.deepInclude(transaction, { walletId: "a", amount: 5n, metadata: { order: "17" } })
      Object.assign(own, { order: "19" })
      const transfer = { from: "a", to: "b", amount: 1n, metadata: own, idempotencyKey: "t" }
      const sending = node.engine.transfer(transfer)
      Object.assign(transfer, { amount: 5n, to: "a" })
      Object.assign(own, { order: "20" })
      assert.deepInclude((yield* sending).transfer, { to: "b", amount: 1n, metadata: { order: "19" } })
      const query = { walletId: "a", limit: 1 }
      const listing = node.engine.transactions(query)
      Object.assign(query, { limit: Number.NaN, walletId: "b" })
      assert.strictEqual((yield* listing).data[0]?.walletId, "a")
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("metadata", () => {
  it.effect("are recorded as JSON would say them, and nothing of them is shared", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const hidden = Symbol("hidden")
      const shared = { secret: "of one caller" }
      const evil = (good: Metadata, then: unknown) => {
        let looks = 0
        return new Proxy(good, { getPrototypeOf: () => (looks++ === 0 ? Object.prototype : then) as object | null })
      }
      const crowd = Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, "v"]))
      class Named {
        order = "17"
      }
      let looks = 0
      const table: ReadonlyArray<readonly [given: unknown, recorded: unknown]> = [
        [{ order: "17", [hidden]: shared }, { order: "17" }],
        [{ [hidden]: shared }, {}],
        [Object.defineProperty({ order: "17" }, "hidden", { value: shared }), { order: "17" }],
        [
          Object.assign(
            Object.create(Object.create(null, { inherited: { value: shared, enumerable: true } })),
            metadata
          ),
          metadata
        ],
        [JSON.parse('{"__proto__":"a","constructor":"b"}'), JSON.parse('{"__proto__":"a","constructor":"b"}')],
        [
          {
            get order() {
              return looks++ === 0 ? "17" : shared
            }
          },
          { order: "17" }
        ],
        [evil({ order: "17" }, null), { order: "17" }],
        [
          new Proxy({}, { getPrototypeOf: () => (looks++ % 2 === 0 ? Named.prototype : null), get: () => shared }),
          undefined
        ],
        [new Proxy(crowd, { ownKeys: () => (looks++ % 2 === 0 ? Object.keys(crowd) : []) }), undefined],
        [new Named(), undefined],
        [{ order: shared }, undefined]
      ]
      for (const [at, [given, recorded]] of table.entries()) {
        looks = 0
        const input = { walletId: "a", amount: 1n, metadata: given as Metadata, idempotencyKey: `k${at}` }
        const exit = yield* Effect.exit(node.engine.credit(input))
        const told = Exit.isSuccess(exit) ? exit.value.transaction.metadata : undefined
        assert.deepStrictEqual(told, recorded, `${at}`)
        if (told === undefined) continue
        assert.isFrozen(told)
        assert.deepStrictEqual(Object.getOwnPropertySymbols(told), [])
        assert.isFalse(utilTypes.isProxy(told))
      }
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("a failure", () => {
  const spoilError = (error: Error) => Object.assign(error, { reason: "spoilt", retryAfter: 0, walletId: "spoilt" })

  it.effect("that many callers are told is each one's own", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      yield* create(node, "a")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate), Faults.defective)
      const first = yield* Effect.forkChild(credit(node, "a", 1n, "k0"))
      yield* appended(node, 2)
      const callers: Array<Fiber.Fiber<StoreDefect, unknown>> = []
      for (const key of ["k1", "k2", "k3"]) {
        callers.push(yield* Effect.forkChild(Effect.flip(credit(node, "a", 1n, key)) as Effect.Effect<StoreDefect>))
      }
      yield* waiting(node, 3)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      const errors = yield* Effect.forEach(callers, Fiber.join)
      assert.strictEqual(new Set(errors).size, 3)
      for (const error of errors) {
        assert.instanceOf(error, StoreDefect)
        assert.deepInclude(error, { store: "log", reason: "scripted" })
        spoilError(error)
      }
      assert.strictEqual(Faults.defectiveLog.reason, "scripted")
    })
  )

  it.effect("is told anew to those who come to a node that is stopping", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      yield* create(node, "a")
      yield* node.stop
      const engine: WalletEngine["Service"] = node.engine
      spoilError(yield* Effect.flip(engine.credit({ walletId: "a", amount: 1n, idempotencyKey: "k" })))
      const told = yield* Effect.flip(engine.credit({ walletId: "a", amount: 1n, idempotencyKey: "k" }))
      assert.deepInclude(told, { _tag: "StoreUnavailable", reason: "this node is stopping" })
    })
  )
})
