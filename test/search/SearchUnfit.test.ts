/** Nobody is told that search finds what it does not find, or is left waiting for ever. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { SampleWallet } from "../../src/testing/contract/SampleWallet.ts"
import { assertFollowed, eventually, everything, head, live, setup } from "./SearchSetup.ts"

describe("those who wait for an index", () => {
  live(
    "that is ahead of its log are told nothing, on the node that is to write it and on another, until it is not",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const stores = yield* setup()
          const first = yield* stores.node()
          yield* stores.append(new SampleWallet().create())
          yield* assertFollowed(stores)
          yield* first.kill
          const set = stores.state.current!
          set.checkpoint = head(stores) + 1_000n
          const nodes = [yield* stores.node(), yield* stores.node({ owns: () => false })]
          const sample = new SampleWallet()
          yield* stores.append(sample.create())
          const waiting = yield* Effect.forEach(nodes, ({ progress }) => Effect.forkChild(progress.shows([sample.id])))
          for (const { progress } of nodes) {
            yield* eventually("it is known", () => progress.load().trouble?.includes("ahead of the log") === true)
          }
          assert.deepStrictEqual(
            waiting.map((one) => one.pollUnsafe()),
            [undefined, undefined]
          )
          set.checkpoint = 0n
          yield* Effect.forEach(waiting, Fiber.join)
          assert.lengthOf((yield* stores.search.searchWallets(everything)).data, 2)
        })
      )
  )

  live("are told by a later round when the store has thrown in one", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        const sample = new SampleWallet()
        yield* stores.append(sample.create())
        yield* assertFollowed(stores)
        let thrown = 0
        node.index.every = () =>
          Effect.suspend(() => {
            thrown++
            return Effect.die(new Error("thrown by a test"))
          })
        const waiting = yield* Effect.forkChild(node.progress.shows([sample.id]))
        yield* eventually("it is thrown", () => thrown > 1)
        node.index.every = undefined
        yield* Fiber.join(waiting)
      })
    )
  )
})
