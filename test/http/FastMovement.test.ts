/** The short way of credit and debit against the way of the definition: the same answer to everything. */
import { assert, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { plainMovement } from "../../src/http/FastMovement.ts"
import { decodeBytes } from "../../src/http/RequestBody.ts"
import { MovementBody } from "../../src/http/api/Schemas.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "\u0000", "\ud800", "x".repeat(255), "x".repeat(256), "x".repeat(513), "__proto__", "constructor")
)
const amount = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n ** 31n }).map(String),
  fc.constantFrom("0", "01", "-1", "1.0", "9".repeat(30), "9".repeat(31), 1, null, "", [])
)
const metadata = fc.oneof(
  fc.dictionary(text, text, { maxKeys: 22, noNullPrototype: true }),
  fc.dictionary(text, fc.jsonValue(), { maxKeys: 3, noNullPrototype: true }),
  fc.jsonValue()
)
const body = fc.oneof(
  fc.record(
    { amount, reference: fc.oneof(text, fc.constant(null), fc.jsonValue()), metadata, other: fc.jsonValue() },
    { requiredKeys: [], noNullPrototype: true }
  ),
  fc.record(
    { amount: fc.constant("5"), reference: text, metadata },
    { requiredKeys: ["amount"], noNullPrototype: true }
  ),
  fc.jsonValue()
)

const bySchema = decodeBytes(MovementBody, { mayBeEmpty: false })

it("a plain movement is exactly what the schema decodes, and never more", () => {
  let plain = 0
  fc.assert(
    fc.property(body, (value) => {
      const json = JSON.stringify(value)
      const fast = plainMovement(JSON.parse(json))
      const slow = Effect.runSync(Effect.result(bySchema(Buffer.from(json))))
      if (fast === undefined) {
        // What the schema takes is plain, too: else the short way would not be short.
        assert.isTrue(Result.isFailure(slow), json)
        return
      }
      plain++
      assert.isTrue(Result.isSuccess(slow), json)
      if (Result.isSuccess(slow)) assert.deepStrictEqual({ ...fast }, { ...slow.success })
    }),
    { numRuns: 3_000 }
  )
  assert.isAbove(plain, 200)
})

layer(Server.layer(), { excludeTestServices: true })("both ways over HTTP", (it) => {
  it.effect("give the same answer", () =>
    Effect.gen(function* () {
      const { call, secrets, wallet } = yield* TestServer
      const bodies = [
        { amount: "5" }, { amount: "5", reference: null }, { amount: "5", reference: "r", metadata: { a: "b" } },
        { amount: "5", metadata: {} }, { amount: "0" }, { amount: 5 }, {}, [], null, { amount: "5", x: 1 },
        { amount: "5", metadata: { a: 1 } }, "{", "", '{"amount":"5","__proto__":1}',
        '{"amount":"5","metadata":{"__proto__":"x"}}', "\ufeff{}"
      ] // prettier-ignore
      const headers: ReadonlyArray<Record<string, string>> = [
        {},
        { authorization: "Bearer wrong" },
        { authorization: `Bearer ${secrets.read}` },
        { authorization: `Bearer ${secrets.write}` },
        { "idempotency-key": "" },
        { "idempotency-key": "a b" },
        { "content-type": "text/plain" }
      ]
      const queries = ["", "?await=committed", "?await=indexed", "?await=x", "?x=1"]
      // A charset sends a request the long way and means the same.
      const long = { "content-type": "application/json; charset=utf-8" }
      const [a, b] = [yield* wallet(), yield* wallet()]
      const plain = (text: string) =>
        text
          .replaceAll(a, "W")
          .replaceAll(b, "W")
          .replace(/"id":"[0-9a-f-]{36}"/g, "")
          .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "T")
      // Every body with plain headers, every header with a plain body.
      const pairs = [
        ...bodies.map((body) => ({ head: {}, body })),
        ...headers.map((head) => ({ head, body: { amount: "5" } }))
      ]
      let n = 0
      for (const kind of ["credit", "debit"]) {
        for (const query of queries) {
          for (const { body, head } of pairs) {
            const key = `k${n++}`
            const send = (id: string, extra: Record<string, string>) =>
              call("POST", `/v1/wallets/${id}/${kind}${query}`, { key, body, headers: { ...extra, ...head } })
            const [fast, slow] = yield* Effect.all([send(a, {}), send(b, long)])
            const name = `${kind}${query} ${JSON.stringify(head)} ${JSON.stringify(body)}`
            assert.strictEqual(fast.status, slow.status, name)
            assert.strictEqual(plain(fast.text), plain(slow.text), name)
            assert.strictEqual(fast.headers.get("content-type"), slow.headers.get("content-type"))
          }
        }
      }
      const [walletA, walletB] = yield* Effect.all([call("GET", `/v1/wallets/${a}`), call("GET", `/v1/wallets/${b}`)])
      assert.strictEqual(plain(walletA.text), plain(walletB.text))
      assert.isAbove(walletA.json.version, 20)
      const events = (id: string) => Effect.map(call("GET", `/v1/wallets/${id}/events?limit=200`), (r) => plain(r.text))
      assert.strictEqual(yield* events(a), yield* events(b))
    })
  )
})
