/** A malformed request is told all that is wrong with it, with where it is. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

type Row = readonly [method: string, path: string, call: Server.Call, pointers: ReadonlyArray<string>]

const text = "x".repeat(256)

const rows: ReadonlyArray<Row> = [
  ["POST", "/v1/wallets/w/credit", { key: "k", body: { amount: "0", reference: text, colour: "red" } }, ["/amount", "/colour", "/reference"]],
  ["POST", "/v1/wallets/w/credit", { key: "k", body: {} }, ["/amount"]],
  ["POST", "/v1/wallets/w/credit", { key: "k", body: { amount: "1", "a/b~c": 1 } }, ["/a~1b~0c"]],
  ["POST", "/v1/wallets/w/credit", { key: "k", body: "no json" }, [""]],
  ["POST", "/v1/wallets/w/credit", { key: "k" }, [""]],
  ["POST", "/v1/wallets/w/credit", { key: "k", body: [] }, [""]],
  ["POST", "/v1/wallets/w/credit", { key: "k", body: { amount: "1", metadata: { a: 1 } } }, ["/metadata/a"]],
  ["PATCH", "/v1/wallets/w", { key: "k", body: {} }, [""]],
  ["POST", "/v1/wallets", { key: "k", body: { id: "a b", currency: "e" } }, ["/currency", "/id", "/ownerId"]],
  [
    "POST", "/v1/wallets/a%20b/credit?await=never&page=1",
    { key: "a key", headers: { "if-match": "7" }, body: { amount: 1 } },
    ["#/header/idempotency-key", "#/header/if-match", "#/path/id", "#/query/await", "#/query/page", "/amount"]
  ],
  ["POST", "/v1/wallets/w/credit?dryRun=maybe", { key: "k", body: { amount: "1" } }, ["#/query/dryRun"]],
  ["POST", "/v1/wallets/w/freeze?x=1", { key: "k" }, ["#/query/x"]],
  ["POST", "/v1/wallets/w/freeze?x=1", { key: "k", body: { reason: 7 } }, ["#/query/x", "/reason"]],
  ["POST", "/v1/wallets/w/holds/%20/release?x=1", { key: "k", body: { a: 1 } }, ["#/path/holdId", "#/query/x", ""]],
  ["POST", "/v1/batch?x=1", { body: { commands: 7, more: 1 } }, ["#/query/x", "/commands", "/more"]],
  ["GET", "/v1/wallets?limit=0&cursor=a%20b&status=x", {}, ["#/query/cursor", "#/query/limit", "#/query/status"]],
  ["GET", "/v1/wallets?cursor=abc", {}, ["#/query/cursor"]],
  ["GET", "/v1/wallets?q=%ff", {}, ["#/query"]],
  ["GET", "/v1/wallets/w?at=2999-01-01T00:00:00Z&atVersion=1", {}, ["#/query"]],
  ["GET", "/v1/wallets/w?at=2999-01-01T00:00:00Z", {}, ["#/query/at"]],
  ["GET", "/v1/feed?after=-1&type=Nothing&walletId=a%20b", {}, ["#/query/after", "#/query/type/0", "#/query/walletId/0"]],
  ["GET", "/v1/wallets/%ff", {}, ["#/path"]]
] // prettier-ignore

layer(Server.layer(), { excludeTestServices: true })("a malformed request", (it) => {
  it.effect("is told all that is wrong with it", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      for (const [method, path, given, pointers] of rows) {
        const reply = yield* call(method, path, given)
        const name = `${method} ${path} ${JSON.stringify(given.body)}`
        assert.deepInclude(reply.json, { status: 400, code: "InvalidRequest", retryable: false }, name)
        const errors: ReadonlyArray<{ readonly pointer: string; readonly detail: string }> = reply.json.errors
        assert.deepStrictEqual([...new Set(errors.map(({ pointer }) => pointer))].sort(), [...pointers].sort(), name)
        for (const { detail } of errors) assert.notStrictEqual(detail, "", name)
      }
    })
  )

  it.effect("in a batch is told by the places in its command", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const commands = [{ type: "credit", walletId: "w", amount: "x", idempotencyKey: " ", a: 1 }, { type: "steal" }, 7]
      const reply = yield* call("POST", "/v1/batch", { body: { commands } })
      const pointers = reply.json.results.map(({ body }: { body: { errors: Array<{ pointer: string }> } }) =>
        body.errors.map(({ pointer }) => pointer).sort()
      )
      assert.deepStrictEqual(pointers, [["/a", "/amount", "/idempotencyKey"], ["/type"], ["/type"]])
    })
  )

  it.effect("is told no more than a bounded number of errors, each short", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const query = Array.from({ length: 2_000 }, (_, n) => `p${n}=`).join("&")
      const many = yield* call("GET", `/v1/wallets?${query}`)
      assert.strictEqual(many.status, 400)
      assert.strictEqual(many.json.errors.length, 100)
      const long = yield* call("POST", "/v1/wallets/w/credit", { key: "k", body: { ["x".repeat(10_000)]: 1 } })
      assert.isBelow(long.text.length, 2_000)
    })
  )

  it.effect("whose body cannot be read at all is told of the rest", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const large = yield* call("POST", "/v1/wallets/w/credit?x=1", { key: "k", body: "x".repeat(200_000) })
      assert.deepStrictEqual(
        large.json.errors.map(({ pointer }: { pointer: string }) => pointer),
        ["#/query/x"]
      )
    })
  )
})
