/** Search over HTTP: each filter on stores in memory, and what is told when search does not answer. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  maxMetadataFilters,
  maxMetadataKeyLength,
  maxMetadataValueLength,
  maxTextLength
} from "../../src/domain/Limits.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { QueryTooWide, StoreUnavailable } from "../../src/stores/StoreError.ts"
import { searchCases } from "./searchCases.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

searchCases("search over HTTP", WalletEngine.layerMemory)

layer(Server.layerWith(WalletEngine.layerMemory), { excludeTestServices: true })("the query of a search", (it) => {
  it.effect("takes a cursor in the list that has answered it, and in no other", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const [one, two] = [yield* wallet(), yield* wallet()]
      const post = (path: string, key: string, body: unknown) => call("POST", path, { key, body })
      for (const key of ["1", "2"]) {
        yield* post(`/v1/wallets/${one}/credit`, `c${key}`, { amount: "100" })
        yield* post(`/v1/wallets/${one}/holds`, `h${key}`, { amount: "1" })
        yield* post("/v1/transfers", `t${key}`, { from: one, to: two, amount: "1" })
      }
      const lists = ["/v1/wallets", "/v1/transactions", "/v1/transfers", "/v1/holds", "/v1/keys"].concat(
        `/v1/wallets/${one}/transactions`,
        `/v1/wallets/${one}/holds`
      )
      const cursors = yield* Effect.forEach(lists, (list) =>
        Effect.map(call("GET", `${list}?limit=1`), ({ json }) => json.next as string)
      )
      for (const [at, list] of lists.entries()) {
        for (const [from, cursor] of cursors.entries()) {
          const { json, status } = yield* call("GET", `${list}?limit=1&cursor=${cursor}`)
          assert.strictEqual(status, from === at ? 200 : 400, `${lists[from]}'s in ${list}`)
          if (from !== at) assert.deepInclude(json, { code: "InvalidRequest" })
        }
      }
      // The list of transfers is one, whichever store answers.
      const ofSearch = yield* call("GET", `/v1/transfers?ownerId=owner&limit=1&cursor=${cursors[2]}`)
      assert.deepStrictEqual([ofSearch.status, ofSearch.json.data.length], [200, 1])
    })
  )

  it.effect("is told by names apart from values, and says which key stands twice", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      for (const value of ["__proto__%3Db", "a__proto__%3D", "__proto__", "a%26__proto__%3Db"]) {
        assert.strictEqual((yield* call("GET", `/v1/transactions?reference=${value}`)).status, 200, value)
      }
      for (const name of ["__proto__", "%5F_proto__", "_%5fproto_%5F"]) {
        const { json } = yield* call("GET", `/v1/transactions?reference=a&${name}=b`)
        assert.deepInclude(json, { code: "InvalidRequest", detail: "__proto__ is not a parameter" }, name)
      }
      for (const second of ["metadata[a]=2", "metadata%5Ba%5D=1", "metadata[%61]"]) {
        const { json } = yield* call("GET", `/v1/transactions?metadata[a]=1&${second}`)
        const detail = "query metadata[a]: this key stands twice"
        assert.deepInclude(json, { code: "InvalidRequest", detail }, second)
      }
    })
  )

  it.effect("may be as long as all its texts may be, and beyond that is refused as a whole", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const long = (length: number, last = "") => "漢".repeat(length - last.length) + last
      const metadata = Object.fromEntries(
        Array.from({ length: maxMetadataFilters }, (_, at) => [
          long(maxMetadataKeyLength, String(at)),
          long(maxMetadataValueLength)
        ])
      )
      const id = yield* wallet()
      const reference = long(maxTextLength)
      const body = { amount: "1", reference, metadata }
      assert.strictEqual((yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body })).status, 201)
      const time = encodeURIComponent("1970-01-01T00:00:00.000000000+00:00")
      const query = new URLSearchParams({ ownerId: "owner", currency: "EUR", walletId: id, type: "credit", reference })
      for (const [key, value] of Object.entries(metadata)) query.append(`metadata[${key}]`, value)
      query.append("q", `${reference.slice(0, -1)}*`)
      const path = `/v1/transactions?${query}&from=${time}&minAmount=0&maxAmount=${"9".repeat(30)}&limit=200`
      const { json, status } = yield* call("GET", path)
      assert.deepStrictEqual([status, json.data?.length], [200, 1])
      const longer = yield* call("GET", `${path}&x=${"x".repeat(20_000)}`)
      assert.deepStrictEqual([longer.status, longer.json.code], [431, "InvalidRequest"])
    })
  )
})

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
