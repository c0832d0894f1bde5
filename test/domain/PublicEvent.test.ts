import { assert, describe, it } from "vitest"
import { eventData } from "../../src/domain/EventCodec.ts"
import { publicData, publicType } from "../../src/domain/PublicEvent.ts"
import { event } from "./Examples.ts"
import { goldenEvents } from "./GoldenEvents.ts"

describe("an event in the feed", () => {
  it("shows amounts as strings and times as RFC 3339", () => {
    const placed = event("HoldPlaced", { expiresAt: 1_767_225_600_005, balanceAfter: 100n, heldAfter: 10n })
    assert.strictEqual(publicType(placed), "HoldPlaced")
    assert.deepStrictEqual(publicData(placed), {
      holdId: "hold-1",
      amount: "10",
      expiresAt: "2026-01-01T00:00:00.005Z",
      reference: null,
      metadata: {},
      balanceAfter: "100",
      heldAfter: "10"
    })
    assert.strictEqual(publicData(event("HoldPlaced")).expiresAt, null)
  })

  it("shows a reversal without the log's book-keeping", () => {
    assert.deepStrictEqual(publicData(event("OperationReversed")), {
      reversedVersion: 1,
      reversedType: "WalletCredited",
      reason: "refused",
      balanceChange: "-10",
      balanceAfter: "0",
      heldAfter: "0"
    })
  })

  it("shows every other event as the log has it, with its times as RFC 3339", () => {
    const others = Object.values(goldenEvents).filter(
      ({ _tag }) => _tag !== "HoldPlaced" && _tag !== "OperationReversed"
    )
    assert.isAbove(others.length, 15)
    for (const given of others) {
      const data: Record<string, unknown> = { ...eventData(given) }
      for (const name of ["effectiveAt", "expiresAt", "previousExpiresAt", "until"]) {
        if (typeof data[name] === "number") data[name] = new Date(data[name]).toISOString()
      }
      assert.deepStrictEqual<object>(publicData(given), data)
    }
  })
})
