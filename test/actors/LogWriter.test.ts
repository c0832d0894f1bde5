import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { composition, create, credit, debit, waiting } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Node } from "../support/Installation.ts"
import { assertConsistent, installNode, until } from "../support/Installation.ts"

const idsOf = (node: Node, from: number): ReadonlyArray<ReadonlyArray<string>> =>
  node.log.appends.slice(from).map((commits) => commits.flatMap(({ events }) => events.map(({ id }) => id)))

describe("the log writer gathers", () => {
  it.effect("drains the mailbox into one append while another is in flight, in the order of arrival", () =>
    Effect.gen(function* () {
      // More would go by halves (`DecideAhead.test.ts`).
      const { installation, node } = yield* installNode({ bounds: { aheadCommands: 50 } })
      yield* create(node, "a")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const callers = [yield* Effect.forkChild(credit(node, "a", 1n, "k0"))]
      yield* until(() => node.log.appends.length === 2, "the first append is in flight")
      for (let n = 1; n <= 50; n++) callers.push(yield* Effect.forkChild(credit(node, "a", BigInt(n), `k${n}`)))
      yield* waiting(node, 50)
      yield* Deferred.succeed(gate, undefined)
      const answers = yield* Effect.forEach(callers, Fiber.join)
      assert.strictEqual(node.log.appends.length, 3)
      assert.deepStrictEqual(
        answers.map(({ transaction }) => transaction.version),
        callers.map((_, index) => index + 1)
      )
      assert.deepStrictEqual(
        installation
          .events("a")
          .slice(2)
          .map(({ metadata }) => metadata.key),
        Array.from({ length: 50 }, (_, index) => `c:k${index + 1}`)
      )
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("fails a rejected command alone, and only when what it depended on is in the log", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "start")
      const [first, second] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      node.log.appendFaults.push(Faults.heldUntil(first), Faults.answerHeldUntil(second))
      const opening = yield* Effect.forkChild(credit(node, "a", 1n, "opening"))
      yield* until(() => node.log.appends.length === 3, "an append is in flight")
      const spent = yield* Effect.forkChild(debit(node, "a", 8n, "spent"))
      const refused = yield* Effect.forkChild(Effect.flip(debit(node, "a", 8n, "refused")))
      const last = yield* Effect.forkChild(debit(node, "a", 3n, "last"))
      yield* waiting(node, 3)
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(opening)
      yield* until(() => installation.events("a").length === 5, "the batch is in the log")
      assert.isUndefined(refused.pollUnsafe(), "its verdict rests on an append that has not answered")
      yield* Deferred.succeed(second, undefined)
      const rejection = yield* Fiber.join(refused)
      assert.strictEqual(rejection._tag, "InsufficientFunds")
      assert.strictEqual((yield* Fiber.join(spent)).wallet.balance, 3n)
      assert.strictEqual((yield* Fiber.join(last)).wallet.balance, 0n)
      assert.strictEqual(node.log.appends.length, 4)
      assert.deepStrictEqual(installation.types("a"), [
        "WalletCreated",
        "WalletCredited",
        "WalletCredited",
        "WalletDebited",
        "WalletDebited"
      ])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("appends nothing for a rejection", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const rejection = yield* Effect.flip(debit(node, "a", 1n, "k"))
      assert.strictEqual(rejection._tag, "InsufficientFunds")
      assert.strictEqual(node.log.appends.length, 1)
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated"])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("sends wallets that are ready together in one append", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* Effect.forEach(["a", "b", "c"], (id) => create(node, id))
      const from = node.log.appends.length
      yield* Effect.all([credit(node, "a", 1n, "k"), credit(node, "b", 2n, "k"), credit(node, "c", 3n, "k")], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(composition(node, from), [["a", "b", "c"]])
      for (const id of ["a", "b", "c"]) yield* assertConsistent(installation, node, id)
    })
  )

  it.effect("begins an append beside one in flight only with enough events, unless that one is stuck", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { besideEvents: 3 } })
      const ids = ["a", "b", "c", "d"]
      yield* Effect.forEach(ids, (id) => create(node, id))
      for (const isStuck of [false, true]) {
        const gate = yield* Deferred.make<void>()
        node.log.appendFaults.push(Faults.heldUntil(gate))
        const from = node.log.appends.length
        const start = (id: string) => Effect.forkChild(credit(node, id, 1n, `k${isStuck}`))
        const callers = [yield* start("a")]
        yield* until(() => node.log.appends.length > from, "an append is in flight")
        for (const id of ["b", "c"]) callers.push(yield* start(id))
        yield* waiting(node, 0)
        assert.deepStrictEqual(composition(node, from), [["a"]])
        if (isStuck) {
          yield* TestClock.adjust("2 seconds")
          assert.deepStrictEqual(composition(node, from), [["a"], ["b", "c"]])
          yield* credit(node, "d", 1n, "at-once")
        } else {
          callers.push(yield* start("d"))
          yield* until(() => node.log.appends.length > from + 1, "another one is beside it")
          assert.deepStrictEqual(composition(node, from), [["a"], ["b", "c", "d"]])
        }
        for (const caller of callers.slice(1)) yield* Fiber.join(caller)
        assert.isUndefined(callers[0]!.pollUnsafe())
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(callers[0]!)
      }
      for (const id of ids) yield* assertConsistent(installation, node, id)
    })
  )

  it.effect(
    "lets wallets decide only what is sent soon, in their order, also those that then have nothing to send",
    () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ bounds: { appendCommits: 2, appendsInFlight: 1 } })
        const ids = Array.from({ length: 9 }, (_, index) => `w${index}`)
        const [busy = "", ...others] = ids
        yield* Effect.forEach(ids, (id) => Effect.andThen(create(node, id), credit(node, id, 1n, "earlier")))
        const gate = yield* Deferred.make<void>()
        node.log.appendFaults.push(Faults.heldUntil(gate))
        const from = node.log.appends.length
        const first = yield* Effect.forkChild(credit(node, busy, 1n, "k"))
        yield* until(() => node.log.appends.length > from, "an append is in flight")
        const credits: Array<Fiber.Fiber<unknown, unknown>> = [first]
        for (const id of others.slice(0, 2)) credits.push(yield* Effect.forkChild(credit(node, id, 1n, "k")))
        yield* waiting(node, 0)
        // Replays in between need no place.
        const [one = "", two = "", three = "", four = "", ...last] = others.slice(2)
        for (const id of [one, two, three, four]) credits.push(yield* Effect.forkChild(credit(node, id, 1n, "earlier")))
        for (const id of last) credits.push(yield* Effect.forkChild(credit(node, id, 1n, "k")))
        yield* waiting(node, 6)
        assert.strictEqual(node.log.appends.length, from + 1)
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.forEach(credits, (fiber) => Fiber.join(fiber))
        assert.deepStrictEqual(composition(node, from), [[busy], others.slice(0, 2), last])
        for (const id of ids) yield* assertConsistent(installation, node, id)
      })
  )

  it.effect("tells a wallet that waits for room until its time is up that nothing has happened", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { appendCommits: 1, appendsInFlight: 1 } })
      yield* Effect.forEach(["a", "b", "c"], (id) => create(node, id))
      const landing = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.landLate(landing))
      for (let n = 0; n < 100; n++) node.log.appendFaults.push(Faults.loseRequest)
      const from = node.log.appends.length
      const callers = [yield* Effect.forkChild(Effect.flip(credit(node, "a", 1n, "k")))]
      yield* until(() => node.log.appends.length > from, "an append is in flight")
      for (const id of ["b", "c"]) callers.push(yield* Effect.forkChild(Effect.flip(credit(node, id, 1n, "k"))))
      yield* waiting(node, 1)
      yield* TestClock.adjust("11 seconds")
      const told = yield* Effect.forEach(callers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(
        told.map(({ _tag }) => _tag),
        ["OutcomeUnknown", "OutcomeUnknown", "StoreUnavailable"]
      )
      yield* Deferred.succeed(landing, undefined)
      node.log.appendFaults.length = 0
      yield* TestClock.adjust("2 seconds")
      // What was let go is not done afterwards; the wallet goes on.
      assert.isFalse((yield* credit(node, "c", 2n, "later")).replayed)
      assert.deepStrictEqual(installation.types("c"), ["WalletCreated", "WalletCredited"])
      for (const id of ["a", "b", "c"]) yield* assertConsistent(installation, node, id)
    })
  )

  it.effect("keeps to the bounds of one append", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { appendCommits: 2, appendEvents: 3 } })
      const ids = ["a", "b", "c", "d", "e"]
      yield* Effect.forEach(ids, (id) => create(node, id))
      const from = node.log.appends.length
      const metadata = { tier: "gold" }
      yield* Effect.forEach(
        ids,
        (walletId) => node.engine.updateWallet({ walletId, overdraftLimit: 1n, metadata, idempotencyKey: "k" }),
        { concurrency: "unbounded" }
      )
      // Two events each: two wallets of one append would be four.
      assert.deepStrictEqual(composition(node, from), [["a"], ["b"], ["c"], ["d"], ["e"]])
      for (const id of ids) yield* assertConsistent(installation, node, id)
    })
  )
})

describe("an append whose outcome is unknown", () => {
  for (const [when, fault] of [
    ["had landed", Faults.loseAnswer],
    ["had not landed", Faults.loseRequest],
    ["ended in a defect of the driver", Faults.throwAfter],
    ["ended in an interruption of the driver", Faults.interruptAfter],
    ["failed and threw at once", Faults.failAndThrowAfter]
  ] as const) {
    it.effect(`is sent again with the same events until the log decides: the first ${when}`, () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ bounds: { appendRetryMillis: 0 } })
        yield* create(node, "a")
        yield* create(node, "b")
        node.log.appendFaults.push(fault, Faults.unavailable, Faults.loseRequest)
        const callers = yield* Effect.forkChild(
          Effect.all([credit(node, "a", 5n, "k"), credit(node, "b", 7n, "k")], { concurrency: "unbounded" })
        )
        yield* until(() => node.log.appends.length === 3, "the append is in flight")
        // Comes while the outcome is open: nothing else is appended until it is known.
        const later = yield* Effect.forkChild(credit(node, "a", 1n, "later"))
        yield* waiting(node, 1)
        yield* TestClock.adjust("5 seconds")
        const [a, b] = yield* Fiber.join(callers)
        assert.deepStrictEqual([a.wallet.balance, b.wallet.balance], [5n, 7n])
        assert.deepStrictEqual([a.replayed, b.replayed], [false, false])
        assert.strictEqual((yield* Fiber.join(later)).wallet.balance, 6n)
        const [first, ...again] = idsOf(node, 2)
        assert.deepStrictEqual(again.slice(0, 3), [first, first, first])
        assert.strictEqual(again.length, 4, "three retries, then the later command")
        assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited", "WalletCredited"])
        yield* assertConsistent(installation, node, "a")
        yield* assertConsistent(installation, node, "b")
      })
    )
  }

  it.effect("is told as unknown to a caller whose wait ends first; its retry finds the effect once", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const landing = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.landLate(landing))
      for (let n = 0; n < 100; n++) node.log.appendFaults.push(Faults.loseRequest)
      const caller = yield* Effect.forkChild(Effect.flip(credit(node, "a", 5n, "k")))
      yield* until(() => node.log.appends.length === 2, "the append is in flight")
      const bystander = yield* Effect.forkChild(Effect.flip(credit(node, "a", 9n, "other")))
      const impatient = yield* Effect.forkChild(Effect.flip(credit(node, "a", 5n, "k")))
      yield* waiting(node, 2)
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual((yield* Fiber.join(caller))._tag, "OutcomeUnknown")
      assert.strictEqual((yield* Fiber.join(bystander))._tag, "StoreUnavailable", "it surely did not happen")
      assert.strictEqual((yield* Fiber.join(impatient))._tag, "OutcomeUnknown", "its key is the unknown one's")
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated"])
      const retry = yield* Effect.forkChild(credit(node, "a", 5n, "k"))
      yield* Deferred.succeed(landing, undefined)
      node.log.appendFaults.length = 0
      yield* TestClock.adjust("2 seconds")
      const answer = yield* Fiber.join(retry)
      assert.isTrue(answer.replayed)
      assert.strictEqual(answer.wallet.balance, 5n)
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited"])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("stays unknown through a refusal of a later try and through the halves of the append", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { appendRetryMillis: 0 } })
      yield* create(node, "a")
      yield* create(node, "b")
      const landing = yield* Deferred.make<void>()
      node.log.appendFaults.push(
        Faults.landLate(landing),
        Faults.refuse,
        // The first half: were it taken for a fresh append, it would be told as failed.
        Faults.unavailable,
        Faults.defective,
        (write) => Effect.andThen(Deferred.succeed(landing, undefined), Effect.andThen(Effect.yieldNow, write))
      )
      const callers = yield* Effect.forkChild(
        Effect.all([credit(node, "a", 5n, "k"), credit(node, "b", 7n, "k")], { concurrency: "unbounded" })
      )
      yield* until(() => node.log.appends.length === 3, "the append is in flight")
      yield* TestClock.adjust("5 seconds")
      const [a, b] = yield* Fiber.join(callers)
      assert.deepStrictEqual([a.wallet.balance, b.wallet.balance], [5n, 7n])
      yield* assertConsistent(installation, node, "a")
      yield* assertConsistent(installation, node, "b")
    })
  )
})

describe("an append that surely did not happen", () => {
  it.effect("is tried again, and its caller never knows", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      node.log.appendFaults.push(Faults.unavailable, Faults.unavailable)
      const caller = yield* Effect.forkChild(credit(node, "a", 5n, "k"))
      yield* until(() => node.log.appends.length === 2, "the append is in flight")
      yield* TestClock.adjust("1 second")
      const answer = yield* Fiber.join(caller)
      assert.deepStrictEqual([answer.wallet.balance, answer.replayed], [5n, false])
      assert.strictEqual(node.log.appends.length, 4)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("is told as unavailable when trying on has ended; nothing is in the log and a later retry works", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      for (let n = 0; n < 50; n++) node.log.appendFaults.push(Faults.unavailable)
      const caller = yield* Effect.forkChild(Effect.flip(credit(node, "a", 5n, "k")))
      yield* until(() => node.log.appends.length === 2, "the append is in flight")
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* Fiber.join(caller))._tag, "StoreUnavailable")
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated"])
      yield* assertConsistent(installation, node, "a")
      node.log.appendFaults.length = 0
      assert.isFalse((yield* credit(node, "a", 5n, "k")).replayed)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("because of a defect of the store costs the other wallets of the append nothing", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      const ids = ["a", "b", "c", "d"]
      yield* Effect.forEach(ids, (id) => create(node, id))
      const damaged: Faults.AppendFault = (write, commits) =>
        commits.some(({ walletId }) => walletId === "b") ? Faults.defective(write, commits) : write
      for (let n = 0; n < 10; n++) node.log.appendFaults.push(damaged)
      const answers = yield* Effect.forEach(ids, (id) => Effect.result(credit(node, id, 5n, "k")), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        answers.map((answer) => (answer._tag === "Success" ? "credited" : answer.failure._tag)),
        ["credited", "StoreDefect", "credited", "credited"]
      )
      assert.deepStrictEqual(installation.types("b"), ["WalletCreated"])
      node.log.appendFaults.length = 0
      yield* credit(node, "b", 5n, "k")
      for (const id of ids) yield* assertConsistent(installation, node, id)
    })
  )
})

describe("an append that fails with a defect after it has written some of its wallets", () => {
  it.effect("fails none of those, though the log goes away right after", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      const ids = ["a", "b"]
      yield* Effect.forEach(ids, (id) => create(node, id))
      const partly: Faults.AppendFault = (_, commits) =>
        Effect.andThen(
          installation.log.append(commits.filter(({ walletId }) => walletId !== "b")),
          Effect.fail(Faults.defectiveLog)
        )
      node.log.appendFaults.push(partly)
      for (let n = 0; n < 200; n++) node.log.appendFaults.push(Faults.unavailable)
      const [a, b] = yield* Effect.forEach(ids, (id) => Effect.forkChild(Effect.result(credit(node, id, 5n, "k"))))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited"])
      assert.isUndefined(a!.pollUnsafe(), "the log has it")
      node.log.appendFaults.length = 0
      yield* TestClock.adjust("4 seconds")
      for (const caller of [a!, b!]) assert.isTrue(Result.isSuccess(yield* Fiber.join(caller)))
      for (const id of ids) yield* assertConsistent(installation, node, id)
    })
  )
})

describe("an append at a damaged stream after a lost answer", () => {
  const ids = ["a", "b", "c", "d"]

  /** The stream of `b` is damaged: no append that has it is answered but by a defect. */
  const damaged: Faults.AppendFault = (write, commits) =>
    commits.some(({ walletId }) => walletId === "b") ? Faults.defective(write, commits) : write

  const damage = (node: Node) => {
    for (let n = 0; n < 200; n++) node.log.appendFaults.push(damaged)
  }

  for (const [when, lost] of [
    ["had landed", Faults.loseAnswer],
    ["had not landed", Faults.loseRequest]
  ] as const) {
    for (const separate of [false, true]) {
      const stores = separate ? "two stores" : "one store"
      it.effect(`keeps that wallet waiting alone: the first ${when}, ${stores}`, () =>
        Effect.gen(function* () {
          const { installation, node } = yield* installNode({ separate, bounds: { appendsInFlight: 1 } })
          yield* Effect.forEach(ids, (id) => create(node, id))
          node.log.appendFaults.push(lost)
          damage(node)
          const [a, b, c, d] = yield* Effect.forEach(ids, (id) =>
            Effect.forkChild(Effect.result(credit(node, id, 5n, "k")))
          )
          yield* TestClock.adjust("1 second")
          for (const caller of [a!, c!, d!]) {
            const answer = caller.pollUnsafe()
            assert.isTrue(answer !== undefined && Exit.isSuccess(answer) && Result.isSuccess(answer.value))
          }
          assert.isUndefined(b!.pollUnsafe(), "it may be in the log")
          // Nor does it keep the place of an append, of which there is one.
          for (const id of ["a", "c", "d"]) assert.strictEqual((yield* credit(node, id, 1n, "next")).wallet.balance, 6n)
          yield* TestClock.adjust("10 seconds")
          const told = yield* Fiber.join(b!)
          assert.isTrue(Result.isFailure(told) && told.failure._tag === "OutcomeUnknown")
          node.log.appendFaults.length = 0
          yield* TestClock.adjust("2 seconds")
          const retry = yield* credit(node, "b", 5n, "k")
          assert.deepStrictEqual([retry.replayed, retry.wallet.balance], [true, 5n])
          yield* node.pipeline.flush
          for (const id of ids) yield* assertConsistent(installation, node, id)
        })
      )
    }
  }

  it.effect("keeps the checkpoint below what may still land", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* Effect.forEach(ids, (id) => create(node, id))
      yield* node.pipeline.flush
      const checkpoint = () => installation.state.checkpoints.get(node.owner)
      node.log.appendFaults.push(Faults.loseAnswer)
      damage(node)
      const callers = yield* Effect.forEach(ids, (id) => Effect.forkChild(Effect.result(credit(node, id, 5n, "k"))))
      yield* TestClock.adjust("1 second")
      const head = (yield* installation.log.head).position
      yield* credit(node, "a", 1n, "next")
      yield* node.pipeline.flush
      assert.isBelow(Number(checkpoint()), Number(head), "it has not passed the append")
      node.log.appendFaults.length = 0
      yield* TestClock.adjust("2 seconds")
      yield* Effect.forEach(callers, Fiber.join)
      yield* credit(node, "a", 1n, "last")
      yield* node.pipeline.flush
      yield* credit(node, "a", 1n, "afterwards")
      yield* node.pipeline.flush
      assert.isAbove(Number(checkpoint()), Number(head))
      for (const id of ids) yield* assertConsistent(installation, node, id)
    })
  )
})
