import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as TestClock from "effect/testing/TestClock"
import type { ActorBounds } from "../../src/actors/ActorBounds.ts"
import { actorFixedBytes } from "../../src/actors/ActorSize.ts"
import { appended, create, credit, debit, waiting } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Node } from "../support/Installation.ts"
import { assertConsistent, install, installNode, quiet, until } from "../support/Installation.ts"

/** What an idle wallet takes, at most: one or a few keys. */
const idleBytes = actorFixedBytes + 500

/** Fills the mailbox of wallet `a` behind an append in flight, with `bound` in the way of the fourth command. */
const overfill = Effect.fnUntraced(function* (
  bounds: Partial<ActorBounds>,
  last: (node: Node) => Effect.Effect<unknown, unknown>
) {
  const { installation, node } = yield* installNode({ bounds })
  yield* create(node, "a")
  yield* create(node, "b")
  const gate = yield* Deferred.make<void>()
  node.log.appendFaults.push(Faults.heldUntil(gate))
  const callers = [yield* Effect.forkChild(credit(node, "a", 1n, "k0"))]
  yield* appended(node, 3)
  for (const key of ["k1", "k2", "k3"]) callers.push(yield* Effect.forkChild(credit(node, "a", 1n, key)))
  yield* waiting(node, 3)
  const refused = yield* Effect.flip(last(node))
  assert.strictEqual((refused as { readonly _tag: string })._tag, "MailboxFull")
  assert.strictEqual(node.registry.load().waitingCommands, 3, "what was refused does not count")
  yield* Deferred.succeed(gate, undefined)
  yield* Effect.forEach(callers, Fiber.join)
  yield* quiet(node)
  yield* last(node)
  assert.deepStrictEqual(
    installation
      .events("a")
      .slice(1, 5)
      .map(({ metadata }) => metadata.key),
    ["c:k0", "c:k1", "c:k2", "c:k3"]
  )
  yield* assertConsistent(installation, node, "a")
})

describe("a full mailbox refuses and recovers", () => {
  const again = (node: Node) => credit(node, "a", 1n, "again")

  it.effect("by commands of the wallet", () => overfill({ mailboxCommands: 3 }, again))
  it.effect("by bytes of the wallet", () => overfill({ mailboxBytes: 3 * 256 + 10 }, again))
  it.effect("by commands of the node, also for another wallet", () =>
    overfill({ nodeCommands: 3 }, (node) => credit(node, "b", 1n, "again"))
  )
  it.effect("by bytes of the node, also for another wallet", () =>
    overfill({ nodeBytes: 3 * 256 + 10 }, (node) => credit(node, "b", 1n, "again"))
  )
  it.effect("a read that would have to wait in line", () =>
    overfill({ nodeCommands: 3 }, (node) => node.engine.getWallet({ walletId: "b", minVersion: 99 })).pipe(
      Effect.flip,
      // Afterwards it gets in line, and is told that no such version is there.
      Effect.map((error) => assert.strictEqual((error as { readonly _tag: string })._tag, "VersionNotReached"))
    )
  )

  it.effect("counts the bytes of free texts", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode({ bounds: { mailboxBytes: 1_000 } })
      yield* create(node, "a")
      const large = { walletId: "a", amount: 1n, reference: "x".repeat(250), metadata: { note: "y".repeat(250) } }
      const error = yield* Effect.flip(node.engine.credit({ ...large, idempotencyKey: "k" })).pipe(Effect.option)
      assert.strictEqual(error._tag === "Some" ? error.value._tag : undefined, "MailboxFull")
    })
  )
})

describe("a caller that waits too long", () => {
  it.effect("for a wallet that hangs in loading gets an answer, and the wallet recovers", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const before = yield* installation.start()
      yield* create(before, "a")
      yield* before.stop
      const node = yield* installation.start()
      const gate = yield* Deferred.make<void>()
      node.log.readFaults.push((read) => Effect.andThen(Deferred.await(gate), read))
      const command = yield* Effect.forkChild(Effect.flip(credit(node, "a", 1n, "k1")))
      yield* until(() => node.log.reads.length === 1, "the wallet loads")
      const next = yield* Effect.forkChild(Effect.flip(credit(node, "a", 2n, "k2")))
      const read = yield* Effect.forkChild(Effect.flip(node.engine.getWallet({ walletId: "a" })))
      yield* waiting(node, 2)
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual((yield* Fiber.join(command))._tag, "OutcomeUnknown", "it may still take place")
      assert.strictEqual((yield* Fiber.join(next))._tag, "StoreUnavailable", "it will not take place")
      assert.strictEqual((yield* Fiber.join(read))._tag, "StoreUnavailable")
      yield* Deferred.succeed(gate, undefined)
      yield* quiet(node)
      assert.deepStrictEqual(
        installation
          .events("a")
          .slice(1)
          .map(({ metadata }) => metadata.key),
        ["c:k1"]
      )
      assert.isTrue((yield* credit(node, "a", 1n, "k1")).replayed)
      assert.isFalse((yield* credit(node, "a", 2n, "k2")).replayed)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("for a store that fails to load gets that answer, and no wallet stays behind", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const before = yield* installation.start()
      yield* create(before, "a")
      yield* before.stop
      const node = yield* installation.start()
      for (let n = 0; n < 4; n++) node.log.readFaults.push(Faults.unreadable(Faults.unavailableLog))
      const read = yield* Effect.forkChild(Effect.flip(node.engine.getWallet({ walletId: "a" })))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(read))._tag, "StoreUnavailable")
      assert.strictEqual(node.registry.load().residentWallets, 0)
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("residents", () => {
  it.effect("an id without a wallet leaves none", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      assert.strictEqual((yield* Effect.flip(node.engine.getWallet({ walletId: "no" })))._tag, "WalletNotFound")
      assert.strictEqual((yield* Effect.flip(credit(node, "no", 1n, "k")))._tag, "WalletNotFound")
      yield* quiet(node)
      assert.strictEqual(node.registry.load().residentWallets, 0)
      assert.deepStrictEqual(installation.types("no"), [])
    })
  )

  it.effect("leave after the idle time, and come back as they were", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { idleMillis: 60_000, snapshotMinimumEvents: 2 } })
      yield* create(node, "a")
      yield* create(node, "b")
      yield* credit(node, "a", 5n, "k")
      yield* TestClock.adjust("50 seconds")
      yield* node.engine.getWallet({ walletId: "b" })
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(node.registry.load().residentWallets, 1, "a read counts as use")
      assert.deepStrictEqual(
        installation.state.snapshots.get("a")?.map(({ version }) => version),
        [1],
        "a tail worth a snapshot leaves one"
      )
      assert.strictEqual((yield* credit(node, "a", 1n, "k2")).wallet.balance, 6n)
      assert.deepStrictEqual(node.log.reads.at(-1), { walletId: "a", after: 1 })
      yield* TestClock.adjust("70 seconds")
      assert.strictEqual(node.registry.load().residentWallets, 0)
      assert.isUndefined(installation.state.snapshots.get("b"), "a short tail is not worth one")
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("give way to newer ones, the least recently used first", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { residentBytes: 3 * idleBytes } })
      for (const id of ["a", "b", "c"]) yield* create(node, id)
      yield* credit(node, "a", 1n, "k")
      yield* create(node, "d")
      yield* quiet(node)
      assert.strictEqual(node.registry.load().residentWallets, 3)
      const reads = node.log.reads.length
      for (const id of ["a", "c", "d"]) yield* node.engine.getWallet({ walletId: id })
      assert.strictEqual(node.log.reads.length, reads, "they are still here")
      yield* node.engine.getWallet({ walletId: "b" })
      assert.strictEqual(node.log.reads.length, reads + 1, "this one had gone")
      for (const id of ["a", "b", "c", "d"]) yield* assertConsistent(installation, node, id)
    })
  )

  it.effect("above the bound because all were at work come back to it", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode({ bounds: { residentBytes: 3 * idleBytes } })
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const ids = Array.from({ length: 40 }, (_, index) => `w${index}`)
      const all = yield* Effect.forkChild(Effect.forEach(ids, (id) => create(node, id), { concurrency: "unbounded" }))
      yield* until(() => node.registry.load().residentWallets === 40, "all are resident")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(all)
      yield* quiet(node)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(node.registry.load().residentWallets, 3)
    })
  )

  it.effect("never lose a command that races with their leaving", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { residentBytes: 1 * idleBytes } })
      const ids = ["a", "b", "c", "d"]
      for (const id of ids) yield* create(node, id)
      yield* Effect.forEach(
        Array.from({ length: 12 }, (_, caller) => caller),
        (caller) =>
          Effect.gen(function* () {
            for (let n = 0; n < 25; n++) {
              const id = ids[(caller + n) % ids.length] ?? "a"
              yield* credit(node, id, 1n, `k${caller}-${n}`)
              if ((caller + n) % 3 === 0) yield* Effect.yieldNow
            }
          }),
        { concurrency: "unbounded", discard: true }
      )
      const balances = yield* Effect.forEach(ids, (walletId) => node.engine.getWallet({ walletId }))
      assert.strictEqual(
        balances.reduce((sum, { balance }) => sum + balance, 0n),
        12n * 25n
      )
      for (const id of ids) yield* assertConsistent(installation, node, id)
    })
  )
})

describe("fibers", () => {
  it.effect("lose no wake-up, however often they give way to one another", () =>
    Effect.gen(function* () {
      // Fewer than four operations a turn and no fiber of any program gets on.
      for (let operations = 4; operations <= 24; operations++) {
        yield* Effect.gen(function* () {
          const { installation, node } = yield* installNode()
          yield* Effect.forEach(["a", "b"], (id) => create(node, id), { concurrency: "unbounded" })
          // Half of the commands are rejected: they never come to the log.
          const call = (caller: number, n: number): Effect.Effect<unknown> => {
            const id = caller < 2 ? "a" : "b"
            return n % 2 === caller % 2
              ? Effect.orDie(credit(node, id, 1n, `${caller}-${n}`))
              : Effect.result(debit(node, id, 99n, `${caller}-${n}`))
          }
          const calls = Effect.forEach(
            [0, 1, 2, 3],
            (caller) => Effect.forEach([1, 2, 3, 4, 5, 6], (n) => call(caller, n), { discard: true }),
            { concurrency: "unbounded", discard: true }
          )
          const fiber = yield* Effect.forkChild(calls)
          yield* until(() => fiber.pollUnsafe() !== undefined, `all callers are answered (${operations})`)
          assert.deepStrictEqual([installation.events("a").length, installation.events("b").length], [7, 7])
          yield* assertConsistent(installation, node, "a")
        }).pipe(Effect.scoped, Effect.provideService(Scheduler.MaxOpsBeforeYield, operations))
      }
    })
  )

  it.effect("of others get their turn while callers repeat a rejected command without pause", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      yield* create(node, "a")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      yield* Effect.forkChild(credit(node, "a", 1n, "opening"))
      yield* appended(node, 2)
      let rejections = 0
      const seen = { enough: false }
      const repeat = Effect.gen(function* () {
        while (!seen.enough && rejections < 100_000) {
          yield* Effect.flip(debit(node, "a", 1_000n, `k${rejections}`))
          rejections++
        }
      })
      const callers = yield* Effect.forkChild(Effect.all([repeat, repeat, repeat], { concurrency: "unbounded" }))
      yield* waiting(node, 3)
      yield* Deferred.succeed(gate, undefined)
      yield* until(() => rejections > 0, "the first rejection")
      seen.enough = true
      yield* Fiber.join(callers)
      assert.isBelow(rejections, 10_000)
      yield* quiet(node)
    })
  )
})

describe("a stop", () => {
  it.effect("finishes what is in flight and in mailboxes, answers everyone and takes nothing new", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { snapshotMinimumEvents: 3 } })
      yield* create(node, "a")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const inFlight = yield* Effect.forkChild(credit(node, "a", 1n, "k1"))
      yield* appended(node, 2)
      const waits = yield* Effect.forkChild(credit(node, "a", 2n, "k2"))
      yield* waiting(node, 1)
      const stop = yield* Effect.forkChild(node.stop)
      let refused = false
      yield* until(() => {
        const fiber = Effect.runFork(Effect.flip(credit(node, "b", 1n, "late")))
        const exit = fiber.pollUnsafe()
        refused = exit !== undefined && Exit.isSuccess(exit) && exit.value._tag === "StoreUnavailable"
        return refused
      }, "new commands are refused")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* Fiber.join(inFlight)).wallet.balance, 1n)
      assert.strictEqual((yield* Fiber.join(waits)).wallet.balance, 3n)
      yield* Fiber.join(stop)
      assert.strictEqual((yield* Effect.flip(credit(node, "a", 1n, "later")))._tag, "StoreUnavailable")
      assert.strictEqual(installation.events("a").length, 3)
      assert.strictEqual(installation.state.snapshots.get("a")?.length, 1, "a snapshot on the way out")
    })
  )

  it.effect("does not wait for ever for a log that does not answer; nobody is told more than is known", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* create(node, "b")
      for (let n = 0; n < 100; n++) node.log.appendFaults.push(n === 0 ? Faults.loseAnswer : Faults.loseRequest)
      const inFlight = yield* Effect.forkChild(Effect.flip(credit(node, "a", 1n, "k1")))
      yield* appended(node, 3)
      const waits = yield* Effect.forkChild(Effect.flip(credit(node, "a", 2n, "k2")))
      const retry = yield* Effect.forkChild(Effect.flip(credit(node, "a", 1n, "k1")))
      const gathered = yield* Effect.forkChild(Effect.flip(credit(node, "b", 2n, "k2")))
      yield* waiting(node, 2)
      const stop = yield* Effect.forkChild(node.stop)
      yield* TestClock.adjust("9 seconds")
      yield* Fiber.join(stop)
      assert.strictEqual((yield* Fiber.join(inFlight))._tag, "OutcomeUnknown")
      assert.strictEqual((yield* Fiber.join(waits))._tag, "StoreUnavailable")
      assert.strictEqual((yield* Fiber.join(retry))._tag, "OutcomeUnknown")
      assert.strictEqual((yield* Fiber.join(gathered))._tag, "OutcomeUnknown")
      const next = yield* installation.start()
      assert.isTrue((yield* credit(next, "a", 1n, "k1")).replayed)
      assert.isFalse((yield* credit(next, "a", 2n, "k2")).replayed)
      assert.isFalse((yield* credit(next, "b", 2n, "k2")).replayed)
      yield* assertConsistent(installation, next, "a")
      yield* assertConsistent(installation, next, "b")
    })
  )
})
