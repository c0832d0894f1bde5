/** A refusal that took place, and whose answer never came. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import type { UserRule } from "../../src/stores/memory/MemoryDatabase.ts"
import { create, credit, debit, foreignCredit, writeForeign } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import { installNode, until } from "../support/Installation.ts"
import { creditCommitted, flushed, within } from "../support/Separate.ts"

/** No credit with this reference. */
const noGifts: UserRule = ({ events }) =>
  events.some(({ event }) => event._tag === "WalletCredited" && event.reference === "gift") ? "no gifts" : undefined

describe("a refusal that asks a log which is away", () => {
  it.effect("is tried again, and says of PostgreSQL nothing", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode({ separate: true, rule: noGifts })
      yield* create(node, "a")
      const away = new StoreUnavailable({ store: "log", reason: "the log sleeps", retryAfter: 1 })
      node.persistence.refuseFaults.push(() => Effect.fail(away))
      const gift = node.engine.credit({ walletId: "a", amount: 40n, reference: "gift", idempotencyKey: "gift" })
      assert.strictEqual((yield* within(10, Effect.flip(gift)))._tag, "OperationReversed")
      assert.lengthOf(node.persistence.refuseFaults, 0)
      assert.deepStrictEqual(
        node.logged.filter((line) => line.includes("sleeps")),
        []
      )
    })
  )
})

describe("a caller whose command was refused", () => {
  it.effect("is told so, also when the wallet is read from the log again before the answer to the refusal", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, rule: noGifts })
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "fund")
      const never = Deferred.makeUnsafe<void>()
      node.persistence.refuseFaults.push(Faults.answerHeldUntil(never))
      const gift = yield* Effect.forkChild(
        Effect.flip(node.engine.credit({ walletId: "a", amount: 40n, reference: "gift", idempotencyKey: "gift" }))
      )
      yield* until(() => installation.state.refusals.get("a")?.length === 1, "it is refused")
      yield* writeForeign(installation, foreignCredit("a", 4n), "c:foreign")
      yield* creditCommitted(node, "a", 1n, "more")
      const told = yield* within(10, Fiber.join(gift))
      assert.strictEqual(told._tag, "OperationReversed")
    })
  )

  it.effect("is told so as soon as it is reversed, and leaves nothing that later commands would wait for", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, rule: noGifts })
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "fund")
      const answered = Deferred.makeUnsafe<void>()
      node.persistence.refuseFaults.push(Faults.answerHeldUntil(answered))
      const gift = yield* Effect.forkChild(
        Effect.flip(node.engine.credit({ walletId: "a", amount: 40n, reference: "gift", idempotencyKey: "gift" }))
      )
      yield* until(() => installation.state.refusals.get("a")?.length === 1, "it is refused")
      // As the reconciler does, which finds it in Persistence.
      node.pipeline.compensate("a", 2, "no gifts")
      assert.strictEqual((yield* Fiber.join(gift))._tag, "OperationReversed")
      yield* Deferred.succeed(answered, undefined)
      yield* within(10, flushed(node))
      const { wallet } = yield* within(10, debit(node, "a", 10n, "spend"))
      assert.strictEqual(wallet.balance, 0n)
    })
  )

  it.effect("is told so, asked again, also when it is refused while the wallet is being read from the log", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, rule: noGifts })
      const giveAway = Effect.flip(
        node.engine.credit({ walletId: "a", amount: 40n, reference: "gift", idempotencyKey: "gift" })
      )
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "fund")
      const [written, looked] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
      node.persistence.writeFaults.push(Faults.heldUntil(written))
      const first = yield* Effect.forkChild(giveAway)
      yield* until(() => installation.state.streams.get("a")?.length === 3, "it is in the log")
      yield* writeForeign(installation, foreignCredit("a", 4n), "c:foreign")
      // The look for open refusals finds none, and answers after the news of this one.
      let looks = 0
      node.persistence.drawRead = () => (++looks === 2 ? Faults.answerHeldUntil(looked) : undefined)
      const more = yield* Effect.forkChild(creditCommitted(node, "a", 1n, "more"))
      yield* until(() => looks === 2, "the wallet is being read again")
      const second = yield* Effect.forkChild(giveAway)
      yield* Deferred.succeed(written, undefined)
      yield* until(() => installation.state.refusals.get("a")?.length === 1, "it is refused")
      yield* flushed(node)
      yield* Deferred.succeed(looked, undefined)
      yield* within(10, Fiber.join(more))
      for (const told of [first, second]) {
        assert.strictEqual((yield* within(10, Fiber.join(told)))._tag, "OperationReversed")
      }
      assert.strictEqual((yield* within(10, debit(node, "a", 15n, "spend"))).wallet.balance, 0n)
    })
  )

  it.effect("is told nothing else, asked again, while the reversal has not begun", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, rule: noGifts })
      const gift = { walletId: "a", amount: 40n, reference: "gift", idempotencyKey: "gift" }
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "fund")
      const [written, told, looked, reversing] = [
        Deferred.makeUnsafe<void>(),
        Deferred.makeUnsafe<void>(),
        Deferred.makeUnsafe<void>(),
        Deferred.makeUnsafe<void>()
      ]
      node.persistence.writeFaults.push(Faults.heldUntil(written))
      node.persistence.refuseFaults.push(Faults.answerHeldUntil(told))
      yield* node.engine.credit({ ...gift, await: "committed" })
      yield* writeForeign(installation, foreignCredit("a", 4n), "c:foreign")
      // The look for open refusals finds none, and answers after the news of this one.
      let looks = 0
      node.persistence.drawRead = () => (++looks === 2 ? Faults.answerHeldUntil(looked) : undefined)
      const more = yield* Effect.forkChild(creditCommitted(node, "a", 1n, "more"))
      yield* until(() => looks === 2, "the wallet is being read again")
      const again = yield* Effect.forkChild(Effect.flip(node.engine.credit(gift)))
      yield* Deferred.succeed(written, undefined)
      yield* until(() => installation.state.refusals.get("a")?.length === 1, "it is refused")
      // The next to read the log is the reversal.
      node.log.readFaults.push((read) => Effect.andThen(Deferred.await(reversing), read))
      yield* Deferred.succeed(told, undefined)
      yield* until(() => node.log.readFaults.length === 0, "the reversal reads the event")
      yield* flushed(node)
      yield* Deferred.succeed(looked, undefined)
      yield* within(10, Fiber.join(more))
      assert.isUndefined(again.pollUnsafe())
      yield* Deferred.succeed(reversing, undefined)
      assert.strictEqual((yield* within(10, Fiber.join(again)))._tag, "OperationReversed")
    })
  )
})
