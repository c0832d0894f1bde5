import { assert, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { openApiDocument } from "../../src/http/api/OpenApiDocument.ts"
import * as Problem from "../../src/http/api/Problem.ts"
import { WalletClient } from "../../src/http/WalletClient.ts"
import { everyMember } from "./everyMember.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const client = Layer.unwrap(
  Effect.map(TestServer, ({ secrets, url }) =>
    WalletClient.layer({ baseUrl: url, apiKey: Redacted.make(secrets.admin) })
  )
).pipe(Layer.provide(FetchHttpClient.layer), Layer.provideMerge(Server.layer()))

const key = (key: string) => ({ headers: { "idempotency-key": key }, query: {} })

layer(client, { excludeTestServices: true })("the typed client", (it) => {
  it.effect("speaks the types of the library: bigint amounts, milliseconds, tagged errors", () =>
    Effect.gen(function* () {
      const { batch, health, holds, keys, stats, transactions, transfers, wallets } = yield* WalletClient
      const before = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const created = yield* wallets.create({
        ...key("w"),
        payload: { id: "w", ownerId: "ann", currency: "EUR", overdraftLimit: 50n }
      })
      assert.isAtLeast(created.wallet.createdAt, before)
      const params = { id: "w" }
      const credited = yield* wallets.credit({ ...key("c"), params, payload: { amount: 10n ** 29n } })
      assert.strictEqual(credited.transaction.balanceAfter, 10n ** 29n)
      const debited = yield* wallets.debit({ ...key("d"), params, payload: { amount: 10n ** 29n + 50n } })
      assert.strictEqual(debited.wallet.balance, -50n)
      const poor = yield* Effect.flip(wallets.debit({ ...key("e"), params, payload: { amount: 1n } }))
      assert.instanceOf(poor, Problem.InsufficientFunds)
      assert.include(poor.message, "available")
      const search = yield* wallets.search({ query: { minBalance: -50n, maxBalance: 0n, limit: 1 } })
      assert.deepStrictEqual(search.data, [debited.wallet])
      yield* wallets.credit({ ...key("f"), params, payload: { amount: 100n } })
      const expiresAt = before + 3_600_000
      const { hold } = yield* holds.place({ ...key("h"), params, payload: { amount: 5n, expiresAt } })
      assert.strictEqual(hold.expiresAt, expiresAt)
      const holdParams = { id: "w", holdId: hold.id }
      const captured = yield* holds.capture({ ...key("i"), params: holdParams, payload: { final: true } })
      assert.strictEqual(captured.hold.captured, 5n)
      const found = yield* transactions.search({ query: { type: "capture" } })
      assert.deepStrictEqual(found.data, [captured.transaction])
      assert.deepStrictEqual(
        yield* transactions.get({ params: { id: captured.transaction.id }, query: {} }),
        captured.transaction
      )
      const nothing = yield* Effect.flip(transactions.get({ params: { id: "nope" }, query: {} }))
      assert.instanceOf(nothing, Problem.TransactionNotFound)
      const open = yield* holds.search({ query: { expiresBefore: expiresAt + 1, minAmount: 0n, status: "captured" } })
      assert.deepStrictEqual(open.data, [captured.hold])
      const events = yield* wallets.events({ params, query: { after: 0, limit: 1 } })
      assert.strictEqual(events.data[0]?.data["amount"], (10n ** 29n).toString())
      yield* wallets.create({ ...key("v"), payload: { id: "v", ownerId: "ann", currency: "EUR" } })
      const { transfer } = yield* transfers.send({ ...key("t"), payload: { from: "w", to: "v", amount: 7n } })
      assert.deepInclude(transfer, { amount: 7n, status: "completed", reason: null })
      assert.deepStrictEqual(yield* transfers.get({ params: { id: transfer.id }, query: {} }), transfer)
      const sent = yield* transfers.list({ query: { walletId: "v", status: "completed" } })
      assert.deepStrictEqual(sent.data, [transfer])
      const lost = yield* Effect.flip(transfers.get({ params: { id: "nope" }, query: {} }))
      assert.instanceOf(lost, Problem.TransferNotFound)
      const range = { from: before, to: transfer.createdAt }
      const same = yield* transfers.list({ query: { ...range, minAmount: 7n, maxAmount: 7n, idempotencyKey: "t" } })
      // As the source has it, that may not have heard yet of how it ended.
      assert.deepStrictEqual(
        same.data.map(({ amount, id }) => ({ amount, id })),
        [{ amount: 7n, id: transfer.id }]
      )
      const { transactions: sums, wallets: balances } = yield* stats.read({
        query: { ownerId: "ann", interval: "month" }
      })
      assert.include(
        sums.filter(({ type }) => type === "transfer_in").map(({ count, sum }) => `${count} ${sum}`),
        "1 7"
      )
      assert.deepStrictEqual(balances, [{ currency: "EUR", status: "active", count: 2, balance: 45n }])
      const frozen = yield* wallets.freeze({ ...key("z"), params, payload: {} })
      assert.strictEqual(frozen.wallet.status, "frozen")
      const results = yield* batch.run({
        query: { await: "committed" },
        payload: { commands: [{ type: "debit", walletId: "w", idempotencyKey: "x", amount: 1n }] }
      })
      assert.strictEqual(results.results[0]?.status, 422)
      const made = yield* keys.create({ query: {}, payload: { name: "k", scopes: ["wallets:read"] } })
      yield* keys.delete({ params: { id: made.id }, query: {} })
      assert.strictEqual((yield* health.ready()).status, "ok")
      assert.include(yield* health.metrics(), "wallet")
    })
  )

  it.effect("asks for metadata as a map, whatever the keys and values are", () =>
    Effect.gen(function* () {
      const { transactions, transfers, wallets } = yield* WalletClient
      const metadata = { "a b": "é&=#", "ключ.v": "x+y", ["__proto__"]: "1", '"': "\\", "%5B": "" }
      assert.lengthOf(Object.keys(metadata), 5)
      const own = yield* wallets.create({
        ...key("meta"),
        payload: { id: "meta", ownerId: "meta", currency: "EUR", metadata }
      })
      const params = { id: "meta" }
      const { transaction } = yield* wallets.credit({ ...key("c"), params, payload: { amount: 1n, metadata } })
      const found = yield* wallets.search({ query: { metadata } })
      assert.deepStrictEqual(
        found.data.map(({ id }) => id),
        [own.wallet.id]
      )
      assert.deepStrictEqual((yield* transactions.search({ query: { metadata, q: "x*" } })).data, [transaction])
      assert.lengthOf((yield* transactions.search({ query: { metadata: {}, walletId: "meta" } })).data, 1)
      assert.lengthOf((yield* transactions.search({ query: { metadata: { ...metadata, ["a b"]: "" } } })).data, 0)
      assert.lengthOf((yield* transfers.list({ query: { metadata } })).data, 0)
      // What the server would refuse is not sent.
      for (const wrong of [{ "": "v" }, { "a[b]": "v" }, { a: "\u0000" }, { ...metadata, more: "v" }]) {
        assert.strictEqual((yield* Effect.flip(wallets.search({ query: { metadata: wrong } })))._tag, "SchemaError")
      }
    })
  )

  it.effect("gets every problem as the error of its code", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const { wallets } = yield* WalletClient
      const missing = yield* Effect.flip(wallets.get({ params: { id: "nope" }, query: {} }))
      assert.instanceOf(missing, Problem.WalletNotFound)
      assert.strictEqual(missing._tag, "WalletNotFound")
      const unkeyed = yield* Effect.flip(wallets.freeze({ ...key(""), params: { id: "nope" }, payload: {} }))
      assert.instanceOf(unkeyed, Problem.IdempotencyKeyMissing)
      // What the server writes by hand is what the class says, for every code.
      for (const code of Object.keys(Problem.problemStatus) as Array<Problem.ProblemCode>) {
        // oxlint-disable-next-line import/namespace
        const schema = Problem[code] as unknown as Schema.Codec<{ readonly _tag: string; readonly detail?: string }>
        const written = JSON.parse(Problem.problemBody(code, 'a "detail"', everyMember))
        const decoded = yield* Schema.decodeUnknownEffect(schema)(written)
        assert.strictEqual(decoded._tag, code)
        assert.strictEqual(decoded.detail, 'a "detail"')
        assert.deepStrictEqual(yield* Schema.encodeEffect(schema)(decoded), written)
      }
      assert.strictEqual((yield* call("GET", "/v1/wallets/nope")).json.title, "Wallet not found")
    })
  )
})

const golden = Path.join(import.meta.dirname, "golden", "openapi.json")

it("the OpenAPI document is the one on record (UPDATE_GOLDEN=1 records it anew)", () => {
  const document = `${JSON.stringify(openApiDocument(), null, 2)}\n`
  if (process.env["UPDATE_GOLDEN"] === "1") {
    Fs.mkdirSync(Path.dirname(golden), { recursive: true })
    Fs.writeFileSync(golden, document)
  }
  assert.deepStrictEqual(JSON.parse(document), JSON.parse(Fs.readFileSync(golden, "utf8")))
})

it("the OpenAPI document says of every operation how to be let in and what can go wrong", () => {
  const { paths } = JSON.parse(JSON.stringify(openApiDocument()))
  for (const [path, item] of Object.entries<Record<string, Record<string, object>>>(paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const name = `${method} ${path}`
      const responses = operation["responses"] as Record<string, { content?: object; headers?: object }>
      assert.property(operation, "summary", name)
      for (const [status, response] of Object.entries(responses)) {
        if (Number(status) < 400 || path.startsWith("/health")) continue
        assert.deepStrictEqual(Object.keys(response.content ?? {}), ["application/problem+json"], name)
        if (status === "429" || status === "503") assert.property(response.headers, "Retry-After", name)
      }
      const parameters = (operation["parameters"] ?? []) as ReadonlyArray<Record<string, string>>
      const silent = parameters.filter((parameter) => parameter["in"] === "query" && !parameter["description"])
      // Of these the operation tells: what they are differs.
      assert.deepStrictEqual(
        silent.filter((parameter) => parameter["name"] !== "after").map((one) => one["name"]),
        [],
        name
      )
      if (!path.startsWith("/v1")) continue
      assert.deepStrictEqual(operation["security"], [{ apiKey: [] }], name)
      assert.includeMembers(Object.keys(responses), ["400", "401", "403", "429", "500", "503"], name)
    }
  }
})
