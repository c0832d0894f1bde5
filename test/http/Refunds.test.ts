import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TransactionJson, TransactionReply, TransferJson, TransferReply } from "../../src/http/api/Schemas.ts"
import { conforms } from "./conforms.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

/** Two wallets with 100 each, and a debit of 30 at the first. */
const two = Effect.gen(function* () {
  const { call, wallet } = yield* TestServer
  const [a, b] = [yield* wallet(), yield* wallet()]
  for (const id of [a, b]) yield* call("POST", `/v1/wallets/${id}/credit`, { key: "fund", body: { amount: "100" } })
  const debit = yield* call("POST", `/v1/wallets/${a}/debit`, { key: "d", body: { amount: "30" } })
  return { a, b, call, transactionId: debit.json.transaction.id as string }
})

layer(Server.layer(), { excludeTestServices: true })("refunds over HTTP", (it) => {
  it.effect("of a transaction answer 201 with the refund, and the original says how much of it", () =>
    Effect.gen(function* () {
      const { a, call, transactionId } = yield* two
      const path = `/v1/transactions/${transactionId}/refund`
      const body = {
        amount: "12",
        reference: "broken",
        metadata: { item: "7" },
        effectiveAt: "2020-01-01T00:00:00.000Z"
      }
      const first = yield* call("POST", path, { key: "r1", body })
      assert.strictEqual(first.status, 201, first.text)
      conforms(TransactionReply, first.json)
      assert.deepInclude(first.json.transaction, {
        ...body,
        walletId: a,
        type: "refund_in",
        balanceAfter: "82",
        refundOf: transactionId,
        refunded: "0"
      })
      assert.strictEqual(first.headers.get("etag"), `"${first.json.wallet.version}"`)
      const again = yield* call("POST", path, { key: "r1", body })
      assert.deepStrictEqual([again.status, again.json], [201, first.json])
      assert.strictEqual(again.headers.get("idempotency-replayed"), "true")
      const original = yield* call("GET", `/v1/transactions/${transactionId}`)
      conforms(TransactionJson, original.json)
      assert.deepInclude(original.json, { refunded: "12", refundOf: null })
      const beyond = yield* call("POST", path, { key: "r2", body: { amount: "19" } })
      assert.strictEqual(beyond.status, 422)
      assert.deepInclude(beyond.json, { code: "RefundExceeded", refundable: "18", retryable: false })
      const rest = yield* call("POST", path, { key: "r2" })
      assert.deepInclude(rest.json.transaction, { amount: "18", reference: null, metadata: {} })
      const nothing = yield* call("POST", path, { key: "r3", body: {} })
      assert.deepInclude(nothing.json, { code: "RefundExceeded", refundable: "0" })
      const ofRefund = yield* call("POST", `/v1/transactions/${first.json.transaction.id}/refund`, { key: "r3" })
      assert.deepStrictEqual([ofRefund.status, ofRefund.json.code], [422, "NotRefundable"])
      const unknown = yield* call("POST", "/v1/transactions/none/refund", { key: "r3" })
      assert.deepStrictEqual([unknown.status, unknown.json.code], [404, "TransactionNotFound"])
      const found = yield* call("GET", `/v1/transactions?refundOf=${transactionId}`)
      assert.deepStrictEqual(
        found.json.data.map(({ amount }: { readonly amount: string }) => amount),
        ["18", "12"]
      )
      const listed = yield* call("GET", `/v1/wallets/${a}/transactions?type=refund_in`)
      assert.lengthOf(listed.json.data, 2)
    })
  )

  it.effect("of a transfer are transfers, and their transactions say through which they are refunded", () =>
    Effect.gen(function* () {
      const { a, b, call } = yield* two
      const sent = yield* call("POST", "/v1/transfers", { key: "t", body: { from: a, to: b, amount: "50" } })
      const { id } = sent.json.transfer
      assert.deepInclude(sent.json.transfer, { refundOf: null, refunded: "0" })
      const part = yield* call("POST", `/v1/transfers/${id}/refund`, { key: "r1", body: { amount: "20" } })
      assert.strictEqual(part.status, 201, part.text)
      conforms(TransferReply, part.json)
      assert.deepInclude(part.json.transfer, { from: b, to: a, amount: "20", refundOf: id, refunded: "0" })
      const shown = yield* call("GET", `/v1/transfers/${id}`)
      conforms(TransferJson, shown.json)
      assert.deepStrictEqual([shown.json.refunded, shown.json.legs[0].refunded], ["20", "20"])
      const [{ receivedTransactionId }] = shown.json.legs
      const through = yield* call("POST", `/v1/transactions/${receivedTransactionId}/refund`, { key: "r2" })
      assert.strictEqual(through.status, 422)
      assert.deepInclude(through.json, { code: "NotRefundable", transferId: id })
      const ofRefund = yield* call("POST", `/v1/transfers/${part.json.transfer.id}/refund`, { key: "r2" })
      assert.deepInclude(ofRefund.json, { code: "NotRefundable", status: 422 })
      const found = yield* call("GET", `/v1/transfers?refundOf=${id}`)
      assert.deepStrictEqual(
        found.json.data.map((one: { readonly id: string }) => one.id),
        [part.json.transfer.id]
      )
      const legs = [
        { from: a, to: b, amount: "10" },
        { from: b, to: a, amount: "5" }
      ]
      const several = yield* call("POST", "/v1/transfers", { key: "legs", body: { legs } })
      const path = `/v1/transfers/${several.json.transfer.id}/refund`
      const one = yield* call("POST", path, { key: "l1", body: { leg: 1, amount: "2" } })
      assert.deepInclude(one.json.transfer, { from: a, to: b, amount: "2", refundOf: several.json.transfer.id })
      const beyond = yield* call("POST", path, { key: "l2", body: { leg: 1, amount: "4" } })
      assert.deepInclude(beyond.json, { code: "RefundExceeded", refundable: "3", leg: 1 })
      const whole = yield* call("POST", path, { key: "l2" })
      assert.deepInclude(whole.json.transfer, { from: null, refunded: null, status: "completed" })
      const after = yield* call("GET", `/v1/transfers/${several.json.transfer.id}`)
      assert.deepStrictEqual(
        after.json.legs.map(({ refunded }: { readonly refunded: string }) => refunded),
        ["10", "5"]
      )
    })
  )

  it.effect("say what is wrong with their form, take part in dry runs and If-Match, and need the scope", () =>
    Effect.gen(function* () {
      const { a, call, transactionId } = yield* two
      const path = `/v1/transactions/${transactionId}/refund`
      for (const [body, pointer] of [
        [{ amount: "0" }, "/amount"],
        [{ leg: 1 }, "/leg"],
        [{ reference: 7 }, "/reference"],
        [{ effectiveAt: "tomorrow" }, "/effectiveAt"]
      ] as const) {
        const wrong = yield* call("POST", path, { key: "r", body })
        assert.deepStrictEqual([wrong.status, wrong.json.errors[0].pointer], [400, pointer], wrong.text)
      }
      const wrongLeg = yield* call("POST", "/v1/transfers/t/refund", { key: "r", body: { leg: 100 } })
      assert.deepStrictEqual([wrongLeg.status, wrongLeg.json.errors[0].pointer], [400, "/leg"])
      const noKey = yield* call("POST", path, {})
      assert.strictEqual(noKey.json.code, "IdempotencyKeyMissing")
      const tried = yield* call("POST", `${path}?dryRun=true`, {})
      assert.strictEqual(tried.status, 200, tried.text)
      assert.deepInclude(tried.json, { dryRun: true })
      assert.deepInclude(tried.json.transaction, { id: null, amount: "30", type: "refund_in" })
      const old = yield* call("POST", path, { key: "r", headers: { "if-match": '"0"' } })
      assert.deepStrictEqual([old.status, old.json.code, old.json.version], [412, "VersionMismatch", 2])
      const transfers = yield* call("POST", "/v1/transfers/t/refund", { key: "r", headers: { "if-match": '"0"' } })
      assert.strictEqual(transfers.status, 400)
      const done = yield* call("POST", path, { key: "r", headers: { "if-match": '"2"' } })
      assert.strictEqual(done.status, 201, done.text)
      assert.strictEqual(done.json.wallet.id, a)
    })
  )

  it.effect("go in a batch, in line with the other commands on their wallet", () =>
    Effect.gen(function* () {
      const { a, b, call, transactionId } = yield* two
      const sent = yield* call("POST", "/v1/transfers", { key: "t", body: { from: a, to: b, amount: "50" } })
      const transferId = sent.json.transfer.id
      const commands = [
        { type: "debit", walletId: a, idempotencyKey: "b1", amount: "20" },
        { type: "refund", walletId: a, idempotencyKey: "b2", transactionId, amount: "5" },
        { type: "debit", walletId: a, idempotencyKey: "b3", amount: "5" },
        { type: "refund", walletId: b, idempotencyKey: "b4", transferId, amount: "7" },
        { type: "refund", walletId: b, idempotencyKey: "b5", transactionId },
        { type: "refund", walletId: b, idempotencyKey: "b6", transferId, transactionId },
        { type: "refund", walletId: a, idempotencyKey: "b7", transferId },
        { type: "refund", walletId: a, idempotencyKey: "b2", transactionId, amount: "5" }
      ]
      const { json } = yield* call("POST", "/v1/batch", { body: { commands } })
      assert.deepStrictEqual(
        json.results.map(({ body, status }: { readonly status: number; readonly body: { readonly code?: string } }) => [
          status,
          body.code
        ]),
        [
          [201, undefined],
          [201, undefined],
          [201, undefined],
          [201, undefined],
          [404, "TransactionNotFound"],
          [400, "InvalidRequest"],
          [404, "TransferNotFound"],
          [201, undefined]
        ]
      )
      const [before, refunded, after, back] = json.results
      assert.deepInclude(refunded.body.transaction, { type: "refund_in", amount: "5", refundOf: transactionId })
      const versions = [before, refunded, after].map(({ body }) => body.transaction.version)
      assert.deepStrictEqual(
        versions,
        versions.toSorted((one, other) => one - other)
      )
      assert.deepInclude(back.body.transfer, { from: b, to: a, amount: "7", refundOf: transferId })
      assert.strictEqual(json.results[7].replayed, true)
    })
  )
})
