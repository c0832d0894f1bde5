import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { WalletClient } from "../../src/http/WalletClient.ts"
import { WebhookJson, WebhookTestJson, WebhookWithSecretJson } from "../../src/http/api/WebhooksApi.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { defaultWebhookBounds } from "../../src/webhooks/WebhookBounds.ts"
import { makeReceiver } from "../webhooks/Receiver.ts"
import { conforms } from "./conforms.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const engine = WalletEngine.layer({ bounds: defaultBounds, partitions: 8 }).pipe(Layer.provide(MemoryStores.layer()))

const bounds = { ...defaultWebhookBounds, saveMillis: 20, lookMillis: 50, webhooks: 20 }

const service = Server.layerWith(Layer.orDie(engine), {}, undefined, { allowPrivate: true, bounds })

const client = Layer.unwrap(
  Effect.map(TestServer, ({ secrets, url }) =>
    WalletClient.layer({ baseUrl: url, apiKey: Redacted.make(secrets.admin) })
  )
).pipe(Layer.provide(FetchHttpClient.layer))

const hooks = "/v1/webhooks"

const make = Effect.fnUntraced(function* (body: object = {}) {
  const { call } = yield* TestServer
  const receiver = yield* makeReceiver()
  const reply = yield* call("POST", hooks, { body: { url: receiver.url, ...body } })
  assert.strictEqual(reply.status, 201, reply.text)
  receiver.secrets = [reply.json.secret]
  return { receiver, id: reply.json.id as string, shown: reply.json }
})

const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>, until: (value: A) => boolean) =>
  Effect.repeat(effect, { schedule: Schedule.spaced(20), until })

layer(Layer.provideMerge(client, service), { excludeTestServices: true })("webhooks over HTTP", (it) => {
  it.effect("are made, read, listed, changed and removed; the secret is shown once", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const fields = { types: ["WalletCredited"], walletIds: ["alice"], ownerId: "o", description: "Účtárna" }
      const { id, receiver, shown } = yield* make({ ...fields, from: "0" })
      conforms(WebhookWithSecretJson, shown)
      const { secret, ...webhook } = shown
      assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
      assert.deepInclude(webhook, { ...fields, url: receiver.url, status: "enabled", lastError: null, position: "0" })
      const read = yield* call("GET", `${hooks}/${id}`)
      assert.strictEqual(read.status, 200)
      conforms(WebhookJson, read.json)
      assert.notInclude(read.text, secret)
      const second = yield* make()
      const page = yield* call("GET", `${hooks}?limit=1`)
      assert.deepStrictEqual([page.json.data.length, page.json.data[0].id], [1, second.id])
      const next = yield* call("GET", `${hooks}?limit=1&cursor=${page.json.next}`)
      assert.deepStrictEqual([next.json.data[0].id, next.json.next], [id, null])
      assert.notInclude(page.text + next.text, "whsec_")
      const changed = yield* call("PATCH", `${hooks}/${id}`, { body: { ownerId: null, status: "disabled" } })
      assert.deepStrictEqual([changed.status, changed.json.ownerId, changed.json.status], [200, null, "disabled"])
      assert.deepStrictEqual(changed.json.types, fields.types)
      for (const each of [id, second.id]) assert.strictEqual((yield* call("DELETE", `${hooks}/${each}`)).status, 204)
      const gone = yield* call("GET", `${hooks}/${id}`)
      assert.deepStrictEqual([gone.status, gone.json.code], [404, "NotFound"])
    }).pipe(Effect.scoped)
  )

  it.effect("send what happens, with the very data of the feed, and tell their attempts", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const { id, receiver } = yield* make()
      let refused = 0
      receiver.answer = ({ data }) => (data.version === 1 && ++refused < 3 ? 503 : undefined)
      const walletId = yield* wallet({ metadata: { note: "n" } })
      yield* call("POST", `/v1/wallets/${walletId}/credit`, { key: "1", body: { amount: "5", reference: "r" } })
      yield* receiver.until(({ acknowledged }) => acknowledged.length === 2)
      assert.strictEqual(receiver.forged, 0)
      const events = yield* call("GET", `/v1/wallets/${walletId}/events`)
      assert.deepStrictEqual(
        receiver.acknowledged.map(({ data: { walletId: _, ...data } }) => data),
        events.json.data
      )
      const { json } = yield* eventually(
        call("GET", `${hooks}/${id}/deliveries`),
        (reply) => reply.json.data.length === 4
      )
      assert.deepStrictEqual(
        json.data.map((one: Record<string, unknown>) => [
          one["version"],
          one["attempt"],
          one["status"],
          one["httpStatus"]
        ]),
        [
          [1, 3, "acknowledged", 204],
          [1, 2, "failed", 503],
          [1, 1, "failed", 503],
          [0, 1, "acknowledged", 204]
        ]
      )
      const page = yield* call("GET", `${hooks}/${id}/deliveries?limit=3`)
      const rest = yield* call("GET", `${hooks}/${id}/deliveries?limit=3&cursor=${page.json.next}`)
      assert.deepStrictEqual([...page.json.data, ...rest.json.data], json.data)
      yield* call("DELETE", `${hooks}/${id}`)
    }).pipe(Effect.scoped)
  )

  it.effect("are tried, also where nobody listens", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const { id, receiver } = yield* make()
      const sent = yield* call("POST", `${hooks}/${id}/test`)
      conforms(WebhookTestJson, sent.json)
      assert.deepStrictEqual([sent.status, sent.json.status, sent.json.httpStatus], [200, "acknowledged", 204])
      assert.deepStrictEqual([receiver.received[0]?.type, receiver.received[0]?.id], ["WebhookTest", sent.json.id])
      assert.deepStrictEqual(receiver.received[0]?.data, { webhookId: id })
      yield* call("PATCH", `${hooks}/${id}`, { body: { url: "http://127.0.0.1:1/", status: "disabled" } })
      const failed = yield* call("POST", `${hooks}/${id}/test`)
      assert.deepStrictEqual([failed.status, failed.json.status, failed.json.httpStatus], [200, "failed", null])
      assert.match(failed.json.error, /ECONNREFUSED/)
      yield* call("DELETE", `${hooks}/${id}`)
    }).pipe(Effect.scoped)
  )

  it.effect("send again what is behind a position, and refuse one that there is not", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const { id, receiver, shown } = yield* make()
      yield* wallet()
      yield* wallet()
      yield* receiver.until(({ acknowledged }) => acknowledged.length === 2)
      const [first, second] = receiver.received.map((one) => one.id)
      const from = Number(shown.position)
      yield* eventually(call("GET", `${hooks}/${id}`), ({ json }) => json.position === `${from + 2}`)
      const replayed = yield* call("POST", `${hooks}/${id}/replay`, { body: { from } })
      assert.deepStrictEqual([replayed.status, replayed.json.position], [200, `${from}`])
      yield* receiver.until(({ acknowledged }) => acknowledged.length === 4)
      assert.sameMembers(
        receiver.received.slice(2).map((one) => one.id),
        [first, second]
      )
      const gone = yield* call("POST", `${hooks}/${id}/replay`, { body: { from: "999999" } })
      assert.deepStrictEqual([gone.status, gone.json.code], [410, "PositionGone"])
      yield* call("DELETE", `${hooks}/${id}`)
    }).pipe(Effect.scoped)
  )

  it.effect("sign with both secrets for a day after one was rolled", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const { id, receiver, shown } = yield* make()
      const rolled = yield* call("POST", `${hooks}/${id}/secret`)
      assert.strictEqual(rolled.status, 200)
      conforms(WebhookWithSecretJson, rolled.json)
      assert.notStrictEqual(rolled.json.secret, shown.secret)
      yield* wallet()
      yield* receiver.until(({ received }) => received.length === 1)
      const { body, headers } = receiver.received[0]!
      assert.match(String(headers["webhook-signature"]), /^v1,\S+ v1,\S+$/)
      const { Webhooks } = yield* Effect.promise(() => import("../../src/webhooks/Webhooks.ts"))
      for (const secret of [shown.secret, rolled.json.secret]) yield* Webhooks.verify({ headers, body }, secret)
      const once = yield* call("POST", `${hooks}/${id}/secret`, { body: { overlapSeconds: 0 } })
      receiver.secrets = [once.json.secret]
      yield* wallet()
      yield* receiver.until(({ received }) => received.length === 2)
      const signature = String(receiver.received[1]?.headers["webhook-signature"])
      assert.match(signature, /^v1,\S+$/)
      yield* call("DELETE", `${hooks}/${id}`)
    }).pipe(Effect.scoped)
  )

  it.effect("ask for the scope admin, and take no key of a command", () =>
    Effect.gen(function* () {
      const { call, secrets } = yield* TestServer
      const { id } = yield* make()
      const calls = [
        ["POST", hooks, { url: "https://example.com/" }],
        ["GET", hooks, undefined],
        ["GET", `${hooks}/${id}`, undefined],
        ["PATCH", `${hooks}/${id}`, { description: "x" }],
        ["DELETE", `${hooks}/${id}`, undefined],
        ["GET", `${hooks}/${id}/deliveries`, undefined],
        ["POST", `${hooks}/${id}/test`, undefined],
        ["POST", `${hooks}/${id}/replay`, { from: "0" }],
        ["POST", `${hooks}/${id}/secret`, {}]
      ] as const
      for (const [method, path, body] of calls) {
        for (const secret of [secrets.read, secrets.write]) {
          const reply = yield* call(method, path, { secret, body })
          assert.deepStrictEqual([reply.status, reply.json.code], [403, "Forbidden"], `${method} ${path}`)
        }
        assert.strictEqual((yield* call(method, path, { secret: null, body })).status, 401)
      }
      yield* call("DELETE", `${hooks}/${id}`)
    }).pipe(Effect.scoped)
  )

  it.effect("refuse what is malformed, and one too many", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const url = "http://127.0.0.1:9/"
      const { id } = yield* make()
      const rows: ReadonlyArray<readonly [string, string, unknown]> = [
        ...[
          "",
          "x",
          "ftp://a/",
          "http://",
          "http://u:p@a/",
          "http://a/#b",
          `http://a/${"x".repeat(2_048)}`,
          7,
          null
        ].map((bad) => ["POST", hooks, { url: bad }] as const),
        ["POST", hooks, {}],
        ["POST", hooks, { url, types: [] }],
        ["POST", hooks, { url, types: ["WalletLost"] }],
        ["POST", hooks, { url, walletIds: ["a b"] }],
        ["POST", hooks, { url, walletIds: Array.from({ length: 101 }, (_, n) => `w${n}`) }],
        ["POST", hooks, { url, ownerId: "" }],
        ["POST", hooks, { url, description: "\u0000" }],
        ["POST", hooks, { url, secret: "whsec_mine" }],
        ["POST", hooks, { url, from: -1 }],
        ["POST", hooks, { url, from: "1.5" }],
        ["POST", `${hooks}?await=persisted`, { url }],
        ["PATCH", `${hooks}/${id}`, {}],
        ["PATCH", `${hooks}/${id}`, { status: "paused" }],
        ["PATCH", `${hooks}/${id}`, { url: null }],
        ["POST", `${hooks}/${id}/replay`, {}],
        ["POST", `${hooks}/${id}/secret`, { overlapSeconds: 604_801 }],
        ["GET", `${hooks}/${id}/deliveries?cursor=x`, undefined],
        ["GET", `${hooks}/a%20b`, undefined]
      ]
      for (const [method, path, body] of rows) {
        const reply = yield* call(method, path, { body })
        assert.deepStrictEqual(
          [reply.status, reply.json.code],
          [400, "InvalidRequest"],
          `${path} ${JSON.stringify(body)}`
        )
      }
      for (const path of ["", "/deliveries", "/test", "/replay", "/secret"]) {
        const method = path === "" || path === "/deliveries" ? "GET" : "POST"
        const body = path === "/replay" ? { from: "0" } : undefined
        assert.strictEqual((yield* call(method, `${hooks}/nope${path}`, { body })).json.code, "NotFound", path)
      }
      let reply = yield* call("POST", hooks, { body: { url } })
      while (reply.status === 201) reply = yield* call("POST", hooks, { body: { url } })
      assert.deepInclude(reply.json, {
        status: 422,
        code: "LimitExceeded",
        limit: "webhooks",
        bound: "20",
        current: "20"
      })
      for (const { id } of (yield* call("GET", `${hooks}?limit=200`)).json.data) yield* call("DELETE", `${hooks}/${id}`)
    }).pipe(Effect.scoped)
  )

  it.effect("have a typed client", () =>
    Effect.gen(function* () {
      const { webhooks } = yield* WalletClient
      const receiver = yield* makeReceiver()
      const made = yield* webhooks.create({ query: {}, payload: { url: receiver.url, from: 0n } })
      const params = { id: made.id }
      assert.strictEqual((yield* webhooks.get({ params, query: {} })).url, receiver.url)
      const tried = yield* webhooks.test({ params, query: {} })
      assert.strictEqual(tried.status, "acknowledged")
      const off = yield* webhooks.update({ params, query: {}, payload: { status: "disabled" } })
      assert.strictEqual(off.status, "disabled")
      assert.strictEqual((yield* webhooks.replay({ params, query: {}, payload: { from: 0n } })).position, 0n)
      assert.match((yield* webhooks.rollSecret({ params, query: {}, payload: {} })).secret, /^whsec_/)
      assert.isArray((yield* webhooks.deliveries({ params, query: {} })).data)
      yield* webhooks.delete({ params, query: {} })
      const error = yield* Effect.flip(webhooks.get({ params, query: {} }))
      assert.strictEqual(error._tag, "NotFound")
    }).pipe(Effect.scoped)
  )
})

layer(Server.layer(), { excludeTestServices: true })("a webhook to an address that is not public", (it) => {
  it.effect("is refused, whatever it is written as", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const hosts = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:10.0.0.1]", "169.254.169.254"]
      for (const host of hosts) {
        const reply = yield* call("POST", hooks, { body: { url: `http://${host}:8080/` } })
        assert.deepStrictEqual([reply.status, reply.json.code], [422, "WebhookRefused"], host)
      }
      const made = yield* call("POST", hooks, { body: { url: "https://8.8.8.8/" } })
      assert.strictEqual(made.status, 201)
      const changed = yield* call("PATCH", `${hooks}/${made.json.id}`, { body: { url: "https://10.1.2.3/" } })
      assert.deepStrictEqual([changed.status, changed.json.code], [422, "WebhookRefused"])
      yield* call("DELETE", `${hooks}/${made.json.id}`)
    })
  )
})
