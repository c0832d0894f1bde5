/** Reads of the past come from the log, and never tell of what the wallet's owner does not know yet. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { create, credit } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { installNode, until } from "../support/Installation.ts"

describe("a read of the past", () => {
  it.effect("of an event whose append has not been answered waits for its owner, and a later read is not older", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const answer = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.answerHeldUntil(answer))
      const crediting = yield* Effect.forkChild(credit(node, "a", 5n, "k"))
      yield* until(() => installation.types("a").length === 2, "the credit is in the log")
      const past = yield* Effect.forkChild(node.engine.walletAt({ walletId: "a", atVersion: 1 }))
      for (let turn = 0; turn < 500; turn++) yield* Effect.yieldNow
      assert.isUndefined(past.pollUnsafe())
      assert.strictEqual((yield* node.engine.walletAt({ walletId: "a", atVersion: 0 })).balance, 0n)
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).version, 0)
      yield* Deferred.succeed(answer, undefined)
      assert.strictEqual((yield* Fiber.join(past)).balance, 5n)
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).version, 1)
      yield* Fiber.join(crediting)
    })
  )

  it.effect("asks no owner where none has the wallet in memory", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* credit(node, "a", 5n, "k")
      yield* node.stop
      const next = yield* installation.start()
      assert.strictEqual((yield* next.engine.walletAt({ walletId: "a", atVersion: 1 })).balance, 5n)
      assert.isUndefined(next.registry.inspect("a"))
    })
  )
})
