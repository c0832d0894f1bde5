/** Clocks that are wrong: times change by them, and never an effect. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { machineClock } from "../support/clocks.ts"
import { credit } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { assertConsistent, assertVerified, install, installNode, until } from "../support/Installation.ts"
import { fund, inFlight, pass, send } from "../support/TransferCalls.ts"

const hour = 3_600_000
const start = 1_800_000_000_000

const hold = (node: Node, expiresAt: number, idempotencyKey: string) =>
  Effect.map(
    node.engine.placeHold({ walletId: "a", amount: 10n, expiresAt, idempotencyKey }),
    (answer) => answer.hold.id
  )

const capture = (node: Node, holdId: string, idempotencyKey: string) =>
  node.engine.captureHold({ walletId: "a", holdId, idempotencyKey })

const statusOf = (node: Node, holdId: string) => Effect.map(node.engine.hold("a", holdId), ({ status }) => status)

const clockCheck = (node: Node) =>
  Effect.map(node.engine.health, ({ checks, ready }) => ({ ready, ...checks.find(({ name }) => name === "clock") }))

describe("a node whose clock steps 25 hours ahead", () => {
  const stepped = (
    run: (node: Node, machine: ReturnType<typeof machineClock>) => Effect.Effect<void, unknown>,
    separate: boolean
  ) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const machine = machineClock(yield* Clock.Clock)
      const { installation, node } = yield* installNode({ clock: machine, separate })
      yield* fund(node, ["a", "b"], 100n)
      yield* run(node, machine)
      yield* assertConsistent(installation, node, "a")
      yield* assertVerified(installation)
    })

  for (const [where, separate] of [
    ["in one database", false],
    ["behind a log", true]
  ] as const) {
    it.effect(`lets no hold expire before its time, and lets it be captured, ${where}`, () =>
      stepped(
        (node, machine) =>
          Effect.gen(function* () {
            const kept = yield* hold(node, start + hour, "1")
            const taken = yield* hold(node, start + hour, "2")
            machine.ahead = 25 * hour
            yield* pass(20)
            assert.strictEqual(yield* statusOf(node, kept), "active")
            assert.strictEqual((yield* capture(node, taken, "c")).hold.status, "captured")
            const late = yield* hold(node, start + 30_000, "3")
            assert.deepInclude(yield* clockCheck(node), { ready: true, status: "degraded" })
            // It can be captured no longer, though nothing expires meanwhile.
            yield* pass(15)
            assert.strictEqual((yield* Effect.flip(capture(node, late, "d")))._tag, "HoldClosed")
            assert.strictEqual(yield* statusOf(node, late), "active")
            machine.ahead = 0
            yield* pass(8)
            assert.deepInclude(yield* clockCheck(node), { ready: true, status: "ok", detail: null })
            assert.deepStrictEqual([yield* statusOf(node, late), yield* statusOf(node, kept)], ["expired", "active"])
          }),
        separate
      )
    )
  }

  it.effect("goes on with commands, transfers and keys, and gives them true times", () =>
    stepped(
      (node, machine) =>
        Effect.gen(function* () {
          const first = yield* credit(node, "a", 5n, "K")
          machine.ahead = 25 * hour
          assert.isTrue((yield* credit(node, "a", 5n, "K")).replayed)
          const next = yield* credit(node, "a", 1n, "next")
          assert.isBelow(Math.abs(next.transaction.createdAt - first.transaction.createdAt), 5_000)
          const sent = yield* send(node, "a", "b", 7n, "t")
          assert.strictEqual(sent.transfer.status, "completed")
          machine.ahead = -25 * hour
          assert.isTrue((yield* credit(node, "a", 5n, "K")).replayed)
          assert.isBelow(Math.abs((yield* credit(node, "a", 1n, "back")).transaction.createdAt - start), 5_000)
        }),
      false
    )
  )

  it.effect("does not answer of a future that has not been, nor refuse the present", () =>
    stepped(
      (node, machine) =>
        Effect.gen(function* () {
          machine.ahead = 25 * hour
          const future = yield* Effect.flip(node.engine.walletAt({ walletId: "a", at: start + hour }))
          assert.strictEqual(future._tag, "InvalidRequest")
          machine.ahead = -25 * hour
          assert.strictEqual((yield* node.engine.walletAt({ walletId: "a", at: start })).balance, 100n)
        }),
      false
    )
  )
})

describe("a wallet whose last event a bad clock has dated 25 hours ahead", () => {
  /** Its node is gone, and its clock with it; its store's was as wrong. */
  const datedAhead = Effect.fnUntraced(function* (
    before: (node: Node, installation: Installation) => Effect.Effect<unknown, unknown>
  ) {
    yield* TestClock.setTime(start)
    const installation = yield* install({ stepwise: true })
    const first = yield* installation.start()
    yield* fund(first, ["a", "b"], 100n)
    yield* first.stop
    yield* TestClock.setTime(start + 25 * hour)
    const wrong = yield* installation.start()
    yield* before(wrong, installation)
    wrong.kill()
    yield* TestClock.setTime(start + 60_000)
    return { installation, node: yield* installation.start() }
  })

  it.effect("takes holds, which are captured before their time, not after it, and expire", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* datedAhead((wrong) => credit(wrong, "a", 1n, "ahead"))
      const now = start + 60_000
      const [one, two] = [yield* hold(node, now + 20_000, "1"), yield* hold(node, now + 20_000, "2")]
      assert.strictEqual((yield* capture(node, one, "c")).hold.status, "captured")
      assert.strictEqual((yield* Effect.flip(hold(node, now - 1, "past")))._tag, "InvalidRequest")
      yield* pass(15)
      assert.strictEqual(yield* statusOf(node, two), "active")
      yield* TestClock.setTime(now + 20_000)
      assert.strictEqual((yield* Effect.flip(capture(node, two, "late")))._tag, "HoldClosed")
      yield* pass(2)
      assert.strictEqual(yield* statusOf(node, two), "expired")
      yield* assertConsistent(installation, node, "a")
      yield* assertVerified(installation)
    })
  )

  it.effect("is told as it is to whoever asks for now, and as it was to whoever asks for then", () =>
    Effect.gen(function* () {
      const { node } = yield* datedAhead((wrong) => credit(wrong, "a", 1n, "ahead"))
      yield* credit(node, "a", 2n, "now")
      const at = (time: number) =>
        Effect.map(node.engine.walletAt({ walletId: "a", at: time }), ({ balance }) => balance)
      assert.strictEqual(yield* at(start + 60_000), 103n)
      assert.strictEqual(yield* at(start + 58_000), 103n, "asked a moment ago")
      assert.strictEqual(yield* at(start + 50_000), 100n)
      assert.strictEqual(yield* at(start), 100n)
      assert.strictEqual((yield* node.engine.walletAt({ walletId: "b", at: start + 60_000 })).balance, 100n)
    })
  )

  it.effect("has its transfers carried on after a crash, as all others", () =>
    Effect.gen(function* () {
      const never = yield* Deferred.make<void>()
      const { installation, node } = yield* datedAhead((wrong, { events }) =>
        Effect.gen(function* () {
          wrong.log.draw = {
            append: () => (write, commits) =>
              commits.some(({ events }) => events.some(({ event }) => event._tag === "TransferReceived"))
                ? Faults.heldUntil(never)(write, commits)
                : write,
            read: () => undefined
          }
          yield* Effect.forkChild(Effect.ignore(send(wrong, "a", "b", 7n, "t")))
          yield* until(() => events("a").at(-1)?.event._tag === "TransferSent", "it is sent")
        })
      )
      assert.strictEqual(inFlight(installation, "a"), 1)
      yield* pass(5)
      assert.strictEqual(inFlight(installation, "a"), 0)
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "b" })).balance, 107n)
    })
  )
})

describe("a clock that is set back, rightly", () => {
  it.effect("does not make anybody wait for as long", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const machine = machineClock(yield* Clock.Clock)
      const { installation, node } = yield* installNode({ clock: machine })
      yield* fund(node, ["a", "b"], 100n)
      const never = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(never))
      const waiting = yield* Effect.forkChild(Effect.flip(credit(node, "a", 1n, "k")))
      yield* TestClock.adjust("1 second")
      machine.ahead = -hour
      const { now } = installation.state
      Object.assign(installation.state, { now: () => now() - hour })
      yield* pass(6)
      assert.deepInclude(yield* clockCheck(node), { status: "ok" })
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "OutcomeUnknown")
      yield* Deferred.succeed(never, undefined)
      yield* pass(1)
    })
  )
})
