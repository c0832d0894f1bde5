/** Captures whose money goes to another wallet, where nodes die between their steps, and where the wallet says no. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { Commit } from "../../src/domain/Commit.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { assertConsistent, assertVerified, install, installNode, type Node, until } from "../support/Installation.ts"
import { assertConserved, fund, pass } from "../support/TransferCalls.ts"

type Step = "HoldCapturedTo" | "TransferReceived" | "TransferSettled" | "TransferRefused" | "TransferReversed"

const accepted: ReadonlyArray<Step> = ["HoldCapturedTo", "TransferReceived", "TransferSettled"]
const refused: ReadonlyArray<Step> = ["HoldCapturedTo", "TransferRefused", "TransferReversed"]

const has = (commits: ReadonlyArray<Commit>, step: Step): boolean =>
  commits.some(({ events }) => events.some(({ event }) => event._tag === step))

/** Holds 50 of a's 100; b takes no money when the course is `refused`. */
const begin = Effect.fnUntraced(function* (node: Node, steps: ReadonlyArray<Step>, expiresAt: number | null = null) {
  yield* fund(node, ["a", "b"], 100n)
  const placed = yield* node.engine.placeHold({ walletId: "a", amount: 50n, expiresAt, idempotencyKey: "hold" })
  if (steps === refused) {
    yield* node.engine.freeze({ walletId: "b", direction: "credits", idempotencyKey: "freeze" })
  }
  return placed.hold.id
})

const capture = (node: Node, holdId: string, final: boolean, idempotencyKey = "capture") =>
  node.engine.captureHoldTo({ walletId: "a", holdId, to: "b", amount: 20n, final, idempotencyKey })

const stateOf = Effect.fnUntraced(function* (node: Node, holdId: string) {
  const { captured, remaining, status } = yield* node.engine.hold("a", holdId)
  const { balance, held } = yield* node.engine.getWallet({ walletId: "a" })
  return { balance, captured, held, remaining, status }
})

const before = { balance: 100n, captured: 0n, held: 50n, remaining: 50n, status: "active" }

describe("a capture to a wallet", () => {
  for (const [course, steps] of [
    ["received", accepted],
    ["refused", refused]
  ] as const) {
    for (const final of [false, true]) {
      for (const step of steps) {
        it.effect(`that is ${course}${final ? " and final" : ""} survives the death of its node at ${step}`, () =>
          Effect.gen(function* () {
            const installation = yield* install({ stepwise: true })
            const first = yield* installation.start()
            const holdId = yield* begin(first, steps)
            let isThere = false
            first.log.draw = {
              append: () => (write, commits) =>
                has(commits, step)
                  ? Effect.tap(write, () =>
                      Effect.sync(() => {
                        isThere = true
                        first.log.kill()
                      })
                    )
                  : write,
              read: () => undefined
            }
            yield* Effect.forkChild(Effect.exit(capture(first, holdId, final)))
            yield* until(() => isThere, `${step} is in the log`)
            const second = yield* installation.start()
            yield* pass(10)
            assert.deepStrictEqual(installation.types("a").slice(3), [steps[0]!, steps[2]!])
            assert.strictEqual(installation.types("b").filter((type) => type === steps[1]).length, 1)
            assert.strictEqual(assertConserved(installation), 0n)
            const rest = final ? 0n : 30n
            assert.deepStrictEqual(
              yield* stateOf(second, holdId),
              steps === refused
                ? before
                : {
                    balance: 80n,
                    captured: 20n,
                    held: rest,
                    remaining: rest,
                    status: final ? "captured" : "active"
                  }
            )
            // Whoever asks again is told how it went.
            const again = yield* Effect.exit(capture(second, holdId, final))
            if (steps === refused) {
              assert.strictEqual((yield* Effect.flip(again))._tag, "TransferReversed")
            } else {
              const { hold, replayed, transaction, transfer, wallet } = yield* again
              assert.isTrue(replayed)
              assert.deepInclude(hold, { captured: 20n, remaining: rest })
              assert.strictEqual(transaction.transferId, transfer.id)
              assert.deepInclude(wallet, { balance: 80n, held: rest })
            }
            yield* assertConsistent(installation, second, "a")
            yield* assertVerified(installation)
          })
        )
      }
    }
  }

  it.effect("keeps its hold from expiring while nothing is decided, and not longer", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      const holdId = yield* begin(node, refused, 10_000)
      node.log.draw = {
        append: () => (write, commits) =>
          has(commits, "TransferRefused") ? Faults.unavailable(write, commits) : write,
        read: () => undefined
      }
      yield* Effect.forkChild(Effect.exit(capture(node, holdId, true)))
      yield* until(() => installation.types("a").includes("HoldCapturedTo"), "it is under way")
      const under = { balance: 80n, captured: 20n, held: 30n, remaining: 0n, status: "captured" }
      yield* TestClock.setTime(60_000)
      yield* pass(4)
      assert.deepStrictEqual(yield* stateOf(node, holdId), under)
      node.log.draw = undefined
      yield* pass(60)
      assert.deepStrictEqual(installation.types("a").slice(3), ["HoldCapturedTo", "TransferReversed", "HoldExpired"])
      const expired = { balance: 100n, captured: 0n, held: 0n, remaining: 0n, status: "expired" }
      assert.deepStrictEqual(yield* stateOf(node, holdId), expired)
      yield* assertVerified(installation)
    })
  )

  it.effect("that was released meanwhile is given back as free money", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      const holdId = yield* begin(node, refused)
      let tries = 0
      node.log.draw = {
        append: () => (write, commits) => {
          if (!has(commits, "TransferRefused")) return write
          tries++
          return Faults.unavailable(write, commits)
        },
        read: () => undefined
      }
      yield* Effect.forkChild(Effect.exit(capture(node, holdId, false)))
      yield* until(() => installation.types("a").includes("HoldCapturedTo"), "it is under way")
      // A refusal that is being tried takes no other commit along.
      yield* until(() => tries > 0, "the refusal is tried")
      const { hold } = yield* node.engine.releaseHold({ walletId: "a", holdId, idempotencyKey: "release" })
      assert.deepInclude(hold, { captured: 20n, remaining: 0n, status: "captured" })
      node.log.draw = undefined
      yield* pass(10)
      const released = { balance: 100n, captured: 0n, held: 0n, remaining: 0n, status: "released" }
      assert.deepStrictEqual(yield* stateOf(node, holdId), released)
      yield* assertVerified(installation)
    })
  )

  it.effect("that comes back while a final one is under way is a part of what that one releases, or holds again", () =>
    Effect.gen(function* () {
      for (const isFinalRefused of [false, true]) {
        const { installation, node } = yield* installNode({ stepwise: true })
        yield* fund(node, ["a", "b", "c"], 100n)
        const { hold } = yield* node.engine.placeHold({ walletId: "a", amount: 50n, idempotencyKey: "hold" })
        yield* node.engine.freeze({ walletId: "b", direction: "credits", idempotencyKey: "freeze" })
        if (isFinalRefused) yield* node.engine.freeze({ walletId: "c", direction: "credits", idempotencyKey: "freeze" })
        let stopped: ReadonlySet<string> = new Set(["b", "c"])
        node.log.draw = {
          append: () => (write, commits) =>
            commits.some(({ walletId }) => stopped.has(walletId)) ? Faults.unavailable(write, commits) : write,
          read: () => undefined
        }
        const to = (walletId: string, amount: bigint, final: boolean) =>
          Effect.forkChild(
            Effect.exit(
              node.engine.captureHoldTo({
                walletId: "a",
                holdId: hold.id,
                to: walletId,
                amount,
                final,
                idempotencyKey: `capture-${walletId}`
              })
            )
          )
        yield* to("b", 10n, false)
        yield* until(() => installation.types("a").includes("HoldCapturedTo"), "the first is under way")
        yield* to("c", 20n, true)
        yield* until(
          () => installation.types("a").filter((type) => type === "HoldCapturedTo").length === 2,
          "the final one is under way"
        )
        stopped = new Set(["c"])
        yield* until(() => installation.types("a").includes("TransferReversed"), "the first is back").pipe(
          Effect.race(pass(30))
        )
        assert.deepInclude(yield* stateOf(node, hold.id), { balance: 80n, captured: 20n, held: 30n, remaining: 0n })
        stopped = new Set()
        yield* pass(30)
        assert.deepStrictEqual(
          yield* stateOf(node, hold.id),
          isFinalRefused ? before : { balance: 80n, captured: 20n, held: 0n, remaining: 0n, status: "captured" }
        )
        yield* assertVerified(installation)
      }
    })
  )
})
