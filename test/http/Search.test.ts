/** Search over HTTP: each filter on stores in memory, and what is told when search does not answer. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { QueryTooWide, StoreUnavailable } from "../../src/stores/StoreError.ts"
import { searchCases } from "./searchCases.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

searchCases("search over HTTP", WalletEngine.layerMemory)

/** Search that is away; with a word, that is asked for too much. */
const without = Layer.effect(
  WalletEngine,
  Effect.map(WalletEngine, (engine) => {
    const failing = (query: { readonly q?: string | undefined; readonly currency?: string | undefined }) =>
      query.q === undefined && query.currency === undefined
        ? Effect.fail(new StoreUnavailable({ store: "readModel", reason: "10.0.0.1:9200", retryAfter: 2_000 }))
        : Effect.fail(new QueryTooWide({ detail: "name a walletId" }))
    return {
      ...engine,
      searchWallets: failing,
      searchTransactions: failing,
      searchTransfers: failing,
      searchHolds: failing,
      stats: failing
    }
  })
).pipe(Layer.provide(WalletEngine.layerMemory))

layer(Server.layerWith(without), { excludeTestServices: true })("search that does not answer", (it) => {
  it.effect("is a 503 with Retry-After, and too wide a query a 422 that says what to narrow", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      for (const list of [
        "/v1/wallets?",
        "/v1/transactions?",
        "/v1/transfers?ownerId=o&",
        "/v1/holds?",
        "/v1/stats?"
      ]) {
        const away = yield* call("GET", list)
        assert.deepInclude(away.json, { status: 503, code: "StoreUnavailable" }, list)
        assert.strictEqual(away.headers.get("retry-after"), "2")
        assert.notInclude(away.text, "10.0.0.1")
        const wide = yield* call("GET", `${list}currency=EUR`)
        assert.deepInclude(wide.json, { status: 422, code: "QueryTooWide", title: "Query too wide" }, list)
        assert.include(wide.json.detail, "name a walletId")
        assert.isNull(wide.headers.get("retry-after"))
      }
    })
  )

  it.effect("is not asked for transfers by wallet and status, nor for what a wallet has", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const { json } = yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "1" } })
      for (const path of [
        "/v1/transfers",
        `/v1/transfers?walletId=${id}&status=pending&limit=1`,
        `/v1/wallets/${id}/transactions`,
        `/v1/wallets/${id}/holds?status=active`,
        `/v1/transactions/${json.transaction.id}`
      ]) {
        assert.strictEqual((yield* call("GET", path)).status, 200, path)
      }
    })
  )
})
