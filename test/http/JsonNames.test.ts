/** Names of metadata that V8 mistakes for one another (`src/domain/Json.ts`): each body says what it says. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { FeedEvent } from "../../src/http/api/Schemas.ts"
import { mistakenNames, mistakenPairs } from "../domain/MistakenNames.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

/** Compared as text: what reads a reply here must not mistake anything either. */
const says = (reply: Server.Reply, metadata: unknown) =>
  assert.include(reply.text, `"metadata":${JSON.stringify(metadata)}`, reply.text)

layer(Server.layer(), { excludeTestServices: true })("metadata with escapes in its names", (it) => {
  it.effect("is what the caller wrote, in wallets, movements, batches and events", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      let sent = 0
      const send = (method: string, path: string, body: unknown) =>
        call(method, path, {
          key: `k${sent++}`,
          body: JSON.stringify(body),
          headers: { "content-type": "application/json" }
        })
      for (const metadata of mistakenNames) {
        const id = `w${sent}`
        says(yield* send("POST", "/v1/wallets", { id, ownerId: "o", currency: "EUR", metadata }), metadata)
        says(yield* call("GET", `/v1/wallets/${id}`), metadata)
        says(yield* call("GET", `/v1/wallets/${id}/events`), metadata)
      }
      const id = yield* wallet()
      for (const metadata of mistakenPairs) {
        const path = `/v1/wallets/${id}`
        says(yield* send("POST", `${path}/credit`, { amount: "1", reference: "r", metadata }), metadata)
        says(yield* send("POST", `${path}/credit`, { metadata, amount: "1" }), metadata)
        const command = { type: "credit", walletId: id, idempotencyKey: `b${sent}`, amount: "1", metadata }
        says(yield* send("POST", "/v1/batch", { commands: [command] }), metadata)
        says(yield* send("PATCH", path, { metadata }), metadata)
      }
    })
  )

  it.effect("makes another command of the same key", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const path = `/v1/wallets/${yield* wallet()}/credit`
      const credit = (metadata: string) =>
        call("POST", path, {
          key: "same",
          body: `{"amount":"1","metadata":${metadata}}`,
          headers: { "content-type": "application/json" }
        })
      assert.strictEqual((yield* credit('{"c":"1","x\\\\":"2"}')).status, 201)
      const other = yield* credit('{"c":"1","x\\n":"2"}')
      assert.deepStrictEqual([other.status, other.json.code], [422, "IdempotencyKeyReused"])
      assert.strictEqual((yield* credit('{"c":"1","x\\u005c":"2"}')).headers.get("idempotency-replayed"), "true")
    })
  )

  it.effect("is read from the feed by the typed client as it was sent", () =>
    Effect.gen(function* () {
      for (const metadata of mistakenPairs) {
        const said = {
          walletId: "w",
          version: 0,
          type: "WalletCreated",
          time: "2026-01-01T00:00:00.000Z",
          data: { metadata }
        }
        const event = { id: "1", event: "WalletCreated", data: JSON.stringify(said) }
        assert.deepStrictEqual((yield* Schema.decodeEffect(FeedEvent)(event)).data.data, { metadata })
      }
    })
  )
})
