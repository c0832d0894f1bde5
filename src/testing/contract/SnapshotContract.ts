/** Snapshots: all are kept, and the nearest one is found. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { EventStore, type Snapshot } from "../../stores/EventStore.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { uniqueId } from "./SampleWallet.ts"

const saved = Effect.fnUntraced(function* (...places: ReadonlyArray<readonly [version: number, time: number]>) {
  const log = yield* EventStore
  const walletId = uniqueId("wallet")
  const snapshots: Array<Snapshot> = []
  for (const [version, time] of places) {
    const snapshot = { walletId, version, time, data: `{"at":${version},"name":"Žofie 🐎"}` }
    yield* log.saveSnapshot(snapshot)
    snapshots.push(snapshot)
  }
  return { walletId, snapshots }
})

const latest = contractCase(
  "answers the latest snapshot, none for a wallet without",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { snapshots, walletId } = yield* saved([10, 1_000], [30, 3_000], [20, 2_000])
    assert.deepEqual(yield* log.loadSnapshot(walletId), snapshots[1])
    assert.equal(yield* log.loadSnapshot(uniqueId("nobody")), undefined)
  })
)

const byVersion = contractCase(
  "answers the nearest snapshot at or before a version",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { snapshots, walletId } = yield* saved([10, 1_000], [20, 2_000], [30, 3_000])
    assert.equal(yield* log.loadSnapshot(walletId, { version: 9 }), undefined)
    assert.deepEqual(yield* log.loadSnapshot(walletId, { version: 10 }), snapshots[0])
    assert.deepEqual(yield* log.loadSnapshot(walletId, { version: 29 }), snapshots[1])
    assert.deepEqual(yield* log.loadSnapshot(walletId, { version: 1_000 }), snapshots[2])
  })
)

const byTime = contractCase(
  "answers the nearest snapshot at or before a time, the highest version of the same time",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { snapshots, walletId } = yield* saved([10, 1_000], [20, 2_000], [25, 2_000], [30, 3_000])
    assert.equal(yield* log.loadSnapshot(walletId, { time: 999 }), undefined)
    assert.deepEqual(yield* log.loadSnapshot(walletId, { time: 1_000 }), snapshots[0])
    assert.deepEqual(yield* log.loadSnapshot(walletId, { time: 2_000 }), snapshots[2])
    assert.deepEqual(yield* log.loadSnapshot(walletId, { time: 2_999 }), snapshots[2])
    assert.deepEqual(yield* log.loadSnapshot(walletId, { time: 9_999, version: 24 }), snapshots[1])
  })
)

const replaced = contractCase(
  "replaces a snapshot of the same version",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { walletId } = yield* saved([10, 1_000])
    const other = { walletId, version: 10, time: 1_000, data: "{}" }
    yield* log.saveSnapshot(other)
    assert.deepEqual(yield* log.loadSnapshot(walletId), other)
  })
)

export const snapshotContract: ReadonlyArray<ContractCase<EventStore>> = [latest, byVersion, byTime, replaced]
