/** What a wallet decides while its append is in flight: taken when that is in the log, decided anew when it is not. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { ActorBounds } from "../../src/actors/ActorBounds.ts"
import { appended, create, credit, debit, foreignDebit, waiting, writeForeign } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { assertConsistent, type Installation, installNode, type Node, until } from "../support/Installation.ts"

/** Wallet `a` with 10 in it; its next append, of a credit of 5 or of `call`, is held until `let go`, and what becomes of it then is the fault's. */
const inFlight = Effect.fnUntraced(function* (
  options: { readonly bounds?: Partial<ActorBounds>; readonly separate?: boolean } = {},
  fault: Faults.AppendFault = (write) => write,
  call: (node: Node) => Effect.Effect<unknown, { readonly _tag: string }> = (node) => credit(node, "a", 5n, "first")
) {
  const { installation, node } = yield* installNode({
    ...options,
    bounds: { aheadCommands: 1, ...options.bounds }
  })
  yield* create(node, "a")
  yield* credit(node, "a", 10n, "ten")
  yield* until(() => node.pipeline.load().queuedEvents === 0, "all is persisted")
  const mayGo = yield* Deferred.make<void>()
  node.log.appendFaults.push((write, commits) => Effect.andThen(Deferred.await(mayGo), fault(write, commits)))
  const sent = node.log.appends.length
  const first = yield* Effect.forkChild(Effect.result(call(node)))
  yield* appended(node, sent + 1)
  node.log.prepared.length = 0
  const letGo = Deferred.succeed(mayGo, undefined)
  return { installation, node, first, letGo, sent: sent + 1 }
})

/** Starts calls, one after the other, and waits until all are in the mailbox. */
const waitingCalls = Effect.fnUntraced(function* <A, E>(node: Node, calls: ReadonlyArray<Effect.Effect<A, E>>) {
  const fibers: Array<Fiber.Fiber<Effect.Success<ReturnType<typeof Effect.result<A, E, never>>>>> = []
  for (const [index, call] of calls.entries()) {
    fibers.push(yield* Effect.forkChild(Effect.result(call)))
    yield* waiting(node, index + 1)
  }
  return fibers
})

const told = (result: {
  readonly _tag: string
  readonly success?: unknown
  readonly failure?: { readonly _tag: string }
}) => result.failure?._tag ?? "done"

const joined = (fibers: ReadonlyArray<Fiber.Fiber<Parameters<typeof told>[0]>>) =>
  Effect.map(Effect.forEach(fibers, Fiber.join), (results) => results.map(told))

/** Events of each append from the `from`th on. */
const sizes = (node: Node, from: number) =>
  node.log.appends.slice(from).map((commits) => commits.map(({ events }) => events.length))

const consistent = (installation: Installation, node: Node) => assertConsistent(installation, node, "a")

for (const separate of [false, true]) {
  describe(`decided ahead, ${separate ? "behind a log apart" : "in one database"}`, () => {
    it.effect("commands go in one append when the one in flight is in the log, and nobody is told before", () =>
      Effect.gen(function* () {
        const { first, installation, letGo, node, sent } = yield* inFlight({ separate })
        const others = yield* waitingCalls(node, [credit(node, "a", 1n, "k1"), credit(node, "a", 2n, "k2")])
        assert.deepStrictEqual(node.log.prepared, [1, 2])
        assert.isTrue(others.every((fiber) => fiber.pollUnsafe() === undefined))
        yield* letGo
        assert.deepStrictEqual(yield* joined([first, ...others]), ["done", "done", "done"])
        assert.deepStrictEqual(sizes(node, sent), [[2]])
        yield* consistent(installation, node)
      })
    )

    it.effect("what was told apart on a state that has not come is decided anew", () =>
      Effect.gen(function* () {
        const { first, installation, letGo, node } = yield* inFlight({ separate }, Faults.defective)
        // With the credit in flight there were 15.
        const others = yield* waitingCalls(node, [
          Effect.asVoid(debit(node, "a", 12n, "k1")),
          Effect.asVoid(credit(node, "a", 1n, "k2"))
        ])
        yield* letGo
        assert.deepStrictEqual(yield* joined([first, ...others]), ["StoreDefect", "InsufficientFunds", "done"])
        assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 11n)
        yield* consistent(installation, node)
      })
    )

    it.effect("a rejection on a state that has not come is none", () =>
      Effect.gen(function* () {
        const { first, installation, letGo, node } = yield* inFlight({ separate }, Faults.defective, (node) =>
          debit(node, "a", 8n, "first")
        )
        const others = yield* waitingCalls(node, [debit(node, "a", 5n, "k1"), debit(node, "a", 6n, "k2")])
        yield* letGo
        assert.deepStrictEqual(yield* joined([first, ...others]), ["StoreDefect", "done", "InsufficientFunds"])
        yield* consistent(installation, node)
      })
    )

    it.effect("the key of the command in flight shares its fate", () =>
      Effect.gen(function* () {
        const { first, installation, letGo, node, sent } = yield* inFlight({ separate })
        const again = yield* Effect.forkChild(credit(node, "a", 5n, "first"))
        const other = yield* Effect.forkChild(Effect.flip(credit(node, "a", 6n, "first")))
        yield* waiting(node, 2)
        assert.deepStrictEqual(node.log.prepared, [])
        yield* letGo
        assert.strictEqual(told(yield* Fiber.join(first)), "done")
        assert.strictEqual((yield* Fiber.join(again)).replayed, true)
        assert.strictEqual((yield* Fiber.join(other))._tag, "IdempotencyKeyReused")
        assert.deepStrictEqual(sizes(node, sent), [])
        yield* consistent(installation, node)
      })
    )

    it.effect("a caller whose time is up is told that nothing has happened, and nothing does", () =>
      Effect.gen(function* () {
        const { first, installation, letGo, node } = yield* inFlight({ separate })
        yield* TestClock.adjust("5 seconds")
        const [late] = yield* waitingCalls(node, [credit(node, "a", 1n, "late")])
        assert.deepStrictEqual(node.log.prepared, [1])
        yield* TestClock.adjust("11 seconds")
        assert.strictEqual(told(yield* Fiber.join(late!)), "StoreUnavailable")
        yield* letGo
        assert.strictEqual(told(yield* Fiber.join(first)), "OutcomeUnknown")
        yield* credit(node, "a", 1n, "next")
        assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 16n)
        yield* consistent(installation, node)
      })
    )
  })
}

describe("decided ahead", () => {
  it.effect("too long ago to be sent, it is decided by the time of now", () =>
    Effect.gen(function* () {
      const { first, installation, letGo, node } = yield* inFlight({ bounds: { aheadMillis: 100 } })
      const [other] = yield* waitingCalls(node, [credit(node, "a", 1n, "k")])
      assert.deepStrictEqual(node.log.prepared, [1])
      yield* TestClock.adjust(150)
      const now = yield* Effect.clockWith(({ currentTimeMillis }) => currentTimeMillis)
      yield* letGo
      yield* joined([first, other!])
      assert.strictEqual(installation.events("a").at(-1)!.time, now)
    })
  )

  it.effect("for a caller whose time was up meanwhile, it is not told to those who have come since", () =>
    Effect.gen(function* () {
      const { first, installation, letGo, node } = yield* inFlight({ bounds: { aheadMillis: 60_000 } })
      yield* TestClock.adjust("5 seconds")
      // With the second no more is decided ahead: its key is in flight.
      const late = yield* waitingCalls(node, [credit(node, "a", 100n, "late"), credit(node, "a", 5n, "first")])
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(told(yield* Fiber.join(late[0]!)), "StoreUnavailable")
      assert.notStrictEqual(late[1]!.pollUnsafe(), undefined)
      const others = yield* Effect.forEach(["k1", "k2"], (key) =>
        Effect.forkChild(Effect.result(credit(node, "a", 1n, key)))
      )
      yield* waiting(node, 4)
      assert.deepStrictEqual(node.log.prepared, [1])
      yield* letGo
      yield* until(() => others.every((fiber) => fiber.pollUnsafe() !== undefined), "those have their answers")
      assert.deepStrictEqual(yield* joined([first, ...others]), ["OutcomeUnknown", "done", "done"])
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 17n)
      yield* consistent(installation, node)
    })
  )

  it.effect("behind somebody else's append, it is decided on what that has left", () =>
    Effect.gen(function* () {
      const { first, installation, letGo, node } = yield* inFlight()
      yield* writeForeign(installation, foreignDebit("a", 9n), "c:foreign")
      const others = yield* waitingCalls(node, [debit(node, "a", 7n, "k1"), debit(node, "a", 6n, "k2")])
      yield* letGo
      assert.deepStrictEqual(yield* joined([first, ...others]), ["done", "InsufficientFunds", "done"])
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 0n)
      yield* consistent(installation, node)
    })
  )

  it.effect("half of the callers go at a time: the others are decided while those are in flight", () =>
    Effect.gen(function* () {
      const { first, installation, letGo, node, sent } = yield* inFlight({ bounds: { aheadCommands: 2 } })
      const others = yield* waitingCalls(
        node,
        Array.from({ length: 9 }, (_, number) => credit(node, "a", 1n, `k${number}`))
      )
      yield* letGo
      yield* joined([first, ...others])
      assert.deepStrictEqual(sizes(node, sent), [[5], [4]])
      yield* consistent(installation, node)
    })
  )
})
