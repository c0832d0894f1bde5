/** Dry runs over HTTP: the answer of the command, with nothing of it anywhere. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Redacted from "effect/Redacted"
import * as Layer from "effect/Layer"
import { WalletClient } from "../../src/http/WalletClient.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const none = { committed: false, persisted: false, indexed: false }

/** Of everything that is not a transfer. */
const setUp = Effect.gen(function* () {
  const { call, wallet } = yield* TestServer
  const id = yield* wallet()
  const to = yield* wallet()
  yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "100" } })
  const placed = yield* call("POST", `/v1/wallets/${id}/holds`, { key: "h", body: { amount: "10" } })
  const version = (placed.json.wallet as { version: number }).version
  const state = Effect.map(
    Effect.all([
      call("GET", `/v1/wallets/${id}`),
      call("GET", `/v1/wallets/${id}/events`),
      call("GET", "/v1/transfers")
    ]),
    (replies) => replies.map(({ text }) => text)
  )
  return { call, id, to, holdId: placed.json.hold.id as string, version, state }
})

type Given = Effect.Success<typeof setUp>

/** What is asked, and what of the answer is as it would be. */
type Row = readonly [
  name: string,
  method: string,
  path: (given: Given) => string,
  body: (given: Given) => unknown,
  told: (given: Given) => object
]

const wallet =
  (suffix: string) =>
  ({ id }: Given) =>
    `/v1/wallets/${id}${suffix}`
const hold =
  (suffix: string) =>
  ({ holdId, id }: Given) =>
    `/v1/wallets/${id}/holds/${holdId}${suffix}`

const rows: ReadonlyArray<Row> = [
  [
    "create", "POST", () => "/v1/wallets", () => ({ ownerId: "o", currency: "EUR" }),
    () => ({ wallet: { id: null, ownerId: "o", version: 0, balance: "0" } })
  ],
  [
    "create by id", "POST", () => "/v1/wallets", () => ({ id: "dry-1", ownerId: "o", currency: "EUR" }),
    () => ({ wallet: { id: "dry-1", version: 0 } })
  ],
  [
    "credit", "POST", wallet("/credit"), () => ({ amount: "7", reference: "r" }),
    ({ id, version }) => ({
      transaction: { id: null, walletId: id, type: "credit", amount: "7", balanceAfter: "107", reference: "r" },
      wallet: { id, balance: "107", version: version + 1 }
    })
  ],
  [
    "debit", "POST", wallet("/debit"), () => ({ amount: "90" }),
    () => ({ transaction: { id: null, type: "debit" }, wallet: { balance: "10", available: "0" } })
  ],
  [
    "hold", "POST", wallet("/holds"), () => ({ amount: "5" }),
    () => ({ hold: { id: null, amount: "5", status: "active" }, wallet: { held: "15", available: "85" } })
  ],
  [
    "capture", "POST", hold("/capture"), () => ({ amount: "4", final: true }),
    ({ holdId }) => ({
      hold: { id: holdId, captured: "4", remaining: "0", status: "captured" },
      transaction: { id: null, type: "capture", holdId },
      wallet: { balance: "96", held: "0" }
    })
  ],
  [
    "final capture to a wallet", "POST", hold("/capture"), ({ to }) => ({ amount: "4", final: true, to }),
    ({ holdId, id, to }) => ({
      hold: { id: holdId, captured: "4", remaining: "0", status: "captured" },
      transaction: { id: null, type: "capture", holdId, transferId: null },
      transfer: { id: null, from: id, to, amount: "4", status: "completed" },
      wallet: { balance: "96", held: "0", available: "96" }
    })
  ],
  [
    "change of a hold", "PATCH", hold(""), () => ({ amount: "15", expiresAt: "2100-01-01T00:00:00Z" }),
    ({ holdId }) => ({
      hold: { id: holdId, amount: "15", remaining: "15", expiresAt: "2100-01-01T00:00:00.000Z" },
      wallet: { held: "15", available: "85" }
    })
  ],
  [
    "forced debit", "POST", wallet("/debit"), () => ({ amount: "130", force: true }),
    () => ({ transaction: { id: null, type: "debit" }, wallet: { balance: "-30", available: "-40" } })
  ],
  [
    "freeze with a direction", "POST", wallet("/freeze"), () => ({ direction: "all", until: "2100-01-01T00:00:00Z" }),
    () => ({
      wallet: { status: "frozen", freeze: { direction: "all", reason: null, until: "2100-01-01T00:00:00.000Z" } }
    })
  ],
  [
    "release", "POST", hold("/release"), () => undefined,
    ({ holdId }) => ({ hold: { id: holdId, status: "released" }, wallet: { held: "0" } })
  ],
  ["freeze", "POST", wallet("/freeze"), () => ({ reason: "x" }), () => ({ wallet: { status: "frozen" } })],
  ["unfreeze", "POST", wallet("/unfreeze"), () => undefined, () => ({ wallet: { status: "active" } })],
  [
    "patch", "PATCH", wallet(""), () => ({ metadata: { a: "b" }, overdraftLimit: "5" }),
    () => ({ wallet: { metadata: { a: "b" }, overdraftLimit: "5", available: "95" } })
  ],
  [
    "transfer", "POST", () => "/v1/transfers", ({ id, to }) => ({ from: id, to, amount: "30" }),
    ({ id, to }) => ({ transfer: { id: null, from: id, to, amount: "30", currency: "EUR", status: "completed" } })
  ]
] // prettier-ignore

layer(Server.layer(), { excludeTestServices: true })("a dry run", (it) => {
  for (const [name, method, path, body, told] of rows) {
    it.effect(`of ${name} is answered as the command would be, and changes nothing`, () =>
      Effect.gen(function* () {
        const given = yield* setUp
        const { call, state } = given
        const before = yield* state
        const ask = (key?: string) =>
          call(method, `${path(given)}?dryRun=true`, {
            ...(body(given) === undefined ? {} : { body: body(given) }),
            ...(key === undefined ? {} : { key })
          })
        // Without a key, and with one twice: it is not used up.
        for (const key of [undefined, `dry-${name.replaceAll(" ", "-")}`, `dry-${name.replaceAll(" ", "-")}`]) {
          const reply = yield* ask(key)
          assert.strictEqual(reply.status, 200, reply.text)
          assert.isTrue(reply.json.dryRun)
          assert.deepStrictEqual(reply.json.durability, none)
          assert.isNull(reply.headers.get("idempotency-replayed"))
          assert.isNull(reply.headers.get("etag"))
          for (const [part, fields] of Object.entries(told(given))) {
            assert.deepInclude(reply.json[part], fields as object)
          }
        }
        assert.deepStrictEqual(yield* state, before)
        // The key is free, and what it does now was told.
        const done = yield* call(method, path(given), { key: `dry-${name.replaceAll(" ", "-")}`, body: body(given) })
        assert.include([200, 201], done.status, done.text)
        assert.isNull(done.headers.get("idempotency-replayed"))
        assert.notProperty(done.json, "dryRun")
        // From now on it is answered as its replay.
        const replayed = yield* ask(`dry-${name.replaceAll(" ", "-")}`)
        assert.deepStrictEqual([replayed.status, replayed.text], [done.status, done.text])
        assert.strictEqual(replayed.headers.get("idempotency-replayed"), "true")
      })
    )
  }

  it.effect("is rejected as the command would be", () =>
    Effect.gen(function* () {
      const given = yield* setUp
      const { call, holdId, id, state, to } = given
      const { wallet } = yield* TestServer
      const dollars = yield* wallet({ currency: "USD" })
      yield* call("POST", `/v1/wallets/${to}/close`, { key: "close" })
      const before = yield* state
      const bodies: ReadonlyArray<readonly [path: string, body: unknown, status: number, code: string]> = [
        ["/v1/wallets", { id, ownerId: "o", currency: "EUR" }, 409, "WalletAlreadyExists"],
        ["/v1/wallets/nope/credit", { amount: "1" }, 404, "WalletNotFound"],
        [`/v1/wallets/${id}/debit`, { amount: "91" }, 422, "InsufficientFunds"],
        [`/v1/wallets/${id}/holds/nope/release`, undefined, 404, "HoldNotFound"],
        [`/v1/wallets/${id}/holds/${holdId}/capture`, { amount: "11" }, 422, "HoldAmountExceeded"],
        [`/v1/wallets/${id}/close`, undefined, 422, "WalletNotEmpty"],
        [`/v1/wallets/${to}/credit`, { amount: "1" }, 422, "WalletClosed"],
        ["/v1/transfers", { from: id, to, amount: "1" }, 422, "WalletClosed"],
        ["/v1/transfers", { from: id, to: dollars, amount: "1" }, 422, "CurrencyMismatch"],
        ["/v1/transfers", { from: id, to: id, amount: "1" }, 422, "SameWallet"],
        ["/v1/transfers", { from: id, to: "nope", amount: "1" }, 404, "WalletNotFound"],
        ["/v1/transfers", { from: id, to: dollars, amount: "1000" }, 422, "CurrencyMismatch"],
        [`/v1/wallets/${id}/credit`, { amount: "0" }, 400, "InvalidRequest"]
      ]
      for (const [path, body, status, code] of bodies) {
        const dry = yield* call("POST", `${path}?dryRun=true`, body === undefined ? {} : { body })
        const real = yield* call("POST", path, { key: `real-${path}`, ...(body === undefined ? {} : { body }) })
        assert.deepInclude(dry.json, { status, code }, path)
        const { requestId: _, ...problem } = dry.json
        const { requestId: __, ...expected } = real.json
        assert.deepStrictEqual(problem, expected)
      }
      assert.deepStrictEqual(yield* state, before)
    })
  )

  it.effect("of another command with a key that was used is refused", () =>
    Effect.gen(function* () {
      const { call, id, to } = yield* setUp
      const reused = yield* call("POST", `/v1/wallets/${id}/credit?dryRun=true`, { key: "c", body: { amount: "99" } })
      assert.deepInclude(reused.json, { status: 422, code: "IdempotencyKeyReused" })
      yield* call("POST", "/v1/transfers", { key: "t", body: { from: id, to, amount: "1" } })
      const transfer = yield* call("POST", "/v1/transfers?dryRun=true", {
        key: "t",
        body: { from: id, to, amount: "2" }
      })
      assert.deepInclude(transfer.json, { status: 422, code: "IdempotencyKeyReused" })
    })
  )

  it.effect("takes true and false, and asks for the scope of the command", () =>
    Effect.gen(function* () {
      const { call, id } = yield* setUp
      const { secrets } = yield* TestServer
      for (const value of ["", "1", "TRUE", "yes", "true&dryRun=true"]) {
        const reply = yield* call("POST", `/v1/wallets/${id}/credit?dryRun=${value}`, {
          key: "k",
          body: { amount: "1" }
        })
        assert.deepInclude(reply.json, { status: 400, code: "InvalidRequest" }, value)
        assert.strictEqual(reply.json.errors[0].pointer.slice(0, 14), "#/query/dryRun")
      }
      const real = yield* call("POST", `/v1/wallets/${id}/credit?dryRun=false`, { key: "false", body: { amount: "1" } })
      assert.strictEqual(real.status, 201)
      const unkeyed = yield* call("POST", `/v1/wallets/${id}/credit?dryRun=false`, { body: { amount: "1" } })
      assert.strictEqual(unkeyed.json.code, "IdempotencyKeyMissing")
      for (const secret of [secrets.read, secrets.write]) {
        const forbidden = yield* call("POST", `/v1/wallets/${id}/freeze?dryRun=true`, { secret })
        assert.strictEqual(forbidden.status, 403)
      }
      const limit = yield* call("PATCH", `/v1/wallets/${id}?dryRun=true`, {
        secret: secrets.write,
        body: { overdraftLimit: "1" }
      })
      assert.strictEqual(limit.json.code, "Forbidden")
    })
  )

  it.effect("of a batch is one of each of its commands, as things are now", () =>
    Effect.gen(function* () {
      const { call, id, state, to } = yield* setUp
      const before = yield* state
      const debit = { type: "debit", walletId: id, amount: "60" }
      const commands = [
        debit,
        debit,
        { ...debit, amount: "91" },
        { type: "transfer", walletId: id, to, amount: "90" },
        { type: "credit", walletId: id, amount: "100", idempotencyKey: "c" },
        { type: "credit", walletId: id, amount: "x" }
      ]
      const reply = yield* call("POST", "/v1/batch?dryRun=true", { body: { commands } })
      assert.strictEqual(reply.status, 200)
      const results: ReadonlyArray<{ status: number; body: Record<string, unknown>; replayed?: boolean }> =
        reply.json.results
      assert.deepStrictEqual(
        results.map(({ body, replayed, status }) => [status, body["dryRun"] ?? replayed ?? body["code"]]),
        [
          [200, true],
          [200, true],
          [422, "InsufficientFunds"],
          [200, true],
          [201, true],
          [400, "InvalidRequest"]
        ]
      )
      assert.isTrue(results[4]!.replayed)
      assert.deepStrictEqual(yield* state, before)
    })
  )

  it.effect("is told apart by the typed client", () =>
    Effect.gen(function* () {
      const { id } = yield* setUp
      const { secrets, url } = yield* TestServer
      const clientLayer = WalletClient.layer({ baseUrl: url, apiKey: Redacted.make(secrets.admin) }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
      yield* Effect.gen(function* () {
        const { wallets } = yield* WalletClient
        const request = { params: { id }, headers: { "idempotency-key": "" }, payload: {} }
        const dry = yield* wallets.freeze({ ...request, query: { dryRun: true } })
        assert.isTrue("dryRun" in dry && dry.dryRun)
        assert.strictEqual(dry.wallet.status, "frozen")
        const real = yield* wallets.freeze({ ...request, headers: { "idempotency-key": "f" }, query: {} })
        assert.notProperty(real, "dryRun")
        assert.strictEqual(real.wallet.id, id)
      }).pipe(Effect.provide(clientLayer))
    })
  )
})
