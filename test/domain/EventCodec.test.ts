import * as Fs from "node:fs"
import * as Path from "node:path"
import * as FastCheck from "fast-check"
import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import type { EventMetadata, WalletEvent } from "../../src/domain/Event.ts"
import {
  decodeEvent,
  decodeEventData,
  decodeMetadata,
  encodeEvent,
  encodeMetadata,
  eventData,
  eventTypes,
  upcasters,
  type Upcaster,
  wireType
} from "../../src/domain/EventCodec.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import { event } from "./Examples.ts"
import { goldenEvents } from "./GoldenEvents.ts"

const golden = Path.join(import.meta.dirname, "golden")

const failureOf = (type: string, data: string): string => {
  const decoded = decodeEvent(type, data)
  return Result.isFailure(decoded) ? decoded.failure : "read"
}

/** `event` as the log has it, with some fields damaged; `undefined` takes a field away. */
const damaged = (given: WalletEvent, damage: Readonly<Record<string, unknown>>): string =>
  failureOf(wireType(given), JSON.stringify({ ...eventData(given), ...damage }))

describe("an event's wire form", () => {
  for (const [name, given] of Object.entries(goldenEvents)) {
    it(`${name} is what it has always been, byte for byte`, () => {
      const text = Fs.readFileSync(Path.join(golden, `${name}.json`), "utf8")
      assert.strictEqual(`${encodeEvent(given)}\n`, text)
      const type = name.split(".")[0] ?? ""
      assert.deepStrictEqual(decodeEvent(type, text), Result.succeed(given))
      assert.deepStrictEqual(decodeEventData(type, JSON.parse(text)), Result.succeed(given))
    })
  }

  it("is on record for every event, and for none beside", () => {
    assert.deepStrictEqual(
      Fs.readdirSync(golden).sort(),
      Object.keys(goldenEvents)
        .map((name) => `${name}.json`)
        .sort()
    )
    assert.deepStrictEqual([...new Set(Object.values(goldenEvents).map(wireType))].sort(), eventTypes.toSorted())
  })

  it("is the same written by hand and by the table", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.constantFrom(
          "WalletCredited" as const,
          "WalletDebited" as const,
          "TransferSent" as const,
          "TransferReceived" as const
        ),
        FastCheck.bigInt({ min: 1n, max: 10n ** 30n - 1n }),
        FastCheck.option(FastCheck.string({ unit: "grapheme" })),
        FastCheck.dictionary(FastCheck.string(), FastCheck.string(), { noNullPrototype: true }),
        FastCheck.bigInt({ min: 1n - 10n ** 36n, max: 10n ** 36n - 1n }),
        (tag, amount, reference, metadata, balanceAfter) => {
          const given = event(tag, { amount, reference, metadata, balanceAfter, heldAfter: amount })
          assert.strictEqual(encodeEvent(given), JSON.stringify(eventData(given)))
          const settled = event("TransferSettled", { amount, balanceAfter, heldAfter: amount })
          assert.strictEqual(encodeEvent(settled), JSON.stringify(eventData(settled)))
        }
      )
    )
  })

  it("reads fields in any order, and keeps empty metadata shared", () => {
    const text = '{"heldAfter":"0","metadata":{},"balanceAfter":"10","reference":null,"amount":"10"}'
    const read = decodeEvent("WalletCredited", text)
    const given = event("WalletCredited", { balanceAfter: 10n })
    assert.deepStrictEqual(read, Result.succeed(given))
    assert.deepStrictEqual(Object.keys(Result.getOrThrow(read)), Object.keys(given))
    const { metadata } = Result.getOrThrow(read) as typeof given
    assert.strictEqual(metadata, noMetadata)
  })

  it("carries a metadata key that names a prototype's property", () => {
    const text =
      '{"amount":"1","reference":null,"metadata":{"__proto__":"a","toString":"b"},"balanceAfter":"1","heldAfter":"0"}'
    const read = Result.getOrThrow(decodeEvent("WalletCredited", text))
    assert.strictEqual(encodeEvent(read), text)
  })
})

describe("a damaged event is an error, never a guess", () => {
  it("when its type is unknown", () => {
    assert.strictEqual(failureOf("WalletRenamed", "{}"), "WalletRenamed: unknown type of event")
    assert.strictEqual(failureOf("constructor", "{}"), "constructor: unknown type of event")
    assert.strictEqual(failureOf("WalletCredited.v2", "{}"), "WalletCredited.v2: unknown type of event")
  })

  it("when it is no object", () => {
    for (const text of ["", "{", "null", "[]", "1", '"WalletFrozen"']) {
      assert.strictEqual(failureOf("WalletFrozen", text), "not an object")
    }
  })

  it("when a field is missing or unknown", () => {
    const frozen = event("WalletFrozen")
    assert.strictEqual(damaged(frozen, { reason: undefined }), "reason: missing")
    assert.strictEqual(damaged(frozen, { reason: undefined, why: null }), "reason: missing")
    assert.strictEqual(damaged(frozen, { why: null }), "why: unknown")
    assert.strictEqual(damaged(frozen, {}), "read")
  })

  it("when a field has not its form", () => {
    const credited = event("WalletCredited")
    const placed = event("HoldPlaced")
    const reversed = event("OperationReversed")
    const tooMany = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`k${index}`, ""]))
    const cases: ReadonlyArray<readonly [WalletEvent, string, ReadonlyArray<unknown>]> = [
      [credited, "amount", [1, "0", "-1", "01", "1.0", "", " 1", "1e3", "٣", null, `1${"0".repeat(30)}`]],
      [credited, "balanceAfter", [0, "-0", "+1", "01", "--1", `1${"0".repeat(36)}`, null]],
      [credited, "heldAfter", ["-1", 0]],
      [credited, "reference", [1, {}, "\ud800"]],
      [credited, "metadata", [null, [], "", { a: 1 }, { a: null }, { ["k".repeat(65)]: "" }, tooMany]],
      [placed, "holdId", ["", "no blank", 1, "x".repeat(65)]],
      [placed, "expiresAt", ["0", -1, 0.5, 253_402_300_800_000]],
      [event("WalletCreated"), "currency", ["eur", "EU", 1]],
      [event("WalletCreated"), "overdraftLimit", ["-1", `1${"0".repeat(30)}`]],
      [event("HoldCaptured"), "capturedAfter", ["0"]],
      [event("TransferRefused"), "reason", [null, 1]],
      [reversed, "reversedVersion", [-1, 0.5, "1", 2 ** 53]],
      [reversed, "reversedType", ["WalletRenamed", "toString", null]],
      [reversed, "restored", [null, {}, { type: "toString" }, { type: "Nothing", more: 1 }, { type: "NoHold" }]],
      [reversed, "restored", [{ type: "Status", status: "open" }, { type: ["Nothing"] }, []]]
    ]
    for (const [given, name, values] of cases) {
      for (const value of values) {
        assert.strictEqual(damaged(given, { [name]: value }), `${name}: unreadable`, JSON.stringify(value))
      }
    }
  })

  it("when a hold it restores does not add up", () => {
    const hold = { id: "h", amount: "9", captured: "4", remaining: "5", expiresAt: null, reference: null, metadata: {} }
    const restoring = (fields: object): string =>
      damaged(event("OperationReversed"), { restored: { type: "Hold", hold: { ...hold, createdAt: 0, ...fields } } })
    assert.strictEqual(restoring({}), "read")
    assert.strictEqual(restoring({ captured: "5" }), "restored: unreadable")
    assert.strictEqual(restoring({ captured: "9", remaining: "0" }), "restored: unreadable")
    assert.strictEqual(restoring({ createdAt: -1 }), "restored: unreadable")
  })

  it("but takes the largest values there can be", () => {
    const largest = "9".repeat(36)
    assert.strictEqual(damaged(event("WalletCredited"), { balanceAfter: largest, heldAfter: largest }), "read")
    assert.strictEqual(damaged(event("WalletCredited"), { balanceAfter: `-${largest}` }), "read")
    assert.strictEqual(damaged(event("HoldPlaced"), { expiresAt: 253_402_300_799_999 }), "read")
    assert.strictEqual(damaged(event("OperationReversed"), { reversedVersion: 0 }), "read")
  })
})

describe("an upcaster", () => {
  const withReference: Upcaster = {
    to: "WalletCredited",
    upcast: (data) => ("amount" in data ? { ...data, reference: null } : undefined)
  }
  const withMetadata: Upcaster = { to: "WalletCredited.v0", upcast: (data) => ({ ...data, metadata: {} }) }
  const table = new Map([
    ["Credited", withMetadata],
    ["WalletCredited.v0", withReference]
  ])

  it("lifts an old shape, step by step, to the one that is written now", () => {
    const old = '{"amount":"10","balanceAfter":"0","heldAfter":"0"}'
    assert.deepStrictEqual(decodeEvent("Credited", old, table), Result.succeed(event("WalletCredited")))
    assert.strictEqual(failureOf("Credited", old), "Credited: unknown type of event")
  })

  it("is strict too: about what it is given and what it makes", () => {
    assert.deepStrictEqual(
      decodeEvent("WalletCredited.v0", "{}", table),
      Result.fail("WalletCredited.v0: cannot be upcast")
    )
    assert.deepStrictEqual(
      decodeEvent("WalletCredited.v0", "[]", table),
      Result.fail("WalletCredited.v0: cannot be upcast")
    )
    assert.deepStrictEqual(decodeEvent("Credited", '{"amount":"10"}', table), Result.fail("balanceAfter: missing"))
  })

  it("that leads in a circle is found out", () => {
    const circle: Upcaster = { to: "A", upcast: (data) => data }
    assert.deepStrictEqual(
      decodeEvent("A", "{}", new Map([["A", circle]])),
      Result.fail("A: its upcasters go in a circle")
    )
  })

  it("may follow 62 others, and no more", () => {
    const chain = (length: number): ReadonlyMap<string, Upcaster> =>
      new Map(
        Array.from({ length }, (_, index): [string, Upcaster] => [
          `v${index}`,
          { to: index + 1 === length ? "WalletFrozen" : `v${index + 1}`, upcast: (data) => data }
        ])
      )
    const text = encodeEvent(event("WalletFrozen"))
    assert.deepStrictEqual(decodeEvent("v0", text, chain(63)), Result.succeed(event("WalletFrozen")))
    assert.deepStrictEqual(decodeEvent("v0", text, chain(64)), Result.fail("v0: its upcasters go in a circle"))
  })

  it("is not needed yet: every shape that was written is the current one", () => {
    assert.strictEqual(upcasters.size, 0)
  })
})

describe("an event's metadata", () => {
  const full: EventMetadata = {
    commandId: "0190-1",
    key: "c:key",
    fingerprint: "1:credit|10||",
    correlationId: "request-1",
    causationId: "0190-0",
    actor: "backoffice",
    epoch: 12
  }
  const bare: EventMetadata = {
    ...full,
    key: "e:expire",
    correlationId: null,
    causationId: null,
    actor: null,
    epoch: 0
  }

  it("are a flat map of strings that leaves out what is absent", () => {
    assert.deepStrictEqual<unknown>(encodeMetadata(full), { ...full, epoch: "12" })
    assert.deepStrictEqual(encodeMetadata(bare), {
      commandId: "0190-1",
      key: "e:expire",
      fingerprint: "1:credit|10||",
      epoch: "0"
    })
  })

  it("are read back, whatever the log has added", () => {
    for (const metadata of [full, bare, { ...full, epoch: Number.MAX_SAFE_INTEGER }]) {
      assert.deepStrictEqual(decodeMetadata({ ...encodeMetadata(metadata), $added: 1 }), Result.succeed(metadata))
    }
  })

  it("are refused when damaged", () => {
    const cases: ReadonlyArray<readonly [string, ReadonlyArray<unknown>]> = [
      ["commandId", [undefined, null, 1]],
      ["key", [undefined, "key", "x:key", 1]],
      ["fingerprint", [undefined, 1]],
      ["epoch", [undefined, 12, "", "-1", "01", "1.5", "1".repeat(17), "x1", "1x"]],
      ["correlationId", [1, {}]],
      ["causationId", [1]],
      ["actor", [1]]
    ]
    for (const [name, values] of cases) {
      for (const value of values) {
        const decoded = decodeMetadata({ ...encodeMetadata(full), [name]: value })
        assert.deepStrictEqual(decoded, Result.fail(`metadata ${name}: unreadable`))
      }
    }
    assert.deepStrictEqual(decodeMetadata(null), Result.fail("metadata: not an object"))
    assert.deepStrictEqual(decodeMetadata([]), Result.fail("metadata: not an object"))
  })
})
