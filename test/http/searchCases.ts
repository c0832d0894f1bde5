/** Each filter of each list, asked over HTTP. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { HoldPage, StatsJson, TransactionPage, TransferPage, WalletPage } from "../../src/http/api/Schemas.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const q = encodeURIComponent
const strange = { "a b": "é&=#", "ключ.v": "x+y", __proto__x: "1", '"': "\\" }
const strangePairs = Object.entries(strange)
  .map(([key, value]) => `metadata[${q(key)}]=${q(value)}`)
  .join("&")

const get = Effect.fnUntraced(function* (path: string) {
  const { call } = yield* TestServer
  const reply = yield* call("GET", path)
  if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.text}`)
  return reply.json
})

const post = Effect.fnUntraced(function* (path: string, key: string, body: unknown) {
  const { call } = yield* TestServer
  const reply = yield* call("POST", path, { key, body })
  if (reply.status !== 201) throw new Error(`${path}: ${reply.status} ${reply.text}`)
  return reply.json
})

/** What a page has, by what it is called here; newest first, as it came. */
const namesIn = Effect.fnUntraced(function* (path: string, names: Readonly<Record<string, string>>) {
  const { data } = yield* get(path)
  return (data as ReadonlyArray<{ readonly id: string }>).map(({ id }) => names[id] ?? id).join(" ")
})

type Rows = ReadonlyArray<readonly [query: string, found: string]>

const finds = Effect.fnUntraced(function* (list: string, names: Readonly<Record<string, string>>, rows: Rows) {
  for (const [query, found] of rows) {
    assert.strictEqual(yield* namesIn(`${list}?${query}`, names), found, `${list}?${query}`)
  }
})

const expiresAt = "2990-01-01T00:00:00.000Z"
const past = "2020-01-01T00:00:00Z"
const future = "2990-01-01T00:00:00Z"

/** Two owners, three wallets and what they do. */
const furnish = Effect.gen(function* () {
  const w = (id: string) => `/v1/wallets/${id}`
  const metadata = { plan: "gold", ...strange }
  yield* post("/v1/wallets", "ann-1", { id: "ann-1", ownerId: "ann", currency: "EUR", metadata })
  yield* post("/v1/wallets", "ann-2", { id: "ann-2", ownerId: "ann", currency: "USD", metadata: { plan: "free" } })
  yield* post("/v1/wallets", "ben-1", { id: "ben-1", ownerId: "ben", currency: "EUR" })
  const first = yield* post(`${w("ann-1")}/credit`, "pay-1", { amount: "1000", reference: "INV-1", metadata })
  const second = yield* post(`${w("ann-2")}/credit`, "pay-1", {
    amount: "20",
    reference: "INV-10",
    metadata: { plan: "" }
  })
  const { hold } = yield* post(`${w("ann-1")}/holds`, "hold-1", {
    amount: "30",
    reference: "order 7",
    metadata,
    expiresAt
  })
  const held = yield* post(`${w("ann-2")}/holds`, "hold-2", { amount: "5" })
  const captured = yield* post(`${w("ann-1")}/holds/${hold.id}/capture`, "take-1", {})
  const sent = yield* post("/v1/transfers", "send-1", {
    from: "ann-1",
    to: "ben-1",
    amount: "300",
    reference: "rent",
    metadata: { month: "May", ...strange }
  })
  const back = yield* post("/v1/transfers", "send-1", { from: "ben-1", to: "ann-1", amount: "7" })
  const [transferId, backId] = [sent.transfer.id, back.transfer.id]
  const { data: moved } = yield* get(`/v1/transactions?transferId=${transferId}`)
  const names: Record<string, string> = {
    [first.transaction.id]: "first",
    [second.transaction.id]: "second",
    [captured.transaction.id]: "captured",
    [hold.id]: "h1",
    [held.hold.id]: "h2",
    [transferId]: "sent",
    [backId]: "back"
  }
  for (const { id, type } of moved) names[id] = type === "transfer_in" ? "in" : "out"
  for (const { id, type } of (yield* get(`/v1/transactions?transferId=${backId}`)).data) {
    names[id] = type === "transfer_in" ? "backIn" : "backOut"
  }
  return {
    names,
    transferId,
    backId,
    holdId: hold.id,
    transactionId: first.transaction.id,
    credited: first.transaction
  }
})

/** The same questions to an engine on any stores, where search is no later than the rows. */
export const searchCases = (name: string, engine: Layer.Layer<WalletEngine>, timeout?: number) =>
  layer(Server.layerWith(engine), { excludeTestServices: true, ...(timeout === undefined ? {} : { timeout }) })(
    name,
    (it) => {
      it.effect("finds by every filter, and by any of them together", () =>
        Effect.gen(function* () {
          const { call } = yield* TestServer
          const { backId, credited, holdId, names, transactionId, transferId } = yield* furnish
          yield* finds("/v1/wallets", names, [
            ["", "ben-1 ann-2 ann-1"],
            ["ownerId=ann", "ann-2 ann-1"],
            ["currency=EUR", "ben-1 ann-1"],
            ["metadata[plan]=gold", "ann-1"],
            ["metadata%5Bplan%5D=free", "ann-2"],
            ["metadata[plan]=Gold", ""],
            ["metadata[__proto__]=x", ""],
            ["metadata[constructor]=x", ""],
            [strangePairs, "ann-1"],
            [`${strangePairs}&metadata[plan]=gold`, "ann-1"],
            [`${strangePairs}&metadata[plan]=free`, ""],
            [`from=${past}`, "ben-1 ann-2 ann-1"],
            [`from=${future}`, ""],
            [`to=${past}`, ""],
            [`from=${future}&to=${past}`, ""],
            ["minBalance=0&maxBalance=100", "ann-2"],
            ["q=ann*&status=active", "ann-2 ann-1"],
            ["q=gold", "ann-1"],
            ["ownerId=ann&metadata[plan]=gold&currency=EUR&minBalance=1&q=ann-1", "ann-1"]
          ])
          yield* finds("/v1/transactions", names, [
            ["", "backIn backOut in out captured second first"],
            ["walletId=ben-1", "backOut in"],
            ["ownerId=ben", "backOut in"],
            ["currency=USD", "second"],
            ["type=credit", "second first"],
            [`from=${past}&type=credit`, "second first"],
            [`to=${past}`, ""],
            [`from=${credited.createdAt}&to=${credited.createdAt}&reference=INV-1`, "first"],
            ["minAmount=300", "in out first"],
            ["maxAmount=20", "backIn backOut second"],
            ["minAmount=20&maxAmount=30", "captured second"],
            ["minAmount=0&maxAmount=0", ""],
            ["reference=INV-1", "first"],
            ["reference=INV-", ""],
            ["reference=inv-1", ""],
            ["metadata[plan]=gold", "first"],
            ["metadata[plan]=", "second"],
            [strangePairs, "in out first"],
            ["metadata[month]=May&type=transfer_in", "in"],
            [`transferId=${transferId}`, "in out"],
            [`transferId=${backId}&type=transfer_out`, "backOut"],
            [`holdId=${holdId}`, "captured"],
            ["idempotencyKey=pay-1", "second first"],
            ["idempotencyKey=pay-1&walletId=ann-2", "second"],
            ["idempotencyKey=c:pay-1", ""],
            ["q=inv*", "second first"],
            ["q=ro*", ""],
            ["q=inv-1", "first"],
            [`q=${transactionId}`, "first"]
          ])
          yield* finds("/v1/transfers", names, [
            ["", "back sent"],
            ["walletId=ben-1&status=completed", "back sent"],
            ["ownerId=ben", "back sent"],
            ["currency=USD", ""],
            ["walletId=ann-1&minAmount=300", "sent"],
            ["maxAmount=7", "back"],
            ["reference=rent", "sent"],
            [`from=${past}`, "back sent"],
            [`to=${past}`, ""],
            ["metadata[month]=May", "sent"],
            [strangePairs, "sent"],
            ["idempotencyKey=send-1", "back sent"],
            ["idempotencyKey=send-1&q=may", "sent"],
            ["q=re*", "sent"],
            ["q=nothing", ""]
          ])
          yield* finds("/v1/holds", names, [
            ["", "h2 h1"],
            ["walletId=ann-1", "h1"],
            ["ownerId=ann", "h2 h1"],
            ["ownerId=ben", ""],
            ["currency=USD", "h2"],
            ["status=active", "h2"],
            ["status=captured", "h1"],
            [`expiresBefore=${expiresAt}`, ""],
            ["expiresBefore=2990-01-01T00:00:00.001Z", "h1"],
            ["minAmount=6", "h1"],
            ["maxAmount=5", "h2"],
            [`from=${past}&to=${future}`, "h2 h1"],
            [`from=${future}`, ""],
            ["reference=order+7", "h1"],
            ["reference=order", ""],
            ["q=order", "h1"],
            ["metadata[plan]=gold&status=captured", "h1"]
          ])
          const one = yield* call("GET", `/v1/transactions/${transactionId}`)
          assert.deepStrictEqual(one.json, credited)
          const lost = yield* call("GET", `/v1/transactions/${transferId}`)
          assert.deepInclude(lost.json, { status: 404, code: "TransactionNotFound" })
          assert.include(lost.json.detail, transferId)
        })
      )

      it.effect("pages through what it finds, each once, and a cursor goes on in whichever place it came from", () =>
        Effect.gen(function* () {
          const { call } = yield* TestServer
          const walked = Effect.fnUntraced(function* (path: string) {
            const ids: Array<string> = []
            let cursor = ""
            for (;;) {
              const { data, next } = yield* get(`${path}&limit=1${cursor}`)
              assert.isAtMost(data.length, 1)
              ids.push(...data.map(({ id }: { readonly id: string }) => id))
              if (next === null) return ids
              cursor = `&cursor=${next}`
            }
          })
          for (const path of [
            "/v1/transactions?ownerId=ann",
            "/v1/transfers?ownerId=ann",
            "/v1/transfers?walletId=ann-1",
            "/v1/holds?ownerId=ann",
            "/v1/wallets?ownerId=ann"
          ]) {
            const { data } = yield* get(path)
            assert.deepStrictEqual(
              yield* walked(path),
              data.map(({ id }: { readonly id: string }) => id),
              path
            )
          }
          // Both lists of transfers go by the same positions.
          for (const [one, other] of [
            ["walletId=ben-1", "walletId=ben-1&currency=EUR"],
            ["walletId=ben-1&currency=EUR", "walletId=ben-1"]
          ]) {
            const { next } = yield* get(`/v1/transfers?${one}&limit=1`)
            const { data } = yield* get(`/v1/transfers?${other}&cursor=${next}`)
            assert.deepStrictEqual(data, (yield* get(`/v1/transfers?${other}`)).data.slice(1))
          }
          const { next } = yield* get("/v1/holds?limit=1")
          for (const list of ["/v1/transactions", "/v1/transfers", "/v1/wallets"]) {
            assert.strictEqual((yield* call("GET", `${list}?cursor=${next}`)).json.code, "InvalidRequest", list)
          }
        })
      )

      it.effect("answers documents of the definition", () =>
        Effect.gen(function* () {
          const documents: ReadonlyArray<readonly [string, Schema.Codec<unknown, unknown>]> = [
            ["/v1/transactions?metadata[plan]=gold", TransactionPage],
            ["/v1/transfers?ownerId=ann", TransferPage],
            ["/v1/holds?ownerId=ann", HoldPage],
            ["/v1/wallets?metadata[plan]=gold", WalletPage],
            ["/v1/stats", StatsJson]
          ]
          for (const [path, schema] of documents) {
            const json = yield* get(path)
            const codec = Schema.toCodecJson(schema)
            const decoded = yield* Schema.decodeUnknownEffect(codec, { onExcessProperty: "error" })(json)
            assert.deepStrictEqual(yield* Schema.encodeEffect(codec)(decoded), json, path)
          }
        })
      )

      it.effect("adds transactions and wallets up", () =>
        Effect.gen(function* () {
          const { transactions, wallets } = yield* get(`/v1/stats?currency=EUR&from=${past}`)
          // Over midnight it is two days.
          const sums: Record<string, [count: number, sum: bigint]> = {}
          for (const { count, currency, start, sum, type } of transactions) {
            assert.strictEqual(currency, "EUR")
            assert.match(start, /^\d{4}-\d\d-\d\dT00:00:00\.000Z$/)
            const [counted, added] = sums[type] ?? [0, 0n]
            sums[type] = [counted + count, added + BigInt(sum)]
          }
          assert.deepStrictEqual(sums, {
            credit: [1, 1_000n],
            capture: [1, 30n],
            transfer_out: [2, 307n],
            transfer_in: [2, 307n]
          })
          assert.deepStrictEqual(wallets, [{ currency: "EUR", status: "active", count: 2, balance: "970" }])
          const ofBen = yield* get("/v1/stats?ownerId=ben&interval=month")
          assert.deepStrictEqual(ofBen.wallets, [{ currency: "EUR", status: "active", count: 1, balance: "293" }])
          assert.match(ofBen.transactions[0].start, /^\d{4}-\d\d-01T00:00:00\.000Z$/)
          const none = yield* get("/v1/stats?ownerId=nobody&interval=hour")
          assert.deepStrictEqual(none, { transactions: [], wallets: [] })
          assert.deepStrictEqual((yield* get(`/v1/stats?to=${past}`)).transactions, [])
        })
      )
    }
  )
