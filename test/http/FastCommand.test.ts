/**
 * The fast path of credit, debit and transfer against the path of the definition: the same reply to
 * everything, with a rate limit and without; and the fast path is taken where it should be.
 */
import { assert, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { CurrentKey } from "../../src/http/api/Authorization.ts"
import { plainMovement, plainTransfer } from "../../src/http/PlainBody.ts"
import { decodeBytes } from "../../src/http/RequestBody.ts"
import { MovementBody, TransferBody } from "../../src/http/api/Schemas.ts"
import { clockStopped } from "../support/clocks.ts"
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
const reference = fc.oneof(text, fc.constant(null), fc.jsonValue())

const movementBody = fc.oneof(
  fc.record({ amount, reference, metadata, other: fc.jsonValue() }, { requiredKeys: [], noNullPrototype: true }),
  fc.record(
    { amount: fc.constant("5"), reference: text, metadata },
    { requiredKeys: ["amount"], noNullPrototype: true }
  ),
  fc.jsonValue()
)

const id = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  fc.constantFrom("", "a b", "x".repeat(64), "x".repeat(65), "w\n", 1, null)
)
const [from, to] = [id, id]
const ends = { from: fc.constant("a"), to: fc.constant("b-c"), amount: fc.constant("5") }

const transferBody = fc.oneof(
  fc.record(
    { to, from, reference, amount, metadata, legs: fc.constantFrom([], null) },
    { requiredKeys: [], noNullPrototype: true }
  ),
  fc.record({ from, to, amount }, { noNullPrototype: true }),
  fc.record({ ...ends, reference: text, metadata }, { requiredKeys: ["from", "to", "amount"], noNullPrototype: true }),
  fc.record({ metadata, reference: text, ...ends }, { requiredKeys: ["from", "to", "amount"], noNullPrototype: true }),
  fc.jsonValue()
)

for (const [name, body, plainOf, bySchema] of [
  ["movement", movementBody, plainMovement, decodeBytes(MovementBody)],
  ["transfer", transferBody, plainTransfer, decodeBytes(TransferBody)]
] as const) {
  it.effect(`a plain ${name} is exactly what the schema decodes, and never more`, () =>
    Effect.gen(function* () {
      let plain = 0
      for (const [value, blank] of fc.sample(fc.tuple(body, fc.constantFrom("", " ")), 3_000)) {
        const json = JSON.stringify(value, null, blank)
        const fast = plainOf(json)
        const slow = yield* Effect.result<object, unknown, never>(bySchema(Buffer.from(json)))
        if (fast === undefined) {
          // What the schema takes is plain, too: else the fast path would not be taken.
          assert.isTrue(Result.isFailure(slow), json)
        } else {
          plain++
          assert.isTrue(Result.isSuccess(slow), json)
          if (Result.isSuccess(slow)) assert.deepStrictEqual({ ...fast }, { ...slow.success } as typeof fast, json)
        }
      }
      assert.isAbove(plain, 200)
    })
  )
}

/** A charset sends a request down the path of the definition and means the same. */
const slowHeaders = { "content-type": "application/json; charset=utf-8" }

/** All of a reply that both paths must agree on. */
const visible = ({ headers, status, text }: Server.Reply) => {
  const { date: _, "x-request-id": id, ...rest } = Object.fromEntries(headers)
  assert.match(id ?? "", /^[\w-]+$/)
  return { status, headers: rest, text: text.replace(`,"requestId":"${id}"`, "") }
}

const movements: ReadonlyArray<unknown> = [
  { amount: "5" }, { amount: "5", reference: null }, { amount: "5", reference: "r", metadata: { a: "b" } },
  { amount: "5", metadata: {} }, { amount: "0" }, { amount: 5 }, {}, [], null, { amount: "5", x: 1 },
  { amount: "5", metadata: { a: 1 } }, "{", "", '{"amount":"5","__proto__":1}',
  { reference: "r", amount: "5" }, { amount: "5", reference: "a: b", metadata: { at: "10:00" } },
  '{"amount": "5", "reference": "r", "metadata": {"a": "b"}}', '{ "amount" : "5" }', '{"amount":"5","reference":"a\\"b"}',
  '{"amount":"5","amount":"6"}', '{"amount":"6","amount":"5"}', '{"amount":"5","amou\\u006et":"5"}',
  '{"amount":"5","reference":"r","reference":"r"}', '{"amount":"5","metadata":{},"metadata":{}}',
  '{"amount":"5","metadata":{"a":"b","a":"b"}}', '{"amount":"5","metadata":{"a":"b","\\u0061":"c:d"}}',
  '{"amount":"5","metadata":{"__proto__":"x"}}', '{"amount":"5","effectiveAt":"2020-01-01T00:00:00Z"}', "\ufeff{}"
] // prettier-ignore

/** From the wallet that the request is about. */
const transfersTo = (to: string, closed: string) => (from: string): ReadonlyArray<unknown> => [
  { from, to, amount: "5" }, { from, to, amount: "5", reference: null, metadata: {} },
  { from, to, amount: "5", reference: "r", metadata: { a: "b" } }, { amount: "5", to, from },
  `{"from": "${from}", "to": "${to}", "amount": "5", "reference": "r", "metadata": {"a": "b"}}`,
  `{ "from":"${from}","to":"${to}","amount":"5" }`,
  { from, to, amount: "1000000" }, { from, to: from, amount: "5" }, { from, to: "nobody", amount: "5" },
  { from: "nobody", to, amount: "5" }, { from, to: closed, amount: "5" }, { from, to, amount: "0" }, { from, to },
  { from, amount: "5" }, { to, amount: "5" }, { from, to: "a b", amount: "5" }, { from, to: 1, amount: "5" },
  { from, to, amount: "5", legs: [] }, { from, to, amount: "5", effectiveAt: "2020-01-01T00:00:00Z" },
  { legs: [{ from, to, amount: "2" }, { from, to, amount: "3" }] },
  { legs: [{ from, to, amount: "2" }, { from, to, amount: "1000000" }] }, { legs: [{ from, to, amount: "2" }] },
  `{"from":"${from}","to":"${to}","amount":"5","to":"${closed}"}`, { from, to, amount: "5", x: 1 }, {}, [], "", "{"
] // prettier-ignore

const giveTheSameReply = Effect.gen(function* () {
  const { call, secrets, wallet } = yield* TestServer
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
  const [a, b, to, closed] = [yield* wallet(), yield* wallet(), yield* wallet(), yield* wallet()]
  yield* call("POST", `/v1/wallets/${closed}/close`, { key: "close" })
  const plain = (text: string) =>
    text
      .replaceAll(a, "W")
      .replaceAll(b, "W")
      .replace(/"[0-9a-f-]{36}"/g, '"I"')
      .replace(/"t_[\w-]{21,22}"/g, '"I"')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "T")
  let n = 0
  for (const [kind, path, bodiesOf] of [
    ["credit", (id: string) => `/v1/wallets/${id}/credit`, () => movements],
    ["debit", (id: string) => `/v1/wallets/${id}/debit`, () => movements],
    ["credit for the transfers", (id: string) => `/v1/wallets/${id}/credit`, () => [{ amount: "1000" }]],
    ["transfer", () => "/v1/transfers", transfersTo(to, closed)]
  ] as const) {
    // Every body with plain headers, every header with a plain body.
    const [hereBodies, thereBodies] = [bodiesOf(a), bodiesOf(b)]
    const rows = [
      ...hereBodies.map((body, at) => ({ head: {}, here: body, there: thereBodies[at] })),
      ...headers.map((head) => ({ head, here: hereBodies[0], there: thereBodies[0] }))
    ]
    for (const query of queries) {
      for (const { head, here: hereBody, there: thereBody } of rows) {
        const key = `k${n++}`
        const send = (id: string, body: unknown, extra: Record<string, string>) =>
          call("POST", `${path(id)}${query}`, { key, body, headers: { ...extra, ...head } })
        // A command that is done, twice: the second reply is the first one again.
        let done = false
        for (const time of ["first", "again"]) {
          if (time === "again" && !done) break
          const fast = yield* send(a, hereBody, {})
          const slow = yield* send(b, thereBody, slowHeaders)
          const name = `${time} ${kind}${query} ${JSON.stringify(head)} ${JSON.stringify(hereBody)}`
          const [here, there] = [visible(fast), visible(slow)]
          done = fast.status < 300
          assert.strictEqual(here.status, there.status, name)
          assert.strictEqual(plain(here.text), plain(there.text), name)
          // Ids of wallets may differ in length.
          const { "content-length": _, ...hereHeaders } = here.headers
          const { "content-length": __, ...thereHeaders } = there.headers
          assert.deepStrictEqual(hereHeaders, thereHeaders, name)
        }
      }
    }
  }
  const [walletA, walletB] = yield* Effect.all([call("GET", `/v1/wallets/${a}`), call("GET", `/v1/wallets/${b}`)])
  assert.strictEqual(plain(walletA.text), plain(walletB.text))
  assert.isAbove(walletA.json.version, 40)
  const events = (id: string) =>
    Effect.map(call("GET", `/v1/wallets/${id}/events?limit=200`), ({ json }) =>
      json.data.map((event: unknown) => plain(JSON.stringify(event)))
    )
  assert.deepStrictEqual(yield* events(a), yield* events(b))
})

/** For some hundred requests, also on a machine that is busy with other things. */
const manyRequestsMillis = 120_000

/** A rate that no test reaches. */
const highRate = { requestsPerSecond: 1_000_000 }

layer(Server.layer(), { excludeTestServices: true })("both paths over HTTP", (it) => {
  it.effect("give the same reply", () => giveTheSameReply, manyRequestsMillis)
})

layer(Server.layer(highRate), { excludeTestServices: true })("both paths under a rate limit", (it) => {
  it.effect("give the same reply", () => giveTheSameReply, manyRequestsMillis)
})

/** One second for as long as the test lasts. */
const oneSecond = Server.layerWith(WalletEngine.layerMemory, { requestsPerSecond: 4 }, clockStopped(1_800_000_000_000))

layer(oneSecond, { excludeTestServices: true })("both paths above the rate of a key", (it) => {
  it.effect("count together, and refuse alike before they look at the request", () =>
    Effect.gen(function* () {
      const { call, secrets, wallet } = yield* TestServer
      const id = yield* wallet()
      let n = 0
      const send = (headers: Record<string, string>, body: unknown = { amount: "1" }, key = `r${n++}`) =>
        call("POST", `/v1/wallets/${id}/credit`, { secret: secrets.write, key, body, headers })
      for (const headers of [{}, slowHeaders, {}, slowHeaders]) {
        assert.strictEqual((yield* send(headers)).status, 201)
      }
      const [fast, slow] = [yield* send({}), yield* send(slowHeaders)]
      assert.strictEqual(fast.status, 429)
      assert.strictEqual(fast.json.code, "RateLimited")
      assert.strictEqual(fast.headers.get("retry-after"), "1")
      assert.deepStrictEqual(visible(fast), visible(slow))
      // The rate comes before the form of the body and the key.
      for (const [body, key] of [
        ["{", "k"],
        [{ amount: "1" }, "a b"],
        [{ amount: "1" }, ""]
      ] as const) {
        for (const headers of [{}, slowHeaders])
          assert.deepStrictEqual(visible(yield* send(headers, body, key)), visible(fast))
      }
      // And who it is before the rate.
      const stranger = { authorization: "Bearer wrong" }
      assert.strictEqual((yield* send(stranger)).status, 401)
      assert.strictEqual((yield* call("GET", `/v1/wallets/${id}`)).json.balance, "4")
    })
  )
})

type Path = "fast" | "definition"

/** Which path each command has come by: that of the definition leaves the key in the context. */
const observed = (paths: Array<Path>) => {
  const noted = <Run extends (command: never) => Effect.Effect<unknown, unknown>>(run: Run): Run =>
    ((command: never) =>
      Effect.withFiber((fiber) => {
        paths.push(Context.getOrUndefined(fiber.context, CurrentKey) === undefined ? "fast" : "definition")
        return run(command)
      })) as Run
  return Layer.effect(
    WalletEngine,
    Effect.map(WalletEngine, (engine) => ({
      ...engine,
      credit: noted(engine.credit),
      debit: noted(engine.debit),
      transfer: noted(engine.transfer)
    }))
  ).pipe(Layer.provide(WalletEngine.layerMemory))
}

for (const [name, config] of [
  ["without a rate limit", {}],
  ["with a rate limit", highRate]
] as const) {
  const paths: Array<Path> = []
  layer(Server.layerWith(observed(paths), config), { excludeTestServices: true })(`the fast path ${name}`, (it) => {
    it.effect("is taken by every plain request, and by no other", () =>
      Effect.gen(function* () {
        const { call, secrets, wallet } = yield* TestServer
        const [id, other] = [yield* wallet(), yield* wallet()]
        const body = { from: id, to: other, amount: "1" }
        let n = 0
        const rows: ReadonlyArray<readonly [path: string, call: Server.Call, taken: Path, status?: number]> = [
          [`/v1/wallets/${id}/credit`, {}, "fast"],
          [`/v1/wallets/${id}/debit`, {}, "fast"],
          [`/v1/wallets/${id}/credit?await=committed`, {}, "fast"],
          [`/v1/wallets/${id}/debit?await=persisted`, {}, "fast"],
          [`/v1/wallets/${id}/credit?await=indexed`, {}, "fast"],
          [`/v1/wallets/${id}/credit`, { secret: secrets.write }, "fast"],
          [`/v1/wallets/${id}/credit`, { body: { amount: "1", reference: "r", metadata: { a: "b" } } }, "fast"],
          [`/v1/wallets/${id}/credit`, { headers: slowHeaders }, "definition"],
          [`/v1/wallets/${id}/credit`, { headers: { "content-encoding": "identity" } }, "definition"],
          [`/v1/wallets/${id}/credit`, { headers: { "if-match": "*" } }, "definition"],
          [`/v1/wallets/${id}/credit`, { headers: { "if-match": '"0"' } }, "definition", 412],
          [`/v1/wallets/${id}/credit?dryRun=true`, {}, "definition", 200],
          [`/v1/wallets/${id}/debit?await=committed&dryRun=true`, {}, "definition", 200],
          [`/v1/wallets/${id}/credit`, { headers: { authorization: `bearer ${secrets.write}` } }, "definition"],
          ["/v1/transfers", { body }, "fast"],
          ["/v1/transfers?await=committed", { body, secret: secrets.write }, "fast"],
          ["/v1/transfers", { body: { legs: [body, body] } }, "fast"],
          ["/v1/transfers?dryRun=true", { body }, "definition", 200],
          ["/v1/transfers", { body, headers: slowHeaders }, "definition"]
        ]
        for (const [path, given, , status = 201] of rows) {
          const reply = yield* call("POST", path, { key: `p${n++}`, body: { amount: "1" }, ...given })
          assert.strictEqual(reply.status, status, path)
        }
        assert.deepStrictEqual(
          paths,
          rows.map(([, , taken]) => taken)
        )
      })
    )
  })
}
