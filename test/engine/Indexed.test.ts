/** `await: "indexed"` with an index of search's own: what it says is so, and nobody waits longer than asked for. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import { type ActorBounds, defaultBounds } from "../../src/actors/ActorBounds.ts"
import { type SearchRebuildMode, SearchRebuilds } from "../../src/engine/SearchConfig.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { failureReply } from "../../src/http/HttpReply.ts"
import * as MemoryApiKeyStore from "../../src/stores/memory/MemoryApiKeyStore.ts"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemorySearchIndex from "../../src/stores/memory/MemorySearchIndex.ts"
import * as MemorySearchReadModel from "../../src/stores/memory/MemorySearchReadModel.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import { SearchIndex } from "../../src/stores/SearchIndex.ts"
import * as Faults from "../support/FaultySearchIndex.ts"

const all = { committed: true, persisted: true, indexed: true }
const notIndexed = { committed: true, persisted: true, indexed: false }

/** For what hangs. */
const limit = 120_000

const start = Effect.fnUntraced(function* (
  bounds: Partial<ActorBounds> = {},
  state = MemorySearchIndex.makeState(),
  rebuild: SearchRebuildMode = "manual",
  begin: (index: Faults.FaultySearchIndex) => void = () => undefined
) {
  const index = Faults.make(MemorySearchIndex.make(state))
  begin(index)
  const stores = Layer.mergeAll(
    MemoryEventStore.layer,
    MemoryPersistence.layer,
    MemoryApiKeyStore.layer,
    MemorySearchReadModel.layer(state),
    Layer.succeed(SearchIndex, index.store),
    Layer.succeed(SearchRebuilds, rebuild)
  ).pipe(Layer.provide(MemoryDatabase.layer({ logId: "log" })))
  const services = yield* Layer.build(
    WalletEngine.layer({ bounds: { ...defaultBounds, ...bounds }, partitions: 4 }).pipe(
      Layer.provide(stores),
      Layer.provide(Logger.layer([]))
    )
  )
  return { engine: Context.get(services, WalletEngine), index }
})

const readModel = (engine: WalletEngine["Service"]) =>
  Effect.map(engine.health, ({ checks }) => checks.find(({ name }) => name === "readModel")!)

const searched = Effect.fnUntraced(function* (engine: WalletEngine["Service"], ownerId: string) {
  const { data } = yield* engine.searchTransactions({ ownerId, limit: 200 })
  return data.map(({ amount }) => amount)
})

const live = <A, E>(name: string, run: Effect.Effect<A, E>) => it.live(name, () => run, limit)

describe("a search while the index is away", () => {
  live(
    "is told that it is search, and why, without the place",
    Effect.scoped(
      Effect.gen(function* () {
        const { engine, index } = yield* start()
        const reason = "http://es-1:9200 cannot be reached: connect ECONNREFUSED 10.0.0.3:9200"
        index.every = () => Effect.fail(new StoreUnavailable({ store: "readModel", reason, retryAfter: 1_000 }))
        const error = yield* Effect.flip(engine.searchWallets({ limit: 1 })).pipe(
          Effect.filterOrFail((failure) => failure instanceof StoreUnavailable && failure.reason === reason),
          Effect.retry(Schedule.spaced("5 millis"))
        )
        assert.instanceOf(error, StoreUnavailable)
        assert.strictEqual(error.detail, "search is not available now: cannot be reached: connect ECONNREFUSED")
        const reply = failureReply(error)
        assert.include(reply?.body, error.detail)
        assert.notMatch(reply?.body ?? "", /es-1|10\.0\.0\.3|9200/)
      })
    )
  )
})

describe("a command that waits for the index", () => {
  live(
    "is found by a search that is sent after its answer, many at once",
    Effect.scoped(
      Effect.gen(function* () {
        const { engine } = yield* start()
        const created = yield* engine.createWallet({
          id: "a",
          ownerId: "o",
          currency: "EUR",
          idempotencyKey: "create",
          await: "indexed"
        })
        assert.deepStrictEqual(created.durability, all)
        const credit = (n: number) =>
          Effect.gen(function* () {
            const amount = BigInt(n + 1)
            const answer = yield* engine.credit({ walletId: "a", amount, idempotencyKey: `k${n}`, await: "indexed" })
            assert.deepStrictEqual(answer.durability, all)
            assert.include(yield* searched(engine, "o"), amount)
          })
        yield* Effect.forEach(
          Array.from({ length: 100 }, (_, n) => n),
          credit,
          { concurrency: "unbounded" }
        )
      })
    )
  )

  live(
    "is told that it is not indexed when its time is up, and that it is when it is replayed later",
    Effect.scoped(
      Effect.gen(function* () {
        const { engine, index } = yield* start({ callerWaitMillis: 300 })
        yield* engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "create" })
        index.every = Faults.away
        const credit = { walletId: "a", amount: 5n, idempotencyKey: "k", await: "indexed" } as const
        assert.deepStrictEqual((yield* engine.credit(credit)).durability, notIndexed)
        const again = yield* engine.credit(credit)
        assert.deepStrictEqual([again.replayed, again.durability], [true, notIndexed])
        index.every = undefined
        let last = yield* engine.credit(credit)
        while (!last.durability.indexed) last = yield* engine.credit(credit)
        assert.deepStrictEqual([last.replayed, last.durability], [true, all])
        assert.deepStrictEqual(yield* searched(engine, "o"), [5n])
      })
    )
  )

  live(
    "may be a transfer: both its owners find it",
    Effect.scoped(
      Effect.gen(function* () {
        const { engine } = yield* start()
        for (const id of ["a", "b"])
          yield* engine.createWallet({ id, ownerId: `owner-${id}`, currency: "EUR", idempotencyKey: `create-${id}` })
        yield* engine.credit({ walletId: "a", amount: 9n, idempotencyKey: "k" })
        const sent = yield* engine.transfer({
          from: "a",
          to: "b",
          amount: 4n,
          idempotencyKey: "t",
          await: "indexed"
        })
        assert.deepStrictEqual(sent.durability, all)
        assert.deepStrictEqual(yield* searched(engine, "owner-a"), [4n, 9n])
        assert.deepStrictEqual(yield* searched(engine, "owner-b"), [4n])
      })
    )
  )

  live(
    "whose document is refused is told at once that it is not indexed, and one after it that it is",
    Effect.scoped(
      Effect.gen(function* () {
        // Whoever waited until time is up would do so for the test's own limit.
        const { engine, index } = yield* start({ callerWaitMillis: 10 * limit })
        yield* engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "create" })
        index.refuses = (document) =>
          document.kind === "transaction" && document.transaction.amount === 7n ? "a term is too long" : undefined
        const credit = (amount: bigint) =>
          engine.credit({ walletId: "a", amount, idempotencyKey: `k${amount}`, await: "indexed" })
        assert.deepStrictEqual((yield* credit(5n)).durability, all)
        assert.deepStrictEqual((yield* credit(7n)).durability, notIndexed)
        assert.deepStrictEqual((yield* credit(7n)).durability, notIndexed)
        assert.deepStrictEqual((yield* credit(9n)).durability, all)
        assert.deepStrictEqual(yield* searched(engine, "o"), [9n, 5n])
      })
    )
  )

  live(
    "is answered at once while the index is known to be away",
    Effect.scoped(
      Effect.gen(function* () {
        const { engine, index } = yield* start({ callerWaitMillis: 10 * limit })
        yield* engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "create" })
        index.every = Faults.away
        yield* Effect.repeat(Effect.delay(readModel(engine), 20), { until: ({ status }) => status === "degraded" })
        const credit = { walletId: "a", amount: 5n, idempotencyKey: "k", await: "indexed" } as const
        assert.deepStrictEqual((yield* engine.credit(credit)).durability, notIndexed)
        index.every = undefined
        yield* Effect.repeat(Effect.delay(readModel(engine), 20), { until: ({ status }) => status === "ok" })
        assert.deepStrictEqual((yield* engine.credit(credit)).durability, all)
      })
    )
  )
})

describe("a search of an index", () => {
  const searches = (engine: WalletEngine["Service"]) => [
    engine.searchWallets({ limit: 1 }),
    engine.searchTransactions({ limit: 1 }),
    engine.searchTransfers({ limit: 1 }),
    engine.searchHolds({ limit: 1 }),
    engine.stats({})
  ]

  const refusals = (engine: WalletEngine["Service"]) =>
    Effect.forEach(
      searches(engine),
      (search: Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>) =>
        Effect.map(Effect.flip(search), ({ _tag, message }) => `${_tag} ${message}`)
    )

  live(
    "that is another installation's is refused with the reason, and when it becomes so, and served when it is ours again",
    Effect.scoped(
      Effect.gen(function* () {
        const state = MemorySearchIndex.makeState()
        yield* MemorySearchIndex.make(state).open("another")
        const { engine } = yield* start({}, state)
        yield* Effect.repeat(Effect.delay(readModel(engine), 20), { until: ({ status }) => status === "degraded" })
        for (const refusal of yield* refusals(engine)) {
          assert.match(refusal, /^StoreUnavailable .* the log another, not of log/)
        }
        const foreign = state.current
        state.current = undefined
        yield* Effect.retry(engine.searchWallets({ limit: 1 }), Schedule.spaced("20 millis"))
        state.current = foreign
        yield* Effect.repeat(Effect.delay(Effect.exit(engine.searchWallets({ limit: 1 })), 20), {
          while: Exit.isSuccess
        })
        for (const refusal of yield* refusals(engine)) assert.match(refusal, /^StoreUnavailable .* the log another/)
      })
    )
  )

  live(
    "of which it is not known yet whose it is, is refused",
    Effect.scoped(
      Effect.gen(function* () {
        const { engine } = yield* start({}, MemorySearchIndex.makeState(), "manual", (index) => {
          index.every = () => Effect.never
        })
        for (const refusal of yield* refusals(engine)) {
          assert.match(refusal, /^StoreUnavailable .* not known yet whose the search index is/)
        }
      })
    )
  )
})

describe("a command that does not wait for the index", () => {
  live(
    "is not told that it is indexed, and does not notice that the index is away",
    Effect.scoped(
      Effect.gen(function* () {
        const { engine, index } = yield* start()
        index.every = Faults.away
        yield* engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "create" })
        for (let n = 0; n < 200; n++) {
          const answer = yield* engine.credit({ walletId: "a", amount: 1n, idempotencyKey: `k${n}` })
          assert.deepStrictEqual(answer.durability, notIndexed)
        }
        const { checks, ready } = yield* engine.health
        assert.isTrue(ready)
        assert.strictEqual(checks.find(({ name }) => name === "readModel")?.status, "degraded")
      })
    )
  )
})

describe("an index of another release's mapping", () => {
  /** Made by that release. */
  const outdated = Effect.gen(function* () {
    const state = MemorySearchIndex.makeState()
    yield* Effect.orDie(MemorySearchIndex.make(state, { mapping: "0" }).open("log"))
    return state
  })

  const create = (engine: WalletEngine["Service"]) =>
    engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "create", await: "indexed" })

  live(
    "serves on, and readiness says so",
    Effect.scoped(
      Effect.gen(function* () {
        const { engine } = yield* start({}, yield* outdated)
        assert.deepStrictEqual((yield* create(engine)).durability, all)
        const { detail, status } = yield* readModel(engine)
        assert.strictEqual(status, "degraded")
        assert.include(detail, "the search index has the mapping 0")
      })
    )
  )

  live(
    "is rebuilt by the service where the configuration says so",
    Effect.scoped(
      Effect.gen(function* () {
        const state = yield* outdated
        const { engine } = yield* start({}, state, "auto")
        yield* create(engine)
        yield* Effect.repeat(Effect.delay(readModel(engine), 50), { until: ({ status }) => status === "ok" })
        assert.strictEqual(state.current?.mapping, "1")
        yield* engine.credit({ walletId: "a", amount: 5n, idempotencyKey: "k", await: "indexed" })
        assert.deepStrictEqual(yield* searched(engine, "o"), [5n])
      })
    )
  )
})
