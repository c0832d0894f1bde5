/** What happens to a search index and its server, and what its writer is told: on a real server of this file's own. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { InvalidRequest } from "../../../src/domain/Rejection.ts"
import * as Connection from "../../../src/stores/elastic/Connection.ts"
import * as ElasticReadModel from "../../../src/stores/elastic/ElasticReadModel.ts"
import * as ElasticSearchIndex from "../../../src/stores/elastic/ElasticSearchIndex.ts"
import * as Searches from "../../../src/stores/elastic/Searches.ts"
import type { SearchDocument } from "../../../src/stores/SearchIndex.ts"
import type { QueryTooWide, ReadError } from "../../../src/stores/StoreError.ts"
import { sampleHold, sampleTransaction, sampleWallet } from "../../../src/testing/contract/SearchIndexContract.ts"
import { freshIndexPrefix, ownElasticsearchPresent, TestElasticsearch } from "../../support/elasticsearch.ts"

const logId = "log-1"

const indexOf = Effect.fnUntraced(function* (
  options: ElasticSearchIndex.ElasticSearchIndexOptions = {},
  timeoutMillis = 60_000
) {
  const { url } = yield* TestElasticsearch
  return ElasticSearchIndex.make(yield* Connection.make({ nodes: [url], timeoutMillis }), {
    prefix: freshIndexPrefix(),
    ...options
  })
})

/** With its prefix, opened. */
const opened = Effect.fnUntraced(function* (options: ElasticSearchIndex.ElasticSearchIndexOptions = {}) {
  const prefix = options.prefix ?? freshIndexPrefix()
  const index = yield* indexOf({ ...options, prefix })
  assert.deepStrictEqual(yield* index.open(logId), { _tag: "Ready" })
  return { index, prefix, server: yield* TestElasticsearch }
})

const transactions = (count: number): ReadonlyArray<SearchDocument> =>
  Array.from({ length: count }, (_, version) => sampleTransaction("w", version))

const withReference = (version: number, reference: string): SearchDocument => {
  const document = sampleTransaction("w", version)
  return document.kind === "transaction"
    ? { ...document, transaction: { ...document.transaction, reference } }
    : document
}

describe.skipIf(!ownElasticsearchPresent)("Elasticsearch at fault", () => {
  // As Elasticsearch is by itself: what is written to an index that is not there makes it, unless the write forbids that.
  const settings = { "http.max_content_length": "1mb", "action.auto_create_index": "true" }
  layer(TestElasticsearch.layer({ settings }), {
    excludeTestServices: true,
    timeout: 900_000
  })((it) => {
    it.effect("refuses one document of a thousand by its strict mapping, and takes the others", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        const name = `${prefix}-wallets-000001`
        yield* server.request("DELETE", `/${name}`)
        yield* server.request("PUT", `/${name}`, {
          mappings: { dynamic: "strict", properties: { id: { type: "keyword" } } },
          aliases: { [`${prefix}-wallets`]: {} }
        })
        const letters = yield* index.current.write([...transactions(999), sampleWallet("w", 7)])
        assert.strictEqual(letters.length, 1)
        assert.deepInclude(letters[0], { kind: "wallet", id: "w", walletId: "w", version: 7 })
        assert.match(letters[0]!.reason, /strict_dynamic_mapping_exception/)
        yield* index.current.refresh
        assert.strictEqual(yield* index.current.count("transaction"), 999)
      })
    )

    it.effect("refuses a document with a term that is too long, and takes the others", () =>
      Effect.gen(function* () {
        const { index } = yield* opened()
        const letters = yield* index.current.write([
          withReference(1, "x".repeat(32_767)),
          withReference(2, "é".repeat(512)),
          withReference(3, "\u{1F600}".repeat(512))
        ])
        assert.deepStrictEqual(
          letters.map(({ id }) => id),
          ["w.1"]
        )
        assert.match(letters[0]!.reason, /immense|32766|too (?:long|large)/i)
        yield* index.current.refresh
        assert.strictEqual(yield* index.current.count("transaction"), 2)
      })
    )

    it.effect("is given a bulk beyond what it takes in parts", () =>
      Effect.gen(function* () {
        const { index } = yield* opened()
        const large = Array.from({ length: 60 }, (_, version) => withReference(version, "x".repeat(30_000)))
        assert.deepStrictEqual(yield* index.current.write(large), [])
        yield* index.current.refresh
        assert.strictEqual(yield* index.current.count("transaction"), 60)
      })
    )

    it.effect("takes no writes while its disk is full, and takes them again", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        const block = (value: boolean | null) =>
          server.request("PUT", `/${prefix}-*/_settings`, { "index.blocks.read_only_allow_delete": value })
        yield* block(true)
        const failure = yield* Effect.flip(index.current.write(transactions(3)))
        assert.strictEqual(failure._tag, "StoreUnavailable")
        assert.match(failure.reason, /cluster_block_exception/)
        assert.strictEqual((yield* Effect.flip(index.current.saveCheckpoint(1n)))._tag, "StoreUnavailable")
        yield* block(null)
        assert.deepStrictEqual(yield* index.current.write(transactions(3)), [])
      })
    )

    it.effect("refuses every document by a pipeline that is not there: that is no document's fault", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        const pipeline = (name: string) =>
          server.request("PUT", `/${prefix}-transactions/_settings`, { "index.default_pipeline": name })
        yield* pipeline("no-such-pipeline")
        const failure = yield* Effect.flip(index.current.write([...transactions(3), sampleWallet("w", 1)]))
        assert.include(failure.reason, "no-such-pipeline")
        yield* pipeline("_none")
        assert.deepStrictEqual(yield* index.current.write(transactions(3)), [])
      })
    )

    it.effect("keeps the write block that an operator has set, and lifts the one that a rebuild has left", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        const blocked = Effect.map(
          server.request("GET", `/${prefix}-*/_settings?filter_path=*.settings.index.blocks`),
          ({ body }) => Object.keys(body as object)
        )
        const holds = `${prefix}-holds-000001`
        assert.strictEqual((yield* server.request("PUT", `/${holds}/_block/write`)).status, 200)
        yield* index.open(logId)
        const held = yield* Scope.make()
        yield* Scope.provide(index.holdWrites!, held)
        assert.lengthOf(yield* blocked, 5)
        assert.strictEqual((yield* Effect.flip(index.current.write(transactions(1))))._tag, "StoreUnavailable")
        // As another process finds what one that was killed has left.
        yield* (yield* indexOf({ prefix })).open(logId)
        assert.deepStrictEqual(yield* blocked, [holds])
        assert.deepStrictEqual(yield* index.current.write(transactions(1)), [])
        yield* Scope.close(held, Exit.void)
        assert.deepStrictEqual(yield* blocked, [holds])
        assert.deepStrictEqual(yield* index.open(logId), { _tag: "Ready" })
        const failure = yield* Effect.flip(index.current.write([sampleHold("w", 1)]))
        assert.match(failure.reason, /cluster_block_exception/)
      })
    )

    it.effect("is away for a search whose index is closed or gone, and says which", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        const model = ElasticReadModel.make(
          yield* Searches.make(yield* Connection.make({ nodes: [server.url], timeoutMillis: 60_000 }), prefix, 60_000)
        )
        const name = `${prefix}-transfers-000001`
        const failure = Effect.flip(model.searchTransfers({ limit: 5 }))
        yield* server.request("POST", `/${name}/_close`)
        const closed = yield* failure
        assert.strictEqual(closed._tag, "StoreUnavailable")
        assert.match(closed.message, /index_closed_exception/)
        assert.include(JSON.stringify(yield* index.open(logId)), `${name} is closed`)
        yield* server.request("POST", `/${name}/_open`)
        assert.deepStrictEqual(yield* index.open(logId), { _tag: "Ready" })
        yield* server.request("DELETE", `/${name}`)
        const gone = yield* failure
        assert.strictEqual(gone._tag, "StoreUnavailable")
        assert.match(gone.message, /is gone/)
      })
    )

    it.effect("says which index was deleted by hand, makes none by a write, and is rebuilt", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        yield* server.request("DELETE", `/${prefix}-transactions-000001`)
        assert.strictEqual((yield* Effect.flip(index.current.write(transactions(3))))._tag, "StoreDefect")
        const state = yield* index.open(logId)
        assert.strictEqual(state._tag, "Unfit")
        assert.include(JSON.stringify(state), `${prefix}-transactions`)
        assert.include(JSON.stringify(state), "wallet replay --target readModel")
        yield* Effect.scoped(Effect.andThen(index.next(logId), index.swap))
        assert.deepStrictEqual(yield* index.open(logId), { _tag: "Ready" })
        assert.strictEqual(yield* index.dropOld(logId), 1)
        yield* server.request("DELETE", `/${prefix}-meta-000002`)
        assert.strictEqual((yield* Effect.flip(index.current.checkpoint))._tag, "StoreDefect")
        assert.strictEqual((yield* Effect.flip(index.current.saveCheckpoint(1n)))._tag, "StoreDefect")
      })
    )

    it.effect("knows an alias that leads to a foreign index", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        const foreign = `foreign-${prefix}`
        yield* server.request("PUT", `/${foreign}`)
        yield* server.request("POST", "/_aliases", {
          actions: [
            { remove: { index: `${prefix}-holds-000001`, alias: `${prefix}-holds` } },
            { remove: { index: `${prefix}-transactions-000001`, alias: `${prefix}-transactions` } },
            { add: { index: foreign, alias: `${prefix}-transactions` } },
            { add: { index: foreign, alias: `${prefix}-holds` } }
          ]
        })
        const failure = yield* Effect.flip(index.current.write(transactions(1)))
        assert.strictEqual(failure._tag, "StoreDefect")
        assert.include(failure.reason, foreign)
        const state = yield* index.open(logId)
        assert.strictEqual(state._tag, "Unfit")
        assert.include(JSON.stringify(state), foreign)
      })
    )

    it.effect("goes on with a mapping that was changed by hand, and says so", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        const changed = yield* server.request("PUT", `/${prefix}-transfers/_mapping`, {
          properties: { color: { type: "keyword" } }
        })
        assert.strictEqual(changed.status, 200)
        const state = yield* index.open(logId)
        assert.strictEqual(state._tag, "Outdated")
        assert.include(JSON.stringify(state), "color")
        assert.deepStrictEqual(yield* index.current.write(transactions(1)), [])
      })
    )

    it.effect("belongs to one of two logs that claim one prefix at once, and to both services of one log", () =>
      Effect.gen(function* () {
        const prefix = freshIndexPrefix()
        const first = yield* indexOf({ prefix })
        const second = yield* indexOf({ prefix })
        const open = (index: typeof first, log: string) =>
          Effect.match(index.open(log), { onSuccess: ({ _tag }) => _tag, onFailure: () => "failed" })
        yield* Effect.all([open(first, "a"), open(second, "b")], { concurrency: 2 })
        const states = [yield* open(first, "a"), yield* open(second, "b")]
        assert.deepStrictEqual(states.toSorted(), ["Foreign", "Ready"])
        const shared = freshIndexPrefix()
        const both = [yield* indexOf({ prefix: shared }), yield* indexOf({ prefix: shared })]
        assert.deepStrictEqual(yield* Effect.forEach(both, (index) => open(index, "a"), { concurrency: 2 }), [
          "Ready",
          "Ready"
        ])
      })
    )

    // What they wait for is signs of life that do not come.
    const together = { concurrent: true }

    it.effect(
      "gives the next set to one builder, and to another when the first one shows no life",
      () =>
        Effect.gen(function* () {
          const { index, prefix, server } = yield* opened()
          const other = yield* indexOf({ prefix })
          yield* Effect.scoped(
            Effect.gen(function* () {
              const set = yield* index.next(logId)
              yield* set!.saveCheckpoint(5n)
              assert.isUndefined(yield* other.next(logId))
            })
          )
          const left = yield* server.request("PUT", `/${prefix}-meta-000002/_doc/lock`, { owner: "dead" })
          assert.strictEqual(left.status, 200)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const set = yield* other.next(logId)
              assert.strictEqual(yield* set!.checkpoint, 5n)
            })
          )
        }),
      together
    )

    it.effect(
      "gives the next set to one builder, also of another release with another mapping",
      () =>
        Effect.gen(function* () {
          const { index, prefix, server } = yield* opened()
          // What a release with another mapping has begun, and fills.
          const name = `${prefix}-meta-000002`
          const made = yield* server.request("PUT", `/${name}`, {
            mappings: { _meta: { by: "effect-wallet", log: logId, mapping: "another" } }
          })
          assert.strictEqual(made.status, 200)
          let beats = 0
          const beat = Effect.suspend(() =>
            server.request("PUT", `/${name}/_doc/lock`, { owner: "other", beats: beats++ })
          )
          const living = yield* Effect.forkChild(Effect.repeat(beat, Schedule.spaced("500 millis")))
          yield* Effect.repeat(server.request("GET", `/${name}/_doc/lock`), {
            schedule: Schedule.spaced("20 millis"),
            until: ({ status }) => status === 200
          })
          assert.isUndefined(yield* Effect.scoped(index.next(logId)))
          yield* Fiber.interrupt(living)
          yield* Effect.scoped(
            Effect.gen(function* () {
              assert.isDefined(yield* index.next(logId))
              yield* index.swap
            })
          )
          assert.deepStrictEqual(yield* index.open(logId), { _tag: "Ready" })
        }),
      together
    )

    it.effect("makes no index by what is written late to a set that was dropped", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        const names = Effect.map(server.request("GET", `/${prefix}-*`), ({ body }) => Object.keys(body as object))
        const before = yield* names
        yield* Effect.scoped(
          Effect.gen(function* () {
            const set = yield* index.next(logId)
            assert.deepStrictEqual(yield* set!.write(transactions(1)), [])
            const made = (yield* names).filter((name) => name.endsWith("-000002"))
            const { status } = yield* server.request("DELETE", `/${made.join(",")}`)
            assert.strictEqual(status, 200)
            assert.strictEqual((yield* Effect.flip(set!.write(transactions(3))))._tag, "StoreDefect")
            assert.strictEqual((yield* Effect.flip(set!.saveCheckpoint(1n)))._tag, "StoreDefect")
          })
        )
        // Its builder has given back what is not there any more, too.
        assert.deepStrictEqual(yield* names, before)
      })
    )

    it.effect("answers nothing in part: what lacks a shard is no answer", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        yield* index.current.write(transactions(3))
        yield* index.current.refresh
        // Its only shard is nowhere.
        const lost = yield* server.request("PUT", `/${prefix}-transactions-000009?wait_for_active_shards=0`, {
          settings: { "index.number_of_replicas": 0, "index.routing.allocation.require._name": "no-such-node" },
          mappings: { properties: { walletId: { type: "keyword" }, position: { type: "long" } } },
          aliases: { [`${prefix}-transactions`]: {} }
        })
        assert.strictEqual(lost.status, 200)
        const { current } = index
        const model = ElasticReadModel.make(
          yield* Searches.make(yield* Connection.make({ nodes: [server.url], timeoutMillis: 60_000 }), prefix, 60_000)
        )
        const asked: ReadonlyArray<Effect.Effect<unknown, ReadError | QueryTooWide | InvalidRequest>> = [
          current.searchable,
          current.count("transaction"),
          current.walletIds({ after: "", limit: 5 }),
          current.documentsOf(["w"]),
          model.searchTransactions({ walletId: "w", limit: 5 }),
          model.stats({ interval: "day" })
        ]
        for (const question of asked) assert.strictEqual((yield* Effect.flip(question))._tag, "StoreUnavailable")
        yield* server.request("DELETE", `/${prefix}-transactions-000009`)
        assert.strictEqual(yield* current.count("transaction"), 3)
        assert.strictEqual((yield* model.searchTransactions({ walletId: "w", limit: 5 })).data.length, 3)
      })
    )

    it.effect("loses nothing that it has answered when it is killed in a bulk, and takes it again", () =>
      Effect.gen(function* () {
        const { index, server } = yield* opened({ bulkBytes: 200_000 })
        const documents = transactions(4_000)
        yield* index.current.write(documents.slice(0, 100))
        const writing = yield* Effect.forkChild(Effect.result(index.current.write(documents.slice(100))))
        yield* Effect.repeat(Effect.andThen(index.current.refresh, index.current.count("transaction")), {
          until: (count) => count > 100
        })
        yield* server.kill
        const result = yield* Fiber.join(writing)
        assert.strictEqual(result._tag === "Failure" ? result.failure._tag : "", "StoreUnavailable")
        yield* server.start
        yield* index.current.refresh
        assert.isAtLeast(yield* index.current.count("transaction"), 100)
        assert.deepStrictEqual(yield* index.current.write(documents), [])
        yield* index.current.refresh
        assert.strictEqual(yield* index.current.count("transaction"), 4_000)
      })
    )

    it.effect("is away when it does not answer in time, and what it does later harms nothing", () =>
      Effect.gen(function* () {
        const { index, prefix, server } = yield* opened()
        const hasty = yield* indexOf({ prefix, bulkTimeoutMillis: 500 }, 500)
        yield* server.freeze
        const failure = yield* Effect.flip(hasty.current.write(transactions(3)))
        assert.strictEqual(failure._tag, "StoreUnavailable")
        assert.match(failure.reason, /127\.0\.0\.1:\d+: no answer within 500 ms/)
        assert.strictEqual((yield* Effect.flip(hasty.open(logId)))._tag, "StoreUnavailable")
        yield* server.thaw
        yield* index.current.write(transactions(3))
        yield* index.current.refresh
        assert.strictEqual(yield* index.current.count("transaction"), 3)
      })
    )

    it.effect("is empty and in order when it has lost all its data", () =>
      Effect.gen(function* () {
        const { index, server } = yield* opened()
        yield* index.current.saveCheckpoint(7n)
        yield* server.kill
        assert.match((yield* Effect.flip(index.open(logId))).reason, /cannot be reached/)
        yield* server.loseData
        yield* server.start
        assert.strictEqual((yield* Effect.flip(index.current.write(transactions(1))))._tag, "StoreDefect")
        assert.deepStrictEqual(yield* index.open(logId), { _tag: "Ready" })
        assert.strictEqual(yield* index.current.checkpoint, 0n)
      })
    )
  })
})
