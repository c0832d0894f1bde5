import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bare } from "../../../src/testing/contract/Observations.ts"
import { credit, SampleWallet } from "../../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import * as MemoryStores from "../../../src/stores/memory/MemoryStores.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { runLogContracts, runPersistenceContracts, runStoreContracts, separateLog } from "../storeContracts.ts"

runStoreContracts("memory", MemoryStores.layer())
runPersistenceContracts("memory", MemoryStores.layer({ separate: true }))
runLogContracts("memory", separateLog)

it.effect("refuses what the user's rule refuses, and writes nothing of the append", () =>
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [good, bad] = [new SampleWallet(), new SampleWallet({ ownerId: "blocked" })]
    const error = yield* Effect.flip(log.append([good.create(), bad.create()]))
    assert.deepStrictEqual([error._tag, error.reason], ["OperationRefused", "this owner is blocked"])
    assert.isUndefined(yield* persistence.wallet(good.id))
    assert.deepStrictEqual((yield* log.head).position, 0n)
    const again = new SampleWallet()
    assert.deepStrictEqual(bare(yield* log.append([again.commit(again.creation(), credit(1n))])), [
      { _tag: "Appended" }
    ])
  }).pipe(
    Effect.provide(
      MemoryStores.layer({
        rule: ({ wallet }) => (wallet.ownerId === "blocked" ? "this owner is blocked" : undefined)
      })
    )
  )
)
