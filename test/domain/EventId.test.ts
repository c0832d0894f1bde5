import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { randomUUID } from "node:crypto"
import { eventIdOf, idPrefix, placeOfEvent } from "../../src/domain/EventId.ts"
import { walletTag } from "../../src/domain/WalletTag.ts"

const tail = () => randomUUID().slice(15)

describe("the id of an event", () => {
  it("says when it was and whose it is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), fc.nat(100_000), fc.string(), (time, count, id) => {
        const place = placeOfEvent(eventIdOf(idPrefix(time), count, tail(), walletTag(id)))
        assert.deepStrictEqual(place, { tag: walletTag(id), time })
      })
    )
  })

  it("is a UUID of version 7, in the order of time", () => {
    const ids = [1_700_000_000_000, 1_700_000_000_001, 1_700_000_000_002].map((time, count) =>
      eventIdOf(idPrefix(time), count, tail(), walletTag("w"))
    )
    for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.deepStrictEqual([...ids].sort(), ids)
  })

  it("differs 4,096 times in a row, whatever chance does", () => {
    const ids = new Set(
      Array.from({ length: 4_096 }, (_, count) => eventIdOf(idPrefix(1), count, "xxx-8aaa-aaaa", "0a0a0a0a"))
    )
    assert.strictEqual(ids.size, 4_096)
  })

  it("has the tag that stays as it is", () => {
    assert.strictEqual(walletTag("alice"), "2bd806c9")
  })

  it("is nothing else", () => {
    const others = [
      "",
      "alice",
      randomUUID(),
      "0190a1b2-c3d4-7000-7000-000000000000",
      "0190A1B2-C3D4-7000-8000-000000000000"
    ]
    for (const text of others) assert.isUndefined(placeOfEvent(text), text)
    assert.isDefined(placeOfEvent("0190a1b2-c3d4-7000-8000-000000000000"))
  })
})
