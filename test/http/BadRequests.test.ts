/** One row per malformed request: what is sent and, in the last column, the problem it must meet. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { problemStatus } from "../../src/http/api/Problem.ts"
import { searchRows } from "./badSearches.ts"
import {
  type Row,
  I,
  long,
  badIds,
  badAmounts,
  badTexts,
  badMetadata,
  badTimes,
  badCurrencies,
  badBodies,
  query,
  wallets,
  transfers
} from "./badValues.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const create = { ownerId: "o", currency: "EUR" }

const createRows: ReadonlyArray<Row> = [
  ...badIds.map((id): Row => ["POST", wallets, { ...create, id }, I]),
  ...badIds.map((ownerId): Row => ["POST", wallets, { ...create, ownerId }, I]),
  ...badCurrencies.map((currency): Row => ["POST", wallets, { ...create, currency }, I]),
  ...badMetadata.map((metadata): Row => ["POST", wallets, { ...create, metadata }, I]),
  ...badAmounts
    .filter((amount) => amount !== "0")
    .map((overdraftLimit): Row => ["POST", wallets, { ...create, overdraftLimit }, I]),
  ...badBodies.map((body): Row => ["POST", wallets, body, I]),
  ["POST", wallets, { currency: "EUR" }, I],
  ["POST", wallets, { ownerId: "o" }, I],
  ["POST", wallets, { ...create, balance: "1" }, I],
  ["POST", wallets, { ...create, status: "active" }, I],
  ["POST", wallets, `{"ownerId":"o","currency":"EUR","__proto__":{"id":"x"}}`, I],
  ["POST", `${wallets}?await=never`, create, I],
  ["POST", `${wallets}?await=`, create, I],
  ["POST", `${wallets}?await=committed&await=persisted`, create, I],
  ["POST", `${wallets}?x=1`, create, I]
]

const movementRows = ["credit", "debit", "holds"].flatMap((kind): ReadonlyArray<Row> => {
  const path = `/v1/wallets/w/${kind}`
  return [
    ...badAmounts.map((amount): Row => ["POST", path, { amount }, I]),
    ...badTexts.map((reference): Row => ["POST", path, { amount: "1", reference }, I]),
    ...badMetadata.map((metadata): Row => ["POST", path, { amount: "1", metadata }, I]),
    ...badBodies.map((body): Row => ["POST", path, body, I]),
    ["POST", path, {}, I],
    ["POST", path, { amount: "1", currency: "EUR" }, I],
    ["POST", path, { amount: "1", await: "persisted" }, I],
    ["POST", path, { Amount: "1" }, I],
    ["POST", `${path}?await=PERSISTED`, { amount: "1" }, I],
    ["POST", `${path}?await=committed&unknown=`, { amount: "1" }, I]
  ]
})

const holdRows: ReadonlyArray<Row> = [
  ...[...badTimes, 0, 1e15, true, [], {}].map((expiresAt): Row => [
    "POST",
    "/v1/wallets/w/holds",
    { amount: "1", expiresAt },
    I
  ]),
  ["POST", "/v1/wallets/w/holds", { amount: "1", expiresAt: "2020-01-01T00:00:00Z" }, I],
  ...badAmounts.map((amount): Row => ["POST", "/v1/wallets/w/holds/h/capture", { amount }, I]),
  ...["true", 1, 0, null, {}].map((final): Row => ["POST", "/v1/wallets/w/holds/h/capture", { final }, I]),
  ...badBodies.slice(1).map((body): Row => ["POST", "/v1/wallets/w/holds/h/capture", body, I]),
  ["POST", "/v1/wallets/w/holds/h/capture", { reference: "x" }, I],
  ["POST", "/v1/wallets/w/holds/h/release", { amount: "1" }, I],
  ["POST", "/v1/wallets/w/holds/h/release", "[]", I],
  ["POST", "/v1/wallets/w/holds/a%20b/release", undefined, I],
  ["GET", "/v1/wallets/w/holds?status=open", undefined, I],
  ["GET", "/v1/wallets/w/holds/a.b", undefined, I]
]

const transferBody = { from: "v", to: "w", amount: "1" }

const transferRows: ReadonlyArray<Row> = [
  ...badAmounts.map((amount): Row => ["POST", transfers, { ...transferBody, amount }, I]),
  ...badTexts.map((reference): Row => ["POST", transfers, { ...transferBody, reference }, I]),
  ...badMetadata.map((metadata): Row => ["POST", transfers, { ...transferBody, metadata }, I]),
  ...badBodies.map((body): Row => ["POST", transfers, body, I]),
  ...["a b", "", long(65), "ä", 1, null].flatMap((id): ReadonlyArray<Row> => [
    ["POST", transfers, { ...transferBody, from: id }, I],
    ["POST", transfers, { ...transferBody, to: id }, I]
  ]),
  ["POST", transfers, { ...transferBody, currency: "EUR" }, I],
  ["POST", transfers, { ...transferBody, id: "t" }, I],
  ["POST", `${transfers}?await=`, transferBody, I],
  ["GET", `${transfers}?status=open`, undefined, I],
  ["GET", `${transfers}?walletId=a%20b`, undefined, I],
  ["GET", `${transfers}?from=a`, undefined, I],
  ["GET", `${transfers}/a.b`, undefined, I],
  ["GET", `${transfers}/t?minVersion=1`, undefined, I],
  ...["-1", "+1", "1.5", "01", "x", "", "0x1", "99999999999999999999"].map((after): Row => [
    "GET",
    `/v1/feed?after=${after}`,
    undefined,
    I
  ]),
  ["GET", "/v1/feed?before=1", undefined, I],
  ["GET", "/v1/feed?after=1&after=2", undefined, I]
]

const statusRows = ["freeze", "unfreeze", "close"].flatMap((kind): ReadonlyArray<Row> => [
  ...badTexts.map((reason): Row => ["POST", `/v1/wallets/w/${kind}`, { reason }, I]),
  ...badBodies.slice(1).map((body): Row => ["POST", `/v1/wallets/w/${kind}`, body, I]),
  ["POST", `/v1/wallets/w/${kind}`, { force: true }, I]
])

const patchRows: ReadonlyArray<Row> = [
  ["PATCH", "/v1/wallets/w", {}, I],
  ["PATCH", "/v1/wallets/w", undefined, I],
  ["PATCH", "/v1/wallets/w", { overdraftLimit: null }, I],
  ["PATCH", "/v1/wallets/w", { overdraftLimit: "-1" }, I],
  ["PATCH", "/v1/wallets/w", { status: "closed" }, I],
  ["PATCH", "/v1/wallets/w", { currency: "EUR", metadata: {} }, I],
  ...badMetadata.map((metadata): Row => ["PATCH", "/v1/wallets/w", { metadata }, I])
]

const badNumbers = [
  "",
  "-1",
  "+1",
  "1.5",
  "01",
  "x",
  "1e2",
  "0x1",
  "9007199254740992",
  "99999999999999999999",
  "%20",
  "%00"
]
const pageRows = [
  wallets,
  "/v1/transactions",
  "/v1/wallets/w/transactions",
  "/v1/wallets/w/holds",
  "/v1/keys",
  transfers,
  `${transfers}?ownerId=o`,
  "/v1/holds"
].flatMap((list): ReadonlyArray<Row> => {
  const path = list + (list.includes("?") ? "&" : "?")
  return [
    ...[...badNumbers, "0", "201", "1000"].map((limit): Row => ["GET", `${path}limit=${limit}`, undefined, I]),
    ...["", "!", "%00", "a%20b", long(1025), "bm90LWEtY3Vyc29y", "e30", "W10"].map((cursor): Row => [
      "GET",
      `${path}cursor=${cursor}`,
      undefined,
      I
    ]),
    ["GET", `${path}limit=1&limit=2`, undefined, I],
    ["GET", `${path}Limit=1`, undefined, I],
    ["GET", `${path}offset=1`, undefined, I],
    ["GET", `${path}__proto__=1`, undefined, I],
    ["GET", `${path}%5f_proto__=1`, undefined, I],
    ["GET", `${path}constructor=1`, undefined, I],
    ["GET", `${path}limit=%zz`, undefined, I]
  ]
})

const filterRows: ReadonlyArray<Row> = [
  ...["a b", "", long(65), "ä"].flatMap((id): ReadonlyArray<Row> => [
    ["GET", `${wallets}?ownerId=${query(id)}`, undefined, I],
    ["GET", `/v1/transactions?ownerId=${query(id)}`, undefined, I]
  ]),
  ...badCurrencies
    .filter((c) => typeof c === "string")
    .map((c): Row => ["GET", `${wallets}?currency=${query(c)}`, undefined, I]),
  ...["", "Active", "open"].map((status): Row => ["GET", `${wallets}?status=${status}`, undefined, I]),
  ...["", "1.5", "--1", "-0", "01", "x", "1e3", "9".repeat(37), "-", "%2B1"].flatMap((balance): ReadonlyArray<Row> => [
    ["GET", `${wallets}?minBalance=${balance}`, undefined, I],
    ["GET", `${wallets}?maxBalance=${balance}`, undefined, I]
  ]),
  ...[long(256), "%00", "%ff", "%", "%c3", "%ed%a0%80"].flatMap((q): ReadonlyArray<Row> => [
    ["GET", `${wallets}?q=${q}`, undefined, I],
    ["GET", `/v1/transactions?q=${q}`, undefined, I]
  ]),
  ...badTimes.flatMap((time): ReadonlyArray<Row> => [
    ["GET", `/v1/wallets/w?at=${query(time)}`, undefined, I],
    ["GET", `/v1/wallets/w/transactions?from=${query(time)}`, undefined, I],
    ["GET", `/v1/wallets/w/transactions?to=${query(time)}`, undefined, I],
    ["GET", `/v1/wallets/w?effectiveAt=${query(time)}`, undefined, I],
    ["GET", `/v1/transactions?effectiveFrom=${query(time)}`, undefined, I],
    ["GET", `/v1/transactions?effectiveTo=${query(time)}`, undefined, I],
    ["POST", "/v1/wallets/w/credit", { amount: "1", effectiveAt: time }, I],
    ["POST", transfers, { ...transferBody, effectiveAt: time }, I]
  ]),
  ...badNumbers.flatMap((n): ReadonlyArray<Row> => [
    ["GET", `/v1/wallets/w?minVersion=${n}`, undefined, I],
    ["GET", `/v1/wallets/w?atVersion=${n}`, undefined, I],
    ["GET", `/v1/wallets/w/events?after=${n}`, undefined, I]
  ]),
  ...["", "hold", "Credit", "transfer"].map((type): Row => ["GET", `/v1/transactions?type=${type}`, undefined, I]),
  ["GET", "/v1/wallets/w?verbose=1", undefined, I],
  ["GET", "/v1/wallets/w/events?cursor=1", undefined, I],
  ["DELETE", "/v1/keys/x?force=1", undefined, I]
]

const pathRows: ReadonlyArray<Row> = [
  ["GET", "/v1/wallets/a%20b", undefined, I],
  ["GET", `/v1/wallets/${long(65)}`, undefined, I],
  ["GET", `/v1/wallets/${long(5000)}`, undefined, I],
  ["GET", "/v1/wallets/%zz", undefined, I],
  ["GET", "/v1/wallets/%ff", undefined, I],
  ["GET", "/v1/wallets/%00", undefined, I],
  ["GET", "/v1/wallets/..%2fkeys", undefined, I],
  ["GET", "/v1/wallets/%F0%9F%92%B0", undefined, I],
  ["GET", "/v1/wallets/__proto__", undefined, "WalletNotFound"],
  ["GET", "/v1/wallets/constructor", undefined, "WalletNotFound"],
  ["GET", "/v1/wallets/nope", undefined, "WalletNotFound"],
  ["GET", "/v1/wallets/nope/events", undefined, "WalletNotFound"],
  ["GET", "/v1/wallets/nope/transactions", undefined, "WalletNotFound"],
  ...["2026-02-30", "2026-13-01", "1969-12-31", "0001-01-01", "10000-01-01", "now", "", "2026-01-01T00:00:00"].flatMap(
    (date): ReadonlyArray<Row> => [
      ["GET", `/v1/wallets/w/statement?from=${query(date)}`, undefined, I],
      ["GET", `/v1/wallets/w/statement?to=${query(date)}`, undefined, I]
    ]
  ),
  ...["", "Mars/Base", "+01:00", "Europe/Prague/x", long(65)].map((name): Row => [
    "GET",
    `/v1/wallets/w/statement?timezone=${query(name)}`,
    undefined,
    I
  ]),
  ["GET", "/v1/wallets/w/statement?from=2026-01-02&to=2026-01-01", undefined, I],
  ["GET", "/v1/wallets/w/statement?limit=0", undefined, I],
  ["GET", "/v1/wallets/w/statement?cursor=a.b", undefined, I],
  ["POST", "/v1/wallets/w/holds", { amount: "1", effectiveAt: "2026-01-01T00:00:00Z" }, I],
  ["POST", "/v1/wallets/w/credit", { amount: "1", effectiveAt: null }, I],
  ["POST", "/v1/wallets/w/credit", { amount: "1", effectiveAt: "2999-01-01T00:00:00Z" }, I],
  ["GET", "/v1/wallets/nope/holds", undefined, "WalletNotFound"],
  ["GET", "/v1/wallets/nope/holds/h", undefined, "WalletNotFound"],
  ["POST", "/v1/wallets/nope/credit", { amount: "1" }, "WalletNotFound"],
  ["GET", "/v1", undefined, "NotFound"],
  ["GET", "/", undefined, "NotFound"],
  ["GET", "/v1/", undefined, "NotFound"],
  ["GET", "/v2/wallets", undefined, "NotFound"],
  ["GET", "/v1/wallets/", undefined, "NotFound"],
  ["GET", "/v1//wallets", undefined, "NotFound"],
  ["GET", "/V1/wallets", undefined, "NotFound"],
  ["GET", "/v1/Wallets", undefined, "NotFound"],
  ["GET", "/v1/wallets/w/nope", undefined, "NotFound"],
  ["GET", "/v1/%77allets", undefined, "NotFound"],
  ["POST", "/v1/wallets/w/%63redit", { amount: "1" }, "NotFound"],
  ["GET", "/%761/wallets/w", undefined, "NotFound"],
  ["GET", "/health/%6cive", undefined, "NotFound"],
  ["GET", "/health%2flive", undefined, "NotFound"],
  ["GET", "/%64ocs", undefined, "NotFound"],
  ["GET", "/metric%73", undefined, "NotFound"],
  ["POST", "/v1/wallets/w/credit/", { amount: "1" }, "NotFound"],
  ["GET", "/docs/", undefined, "NotFound"],
  ["DELETE", "/v1/keys/nope", undefined, "NotFound"],
  ["PUT", "/v1/wallets/w", {}, "MethodNotAllowed"],
  ["DELETE", "/v1/wallets/w", undefined, "MethodNotAllowed"],
  ["GET", "/v1/wallets/w/credit", undefined, "MethodNotAllowed"],
  ["GET", "/v1/batch", undefined, "MethodNotAllowed"],
  ["POST", "/health/live", {}, "MethodNotAllowed"],
  ["POST", "/docs", {}, "MethodNotAllowed"],
  ["DELETE", "/openapi.json", undefined, "MethodNotAllowed"],
  ["PROPFIND", "/v1/wallets", undefined, "MethodNotAllowed"]
]

const credit = "/v1/wallets/w/credit"
const keyRows: ReadonlyArray<Row> = [
  ["POST", credit, { amount: "1" }, "IdempotencyKeyMissing", ""],
  ["POST", credit, { amount: "1" }, I, "a b"],
  ["POST", credit, { amount: "1" }, I, "a\tb"],
  ["POST", credit, { amount: "1" }, I, long(256)],
  ["POST", credit, { amount: "1" }, I, "é"],
  ["POST", credit, { amount: "0" }, I, ""],
  ["POST", "/v1/wallets/nope/credit", { amount: "1" }, "IdempotencyKeyMissing", ""],
  ["POST", "/v1/wallets/nope/freeze", undefined, "IdempotencyKeyMissing", ""],
  ["PATCH", "/v1/wallets/nope", { metadata: {} }, "IdempotencyKeyMissing", ""],
  ["POST", "/v1/wallets", create, "IdempotencyKeyMissing", ""],
  ["POST", "/v1/wallets/nope/holds/h/release", undefined, "IdempotencyKeyMissing", ""],
  ["POST", "/v1/keys", { name: "", scopes: ["admin"] }, I],
  ["POST", "/v1/keys", { name: long(65), scopes: ["admin"] }, I],
  ["POST", "/v1/keys", { name: "a", scopes: [] }, I],
  ["POST", "/v1/keys", { name: "a", scopes: ["root"] }, I],
  ["POST", "/v1/keys", { name: "a", scopes: ["admin", "admin"] }, I],
  ["POST", "/v1/keys", { name: "a", scopes: "admin" }, I],
  ["POST", "/v1/keys", { name: "a", scopes: ["admin"], secret: "x" }, I],
  ["POST", "/v1/batch", {}, I],
  ["POST", "/v1/batch", { commands: {} }, I],
  ["POST", "/v1/batch", { commands: null }, I],
  ["POST", "/v1/batch", { commands: Array.from({ length: 1001 }, () => ({})) }, I],
  ["POST", "/v1/batch", { commands: [], atomic: true }, I]
]

const rows = [
  ...createRows,
  ...movementRows,
  ...holdRows,
  ...transferRows,
  ...statusRows,
  ...patchRows,
  ...pageRows,
  ...filterRows,
  ...searchRows,
  ...pathRows,
  ...keyRows
]

/** For a thousand requests, also on a machine that is busy with other things. */
const manyRequestsMillis = 120_000

layer(Server.layer(), { excludeTestServices: true })("malformed requests", (it) => {
  const name = `meet exactly the problem of their row (${rows.length} rows)`
  const table = () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      yield* call("POST", "/v1/wallets", { key: "w", body: { id: "w", ...create } })
      let n = 0
      const wrong = yield* Effect.forEach(
        rows,
        Effect.fnUntraced(function* ([method, path, body, code, key = `k${n++}`]) {
          const reply = yield* call(method, path, { body, key })
          const isRight =
            reply.status === problemStatus[code] &&
            reply.headers.get("content-type") === "application/problem+json" &&
            reply.json?.code === code &&
            reply.json.status === reply.status &&
            typeof reply.json.title === "string" &&
            typeof reply.json.detail === "string" &&
            reply.json.detail.length <= 320 &&
            !/node_modules|\.ts:|at \w+ \(/.test(reply.text)
          const allowed = code !== "MethodNotAllowed" || (reply.headers.get("allow") ?? "").includes("OPTIONS")
          const sent = JSON.stringify(body)?.slice(0, 80)
          return isRight && allowed
            ? []
            : [
                `${method} ${path.slice(0, 90)} ${sent} key=${key}: ${reply.status} ${reply.text.slice(0, 200)}, not ${code}`
              ]
        }),
        { concurrency: 16 }
      )
      assert.deepStrictEqual(wrong.flat(), [])
      // None of them has touched the wallet.
      const after = yield* call("GET", "/v1/wallets/w")
      assert.deepInclude(after.json, { version: 0, balance: "0" })
    })
  it.effect(name, table, manyRequestsMillis)

  it.effect("names the place and what was expected, never the value", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const detail = (body: unknown) =>
        Effect.map(call("POST", credit, { key: "k", body }), (reply) => reply.json.detail as string)
      assert.match(yield* detail({ amount: "secret" }), /^amount: Expected a string of 1 to 30 digits/)
      assert.notInclude(yield* detail({ amount: "secret" }), "secret")
      assert.match(yield* detail({ amount: "1", other: 1 }), /^other: /)
      assert.match(yield* detail({ amount: "1", metadata: { a: 1 } }), /^metadata\.a: /)
    })
  )

  it.effect("is refused by type and size of its body", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const codeOf = (headers: Record<string, string>, body: string | Uint8Array = `{"amount":"1"}`) =>
        Effect.map(call("POST", "/v1/wallets/w/debit", { key: "k", body, headers }), (reply) => reply.json.code)
      for (const type of [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/merge-patch+json",
        "application/json; charset=latin1",
        "application/json, text/plain",
        "json"
      ]) {
        // prettier-ignore
        assert.strictEqual(yield* codeOf({ "content-type": type }), "UnsupportedMediaType", type)
      }
      for (const type of ["application/json", "Application/JSON", "application/json;charset=UTF-8"]) {
        assert.strictEqual(yield* codeOf({ "content-type": type }), "InsufficientFunds", type)
      }
      assert.strictEqual(yield* codeOf({ "content-encoding": "gzip" }), "UnsupportedMediaType")
      const padded = (size: number) => `{"amount":"1"}`.padEnd(size, " ")
      // By either path: with a charset it is that of the definition.
      for (const type of ["application/json", "application/json; charset=utf-8"]) {
        assert.strictEqual(yield* codeOf({ "content-type": type }, padded(128 * 1024)), "InsufficientFunds", type)
        assert.strictEqual(yield* codeOf({ "content-type": type }, padded(128 * 1024 + 1)), "PayloadTooLarge", type)
      }
      assert.strictEqual(yield* codeOf({}, new Uint8Array([0x7b, 0xff, 0x7d])), I)
      assert.strictEqual(yield* codeOf({}, `{"amount":"1","reference":"\\ud800"}`), I)
      assert.strictEqual(yield* codeOf({}, `${"[".repeat(60_000)}${"]".repeat(60_000)}`), I)
      assert.strictEqual(yield* codeOf({}, `{"amount":${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}}`), I)
      assert.strictEqual(yield* codeOf({}, `{"amount":"1","metadata":${"[".repeat(60_000)}${"]".repeat(60_000)}}`), I)
    })
  )

  it.effect("is refused before it is parsed when it is deeper or has more in it than a body can have", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const detailOf = (path: string, body: string, type = "application/json") =>
        Effect.map(
          call("POST", path, { key: "k", body, headers: { "content-type": type } }),
          (reply) => `${reply.status} ${reply.json.detail}`
        )
      const intricate = "400 the body has more members, or deeper ones, than a body of its kind can have"
      const members = (count: number) => Array.from({ length: count }, (_, at) => `"member-${at}":"x"`).join(",")
      const within = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`.padEnd(2_000)
      // By either path: with a charset it is that of the definition.
      for (const type of ["application/json", "application/json; charset=utf-8"]) {
        for (const body of [
          `{"amount":"1","metadata":{${members(5_000)}}}`,
          `{"amount":"1",${members(5_000)}}`,
          `{"amount":"1","metadata":${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}}`,
          within(17),
          "[".repeat(100_000),
          `[${"1,".repeat(50_000)}1]`
        ]) {
          assert.strictEqual(yield* detailOf(credit, body, type), intricate, body.slice(0, 60))
        }
        assert.notInclude(yield* detailOf(credit, within(16), type), "deeper")
        // What is in a string is none of it.
        const text = `{"amount":"1","reference":"${'[{,:\\\"'.repeat(300)}"}`
        assert.include(yield* detailOf(credit, text, type), "reference")
      }
      for (const commands of [members(33_000), `"a":{${members(33_000)}}`]) {
        assert.strictEqual(yield* detailOf("/v1/batch", `{"commands":[{${commands}}]}`), intricate)
      }
      const largest = Array.from(
        { length: 1_000 },
        (_, at) =>
          `{"type":"transfer","walletId":"w","to":"v","idempotencyKey":"${at}","amount":"1","reference":"",` +
          `"metadata":{${Array.from({ length: 20 }, (_, pair) => `"${pair}":"${"x".repeat(20)}"`).join(",")}}}`
      )
      const reply = yield* call("POST", "/v1/batch", { body: `{"commands":[${largest.join(",")}]}` })
      assert.strictEqual(reply.json.results.length, 1_000)
      assert.strictEqual(reply.json.results[999].body.code, "WalletNotFound")
    })
  )

  it.effect("is refused above 128 KiB for every single command, and above 1 MiB for a batch", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const codeOf = (path: string, body: string, method = "POST") =>
        Effect.map(call(method, path, { key: "k", body }), (reply) => reply.json.code ?? reply.status)
      const [most, tooMuch] = [128 * 1024, 128 * 1024 + 1]
      for (const [method, path] of [
        ["POST", "/v1/wallets"],
        ["PATCH", "/v1/wallets/w"],
        ["POST", "/v1/wallets/w/credit"],
        ["POST", "/v1/wallets/w/holds"],
        ["POST", "/v1/wallets/w/holds/h/capture"],
        ["POST", "/v1/wallets/w/holds/h/release"],
        ["POST", "/v1/wallets/w/freeze"],
        ["POST", "/v1/transfers"],
        ["POST", "/v1/keys"]
      ] as const) {
        const body = '{"none":1}'
        assert.strictEqual(yield* codeOf(path, body.padEnd(most), method), I, path)
        assert.strictEqual(yield* codeOf(path, body.padEnd(tooMuch), method), "PayloadTooLarge", path)
      }
      const batch = '{"commands":[]}'
      assert.strictEqual(yield* codeOf("/v1/batch", batch.padEnd(tooMuch)), yield* codeOf("/v1/batch", batch))
      assert.strictEqual(yield* codeOf("/v1/batch", batch.padEnd(1024 * 1024)), yield* codeOf("/v1/batch", batch))
      assert.strictEqual(yield* codeOf("/v1/batch", batch.padEnd(1024 * 1024 + 1)), "PayloadTooLarge")
      assert.strictEqual(yield* codeOf("/v1/batch", `${"[".repeat(500_000)}${"]".repeat(500_000)}`), I)
      assert.strictEqual(yield* codeOf("/v1/batch", `${'{"a":'.repeat(150_000)}1${"}".repeat(150_000)}`), I)
    })
  )

  it.effect("is taken with the largest metadata and reference that there can be, all of it escaped", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const escaped = (length: number, at = 0) =>
        `"${String.raw`\u00e9`.repeat(length - 1)}\\u${(0x100 + at).toString(16).padStart(4, "0")}"`
      const pairs = Array.from({ length: 20 }, (_, at) => `${escaped(64, at)}:${escaped(512)}`)
      const body = `{"amount":"1","reference":${escaped(255)},"metadata":{${pairs.join(",")}}}`
      assert.isAbove(body.length, 70_000)
      assert.strictEqual(
        (yield* call("POST", "/v1/wallets/w/debit", { key: "k", body })).json.code,
        "InsufficientFunds"
      )
    })
  )
})
