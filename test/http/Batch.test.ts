import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

interface Result {
  readonly status: number
  // A test says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
  readonly replayed?: boolean
}

const run = Effect.fnUntraced(function* (commands: ReadonlyArray<unknown>, query = "") {
  const { call } = yield* TestServer
  const reply = yield* call("POST", `/v1/batch${query}`, { body: { commands } })
  assert.strictEqual(reply.status, 200, reply.text)
  return reply.json.results as ReadonlyArray<Result>
})

layer(Server.layer(), { excludeTestServices: true })("a batch", (it) => {
  it.effect("answers each command as it would have been answered alone, in order", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const a = yield* wallet()
      const b = yield* wallet()
      const results = yield* run([
        { type: "credit", walletId: a, idempotencyKey: "1", amount: "100", reference: "r", metadata: { m: "1" } },
        { type: "debit", walletId: b, idempotencyKey: "1", amount: "1" },
        { type: "hold", walletId: a, idempotencyKey: "2", amount: "30" },
        { type: "credit", walletId: a, idempotencyKey: "1", amount: "100", reference: "r", metadata: { m: "1" } },
        { type: "credit", walletId: "nope", idempotencyKey: "1", amount: "1" }
      ])
      assert.deepStrictEqual(
        results.map((result) => result.status),
        [201, 422, 201, 201, 404]
      )
      assert.deepInclude(results[0]?.body.transaction, { amount: "100", reference: "r", metadata: { m: "1" } })
      assert.strictEqual(results[1]?.body.code, "InsufficientFunds")
      assert.strictEqual(results[2]?.body.wallet.available, "70")
      assert.deepStrictEqual(results[3], { ...(results[0] as Result), replayed: true })
      assert.notProperty(results[0], "replayed")
      const holdId = results[2]?.body.hold.id
      const more = yield* run(
        [
          { type: "capture", walletId: a, holdId, idempotencyKey: "3", amount: "10" },
          { type: "release", walletId: a, holdId, idempotencyKey: "4" }
        ],
        "?await=committed"
      )
      assert.deepInclude(more[0]?.body.transaction, { type: "capture", amount: "10" })
      assert.strictEqual(more[1]?.body.hold.status, "captured")
      const alone = yield* call("POST", `/v1/wallets/${a}/holds`, { key: "2", body: { amount: "30" } })
      assert.deepStrictEqual(alone.json, results[2]?.body)
    })
  )

  it.effect("runs the commands on one wallet in the order given", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const ids = [yield* wallet(), yield* wallet(), yield* wallet()]
      // Out of order, a debit would find nothing to take.
      const commands = Array.from({ length: 999 }, (_, i) => ({
        type: i % 6 < 3 ? "credit" : "debit",
        walletId: ids[i % 3],
        idempotencyKey: `o${i}`,
        amount: "7"
      }))
      const results = yield* run(commands)
      assert.deepStrictEqual(
        results.filter((result) => result.status !== 201),
        []
      )
      assert.deepStrictEqual(
        results.filter((_, i) => i % 3 === 0).map((result) => result.body.wallet.version),
        Array.from({ length: 333 }, (_, i) => i + 1)
      )
      const wallets = yield* Effect.forEach(ids, (id) => call("GET", `/v1/wallets/${id}`))
      assert.deepStrictEqual(
        wallets.map((reply) => reply.json.balance),
        ["7", "7", "7"]
      )
    })
  )

  it.effect("lets a malformed command fail alone", () =>
    Effect.gen(function* () {
      const { wallet } = yield* TestServer
      const walletId = yield* wallet()
      const good = { type: "credit", walletId, idempotencyKey: "g", amount: "1" }
      // The last column: the problem.
      const table: ReadonlyArray<readonly [unknown, string]> = [
        [null, "InvalidRequest"],
        [1, "InvalidRequest"],
        ["credit", "InvalidRequest"],
        [[], "InvalidRequest"],
        [{}, "InvalidRequest"],
        [{ ...good, type: "transfer" }, "InvalidRequest"],
        [{ ...good, type: "transfer", to: "no id" }, "InvalidRequest"],
        [{ ...good, type: "transfer", to: "x", from: "y" }, "InvalidRequest"],
        [{ ...good, type: "freeze" }, "InvalidRequest"],
        [{ ...good, type: "toString" }, "InvalidRequest"],
        [{ ...good, type: ["credit"] }, "InvalidRequest"],
        [{ ...good, amount: "0" }, "InvalidRequest"],
        [{ ...good, amount: 1 }, "InvalidRequest"],
        [{ ...good, walletId: "a b" }, "InvalidRequest"],
        [{ ...good, walletId: undefined }, "InvalidRequest"],
        [{ ...good, extra: 1 }, "InvalidRequest"],
        [{ ...good, holdId: "h" }, "InvalidRequest"],
        [{ ...good, idempotencyKey: "a b" }, "InvalidRequest"],
        [{ ...good, idempotencyKey: 1 }, "InvalidRequest"],
        [{ ...good, idempotencyKey: null }, "InvalidRequest"],
        [{ ...good, idempotencyKey: "" }, "IdempotencyKeyMissing"],
        [{ ...good, idempotencyKey: undefined }, "IdempotencyKeyMissing"],
        [{ ...good, idempotencyKey: "", amount: "0" }, "InvalidRequest"],
        [{ type: "capture", walletId, idempotencyKey: "c" }, "InvalidRequest"],
        [{ type: "capture", walletId, holdId: "h", idempotencyKey: "c", final: 1 }, "InvalidRequest"],
        [{ type: "release", walletId, holdId: "h", idempotencyKey: "c", amount: "1" }, "InvalidRequest"]
      ]
      const results = yield* run([good, ...table.map(([command]) => command)])
      assert.strictEqual(results[0]?.status, 201)
      table.forEach(([command, code], i) => {
        assert.deepInclude(results[i + 1]?.body, { status: 400, code }, JSON.stringify(command))
        assert.strictEqual(results[i + 1]?.status, 400)
      })
    })
  )

  it.effect("may be empty and takes no key in the header", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      assert.deepStrictEqual(yield* run([]), [])
      const keyed = yield* call("POST", "/v1/batch", { key: "ignored", body: { commands: [] } })
      assert.deepStrictEqual(keyed.json, { results: [] })
    })
  )
})
