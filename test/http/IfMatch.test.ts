/** `If-Match` and `ETag`: a command for one version of a wallet. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { VersionMismatch } from "../../src/http/api/Problem.ts"
import { WalletClient } from "../../src/http/WalletClient.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const setUp = Effect.gen(function* () {
  const { call, wallet } = yield* TestServer
  const id = yield* wallet()
  yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "100" } })
  const placed = yield* call("POST", `/v1/wallets/${id}/holds`, { key: "h", body: { amount: "10" } })
  return { call, id, holdId: placed.json.hold.id as string }
})

/** Every mutation of a wallet that is there, each allowed after the ones before. */
const mutations: ReadonlyArray<readonly [method: string, suffix: string, body: unknown]> = [
  ["POST", "/credit", { amount: "1" }],
  ["POST", "/debit", { amount: "1" }],
  ["POST", "/holds", { amount: "1" }],
  ["POST", "/holds/HOLD/capture", { amount: "1" }],
  ["POST", "/holds/HOLD/release", undefined],
  ["PATCH", "", { metadata: { a: "b" } }],
  ["POST", "/freeze", undefined],
  ["POST", "/unfreeze", undefined]
]

layer(Server.layer({ corsOrigins: ["https://shop.example"] }), { excludeTestServices: true })("If-Match", (it) => {
  it.effect("lets a mutation through at the version that it names, and no other", () =>
    Effect.gen(function* () {
      const { call, holdId, id } = yield* setUp
      for (const [method, suffix, body] of mutations) {
        const path = `/v1/wallets/${id}${suffix.replace("HOLD", holdId)}`
        const { etag, version } = yield* Effect.map(call("GET", `/v1/wallets/${id}`), ({ headers, json }) => ({
          etag: headers.get("etag") ?? "",
          version: json.version as number
        }))
        assert.strictEqual(etag, `"${version}"`)
        const send = (key: string, match: string, query = "") =>
          call(method, path + query, { key, headers: { "if-match": match }, ...(body === undefined ? {} : { body }) })
        for (const other of [version - 1, version + 1, 9_007_199_254_740_991]) {
          for (const query of ["", "?dryRun=true"]) {
            const refused = yield* send(`${suffix}-other`, `"${other}"`, query)
            assert.deepInclude(refused.json, { status: 412, code: "VersionMismatch", version, retryable: false }, path)
          }
        }
        const dry = yield* send(`${suffix}-other`, etag, "?dryRun=true")
        assert.strictEqual(dry.status, 200, dry.text)
        // The key was not used by what was refused.
        const done = yield* send(`${suffix}-other`, etag)
        assert.include([200, 201], done.status, done.text)
        assert.strictEqual(done.headers.get("etag"), `"${done.json.wallet.version}"`)
        // With its key it has happened, whatever it is asked for now: no part of the command.
        for (const match of [etag, `"${version + 7}"`, "*"]) {
          const replayed = yield* send(`${suffix}-other`, match)
          assert.deepStrictEqual([replayed.status, replayed.text], [done.status, done.text])
          assert.strictEqual(replayed.headers.get("idempotency-replayed"), "true")
          assert.strictEqual(replayed.headers.get("etag"), `"${done.json.wallet.version}"`)
        }
      }
      const any = yield* call("POST", `/v1/wallets/${id}/credit`, {
        key: "any",
        headers: { "if-match": "*" },
        body: { amount: "1" }
      })
      assert.strictEqual(any.status, 201)
    })
  )

  it.effect("comes before the rules, and after whether there is such a wallet", () =>
    Effect.gen(function* () {
      const { call, id } = yield* setUp
      const debit = { key: "d", headers: { "if-match": '"0"' }, body: { amount: "1000" } }
      assert.strictEqual((yield* call("POST", `/v1/wallets/${id}/debit`, debit)).json.code, "VersionMismatch")
      assert.strictEqual((yield* call("POST", "/v1/wallets/nope/debit", debit)).json.code, "WalletNotFound")
    })
  )

  it.effect("lets one of several through that were made for the same version", () =>
    Effect.gen(function* () {
      const { call, id } = yield* setUp
      const { headers } = yield* call("GET", `/v1/wallets/${id}`)
      const etag = headers.get("etag") ?? ""
      const replies = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, n) => n),
        (n) =>
          call("POST", `/v1/wallets/${id}/credit`, {
            key: `race-${n}`,
            headers: { "if-match": etag },
            body: { amount: "1" }
          }),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(replies.filter(({ status }) => status === 201).length, 1)
      assert.strictEqual(replies.filter(({ json }) => json.code === "VersionMismatch").length, 19)
    })
  )

  it.effect("that is weak, malformed or one of several is refused", () =>
    Effect.gen(function* () {
      const { call, id } = yield* setUp
      const values = [
        'W/"2"',
        "2",
        '"2',
        '2"',
        '"02"',
        '"-1"',
        '"a"',
        '""',
        '"2", "3"',
        '"2","2"',
        "*, *",
        '"2" *',
        '"99999999999999999"',
        "**"
      ]
      for (const value of values) {
        const reply = yield* call("POST", `/v1/wallets/${id}/credit`, {
          key: "k",
          headers: { "if-match": value },
          body: { amount: "1" }
        })
        assert.deepInclude(reply.json, { status: 400, code: "InvalidRequest" }, value)
        assert.strictEqual(reply.json.errors[0].pointer, "#/header/if-match", value)
      }
    })
  )

  it.effect("is refused by calls that do not take it, never ignored", () =>
    Effect.gen(function* () {
      const { call, id } = yield* setUp
      const { wallet } = yield* TestServer
      const to = yield* wallet()
      const calls: ReadonlyArray<readonly [method: string, path: string, body?: unknown]> = [
        ["POST", "/v1/wallets", { ownerId: "o", currency: "EUR" }],
        ["POST", "/v1/transfers", { from: id, to, amount: "1" }],
        ["POST", "/v1/batch", { commands: [] }],
        ["POST", "/v1/keys", { name: "n", scopes: ["admin"] }],
        ["GET", `/v1/wallets/${id}`],
        ["GET", "/v1/transfers"]
      ]
      for (const value of ['"2"', "*", "x"]) {
        for (const [method, path, body] of calls) {
          const given = { key: "k", headers: { "if-match": value } }
          const reply = yield* call(method, path, body === undefined ? given : { ...given, body })
          assert.deepInclude(reply.json, { status: 400, code: "InvalidRequest" }, `${method} ${path}`)
          assert.deepStrictEqual(
            reply.json.errors.map(({ pointer }: { pointer: string }) => pointer),
            ["#/header/if-match"]
          )
        }
      }
      const plain = yield* call("GET", `/v1/wallets/${to}`)
      assert.strictEqual(plain.json.balance, "0")
    })
  )

  it.effect("is allowed to pages of other origins, which see the ETag", () =>
    Effect.gen(function* () {
      const { call, id } = yield* setUp
      const origin = "https://shop.example"
      const preflight = yield* call("OPTIONS", `/v1/wallets/${id}/credit`, {
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "if-match" }
      })
      assert.include(preflight.headers.get("access-control-allow-headers") ?? "", "if-match")
      const read = yield* call("GET", `/v1/wallets/${id}`, { headers: { origin } })
      assert.include(read.headers.get("access-control-expose-headers") ?? "", "etag")
    })
  )

  it.effect("is a number to the typed client", () =>
    Effect.gen(function* () {
      const { id } = yield* setUp
      const { secrets, url } = yield* TestServer
      const clientLayer = WalletClient.layer({ baseUrl: url, apiKey: Redacted.make(secrets.admin) }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
      yield* Effect.gen(function* () {
        const { wallets } = yield* WalletClient
        const { version } = yield* wallets.get({ params: { id }, query: {} })
        const credit = (key: string, ifMatch: number | "*") =>
          wallets.credit({
            params: { id },
            headers: { "idempotency-key": key, "if-match": ifMatch },
            query: {},
            payload: { amount: 1n }
          })
        yield* credit("1", version)
        const error = yield* Effect.flip(credit("2", version))
        assert.instanceOf(error, VersionMismatch)
        assert.strictEqual((error as VersionMismatch).version, version + 1)
        yield* credit("2", "*")
      }).pipe(Effect.provide(clientLayer))
    })
  )
})
