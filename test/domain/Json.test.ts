import * as FastCheck from "fast-check"
import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import { decodeSnapshot, encodeSnapshot } from "../../src/actors/Snapshots.ts"
import { parseObject } from "../../src/cli/import/JsonRow.ts"
import { decodeBatch, encodeBatch } from "../../src/cluster/CallCodec.ts"
import { decodeEvent, encodeEvent } from "../../src/domain/EventCodec.ts"
import { parseJson } from "../../src/domain/Json.ts"
import { command, event, walletId, walletOf } from "./Examples.ts"
import { mistakenPairs, mistakenTexts } from "./MistakenNames.ts"

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
  (unit) => (/[^ !#-[\]-\uffff]/.test(unit) ? JSON.stringify(unit).slice(1, -1) : unit),
  byNumber
]

const pieces = ["\\", "\n", '"', "\u0000", "\ud800", "~", "~5c", "a", "b", "u", "n", "1", "0", "é", "🐎", ":", "/", ""]

/** With how it is written. */
const writtenAs = (value: string) =>
  FastCheck.array(FastCheck.constantFrom(...writings), { minLength: value.length, maxLength: value.length }).map(
    (ways): readonly [string, string] => [
      value,
      `"${units(value)
        .map((unit, at) => ways[at]!(unit))
        .join("")}"`
    ]
  )

const text = FastCheck.oneof(
  FastCheck.array(FastCheck.constantFrom(...pieces), { maxLength: 4 }).map((parts) => parts.join("")),
  FastCheck.constantFrom("__proto__", "constructor", "toJSON", "length")
).chain(writtenAs)

/** Short ones that look alike. */
const tight = FastCheck.array(FastCheck.constantFrom("\\", "\n", '"'), { minLength: 1, maxLength: 2 })
  .map((parts) => parts.join(""))
  .chain(writtenAs)

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

/** From V8 13 on `JSON.parse` is not. When this fails the runtime is right again: see the head of `Json.ts` for what can go. */
const isRightRuntime = Number.parseInt(process.versions.v8) < 13

const blanks = FastCheck.constantFrom("", " ", "\n  ", "\t\r\n")

describe("JSON with names of a caller's", () => {
  it("is what was written", () => {
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

  it("is what was written after any other JSON that began alike", () => {
    let made = 0
    // After one name V8 knows 1,536 others, and then learns no more.
    const beginning = () => ["begin", `m${made >> 8}`, `n${made++}`]
    let mistaken = 0
    const names = FastCheck.array(tight, { minLength: 1, maxLength: 2 })
    FastCheck.assert(
      FastCheck.property(names, names, (one, other) => {
        // A beginning that nothing else has: only then V8 guesses. No object is made of the second before it is read.
        const textOf = (members: typeof one, begin: ReadonlyArray<string>) =>
          `{${[...begin.map((name) => `"${name}"`), ...members.map(([, name]) => name)].map((name) => `${name}:0`).join(",")}}`
        const meantOf = (members: typeof one, begin: ReadonlyArray<string>) =>
          Object.fromEntries([...begin, ...members.map(([name]) => name)].map((name) => [name, 0] as const))
        const [begin, again] = [beginning(), beginning()]
        parseJson(textOf(one, begin))
        const read = parseJson(textOf(other, begin))
        assert.deepStrictEqual(laidOut(read), laidOut(meantOf(other, begin)), textOf(other, begin))

        JSON.parse(textOf(one, again))
        const native = JSON.stringify(laidOut(JSON.parse(textOf(other, again))))
        if (native !== JSON.stringify(laidOut(meantOf(other, again)))) mistaken++
      }),
      { numRuns: 5_000 }
    )
    if (isRightRuntime) assert.strictEqual(mistaken, 0)
    else assert.isAbove(mistaken, 20)
  })
})

describe("names of metadata that V8 mistakes for one another", () => {
  it("are such", () => {
    for (const { first, second } of mistakenPairs()) {
      JSON.parse(first)
      const isRight = JSON.stringify(JSON.parse(second)) === second.replace("\\u0061", "a")
      assert.strictEqual(isRight, isRightRuntime, second)
    }
  })

  /** What the metadata come back as, text for text. */
  const staysApart = (through: (metadata: string) => unknown) => {
    for (const metadata of mistakenTexts()) assert.strictEqual(JSON.stringify(through(metadata)), metadata)
  }

  it("stay apart in events and snapshots", () => {
    const created = encodeEvent(event("WalletCreated", { metadata: { put: "here" } }))
    const wallet = walletOf([event("WalletCreated", { metadata: { put: "here" } })])
    const snapshot = encodeSnapshot({ wallet, profileVersion: 1, keys: { coversFrom: 0, keys: [] } })
    const put = (text: string, metadata: string) => {
      assert.include(text, '{"put":"here"}')
      return text.replace('{"put":"here"}', () => metadata)
    }
    staysApart((metadata) => {
      const decoded = Result.getOrThrow(decodeEvent("WalletCreated", put(created, metadata)))
      return decoded._tag === "WalletCreated" && decoded.metadata
    })
    staysApart(
      (metadata) =>
        Result.getOrThrow(decodeSnapshot({ ...snapshot, data: put(snapshot.data, metadata) })).wallet.metadata
    )
  })

  it("stay apart in calls between nodes", () => {
    const call = {
      command: command("Credit", { metadata: { put: "here" } }),
      key: "c:1",
      actor: null,
      correlationId: null,
      await: "persisted",
      ifVersion: null,
      dryRun: false,
      bytes: 256
    } as const
    const batch = encodeBatch([{ walletId, after: null, calls: [{ call, waitedMillis: 0, again: false }] }])
    assert.include(batch, '{"put":"here"}')
    staysApart((metadata) => {
      const [wallet] = Result.getOrThrow(decodeBatch(batch.replace('{"put":"here"}', () => metadata)))
      const read = wallet?.calls[0]?.call.command
      return read?._tag === "Credit" && read.metadata
    })
  })

  it("stay apart in lines of a file", () => staysApart(parseObject))
})
