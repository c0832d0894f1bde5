import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

layer(Server.layer(), { excludeTestServices: true })("wallets over HTTP", (it) => {
  it.effect("creates a wallet, credits and debits it, and shows what has happened", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const created = yield* call("POST", "/v1/wallets", {
        key: "w",
        body: { id: "w", ownerId: "ann", currency: "EUR", metadata: { tier: "gold" } }
      })
      assert.strictEqual(created.status, 201)
      assert.deepInclude(created.json.wallet, {
        id: "w",
        ownerId: "ann",
        currency: "EUR",
        balance: "0",
        held: "0",
        available: "0",
        overdraftLimit: "0",
        status: "active",
        version: 0,
        metadata: { tier: "gold" }
      })
      assert.match(created.json.wallet.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      assert.deepStrictEqual(created.json.durability, { committed: true, persisted: true, indexed: true })
      assert.strictEqual(created.headers.get("content-type"), "application/json")
      const big = "9".repeat(30)
      const credited = yield* call("POST", "/v1/wallets/w/credit", { key: "c", body: { amount: big, reference: "é€" } })
      assert.strictEqual(credited.status, 201)
      assert.deepInclude(credited.json.transaction, {
        walletId: "w",
        type: "credit",
        amount: big,
        balanceAfter: big,
        currency: "EUR",
        reference: "é€",
        metadata: {},
        version: 1
      })
      const debited = yield* call("POST", "/v1/wallets/w/debit", { key: "d", body: { amount: "1", reference: null } })
      assert.strictEqual(debited.json.wallet.balance, `${"9".repeat(29)}8`)
      assert.strictEqual(debited.json.transaction.reference, null)

      const listed = yield* call("GET", "/v1/wallets/w/transactions?limit=1")
      assert.deepStrictEqual(listed.json.data, [debited.json.transaction])
      const next = yield* call("GET", `/v1/wallets/w/transactions?limit=1&cursor=${listed.json.next}`)
      assert.deepStrictEqual(next.json.data, [credited.json.transaction])
      const found = yield* call("GET", "/v1/transactions?q=%C3%A9%E2%82%AC")
      assert.strictEqual(found.status, 200)

      const events = yield* call("GET", "/v1/wallets/w/events?limit=2")
      assert.deepStrictEqual(
        events.json.data.map((event: { type: string }) => event.type),
        ["WalletCreated", "WalletCredited"]
      )
      assert.strictEqual(events.json.next, "1")
      const later = yield* call("GET", `/v1/wallets/w/events?after=${events.json.next}`)
      assert.deepStrictEqual(
        later.json.data.map((event: { version: number }) => event.version),
        [2]
      )
      assert.isNull(later.json.next)
      assert.notInclude(JSON.stringify(later.json), "admin")
    })
  )

  it.effect("answers the same key with the first answer, marked as replayed", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const credit = { key: "same", body: { amount: "5" } }
      const first = yield* call("POST", `/v1/wallets/${id}/credit`, credit)
      const second = yield* call("POST", `/v1/wallets/${id}/credit?await=committed`, credit)
      assert.isNull(first.headers.get("idempotency-replayed"))
      assert.strictEqual(second.headers.get("idempotency-replayed"), "true")
      assert.strictEqual(second.status, 201)
      assert.deepStrictEqual(second.json, first.json)
      const other = yield* call("POST", `/v1/wallets/${id}/credit`, { key: "same", body: { amount: "6" } })
      assert.deepInclude(other.json, { status: 422, code: "IdempotencyKeyReused" })
    })
  )

  it.effect("derives the id of a wallet created without one from the key", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const create = { key: "no-id", body: { ownerId: "o", currency: "USD" } }
      const first = yield* call("POST", "/v1/wallets", create)
      const second = yield* call("POST", "/v1/wallets", create)
      assert.strictEqual(second.json.wallet.id, first.json.wallet.id)
      assert.strictEqual(second.headers.get("idempotency-replayed"), "true")
    })
  )

  it.effect("places, captures and releases holds", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "100" } })
      const held = yield* call("POST", `/v1/wallets/${id}/holds`, {
        key: "h",
        body: { amount: "60", expiresAt: "2099-01-01T00:00:00+01:00" }
      })
      assert.strictEqual(held.status, 201)
      assert.deepInclude(held.json.hold, {
        walletId: id,
        amount: "60",
        remaining: "60",
        captured: "0",
        status: "active",
        expiresAt: "2098-12-31T23:00:00.000Z"
      })
      assert.strictEqual(held.json.wallet.available, "40")
      const hold = `/v1/wallets/${id}/holds/${held.json.hold.id}`
      const part = yield* call("POST", `${hold}/capture`, { key: "p", body: { amount: "10" } })
      assert.deepInclude(part.json.transaction, { type: "capture", amount: "10", holdId: held.json.hold.id })
      assert.strictEqual(part.json.hold.remaining, "50")
      const exceeded = yield* call("POST", `${hold}/capture`, { key: "x", body: { amount: "51" } })
      assert.deepInclude(exceeded.json, { status: 422, code: "HoldAmountExceeded" })
      const rest = yield* call("POST", `${hold}/capture`, { key: "r" })
      assert.deepInclude(rest.json.hold, { remaining: "0", captured: "60", status: "captured" })
      const closed = yield* call("POST", `${hold}/release`, { key: "z" })
      assert.deepInclude(closed.json, { status: 422, code: "HoldClosed" })
      assert.deepStrictEqual((yield* call("GET", hold)).json, rest.json.hold)
      assert.strictEqual((yield* call("GET", `${hold}?minVersion=4`)).status, 200)
      const list = yield* call("GET", `/v1/wallets/${id}/holds?status=captured&minVersion=4`)
      assert.deepStrictEqual(list.json, { data: [rest.json.hold], next: null })
      const missing = yield* call("GET", `/v1/wallets/${id}/holds/nope`)
      assert.deepInclude(missing.json, { status: 404, code: "HoldNotFound" })
    })
  )

  it.effect("freezes, unfreezes and closes, each also without a body", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const frozen = yield* call("POST", `/v1/wallets/${id}/freeze`, { key: "f", body: { reason: "check" } })
      assert.deepInclude(frozen.json.wallet, { status: "frozen", version: 1 })
      assert.strictEqual(frozen.status, 200)
      const debit = yield* call("POST", `/v1/wallets/${id}/debit`, { key: "d", body: { amount: "1" } })
      assert.deepInclude(debit.json, { status: 422, code: "WalletFrozen" })
      const again = yield* call("POST", `/v1/wallets/${id}/freeze`, { key: "g" })
      assert.deepInclude(again.json.wallet, { status: "frozen", version: 2 })
      const open = yield* call("POST", `/v1/wallets/${id}/unfreeze`, { key: "u", body: {} })
      assert.strictEqual(open.json.wallet.status, "active")
      const closed = yield* call("POST", `/v1/wallets/${id}/close`, { key: "x", body: { reason: null } })
      assert.strictEqual(closed.json.wallet.status, "closed")
      const credit = yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "1" } })
      assert.deepInclude(credit.json, { status: 422, code: "WalletClosed" })
    })
  )

  it.effect("replaces metadata, sets overdraft limits and lets the balance fall below zero", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet({ metadata: { a: "1" } })
      const patched = yield* call("PATCH", `/v1/wallets/${id}`, {
        key: "p",
        body: { metadata: { b: "2" }, overdraftLimit: "200" }
      })
      assert.strictEqual(patched.status, 200)
      assert.deepInclude(patched.json.wallet, { metadata: { b: "2" }, overdraftLimit: "200", available: "200" })
      const debit = yield* call("POST", `/v1/wallets/${id}/debit`, { key: "d", body: { amount: "150" } })
      assert.deepInclude(debit.json.wallet, { balance: "-150", available: "50" })
      const below = yield* call("PATCH", `/v1/wallets/${id}`, { key: "q", body: { overdraftLimit: "100" } })
      assert.deepInclude(below.json, { status: 422, code: "InsufficientFunds" })
      const search = yield* call("GET", "/v1/wallets?minBalance=-150&maxBalance=-1&currency=EUR")
      assert.deepStrictEqual(
        search.json.data.map((found: { id: string }) => found.id),
        [id]
      )
    })
  )

  it.effect("shows a wallet as it was at a version and at a time", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const credit = yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "7" } })
      const then = (yield* call("GET", `/v1/wallets/${id}?atVersion=0`)).json
      assert.deepInclude(then, { balance: "0", version: 0 })
      const now = (yield* call("GET", `/v1/wallets/${id}?minVersion=1`)).json
      assert.deepStrictEqual(now, credit.json.wallet)
      const at = yield* call("GET", `/v1/wallets/${id}?at=${now.updatedAt}`)
      assert.deepStrictEqual(at.json, now)
      const statusOf = (query: string) => Effect.map(call("GET", `/v1/wallets/${id}?${query}`), (r) => r.json.code)
      assert.strictEqual(yield* statusOf("atVersion=2"), "WalletNotFound")
      assert.strictEqual(yield* statusOf("at=2000-01-01T00:00:00Z"), "WalletNotFound")
      assert.strictEqual(yield* statusOf("at=9999-01-01T00:00:00Z"), "InvalidRequest")
      assert.strictEqual(yield* statusOf("at=2000-01-01T00:00:00Z&atVersion=0"), "InvalidRequest")
      assert.strictEqual(yield* statusOf("minVersion=0&atVersion=0"), "InvalidRequest")
    })
  )

  it.effect("tells at once of a version that nobody has made, and of a wallet that is not there", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      for (const path of ["", "/transactions", "/holds", "/holds/h"]) {
        const early = yield* call("GET", `/v1/wallets/${id}${path}?minVersion=7`)
        assert.deepInclude(early.json, { status: 503, code: "VersionNotReached" }, path)
        assert.strictEqual(early.headers.get("retry-after"), "1", path)
        const nobody = yield* call("GET", `/v1/wallets/nobody${path}?minVersion=7`)
        assert.deepInclude(nobody.json, { status: 404, code: "WalletNotFound" }, path)
      }
    })
  )

  it.effect("keeps metadata under any name, the dangerous ones too", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const metadata = `{"__proto__":"p","constructor":"c","toString":"t","":"empty"}`
      const created = yield* call("POST", "/v1/wallets", {
        key: "proto",
        body: `{"id":"proto","ownerId":"o","currency":"EUR","metadata":${metadata}}`
      })
      assert.strictEqual(created.status, 201)
      assert.include(created.text, `"metadata":${metadata}`)
      assert.include((yield* call("GET", "/v1/wallets/proto")).text, `"metadata":${metadata}`)
      const search = yield* call("GET", "/v1/wallets?q=empty")
      assert.include(search.text, `"metadata":${metadata}`)
      assert.include((yield* call("GET", "/v1/wallets/proto/events")).text, `"metadata":${metadata}`)
    })
  )

  it.effect("answers HEAD as GET without a body and OPTIONS without a key", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const head = yield* call("HEAD", `/v1/wallets/${id}`)
      assert.deepStrictEqual([head.status, head.text], [200, ""])
      const options = yield* call("OPTIONS", `/v1/wallets/${id}`, { secret: null })
      assert.strictEqual(options.status, 204)
      assert.strictEqual(options.headers.get("allow"), "GET, HEAD, OPTIONS, PATCH")
      assert.isNull(options.headers.get("access-control-allow-origin"))
    })
  )
})
