/** A hold that its wallet does not know as open: closed, never there, or placed by a successor. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { create, credit } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import { installNode, type Node } from "../support/Installation.ts"
import { creditCommitted } from "../support/Separate.ts"

const placeHold = (node: Node, idempotencyKey: string) =>
  Effect.map(node.engine.placeHold({ walletId: "a", amount: 5n, idempotencyKey }), ({ hold }) => hold.id)

const capture = (node: Node, holdId: string, idempotencyKey: string) =>
  node.engine.captureHold({ walletId: "a", holdId, idempotencyKey, await: "committed" })

describe("a hold", () => {
  for (const separate of [false, true]) {
    const stores = separate ? "two stores" : "one database"

    it.effect(`of a successor's is not told to be closed by the owner that it replaced (${stores})`, () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
        yield* create(node, "a")
        yield* credit(node, "a", 10n, "fund")
        const next = yield* installation.start()
        const holdId = yield* placeHold(next, "hold")
        const told = yield* Effect.flip(capture(node, holdId, "capture"))
        assert.strictEqual(told._tag, "StoreUnavailable")
        const captured = yield* capture(next, holdId, "capture")
        assert.deepStrictEqual([captured.hold.status, captured.replayed], ["captured", false])
      })
    )
  }

  it.effect("is closed as soon as the log says so, also while Persistence has it as open", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "fund")
      const holdId = yield* placeHold(node, "hold")
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      yield* creditCommitted(node, "a", 1n, "more")
      yield* capture(node, holdId, "first")
      assert.strictEqual(installation.state.holds.get("a")?.get(holdId)?.hold.status, "active")
      assert.strictEqual((yield* Effect.flip(capture(node, holdId, "second")))._tag, "HoldClosed")
      yield* Deferred.succeed(open, undefined)
    })
  )
})
