import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { Webhook } from "standardwebhooks"
import { newSecret, signedHeaders } from "../../src/webhooks/Signature.ts"
import { Webhooks } from "../../src/webhooks/Webhooks.ts"

const secret = "whsec_plJ3nmyCDGBKInavdOK15jsl"
const now = 1_731_705_121_000
const body = JSON.stringify({ type: "T", timestamp: "2024-11-15T21:12:01.000Z", data: { a: 1 } })
const content = { id: "msg_1", type: "T", timestamp: "2024-11-15T21:12:01.000Z", data: { a: 1 } }

const headersOf = (given: string = body, current = secret, previous: string | null = null) =>
  signedHeaders(
    { secret: current, previous: previous === null ? null : { secret: previous, until: now + 1 } },
    "msg_1",
    now,
    given
  )

const reasonOf = <E extends { readonly message: string }>(effect: Effect.Effect<unknown, E>) =>
  Effect.map(Effect.flip(effect), ({ message }) => message.replace("the webhook is not verified: ", ""))

const at = (millis: number) => TestClock.setTime(millis)

describe("Webhooks.verify", () => {
  it("is of the same mind as the example of the standard", () => {
    const { "webhook-signature": signature } = signedHeaders(
      { secret, previous: null },
      "msg_loFOjxBNrRLzqYUf",
      now,
      '{"event_type":"ping","data":{"success":true}}'
    )
    assert.strictEqual(signature, "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=")
  })

  it.effect("takes what the standard's own library has signed, in headers of any form", () =>
    Effect.gen(function* () {
      yield* at(now)
      const signature = new Webhook(secret).sign("msg_1", new Date(now), body)
      const headers = { "Webhook-Id": "msg_1", "WEBHOOK-TIMESTAMP": "1731705121", "webhook-signature": signature }
      assert.deepStrictEqual(yield* Webhooks.verify({ headers, body }, secret), content)
      assert.deepStrictEqual(yield* Webhooks.verify({ headers: new Headers(headers), body }, secret), content)
      const lists = { "webhook-id": ["msg_1"], "webhook-timestamp": ["1731705121"], "webhook-signature": [signature] }
      const bytes = new TextEncoder().encode(body)
      assert.deepStrictEqual(yield* Webhooks.verify({ headers: lists, body: bytes }, Redacted.make(secret)), content)
    })
  )

  it.effect("takes one of several secrets, and one of several signatures", () =>
    Effect.gen(function* () {
      yield* at(now)
      const [older, other] = [newSecret(), newSecret()]
      const headers = headersOf(body, secret, older)
      for (const known of [secret, older, [other, older]]) {
        assert.deepStrictEqual(yield* Webhooks.verify({ headers, body }, known), content)
      }
      assert.strictEqual(yield* reasonOf(Webhooks.verify({ headers, body }, other)), "NotSigned")
      const mixed = { ...headers, "webhook-signature": `v1a,xyz v2, ${headers["webhook-signature"]}` }
      assert.deepStrictEqual(yield* Webhooks.verify({ headers: mixed, body }, secret), content)
    })
  )

  it.effect("refuses what was changed, and what is too old or too new", () =>
    Effect.gen(function* () {
      yield* at(now)
      const headers = headersOf()
      const refused = (changed: Record<string, string>, text = body) =>
        reasonOf(Webhooks.verify({ headers: { ...headers, ...changed }, body: text }, secret))
      assert.strictEqual(yield* refused({}, body.replace("1", "2")), "NotSigned")
      assert.strictEqual(yield* refused({}, `${body} `), "NotSigned")
      assert.strictEqual(yield* refused({ "webhook-id": "msg_2" }), "NotSigned")
      assert.strictEqual(yield* refused({ "webhook-timestamp": "1731705122" }), "NotSigned")
      for (const signature of ["", "v1", "v1,", "v1,AAAA", headers["webhook-signature"]!.replace("v1,", "v2,")]) {
        assert.strictEqual(yield* refused({ "webhook-signature": signature }), "NotSigned", signature)
      }
      for (const time of ["", "x", "1e9", "-5", "1731705121.0"]) {
        assert.strictEqual(yield* refused({ "webhook-timestamp": time }), "HeadersMissing", time)
      }
      assert.strictEqual(yield* refused({ "webhook-id": "" }), "HeadersMissing")
      const { "webhook-signature": _, ...without } = headers
      assert.strictEqual(yield* reasonOf(Webhooks.verify({ headers: without, body }, secret)), "HeadersMissing")
      yield* at(now + 301_000)
      assert.strictEqual(yield* refused({}), "TooOld")
      assert.deepStrictEqual(yield* Webhooks.verify({ headers, body }, secret, { toleranceSeconds: 400 }), content)
      yield* at(now - 301_000)
      assert.strictEqual(yield* refused({}), "TooNew")
    })
  )

  it.effect("tells a body that is none, and a secret that is none", () =>
    Effect.gen(function* () {
      yield* at(now)
      for (const text of ["", "[]", "7", "{", '{"type":1,"timestamp":"x"}']) {
        const error = yield* reasonOf(Webhooks.verify({ headers: headersOf(text), body: text }, secret))
        assert.strictEqual(error, "NotReadable", text)
      }
      for (const bad of ["", "whsec_", "whsec_not base64", [] as ReadonlyArray<string>]) {
        const error = yield* Effect.flip(Webhooks.verify({ headers: headersOf(), body }, bad))
        assert.strictEqual(error._tag, "WebhookSecretMalformed")
      }
    })
  )

  it("has secrets of 32 random bytes", () => {
    const secrets = new Set(Array.from({ length: 100 }, newSecret))
    assert.strictEqual(secrets.size, 100)
    for (const one of secrets) assert.strictEqual(Buffer.from(one.slice(6), "base64").length, 32)
  })
})
