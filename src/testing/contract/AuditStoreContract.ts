/** What a store of the audit list must do. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { type AuditEntry, AuditStore } from "../../stores/AuditStore.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages } from "./Observations.ts"
import { uniqueId } from "./SampleWallet.ts"

const entry = (keyId: string, fields: Partial<AuditEntry> = {}): AuditEntry => ({
  time: 1_700_000_000_123,
  count: 1,
  keyId,
  keyName: 'Příklad, "x"',
  action: "key.create",
  outcome: "done",
  target: null,
  detail: null,
  ...fields
})

const keeps = contractCase(
  "keeps entries as they are, newest first by the order of writing, and cuts them into pages",
  Effect.gen(function* () {
    const store = yield* AuditStore
    const keyId = uniqueId("key")
    const entries = [
      entry(keyId, { time: 1_700_000_000_999, target: "alice", detail: "Ř, 🐎\n" }),
      entry(keyId, { outcome: "refused", count: 2_147_483_647, action: "wallets.freeze" }),
      entry(keyId, { time: 5_000 }),
      entry(keyId, { time: 1_600_000_000_000 })
    ]
    yield* store.add([])
    yield* store.add(entries.slice(0, 3))
    yield* store.add(entries.slice(3))
    const pages = yield* allPages((cursor) =>
      Effect.tap(store.list({ limit: 2, cursor, keyId }), () => store.add([entry(uniqueId("other"))]))
    )
    assert.deepEqual(pages, [entries.slice(2).reverse(), entries.slice(0, 2).reverse()])
    assert.equal((yield* Effect.flip(store.list({ limit: 2, cursor: "forged" })))._tag, "InvalidRequest")
  })
)

const filters = contractCase(
  "finds entries by time, key and action",
  Effect.gen(function* () {
    const store = yield* AuditStore
    const keyId = uniqueId("key")
    const entries = [1_000, 2_000, 3_000].map((time) => entry(keyId, { time, action: `at.${"abc"[time / 1_000 - 1]}` }))
    yield* store.add(entries)
    const found = (query: object) =>
      Effect.map(store.list({ limit: 10, keyId, ...query }), ({ data }) => data.map(({ time }) => time))
    assert.deepEqual(yield* found({ from: 2_000 }), [3_000, 2_000])
    assert.deepEqual(yield* found({ to: 2_000 }), [2_000, 1_000])
    assert.deepEqual(yield* found({ from: 2_000, to: 2_000 }), [2_000])
    assert.deepEqual(yield* found({ action: "at.b" }), [2_000])
    assert.deepEqual(yield* found({ keyId: "nobody" }), [])
  })
)

const prunes = contractCase(
  "removes the oldest entries from before a time, so many at once, and no others",
  Effect.gen(function* () {
    const store = yield* AuditStore
    const keyId = uniqueId("key")
    // Older than whatever other cases have written.
    yield* store.add([4, 1, 3, 2].map((time) => entry(keyId, { time })))
    const left = Effect.map(store.list({ limit: 10, keyId }), ({ data }) => data.map(({ time }) => time))
    const removed = yield* store.prune(4, 2)
    assert.ok(removed <= 2)
    let more = removed
    while (more > 0) more = yield* store.prune(4, 2)
    assert.deepEqual(yield* left, [4])
    assert.equal(yield* store.prune(4, 2), 0)
  })
)

export const auditStoreContract: ReadonlyArray<ContractCase<AuditStore>> = [keeps, filters, prunes]
