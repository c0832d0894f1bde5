/** Transfers where PostgreSQL stands behind the log: no step builds on one that may still be undone. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Commit } from "../../src/domain/Commit.ts"
import type { WalletEventType } from "../../src/domain/Event.ts"
import type { Node } from "../support/Installation.ts"
import { install, installNode } from "../support/Installation.ts"
import { assertConserved, fund, pass, send, transferEvents } from "../support/TransferCalls.ts"

/** Of an amount of 13 such an event's rows are refused. */
const refusing =
  (type: WalletEventType) =>
  ({ events }: Commit) =>
    events.some(({ event }) => event._tag === type && "amount" in event && event.amount === 13n) ? "unlucky" : undefined

/** Runs `effect` while time passes. */
const within = <A, E>(seconds: number, effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(effect)
    yield* pass(seconds)
    return yield* Fiber.join(running)
  })

const balances = (node: Node) =>
  Effect.forEach(["a", "b"], (walletId) => Effect.map(node.engine.getWallet({ walletId }), ({ balance }) => balance))

describe("a transfer over two stores", () => {
  it.effect("ends, and Persistence has all of it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* within(1, fund(node, ["a", "b"], 100n))
      const { durability, transfer } = yield* within(1, send(node, "a", "b", 30n, "t"))
      assert.deepStrictEqual(durability, { committed: true, persisted: true, indexed: true })
      assert.deepStrictEqual(yield* node.engine.getTransfer(transfer.id), transfer)
      yield* pass(2)
      assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 1, TransferSettled: 1 })
      assert.deepStrictEqual(yield* balances(node), [70n, 130n])
    })
  )

  it.effect("is not received before its sending is persisted; then it ends by itself", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* within(1, fund(node, ["a", "b"], 100n))
      node.persistence.writesAway = true
      const { durability, transfer } = yield* within(12, send(node, "a", "b", 30n, "t"))
      assert.strictEqual(transfer.status, "pending")
      assert.deepStrictEqual(durability, { committed: true, persisted: false, indexed: false })
      assert.deepStrictEqual(transferEvents(installation, "b"), {})
      assert.deepStrictEqual(yield* node.engine.getTransfer(transfer.id), transfer)
      node.persistence.writesAway = false
      yield* pass(15)
      assert.deepStrictEqual(transferEvents(installation, "b"), { TransferReceived: 1 })
      assert.strictEqual((yield* node.engine.getTransfer(transfer.id)).status, "completed")
      assert.deepStrictEqual(yield* within(1, send(node, "a", "b", 30n, "t")), {
        transfer: yield* node.engine.getTransfer(transfer.id),
        durability: { committed: true, persisted: true, indexed: true },
        replayed: true
      })
    })
  )

  it.effect("whose sending is refused was never one: the money is back, nothing arrives", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, rule: refusing("TransferSent") })
      yield* within(1, fund(node, ["a", "b"], 100n))
      for (let again = 0; again < 2; again++) {
        const error = yield* within(5, Effect.flip(send(node, "a", "b", 13n, "t")))
        assert(error._tag === "OperationReversed", error._tag)
        assert.strictEqual(error.replayed, again > 0)
        assert.include(error.message, "unlucky")
      }
      assert.deepStrictEqual(installation.types("a").slice(2), ["TransferSent", "OperationReversed"])
      assert.deepStrictEqual(transferEvents(installation, "b"), {})
      assert.deepStrictEqual(yield* balances(node), [100n, 100n])
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )

  it.effect("whose receipt is refused is reversed, for ever", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, rule: refusing("TransferReceived") })
      yield* within(1, fund(node, ["a", "b"], 100n))
      for (let again = 0; again < 2; again++) {
        const error = yield* within(5, Effect.flip(send(node, "a", "b", 13n, "t")))
        assert(error._tag === "TransferReversed", error._tag)
        assert.strictEqual(error.replayed, again > 0)
        assert.include(error.message, "unlucky")
      }
      assert.deepStrictEqual(installation.types("a").slice(2), ["TransferSent", "TransferReversed"])
      assert.deepStrictEqual(installation.types("b").slice(2), ["TransferReceived", "OperationReversed"])
      assert.deepStrictEqual(yield* balances(node), [100n, 100n])
      assert.strictEqual(assertConserved(installation), 0n)
      const { data } = yield* node.engine.transfers({ walletId: "b", limit: 5 })
      assert.deepStrictEqual(
        data.map(({ status }) => status),
        ["reversed"]
      )
    })
  )

  it.effect("in flight at a crash ends after the next start, refused or not", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true, rule: refusing("TransferReceived") })
      const first = yield* installation.start()
      yield* within(1, fund(first, ["a", "b"], 100n))
      first.log.draw = {
        append: () => (write, commits) => (commits.some(({ walletId }) => walletId === "b") ? Effect.never : write),
        read: () => undefined
      }
      yield* Effect.forkChild(Effect.exit(send(first, "a", "b", 13n, "13")))
      yield* pass(1)
      yield* Effect.forkChild(Effect.exit(send(first, "a", "b", 30n, "30")))
      yield* pass(1)
      assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 2 })
      first.log.kill()
      const second = yield* installation.start()
      yield* pass(8)
      assert.deepStrictEqual(transferEvents(installation, "a"), {
        TransferSent: 2,
        TransferSettled: 1,
        TransferReversed: 1
      })
      assert.deepStrictEqual(yield* balances(second), [70n, 130n])
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )
})
