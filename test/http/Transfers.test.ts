import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import type { Commit } from "../../src/domain/Commit.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { TransferReply, TransferJson, TransferPage } from "../../src/http/api/Schemas.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { conforms } from "./conforms.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

/** Refuses every receipt of 13. */
const rule = ({ events }: Commit) =>
  events.some(({ event }) => event._tag === "TransferReceived" && event.amount === 13n) ? "unlucky" : undefined

/** Fresh: the server's own stores in memory are without the rule. */
const engine = Layer.fresh(
  Layer.orDie(
    WalletEngine.layer({ bounds: defaultBounds, partitions: 16 }).pipe(Layer.provide(MemoryStores.layer({ rule })))
  )
)

let keys = 0

const wallets = Effect.gen(function* () {
  const { call, wallet } = yield* TestServer
  const from = yield* wallet()
  const to = yield* wallet()
  yield* call("POST", `/v1/wallets/${from}/credit`, { key: "fund", body: { amount: "100" } })
  return { call, from, to, wallet }
})

const send = Effect.fnUntraced(function* (body: Record<string, unknown>, key = `key-${++keys}`) {
  const { call } = yield* TestServer
  return yield* call("POST", "/v1/transfers", { key, body })
})

layer(Server.layerWith(engine), { excludeTestServices: true })("transfers over HTTP", (it) => {
  it.effect("answers 201 with the transfer, and again with the same key", () =>
    Effect.gen(function* () {
      const { call, from, to } = yield* wallets
      const body = { from, to, amount: "30", reference: "rent", metadata: { month: "5" } }
      const reply = yield* send(body, "t")
      assert.strictEqual(reply.status, 201, reply.text)
      assert.isNull(reply.headers.get("idempotency-replayed"))
      conforms(TransferReply, reply.json)
      assert.deepInclude(reply.json.transfer, {
        from,
        to,
        amount: "30",
        currency: "EUR",
        status: "completed",
        reason: null,
        reference: "rent",
        metadata: { month: "5" }
      })
      assert.deepStrictEqual(reply.json.durability, { committed: true, persisted: true, indexed: true })
      const again = yield* send(body, "t")
      assert.strictEqual(again.status, 201)
      assert.strictEqual(again.headers.get("idempotency-replayed"), "true")
      assert.deepStrictEqual(again.json, reply.json)
      const { id } = reply.json.transfer
      const read = yield* call("GET", `/v1/transfers/${id}`)
      assert.strictEqual(read.status, 200)
      assert.deepStrictEqual(read.json, reply.json.transfer)
      conforms(TransferJson, read.json)
      const committed = yield* call("POST", "/v1/transfers?await=committed", {
        key: "u",
        body: { ...body, amount: "1" }
      })
      assert.strictEqual(committed.status, 201)
      const { json: wallet } = yield* call("GET", `/v1/wallets/${to}`)
      assert.strictEqual(wallet.balance, "31")
    })
  )

  it.effect("lists transfers newest first, of a wallet as source or destination, by status, in pages", () =>
    Effect.gen(function* () {
      const { call, from, to, wallet } = yield* wallets
      const third = yield* wallet()
      yield* send({ from, to, amount: "10" })
      yield* send({ from: to, to: third, amount: "5" })
      yield* send({ from, to: third, amount: "13" })
      const amounts = (path: string) =>
        Effect.map(call("GET", path), (reply) => {
          assert.strictEqual(reply.status, 200, reply.text)
          conforms(TransferPage, reply.json)
          return reply.json.data.map((transfer: { readonly amount: string }) => transfer.amount)
        })
      assert.deepStrictEqual(yield* amounts(`/v1/transfers?walletId=${to}`), ["5", "10"])
      assert.deepStrictEqual(yield* amounts(`/v1/transfers?walletId=${third}`), ["13", "5"])
      assert.deepStrictEqual(yield* amounts(`/v1/transfers?walletId=${third}&status=completed`), ["5"])
      assert.deepStrictEqual(yield* amounts(`/v1/transfers?walletId=${third}&status=reversed`), ["13"])
      assert.deepStrictEqual(yield* amounts(`/v1/transfers?walletId=${third}&status=pending`), [])
      assert.deepStrictEqual(yield* amounts("/v1/transfers?walletId=nobody"), [])
      const first = yield* call("GET", "/v1/transfers?limit=2")
      assert.deepStrictEqual(
        first.json.data.map((transfer: { readonly amount: string }) => transfer.amount),
        ["13", "5"]
      )
      assert.strictEqual((yield* amounts(`/v1/transfers?limit=1&cursor=${first.json.next}`))[0], "10")
    })
  )

  it.effect("answers each refusal with its code, and the reversal with its reason", () =>
    Effect.gen(function* () {
      const { call, from, to, wallet } = yield* wallets
      const dollars = yield* wallet({ currency: "USD" })
      const closed = yield* wallet()
      const frozen = yield* wallet()
      yield* call("POST", `/v1/wallets/${closed}/close`, { key: "close" })
      yield* call("POST", `/v1/wallets/${frozen}/freeze`, { key: "freeze" })
      const cases: ReadonlyArray<readonly [Record<string, unknown>, number, string]> = [
        [{ from: "nope" }, 404, "WalletNotFound"],
        [{ to: "nope" }, 404, "WalletNotFound"],
        [{ to: closed }, 422, "WalletClosed"],
        [{ from: closed }, 422, "WalletClosed"],
        [{ from: frozen }, 422, "WalletFrozen"],
        [{ to: dollars }, 422, "CurrencyMismatch"],
        [{ to: from }, 422, "SameWallet"],
        [{ amount: "101" }, 422, "InsufficientFunds"],
        [{ amount: "0" }, 400, "InvalidRequest"],
        [{ amount: 10 }, 400, "InvalidRequest"],
        [{ to: "no id" }, 400, "InvalidRequest"],
        [{ currency: "EUR" }, 400, "InvalidRequest"],
        [{ to: undefined }, 400, "InvalidRequest"]
      ]
      for (const [fields, status, code] of cases) {
        const reply = yield* send({ from, to, amount: "10", ...fields })
        assert.deepStrictEqual([reply.status, reply.json.code], [status, code], JSON.stringify(fields))
        assert.strictEqual(reply.headers.get("content-type"), "application/problem+json")
      }
      for (let again = 0; again < 2; again++) {
        const reversed = yield* send({ from, to, amount: "13" }, "unlucky")
        assert.deepStrictEqual([reversed.status, reversed.json.code], [422, "TransferReversed"])
        assert.include(reversed.json.detail, "unlucky")
        assert.strictEqual(reversed.headers.get("idempotency-replayed"), again === 0 ? null : "true")
      }
      const { data } = (yield* call("GET", `/v1/transfers?walletId=${from}`)).json
      assert.deepStrictEqual(
        data.map(({ status }: { readonly status: string }) => status),
        ["reversed"]
      )
      assert.include(data[0].reason, "unlucky")
      const reused = yield* send({ from, to, amount: "14" }, "unlucky")
      assert.deepStrictEqual([reused.status, reused.json.code], [422, "IdempotencyKeyReused"])
    })
  )

  it.effect("asks for a key, a scope and a known id", () =>
    Effect.gen(function* () {
      const { call, from, to } = yield* wallets
      const { secrets } = yield* TestServer
      const body = { from, to, amount: "1" }
      assert.strictEqual((yield* call("POST", "/v1/transfers", { body })).json.code, "IdempotencyKeyMissing")
      const reader = yield* call("POST", "/v1/transfers", { key: "k", body, secret: secrets.read })
      assert.deepStrictEqual([reader.status, reader.json.code], [403, "Forbidden"])
      assert.strictEqual((yield* call("GET", "/v1/transfers", { secret: secrets.write })).status, 403)
      assert.strictEqual((yield* call("GET", "/v1/transfers", { secret: secrets.read })).status, 200)
      assert.strictEqual((yield* call("GET", "/v1/transfers", { secret: null })).status, 401)
      const unknown = yield* call("GET", "/v1/transfers/nope")
      assert.deepStrictEqual([unknown.status, unknown.json.code], [404, "TransferNotFound"])
      for (const path of ["/v1/transfers/no%20id", "/v1/transfers?status=lost", "/v1/transfers?from=a"]) {
        assert.strictEqual((yield* call("GET", path)).status, 400, path)
      }
      assert.strictEqual((yield* call("POST", "/v1/transfers?await=soon", { key: "k", body })).status, 400)
      const method = yield* call("PUT", "/v1/transfers")
      assert.deepStrictEqual([method.status, method.headers.get("allow")], [405, "POST, OPTIONS, GET, HEAD"])
    })
  )

  it.effect("runs in a batch, in line with the other commands on its source", () =>
    Effect.gen(function* () {
      const { call, from, to, wallet } = yield* wallets
      const third = yield* wallet()
      const item = (type: string, fields: object) => ({
        type,
        walletId: from,
        idempotencyKey: `b-${++keys}`,
        ...fields
      })
      const commands = [
        item("transfer", { to, amount: "60" }),
        item("debit", { amount: "60" }),
        item("transfer", { to: third, amount: "40", reference: "r" }),
        item("credit", { amount: "7" }),
        item("transfer", { to: "nope", amount: "1" }),
        item("transfer", { to, amount: "13" }),
        item("transfer", { amount: "1" }),
        { ...item("transfer", { to, amount: "1" }), idempotencyKey: "" },
        item("transfer", { to, amount: "7" }),
        { type: "transfer", walletId: third, to: from, amount: "100", idempotencyKey: "k" }
      ]
      const reply = yield* call("POST", "/v1/batch", { body: { commands } })
      assert.strictEqual(reply.status, 200, reply.text)
      const { results } = reply.json
      const outcome = ({ body, status }: { readonly body: { readonly code?: string }; readonly status: number }) =>
        body.code ?? status
      // The second debit meets 40, and the transfer of 13 gives back what it took before the last one asks.
      assert.deepStrictEqual(results.slice(0, 5).map(outcome), [201, "InsufficientFunds", 201, 201, "WalletNotFound"])
      assert.deepStrictEqual(results.slice(5, 8).map(outcome), [
        "InsufficientFunds",
        "InvalidRequest",
        "IdempotencyKeyMissing"
      ])
      assert.deepStrictEqual(results.slice(8).map(outcome), [201, "InsufficientFunds"])
      assert.deepInclude(results[2].body.transfer, { to: third, amount: "40", status: "completed", reference: "r" })
      const again = yield* call("POST", "/v1/batch", { body: { commands: commands.slice(0, 1) } })
      assert.deepStrictEqual(again.json.results, [{ ...results[0], replayed: true }])
      const { json: source } = yield* call("GET", `/v1/wallets/${from}`)
      assert.strictEqual(source.balance, "0")
    })
  )

  it.effect("marks a reversal that a batch tells again", () =>
    Effect.gen(function* () {
      const { call, from, to } = yield* wallets
      const commands = [{ type: "transfer", walletId: from, to, amount: "13", idempotencyKey: "unlucky" }]
      for (const replayed of [undefined, true]) {
        const { json } = yield* call("POST", "/v1/batch", { body: { commands } })
        assert.deepStrictEqual([json.results[0].status, json.results[0].replayed], [422, replayed])
        assert.strictEqual(json.results[0].body.code, "TransferReversed")
      }
    })
  )

  it.effect("keeps the order of a source whose destinations are not in memory, over hundreds of items", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* wallets
      const source = yield* wallet()
      const destinations = yield* Effect.forEach(Array.from({ length: 100 }), () => wallet(), { concurrency: 10 })
      // Each transfer is only covered by the credit right before it.
      const commands = destinations.flatMap((to, n) => [
        { type: "credit", walletId: source, idempotencyKey: `c-${n}`, amount: "5" },
        { type: "transfer", walletId: source, idempotencyKey: `t-${n}`, to, amount: "5" }
      ])
      const reply = yield* call("POST", "/v1/batch", { body: { commands } })
      const failed = reply.json.results.filter(({ status }: { readonly status: number }) => status !== 201)
      assert.deepStrictEqual(failed, [])
    })
  )
})
