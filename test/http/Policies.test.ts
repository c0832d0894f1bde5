/** What policies say, over HTTP: alone, in a batch, of legs and of dry runs. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { AnyPolicy } from "../../src/domain/Policy.ts"
import * as Policies from "../../src/domain/Policies.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const policy: ReadonlyArray<AnyPolicy> = [
  Policies.velocity({ amount: 100n, per: "1 day" }),
  {
    name: "touchy",
    version: "1",
    judge: (_wallet, command) => {
      if ("amount" in command && command.amount === 13n) throw new Error("secret")
      return undefined
    }
  }
]

const rejected = {
  code: "PolicyRejected",
  status: 422,
  policy: "velocity",
  reason: "0 of 100 within 1d are spent, 101 asked",
  retryable: false
}

layer(Server.layerWith(WalletEngine.layerMemoryWith({ policy })))("policies over HTTP", (it) => {
  it.effect("answer 422 PolicyRejected, and a retry may succeed", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "1000" } })
      const path = `/v1/wallets/${id}/debit`
      const reply = yield* call("POST", path, { key: "d", body: { amount: "101" } })
      assert.strictEqual(reply.status, 422)
      assert.deepInclude(reply.json, rejected)
      const dry = yield* call("POST", `${path}?dryRun=true`, { body: { amount: "101" } })
      assert.deepInclude(dry.json, rejected)
      assert.strictEqual((yield* call("POST", path, { key: "d", body: { amount: "100" } })).status, 201)
      const replayed = yield* call("POST", path, { key: "d", body: { amount: "100" } })
      assert.deepStrictEqual([replayed.status, replayed.headers.get("idempotency-replayed")], [201, "true"])
    })
  )

  it.effect("answer 500 PolicyDefect for one that throws, and do not say why", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const path = `/v1/wallets/${id}/credit`
      const reply = yield* call("POST", path, { key: "c", body: { amount: "13" } })
      assert.strictEqual(reply.status, 500)
      assert.deepInclude(reply.json, { code: "PolicyDefect", retryable: false })
      assert.notInclude(reply.text, "secret")
      assert.strictEqual((yield* call("POST", path, { key: "c", body: { amount: "14" } })).status, 201)
    })
  )

  it.effect("judge each item of a batch, and each leg", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const to = yield* wallet()
      const item = (type: string, idempotencyKey: string, amount: string) => ({
        type,
        walletId: id,
        idempotencyKey,
        amount
      })
      const batch = yield* call("POST", "/v1/batch", {
        body: {
          commands: [
            item("credit", "1", "1000"),
            item("debit", "2", "101"),
            item("debit", "3", "13"),
            item("debit", "4", "40")
          ]
        }
      })
      const { results } = batch.json as { results: ReadonlyArray<{ status: number; body: object }> }
      assert.deepStrictEqual(
        results.map(({ status }) => status),
        [201, 422, 500, 201]
      )
      assert.deepInclude(results[1]!.body, rejected)
      const legs = [
        { from: id, to, amount: "60" },
        { from: id, to, amount: "1" }
      ]
      const reply = yield* call("POST", "/v1/transfers", { key: "t", body: { legs } })
      assert.strictEqual(reply.status, 422)
      assert.deepInclude(reply.json, {
        code: "PolicyRejected",
        leg: 1,
        reason: "100 of 100 within 1d are spent, 1 asked"
      })
    })
  )
})
