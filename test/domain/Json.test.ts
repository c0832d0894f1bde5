import * as FastCheck from "fast-check"
import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import { decodeSnapshot, encodeSnapshot } from "../../src/actors/Snapshots.ts"
import { parseObject } from "../../src/cli/import/JsonRow.ts"
import { decodeBatch, encodeBatch } from "../../src/cluster/CallCodec.ts"
import { decodeEvent, encodeEvent } from "../../src/domain/EventCodec.ts"
import { parseJson } from "../../src/domain/Json.ts"
import { command, event, walletId, walletOf } from "./Examples.ts"
import { mistakenPairs } from "./MistakenNames.ts"

/** JSON as it is written, and what it says: objects as their members, as many as there are. */
type Written =
  | { readonly text: string; readonly value: unknown }
  | { readonly items: ReadonlyArray<Written> }
  | { readonly members: ReadonlyArray<readonly [name: string, written: string, member: Written]> }

const units = (name: string): ReadonlyArray<string> => Array.from({ length: name.length }, (_, at) => name[at]!)

const byNumber = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`

/** Three ways to write a unit: as short as can be, as it is where it may be, by its number. */
const writings: ReadonlyArray<(unit: string) => string> = [
  (unit) => JSON.stringify(unit).slice(1, -1),
  (unit) => (/["\\\u0000-\u001f]/.test(unit) ? JSON.stringify(unit).slice(1, -1) : unit),
  byNumber
]

const pieces = ["\\", "\n", '"', "\u0000", "\ud800", "~", "~5c", "a", "b", "u", "n", "1", "0", "é", "🐎", ":", "/", ""]

const text = FastCheck.oneof(
  FastCheck.array(FastCheck.constantFrom(...pieces), { maxLength: 4 }).map((parts) => parts.join("")),
  FastCheck.constantFrom("__proto__", "constructor", "toJSON", "length")
).chain((value) =>
  FastCheck.array(FastCheck.constantFrom(...writings), { minLength: value.length, maxLength: value.length }).map(
    (ways): readonly [string, string] => [
      value,
      `"${units(value)
        .map((unit, at) => ways[at]!(unit))
        .join("")}"`
    ]
  )
)

const leaf = FastCheck.oneof(
  text.map(([value, written]): Written => ({ text: written, value })),
  FastCheck.constantFrom("1", "-0", "1e400", "0.10", "true", "null", '"{\\"a\\\\n\\":1}"', '"\\\\"').map(
    (written): Written => ({ text: written, value: JSON.parse(written) })
  )
)

const { value: written } = FastCheck.letrec<{ value: Written }>((tie) => ({
  value: FastCheck.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    FastCheck.array(tie("value"), { maxLength: 3 }).map((items): Written => ({ items })),
    FastCheck.array(FastCheck.tuple(text, tie("value")), { maxLength: 4 }).map((members): Written => ({
      members: members.map(([[name, one], member]) => [name, one, member] as const)
    }))
  )
}))

const render = (one: Written, blank: string): string => {
  if ("text" in one) return one.text
  if ("items" in one) return `[${one.items.map((item) => render(item, blank)).join(`,${blank}`)}${blank}]`
  const members = one.members.map(([, name, member]) => `${name}${blank}:${blank}${render(member, blank)}`)
  return `{${blank}${members.join(`,${blank}`)}}`
}

/** By what was written, without a parser; objects take their members as ECMAScript says. */
const meant = (one: Written): unknown => {
  if ("text" in one) return one.value
  if ("items" in one) return one.items.map(meant)
  return Object.fromEntries(one.members.map(([name, , member]) => [name, meant(member)]))
}

/** Objects as lists of their members, in order: nothing is hidden in it. */
const laidOut = (value: unknown): unknown => {
  if (Array.isArray(value)) return ["list", ...value.map(laidOut)]
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : value
  assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
  return ["object", ...Object.entries(value).map(([name, member]) => [name, laidOut(member)])]
}

const blanks = FastCheck.constantFrom("", " ", "\n  ", "\t\r\n")

describe("JSON with names of a caller's", () => {
  it("is what was written, whatever was read before", () => {
    let slow = 0
    FastCheck.assert(
      FastCheck.property(written, blanks, (one, blank) => {
        const given = render(one, blank)
        if (given.includes("\\")) slow++
        assert.deepStrictEqual(laidOut(parseJson(given)), laidOut(meant(one)), given)
      }),
      { numRuns: 5_000 }
    )
    assert.isAbove(slow, 1_000)
  })

  it("is refused exactly where JSON.parse refuses it, as a SyntaxError", () => {
    const refusal = (parse: (text: string) => unknown, given: string): unknown => {
      try {
        parse(given)
        return "read"
      } catch (error) {
        return (error as Error).constructor
      }
    }
    const seen = { read: 0, refused: 0 }
    const damage = FastCheck.tuple(
      FastCheck.nat(),
      FastCheck.nat(3),
      FastCheck.constantFrom("", '"', "\\", ":", "{", "\n", "~")
    )
    FastCheck.assert(
      FastCheck.property(written, blanks, damage, (one, blank, [where, length, put]) => {
        const whole = render(one, blank)
        const at = where % (whole.length + 1)
        const given = whole.slice(0, at) + put + whole.slice(at + length)
        const expected = refusal(JSON.parse, given)
        if (expected === "read") seen.read++
        else seen.refused++
        assert.strictEqual(refusal(parseJson, given), expected, given)
      }),
      { numRuns: 5_000 }
    )
    assert.isAbove(Math.min(seen.read, seen.refused), 300)
  })

  it("is read at any depth, and gives numbers as they are written", () => {
    const depth = 200_000
    let inner = parseJson(`${'{"\\n":'.repeat(depth)}1${"}".repeat(depth)}`)
    for (let at = 0; at < depth; at++) inner = (inner as Readonly<Record<string, unknown>>)["\n"]
    assert.strictEqual(inner, 1)
    const source = (value: unknown, as: string | undefined) => (typeof value === "number" ? as : value)
    assert.deepStrictEqual(parseJson('{"a\\n":1.50,"b":[2.0]}', source), { "a\n": "1.50", b: ["2.0"] })
    assert.deepStrictEqual(parseJson('{"a":1.50}', source), { a: "1.50" })
  })

  // When this fails the runtime reads names right; see the head of `Json.ts` for what can go then.
  it("needs more than JSON.parse from V8 13 on", () => {
    JSON.parse('{"seen":1,"x\\\\":2}')
    const [, name] = Object.keys(JSON.parse('{"seen":1,"x\\n":2}'))
    assert.strictEqual(name, Number.parseInt(process.versions.v8) < 13 ? "x\n" : "x\\")
  })
})

describe("names of metadata that V8 mistakes for one another", () => {
  it("stay apart in events, snapshots, calls between nodes and lines of a file", () => {
    for (const metadata of mistakenPairs) {
      const created = event("WalletCreated", { metadata })
      assert.deepStrictEqual(decodeEvent("WalletCreated", encodeEvent(created)), Result.succeed(created))

      const wallet = walletOf([created])
      const snapshot = encodeSnapshot({ wallet, profileVersion: 1, keys: { coversFrom: 0, keys: [] } })
      assert.deepStrictEqual(Result.getOrThrow(decodeSnapshot(snapshot)).wallet, wallet)

      const call = {
        command: command("Credit", { metadata }),
        key: "c:1",
        actor: null,
        correlationId: null,
        await: "persisted",
        ifVersion: null,
        dryRun: false,
        bytes: 256
      } as const
      const calls = [{ walletId, after: null, calls: [{ call, waitedMillis: 0, again: false }] }]
      assert.deepStrictEqual(decodeBatch(encodeBatch(calls)), Result.succeed(calls))

      assert.deepStrictEqual(parseObject(JSON.stringify(metadata)), metadata)
    }
  })
})
