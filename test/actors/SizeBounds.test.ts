/** What a writer may write every reader can read: the bounds of both, side by side. */
import { defaultMaxMessageSize } from "@effect/sql-pg/PgProtocol"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "@effect/vitest"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { keysBytes } from "../../src/actors/Snapshots.ts"
import { maxReplyStateBytes } from "../../src/cluster/CallCodec.ts"
import { maxFrameSize } from "../../src/cluster/PeerConnections.ts"
import { maxFactsBytes, maxPolicies, PolicySet } from "../../src/domain/PolicySet.ts"
import { maxMetadataBytes, maxOpenBytes, stateBytes } from "../../src/domain/WalletSize.ts"
import { engineConfig } from "../../src/engine/EngineConfig.ts"
import { maxSnapshotBytes } from "../../src/stores/EventStore.ts"
import { maxMessageBytes } from "../../src/stores/pglite/Server.ts"

const mebi = 1024 * 1024

const configured = (bytes: number) =>
  Effect.map(
    engineConfig.parse(ConfigProvider.fromUnknown({ WALLET_STATE_BYTES: String(bytes) })),
    ({ bounds }) => bounds.limits.stateBytes
  )

/** The largest state that can be configured. */
const largestState = 4 * mebi
const smallestState = 256 * 1024

/** Of the client of KurrentDB, for what it receives. */
const kurrentMessageBytes = 17 * mebi

describe("bounds of size", () => {
  it.effect("of a state can be set between these", () =>
    Effect.gen(function* () {
      for (const bytes of [smallestState, largestState]) assert.strictEqual(yield* configured(bytes), bytes)
      for (const bytes of [smallestState - 1, largestState + 1]) yield* Effect.flip(configured(bytes))
      assert.isAtMost(defaultBounds.limits.stateBytes, largestState)
    })
  )

  it("let the smallest state have all metadata and the largest hold", () => {
    assert.isAtMost(stateBytes({}, 0) + maxMetadataBytes + maxOpenBytes, smallestState)
  })

  it("let the largest state with its keys and what policies know into a snapshot", () => {
    const policies = Array.from({ length: maxPolicies }, (_, index) => ({
      name: `${index}`.padEnd(64, "\u0001"),
      version: "1",
      facts: { initial: null, fold: () => null, maxBytes: maxFactsBytes },
      judge: () => undefined
    }))
    const { maxBytes } = new PolicySet(policies)
    assert.isAtMost(largestState + keysBytes(defaultBounds.keysInSnapshot) + maxBytes, maxSnapshotBytes)
  })

  it("let a snapshot, as JSON in JSON, into a message of each store", () => {
    // What JSON has escaped once is twice as long at most when it is escaped again.
    const record = 2 * maxSnapshotBytes + 1_000
    assert.isAtMost(record, defaultMaxMessageSize)
    assert.isAtMost(record, kurrentMessageBytes)
    assert.isAtMost(record, maxMessageBytes)
  })

  it("let a gathered append into a message of the embedded database", () => {
    // A character takes six bytes as JSON; or three, and three among the words that search finds.
    const texts = 6 * Math.max(defaultBounds.appendBytes, defaultBounds.mailboxBytes)
    assert.isAtMost(texts + defaultBounds.appendEvents * 1_024, maxMessageBytes)
  })

  it("let the states of a reply, and one more, into a message between nodes", () => {
    assert.isAtMost(largestState, maxReplyStateBytes)
    // In quotes once more.
    assert.isAtMost(2 * (maxReplyStateBytes + largestState), maxFrameSize)
  })
})
