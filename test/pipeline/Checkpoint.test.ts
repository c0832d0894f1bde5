/** Where a node's checkpoint is while it has nothing to write. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { create, credit, foreignCredit, writeForeign } from "../support/EngineCalls.ts"
import * as LogFaults from "../support/FaultyEventStore.ts"
import { installNode, until } from "../support/Installation.ts"
import { flushed, pass } from "../support/Separate.ts"

describe("the checkpoint of a node with nothing on its way", () => {
  it.effect(
    "goes with the log, and no further than what a stopped wallet or an append that is not over leaves behind",
    () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate: true })
        yield* create(node, "a")
        yield* create(node, "b")
        yield* flushed(node)
        const recorded = () => installation.state.checkpoints.get(node.owner)!
        const head = () => installation.state.log.at(-1)!.position
        // Another's, as far as this node can tell.
        yield* writeForeign(installation, foreignCredit("b", 1n), "c:foreign-1")
        yield* pass(2)
        assert.strictEqual(recorded(), head())
        const below = head()
        const open = yield* Deferred.make<void>()
        node.log.appendFaults.push(LogFaults.heldUntil(open))
        const held = yield* Effect.forkChild(credit(node, "a", 5n, "k"))
        yield* until(() => node.log.appendFaults.length === 0, "it is on its way")
        yield* writeForeign(installation, foreignCredit("b", 2n), "c:foreign-2")
        yield* pass(3)
        assert.isAbove(Number(head()), Number(below))
        assert.strictEqual(recorded(), below)
        yield* Deferred.succeed(open, undefined)
        yield* pass(3)
        yield* Fiber.join(held)
        assert.strictEqual(recorded(), head())
        // Removed with all rows, it is not put back.
        installation.state.checkpoints.clear()
        yield* writeForeign(installation, foreignCredit("b", 3n), "c:foreign-3")
        yield* pass(2)
        assert.strictEqual(installation.state.checkpoints.size, 0)
      })
  )
})
