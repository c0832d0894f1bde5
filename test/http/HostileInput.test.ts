import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const statusOf = (answer: string): string => /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? `none: ${answer}`

const request = Effect.fnUntraced(function* (head: ReadonlyArray<string>, body = "") {
  const { raw, secrets } = yield* TestServer
  const lines = ["POST /v1/wallets/w/credit HTTP/1.1", "host: x", `authorization: Bearer ${secrets.admin}`, ...head]
  return yield* raw(`${lines.join("\r\n")}\r\nconnection: close\r\n\r\n${body}`)
})

layer(Server.layer(), { excludeTestServices: true })("hostile input", (it) => {
  it.effect("meets a wallet that it leaves alone", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const created = yield* call("POST", "/v1/wallets", { key: "w", body: { id: "w", ownerId: "o", currency: "EUR" } })
      assert.strictEqual(created.status, 201)
    })
  )

  it.effect("is answered with a problem when it is not HTTP", () =>
    Effect.gen(function* () {
      const { raw } = yield* TestServer
      // The last column: the status.
      const table: ReadonlyArray<readonly [string, string]> = [
        ["nonsense\r\n\r\n", "400"],
        ["GET /health/live HTTP/9.9\r\nhost: x\r\n\r\n", "400"],
        ["GET /health/live HTTP/1.1\r\nhost x\r\n\r\n", "400"],
        ["GET /health/live HTTP/1.1\r\nhost: x\r\na: \u0000\r\n\r\n", "400"],
        ["POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", "400"],
        ["POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", "400"],
        ["POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na", "400"],
        ["POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", "400"],
        [`GET /${"x".repeat(50_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, "431"],
        [`GET / HTTP/1.1\r\nhost: x\r\na: ${"x".repeat(50_000)}\r\n\r\n`, "431"]
      ]
      for (const [bytes, status] of table) {
        const answer = yield* raw(bytes)
        assert.strictEqual(statusOf(answer), status, bytes.slice(0, 80))
        assert.include(answer, "application/problem+json", bytes.slice(0, 80))
        assert.include(answer, `"status":${status}`)
      }
    })
  )

  it.effect("may come in chunks, and is counted while it comes", () =>
    Effect.gen(function* () {
      const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
      const head = ["content-type: application/json", "transfer-encoding: chunked", "idempotency-key: chunks"]
      const good = yield* request(head, `${chunk('{"amo')}${chunk('unt":"1","reference":"é"}')}0\r\n\r\n`)
      assert.strictEqual(statusOf(good), "201")
      const half = "x".repeat(600_000)
      const large = yield* request(head, `${chunk(half)}${chunk(half)}0\r\n\r\n`)
      assert.strictEqual(statusOf(large), "413")
      assert.include(large, "PayloadTooLarge")
    })
  )

  it.effect("is told early that its body is too large, and gets 100 Continue when it is not", () =>
    Effect.gen(function* () {
      const json = ["content-type: application/json", "idempotency-key: continue", "expect: 100-continue"]
      const large = yield* request([...json, "content-length: 2000000"])
      assert.strictEqual(statusOf(large), "413")
      const body = '{"amount":"1"}'
      const small = yield* request([...json, `content-length: ${body.length}`], body)
      assert.match(small, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
    })
  )

  it.effect("has no effect when its body breaks off", () =>
    Effect.gen(function* () {
      const { call, port, secrets } = yield* TestServer
      const before = (yield* call("GET", "/v1/wallets/w")).json
      const head = `POST /v1/wallets/w/credit HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secrets.admin}\r\n`
      const json = "content-type: application/json\r\nidempotency-key: broken\r\ncontent-length: 100\r\n\r\n"
      yield* Server.sendAndCut(port, `${head}${json}{"amount":"1"}`)
      // The same key is free: nothing has happened under it.
      const reply = yield* call("POST", "/v1/wallets/w/credit", { key: "broken", body: { amount: "2" } })
      assert.strictEqual(reply.status, 201)
      assert.strictEqual(reply.json.wallet.version, before.version + 1)
    })
  )

  it.effect("gets a header that is sent twice counted as both", () =>
    Effect.gen(function* () {
      const body = '{"amount":"1"}'
      const json = ["content-type: application/json", `content-length: ${body.length}`]
      const keys = yield* request([...json, "idempotency-key: a", "idempotency-key: b"], body)
      assert.strictEqual(statusOf(keys), "400")
      const types = yield* request([...json, "content-type: text/plain", "idempotency-key: a"], body)
      assert.strictEqual(statusOf(types), "415")
      const bearers = yield* request([...json, "authorization: Bearer x", "idempotency-key: a"], body)
      assert.strictEqual(statusOf(bearers), "401")
    })
  )

  it.effect("is served one after the other on one connection", () =>
    Effect.gen(function* () {
      const { raw, secrets } = yield* TestServer
      const body = '{"amount":"1"}'
      const one = (key: string) =>
        `POST /v1/wallets/w/credit HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secrets.admin}\r\n` +
        `content-type: application/json\r\nidempotency-key: ${key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
      const answers = yield* raw(one("p1") + one("p2") + one("p3"), /(?:HTTP\/1\.1 201[^]*){3}\}\}$/)
      assert.strictEqual(answers.match(/HTTP\/1\.1 201/g)?.length, 3)
      const versions = [...answers.matchAll(/"version":(\d+),"createdAt"/g)].map((match) => Number(match[1]))
      assert.deepStrictEqual(
        versions,
        [...versions].sort((a, b) => a - b)
      )
    })
  )
})
