/**
 * Whose events a transactional view has, and how it is emptied. For a store of the
 * cases' own: they erase everything in it.
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { Persistence } from "../../stores/Persistence.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { rowsOf, viewOf, written } from "./Observations.ts"
import { credit, placeHold, SampleWallet, send, uniqueId } from "./SampleWallet.ts"

const belongsToOneLog = contractCase(
  "belongs to the log that it was told first, and to no other until it is erased",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    yield* persistence.erase("all")
    assert.equal(yield* persistence.logId, undefined)
    yield* persistence.adoptLog("one log")
    yield* persistence.adoptLog("one log")
    assert.equal(yield* persistence.logId, "one log")
    assert.equal((yield* Effect.flip(persistence.adoptLog("another log")))._tag, "StoreDefect")
    assert.equal(yield* persistence.logId, "one log")
    yield* persistence.erase("all")
    assert.equal(yield* persistence.logId, undefined)
    yield* persistence.adoptLog("another log")
    assert.equal(yield* persistence.logId, "another log")
  })
)

const erasesAll = contractCase(
  "erases everything, and takes it again from the beginning",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const [kept, refused] = [new SampleWallet(), new SampleWallet()] as const
    const commit = kept.commit(
      kept.creation(),
      credit(10n),
      placeHold(uniqueId("hold"), 1n, kept.time + 1),
      send(uniqueId("t"), "elsewhere", 1n)
    )
    const creation = refused.create()
    const fill = Effect.gen(function* () {
      assert.deepEqual(yield* persistence.write([commit], { owner: "node", position: 4n }), [written])
      assert.deepEqual(yield* persistence.refuse(creation, { reason: "no", time: refused.time }), written)
    })
    yield* fill
    const rows = yield* rowsOf(kept.id)
    yield* persistence.erase("all")
    assert.deepEqual(yield* persistence.checkpoints, [])
    assert.deepEqual(yield* persistence.scanWallets({ after: "", limit: 9 }), [])
    assert.deepEqual(yield* persistence.openRefusals({ after: { walletId: "", version: -1 }, limit: 9 }), [])
    assert.deepEqual((yield* persistence.transfers({ limit: 9 })).data, [])
    assert.deepEqual(yield* persistence.dueHolds({ now: 2 ** 42, limit: 9 }), [])
    assert.equal((yield* persistence.persistedVersions([kept.id, refused.id])).size, 0)
    yield* fill
    assert.deepEqual(yield* rowsOf(kept.id), rows)
    assert.deepEqual(yield* persistence.checkpoints, [{ owner: "node", position: 4n }])
    assert.deepEqual(yield* persistence.wallet(kept.id), viewOf(kept.wallet!))
  })
)

export const persistedLogContract: ReadonlyArray<ContractCase<Persistence>> = [belongsToOneLog, erasesAll]
