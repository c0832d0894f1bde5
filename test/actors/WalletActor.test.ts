import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { EventUnreadable, StoreUnavailable } from "../../src/stores/StoreError.ts"
import {
  appended,
  composition,
  create,
  credit,
  debit,
  foreignCredit,
  foreignDebit,
  waiting,
  writeForeign
} from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { assertConsistent, quiet, install, installNode, until } from "../support/Installation.ts"

const outcomes = (results: ReadonlyArray<{ readonly _tag: string; readonly failure?: { readonly _tag: string } }>) =>
  results.map((result) => result.failure?._tag ?? "ok")

describe("a conflict", () => {
  it.effect("with a foreign writer makes the wallet load again and decide again", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "k1")
      yield* writeForeign(installation, foreignDebit("a", 4n), "c:foreign")
      const [kept, rejected] = yield* Effect.all(
        [Effect.result(debit(node, "a", 5n, "k2")), Effect.result(debit(node, "a", 5n, "k3"))],
        { concurrency: "unbounded" }
      )
      assert.strictEqual(kept._tag === "Success" ? kept.success.wallet.balance : undefined, 1n)
      assert.strictEqual(rejected._tag === "Failure" ? rejected.failure._tag : undefined, "InsufficientFunds")
      assert.deepStrictEqual(installation.types("a"), [
        "WalletCreated",
        "WalletCredited",
        "WalletDebited",
        "WalletDebited"
      ])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("with a writer that used the same key is that key's answer", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* writeForeign(installation, foreignCredit("a", 4n), "c:k")
      const answer = yield* credit(node, "a", 4n, "k")
      assert.deepStrictEqual([answer.replayed, answer.wallet.balance], [true, 4n])
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited"])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("that never ends is given up after a bounded number of tries; others of the append do not notice", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { conflictRetries: 3 } })
      yield* create(node, "a")
      yield* create(node, "b")
      let writes = 0
      const contend: Faults.AppendFault = (write) =>
        Effect.andThen(writeForeign(installation, foreignCredit("a", 1n), `c:foreign${++writes}`), write)
      for (let n = 0; n < 10; n++) node.log.appendFaults.push(contend)
      const results = yield* Effect.all(
        [Effect.result(credit(node, "a", 100n, "k")), Effect.result(credit(node, "b", 7n, "k"))],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(outcomes(results), ["StoreUnavailable", "ok"])
      assert.deepStrictEqual(composition(node, 2), [["a", "b"], ["a"], ["a"], ["a"]])
      assert.deepStrictEqual(installation.types("b"), ["WalletCreated", "WalletCredited"])
      node.log.appendFaults.length = 0
      assert.strictEqual((yield* credit(node, "a", 100n, "k")).wallet.balance, 104n)
      yield* assertConsistent(installation, node, "a")
      yield* assertConsistent(installation, node, "b")
    })
  )
})

describe("a node that was fenced", () => {
  it.effect("appends nothing more, says so, and loses nothing", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const first = yield* installation.start()
      yield* create(first, "a")
      const second = yield* installation.start()
      yield* credit(second, "a", 5n, "second")
      const results = yield* Effect.all(
        [Effect.result(credit(first, "a", 1n, "k")), Effect.result(create(first, "never-touched"))],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(outcomes(results), ["StoreUnavailable", "StoreUnavailable"])
      assert.include(yield* first.ownership.lost, "another process")
      const appends = first.log.appends.length
      assert.strictEqual((yield* Effect.flip(credit(first, "a", 1n, "k")))._tag, "StoreUnavailable")
      assert.strictEqual((yield* Effect.flip(create(first, "b")))._tag, "StoreUnavailable")
      assert.strictEqual((yield* Effect.flip(first.engine.getWallet({ walletId: "a" })))._tag, "StoreUnavailable")
      assert.strictEqual(first.log.appends.length, appends)
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited"])
      assert.deepStrictEqual(installation.types("never-touched"), [])
      yield* quiet(first)
      assert.isFalse((yield* credit(second, "a", 1n, "k")).replayed)
      yield* assertConsistent(installation, second, "a")
    })
  )

  it.effect("is refused by the log when it wakes up with an append in its hands", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const sleeper = yield* installation.start()
      yield* create(sleeper, "a")
      const asleep = yield* Deferred.make<void>()
      sleeper.log.appendFaults.push(Faults.heldUntil(asleep))
      const caller = yield* Effect.forkChild(Effect.flip(credit(sleeper, "a", 1n, "k")))
      yield* appended(sleeper, 2)
      const heir = yield* installation.start()
      yield* Deferred.succeed(asleep, undefined)
      assert.strictEqual((yield* Fiber.join(caller))._tag, "StoreUnavailable")
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated"])
      assert.isFalse((yield* credit(heir, "a", 1n, "k")).replayed)
      yield* quiet(sleeper)
      yield* assertConsistent(installation, heir, "a")
    })
  )
})

describe("a user's rule", () => {
  const rule = (commit: { readonly events: ReadonlyArray<{ readonly event: object }> }) =>
    commit.events.some(({ event }) => "amount" in event && event.amount === 13n) ? "unlucky" : undefined

  it.effect("refuses a command: nothing is in the log and the key is not used up", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ rule })
      yield* create(node, "a")
      const error = yield* Effect.flip(credit(node, "a", 13n, "k"))
      assert.strictEqual(error._tag, "OperationRefused")
      assert.include(error.message, "unlucky")
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated"])
      assert.isFalse((yield* credit(node, "a", 12n, "k")).replayed)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("refuses one command of a batch: the others succeed, and the wallet travels alone for a while", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ rule, bounds: { isolationMillis: 10_000 } })
      yield* create(node, "a")
      yield* create(node, "b")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const opening = yield* Effect.forkChild(credit(node, "a", 1n, "opening"))
      yield* appended(node, 3)
      const callers = yield* Effect.forkChild(
        Effect.forEach([2n, 13n, 3n], (amount) => Effect.result(credit(node, "a", amount, `k${amount}`)), {
          concurrency: "unbounded"
        })
      )
      yield* waiting(node, 3)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(opening)
      assert.deepStrictEqual(outcomes(yield* Fiber.join(callers)), ["ok", "OperationRefused", "ok"])
      assert.strictEqual(node.log.appends.length, 3 + 1 + 3, "the batch, then each command")
      yield* TestClock.adjust("9 seconds")
      yield* Effect.all([credit(node, "a", 4n, "k4"), credit(node, "b", 4n, "k4")], { concurrency: "unbounded" })
      assert.deepStrictEqual(
        composition(node, 7).map((wallets) => wallets.length),
        [1, 1]
      )
      yield* TestClock.adjust("1 second")
      const from = node.log.appends.length
      yield* Effect.all([credit(node, "a", 5n, "k5"), credit(node, "b", 5n, "k5")], { concurrency: "unbounded" })
      assert.deepStrictEqual(composition(node, from), [["a", "b"]])
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 15n)
      yield* assertConsistent(installation, node, "a")
      yield* assertConsistent(installation, node, "b")
    })
  )

  it.effect("that refuses one of many wallets fails only that one", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ rule })
      const ids = Array.from({ length: 33 }, (_, index) => `w${index}`)
      yield* Effect.forEach(ids, (id) => create(node, id), { concurrency: "unbounded" })
      const results = yield* Effect.forEach(
        ids,
        (id) => Effect.result(credit(node, id, id === "w20" ? 13n : 1n, "k")),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        outcomes(results),
        ids.map((id) => (id === "w20" ? "OperationRefused" : "ok"))
      )
      for (const id of ids) yield* assertConsistent(installation, node, id)
    })
  )

  it.effect("leaves a command that is in the log a success, whatever becomes of the rest of its batch", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ rule, bounds: { keysInMemory: 1, keyFilterBytes: 0 } })
      yield* create(node, "a")
      yield* credit(node, "a", 1n, "k1")
      yield* Effect.flip(credit(node, "a", 13n, "k13"))
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const opening = yield* Effect.forkChild(credit(node, "a", 1n, "opening"))
      yield* waiting(node, 0)
      yield* until(() => node.log.appendFaults.length === 0, "the append is in flight")
      const away = new StoreUnavailable({ store: "persistence", reason: "scripted", retryAfter: 1 })
      node.persistence.keyFaults.push(() => Effect.fail(away))
      const first = yield* Effect.forkChild(credit(node, "a", 2n, "k2"))
      // It leaves no event, so there is no append that could tell of its key.
      const second = yield* Effect.forkChild(Effect.flip(debit(node, "a", 30n, "k3")))
      yield* waiting(node, 2)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(opening)
      assert.strictEqual((yield* Fiber.join(first)).wallet.balance, 4n)
      assert.strictEqual((yield* Fiber.join(second))._tag, "StoreUnavailable")
      assert.strictEqual(installation.events("a").length, 4)
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("a defect in one wallet", () => {
  for (const [what, fault] of [
    ["throws", () => Effect.die(new Error("boom"))],
    ["is interrupted", () => Effect.interrupt]
  ] as const) {
    it.effect(`fails its own callers only, and the wallet starts again from the log: a look-up ${what}`, () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ bounds: { keysInMemory: 1, keyFilterBytes: 0 } })
        yield* create(node, "a")
        yield* create(node, "b")
        yield* credit(node, "a", 1n, "k1")
        node.persistence.keyFaults.push(fault)
        const [broken, sound] = yield* Effect.all(
          [Effect.exit(debit(node, "a", 2n, "k2")), Effect.exit(credit(node, "b", 2n, "k2"))],
          { concurrency: "unbounded" }
        )
        assert.isTrue(Exit.isFailure(broken) && Cause.hasDies(broken.cause))
        assert.isTrue(Exit.isSuccess(sound))
        assert.isTrue(node.logged.some((line) => line.includes("wallet a: a defect")))
        assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited"])
        yield* writeForeign(installation, foreignCredit("a", 4n), "c:foreign")
        assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 5n, "what the log says")
        yield* writeForeign(installation, foreignDebit("a", 4n), "c:foreign-2")
        assert.strictEqual((yield* credit(node, "a", 2n, "k2")).wallet.balance, 3n)
        yield* assertConsistent(installation, node, "a")
        yield* assertConsistent(installation, node, "b")
      })
    )
  }

  it.effect("because of a stream that does not hold together leaves no dead mailbox", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const before = yield* installation.start()
      yield* create(before, "a")
      yield* credit(before, "a", 1n, "k1")
      yield* before.stop
      const stream = installation.state.streams.get("a")
      const last = stream?.[1]
      if (stream === undefined || last === undefined) return assert.fail("no stream")
      stream[1] = { ...last, version: 7 }
      const node = yield* installation.start()
      const exits = yield* Effect.forEach(["k2", "k3"], (key) => Effect.exit(credit(node, "a", 1n, key)), {
        concurrency: "unbounded"
      })
      assert.isTrue(exits.every((exit) => Exit.isFailure(exit) && Cause.hasDies(exit.cause)))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(node.engine.getWallet({ walletId: "a" }))))
      assert.strictEqual(node.registry.load().residentWallets, 0)
      yield* quiet(node)
      stream[1] = last
      yield* credit(node, "a", 1n, "k2")
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("an event that cannot be read is told to every caller, and to the next ones", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const before = yield* installation.start()
      yield* create(before, "a")
      yield* before.stop
      const node = yield* installation.start()
      const error = new EventUnreadable({ walletId: "a", version: 0, type: "Strange", reason: "scripted" })
      node.log.readFaults.push(Faults.unreadable(error), Faults.unreadable(error))
      assert.strictEqual((yield* Effect.flip(credit(node, "a", 1n, "k")))._tag, "EventUnreadable")
      assert.strictEqual((yield* Effect.flip(node.engine.getWallet({ walletId: "a" })))._tag, "EventUnreadable")
      assert.strictEqual(node.registry.load().residentWallets, 0)
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated"])
      yield* credit(node, "a", 1n, "k")
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("a caller that goes away", () => {
  it.effect("leaves its command to take place, once", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const inFlight = yield* Effect.forkChild(credit(node, "a", 1n, "k1"))
      yield* appended(node, 2)
      const waits = yield* Effect.forkChild(credit(node, "a", 2n, "k2"))
      yield* waiting(node, 1)
      yield* Fiber.interrupt(inFlight)
      yield* Fiber.interrupt(waits)
      yield* Deferred.succeed(gate, undefined)
      yield* quiet(node)
      assert.strictEqual(installation.events("a").length, 3)
      assert.isTrue((yield* credit(node, "a", 1n, "k1")).replayed)
      assert.isTrue((yield* credit(node, "a", 2n, "k2")).replayed)
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("time", () => {
  it.effect("never goes back in a stream when the clock does, and the clock is reported", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* TestClock.setTime(100_000)
      yield* create(node, "a")
      yield* TestClock.setTime(99_000)
      yield* credit(node, "a", 1n, "k1")
      assert.isFalse(
        node.logged.some((line) => line.includes("clock")),
        "a second is not worth a word"
      )
      yield* TestClock.setTime(40_000)
      yield* credit(node, "a", 1n, "k2")
      yield* credit(node, "a", 1n, "k3")
      yield* TestClock.setTime(200_000)
      yield* credit(node, "a", 1n, "k4")
      assert.deepStrictEqual(
        installation.events("a").map(({ time }) => time),
        [100_000, 100_000, 100_000, 100_000, 200_000]
      )
      assert.strictEqual(node.logged.filter((line) => line.includes("behind the last event")).length, 1)
      yield* assertConsistent(installation, node, "a")
    })
  )
})
