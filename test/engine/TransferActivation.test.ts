/**
 * Transfers that a crash has left in flight go on when their source comes into memory.
 * The sweeper, which would find them, too, does not run here unless a test says so.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { WalletEventType } from "../../src/domain/Event.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { install, takesSteps, transferModes } from "../support/Installation.ts"
import { assertConserved, fund, pass, send, settled, transferEvents } from "../support/TransferCalls.ts"

const hour = 60 * 60 * 1_000

/** Whether the node has asked for the append of such an event, and how often. */
const appendsOf = (node: Node, type: WalletEventType): number =>
  node.log.appends.filter((commits) => commits.some(({ events }) => events.some(({ event }) => event._tag === type)))
    .length

/** Runs `effect` while time passes. */
const within = <A, E>(seconds: number, effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(effect)
    yield* pass(seconds)
    return yield* Fiber.join(running)
  })

/** The log does not take such an event. */
const stopAt = (node: Node, type: WalletEventType): void => {
  node.log.draw = {
    append: () => (write, commits) =>
      commits.some(({ events }) => events.some(({ event }) => event._tag === type))
        ? Faults.unavailable(write, commits)
        : write,
    read: () => undefined
  }
}

/** a has sent 30 to b in three transfers, none of which has arrived when its node dies. */
const dieInFlight = Effect.fnUntraced(function* (installation: Installation) {
  const node = yield* installation.start()
  yield* within(1, fund(node, ["a", "b"], 100n))
  stopAt(node, "TransferReceived")
  // One after the other: what is on its way to the log together with a receipt would stay with it.
  for (const key of ["1", "2", "3"]) {
    yield* Effect.forkChild(Effect.exit(send(node, "a", "b", 10n, key)))
    yield* pass(1)
  }
  assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 3 })
  node.log.kill()
  node.persistence.kill()
})

for (const [where, mode] of transferModes.filter(([, mode]) => takesSteps(mode))) {
  describe(`transfers in flight ${where}`, () => {
    it.effect("end when a read brings their source into memory", () =>
      Effect.gen(function* () {
        const installation = yield* install({ ...mode, bounds: { transferSweepAgeMillis: hour } })
        yield* dieInFlight(installation)
        const node = yield* installation.start()
        yield* pass(5)
        assert.deepStrictEqual(transferEvents(installation, "b"), {}, "nobody has touched the source")
        assert.strictEqual((yield* within(1, node.engine.getWallet({ walletId: "a" }))).balance, 70n)
        yield* pass(1)
        yield* settled(installation, node, ["a"])
        assert.deepStrictEqual(transferEvents(installation, "b"), { TransferReceived: 3 })
        assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 3, TransferSettled: 3 })
        assert.strictEqual(assertConserved(installation), 0n)
        assert.deepStrictEqual(node.logged, [])
      })
    )

    it.effect("are carried once, whoever asks for them besides", () =>
      Effect.gen(function* () {
        const installation = yield* install({ ...mode, bounds: { transferSweepAgeMillis: hour } })
        yield* dieInFlight(installation)
        // From the start on the sweeper finds them, and the callers send again; the first append to b waits.
        const node = yield* installation.start({ transferSweepAgeMillis: 0 })
        const release = yield* Deferred.make<void>()
        node.log.draw = {
          append: () => (write, commits) =>
            commits.some(({ walletId }) => walletId === "b") ? Effect.andThen(Deferred.await(release), write) : write,
          read: () => undefined
        }
        const retries = yield* Effect.forEach(["1", "2", "3"], (key) =>
          Effect.forkChild(send(node, "a", "b", 10n, key))
        )
        yield* pass(4)
        yield* Deferred.succeed(release, undefined)
        yield* pass(2)
        for (const retry of retries) {
          const { replayed, transfer } = yield* Fiber.join(retry)
          assert.strictEqual(transfer.status, "completed")
          assert.isTrue(replayed)
        }
        yield* settled(installation, node, ["a"])
        // All three were in line at b together: each was asked for once.
        const received = node.log.appends.flat().filter(({ walletId }) => walletId === "b")
        assert.strictEqual(received.flatMap(({ events }) => events).length, 3)
        assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 3, TransferSettled: 3 })
      })
    )

    it.effect("are tried for a while when their destination cannot be written yet", () =>
      Effect.gen(function* () {
        const installation = yield* install({ ...mode, bounds: { transferSweepAgeMillis: hour } })
        yield* dieInFlight(installation)
        // One try of a step is over after this; so the steps themselves are tried again.
        const node = yield* installation.start({ appendRetryMillis: 100 })
        stopAt(node, "TransferReceived")
        yield* within(1, node.engine.getWallet({ walletId: "a" }))
        yield* pass(2)
        assert.deepStrictEqual(transferEvents(installation, "b"), {})
        node.log.draw = undefined
        yield* pass(3)
        yield* settled(installation, node, ["a"])
        assert.strictEqual(assertConserved(installation), 0n)
      })
    )
  })
}

describe("transfers in flight over two stores", () => {
  it.effect("whose sending is not persisted wait until it is", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true, bounds: { transferSweepAgeMillis: 20_000 } })
      const first = yield* installation.start()
      yield* within(1, fund(first, ["a", "b"], 100n))
      first.persistence.writesAway = true
      yield* Effect.forkChild(Effect.exit(send(first, "a", "b", 10n, "1")))
      yield* pass(1)
      assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 1 })
      first.log.kill()
      first.persistence.kill()
      const second = yield* installation.start()
      second.persistence.writesAway = true
      yield* within(1, second.engine.getWallet({ walletId: "a" }))
      yield* pass(5)
      assert.strictEqual(appendsOf(second, "TransferReceived"), 0)
      second.persistence.writesAway = false
      yield* pass(25)
      assert.deepStrictEqual(transferEvents(installation, "b"), { TransferReceived: 1 })
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )
})
