/** The room of what a reversal may put back is nobody's until Persistence has decided. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { UserRule } from "../../src/stores/memory/MemoryDatabase.ts"
import { create, credit } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import { install, type Node, until } from "../support/Installation.ts"
import { assertEqual, flushed } from "../support/Separate.ts"

/** A wallet and one hold. */
const bounds = { limits: { stateBytes: 1_245 } }

const noRelease: UserRule = ({ events }) =>
  events.some(({ event }) => event._tag === "HoldReleased") ? "no release" : undefined

const place = (node: Node, idempotencyKey: string) =>
  node.engine.placeHold({ walletId: "a", amount: 1n, idempotencyKey })

/** A full wallet whose one hold was released, which is in the log, and nobody knows yet whether it stays there. */
const released = Effect.fnUntraced(function* (rule: UserRule) {
  const installation = yield* install({ separate: true, rule, bounds })
  const node = yield* installation.start()
  yield* create(node, "a")
  yield* credit(node, "a", 9n, "fund")
  const { hold } = yield* place(node, "first")
  assert.strictEqual((yield* Effect.flip(place(node, "too much")))._tag, "InvalidRequest")
  assert.strictEqual((yield* Effect.flip(place(node, "too-much")))._tag, "LimitExceeded")
  const open = yield* Deferred.make<void>()
  node.persistence.writeFaults.push(Faults.heldUntil(open))
  const release = node.engine.releaseHold({ walletId: "a", holdId: hold.id, idempotencyKey: "release" })
  const releasing = yield* Effect.forkChild(Effect.exit(release))
  yield* until(() => installation.types("a").length === 4, "the release is in the log")
  return { installation, node, open, releasing }
})

describe("room that a reversal may need", () => {
  it.effect("is waited for, and there is none once the release was refused", () =>
    Effect.gen(function* () {
      const { installation, node, open, releasing } = yield* released(noRelease)
      const second = yield* Effect.forkChild(Effect.flip(place(node, "second")))
      yield* until(() => node.registry.inspect("a")?.parked === true, "the second hold waits")
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual((yield* Fiber.join(second))._tag, "LimitExceeded")
      yield* Fiber.join(releasing)
      assert.deepStrictEqual(installation.types("a").slice(2), ["HoldPlaced", "HoldReleased", "OperationReversed"])
      yield* flushed(node)
      yield* assertEqual(installation, node, ["a"])
    })
  )

  it.effect("is had once the release has stayed", () =>
    Effect.gen(function* () {
      const { installation, node, open, releasing } = yield* released(() => undefined)
      const second = yield* Effect.forkChild(place(node, "second"))
      yield* until(() => node.registry.inspect("a")?.parked === true, "the second hold waits")
      yield* Deferred.succeed(open, undefined)
      yield* Fiber.join(second)
      yield* Fiber.join(releasing)
      assert.deepStrictEqual(installation.types("a").slice(2), ["HoldPlaced", "HoldReleased", "HoldPlaced"])
      yield* flushed(node)
      yield* assertEqual(installation, node, ["a"])
    })
  )
})
