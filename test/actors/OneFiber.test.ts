/** Each wallet's mailbox has one reader, however often fibers give way to others. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import { afterEach, vi } from "vitest"
import { Mailbox } from "../../src/actors/Mailbox.ts"
import { create, credit } from "../support/EngineCalls.ts"
import { assertConsistent, installNode, quiet } from "../support/Installation.ts"

describe("a wallet's fiber", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  // 2,048 is effect's own.
  for (const steps of [3, 5, 50, 2_048]) {
    it.effect(`is the only one that waits, giving way after ${steps} steps`, () =>
      Effect.gen(function* () {
        const { park } = Mailbox.prototype
        let waits = 0
        vi.spyOn(Mailbox.prototype, "park").mockImplementation(function (this: Mailbox) {
          waits++
          assert.isFalse(this.isParked, "another one waits already")
          return park.call(this)
        })
        const { installation, node } = yield* installNode()
        yield* create(node, "a")
        for (let round = 0; round < 5; round++) {
          const keys = [1, 2, 3, 4].map((n) => `${round}-${n}`)
          yield* Effect.forEach(keys, (key) => credit(node, "a", 1n, key), { concurrency: "unbounded" })
          yield* quiet(node)
        }
        yield* assertConsistent(installation, node, "a")
        assert.isAtLeast(waits, 5)
      }).pipe(Effect.scoped, Effect.provideService(Scheduler.MaxOpsBeforeYield, steps))
    )
  }
})
