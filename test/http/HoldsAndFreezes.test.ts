/** Holds that change, captures to wallets, forced debits and freezes with a direction and an end, over HTTP. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const later = "2100-01-01T00:00:00.000Z"
const past = "2001-01-01T00:00:00Z"

let keys = 0

const setUp = Effect.gen(function* () {
  const { call, wallet } = yield* TestServer
  const id = yield* wallet()
  const to = yield* wallet()
  const post = (path: string, body?: unknown, more: Partial<Server.Call> = {}) =>
    call("POST", path, { key: `k${keys++}`, ...(body === undefined ? {} : { body }), ...more })
  yield* post(`/v1/wallets/${id}/credit`, { amount: "100" })
  const hold = (fields: object = {}) =>
    Effect.map(post(`/v1/wallets/${id}/holds`, { amount: "10", ...fields }), ({ json }) => json.hold.id as string)
  const patch = (holdId: string, body: unknown, more: Partial<Server.Call> = {}) =>
    call("PATCH", `/v1/wallets/${id}/holds/${holdId}`, { key: `k${keys++}`, body, ...more })
  const capture = (holdId: string, body: unknown, more: Partial<Server.Call> = {}) =>
    post(`/v1/wallets/${id}/holds/${holdId}/capture`, body, more)
  const read = (path: string) => Effect.map(call("GET", path), ({ json }) => json)
  return { call, wallet, id, to, post, hold, patch, capture, read }
})

layer(Server.layer(), { excludeTestServices: true })("a hold", (it) => {
  it.effect("is raised, lowered and given another end, and shown so everywhere", () =>
    Effect.gen(function* () {
      const { hold, id, patch, read } = yield* setUp
      const holdId = yield* hold({ expiresAt: later, reference: "r" })
      const raised = yield* patch(holdId, { amount: "40" })
      assert.strictEqual(raised.status, 200, raised.text)
      assert.deepInclude(raised.json.hold, { amount: "40", remaining: "40", captured: "0", status: "active" })
      assert.deepInclude(raised.json.hold, { expiresAt: later, reference: "r" })
      assert.deepInclude(raised.json.wallet, { balance: "100", held: "40", available: "60" })
      const lowered = yield* patch(holdId, { amount: "25", expiresAt: null })
      assert.deepInclude(lowered.json.hold, { amount: "25", remaining: "25", expiresAt: null })
      assert.strictEqual(lowered.json.wallet.held, "25")
      assert.deepStrictEqual(yield* read(`/v1/wallets/${id}/holds/${holdId}`), lowered.json.hold)
      const events: ReadonlyArray<{ readonly type: string; readonly data: object }> = (yield* read(
        `/v1/wallets/${id}/events?limit=100`
      )).data
      assert.deepInclude(events.at(-2), { type: "HoldChanged" })
      assert.deepInclude(events.at(-2)!.data, { amount: "40", previousAmount: "10", expiresAt: later })
      // What is there already is taken once more, and nothing moves.
      const same = yield* patch(holdId, { amount: "25" })
      assert.deepInclude(same.json.hold, { amount: "25", remaining: "25" })
    })
  )

  it.effect("is changed within its bounds only", () =>
    Effect.gen(function* () {
      const { call, capture, hold, id, patch, post } = yield* setUp
      const holdId = yield* hold()
      yield* capture(holdId, { amount: "4" })
      const short = yield* patch(holdId, { amount: "101" })
      assert.deepInclude(short.json, { code: "InsufficientFunds", required: "91", available: "90", shortage: "1" })
      const below = yield* patch(holdId, { amount: "3" })
      assert.deepInclude(below.json, { code: "HoldAmountExceeded", status: 422, remaining: "6" })
      for (const body of [{}, { expiresAt: past }, { amount: "0" }, { amount: 5 }, { other: 1 }]) {
        assert.strictEqual((yield* patch(holdId, body)).json.code, "InvalidRequest", JSON.stringify(body))
      }
      assert.strictEqual((yield* patch("nope", { amount: "5" })).json.code, "HoldNotFound")
      const missing = yield* call("PATCH", `/v1/wallets/${id}/holds/${holdId}`, { body: { amount: "5" } })
      assert.strictEqual(missing.json.code, "IdempotencyKeyMissing")
      const stale = yield* patch(holdId, { amount: "5" }, { headers: { "if-match": '"0"' } })
      assert.strictEqual(stale.json.code, "VersionMismatch")
      // As much as is captured closes it.
      const closed = yield* patch(holdId, { amount: "4" })
      assert.deepInclude(closed.json.hold, { amount: "4", captured: "4", remaining: "0", status: "captured" })
      assert.deepInclude(closed.json.wallet, { balance: "96", held: "0" })
      assert.strictEqual((yield* patch(holdId, { amount: "9" })).json.code, "HoldClosed")
      yield* post(`/v1/wallets/${id}/close`)
    })
  )

  it.effect("is answered again as it was, whatever has changed since", () =>
    Effect.gen(function* () {
      const { capture, hold, patch } = yield* setUp
      const holdId = yield* hold({ expiresAt: later })
      const captured = yield* capture(holdId, { amount: "1" }, { key: "again-capture" })
      const changed = yield* patch(holdId, { amount: "30" }, { key: "again-change" })
      yield* patch(holdId, { amount: "20", expiresAt: null })
      yield* capture(holdId, {})
      const replays = [
        [captured, yield* capture(holdId, { amount: "1" }, { key: "again-capture" })],
        [changed, yield* patch(holdId, { amount: "30" }, { key: "again-change" })]
      ] as const
      for (const [first, second] of replays) {
        assert.strictEqual(second.headers.get("idempotency-replayed"), "true")
        assert.deepStrictEqual(second.json, first.json)
      }
    })
  )

  it.effect("is captured to a wallet: one answer with hold, transaction and transfer", () =>
    Effect.gen(function* () {
      const { capture, hold, id, read, to } = yield* setUp
      const holdId = yield* hold({ amount: "50", reference: "order" })
      const key = "to-wallet"
      const reply = yield* capture(holdId, { amount: "30", to }, { key })
      assert.strictEqual(reply.status, 201, reply.text)
      const { transaction, transfer, wallet } = reply.json
      assert.deepInclude(reply.json.hold, { id: holdId, captured: "30", remaining: "20", status: "active" })
      assert.deepInclude(transaction, {
        type: "capture",
        amount: "30",
        balanceAfter: "70",
        holdId,
        transferId: transfer.id
      })
      assert.deepInclude(transfer, { from: id, to, amount: "30", currency: "EUR", status: "completed" })
      assert.deepInclude(wallet, { balance: "70", held: "20", available: "50" })
      assert.strictEqual(reply.headers.get("etag"), `"${wallet.version}"`)
      const received = (yield* read(`/v1/wallets/${to}/transactions`)).data
      assert.lengthOf(received, 1)
      assert.deepInclude(received[0], { type: "transfer_in", amount: "30", transferId: transfer.id })
      assert.deepStrictEqual(
        [transfer.legs[0].sentTransactionId, transfer.legs[0].receivedTransactionId],
        [transaction.id, received[0].id]
      )
      const captures = (yield* read(`/v1/wallets/${id}/transactions?type=capture`)).data
      assert.deepStrictEqual(captures, [transaction])
      assert.lengthOf((yield* read(`/v1/wallets/${id}/transactions?type=transfer_out`)).data, 0)
      assert.deepInclude(yield* read(`/v1/transfers/${transfer.id}`), { status: "completed", amount: "30" })
      const replayed = yield* capture(holdId, { amount: "30", to }, { key })
      assert.strictEqual(replayed.headers.get("idempotency-replayed"), "true")
      assert.deepStrictEqual(replayed.json, reply.json)
      // Without `to`, or to another one, it is another command.
      for (const body of [{ amount: "30" }, { amount: "30", to: id }]) {
        assert.strictEqual((yield* capture(holdId, body, { key })).json.code, "IdempotencyKeyReused")
      }
    })
  )

  it.effect("releases the rest of a final capture to a wallet once that has it", () =>
    Effect.gen(function* () {
      const { capture, hold, id, read, to } = yield* setUp
      const holdId = yield* hold({ amount: "50" })
      const reply = yield* capture(holdId, { amount: "20", final: true, to }, { key: "final" })
      assert.strictEqual(reply.status, 201, reply.text)
      assert.deepInclude(reply.json.hold, { amount: "50", captured: "20", remaining: "0", status: "captured" })
      assert.deepInclude(reply.json.wallet, { balance: "80", held: "0", available: "80" })
      assert.deepStrictEqual(yield* read(`/v1/wallets/${id}`), reply.json.wallet)
      const replayed = yield* capture(holdId, { amount: "20", final: true, to }, { key: "final" })
      assert.deepStrictEqual(replayed.json, reply.json)
      assert.strictEqual((yield* capture(holdId, { to })).json.code, "HoldClosed")
    })
  )

  it.effect("is as before when the destination refuses the money", () =>
    Effect.gen(function* () {
      const { capture, hold, id, post, read, to } = yield* setUp
      const holdId = yield* hold({ amount: "50" })
      yield* post(`/v1/wallets/${to}/freeze`, { direction: "credits", reason: "no" })
      const before = yield* read(`/v1/wallets/${id}/holds/${holdId}`)
      for (const body of [{ to }, { to, amount: "20" }, { to, amount: "20", final: true }]) {
        const refused = yield* capture(holdId, body)
        assert.deepInclude(refused.json, { code: "TransferReversed", status: 422 })
        assert.include(refused.json.detail, "WalletFrozen")
        assert.deepStrictEqual(yield* read(`/v1/wallets/${id}/holds/${holdId}`), before)
        assert.deepInclude(yield* read(`/v1/wallets/${id}`), { balance: "100", held: "50", available: "50" })
      }
      yield* post(`/v1/wallets/${to}/unfreeze`)
      assert.strictEqual((yield* capture(holdId, { to })).status, 201)
    })
  )

  it.effect("is captured only to an open wallet of its currency, and another one", () =>
    Effect.gen(function* () {
      const { call, capture, hold, id, post, to, wallet } = yield* setUp
      const holdId = yield* hold()
      const dollars = yield* wallet({ currency: "USD" })
      yield* post(`/v1/wallets/${to}/close`)
      const cases = [
        [{ to: "nope" }, "WalletNotFound"],
        [{ to }, "WalletClosed"],
        [{ to: id }, "SameWallet"],
        [{ to: dollars }, "CurrencyMismatch"],
        [{ to: "" }, "InvalidRequest"]
      ] as const
      for (const [body, code] of cases) assert.strictEqual((yield* capture(holdId, body)).json.code, code)
      assert.strictEqual((yield* capture("nope", { to: dollars })).json.code, "CurrencyMismatch")
      const free = yield* wallet()
      const { version } = (yield* call("GET", `/v1/wallets/${id}`)).json
      for (const dryRun of ["", "?dryRun=true"]) {
        const stale = yield* call("POST", `/v1/wallets/${id}/holds/${holdId}/capture${dryRun}`, {
          key: `stale${dryRun}`,
          body: { to: free },
          headers: { "if-match": `"${version - 1}"` }
        })
        assert.deepInclude(stale.json, { code: "VersionMismatch", version })
      }
      const fresh = yield* capture(holdId, { amount: "1", to: free }, { headers: { "if-match": `"${version}"` } })
      assert.strictEqual(fresh.status, 201, fresh.text)
      assert.deepInclude((yield* capture(holdId, {})).json.hold, { status: "captured", captured: "10" })
    })
  )
})

layer(Server.layer(), { excludeTestServices: true })("a forced debit", (it) => {
  it.effect("goes below zero for an admin, and is refused to others", () =>
    Effect.gen(function* () {
      const { call, capture, hold, id, post, read } = yield* setUp
      const { secrets } = yield* TestServer
      const holdId = yield* hold({ amount: "60" })
      const debit = { amount: "150", force: true }
      const forbidden = yield* post(`/v1/wallets/${id}/debit`, debit, { secret: secrets.write })
      assert.deepInclude(forbidden.json, { code: "Forbidden", status: 403 })
      const plain = yield* post(`/v1/wallets/${id}/debit`, { ...debit, force: false }, { secret: secrets.write })
      assert.strictEqual(plain.json.code, "InsufficientFunds")
      const forced = yield* post(`/v1/wallets/${id}/debit`, debit, { key: "force" })
      assert.strictEqual(forced.status, 201, forced.text)
      assert.deepInclude(forced.json.wallet, { balance: "-50", held: "60", available: "-110" })
      assert.strictEqual(forced.json.transaction.balanceAfter, "-50")
      const other = yield* post(`/v1/wallets/${id}/debit`, { amount: "150" }, { key: "force" })
      assert.strictEqual(other.json.code, "IdempotencyKeyReused")
      // What needs funds is refused; what was held can be captured, and the limit raised.
      assert.strictEqual((yield* post(`/v1/wallets/${id}/debit`, { amount: "1" })).json.code, "InsufficientFunds")
      assert.strictEqual((yield* post(`/v1/wallets/${id}/holds`, { amount: "1" })).json.code, "InsufficientFunds")
      assert.strictEqual((yield* capture(holdId, { amount: "10" })).status, 201)
      const raised = yield* call("PATCH", `/v1/wallets/${id}`, { key: "limit", body: { overdraftLimit: "20" } })
      assert.deepInclude(raised.json.wallet, { balance: "-60", available: "-90" })
      const lowered = yield* call("PATCH", `/v1/wallets/${id}`, { key: "lower", body: { overdraftLimit: "19" } })
      assert.strictEqual(lowered.json.code, "InsufficientFunds")
      yield* post(`/v1/wallets/${id}/credit`, { amount: "90" })
      assert.deepInclude(yield* read(`/v1/wallets/${id}`), { balance: "30", available: "0" })
    })
  )

  it.effect("is refused by all but the funds", () =>
    Effect.gen(function* () {
      const { id, post, to } = yield* setUp
      const debit = { amount: "150", force: true }
      yield* post(`/v1/wallets/${id}/freeze`)
      assert.strictEqual((yield* post(`/v1/wallets/${id}/debit`, debit)).json.code, "WalletFrozen")
      yield* post(`/v1/wallets/${id}/freeze`, { direction: "credits" })
      assert.strictEqual((yield* post(`/v1/wallets/${id}/debit`, debit)).status, 201)
      yield* post(`/v1/wallets/${to}/close`)
      assert.strictEqual((yield* post(`/v1/wallets/${to}/debit`, debit)).json.code, "WalletClosed")
    })
  )

  it.effect("of a batch is asked for the scope by itself", () =>
    Effect.gen(function* () {
      const { hold, id, post, to } = yield* setUp
      const { secrets } = yield* TestServer
      const holdId = yield* hold({ amount: "50" })
      const commands = [
        { type: "debit", walletId: id, amount: "1", idempotencyKey: "b1" },
        { type: "debit", walletId: id, amount: "500", force: true, idempotencyKey: "b2" },
        { type: "capture", walletId: id, holdId, amount: "20", to, idempotencyKey: "b3" },
        { type: "change_hold", walletId: id, holdId, amount: "60", idempotencyKey: "b4" },
        { type: "change_hold", walletId: id, holdId, idempotencyKey: "b5" },
        { type: "capture", walletId: id, holdId, final: true, to, idempotencyKey: "b6" }
      ]
      const reply = yield* post("/v1/batch", { commands }, { secret: secrets.write, key: undefined! })
      const results: ReadonlyArray<{ readonly status: number; readonly body: Record<string, any> }> = reply.json.results // oxlint-disable-line typescript/no-explicit-any
      assert.deepStrictEqual(
        results.map(({ body, status }) => [status, body["code"] ?? body["transfer"]?.status ?? "done"]),
        [
          [201, "done"],
          [403, "Forbidden"],
          [201, "completed"],
          [200, "done"],
          [400, "InvalidRequest"],
          [201, "completed"]
        ]
      )
      assert.strictEqual(results[5]!.body["transaction"].amount, "40")
      const admin = yield* post("/v1/batch", { commands: [commands[1]] }, { key: undefined! })
      assert.strictEqual(admin.json.results[0].status, 201)
    })
  )
})

layer(Server.layer(), { excludeTestServices: true })("a freeze", (it) => {
  it.effect("stops what goes its way, and nothing else", () =>
    Effect.gen(function* () {
      const { capture, hold, id, patch, post, read, to } = yield* setUp
      yield* post(`/v1/wallets/${to}/credit`, { amount: "50" })
      const holdId = yield* hold({ amount: "20" })
      const spare = yield* hold({ amount: "5" })
      /** What each command comes to. */
      const commands = () =>
        Effect.gen(function* () {
          const replies = [
            yield* post(`/v1/wallets/${id}/debit`, { amount: "1" }),
            yield* post(`/v1/wallets/${id}/holds`, { amount: "1" }),
            yield* patch(holdId, { amount: "21" }),
            yield* capture(holdId, { amount: "1" }),
            yield* capture(holdId, { amount: "1", to }),
            yield* post("/v1/transfers", { from: id, to, amount: "1" }),
            yield* post("/v1/transfers", {
              legs: [
                { from: id, to, amount: "1" },
                { from: to, to: id, amount: "1" }
              ]
            }),
            yield* post(`/v1/wallets/${id}/credit`, { amount: "1" }),
            yield* post("/v1/transfers", { from: to, to: id, amount: "1" }),
            yield* patch(holdId, { amount: "20" })
          ]
          return replies.map(({ json, status }) => (status >= 400 ? json.code : "done"))
        })
      const frozen = "WalletFrozen"
      const stops = {
        debits: [...Array<string>(7).fill(frozen), "done", "done", "done"],
        credits: [...Array<string>(6).fill("done"), frozen, frozen, "TransferReversed", "done"],
        all: [...Array<string>(8).fill(frozen), "TransferReversed", "done"]
      }
      for (const direction of ["debits", "credits", "all"] as const) {
        const reply = yield* post(`/v1/wallets/${id}/freeze`, { direction, reason: "audit" })
        assert.deepInclude(reply.json.wallet, {
          status: "frozen",
          freeze: { direction, reason: "audit", until: null }
        })
        assert.deepStrictEqual((yield* read(`/v1/wallets/${id}`)).freeze, reply.json.wallet.freeze)
        assert.deepStrictEqual(yield* commands(), stops[direction], direction)
      }
      const released = yield* post(`/v1/wallets/${id}/holds/${spare}/release`)
      assert.strictEqual(released.status, 201)
      yield* post(`/v1/wallets/${id}/unfreeze`)
      assert.isNull((yield* read(`/v1/wallets/${id}`)).freeze)
      assert.deepStrictEqual(yield* commands(), Array(10).fill("done"))
    })
  )

  it.effect("says what it stops and until when, and is replaced by the next", () =>
    Effect.gen(function* () {
      const { id, post, read } = yield* setUp
      yield* post(`/v1/wallets/${id}/freeze`, { direction: "all", until: later })
      const refused = yield* post(`/v1/wallets/${id}/credit`, { amount: "1" })
      assert.deepInclude(refused.json, { code: "WalletFrozen", direction: "all", until: later })
      const replaced = yield* post(`/v1/wallets/${id}/freeze`, { reason: "other" })
      assert.deepStrictEqual(replaced.json.wallet.freeze, { direction: "debits", reason: "other", until: null })
      assert.strictEqual((yield* post(`/v1/wallets/${id}/credit`, { amount: "1" })).status, 201)
      const search = (yield* read(`/v1/wallets?status=frozen&limit=200`)).data
      const found = search.find((one: { readonly id: string }) => one.id === id)
      assert.deepStrictEqual(found.freeze, replaced.json.wallet.freeze)
      const closed = yield* post(`/v1/wallets/${id}/debit`, { amount: "101" })
      assert.strictEqual(closed.json.code, "WalletFrozen")
    })
  )

  it.effect("is refused for a time that is over, and for what is no direction", () =>
    Effect.gen(function* () {
      const { id, post } = yield* setUp
      for (const body of [{ until: past }, { direction: "none" }, { until: "soon" }, { until: 5 }]) {
        assert.strictEqual((yield* post(`/v1/wallets/${id}/freeze`, body)).json.code, "InvalidRequest")
      }
    })
  )
})
