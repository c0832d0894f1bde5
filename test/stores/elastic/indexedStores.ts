/** The stores in memory, with what their log has in indexes of Elasticsearch, once it is told to. */
import { Client } from "@elastic/elasticsearch"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { documentsOf } from "../../../src/search/Documents.ts"
import { StoreUnavailable } from "../../../src/stores/StoreError.ts"
import { encodeDocument } from "../../../src/stores/elastic/Documents.ts"
import * as ElasticReadModel from "../../../src/stores/elastic/ElasticReadModel.ts"
import { mappings, settings } from "../../../src/stores/elastic/Mapping.ts"
import { EventStore, type PositionedEvent } from "../../../src/stores/EventStore.ts"
import { MemoryDatabase } from "../../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../../src/stores/memory/MemoryEventStore.ts"
import * as MemoryPersistence from "../../../src/stores/memory/MemoryPersistence.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { type DocumentKind, documentId, type SearchDocument } from "../../../src/stores/SearchIndex.ts"
import { freshIndexPrefix, sharedElasticsearch } from "../../support/elasticsearch.ts"

const kinds: ReadonlyArray<DocumentKind> = ["wallet", "transaction", "transfer", "hold"]

/** Indexes of its own, for as long as the scope lasts. */
export const freshIndexes = Effect.gen(function* () {
  const url = yield* sharedElasticsearch
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Client({ node: url, maxRetries: 0 })),
    (client) => Effect.promise(() => client.close())
  )
  const prefix = freshIndexPrefix()
  const aliasOf = (kind: DocumentKind): string => `${prefix}-${kind}s`
  yield* Effect.acquireRelease(
    Effect.forEach(kinds, (kind) =>
      Effect.promise(() =>
        client.transport.request({
          method: "PUT",
          path: `/${aliasOf(kind)}`,
          body: {
            settings: settings({ shards: 1, replicas: 0, refreshInterval: 60_000 }, kind),
            mappings: mappings[kind]
          }
        })
      )
    ),
    () => Effect.promise(() => client.indices.delete({ index: kinds.map(aliasOf) }))
  )
  const failureOf = (error: unknown) =>
    new StoreUnavailable({ store: "readModel", reason: String(error), retryAfter: 1_000 })
  const write = Effect.fnUntraced(function* (documents: ReadonlyArray<SearchDocument>) {
    if (documents.length === 0) return
    const bulkBody = documents.flatMap((document) => [
      JSON.stringify({
        index: {
          _index: aliasOf(document.kind),
          _id: documentId(document),
          version: document.version + 1,
          version_type: "external"
        }
      }),
      encodeDocument(document)
    ])
    const answer = yield* Effect.promise(() =>
      client.transport.request<{ items: ReadonlyArray<{ index: { status: number; error?: unknown } }> }>({
        method: "POST",
        path: "/_bulk",
        bulkBody
      })
    )
    for (const { index } of answer.items) {
      if (index.status >= 300 && index.status !== 409) return yield* Effect.die(new Error(JSON.stringify(index.error)))
    }
  })
  const refresh = Effect.promise(() => client.indices.refresh({ index: kinds.map(aliasOf) }))
  return { client, aliasOf, failureOf, write, refresh }
})

/** Writes documents of what was appended since the last time, and makes them findable. */
const follow = Effect.fnUntraced(function* (indexes: Effect.Success<typeof freshIndexes>) {
  const log = yield* EventStore
  const persistence = yield* Persistence
  let after = 0n
  return Effect.gen(function* () {
    for (;;) {
      const events: ReadonlyArray<PositionedEvent> = yield* log.readAll({ after, limit: 500 })
      if (events.length === 0) break
      const { behind, documents } = yield* documentsOf({ log, persistence }, events)
      if (behind.length > 0) return yield* Effect.die(new Error("rows behind their events"))
      yield* indexes.write(documents)
      after = events.at(-1)!.position
    }
    yield* indexes.refresh
  }).pipe(Effect.orDie)
})

/** A layer, and what waits until its read model has all that was appended to its log. */
export const indexedStores = () => {
  let settle: Effect.Effect<void> = Effect.die(new Error("the stores are not there"))
  const readModel = Effect.gen(function* () {
    const indexes = yield* freshIndexes
    settle = yield* follow(indexes)
    return ElasticReadModel.layer(indexes)
  }).pipe(Layer.unwrap)
  return {
    stores: readModel.pipe(
      Layer.provideMerge(Layer.mergeAll(MemoryEventStore.layer, MemoryPersistence.layer)),
      Layer.provideMerge(MemoryDatabase.layer())
    ),
    settled: Effect.suspend(() => settle)
  }
}
