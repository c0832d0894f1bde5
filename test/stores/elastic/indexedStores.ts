/** The stores in memory, with what their log has in indexes of Elasticsearch, once it is told to. */
import assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { documentsOf } from "../../../src/search/Documents.ts"
import * as Connection from "../../../src/stores/elastic/Connection.ts"
import * as ElasticReadModel from "../../../src/stores/elastic/ElasticReadModel.ts"
import * as ElasticSearchIndex from "../../../src/stores/elastic/ElasticSearchIndex.ts"
import { EventStore, type PositionedEvent } from "../../../src/stores/EventStore.ts"
import { MemoryDatabase } from "../../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../../src/stores/memory/MemoryEventStore.ts"
import * as MemoryPersistence from "../../../src/stores/memory/MemoryPersistence.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { type SearchDocument, SearchIndex } from "../../../src/stores/SearchIndex.ts"
import { freshIndexPrefix, sharedElasticsearch } from "../../support/elasticsearch.ts"

/** An index and its reader, at that server, for as long as the scope lasts. On a full test machine a search may be slow. */
export const freshIndex = (url: string, timeoutMillis = 60_000) => {
  const prefix = freshIndexPrefix()
  const opened = Effect.gen(function* () {
    const { request } = yield* Connection.ElasticConnection
    const index = yield* SearchIndex
    const removed = Effect.gen(function* () {
      const { body } = yield* request({ method: "GET", path: `/${prefix}-*` })
      yield* request({ method: "DELETE", path: `/${Object.keys(body as object).join(",")}`, timeoutMillis: 60_000 })
    })
    const state = yield* Effect.acquireRelease(index.open(prefix), () => Effect.orDie(removed))
    assert.equal(state._tag, "Ready")
  })
  return Layer.effectDiscard(opened).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        ElasticSearchIndex.layer({ prefix, refreshInterval: 60_000 }),
        ElasticReadModel.layer({ prefix, timeoutMillis })
      )
    ),
    Layer.provideMerge(Connection.layer({ nodes: [url] }))
  )
}

export const written = Effect.fnUntraced(function* (documents: ReadonlyArray<SearchDocument>) {
  const { current } = yield* SearchIndex
  assert.deepEqual(yield* current.write(documents), [])
})

/** Writes documents of what was appended since the last time, and makes them findable. */
const follow = Effect.gen(function* () {
  const log = yield* EventStore
  const persistence = yield* Persistence
  const index = yield* SearchIndex
  let after = 0n
  return Effect.gen(function* () {
    for (;;) {
      const events: ReadonlyArray<PositionedEvent> = yield* log.readAll({ after, limit: 500 })
      if (events.length === 0) break
      const { behind, documents } = yield* documentsOf({ log, persistence }, events)
      assert.deepEqual(behind, [])
      yield* written(documents)
      after = events.at(-1)!.position
    }
    yield* index.current.refresh
  }).pipe(Effect.orDie, Effect.provideService(SearchIndex, index))
})

/** A layer, and what waits until its read model has all that was appended to its log. */
export const indexedStores = () => {
  let settle: Effect.Effect<void> = Effect.die(new Error("the stores are not there"))
  const followed = Layer.effectDiscard(Effect.map(follow, (settled) => (settle = settled)))
  const memory = Layer.mergeAll(MemoryEventStore.layer, MemoryPersistence.layer).pipe(
    Layer.provideMerge(MemoryDatabase.layer())
  )
  return {
    stores: followed.pipe(
      Layer.provideMerge(memory),
      Layer.provideMerge(Layer.unwrap(Effect.map(sharedElasticsearch, freshIndex)))
    ),
    settled: Effect.suspend(() => settle)
  }
}
