/** A member that stands twice in one object of a body: refused, wherever it stands and however it is written. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { parseJson } from "../../src/domain/Json.ts"
import { notJson, parseBody, repeatedMember } from "../../src/http/JsonBody.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

/** JSON as it is written: an object may say a name twice. */
type Written =
  | { readonly text: string }
  | { readonly items: ReadonlyArray<Written> }
  | { readonly members: ReadonlyArray<readonly [name: string, written: string, value: Written]> }

const escaped = (name: string): string =>
  `"${Array.from({ length: name.length }, (_, at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`

const name = fc
  .tuple(fc.constantFrom("a", "b", "", ":", '"', "a\\b", "\\", "__proto__", "amount", "é", "1"), fc.boolean())
  .map(([one, isEscaped]): readonly [string, string] => [one, isEscaped ? escaped(one) : JSON.stringify(one)])

const leaf = fc
  .oneof(
    fc.string().map((text) => JSON.stringify(text)),
    fc.constantFrom(
      '"a:b"',
      '"\\":"',
      '"{\\"a\\":1,\\"a\\":2}"',
      "1e21",
      "100000000000000000000000",
      "-0",
      "1.50",
      "true",
      "null"
    )
  )
  .map((text): Written => ({ text }))

const { value: written } = fc.letrec<{ value: Written }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 3 }).map((items): Written => ({ items })),
    fc
      .array(fc.tuple(name, tie("value")), { maxLength: 4 })
      .map((members): Written => ({ members: members.map(([[one, text], value]) => [one, text, value] as const) }))
  )
}))

const render = (value: Written, blank: string): string => {
  if ("text" in value) return value.text
  if ("items" in value) return `[${value.items.map((item) => render(item, blank)).join(`,${blank}`)}${blank}]`
  const members = value.members.map(([, text, member]) => `${text}${blank}:${blank}${render(member, blank)}`)
  return `{${blank}${members.join(`,${blank}`)}}`
}

const saysTwice = (value: Written): boolean => {
  if ("text" in value) return false
  if ("items" in value) return value.items.some(saysTwice)
  const names = value.members.map(([one]) => one)
  return new Set(names).size < names.length || value.members.some(([, , member]) => saysTwice(member))
}

describe("the parser of bodies", () => {
  it("refuses exactly the JSON in which an object says a name twice", () => {
    const seen = { once: 0, twice: 0 }
    fc.assert(
      fc.property(written, fc.constantFrom("", " ", "\n  ", "\t\r\n"), (value, blank) => {
        const text = render(value, blank)
        const parsed = parseBody(Buffer.from(text))
        if (saysTwice(value)) {
          seen.twice++
          assert.strictEqual(parsed, repeatedMember, text)
        } else {
          seen.once++
          assert.deepStrictEqual(parsed, parseJson(text), text)
        }
      }),
      { numRuns: 5_000 }
    )
    assert.isAbove(Math.min(seen.once, seen.twice), 300)
  })

  it("tells what is not JSON in UTF-8 from it", () => {
    for (const bytes of ["", "{", '{"a":1,}', "{'a':1}", "\ufeff{}", '{"a":1}{"a":1}']) {
      assert.strictEqual(parseBody(Buffer.from(bytes)), notJson, bytes)
    }
    assert.strictEqual(parseBody(Buffer.from([0x22, 0xff, 0x22])), notJson)
  })

  it("takes values that are nested deeper than a stack", () => {
    const depth = 200_000
    const nested = (inner: string) => Buffer.from(`${'{"a":'.repeat(depth)}${inner}${"}".repeat(depth)}`)
    assert.strictEqual(parseBody(nested('{"b":1,"b":2}')), repeatedMember)
    assert.isObject(parseBody(nested('{"b":1,"c":2}')))
  })
})

layer(Server.layer(), { excludeTestServices: true })("a member that stands twice", (it) => {
  const isRefused = (reply: Server.Reply, about: string) => {
    assert.strictEqual(reply.status, 400, about)
    assert.strictEqual(reply.json.code, "InvalidRequest", about)
    assert.include(reply.json.detail, "twice", about)
  }

  it.effect("is refused in every body, and nothing is done", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const to = yield* wallet()
      const movements = [
        '{"amount":"1","amount":"9"}',
        '{"amount":"1","amou\\u006et":"9"}',
        '{"\\u0061mount":"1","amount":"1"}',
        '{"amount":"1","reference":"a: b","reference":"a: b"}',
        '{"amount":"1","metadata":{"a":"b","a":"c"}}',
        '{"amount":"1","metadata":{"a":"b","\\u0061":"c"}}',
        '{"amount":"1","metadata":{"a":"b"},"metadata":{}}',
        '{ "amount" : "1", "amount" : "9" }'
      ]
      const paths = [`/v1/wallets/${id}/credit`, `/v1/wallets/${id}/debit`, `/v1/wallets/${id}/holds`]
      const bodies: ReadonlyArray<readonly [method: string, path: string, body: string]> = [
        ...paths.flatMap((path) => movements.map((body) => ["POST", path, body] as const)),
        ["POST", "/v1/wallets", '{"ownerId":"o","currency":"EUR","currency":"USD"}'],
        ["POST", "/v1/transfers", `{"from":"${id}","to":"${to}","to":"${id}","amount":"1"}`],
        ["PATCH", `/v1/wallets/${id}`, '{"metadata":{"a":"1","a":"2"}}'],
        ["POST", `/v1/wallets/${id}/freeze`, '{"reason":"a","reason":"b"}'],
        ["POST", "/v1/keys", '{"name":"k","scopes":["admin"],"scopes":["wallets:read"]}']
      ]
      for (const [method, path, body] of bodies) {
        for (const type of ["application/json", "application/json; charset=utf-8"]) {
          isRefused(yield* call(method, path, { key: "k", body, headers: { "content-type": type } }), `${path} ${body}`)
        }
      }
      assert.deepInclude((yield* call("GET", `/v1/wallets/${id}`)).json, { version: 0, balance: "0" })
    })
  )

  it.effect("in one command of a batch is refused with the whole batch", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet()
      const good = `{"type":"credit","walletId":"${id}","idempotencyKey":"1","amount":"1"}`
      for (const bad of [
        `{"type":"credit","walletId":"${id}","idempotencyKey":"2","amount":"1","amount":"2"}`,
        `{"type":"credit","walletId":"${id}","idempotencyKey":"2","amou\\u006et":"1","amount":"2"}`,
        `{"type":"credit","walletId":"${id}","idempotencyKey":"2","amount":"1","metadata":{"a":"b","a":"c"}}`
      ]) {
        isRefused(yield* call("POST", "/v1/batch", { body: `{"commands":[${good},${bad}]}` }), bad)
      }
      isRefused(yield* call("POST", "/v1/batch", { body: `{"commands":[],"commands":[${good}]}` }), "commands")
      assert.deepInclude((yield* call("GET", `/v1/wallets/${id}`)).json, { version: 0, balance: "0" })
    })
  )
})
