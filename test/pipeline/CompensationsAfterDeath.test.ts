/** A process that dies while a refused event is on its way to its reversal: the next one finishes it, or stops the wallet by name. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { debit } from "../support/EngineCalls.ts"
import * as LogFaults from "../support/FaultyEventStore.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { until } from "../support/Installation.ts"
import { assertSettled, blockedOf, funded, gift, noGifts, reasonOf } from "../support/Refused.ts"
import { pass, within } from "../support/Separate.ts"

/** Where the process dies, by what it is waiting for then. */
const deaths: ReadonlyArray<{
  readonly name: string
  readonly die: (installation: Installation, node: Node) => Effect.Effect<void>
}> = [
  {
    name: "before the event is given to Persistence",
    die: (installation, node) =>
      Effect.gen(function* () {
        node.log.raiseFaults.push(Effect.never)
        yield* gone(node)
        yield* until(() => installation.types("a").length === 3, "the gift is in the log")
      })
  },
  {
    name: "when the refusal is written and not answered",
    die: (installation, node) =>
      Effect.gen(function* () {
        node.persistence.refuseFaults.push(Faults.answerHeldUntil(Deferred.makeUnsafe<void>()))
        yield* gone(node)
        yield* until(() => installation.state.refusals.get("a")?.length === 1, "it is refused")
      })
  },
  {
    name: "before the reversal is appended",
    die: (installation, node) =>
      Effect.gen(function* () {
        node.log.appendFaults.push((write) => write, LogFaults.heldUntil(Deferred.makeUnsafe<void>()))
        yield* gone(node)
        yield* until(() => installation.state.refusals.get("a")?.length === 1, "it is refused")
        assert.isFalse(installation.types("a").includes("OperationReversed"))
      })
  },
  {
    name: "when the reversal is appended and not answered",
    die: (installation, node) =>
      Effect.gen(function* () {
        node.log.appendFaults.push((write) => write, LogFaults.answerHeldUntil(Deferred.makeUnsafe<void>()))
        yield* gone(node)
        yield* until(() => installation.types("a").includes("OperationReversed"), "it is reversed")
      })
  },
  {
    name: "before the reversal is persisted",
    die: (installation, node) =>
      Effect.gen(function* () {
        node.persistence.writeFaults.push((write) => write, Faults.silent)
        yield* gone(node)
        yield* until(() => installation.types("a").includes("OperationReversed"), "it is reversed")
      })
  },
  {
    name: "when the reversal is persisted and not answered",
    die: (installation, node) =>
      Effect.gen(function* () {
        node.persistence.writeFaults.push((write) => write, Faults.answerHeldUntil(Deferred.makeUnsafe<void>()))
        yield* gone(node)
        yield* until(() => installation.state.refusals.get("a")?.[0]?.reversedVersion === 3, "all is written")
      })
  }
]

/** A gift on its way until the node is stuck, and nothing moves any more. */
const gone = Effect.fnUntraced(function* (node: Node) {
  yield* Effect.forkChild(Effect.exit(gift(node, "a", 40n, "gift")))
  for (let turn = 0; turn < 500; turn++) yield* Effect.yieldNow
})

describe("a process that dies", () => {
  for (const { die, name } of deaths) {
    it.effect(`${name} leaves a reversal that the next one finishes`, () =>
      Effect.gen(function* () {
        const { installation, node } = yield* funded(noGifts, 10n)
        yield* die(installation, node)
        node.kill()
        const next = yield* installation.start()
        const spending = yield* Effect.forkChild(Effect.flip(debit(next, "a", 50n, "spend")))
        const told = yield* within(10, Effect.flip(gift(next, "a", 40n, "gift")))
        assert.strictEqual(reasonOf(told), "no gifts")
        assert.strictEqual((yield* within(10, Fiber.join(spending)))._tag, "InsufficientFunds")
        yield* pass(5)
        assert.deepStrictEqual(installation.types("a").slice(2), ["WalletCredited", "OperationReversed"])
        yield* assertSettled(installation, next)
      })
    )

    it.effect(`${name} leaves a reversal that the next one finishes without being asked`, () =>
      Effect.gen(function* () {
        const { installation, node } = yield* funded(noGifts, 10n)
        yield* die(installation, node)
        node.kill()
        const next = yield* installation.start()
        yield* pass(8)
        assert.deepStrictEqual(installation.types("a").slice(2), ["WalletCredited", "OperationReversed"])
        yield* assertSettled(installation, next)
      })
    )
  }
})

describe("a process that dies when an event may have been persisted", () => {
  it.effect("leaves a wallet that is stopped by name, and goes on when the rule lets it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(noGifts, 10n)
      node.persistence.refuseFaults.push(Faults.silent)
      yield* gone(node)
      assert.isUndefined(installation.state.refusals.get("a"))
      node.kill()
      const next = yield* installation.start()
      const told = yield* within(12, gift(next, "a", 40n, "gift"))
      assert.isFalse(told.durability.persisted)
      assert.match(
        blockedOf(next),
        /event 2 \(WalletCredited\) of wallet a, which may have been persisted before.*: no gifts/
      )
      assert.match(
        (yield* next.engine.health).checks[2]?.detail ?? "",
        /writing of 1 wallets has stopped \(a: .*no gifts/
      )
      yield* pass(60)
      assert.isFalse(installation.types("a").includes("OperationReversed"))
      assert.strictEqual(next.logged.filter((line) => line.includes("writing of wallet a has stopped")).length, 1)
      installation.state.rule = undefined
      yield* pass(10)
      assert.isTrue((yield* gift(next, "a", 40n, "gift")).durability.persisted)
      yield* assertSettled(installation, next)
    })
  )
})
