import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TransferPage, TransferReply } from "../../src/http/api/Schemas.ts"
import { conforms } from "./conforms.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

/** Three wallets, the first two with 100. */
const three = Effect.gen(function* () {
  const { call, wallet } = yield* TestServer
  const [a, b, c] = [yield* wallet(), yield* wallet(), yield* wallet()]
  for (const id of [a, b]) yield* call("POST", `/v1/wallets/${id}/credit`, { key: "fund", body: { amount: "100" } })
  return { a, b, c, call }
})

layer(Server.layer(), { excludeTestServices: true })("a transfer of several legs over HTTP", (it) => {
  it.effect("answers 201 with all legs, is the same everywhere, and its transactions lead to it", () =>
    Effect.gen(function* () {
      const { a, b, c, call } = yield* three
      const body = {
        legs: [
          { from: a, to: b, amount: "60", reference: "goods", metadata: { n: "1" } },
          { from: b, to: c, amount: "150" }
        ],
        reference: "order"
      }
      const reply = yield* call("POST", "/v1/transfers", { key: "t", body })
      assert.strictEqual(reply.status, 201, reply.text)
      conforms(TransferReply, reply.json)
      const { transfer } = reply.json
      assert.deepInclude(transfer, {
        from: null,
        to: null,
        amount: null,
        currency: null,
        status: "completed",
        leg: null
      })
      assert.deepInclude(transfer.legs[0], { ...body.legs[0], currency: "EUR" })
      assert.deepInclude(transfer.legs[1], { ...body.legs[1], reference: null, metadata: {}, currency: "EUR" })
      const again = yield* call("POST", "/v1/transfers", { key: "t", body })
      assert.deepStrictEqual([again.status, again.json], [201, reply.json])
      assert.strictEqual(again.headers.get("idempotency-replayed"), "true")
      assert.deepStrictEqual((yield* call("GET", `/v1/transfers/${transfer.id}`)).json, transfer)
      for (const query of [`walletId=${c}`, `walletId=${b}&minAmount=150`, `walletId=${c}&reference=goods`]) {
        const page = yield* call("GET", `/v1/transfers?${query}`)
        conforms(TransferPage, page.json)
        assert.deepStrictEqual(page.json.data, [transfer], query)
      }
      for (const [leg, { receivedTransactionId, sentTransactionId }] of transfer.legs.entries()) {
        const sent = yield* call("GET", `/v1/transactions/${sentTransactionId}`)
        const received = yield* call("GET", `/v1/transactions/${receivedTransactionId}`)
        const { amount, from, to } = body.legs[leg]!
        assert.deepInclude(sent.json, { walletId: from, type: "transfer_out", amount, transferId: transfer.id })
        assert.deepInclude(received.json, { walletId: to, type: "transfer_in", amount, transferId: transfer.id })
      }
    })
  )

  it.effect("says which leg a problem is about, and which form it must have", () =>
    Effect.gen(function* () {
      const { a, b, c, call } = yield* three
      const one = { from: a, to: b, amount: "1" }
      const cases: ReadonlyArray<readonly [object, number, string, number | undefined]> = [
        [{ legs: [one, { from: c, to: a, amount: "5" }] }, 422, "InsufficientFunds", 1],
        [{ legs: [one, { from: b, to: "none", amount: "5" }] }, 404, "WalletNotFound", 1],
        [{ legs: [one, { from: b, to: b, amount: "5" }] }, 422, "SameWallet", 1],
        [{ legs: [one] }, 400, "InvalidRequest", undefined],
        [{ legs: [] }, 400, "InvalidRequest", undefined],
        [{ legs: Array.from({ length: 101 }, () => one) }, 400, "InvalidRequest", undefined],
        [{ legs: [one, one], from: a }, 400, "InvalidRequest", undefined],
        [{ legs: [one, one], ...one }, 400, "InvalidRequest", undefined],
        [{ legs: [one, { ...one, amount: "0" }] }, 400, "InvalidRequest", undefined],
        [{ legs: [one, { ...one, more: 1 }] }, 400, "InvalidRequest", undefined],
        [{ to: b, amount: "1" }, 400, "InvalidRequest", undefined],
        [{ reference: "r" }, 400, "InvalidRequest", undefined]
      ]
      for (const [body, status, code, leg] of cases) {
        const reply = yield* call("POST", "/v1/transfers", { key: "k", body })
        assert.deepStrictEqual([reply.status, reply.json.code, reply.json.leg], [status, code, leg], reply.text)
      }
      const free = yield* call("POST", "/v1/transfers", { key: "k", body: { legs: [one, one] } })
      assert.strictEqual(free.status, 201, free.text)
      const { json } = yield* call("GET", `/v1/wallets/${b}`)
      assert.deepInclude(json, { balance: "102", held: "0" })
    })
  )

  it.effect("is a batch's item, at its first source", () =>
    Effect.gen(function* () {
      const { a, b, c, call } = yield* three
      const legs = [
        { from: a, to: b, amount: "10" },
        { from: b, to: c, amount: "5" }
      ]
      const item = { type: "transfer", walletId: a, idempotencyKey: "k", legs }
      const commands = [item, { ...item, walletId: b }, item, { ...item, idempotencyKey: "one", amount: "1", to: b }]
      const { json } = yield* call("POST", "/v1/batch", { body: { commands } })
      assert.deepStrictEqual(
        json.results.map(({ body, replayed, status }: Record<string, Record<string, unknown>>) => [
          status,
          body!.code,
          replayed
        ]),
        [
          [201, undefined, undefined],
          [400, "InvalidRequest", undefined],
          [201, undefined, true],
          [400, "InvalidRequest", undefined]
        ]
      )
    })
  )
})
