/** What a restricted key must not reach by a way round: lists, searches, sums, the feed, batches, refunds, legs, dry runs. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

let made = 0
const nextKey = () => `attack-${++made}`

interface Side {
  readonly owner: string
  readonly one: string
  readonly two: string
}

const ok = Effect.fnUntraced(function* (method: string, path: string, body?: unknown) {
  const { call } = yield* TestServer
  const reply = yield* call(method, path, { key: nextKey(), body })
  assert.isBelow(reply.status, 300, `${method} ${path} ${reply.text}`)
  return reply.json
})

/** Two wallets of an owner's, with money and movements whose words are the owner's. */
const sideOf = Effect.fnUntraced(function* (owner: string, currency = "EUR") {
  const { wallet } = yield* TestServer
  const [one, two] = [yield* wallet({ ownerId: owner, currency }), yield* wallet({ ownerId: owner, currency })]
  for (const id of [one, two]) {
    yield* ok("POST", `/v1/wallets/${id}/credit`, {
      amount: "1000",
      reference: `secret-${owner}`,
      metadata: { of: owner }
    })
    yield* ok("POST", `/v1/wallets/${id}/holds`, { amount: "10", reference: `secret-${owner}` })
  }
  yield* ok("POST", "/v1/transfers", { from: one, to: two, amount: "7", reference: `secret-${owner}` })
  return { owner, one, two } satisfies Side
})

const secretOf = Effect.fnUntraced(function* (restriction: unknown, scopes = ["wallets:read", "wallets:write"]) {
  const made = yield* ok("POST", "/v1/keys", { name: "restricted", scopes, restriction })
  return { id: String(made.id), secret: String(made.secret) }
})

const fresh = (name: string) => `${name}-${++made}`

/** All pages of a list, each as long as it may be. */
const allOf = Effect.fnUntraced(function* (secret: string, path: string, limit = 200) {
  const { call } = yield* TestServer
  const found: Array<Record<string, unknown>> = []
  let cursor: string | null = null
  do {
    const more: string = cursor === null ? "" : `&cursor=${cursor}`
    const reply: Server.Reply = yield* call("GET", `${path}${path.includes("?") ? "&" : "?"}limit=${limit}${more}`, {
      secret
    })
    assert.strictEqual(reply.status, 200, reply.text)
    if (reply.json.next !== null) assert.lengthOf(reply.json.data, limit)
    found.push(...reply.json.data)
    cursor = reply.json.next
  } while (cursor !== null)
  return found
})

const lists = ["/v1/wallets", "/v1/transactions", "/v1/transfers", "/v1/holds"]

layer(Server.layer(), { excludeTestServices: true })("a restricted key", (it) => {
  it.effect("finds its own in every list, in whole pages, and nothing by any filter of another's", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const [my, their] = [yield* sideOf(fresh("alice")), yield* sideOf(fresh("bob"))]
      const dollars = yield* sideOf(my.owner, "USD")
      const { secret: all } = yield* secretOf({ ownerId: my.owner })
      const { secret: euros } = yield* secretOf({ ownerId: my.owner, currencies: ["EUR"] })
      const { secret: both } = yield* secretOf({ ownerId: my.owner, currencies: ["EUR", "CZK"] })
      const { secret: one } = yield* secretOf({ walletIds: [my.one, "nobody"], ownerId: my.owner })
      const { secret: none } = yield* secretOf({ walletIds: [their.one], ownerId: my.owner })
      const counts = { "/v1/wallets": 2, "/v1/transactions": 4, "/v1/transfers": 1, "/v1/holds": 2 } as const
      for (const [path, count] of Object.entries(counts)) {
        assert.lengthOf(yield* allOf(euros, path, 1), count, path)
        assert.lengthOf(yield* allOf(both, path, 1), count, path)
        assert.lengthOf(yield* allOf(all, path, 1), 2 * count, path)
        assert.lengthOf(yield* allOf(one, path, 1), path === "/v1/transfers" ? 1 : count / 2, path)
        assert.lengthOf(yield* allOf(none, path), 0, path)
      }
      for (const path of lists) {
        for (const filter of [
          `ownerId=${their.owner}`,
          `q=secret-${their.owner}`,
          `reference=secret-${their.owner}`,
          `metadata[of]=${their.owner}`,
          "currency=USD"
        ]) {
          if (path === "/v1/wallets" && filter.startsWith("reference")) continue
          const reply = yield* call("GET", `${path}?${filter}`, { secret: euros })
          // Words of a transfer are those of both its sides, and are not told.
          if (path === "/v1/transfers" && filter.startsWith("q=")) {
            assert.deepInclude(reply.json, { code: "Forbidden", reason: "restriction" })
            continue
          }
          assert.deepStrictEqual([reply.status, reply.json.data], [200, []], `${path}?${filter} ${reply.text}`)
        }
        if (path === "/v1/wallets") continue
        for (const walletId of [their.one, dollars.one]) {
          const reply = yield* call("GET", `${path}?walletId=${walletId}`, { secret: one })
          assert.deepStrictEqual([reply.status, reply.json.data], [200, []], path)
        }
      }
      const stats = yield* call("GET", "/v1/stats", { secret: euros })
      assert.deepStrictEqual(stats.json.wallets, [{ currency: "EUR", status: "active", count: 2, balance: "2000" }])
      for (const query of ["ownerId=" + their.owner, "currency=USD"]) {
        const other = yield* call("GET", `/v1/stats?${query}`, { secret: euros })
        assert.deepStrictEqual(other.json, { transactions: [], wallets: [] })
      }
      const ofOne = yield* call("GET", "/v1/stats", { secret: one })
      assert.deepStrictEqual(ofOne.json.wallets, [{ currency: "EUR", status: "active", count: 1, balance: "993" }])
    })
  )

  it.effect("sees a transfer with a wallet of its own, and cannot ask for the other side by filters", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const [my, their] = [yield* sideOf(fresh("alice")), yield* sideOf(fresh("bob"))]
      const { secret } = yield* secretOf({ walletIds: [my.one] })
      const key = nextKey()
      const sent = yield* call("POST", "/v1/transfers", { key, body: { from: their.one, to: my.one, amount: "5" } })
      const id = sent.json.transfer.id
      assert.strictEqual((yield* call("GET", `/v1/transfers/${id}`, { secret })).status, 200)
      assert.include(
        (yield* allOf(secret, "/v1/transfers")).map((transfer) => transfer["id"]),
        id
      )
      // The key was the sender's.
      assert.deepStrictEqual((yield* call("GET", `/v1/transfers?idempotencyKey=${key}`, { secret })).json.data, [])
      assert.lengthOf((yield* call("GET", `/v1/transfers?idempotencyKey=${key}`)).json.data, 1)
      const owner = yield* call("GET", `/v1/transfers?ownerId=${their.owner}`, { secret })
      assert.strictEqual(owner.status, 403)
      // What has come from it may go back; from the wallet that it does not see nothing may.
      const back = yield* call("POST", `/v1/transfers/${id}/refund`, { secret, key: nextKey(), body: { amount: "1" } })
      assert.strictEqual(back.status, 201, back.text)
      const away = yield* ok("POST", "/v1/transfers", { from: my.one, to: their.one, amount: "5" })
      const taken = yield* call("POST", `/v1/transfers/${away.transfer.id}/refund`, {
        secret,
        key: nextKey(),
        body: {}
      })
      assert.deepInclude(taken.json, { code: "WalletNotFound", status: 404 })
    })
  )

  it.effect("spends nothing of another's by legs, refunds, captures and batches", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const [my, their] = [yield* sideOf(fresh("alice")), yield* sideOf(fresh("bob"))]
      const { secret } = yield* secretOf({ ownerId: my.owner })
      const before = (yield* ok("GET", `/v1/wallets/${their.one}`)).version
      const legs = (...pairs: ReadonlyArray<readonly [string, string]>) => ({
        legs: pairs.map(([from, to]) => ({ from, to, amount: "1" }))
      })
      const hold = (yield* ok("GET", `/v1/wallets/${their.one}/holds`)).data[0]
      const transaction = (yield* ok("GET", `/v1/wallets/${their.one}/transactions`)).data.at(-1)
      const transfer = (yield* ok("GET", `/v1/transfers?walletId=${their.one}`)).data[0]
      for (const query of ["", "?dryRun=true"]) {
        const post = (path: string, body: unknown) => call("POST", path + query, { secret, key: nextKey(), body })
        const refused = yield* post("/v1/transfers", legs([my.one, my.two], [their.one, my.one]))
        assert.deepInclude(refused.json, { code: "WalletNotFound", leg: 1 })
        const hidden = [
          yield* post("/v1/transfers", legs([their.one, my.one], [my.one, my.two])),
          yield* post(`/v1/transactions/${transaction.id}/refund`, {}),
          yield* post(`/v1/transfers/${transfer.id}/refund`, {}),
          yield* post(`/v1/wallets/${their.one}/holds/${hold.id}/capture`, { to: my.one }),
          yield* post(`/v1/wallets/${my.one}/holds/${hold.id}/capture`, { to: my.two })
        ]
        for (const reply of hidden) assert.strictEqual(reply.status, 404, reply.text)
        const item = (type: string, walletId: string, fields: object) => ({
          type,
          walletId,
          idempotencyKey: nextKey(),
          ...fields
        })
        const batch = yield* post("/v1/batch", {
          commands: [
            item("credit", my.one, { amount: "1" }),
            item("credit", their.one, { amount: "1" }),
            item("debit", their.one, { amount: "1" }),
            item("hold", their.one, { amount: "1" }),
            item("capture", their.one, { holdId: hold.id, to: my.one }),
            item("change_hold", their.one, { holdId: hold.id, amount: "1" }),
            item("release", their.one, { holdId: hold.id }),
            item("transfer", their.one, { to: my.one, amount: "1" }),
            item("transfer", my.one, legs([my.one, my.two], [their.one, my.one])),
            item("refund", their.one, { transactionId: transaction.id }),
            item("refund", their.one, { transferId: transfer.id }),
            item("debit", my.one, { amount: "1" })
          ]
        })
        const statuses = batch.json.results.map(({ status }: { status: number }) => status)
        const done = query === "" ? 201 : 200
        assert.deepStrictEqual(statuses, [done, ...Array.from({ length: 10 }, () => 404), done], batch.text)
      }
      assert.strictEqual((yield* ok("GET", `/v1/wallets/${their.one}`)).version, before)
    })
  )

  it.effect("does by a batch only what its types allow, each command with its own answer", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const my = yield* sideOf(fresh("alice"))
      const { secret } = yield* secretOf({ walletIds: [my.one], types: ["credit"] })
      const command = (type: string, fields: object) => ({
        type,
        walletId: my.one,
        idempotencyKey: nextKey(),
        ...fields
      })
      const batch = yield* call("POST", "/v1/batch", {
        secret,
        body: {
          commands: [
            command("credit", { amount: "1" }),
            command("debit", { amount: "1" }),
            command("transfer", { to: my.two, amount: "1" }),
            { ...command("credit", { amount: "1" }), walletId: my.two }
          ]
        }
      })
      const answers = batch.json.results.map(({ body, status }: { body: { reason?: string }; status: number }) => [
        status,
        body.reason
      ])
      assert.deepStrictEqual(answers, [
        [201, undefined],
        [403, "type"],
        [403, "type"],
        [404, undefined]
      ])
    })
  )

  it.effect("makes no key, no other wallet and no admin of itself", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const my = yield* sideOf(fresh("alice"))
      const admin = yield* call("POST", "/v1/keys", {
        body: { name: "x", scopes: ["admin"], restriction: { ownerId: my.owner } }
      })
      assert.deepInclude(admin.json, { code: "InvalidRequest", status: 400 })
      const { secret } = yield* secretOf({ ownerId: my.owner, currencies: ["EUR"] })
      const tried: ReadonlyArray<readonly [string, string, unknown]> = [
        ["POST", "/v1/keys", { name: "x", scopes: ["wallets:read"] }],
        ["POST", "/v1/wallets", { ownerId: "else", currency: "EUR" }],
        ["POST", "/v1/wallets", { ownerId: my.owner, currency: "USD" }],
        ["POST", "/v1/wallets", { ownerId: my.owner, currency: "EUR", overdraftLimit: "5" }],
        ["PATCH", `/v1/wallets/${my.one}`, { overdraftLimit: "5" }],
        ["POST", `/v1/wallets/${my.one}/debit`, { amount: "1", force: true }],
        ["POST", "/verify", {}]
      ]
      for (const [method, path, body] of tried) {
        const reply = yield* call(method, path, { secret, key: nextKey(), body })
        assert.include([403, 404], reply.status, `${path} ${reply.text}`)
      }
      const own = yield* call("GET", "/v1/keys/self", { secret })
      assert.deepInclude(own.json, { restriction: { ownerId: my.owner, currencies: ["EUR"] }, expiresAt: null })
      assert.notInclude(own.text, secret)
    })
  )

  it.effect("is told by the feed of its own wallets only", () =>
    Effect.gen(function* () {
      const { port } = yield* TestServer
      const [my, their] = [yield* sideOf(fresh("alice")), yield* sideOf(fresh("bob"))]
      const last = yield* ok("POST", `/v1/wallets/${my.one}/credit`, { amount: "1", reference: "the last one" })
      for (const [restriction, query] of [
        [{ ownerId: my.owner }, ""],
        [{ walletIds: [my.one] }, ""],
        [{ ownerId: my.owner }, `?walletId=${my.one}&walletId=${their.one}`],
        [{ walletIds: [my.one, my.two] }, `?walletId=${my.one}`]
      ] as const) {
        const { secret } = yield* secretOf(restriction)
        const { raw } = yield* TestServer
        const request = `GET /v1/feed${query} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${secret}\r\n\r\n`
        const text = yield* raw(request, /the last one/)
        assert.include(text, last.transaction.walletId)
        assert.notInclude(text, their.one)
        assert.notInclude(text, their.two)
        assert.notInclude(text, their.owner)
        if (query === "" && "ownerId" in restriction) assert.include(text, my.two)
      }
    })
  )

  it.effect("stops at its limits, answers what it has done, and keeps its day through a roll", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const my = yield* sideOf(fresh("alice"))
      const limits = { perOperation: "60", perDay: "100" }
      const { id, secret } = yield* secretOf({ walletIds: [my.one], limits })
      const debit = (amount: string, of: string, key = nextKey()) =>
        call("POST", `/v1/wallets/${my.one}/debit`, { secret: of, key, body: { amount } })
      const over = yield* debit("61", secret)
      assert.deepInclude(over.json, { code: "KeyLimitExceeded", status: 403, limit: "perOperation", remaining: "60" })
      const [first, second] = [nextKey(), nextKey()]
      assert.strictEqual((yield* debit("60", secret, first)).status, 201)
      const body = {
        commands: [
          { type: "debit", walletId: my.one, idempotencyKey: second, amount: "40" },
          { type: "debit", walletId: my.one, idempotencyKey: nextKey(), amount: "1" }
        ]
      }
      const batch = yield* call("POST", "/v1/batch", { secret, body })
      assert.deepStrictEqual(
        batch.json.results.map(({ status }: { status: number }) => status),
        [201, 403]
      )
      assert.deepInclude((yield* debit("1", secret)).json, {
        code: "KeyLimitExceeded",
        limit: "perDay",
        remaining: "0"
      })
      const replay = yield* debit("60", secret, first)
      assert.deepStrictEqual([replay.status, replay.headers.get("idempotency-replayed")], [201, "true"])
      const rolled = yield* ok("POST", `/v1/keys/${id}/roll`, { graceSeconds: 60 })
      for (const of of [secret, String(rolled.secret)]) {
        assert.deepInclude((yield* debit("1", of)).json, { limit: "perDay", remaining: "0" })
      }
      // Another key has a day of its own, and one without limits none.
      const other = yield* secretOf({ walletIds: [my.one], limits })
      assert.strictEqual((yield* debit("60", other.secret)).status, 201)
      yield* ok("POST", `/v1/wallets/${my.one}/debit`, { amount: "200" })
    })
  )
})
