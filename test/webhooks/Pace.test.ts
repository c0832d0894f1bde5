import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { WalletRegistry } from "../../src/actors/WalletRegistry.ts"
import { makePace } from "../../src/webhooks/Pace.ts"

/** Of a node with so many wallets that have commands in hand. */
const paced = (busyWallets: () => number) =>
  makePace({ restFactor: 10, checkpointRestMillis: 200 }, () => 0.5).pipe(
    // Of the registry it asks for nothing else.
    Effect.provideService(WalletRegistry, {
      load: () => ({ residentWallets: 0, busyWallets: busyWallets(), waitingCommands: 0, waitingBytes: 0 })
    } as WalletRegistry["Service"])
  )

/** How many of these have gone by. */
const begun = Effect.fnUntraced(function* (turn: Effect.Effect<void>, count: number) {
  let past = 0
  yield* Effect.forkChild(
    Effect.all(
      Array.from({ length: count }, () =>
        Effect.andThen(
          turn,
          Effect.sync(() => past++)
        )
      ),
      { concurrency: "unbounded", discard: true }
    )
  )
  return () => past
})

describe("the pace of deliveries", () => {
  it.effect("is as they come while no wallet has commands in hand", () =>
    Effect.gen(function* () {
      const { checkpoint, delivery } = yield* paced(() => 0)
      const [deliveries, checkpoints] = [yield* begun(delivery, 100), yield* begun(checkpoint, 20)]
      yield* TestClock.adjust(0)
      assert.deepStrictEqual([deliveries(), checkpoints()], [100, 20])
    })
  )

  it.effect("leaves the thread and the store to commands while there are some, one delivery after the other", () =>
    Effect.gen(function* () {
      let busyWallets = 3
      const { checkpoint, delivery } = yield* paced(() => busyWallets)
      // Each rests ten times as long as it keeps the thread.
      const [deliveries, checkpoints] = [yield* begun(delivery, 100), yield* begun(checkpoint, 20)]
      yield* TestClock.adjust(4)
      assert.deepStrictEqual([deliveries(), checkpoints()], [0, 0])
      yield* TestClock.adjust(196)
      assert.deepStrictEqual([deliveries(), checkpoints()], [40, 1])
      yield* TestClock.adjust(800)
      assert.deepStrictEqual([deliveries(), checkpoints()], [100, 5])
      busyWallets = 0
      const next = yield* begun(delivery, 100)
      yield* TestClock.adjust(0)
      assert.strictEqual(next(), 100)
    })
  )
})
