/** The engine with search on a real Elasticsearch: what is awaited is found, and what befalls the server costs money nothing. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import { requestOf } from "../../bench/servers/ElasticsearchServer.ts"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import {
  maxMetadataKeyLength,
  maxMetadataPairs,
  maxMetadataValueLength,
  maxTextLength
} from "../../src/domain/Limits.ts"
import { searchLayer } from "../../src/engine/SearchConfig.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import * as Connection from "../../src/stores/elastic/Connection.ts"
import * as ElasticSearchIndex from "../../src/stores/elastic/ElasticSearchIndex.ts"
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
  return { engine: Context.get(services, WalletEngine), lines, prefix, request: requestOf(url, "") }
})

/** An hour after or before this machine's. */
const shifted = (millis: number) =>
  Effect.updateService(Clock.Clock, (clock): Clock.Clock => ({
    ...clock,
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
    currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe() + millis),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(millis) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => clock.currentTimeNanosUnsafe() + BigInt(millis) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }))

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

// Each has an engine and indexes of its own, and waits for refreshes most of the time.
describe.skipIf(!elasticsearchPresent)("search on Elasticsearch", { concurrent: true }, () => {
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

  it.live(
    "finds the largest texts that there may be, in the widest characters, by each of them",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { engine } = yield* start(yield* sharedElasticsearch)
          // Four bytes each, two units of what lengths are counted in; and three bytes, one unit.
          const [wide, dense] = ["\u{2070E}", "東"]
          const pairs = Array.from({ length: maxMetadataPairs }, (_, n): readonly [string, string] => {
            const letter = n % 2 === 0 ? wide : dense
            const key = `${String(n).padStart(2, "0")}${letter.repeat((maxMetadataKeyLength - 2) / letter.length)}`
            return [key, letter.repeat(maxMetadataValueLength / letter.length)]
          })
          const metadata = Object.fromEntries(pairs)
          const reference = dense.repeat(maxTextLength)
          const note = { reference, metadata, await: "indexed" } as const
          for (const id of ["a", "b"]) {
            const { durability } = yield* engine.createWallet({
              id,
              ownerId: "o",
              currency: "EUR",
              metadata,
              idempotencyKey: `create-${id}`,
              await: "indexed"
            })
            assert.deepStrictEqual(durability, all)
          }
          const done = [
            yield* engine.credit({ walletId: "a", amount: 10n, idempotencyKey: "credit", ...note }),
            yield* engine.placeHold({ walletId: "a", amount: 1n, idempotencyKey: "hold", ...note }),
            yield* engine.transfer({ from: "a", to: "b", amount: 2n, idempotencyKey: "transfer", ...note })
          ]
          for (const { durability } of done) assert.deepStrictEqual(durability, all)
          for (const [key, value] of pairs) {
            const query = { metadata: { [key]: value }, limit: 9 }
            const [wallets, transactions, holds, transfers] = [
              yield* engine.searchWallets(query),
              yield* engine.searchTransactions({ ...query, reference, type: "credit" }),
              yield* engine.searchHolds({ ...query, reference }),
              yield* engine.searchTransfers({ ...query, reference })
            ]
            assert.deepStrictEqual(
              [wallets, transactions, holds, transfers].map(({ data }) => data.length),
              [2, 1, 1, 1]
            )
            for (const { data } of [wallets, transactions, holds, transfers]) {
              for (const found of data) assert.deepStrictEqual(found.metadata, metadata)
            }
          }
          assert.deepStrictEqual(yield* readModel(engine), { name: "readModel", status: "ok", detail: null })
        })
      ),
    limit
  )

  it.live(
    "says of a document that Elasticsearch refuses that it is not indexed, and of those after it that they are",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { engine, prefix, request } = yield* start(yield* sharedElasticsearch, 100 * limit)
          yield* create(engine, "a")
          // Made anew by hand, so that it takes no reference but a date.
          const name = `${prefix}-transactions-000001`
          const { body } = yield* request("GET", `/${name}`)
          const { mappings } = (body as Record<string, { readonly mappings: { readonly properties: object } }>)[name]!
          yield* request("DELETE", `/${name}`)
          const made = yield* request("PUT", `/${name}`, {
            mappings: { ...mappings, properties: { ...mappings.properties, reference: { type: "date" } } },
            aliases: { [`${prefix}-transactions`]: {} }
          })
          assert.strictEqual(made.status, 200)
          const credit = (n: number, reference: string | null) =>
            engine.credit({ walletId: "a", amount: BigInt(n), reference, idempotencyKey: `k${n}`, await: "indexed" })
          // While it was gone, what was written to it failed.
          yield* untilIndexed(engine, 1n, "first")
          assert.deepStrictEqual((yield* credit(2, "no date")).durability, { ...all, indexed: false })
          assert.deepStrictEqual((yield* credit(3, null)).durability, all)
          assert.deepStrictEqual(yield* amounts(engine), [3n, 1n])
          const { detail, status } = yield* readModel(engine)
          assert.strictEqual(status, "degraded")
          assert.include(detail, "1 documents were refused")
        })
      ),
    limit
  )

  it.live(
    "goes on when writes were held by a rebuild that is dead",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { engine, prefix, request } = yield* start(yield* sharedElasticsearch)
          yield* create(engine, "a")
          const left = yield* request("PUT", `/${prefix}-meta-000002`, {
            mappings: { _meta: { by: "effect-wallet", log: "gone", mapping: "gone" } }
          })
          assert.strictEqual(left.status, 200)
          yield* request("PUT", `/${prefix}-meta-000002/_doc/lock`, { owner: "dead" })
          const { body: found } = yield* request("GET", `/${prefix}-meta`)
          const [own] = Object.values(found as Record<string, { readonly mappings: { readonly _meta: object } }>)
          const mark = { _meta: { ...own!.mappings._meta, held: true } }
          yield* request("PUT", `/${prefix}-wallets,${prefix}-transactions,${prefix}-meta/_mapping`, mark)
          const held = yield* request("PUT", `/${prefix}-wallets,${prefix}-transactions,${prefix}-meta/_block/write`)
          assert.strictEqual(held.status, 200)
          yield* untilIndexed(engine, 3n, "k")
          assert.deepStrictEqual(yield* amounts(engine), [3n])
          const { body } = yield* request("GET", `/${prefix}-*/_settings?filter_path=*.settings.index.blocks`)
          assert.notInclude(JSON.stringify(body), "true")
        })
      ),
    limit
  )

  for (const hours of [-1, 1]) {
    it.live(
      `whose clock is an hour ${hours < 0 ? "ahead" : "behind"} is written, found by time and rebuilt all the same`,
      () =>
        Effect.gen(function* () {
          const { engine, prefix, request } = yield* start(yield* sharedElasticsearch)
          const before = yield* Clock.currentTimeMillis
          yield* create(engine, "a")
          yield* untilIndexed(engine, 3n, "k")
          const found = (from: number, to: number) =>
            Effect.map(engine.searchTransactions({ ownerId: "o", from, to, limit: 9 }), ({ data }) => data.length)
          const after = yield* Clock.currentTimeMillis
          assert.strictEqual(yield* found(before, after), 1)
          assert.strictEqual(yield* found(after + 1, after + 7_200_000), 0)
          assert.strictEqual(yield* found(before - 7_200_000, before - 1), 0)
          // Of two builders one gets the next set, and who has it keeps it.
          const connection = yield* Connection.make({ nodes: [yield* sharedElasticsearch], timeoutMillis: 60_000 })
          const [one, other] = [
            ElasticSearchIndex.make(connection, { prefix }),
            ElasticSearchIndex.make(connection, { prefix })
          ]
          const { body } = yield* request("GET", `/${prefix}-meta`)
          const logId = Object.values(
            body as Record<string, { readonly mappings: { readonly _meta: { readonly log: string } } }>
          )
            .map(({ mappings }) => mappings._meta.log)
            .join()
          yield* Effect.scoped(
            Effect.gen(function* () {
              const set = yield* one.next(logId)
              assert.isUndefined(yield* Effect.scoped(other.next(logId)))
              yield* set!.saveCheckpoint(1n)
              yield* one.swap
            })
          )
          // That set was put there empty: it is filled from where it is.
          yield* untilIndexed(engine, 4n, "l")
          yield* Effect.repeat(amounts(engine), {
            schedule: Schedule.spaced("100 millis"),
            until: (all) => all.length === 2
          })
          assert.deepStrictEqual(yield* amounts(engine), [4n, 3n])
        }).pipe(Effect.scoped, shifted(hours * 3_600_000)),
      limit
    )
  }
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
    "hangs, and nobody writes, it is known with its address, and told how long it was away",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* ownElasticsearch()
          const { engine, lines } = yield* start(server.url)
          yield* create(engine, "a")
          yield* Effect.repeat(readModel(engine), { until: ({ status }) => status === "ok" })
          yield* server.freeze
          const frozenAt = performance.now()
          const check = yield* Effect.repeat(Effect.andThen(Effect.sleep(50), readModel(engine)), {
            until: ({ status }) => status !== "ok"
          })
          assert.include(check.detail, `${server.url}: no answer within`)
          const millis = performance.now() - frozenAt
          yield* server.thaw
          const back = new RegExp(`^Info .*${server.url} is back, after (\\d+) (ms|s) `)
          const find = Effect.sync(() => lines.map((line) => back.exec(line)).find((found) => found !== null))
          const found = yield* Effect.repeat(Effect.andThen(Effect.sleep(20), find), {
            until: (line) => line !== undefined
          })
          const told = Number(found![1]) * (found![2] === "s" ? 1_000 : 1)
          // A look begins every two seconds, and finds out in five.
          assert.isAtLeast(told, 4_500)
          assert.isAtLeast(told, millis - 3_500)
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
