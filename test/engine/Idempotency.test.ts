import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { CaptureAnswer, CommandAnswer } from "../../src/engine/WalletEngine.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import { appended, create, credit, debit, waiting } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { assertConsistent, forgetful, install, installNode, quiet } from "../support/Installation.ts"

type Answer = CommandAnswer & Partial<CaptureAnswer>

/** One of every command, each with a key of its own: what was done, and how to do it again. */
interface Performed {
  readonly name: string
  readonly again: (node: Node) => Effect.Effect<Answer, { readonly _tag: string }>
  readonly first: Answer
}

/** What a replay must repeat. */
const told = ({ hold, transaction, wallet }: Answer) => {
  // A view: what an answer carries beside its own type is nobody's business.
  const { balance, createdAt, currency, held, id, metadata, overdraftLimit, ownerId, status, updatedAt, version } =
    wallet
  const view = { balance, createdAt, currency, held, id, metadata, overdraftLimit, ownerId, status, updatedAt, version }
  return { hold, transaction, wallet: view }
}

/** `afterEach`: what to do after each of the commands. */
const performAll = Effect.fnUntraced(function* (
  node: Node,
  afterEach: (performed: ReadonlyArray<Performed>) => Effect.Effect<void, { readonly _tag: string }> = () => Effect.void
) {
  const performed: Array<Performed> = []
  const perform = <A extends Answer>(
    name: string,
    again: (node: Node) => Effect.Effect<A, { readonly _tag: string }>
  ) =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 second")
      const first = yield* again(node)
      assert.isFalse(first.replayed, name)
      performed.push({ name, again, first })
      yield* afterEach(performed)
      return first
    })
  const a = { walletId: "a" }
  const metadata = { tier: "gold" }
  yield* perform("create", ({ engine }) =>
    engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", metadata, idempotencyKey: "create" })
  )
  yield* perform("credit", ({ engine }) =>
    engine.credit({ ...a, amount: 1_000n, reference: "salary", metadata, idempotencyKey: "credit" })
  )
  yield* perform("debit", ({ engine }) => engine.debit({ ...a, amount: 30n, idempotencyKey: "debit" }))
  const { hold } = yield* perform("hold", ({ engine }) =>
    engine.placeHold({ ...a, amount: 100n, expiresAt: 10_000_000, reference: "room", metadata, idempotencyKey: "hold" })
  )
  const held = { ...a, holdId: hold.id }
  yield* perform("capture in part", ({ engine }) =>
    engine.captureHold({ ...held, amount: 40n, idempotencyKey: "capture-1" })
  )
  yield* perform("capture finally", ({ engine }) =>
    engine.captureHold({ ...held, amount: 10n, final: true, idempotencyKey: "capture-2" })
  )
  const other = yield* perform("another hold", ({ engine }) =>
    engine.placeHold({ ...a, amount: 70n, idempotencyKey: "hold-2" })
  )
  yield* perform("release", ({ engine }) =>
    engine.releaseHold({ ...a, holdId: other.hold.id, idempotencyKey: "release" })
  )
  yield* perform("freeze", ({ engine }) => engine.freeze({ ...a, reason: "audit", idempotencyKey: "freeze" }))
  yield* perform("freeze a frozen one", ({ engine }) =>
    engine.freeze({ ...a, reason: "again", idempotencyKey: "freeze-2" })
  )
  yield* perform("unfreeze", ({ engine }) => engine.unfreeze({ ...a, idempotencyKey: "unfreeze" }))
  yield* perform("unfreeze an active one", ({ engine }) => engine.unfreeze({ ...a, idempotencyKey: "unfreeze-2" }))
  yield* perform("update both", ({ engine }) =>
    engine.updateWallet({ ...a, overdraftLimit: 500n, metadata: { tier: "base" }, idempotencyKey: "update" })
  )
  yield* perform("update metadata", ({ engine }) =>
    engine.updateWallet({ ...a, metadata: {}, idempotencyKey: "clear" })
  )
  yield* perform("update to what is there", ({ engine }) =>
    engine.updateWallet({ ...a, overdraftLimit: 500n, metadata: {}, idempotencyKey: "update-2" })
  )
  yield* perform("spend all", ({ engine }) => engine.debit({ ...a, amount: 920n, idempotencyKey: "spend" }))
  yield* perform("close", ({ engine }) => engine.close({ ...a, idempotencyKey: "close" }))
  return performed
})

/** Every command again, in any order: the first answers, and nothing new in the log. */
const replayAll = Effect.fnUntraced(function* (
  installation: Installation,
  node: Node,
  performed: ReadonlyArray<Performed>
) {
  const before = installation.events("a").length
  for (const { again, first, name } of performed.toReversed()) {
    const answer = yield* again(node)
    assert.isTrue(answer.replayed, name)
    assert.deepStrictEqual(told(answer), told(first), name)
  }
  assert.strictEqual(installation.events("a").length, before)
  yield* assertConsistent(installation, node, "a")
})

describe("every command, sent again with its key, has its first answer and no second effect", () => {
  it.effect("while its key is in memory", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      const performed = yield* performAll(node)
      yield* replayAll(installation, node, performed)
      assert.deepStrictEqual(node.persistence.keyQueries, [], "memory alone could tell")
    })
  )

  for (const [what, behindAt, tellsPast] of [
    ["", undefined, false],
    [", told by look-ups", undefined, true],
    [", also while Persistence has none of its holds yet", -1, false]
  ] as const) {
    it.effect(`whatever has happened since${what}`, () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ tellsPast })
        node.persistence.behindAt = behindAt
        yield* performAll(node, (performed) => replayAll(installation, node, performed))
      })
    )
  }

  it.effect("whatever has happened since, each time the wallet has come back from a snapshot", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { idleMillis: 5_000, snapshotMinimumEvents: 1 } })
      yield* performAll(node, (performed) =>
        Effect.gen(function* () {
          yield* quiet(node)
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(node.registry.load().residentWallets, 0)
          yield* replayAll(installation, node, performed)
        })
      )
      assert.strictEqual(installation.state.snapshots.get("a")?.length, installation.events("a").length - 1)
    })
  )

  it.effect("after a restart, from the whole log", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      const performed = yield* performAll(node)
      yield* node.stop
      yield* replayAll(installation, yield* installation.start(), performed)
    })
  )

  it.effect("after a restart, from a snapshot with some of the keys", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { snapshotEvents: 4, keysInSnapshot: 2 } })
      const performed = yield* performAll(node)
      yield* node.stop
      assert.isAbove(installation.state.snapshots.get("a")?.length ?? 0, 2)
      const next = yield* installation.start()
      yield* replayAll(installation, next, performed)
      assert.isAbove(next.persistence.keyQueries.length, 0)
    })
  )

  it.effect("after the wallet has left memory", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { idleMillis: 60_000, snapshotMinimumEvents: 2 } })
      const performed = yield* performAll(node)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(node.registry.load().residentWallets, 0)
      yield* replayAll(installation, node, performed)
    })
  )

  it.effect("after its key has left memory, by Persistence", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: { keysInMemory: 1 } })
      const performed = yield* performAll(node)
      assert.deepStrictEqual(node.persistence.keyQueries, [], "a new key leaves no doubt")
      yield* replayAll(installation, node, performed)
      assert.strictEqual(node.persistence.keyQueries.length, performed.length - 1, "all but the last one's")
    })
  )

  it.effect("after its key has left memory without a trace, by Persistence", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: forgetful })
      const performed = yield* performAll(node)
      assert.deepStrictEqual(node.persistence.keyQueries, [], "the append itself told that they are new")
      yield* replayAll(installation, node, performed)
      assert.strictEqual(node.persistence.keyQueries.length, performed.length - 1, "all but the last one's")
    })
  )

  for (const behindAt of [-1, 0, 4, 11]) {
    for (const [traces, bounds] of [
      ["a trace", { keysInMemory: 1 }],
      ["no trace", forgetful]
    ] as const) {
      it.effect(`when Persistence is behind, at version ${behindAt}, and memory has ${traces}, by the log`, () =>
        Effect.gen(function* () {
          const { installation, node } = yield* installNode({ bounds })
          node.persistence.behindAt = behindAt
          const performed = yield* performAll(node)
          yield* replayAll(installation, node, performed)
        })
      )
    }
  }

  it.effect("after the process was killed between the append and its answer", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const never = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.answerHeldUntil(never))
      yield* Effect.forkChild(credit(node, "a", 5n, "k"))
      yield* appended(node, 2)
      node.log.kill()
      const next = yield* installation.start()
      const answer = yield* credit(next, "a", 5n, "k")
      assert.deepStrictEqual([answer.replayed, answer.wallet.balance], [true, 5n])
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited"])
      yield* assertConsistent(installation, next, "a")
    })
  )
})

describe("a key used for another command", () => {
  for (const [where, bounds, behindAt] of [
    ["memory", {}, undefined],
    ["Persistence", forgetful, undefined],
    ["the log alone", forgetful, -1]
  ] as const) {
    it.effect(`is refused when ${where} knows it, and nothing happens`, () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ bounds })
        node.persistence.behindAt = behindAt
        yield* create(node, "a")
        yield* credit(node, "a", 5n, "k")
        yield* credit(node, "a", 1n, "k2")
        for (const other of [credit(node, "a", 6n, "k"), debit(node, "a", 5n, "k")]) {
          assert.strictEqual((yield* Effect.flip(other))._tag, "IdempotencyKeyReused")
        }
        assert.strictEqual(installation.events("a").length, 3)
        yield* assertConsistent(installation, node, "a")
      })
    )
  }

  it.effect("in the same batch is refused, and the first one stands", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const opening = yield* Effect.forkChild(credit(node, "a", 1n, "opening"))
      yield* appended(node, 2)
      const first = yield* Effect.forkChild(credit(node, "a", 5n, "k"))
      const other = yield* Effect.forkChild(Effect.flip(credit(node, "a", 6n, "k")))
      yield* waiting(node, 2)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(opening)
      assert.strictEqual((yield* Fiber.join(first)).wallet.balance, 6n)
      assert.strictEqual((yield* Fiber.join(other))._tag, "IdempotencyKeyReused")
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("of another wallet is another key", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      yield* create(node, "a")
      yield* create(node, "b")
      yield* credit(node, "a", 5n, "k")
      assert.isFalse((yield* credit(node, "b", 6n, "k")).replayed)
    })
  )
})

describe("the same command at the same time", () => {
  it.effect("joins the first, in one batch and across batches", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const callers = [yield* Effect.forkChild(credit(node, "a", 1n, "first"))]
      yield* appended(node, 2)
      for (const key of ["first", "second", "second", "first", "second"]) {
        callers.push(yield* Effect.forkChild(credit(node, "a", 1n, key)))
      }
      yield* waiting(node, 5)
      yield* Deferred.succeed(gate, undefined)
      const answers = yield* Effect.forEach(callers, Fiber.join)
      assert.deepStrictEqual(
        answers.map(({ replayed }) => replayed),
        [false, true, false, true, true, true]
      )
      assert.deepStrictEqual(
        answers.map(({ transaction }) => transaction.version),
        [1, 1, 2, 2, 1, 2]
      )
      for (const [one, other] of [
        [0, 1],
        [0, 4],
        [2, 3],
        [2, 5]
      ] as const) {
        assert.deepStrictEqual(answers[other]?.transaction, answers[one]?.transaction)
      }
      assert.strictEqual(installation.events("a").length, 3)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("is looked up once for a whole batch", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: forgetful })
      yield* create(node, "a")
      yield* credit(node, "a", 1n, "old")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const opening = yield* Effect.forkChild(credit(node, "a", 1n, "opening"))
      yield* appended(node, 3)
      const keyQueries = node.persistence.keyQueries.length
      const keys = ["k1", "old", "k2", "k1", "opening"]
      const callers = yield* Effect.forkChild(
        Effect.forEach(keys, (key) => credit(node, "a", 1n, key), { concurrency: "unbounded" })
      )
      yield* waiting(node, keys.length)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(opening)
      assert.deepStrictEqual(
        (yield* Fiber.join(callers)).map(({ replayed }) => replayed),
        [false, true, false, true, true]
      )
      assert.strictEqual(node.persistence.keyQueries.length, keyQueries + 1)
      assert.deepStrictEqual([...new Set(node.persistence.keyQueries.at(-1))], ["c:k1", "c:old", "c:k2"])
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("a key", () => {
  it.effect("of a rejected command may be used again, and then succeed", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      assert.strictEqual((yield* Effect.flip(debit(node, "a", 5n, "k")))._tag, "InsufficientFunds")
      yield* credit(node, "a", 9n, "top-up")
      const answer = yield* debit(node, "a", 5n, "k")
      assert.deepStrictEqual([answer.replayed, answer.wallet.balance], [false, 4n])
      assert.isTrue((yield* debit(node, "a", 5n, "k")).replayed)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("that nobody can look up is unavailable, never unseen", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: forgetful })
      yield* create(node, "a")
      yield* credit(node, "a", 5n, "k")
      yield* credit(node, "a", 1n, "k2")
      const away = new StoreUnavailable({ store: "persistence", reason: "scripted", retryAfter: 1 })
      node.persistence.keyFaults.push(() => Effect.fail(away))
      assert.strictEqual((yield* Effect.flip(credit(node, "a", 5n, "k")))._tag, "StoreUnavailable")
      assert.strictEqual(installation.events("a").length, 3)
      assert.isTrue((yield* credit(node, "a", 5n, "k")).replayed)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("counts for ever", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ bounds: forgetful })
      yield* create(node, "a")
      yield* credit(node, "a", 5n, "old")
      yield* credit(node, "a", 1n, "k")
      yield* TestClock.adjust("9 minutes")
      yield* credit(node, "a", 1n, "young")
      assert.isTrue((yield* credit(node, "a", 5n, "old")).replayed)
      assert.strictEqual(installation.events("a").length, 4)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("gives a wallet created without an id its id, so that the retry meets the same wallet", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      const input = { ownerId: "o", currency: "EUR", idempotencyKey: "k" }
      const first = yield* node.engine.createWallet(input)
      const again = yield* node.engine.createWallet(input)
      assert.deepStrictEqual([first.replayed, again.replayed], [false, true])
      assert.deepStrictEqual(told(again), told(first))
      assert.strictEqual(installation.state.streams.size, 1)
      const other = yield* Effect.flip(node.engine.createWallet({ ...input, currency: "CZK" }))
      assert.strictEqual(other._tag, "IdempotencyKeyReused")
      const next = yield* node.engine.createWallet({ ...input, idempotencyKey: "k2" })
      assert.notStrictEqual(next.wallet.id, first.wallet.id)
    })
  )

  it.effect("of a freeze that changes nothing is used up by it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* node.engine.freeze({ walletId: "a", idempotencyKey: "k1" })
      const idle = yield* node.engine.freeze({ walletId: "a", idempotencyKey: "k2" })
      assert.deepStrictEqual([idle.replayed, idle.wallet.status, idle.wallet.version], [false, "frozen", 2])
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletFrozen", "NothingChanged"])
      const other = yield* Effect.flip(node.engine.unfreeze({ walletId: "a", idempotencyKey: "k2" }))
      assert.strictEqual(other._tag, "IdempotencyKeyReused")
      yield* quiet(node)
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("a malformed command", () => {
  it.effect("is refused before any wallet is asked", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const node = yield* installation.start()
      const bad = [
        credit(node, "a", 1n, ""),
        credit(node, "a", 1n, "ключ"),
        credit(node, "a", 1n, "x".repeat(256)),
        credit(node, "a b", 1n, "k"),
        credit(node, "x".repeat(65), 1n, "k"),
        node.engine.credit({ walletId: "a", amount: 1n, idempotencyKey: "k", actor: "\u0000" })
      ]
      for (const call of bad) assert.strictEqual((yield* Effect.flip(call))._tag, "InvalidRequest")
      assert.strictEqual(node.log.reads.length, 0)
      assert.strictEqual(node.registry.load().residentWallets, 0)
    })
  )
})
