/** Whether all stores of an installation tell the same. */
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { verify } from "../../src/engine/verify/Verify.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/memory/MemoryReadModel.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { ReadModel } from "../../src/stores/ReadModel.ts"
import type { Installation } from "./Installation.ts"

/** By `wallet verify`, with nothing on its way. */
export const assertVerified = Effect.fnUntraced(function* (installation: Installation) {
  const { state } = installation
  const report = yield* verify({ lagMillis: 0 }).pipe(
    Effect.provideService(EventStore, installation.log),
    Effect.provideService(Persistence, MemoryPersistence.make(state)),
    Effect.provideService(ReadModel, MemoryReadModel.make(state))
  )
  assert.strictEqual(report.differenceCount, 0, JSON.stringify(report.differences))
})
