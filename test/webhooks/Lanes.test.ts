import { assert, describe, it } from "@effect/vitest"
import type { RecordedEvent, WalletEvent } from "../../src/domain/Event.ts"
import { servedBytes } from "../../src/engine/FeedPages.ts"
import { Lanes } from "../../src/webhooks/Lanes.ts"
import { defaultWebhookBounds } from "../../src/webhooks/WebhookBounds.ts"
import { goldenEvents } from "../domain/GoldenEvents.ts"

const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`name-${index}`, "v".repeat(512)]))

const recordedOf = (event: WalletEvent, index: number): RecordedEvent => ({
  id: `event-${index}`,
  walletId: `w${index}`,
  version: 1,
  time: 0,
  metadata: {
    commandId: `event-${index}`,
    key: `c:${index}`,
    fingerprint: "f",
    actor: null,
    correlationId: null,
    causationId: null,
    epoch: 1
  },
  event
})

/** How many events of this kind one endpoint holds at a time. */
const heldOf = (event: WalletEvent): number => {
  const lanes = new Lanes(defaultWebhookBounds, 0n, [], 0)
  let held = 0
  for (; lanes.hasRoom; held++) lanes.add(recordedOf(event, held), BigInt(held))
  return held
}

const begun = Object.values(goldenEvents).find((event) => event._tag === "LegsBegun")!
const credited = Object.values(goldenEvents).find((event) => event._tag === "WalletCredited")!

describe("what an endpoint holds", () => {
  it("is bounded in events where they are small", () => {
    assert.strictEqual(heldOf({ ...credited, metadata: {} }), defaultWebhookBounds.windowEvents)
  })

  it("is bounded in bytes where one has a hundred legs with all that may be said of each", () => {
    const legs = Array.from({ length: 100 }, () => ({ ...begun.legs[0]!, metadata }))
    const event = { ...begun, legs }
    assert.isAtLeast(servedBytes(event), JSON.stringify(metadata).length * legs.length)
    assert.strictEqual(heldOf(event), 1)
  })

  it("has room again when it is acknowledged, and where a wallet falls behind", () => {
    const legs = Array.from({ length: 100 }, () => ({ ...begun.legs[0]!, metadata }))
    const lanes = new Lanes(defaultWebhookBounds, 0n, [], 0)
    const acknowledged = lanes.add(recordedOf({ ...begun, legs }, 0), 0n)!
    assert.isFalse(lanes.hasRoom)
    lanes.acknowledged(acknowledged, 1, 0)
    assert.isTrue(lanes.hasRoom)
    const behind = lanes.add(recordedOf({ ...begun, legs }, 1), 1n)!
    assert.isFalse(lanes.hasRoom)
    lanes.fallBehind(behind)
    assert.isTrue(lanes.hasRoom)
  })
})
