/** The route handlers of examples/next, served over HTTP, in front of a real service. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { startService } from "../cli/WalletProcess.ts"
import { migratedDataDir } from "../support/embedded.ts"
import { send, startExample } from "./exampleProcess.ts"

const apiKey = "a-key-of-this-test-and-nobody-else"

const startNext = (url: string, key = apiKey) =>
  startExample("test/examples/nextRoutes.ts", { WALLET_URL: url, WALLET_API_KEY: key })

describe("examples/next", () => {
  it.live("credits and transfers once, however often it is asked, and answers problems as they are", () =>
    Effect.gen(function* () {
      const { url } = yield* startService({ WALLET_DATA_DIR: yield* migratedDataDir, WALLET_API_KEY: apiKey })
      for (const id of ["alice", "bob"]) {
        yield* send(
          "POST",
          `${url}/v1/wallets`,
          { id, ownerId: id, currency: "EUR" },
          { authorization: `Bearer ${apiKey}`, "idempotency-key": `open-${id}` }
        )
      }
      const next = yield* startNext(url)
      const transaction = new Set<string>()
      for (let time = 0; time < 2; time++) {
        const credited = yield* send("POST", `${next}/api/wallets/alice/credit`, { payment: "p-1", amount: "2500" })
        assert.deepStrictEqual([credited.status, credited.json.balance], [201, "2500"])
        transaction.add(credited.json.transaction)
        const sent = yield* send("POST", `${next}/api/transfers`, {
          order: "1",
          from: "alice",
          to: "bob",
          amount: "1000"
        })
        assert.deepStrictEqual([sent.status, sent.json.status], [201, "completed"])
      }
      assert.strictEqual(transaction.size, 1)
      const shown = yield* send("GET", `${next}/api/wallets/alice`)
      assert.deepInclude(shown.json, { id: "alice", currency: "EUR", balance: "1500", available: "1500" })
      assert.strictEqual((yield* send("GET", `${next}/api/wallets/bob`)).json.balance, "1000")

      const short = yield* send("POST", `${next}/api/transfers`, {
        order: "2",
        from: "alice",
        to: "bob",
        amount: "1501"
      })
      assert.deepStrictEqual([short.status, short.json.error], [422, "InsufficientFunds"])
      assert.strictEqual((yield* send("GET", `${next}/api/wallets/nobody`)).status, 404)
      for (const body of ["{", { payment: "p-2" }, { payment: "p-2", amount: "-5" }, { payment: "p-2", amount: 5 }]) {
        const reply = yield* send("POST", `${next}/api/wallets/alice/credit`, body)
        assert.deepStrictEqual([reply.status, reply.json], [400, { error: "InvalidRequest" }])
      }

      const stranger = yield* startNext(url, "a-key-that-the-service-does-not-know")
      const refused = yield* send("GET", `${stranger}/api/wallets/alice`)
      assert.deepStrictEqual([refused.status, refused.json], [502, { error: "WalletsMisconfigured" }])
    })
  )
})
