import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Fs from "node:fs"
import { eventTypes } from "../../../src/domain/EventCodec.ts"
import type { RecordedEvent } from "../../../src/domain/Event.ts"
import { credit, SampleWallet } from "../../../src/testing/contract/SampleWallet.ts"
import * as KurrentNames from "../../../src/stores/kurrent/Names.ts"
import { recordedOf, recordsOf } from "../../../src/stores/kurrent/Records.ts"

const names = KurrentNames.make("wallet")

const sample = () => {
  const wallet = new SampleWallet({ id: "Anna_1-x", metadata: { ключ: "🐎" } })
  return wallet.commit(wallet.creation(), credit(10n ** 29n, 'why "not"', { a: "b" }))
}

/** As the server answers it. */
const stored = (recorded: RecordedEvent) => {
  const commit = { ...sample(), events: [recorded] }
  const [record] = recordsOf(names, [commit]) as [ReturnType<typeof recordsOf>[number]]
  const metadata: Record<string, string> = { ...record.metadata, "$schema.name": record.type }
  return {
    streamId: record.stream,
    id: record.id,
    type: record.type,
    revision: BigInt(recorded.version),
    data: JSON.parse(record.data) as unknown,
    metadata,
    position: { commit: 1n }
  }
}

describe("a record on KurrentDB", () => {
  it("is read as the event that was written", () => {
    for (const recorded of sample().events) {
      assert.deepStrictEqual(recordedOf(names, stored(recorded)), Result.succeed(recorded))
    }
  })

  it("has flat metadata of strings that a reader without us can use", () => {
    const [first] = sample().events as [RecordedEvent, RecordedEvent]
    const { metadata, streamId } = stored(first)
    assert.strictEqual(streamId, "wallet-Anna_1-x")
    assert.deepInclude(metadata, { walletId: "Anna_1-x", time: String(first.time), epoch: "0" })
    for (const value of Object.values(metadata)) assert.isString(value)
  })

  it("is unreadable, and says where and why, when anything of it is not ours", () => {
    const [first] = sample().events as [RecordedEvent, RecordedEvent]
    const good = stored(first)
    const { time: _, ...timeless } = good.metadata
    for (const [bad, why] of [
      [{ ...good, type: "SomethingElse" }, "unknown type"],
      [{ ...good, data: "{" }, "not an object"],
      [{ ...good, data: new Uint8Array(3) }, ""],
      [{ ...good, data: { ...(good.data as object), more: 1 } }, "more"],
      [{ ...good, metadata: undefined }, "metadata"],
      [{ ...good, metadata: timeless }, "metadata time"],
      [{ ...good, metadata: { ...good.metadata, time: "-1" } }, "metadata time"],
      [{ ...good, metadata: { ...good.metadata, key: "x" } }, "metadata key"]
    ] as const) {
      const result = recordedOf(names, bad)
      assert.isTrue(Result.isFailure(result))
      if (!Result.isFailure(result)) return
      assert.deepInclude({ ...result.failure }, { walletId: "Anna_1-x", version: 0 })
      assert.include(result.failure.reason, why)
    }
  })
})

describe("docs/LOG.md", () => {
  const text = Fs.readFileSync(new URL("../../../docs/LOG.md", import.meta.url), "utf8")

  it("names every type of event and every stream", () => {
    const types = [
      ...eventTypes,
      KurrentNames.installationCreated,
      KurrentNames.partitionClaimed,
      KurrentNames.walletSnapshot
    ]
    assert.deepStrictEqual(
      types.filter((type) => !text.includes(`\`${type}\``)),
      []
    )
    const documented = KurrentNames.make("<prefix>")
    for (const stream of [documented.installation, documented.wallet("<walletId>")])
      assert.include(text, `\`${stream}\``)
    assert.include(text, `\`${documented.snapshots("<walletId>")}\``)
    assert.include(text, `\`${documented.claims(7).replace("7", "<partition>")}\``)
  })
})
