import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import type { RecordedEvent } from "../../src/domain/Event.ts"
import { decodeRecorded, encodeRecorded } from "../../src/domain/EventCodec.ts"
import { event, record } from "./Examples.ts"
import { goldenEvents } from "./GoldenEvents.ts"

const recorded: RecordedEvent = {
  ...record(3, event("WalletCredited", { amount: 10n, balanceAfter: 10n }), 7),
  metadata: {
    commandId: "0190-1",
    key: "c:key",
    fingerprint: "1:credit|10||",
    correlationId: "request-1",
    causationId: null,
    actor: "backoffice",
    epoch: 12
  }
}

const encoded = {
  id: "wallet-1-3",
  walletId: "wallet-1",
  version: 3,
  time: 7,
  type: "WalletCredited",
  data: { amount: "10", reference: null, metadata: {}, balanceAfter: "10", heldAfter: "0" },
  metadata: {
    commandId: "0190-1",
    key: "c:key",
    fingerprint: "1:credit|10||",
    epoch: "12",
    correlationId: "request-1",
    actor: "backoffice"
  }
}

describe("a recorded event on its way between nodes", () => {
  it("is its place, its type, its data and its metadata", () => {
    assert.deepStrictEqual<unknown>(encodeRecorded(recorded), encoded)
  })

  it("is read back as it was, whatever has happened", () => {
    for (const given of Object.values(goldenEvents)) {
      const sent = JSON.stringify(encodeRecorded({ ...recorded, event: given }))
      assert.deepStrictEqual(decodeRecorded(JSON.parse(sent)), Result.succeed({ ...recorded, event: given }))
    }
  })

  const refusals: ReadonlyArray<readonly [name: string, values: ReadonlyArray<unknown>, why: string]> = [
    ["id", [1, null, undefined], "event: its place is unreadable"],
    ["walletId", [1, null, undefined], "event: its place is unreadable"],
    ["type", [1, null, undefined], "event: its place is unreadable"],
    ["version", [-1, 0.5, "3", null, undefined], "event: its place is unreadable"],
    ["time", [-1, 0.5, "7", null, undefined], "event: its place is unreadable"],
    ["type", ["WalletRenamed"], "WalletRenamed: unknown type of event"],
    ["data", [undefined, null, "{}"], "not an object"],
    ["data", [{ ...encoded.data, amount: 10 }], "amount: unreadable"],
    ["metadata", [undefined, null], "metadata: not an object"],
    ["metadata", [{ ...encoded.metadata, key: "key" }], "metadata key: unreadable"]
  ]

  it("is refused when any of it is damaged, and says what", () => {
    for (const [name, values, why] of refusals) {
      for (const value of values) {
        assert.deepStrictEqual(decodeRecorded({ ...encoded, [name]: value }), Result.fail(why), name)
      }
    }
    for (const value of [null, undefined, [], "{}"]) {
      assert.deepStrictEqual(decodeRecorded(value), Result.fail("event: not an object"))
    }
  })
})
