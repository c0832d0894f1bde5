/** Names of metadata that V8 mistakes for one another (`src/domain/Json.ts`): each body says what it says. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { FeedEvent } from "../../src/http/api/Schemas.ts"
import { mistakenTexts } from "../domain/MistakenNames.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

/** As text, as which it is compared, too: the test server reads replies by `JSON.parse`. */
const says = (reply: Server.Reply, metadata: string) => assert.include(reply.text, `"metadata":${metadata}`)

layer(Server.layer(), { excludeTestServices: true })("metadata with escapes in its names", (it) => {
  it.effect("is what the caller wrote: of wallets, movements, batches, and in events", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const to = yield* wallet()
      let sent = 0
      const send = (method: string, path: string, body: string) => call(method, path, { key: `k${sent++}`, body })
      for (const metadata of mistakenTexts()) {
        const id = `w${sent}`
        const body = `{"id":"${id}","ownerId":"o","currency":"EUR","metadata":${metadata}}`
        says(yield* send("POST", "/v1/wallets", body), metadata)
        says(yield* call("GET", `/v1/wallets/${id}`), metadata)
        says(yield* call("GET", `/v1/wallets/${id}/events`), metadata)
      }
      const credit = `/v1/wallets/${to}/credit`
      for (const metadata of mistakenTexts()) {
        says(yield* send("POST", credit, `{"amount":"1","reference":"r","metadata":${metadata}}`), metadata)
      }
      for (const metadata of mistakenTexts()) {
        says(yield* send("POST", credit, `{"metadata":${metadata},"amount":"1"}`), metadata)
      }
      for (const metadata of mistakenTexts()) {
        says(yield* send("PATCH", `/v1/wallets/${to}`, `{"metadata":${metadata}}`), metadata)
      }
      for (const metadata of mistakenTexts()) {
        const command = `{"type":"credit","walletId":"${to}","idempotencyKey":"b${sent}","amount":"1","metadata":${metadata}}`
        says(yield* send("POST", "/v1/batch", `{"commands":[${command}]}`), metadata)
      }
    })
  )

  it.effect("makes another command of the same key", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const path = `/v1/wallets/${yield* wallet()}/credit`
      const credit = (name: string) =>
        call("POST", path, { key: "same", body: `{"amount":"1","metadata":{"same key":"1","${name}":"2"}}` })
      assert.strictEqual((yield* credit("x\\\\")).status, 201)
      const other = yield* credit("x\\n")
      assert.deepStrictEqual([other.status, other.json.code], [422, "IdempotencyKeyReused"])
      assert.strictEqual((yield* credit("x\\u005c")).headers.get("idempotency-replayed"), "true")
    })
  )

  it.effect("is read from the feed by the typed client as it was sent", () =>
    Effect.gen(function* () {
      for (const metadata of mistakenTexts()) {
        const time = "2026-01-01T00:00:00.000Z"
        const data = `{"walletId":"w","version":0,"type":"WalletCreated","time":"${time}","data":{"metadata":${metadata}}}`
        const decoded = yield* Schema.decodeEffect(FeedEvent)({ id: "1", event: "WalletCreated", data })
        assert.strictEqual(JSON.stringify(decoded.data.data.metadata), metadata)
      }
    })
  )
})
