import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
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

/** A server that answers everything so. */
const answering = (status: number, body: string) =>
  Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer((_, response) => {
        response.writeHead(status, { "content-type": "application/json", "x-elastic-product": "Elasticsearch" })
        response.end(body)
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
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
    const { words } = yield* failuresOf(200, `{"hits":{"hits":[{"_source":{"id":1}}]}}`)
    assert.strictEqual(words._tag, "StoreDefect")
  })
)
