/** The engine with search on a real Elasticsearch: what is awaited is found, and what befalls the server costs money nothing. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { searchLayer } from "../../src/engine/SearchConfig.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import * as MemoryApiKeyStore from "../../src/stores/memory/MemoryApiKeyStore.ts"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import { StoreOutages } from "../../src/stores/StoreOutages.ts"
import {
  freshIndexPrefix,
  elasticsearchPresent,
  ownElasticsearch,
  ownElasticsearchPresent,
  sharedElasticsearch
} from "../support/elasticsearch.ts"

/** For what hangs. */
const limit = 300_000

const all = { committed: true, persisted: true, indexed: true }

/** An engine over stores in memory, with its index in that server. */
const start = Effect.fnUntraced(function* (url: string, callerWaitMillis = 60_000) {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
  const prefix = freshIndexPrefix()
  // A search that finds nothing wrong may be slow on a full test machine.
  const index = { nodes: [url], prefix, shards: 1, replicas: 0, refreshMillis: 300, timeoutMillis: 60_000 }
  const stores = Layer.mergeAll(
    MemoryEventStore.layer,
    MemoryPersistence.layer,
    MemoryApiKeyStore.layer,
    searchLayer({ ...index, rebuild: "manual" }),
    StoreOutages.layer({ readModel: `Elasticsearch at ${url}` })
  ).pipe(Layer.provide(MemoryDatabase.layer()))
  const services = yield* Layer.build(
    WalletEngine.layer({ bounds: { ...defaultBounds, callerWaitMillis }, partitions: 4 }).pipe(
      Layer.provide(stores),
      Layer.provide(Logger.layer([logger]))
    )
  )
  return { engine: Context.get(services, WalletEngine), lines }
})

type Engine = WalletEngine["Service"]

const create = (engine: Engine, id: string) =>
  engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `create-${id}`, await: "indexed" })

const amounts = Effect.fnUntraced(function* (engine: Engine) {
  const { data } = yield* engine.searchTransactions({ ownerId: "o", limit: 200 })
  return data.map(({ amount }) => amount)
})

const readModel = (engine: Engine) =>
  Effect.map(engine.health, ({ checks }) => checks.find(({ name }) => name === "readModel")!)

/** The same command again, until it is indexed. */
const untilIndexed = (engine: Engine, amount: bigint, idempotencyKey: string) =>
  engine.credit({ walletId: "a", amount, idempotencyKey, await: "indexed" }).pipe(
    Effect.filterOrFail(({ durability }) => durability.indexed),
    Effect.retry(Schedule.spaced("100 millis"))
  )

describe.skipIf(!elasticsearchPresent)("search on Elasticsearch", () => {
  it.live(
    "finds what was awaited, by many at once",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { engine } = yield* start(yield* sharedElasticsearch)
          assert.deepStrictEqual((yield* create(engine, "a")).durability, all)
          yield* Effect.forEach(
            Array.from({ length: 60 }, (_, n) => BigInt(n + 1)),
            (amount) =>
              Effect.gen(function* () {
                const answer = yield* engine.credit({
                  walletId: "a",
                  amount,
                  idempotencyKey: `k${amount}`,
                  await: "indexed"
                })
                assert.deepStrictEqual(answer.durability, all)
                assert.include(yield* amounts(engine), amount)
              }),
            { concurrency: 2 }
          )
          assert.deepStrictEqual(yield* readModel(engine), { name: "readModel", status: "ok", detail: null })
        })
      ),
    limit
  )
})

describe.skipIf(!ownElasticsearchPresent)("while Elasticsearch", () => {
  it.live(
    "is killed and started again, credits go on, and search has caught up afterwards",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* ownElasticsearch()
          const { engine, lines } = yield* start(server.url, 2_000)
          yield* create(engine, "a")
          yield* server.kill
          for (let n = 0; n < 200; n++) {
            yield* engine.credit({ walletId: "a", amount: 1n, idempotencyKey: `k${n}` })
          }
          const late = yield* engine.credit({ walletId: "a", amount: 7n, idempotencyKey: "late", await: "indexed" })
          assert.deepStrictEqual(late.durability, { ...all, indexed: false })
          const check = yield* readModel(engine)
          assert.strictEqual(check.status, "degraded")
          assert.include(check.detail, server.url)
          assert.isTrue((yield* engine.health).ready)
          yield* server.start
          yield* untilIndexed(engine, 7n, "late")
          assert.lengthOf(yield* amounts(engine), 200)
          const isBack = new RegExp(`^Info .*${server.url} is back.*caught up with \\d+ events`)
          // Told when it has looked at the log once more.
          yield* Effect.repeat(Effect.sleep(20), { while: () => !lines.some((line) => isBack.test(line)) })
        })
      ),
    limit
  )

  it.live(
    "comes back with an empty folder, its index is made and filled anew",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* ownElasticsearch()
          const { engine } = yield* start(server.url)
          yield* create(engine, "a")
          yield* untilIndexed(engine, 3n, "before")
          yield* server.kill
          yield* server.loseData
          yield* server.start
          yield* untilIndexed(engine, 4n, "after")
          assert.deepStrictEqual(yield* amounts(engine), [4n, 3n])
        })
      ),
    limit
  )
})
