import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { isPublicAddress, publicLookup, WebhookRefused } from "../../src/webhooks/Addresses.ts"
import { defaultWebhookBounds } from "../../src/webhooks/WebhookBounds.ts"
import { WebhookSender } from "../../src/webhooks/WebhookSender.ts"
import { makeReceiver } from "./Receiver.ts"

const body = JSON.stringify({ type: "T", timestamp: "2026-01-01T00:00:00.000Z", data: {} })

const test = (
  name: string,
  run: Effect.Effect<void, unknown, WebhookSender | Scope.Scope>,
  { allowPrivate = true, answerMillis = defaultWebhookBounds.answerMillis } = {}
) => {
  const bounds = { ...defaultWebhookBounds, answerMillis }
  return it.live(name, () => run.pipe(Effect.scoped, Effect.provide(WebhookSender.layer({ bounds, allowPrivate }))))
}

const send = Effect.fnUntraced(function* (url: string) {
  return yield* (yield* WebhookSender).send({ url, headers: { "webhook-id": "m" }, body })
})

describe("a request to a receiver", () => {
  test(
    "is acknowledged by any answer of 200 to 299, and by no other; a redirect is not followed",
    Effect.gen(function* () {
      const other = yield* makeReceiver()
      const receiver = yield* makeReceiver()
      for (const status of [200, 201, 204, 299]) {
        receiver.answer = () => status
        assert.deepStrictEqual(yield* send(receiver.url), { status, error: null, retryAfterMillis: 0 })
      }
      for (const status of [301, 302, 307, 308]) {
        receiver.answer = () => (response) => response.writeHead(status, { location: other.url }).end()
        assert.strictEqual((yield* send(receiver.url)).error, `HTTP ${status}: redirects are not followed`)
      }
      for (const status of [400, 404, 410, 500, 503]) {
        receiver.answer = () => status
        assert.deepStrictEqual(yield* send(receiver.url), { status, error: `HTTP ${status}`, retryAfterMillis: 0 })
      }
      assert.strictEqual(other.received.length, 0)
      assert.strictEqual(receiver.connections, 1, "connections are kept")
    })
  )

  test(
    "hears how long it is to wait, within reason",
    Effect.gen(function* () {
      const receiver = yield* makeReceiver()
      const waits: Array<number> = []
      for (const text of ["7", "999999", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"]) {
        receiver.answer = () => (response) => response.writeHead(429, { "retry-after": text }).end()
        waits.push((yield* send(receiver.url)).retryAfterMillis)
      }
      assert.deepStrictEqual(waits, [7_000, 3_600_000, 0, 0])
    })
  )

  test(
    "is given up when there is no answer in time",
    Effect.gen(function* () {
      const receiver = yield* makeReceiver()
      receiver.answer = () => () => {}
      assert.deepStrictEqual(yield* send(receiver.url), {
        status: null,
        error: "no answer within 0.2 s",
        retryAfterMillis: 0
      })
    }),
    { answerMillis: 200 }
  )

  test(
    "is answered by a head, whatever becomes of its body",
    Effect.gen(function* () {
      const receiver = yield* makeReceiver()
      receiver.answer = () => (response) => response.writeHead(200).write("slowly")
      assert.strictEqual((yield* send(receiver.url)).error, null)
      receiver.answer = () => (response) => {
        response.writeHead(500).write("x", () => response.socket?.destroy())
      }
      assert.strictEqual((yield* send(receiver.url)).error, "HTTP 500")
    })
  )

  test(
    "reads no more of an answer than its bound",
    Effect.gen(function* () {
      const receiver = yield* makeReceiver()
      let sent = 0
      receiver.answer = () => (response) => {
        response.writeHead(200)
        const more = (): void => {
          while (!response.destroyed && sent < 64 * 1024 * 1024) {
            sent += 65_536
            if (!response.write(Buffer.alloc(65_536))) return void response.once("drain", more)
          }
        }
        more()
      }
      assert.strictEqual((yield* send(receiver.url)).error, null)
      assert.isBelow(sent, 16 * 1024 * 1024)
    })
  )

  test(
    "tells why there is no connection, in one line",
    Effect.gen(function* () {
      const outcome = yield* send("http://127.0.0.1:1/")
      assert.deepStrictEqual([outcome.status, outcome.retryAfterMillis], [null, 0])
      assert.match(outcome.error ?? "", /ECONNREFUSED/)
      const unknown = yield* send("http://nowhere.invalid/")
      assert.isNull(unknown.status)
      assert.isNotNull(unknown.error)
    })
  )

  test(
    "goes to public addresses alone, also where a name leads to another",
    Effect.gen(function* () {
      const receiver = yield* makeReceiver()
      const { port } = new URL(receiver.url)
      for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "127.1", "0.0.0.0", "[::]"]) {
        const { error, status } = yield* send(`http://${host}:${port}/`)
        assert.isNull(status, host)
        assert.match(error ?? "", / is no public address$/, host)
      }
      assert.deepStrictEqual([receiver.received.length, receiver.connections], [0, 0])
    }),
    { allowPrivate: false }
  )

  it("knows public addresses from all others", () => {
    const open = ["8.8.8.8", "1.1.1.1", "203.0.114.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"]
    const closed = [
      "127.0.0.1",
      "127.255.0.1",
      "0.0.0.0",
      "10.0.0.1",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "169.254.169.254",
      "100.64.0.1",
      "100.127.255.255",
      "192.0.0.8",
      "192.0.2.1",
      "198.18.0.1",
      "198.51.100.1",
      "203.0.113.1",
      "224.0.0.1",
      "240.0.0.1",
      "255.255.255.255",
      "::",
      "::1",
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "::127.0.0.1",
      "::ffff:0:7f00:1",
      "fe80::1",
      "fe80::1%lo",
      "fc00::1",
      "fd12::1",
      "fec0::1",
      "ff02::1",
      "64:ff9b::7f00:1",
      "64:ff9b:1::1",
      "2001:db8::1",
      "2002:7f00:1::",
      "100::1",
      "",
      "nonsense",
      "1.2.3"
    ]
    assert.deepStrictEqual(
      open.filter((address) => !isPublicAddress(address)),
      []
    )
    assert.deepStrictEqual(closed.filter(isPublicAddress), [])
  })

  it.live("has a name that leads nowhere public looked up to nothing", () =>
    Effect.gen(function* () {
      for (const all of [true, false]) {
        const error = yield* Effect.callback<unknown>((resume) => {
          publicLookup("localhost", { all }, (error) => resume(Effect.succeed(error)))
        })
        assert.instanceOf(error, WebhookRefused)
      }
    })
  )
})
