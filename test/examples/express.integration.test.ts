/** examples/express as a process in front of a real service, which sends it real webhooks. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { startService } from "../cli/WalletProcess.ts"
import { migratedDataDir } from "../support/embedded.ts"
import { send, startExample } from "./exampleProcess.ts"

const apiKey = "a-key-of-this-test-and-nobody-else"

const started = Effect.gen(function* () {
  const service = yield* startService({
    WALLET_DATA_DIR: yield* migratedDataDir,
    WALLET_API_KEY: apiKey,
    WALLET_WEBHOOK_ALLOW_PRIVATE: "true"
  })
  const call = (method: string, path: string, body?: object, key = path) =>
    send(method, service.url + path, body, { authorization: `Bearer ${apiKey}`, "idempotency-key": key })
  for (const id of ["alice", "bob"]) {
    yield* call("POST", "/v1/wallets", { id, ownerId: id, currency: "EUR" }, `open-${id}`)
  }
  // Its secret is needed before the app has an address.
  const made = yield* call("POST", "/v1/webhooks", { url: "http://127.0.0.1:1/" })
  const app = yield* startExample("examples/express/main.ts", {
    WALLET_URL: service.url,
    WALLET_API_KEY: apiKey,
    WALLET_WEBHOOK_SECRET: made.json.secret
  })
  yield* call("PATCH", `/v1/webhooks/${made.json.id}`, { url: `${app}/webhooks/wallets` })
  return { app, call, service }
})

describe("examples/express", () => {
  it.live("tops up and pays once, however often it is asked, and says what it cannot do", () =>
    Effect.gen(function* () {
      const { app, call } = yield* started
      for (let time = 0; time < 2; time++) {
        const toppedUp = yield* send("POST", `${app}/wallets/alice/top-ups`, { payment: "p-1", amount: "5000" })
        assert.deepStrictEqual([toppedUp.status, toppedUp.json], [201, { wallet: "alice", balance: "5000" }])
        const paid = yield* send("POST", `${app}/payments`, { order: "7", from: "alice", to: "bob", amount: "1200" })
        assert.strictEqual(paid.status, 201)
        assert.strictEqual(paid.json.state, "completed")
      }
      const shown = yield* send("GET", `${app}/wallets/alice`)
      assert.deepStrictEqual(shown.json, { wallet: "alice", balance: "3800", available: "3800", currency: "EUR" })
      const { json } = yield* call("GET", "/v1/wallets/alice/transactions")
      assert.deepStrictEqual(
        json.data.map(({ amount, type }: { readonly amount: string; readonly type: string }) => [type, amount]),
        [
          ["transfer_out", "1200"],
          ["credit", "5000"]
        ]
      )

      const payment = { order: "8", from: "alice", to: "bob", amount: "900000" }
      const short = yield* send("POST", `${app}/payments`, payment)
      assert.deepStrictEqual([short.status, short.json.error], [422, "InsufficientFunds"])
      const asPage = yield* send("POST", `${app}/payments`, payment, { accept: "text/html" })
      assert.strictEqual(asPage.status, 422)
      assert.include(asPage.text, "<dd>InsufficientFunds</dd>")
      assert.strictEqual((yield* send("GET", `${app}/wallets/nobody`)).status, 404)
      const wrong = yield* send("POST", `${app}/wallets/alice/top-ups`, { payment: "p-2", amount: "ten" })
      assert.deepStrictEqual([wrong.status, wrong.json], [400, { error: "InvalidRequest" }])
      const other = yield* send("POST", `${app}/payments`, { ...payment, order: "7" })
      assert.strictEqual(other.json.error, "IdempotencyKeyReused")

      const news = yield* Effect.repeat(send("GET", `${app}/news`), {
        schedule: Schedule.spaced(50),
        until: ({ json }) => json.news.length > 0
      })
      assert.deepStrictEqual(news.json, { news: ["5000 came into alice"] })
      const forged = yield* send(
        "POST",
        `${app}/webhooks/wallets`,
        { type: "WalletCredited", timestamp: "2026-01-01T00:00:00Z", data: {} },
        { "webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA" }
      )
      assert.strictEqual(forged.status, 401)
      assert.deepStrictEqual((yield* send("GET", `${app}/news`)).json, news.json)
    })
  )

  it.live("says that the wallets are away, and not that a payment failed", () =>
    Effect.gen(function* () {
      const { app, service } = yield* started
      yield* service.kill("SIGKILL")
      yield* service.exited
      const reply = yield* send("POST", `${app}/wallets/alice/top-ups`, { payment: "p-1", amount: "1" })
      assert.deepStrictEqual([reply.status, reply.json], [503, { error: "WalletsUnavailable" }])
    })
  )
})
