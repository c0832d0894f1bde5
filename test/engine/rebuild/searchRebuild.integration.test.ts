import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { replayDeadLetters } from "../../../src/engine/rebuild/DeadLetters.ts"
import { dropOldSearch, rebuildSearch } from "../../../src/engine/rebuild/SearchRebuild.ts"
import { verify } from "../../../src/engine/verify/Verify.ts"
import * as Connection from "../../../src/stores/elastic/Connection.ts"
import * as ElasticReadModel from "../../../src/stores/elastic/ElasticReadModel.ts"
import * as ElasticSearchIndex from "../../../src/stores/elastic/ElasticSearchIndex.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import type { Persistence } from "../../../src/stores/Persistence.ts"
import { ReadModel } from "../../../src/stores/ReadModel.ts"
import { SearchIndex } from "../../../src/stores/SearchIndex.ts"
import { elasticsearchPresent, freshIndexPrefix, sharedElasticsearch } from "../../support/elasticsearch.ts"
import { create, credit, filled, newState, send, storesOver } from "../../support/LogLife.ts"
import { followInto } from "../../support/SearchWorld.ts"

const minutes = 60_000

/** Wallets in memory, and their documents in Elasticsearch, under a prefix of the test's own. */
const world = <A, E>(
  run: (
    prefix: string
  ) => Effect.Effect<A, E, EventStore | Persistence | SearchIndex | ReadModel | Connection.ElasticConnection>
) =>
  Effect.gen(function* () {
    const url = yield* sharedElasticsearch
    const prefix = freshIndexPrefix()
    const connection = Connection.layer({ nodes: [url], timeoutMillis: minutes })
    const search = Layer.mergeAll(
      ElasticSearchIndex.layer({ prefix, refreshInterval: 50 }),
      ElasticReadModel.layer({ prefix, timeoutMillis: minutes })
    ).pipe(Layer.provideMerge(connection))
    const stores = storesOver(yield* newState())
    return yield* Effect.provide(run(prefix), Layer.merge(stores, search))
  }).pipe(Effect.scoped)

const wallets = Array.from({ length: 12 }, (_, n) => `w${n}`)

/** Written, followed and found. */
const begin = Effect.gen(function* () {
  const { perform } = yield* filled
  for (const id of wallets) yield* Effect.andThen(perform(create(id)), perform(credit(id, 10n)))
  yield* perform(send("a", "w0", "t1", 3n))
  const index = yield* SearchIndex
  const state = yield* index.open((yield* (yield* EventStore).head).logId)
  assert.strictEqual(state._tag, "Ready")
  yield* followInto(index.current)
  yield* index.current.refresh
  return { perform, index }
})

const clean = Effect.map(verify({ lagMillis: 2 * minutes }), ({ differences, documents }) => {
  assert.deepStrictEqual(differences, [])
  return documents
})

/** Of Elasticsearch itself, past the adapter. */
const raw = (method: "DELETE" | "POST", path: string, body?: object) =>
  Effect.flatMap(Connection.ElasticConnection, ({ request }) => request({ method, path, body }))

describe.skipIf(!elasticsearchPresent)("a rebuild of the search index on Elasticsearch", () => {
  it.live(
    "leaves no gap for searchers while wallets are credited",
    () =>
      world(() =>
        Effect.gen(function* () {
          const { index, perform } = yield* begin
          const readModel = yield* ReadModel
          const moving = { on: true }
          let searches = 0
          const searcher = (id: string) =>
            Effect.gen(function* () {
              const seen = new Set<string>()
              while (moving.on) {
                const { data } = yield* readModel.searchTransactions({ walletId: id, limit: 200 })
                const found = new Set(data.map((one) => one.id))
                for (const one of seen) assert.isTrue(found.has(one), `${one} was found and is no more`)
                for (const one of found) seen.add(one)
                searches++
              }
              return seen.size
            })
          const searchers = yield* Effect.forEach(["w0", "w1", "w2"], (id) => Effect.forkChild(searcher(id)))
          const credits = yield* Effect.forkChild(
            Effect.gen(function* () {
              for (let n = 0; moving.on && n < 450; n++) {
                yield* perform(credit(`w${n % 3}`, 1n), 2_000 + n)
                yield* Effect.sleep(5)
              }
            })
          )
          const follower = yield* Effect.forkChild(
            Effect.gen(function* () {
              while (moving.on) {
                yield* Effect.retry(followInto(index.current), Schedule.spaced(20))
                yield* Effect.retry(index.current.refresh, Schedule.spaced(20))
              }
            })
          )
          const reports = [yield* rebuildSearch({ pageEvents: 20 }), yield* rebuildSearch({ pageEvents: 20 })]
          moving.on = false
          yield* Fiber.join(credits)
          const sizes = yield* Effect.forEach(searchers, Fiber.join)
          yield* Fiber.join(follower)
          assert.deepStrictEqual(
            reports.map(({ dropped, resumed }) => ({ dropped, resumed })),
            [
              { dropped: 0, resumed: false },
              { dropped: 1, resumed: false }
            ]
          )
          assert.isAbove(searches, 10)
          assert.isAbove(Math.min(...sizes), 1)
          yield* followInto(index.current)
          yield* clean
        })
      ),
    5 * minutes
  )

  it.live(
    "goes on where it was cut off, is alone, and its leftovers can be removed",
    () =>
      world(() =>
        Effect.gen(function* () {
          const { index } = yield* begin
          const stop = (after: bigint) =>
            Effect.exit(
              rebuildSearch({
                pageEvents: 4,
                onProgress: ({ position }) => (position > after ? Effect.interrupt : Effect.void)
              })
            )
          yield* stop(12n)
          assert.isTrue((yield* rebuildSearch()).resumed)
          yield* clean
          const { logId } = yield* (yield* EventStore).head
          const second = yield* Effect.scoped(Effect.andThen(index.next(logId), Effect.flip(rebuildSearch())))
          assert.strictEqual(second._tag, "RebuildUnderway")
          yield* stop(12n)
          assert.isFalse((yield* rebuildSearch({ restart: true })).resumed)
          assert.strictEqual(yield* dropOldSearch, 1)
          assert.strictEqual(yield* dropOldSearch, 0)
          yield* clean
        })
      ),
    5 * minutes
  )

  it.live(
    "and verify find what is planted, wrong or gone; what can be mended without a rebuild is",
    () =>
      world((prefix) =>
        Effect.gen(function* () {
          yield* begin
          const documents = yield* clean
          assert.isAbove(documents, 30)
          // By the number of a version that is not there: what is right is refused from now on.
          yield* raw("POST", `/${prefix}-wallets/_update/w0?refresh=true`, { doc: { ownerId: "thief" } })
          yield* raw("DELETE", `/${prefix}-holds/_doc/a.h1?refresh=true`)
          yield* raw("DELETE", `/${prefix}-wallets/_doc/w1?refresh=true`)
          const found = yield* verify({ lagMillis: 2 * minutes })
          assert.deepStrictEqual(found.differences.map(({ walletId, what }) => `${walletId} ${what}`).sort(), [
            "a document of hold a.h1",
            "w0 wallet document",
            "w1 wallet document"
          ])
          const repaired = yield* verify({ lagMillis: 2 * minutes, repair: true })
          assert.deepStrictEqual(
            repaired.differences.map(({ walletId, what }) => `${walletId} ${what}`),
            ["w0 wallet document"]
          )
          assert.include(repaired.differences[0]!.found, "wallet replay --target readModel")
          yield* rebuildSearch()
          assert.strictEqual(yield* clean, documents)
          assert.deepStrictEqual(yield* replayDeadLetters, { letters: 0, arrived: 0, gone: 0, remaining: 0 })
        })
      ),
    5 * minutes
  )
})
