/** What is asked of the engine about one wallet, where a store does not answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"

/** A log that answers no page of a comparison while it is told so. */
const stuckLog = (isStuck: () => boolean) =>
  Layer.effect(
    EventStore,
    Effect.map(EventStore, (log) => {
      const waiting = <A, E>(page: Effect.Effect<A, E>) => Effect.suspend(() => (isStuck() ? Effect.never : page))
      const { scan } = log
      assert.isDefined(scan)
      return EventStore.of({ ...log, scan: (request) => waiting(scan!(request)) })
    })
  ).pipe(Layer.provideMerge(MemoryStores.layer()))

describe("the comparison of a wallet", () => {
  it.effect("is given up after 50 seconds, is one at a time until then, and then there is a turn again", () => {
    let stuck = true
    return Effect.gen(function* () {
      const { createWallet, inspection } = yield* WalletEngine
      const { verifyWallet } = inspection!
      yield* createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "c" })
      const asked = yield* Effect.forkChild(Effect.flip(verifyWallet("a")))
      yield* TestClock.adjust("49 seconds")
      assert.isUndefined(asked.pollUnsafe())
      assert.strictEqual((yield* Effect.flip(verifyWallet("a")))._tag, "RateLimited")
      yield* TestClock.adjust("1 second")
      const given = yield* Fiber.join(asked)
      assert.strictEqual(given._tag, "QueryTooWide")
      assert.include(given.message, "wallet verify --wallet a")
      stuck = false
      assert.deepInclude(yield* verifyWallet("a"), { differenceCount: 0, repaired: 0 })
    }).pipe(
      Effect.provide(
        Layer.provide(
          WalletEngine.layer({ bounds: defaultBounds, partitions: 4 }),
          stuckLog(() => stuck)
        )
      )
    )
  })
})
