/**
 * Transfers that go step by step while stores fail and nodes die. Whatever happens and wherever: the money
 * is somewhere at every moment, and every transfer ends without a human.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Commit } from "../../src/domain/Commit.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { install, installNode, quiet, until } from "../support/Installation.ts"
import {
  assertConserved,
  flying,
  fund,
  inFlight,
  pass,
  send,
  settled,
  transferEvents
} from "../support/TransferCalls.ts"

type Step = "TransferSent" | "TransferReceived" | "TransferSettled" | "TransferRefused" | "TransferReversed"

const happy: ReadonlyArray<Step> = ["TransferSent", "TransferReceived", "TransferSettled"]
const refused: ReadonlyArray<Step> = ["TransferSent", "TransferRefused", "TransferReversed"]

const has = (commits: ReadonlyArray<Commit>, step: Step): boolean =>
  commits.some(({ events }) => events.some(({ event }) => event._tag === step))

/** `fault` for the first `times` appends that carry the step. */
const faultAt = (node: Node, step: Step, fault: Faults.AppendFault, times = 1): void => {
  let left = times
  node.log.draw = {
    append: () => (write, commits) => (has(commits, step) && left-- > 0 ? fault(write, commits) : write),
    read: () => undefined
  }
}

/** The wallets a and b, 100 each; b is closed before it is asked to receive when the course is `refused`. */
const begin = Effect.fnUntraced(function* (node: Node, steps: ReadonlyArray<Step>) {
  yield* fund(node, ["a", "b"], 100n)
  if (steps === refused) yield* node.engine.debit({ walletId: "b", amount: 100n, idempotencyKey: "empty" })
})

/** A rule that lets b refuse whatever it is to receive. */
const refusingRule = (steps: ReadonlyArray<Step>) =>
  steps === refused
    ? {
        rule: ({ events }: Commit) => (events.some(({ event }) => event._tag === "TransferReceived") ? "no" : undefined)
      }
    : {}

const assertEnded = (installation: Installation, steps: ReadonlyArray<Step>) => {
  assert.deepStrictEqual(transferEvents(installation, "a"), { [steps[0]!]: 1, [steps[2]!]: 1 })
  assert.deepStrictEqual(transferEvents(installation, "b"), { [steps[1]!]: 1 })
  assert.strictEqual(assertConserved(installation), 0n)
}

const courses = [
  ["received", happy],
  ["refused", refused]
] as const

describe("a transfer", () => {
  for (const [course, steps] of courses) {
    for (const step of steps) {
      it.effect(`that is ${course} survives lost answers of the append of ${step}`, () =>
        Effect.gen(function* () {
          const { installation, node } = yield* installNode({ stepwise: true, ...refusingRule(steps) })
          yield* begin(node, steps)
          let lost = 0
          faultAt(
            node,
            step,
            (write, commits) => (lost++ === 1 ? Faults.loseRequest : Faults.loseAnswer)(write, commits),
            3
          )
          const sending = yield* Effect.forkChild(Effect.exit(send(node, "a", "b", 30n, "t")))
          yield* pass(10)
          assert.strictEqual(Exit.isSuccess(yield* Fiber.join(sending)), steps === happy)
          assert.strictEqual(lost, 3)
          assertEnded(installation, steps)
        })
      )

      it.effect(`that is ${course} waits while the log is away before ${step}`, () =>
        Effect.gen(function* () {
          const { installation, node } = yield* installNode({ stepwise: true, ...refusingRule(steps) })
          yield* begin(node, steps)
          faultAt(node, step, Faults.unavailable, Number.POSITIVE_INFINITY)
          const sending = yield* Effect.forkChild(Effect.exit(send(node, "a", "b", 30n, "t")))
          yield* pass(40)
          const exit = yield* Fiber.join(sending)
          assert.isTrue(assertConserved(installation) >= 0n)
          node.log.draw = undefined
          if (step === "TransferSent") {
            assert.isTrue(Exit.isFailure(exit))
            yield* Effect.exit(send(node, "a", "b", 30n, "t"))
          } else {
            assert.isTrue(Exit.isSuccess(exit))
          }
          yield* pass(15)
          assertEnded(installation, steps)
          assert.deepStrictEqual(yield* flying(node, "a"), [])
        })
      )

      for (const [when, fault] of [
        ["before", () => Effect.never],
        ["after", (write: Effect.Effect<unknown>) => Effect.andThen(write, Effect.never)]
      ] as const) {
        it.effect(`that is ${course} ends after a crash right ${when} ${step}`, () =>
          Effect.gen(function* () {
            const installation = yield* install({ stepwise: true, ...refusingRule(steps) })
            const first = yield* installation.start()
            yield* begin(first, steps)
            const reached = yield* Deferred.make<void>()
            faultAt(first, step, (write) =>
              Effect.andThen(Deferred.succeed(reached, undefined), fault(write as Effect.Effect<never>))
            )
            yield* Effect.forkChild(Effect.exit(send(first, "a", "b", 30n, "t")))
            yield* until(() => Deferred.isDoneUnsafe(reached), "the append is on its way")
            if (when === "after") {
              const walletId = step === steps[1] ? "b" : "a"
              yield* until(() => installation.types(walletId).includes(step), "it is in the log")
            }
            first.log.kill()
            const second = yield* installation.start()
            yield* pass(5)
            assert.strictEqual(inFlight(installation, "a"), 0)
            yield* quiet(second)
            // Nothing was sent, or it has ended; a retry tells either.
            const exit = yield* Effect.exit(send(second, "a", "b", 30n, "t"))
            assert.strictEqual(Exit.isSuccess(exit), steps === happy)
            yield* settled(installation, second, ["a"])
            assertEnded(installation, steps)
          })
        )
      }
    }
  }

  it.effect("waits for room at a destination whose mailbox is full", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ stepwise: true, bounds: { mailboxCommands: 1 } })
      yield* begin(node, happy)
      const release = yield* Deferred.make<void>()
      // b works on one credit, and another waits in its mailbox.
      node.log.appendFaults.push(Faults.heldUntil(release))
      const credit = (key: string) => node.engine.credit({ walletId: "b", amount: 1n, idempotencyKey: key })
      const one = yield* Effect.forkChild(credit("1"))
      yield* until(() => node.log.appendFaults.length === 0, "the first is on its way")
      const two = yield* Effect.forkChild(credit("2"))
      yield* until(() => node.registry.load().waitingCommands === 1, "the second waits")
      assert.strictEqual((yield* Effect.flip(credit("3")))._tag, "MailboxFull")
      const sending = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      yield* pass(3)
      assert.strictEqual(inFlight(installation, "a"), 1)
      yield* Deferred.succeed(release, undefined)
      yield* pass(2)
      assert.strictEqual((yield* Fiber.join(sending)).transfer.status, "completed")
      yield* Fiber.join(one)
      yield* Fiber.join(two)
      assertEnded(installation, happy)
    })
  )

  it.effect("that stops at a stop of the node goes on after the next start", () =>
    Effect.gen(function* () {
      const installation = yield* install({ stepwise: true })
      const first = yield* installation.start()
      yield* begin(first, happy)
      faultAt(first, "TransferReceived", Faults.unavailable, Number.POSITIVE_INFINITY)
      const sending = yield* Effect.forkChild(Effect.exit(send(first, "a", "b", 30n, "t")))
      yield* until(() => inFlight(installation, "a") === 1, "it is sent")
      const stopping = yield* Effect.forkChild(first.stop)
      yield* pass(15)
      yield* Fiber.join(stopping)
      yield* Fiber.join(sending)
      const second = yield* installation.start()
      yield* pass(4)
      yield* settled(installation, second, ["a"])
      assertEnded(installation, happy)
    })
  )

  it.effect("is carried once, although the sweeper meets it on its way", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ stepwise: true })
      yield* begin(node, happy)
      const release = yield* Deferred.make<void>()
      faultAt(node, "TransferReceived", Faults.heldUntil(release))
      const sending = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      yield* pass(8)
      const received = node.log.appends.filter((commits) => has(commits, "TransferReceived"))
      assert.strictEqual(received.length, 1)
      yield* Deferred.succeed(release, undefined)
      yield* pass(3)
      assert.strictEqual((yield* Fiber.join(sending)).transfer.status, "completed")
      assertEnded(installation, happy)
      assert.deepStrictEqual(node.logged, [])
    })
  )

  it.effect("that cannot arrive does not keep the others from ending, and is told once", () =>
    Effect.gen(function* () {
      const installation = yield* install({ stepwise: true, bounds: { sweepBatch: 2, sweepConcurrency: 1 } })
      const first = yield* installation.start()
      yield* begin(first, happy)
      yield* fund(first, ["stuck"], 1n)
      faultAt(first, "TransferReceived", Faults.defective, Number.POSITIVE_INFINITY)
      for (const to of ["stuck", "stuck", "stuck", "stuck", "stuck", "stuck", "b", "b", "b", "b"]) {
        const { transfer } = yield* send(first, "a", to, 1n, `${to}-${inFlight(installation, "a")}`)
        assert.strictEqual(transfer.status, "pending")
      }
      first.log.kill()
      const second = yield* installation.start()
      second.log.draw = {
        append: () => (write, commits) =>
          commits.some(({ walletId }) => walletId === "stuck") ? Faults.defective(write, commits) : write,
        read: () => undefined
      }
      yield* pass(10)
      assert.deepStrictEqual(transferEvents(installation, "b"), { TransferReceived: 4 })
      assert.strictEqual(inFlight(installation, "a"), 6)
      assert.strictEqual(second.logged.filter((line) => line.includes("transfers in flight:")).length, 1)
      second.log.draw = undefined
      yield* pass(8)
      assert.strictEqual(inFlight(installation, "a"), 0)
      assert.strictEqual(assertConserved(installation), 0n)
      assert.strictEqual(second.logged.filter((line) => line.includes("transfers in flight: goes on")).length, 1)
    })
  )
})
