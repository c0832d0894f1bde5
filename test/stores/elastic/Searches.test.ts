import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as Connection from "../../../src/stores/elastic/Connection.ts"
import * as ElasticReadModel from "../../../src/stores/elastic/ElasticReadModel.ts"
import { ReadModel } from "../../../src/stores/ReadModel.ts"

/** What a server says once it has worked at a search for as long as it was allowed to. */
const outOfTime = {
  error: {
    root_cause: [{ type: "search_timeout_exception", reason: "Time exceeded", timed_out: true }],
    type: "search_phase_execution_exception",
    reason: "all shards failed"
  },
  status: 429
}
const tooBusy = {
  error: {
    root_cause: [{ type: "es_rejected_execution_exception", reason: "rejected execution" }],
    type: "es_rejected_execution_exception",
    reason: "rejected execution"
  },
  status: 429
}

const allShards = `"_shards":{"total":1,"successful":1,"skipped":0,"failed":0}`

const found = JSON.parse(`{${allShards},"hits":{"hits":[]}}`)

const product = { "content-type": "application/json", "x-elastic-product": "Elasticsearch" }

/** A server that answers everything so. */
const answering = (status: number, body: string) =>
  serving((_, response) => void response.writeHead(status, product).end(body))

const serving = (listener: Http.RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer(listener)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** Its searches never end: all others are answered, or nothing is. */
interface Slow {
  isAlive: boolean
  isSlow: boolean
  searches: number
}

const slowServer = Effect.fnUntraced(function* (timeoutMillis: number) {
  const state: Slow = { isAlive: true, isSlow: true, searches: 0 }
  const server = yield* serving((request, response) => {
    const isSearch = request.url?.includes("/_search") === true
    if (isSearch) state.searches++
    if (!state.isAlive || (isSearch && state.isSlow)) return
    response.writeHead(200, product).end(isSearch ? JSON.stringify(found) : "{}")
  })
  const { port } = server.address() as AddressInfo
  const connection = Connection.layer({ nodes: [`http://127.0.0.1:${port}`] })
  const built = yield* Layer.build(ElasticReadModel.layer({ timeoutMillis }).pipe(Layer.provide(connection)))
  return { state, model: Context.get(built, ReadModel) }
})

it.live("takes a search that is slow for no outage, however often, while the server gives a sign of life", () =>
  Effect.gen(function* () {
    const { model, state } = yield* slowServer(200)
    for (let count = 0; count < 5; count++) {
      const wide = yield* Effect.flip(model.searchTransactions({ q: "a* b*", limit: 1 }))
      assert.strictEqual(wide._tag, "QueryTooWide")
      const busy = yield* Effect.flip(model.searchTransactions({ q: "coffee", limit: 1 }))
      assert.strictEqual(busy._tag, "StoreUnavailable")
      assert.include(busy.message, "is too busy: a search was not done within 200 ms")
      state.isSlow = false
      // No circuit has opened, and none has to be closed.
      assert.deepStrictEqual((yield* model.searchTransactions({ q: "coffee", limit: 1 })).data, [])
      state.isSlow = true
    }
    assert.strictEqual(state.searches, 15)
  }).pipe(Effect.scoped)
)

it.live("takes a server that gives no sign of life for one that is away, and asks it no more", () =>
  Effect.gen(function* () {
    const { model, state } = yield* slowServer(200)
    state.isAlive = false
    for (let count = 0; count < 5; count++) {
      const away = yield* Effect.flip(model.searchTransactions({ q: "a*", limit: 1 }))
      assert.strictEqual(away._tag, "StoreUnavailable")
      assert.include(away.message, "no answer within")
    }
    assert.strictEqual(state.searches, 1)
  }).pipe(Effect.scoped)
)

const failuresOf = Effect.fnUntraced(function* (status: number, body: string) {
  const server = yield* answering(status, body)
  const { port } = server.address() as AddressInfo
  const connection = Connection.layer({ nodes: [`http://127.0.0.1:${port}`] })
  const asked = Effect.gen(function* () {
    const model = yield* ReadModel
    const by = (q?: string) => Effect.flip(model.searchTransactions({ q, limit: 1 }))
    const prefix = yield* by("c*")
    const stats = yield* Effect.flip(model.stats({ interval: "day" }))
    return { prefix, stats, words: yield* by("coffee") }
  })
  return yield* asked.pipe(Effect.provide(ElasticReadModel.layer()), Effect.provide(connection))
}, Effect.scoped)

it.live("refuses beginnings of words and statistics that time runs out for, with what to narrow", () =>
  Effect.gen(function* () {
    const { prefix, stats, words } = yield* failuresOf(429, JSON.stringify(outOfTime))
    assert.strictEqual(prefix._tag, "QueryTooWide")
    assert.match(prefix.message, /ask for more of the word, or name an ownerId, a walletId or a time/)
    assert.strictEqual(stats._tag, "QueryTooWide")
    assert.match(stats.message, /name an ownerId, a currency or a shorter time/)
    // Any server in order has time enough for it.
    assert.strictEqual(words._tag, "StoreUnavailable")
  })
)

it.live("takes a server that is too busy for one that is away", () =>
  Effect.gen(function* () {
    for (const failure of Object.values(yield* failuresOf(429, JSON.stringify(tooBusy)))) {
      assert.strictEqual(failure._tag, "StoreUnavailable")
    }
  })
)

it.live("takes an index that is gone, or is another one than ours, for a server that is away", () =>
  Effect.gen(function* () {
    const gone = { type: "index_not_found_exception", reason: "no such index [wallet-transactions]" }
    const foreign = { type: "query_shard_exception", reason: "No mapping found for [position] in order to sort on" }
    for (const [status, cause] of [
      [404, gone],
      [400, foreign]
    ] as const) {
      const body = JSON.stringify({ error: { root_cause: [cause], ...cause }, status })
      for (const failure of Object.values(yield* failuresOf(status, body))) {
        assert.strictEqual(failure._tag, "StoreUnavailable")
        assert.include(failure.message, cause.reason)
      }
    }
  })
)

it.live("takes nothing for an answer that is none", () =>
  Effect.gen(function* () {
    for (const body of ["{}", `{"hits":{}}`, `{"hits":{"hits":[{"_sour`]) {
      const { words } = yield* failuresOf(200, body)
      assert.strictEqual(words._tag, "StoreUnavailable", body)
    }
    const { words } = yield* failuresOf(200, `{${allShards},"hits":{"hits":[{"_source":{"id":1}}]}}`)
    assert.strictEqual(words._tag, "StoreDefect")
  })
)

it.live("takes a part of an answer for none, and says what it lacks", () =>
  Effect.gen(function* () {
    const found = `"hits":{"hits":[]}`
    for (const [shards, lacks] of [
      [`{"total":2,"successful":1,"skipped":0,"failed":1}`, "1 of 2 shards"],
      // One that is nowhere counts neither as successful nor as failed.
      [`{"total":2,"successful":1,"skipped":0,"failed":0}`, "1 of 2 shards"],
      [`{"total":1}`, "NaN of 1 shards"]
    ] as const) {
      for (const failure of Object.values(yield* failuresOf(200, `{"_shards":${shards},${found}}`))) {
        assert.strictEqual(failure._tag, "StoreUnavailable")
        assert.include(failure.message, lacks)
      }
    }
    const late = yield* failuresOf(200, `{"timed_out":true,${allShards},${found}}`)
    assert.deepStrictEqual(
      [late.prefix._tag, late.stats._tag, late.words._tag],
      ["QueryTooWide", "QueryTooWide", "StoreUnavailable"]
    )
  })
)
