/** Policies in the engine: what they stop, what they do not see, and what becomes of what they know. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Policies from "../../src/domain/Policies.ts"
import type { Policy } from "../../src/domain/Policy.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { create, credit, debit, waiting } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { assertConsistent, forgetful, installNode, type Node } from "../support/Installation.ts"

const velocity = Policies.velocity({ amount: 100n, per: "1 hour" })

const tag = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), (error) => error._tag)

/** A wallet with 1,000 from which 100 have been spent. */
const spent = Effect.fnUntraced(function* (node: Node) {
  yield* create(node, "a")
  yield* credit(node, "a", 1_000n, "1")
  yield* debit(node, "a", 60n, "2")
  yield* debit(node, "a", 40n, "3")
})

for (const separate of [false, true]) {
  describe(`policies (${separate ? "two stores" : "one database"})`, () => {
    it.effect("stop a command and not its replay, and a rejection uses no key", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate, policy: velocity, bounds: forgetful })
        yield* spent(node)
        assert.deepInclude<object>(yield* Effect.flip(debit(node, "a", 1n, "4")), {
          _tag: "PolicyRejected",
          walletId: "a",
          policy: "velocity",
          reason: "100 of 100 within 1h are spent, 1 asked"
        })
        assert.isTrue((yield* debit(node, "a", 60n, "2")).replayed)
        yield* TestClock.adjust("2 hours")
        assert.isFalse((yield* debit(node, "a", 1n, "4")).replayed)
        yield* assertConsistent(installation, node, "a")
      })
    )

    it.effect("judge each command of a batch on those before it", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate, policy: [velocity] })
        yield* create(node, "a")
        const open = yield* Deferred.make<void>()
        node.log.appendFaults.push(Faults.heldUntil(open))
        const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })
        const first = yield* fork(credit(node, "a", 1_000n, "first"))
        const dry = yield* fork(node.engine.debit({ walletId: "a", amount: 70n, dryRun: true }))
        const done = yield* fork(debit(node, "a", 70n, "1"))
        const over = yield* fork(tag(debit(node, "a", 31n, "2")))
        const within = yield* fork(debit(node, "a", 30n, "3"))
        yield* waiting(node, 4)
        yield* Deferred.succeed(open, undefined)
        yield* Fiber.join(first)
        assert.isTrue((yield* Fiber.join(dry)).dryRun)
        yield* Fiber.join(done)
        assert.strictEqual(yield* Fiber.join(over), "PolicyRejected")
        yield* Fiber.join(within)
        assert.deepStrictEqual(installation.types("a").slice(2), ["WalletDebited", "WalletDebited"])
        assert.strictEqual(yield* tag(node.engine.debit({ walletId: "a", amount: 1n, dryRun: true })), "PolicyRejected")
      })
    )

    it.effect("keep what they know over a restart, from a snapshot or without one", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate, policy: velocity })
        yield* spent(node)
        node.kill()
        const second = yield* installation.start({ snapshotMinimumEvents: 1 })
        assert.strictEqual(yield* tag(debit(second, "a", 1n, "4")), "PolicyRejected")
        yield* second.stop
        assert.lengthOf(installation.state.snapshots.get("a") ?? [], 1)
        const third = yield* installation.start()
        assert.strictEqual(yield* tag(debit(third, "a", 1n, "5")), "PolicyRejected")
        yield* credit(third, "a", 1n, "6")
        yield* third.stop
      })
    )

    it.effect("of the destination reverse a transfer, and those of the source stop it", () =>
      Effect.gen(function* () {
        const policy = [velocity, Policies.maxBalance({ amount: 1_000n })]
        const { installation, node } = yield* installNode({ separate, policy })
        yield* create(node, "a")
        yield* create(node, "b")
        yield* credit(node, "a", 1_000n, "1")
        yield* credit(node, "b", 950n, "1")
        const send = (amount: bigint, idempotencyKey: string) => ({ from: "a", to: "b", amount, idempotencyKey })
        assert.strictEqual(yield* tag(node.engine.transfer(send(101n, "t1"))), "PolicyRejected")
        const dry = yield* Effect.flip(node.engine.transfer({ ...send(51n, "t2"), dryRun: true }))
        const reversed = yield* Effect.flip(node.engine.transfer(send(51n, "t2")))
        const reason =
          "PolicyRejected: policy maxBalance of wallet b: the balance would be up to 1001, at most 1000 may it be"
        assert.deepInclude<object>(dry, { _tag: "TransferReversed", reason })
        assert.deepInclude<object>(reversed, { _tag: "TransferReversed", reason, replayed: false })
        assert.deepStrictEqual(installation.types("b").slice(2), ["TransferRefused"])
        yield* node.engine.transfer(send(49n, "t3"))
        yield* assertConsistent(installation, node, "a")
        yield* assertConsistent(installation, node, "b")
      })
    )

    it.effect("judge legs one by one, at their home and at the other wallets", () =>
      Effect.gen(function* () {
        const policy = [velocity, Policies.maxBalance({ amount: 1_000n })]
        const { installation, node } = yield* installNode({ separate, policy })
        for (const id of ["a", "b", "c"]) yield* create(node, id)
        yield* credit(node, "a", 1_000n, "1")
        yield* credit(node, "b", 990n, "1")
        const leg = (from: string, to: string, amount: bigint) => ({ from, to, amount })
        const atHome = yield* Effect.flip(
          node.engine.transfer({
            legs: [leg("a", "c", 60n), leg("c", "a", 50n), leg("a", "c", 41n)],
            idempotencyKey: "l1"
          })
        )
        assert.deepInclude<object>(atHome, { _tag: "PolicyRejected", policy: "velocity", leg: 2, walletId: "a" })
        const elsewhere = yield* Effect.flip(
          node.engine.transfer({
            legs: [leg("a", "c", 10n), leg("a", "b", 5n), leg("c", "b", 6n)],
            idempotencyKey: "l2"
          })
        )
        assert.deepInclude<object>(elsewhere, { _tag: "TransferReversed", leg: 2 })
        yield* node.engine.transfer({
          legs: [leg("a", "b", 10n), leg("b", "c", 90n), leg("a", "b", 90n)],
          idempotencyKey: "l3"
        })
        assert.strictEqual(yield* tag(debit(node, "a", 1n, "2")), "PolicyRejected")
        for (const id of ["a", "b", "c"]) yield* assertConsistent(installation, node, id)
      })
    )
  })
}

const touchy = (thrown: { count: number }): Policy => ({
  name: "touchy",
  version: "1",
  judge: (_wallet, command) => {
    if ("amount" in command && command.amount === 13n) {
      thrown.count++
      throw new Error("thirteen")
    }
    return undefined
  }
})

describe("a policy that throws", () => {
  it.effect("fails its command, and nothing else suffers", () =>
    Effect.gen(function* () {
      const thrown = { count: 0 }
      const { installation, node } = yield* installNode({ policy: touchy(thrown) })
      yield* create(node, "a")
      const open = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(open))
      const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })
      const first = yield* fork(credit(node, "a", 50n, "1"))
      const unlucky = yield* fork(Effect.flip(debit(node, "a", 13n, "2")))
      const next = yield* fork(debit(node, "a", 14n, "3"))
      yield* waiting(node, 2)
      yield* Deferred.succeed(open, undefined)
      yield* Fiber.join(first)
      assert.deepInclude<object>(yield* Fiber.join(unlucky), { _tag: "PolicyDefect", walletId: "a", policy: "touchy" })
      assert.strictEqual((yield* Fiber.join(next)).wallet.balance, 36n)
      assert.strictEqual(thrown.count, 1)
      assert.lengthOf(
        node.logged.filter((line) => line.includes("policy touchy has thrown") && line.includes("thirteen")),
        1
      )
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("at a destination ends the transfer, with the money back", () =>
    Effect.gen(function* () {
      const policy: Policy = {
        ...touchy({ count: 0 }),
        judge: (_wallet, command) => {
          if (command._tag === "ReceiveTransfer") throw new Error("receives")
          return undefined
        }
      }
      const { installation, node } = yield* installNode({ policy })
      yield* create(node, "a")
      yield* create(node, "b")
      yield* credit(node, "a", 50n, "1")
      const one = yield* Effect.flip(node.engine.transfer({ from: "a", to: "b", amount: 1n, idempotencyKey: "t" }))
      assert.deepInclude<object>(one, {
        _tag: "TransferReversed",
        reason: "PolicyDefect: policy touchy could not judge; it has been logged"
      })
      const legs = [
        { from: "a", to: "b", amount: 1n },
        { from: "a", to: "b", amount: 2n }
      ]
      assert.strictEqual(yield* tag(node.engine.transfer({ legs, idempotencyKey: "l" })), "TransferReversed")
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).available, 50n)
      yield* assertConsistent(installation, node, "b")
    })
  )

  it.effect("when it folds an event fails the command, and of the engine's own events none", () =>
    Effect.gen(function* () {
      const policy: Policy<number> = {
        name: "fragile",
        version: "1",
        facts: {
          initial: 0,
          fold: (count, { event }) => {
            if (event._tag === "HoldExpired" || ("amount" in event && event.amount === 13n)) throw new Error("folds")
            return count + 1
          },
          maxBytes: 100
        },
        judge: () => undefined
      }
      const { installation, node } = yield* installNode({ policy, bounds: { snapshotMinimumEvents: 1 } })
      yield* create(node, "a")
      yield* credit(node, "a", 50n, "1")
      assert.strictEqual(yield* tag(debit(node, "a", 13n, "2")), "PolicyDefect")
      yield* debit(node, "a", 12n, "2")
      const expiresAt = 1_000
      yield* node.engine.placeHold({ walletId: "a", amount: 5n, expiresAt, idempotencyKey: "3" })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(installation.types("a").at(-1), "HoldExpired")
      assert.strictEqual(yield* tag(debit(node, "a", 1n, "4")), "PolicyDefect")
      yield* node.stop
      const second = yield* installation.start()
      assert.strictEqual(yield* tag(debit(second, "a", 1n, "4")), "PolicyDefect")
      yield* second.stop
      const mended = {
        ...policy,
        version: "2",
        facts: { ...policy.facts!, fold: (count: number) => count + 1 }
      }
      const third = yield* installation.start({}, mended)
      yield* debit(third, "a", 1n, "4")
    })
  )
})

describe("a new version of a policy", () => {
  /** It counts what it folds, of all wallets. */
  const counting = (version: string, reachMillis?: number) => {
    const folds = { count: 0 }
    const policy: Policy<number> = {
      name: "counting",
      version,
      facts: {
        initial: 0,
        fold: (count) => {
          folds.count++
          return count + 1
        },
        maxBytes: 100,
        reachMillis
      },
      judge: () => undefined
    }
    return { folds, policy }
  }

  /** 300 events, a second apart, the last snapshot at the end. */
  const history = Effect.gen(function* () {
    const { installation, node } = yield* installNode({ policy: counting("1").policy })
    yield* create(node, "a")
    for (let index = 1; index < 300; index++) {
      yield* TestClock.adjust("1 second")
      yield* credit(node, "a", 1n, `c${index}`)
    }
    yield* node.stop
    assert.strictEqual(installation.state.snapshots.get("a")?.at(-1)?.version, 299)
    return installation
  })

  it.effect("folds a wallet's history once, and as far as it reaches", () =>
    Effect.gen(function* () {
      const installation = yield* history
      const asBefore = counting("1")
      const first = yield* installation.start({}, asBefore.policy)
      yield* first.engine.getWallet({ walletId: "a" })
      assert.strictEqual(asBefore.folds.count, 0)
      yield* first.stop
      const whole = counting("2")
      const second = yield* installation.start({}, whole.policy)
      yield* second.engine.getWallet({ walletId: "a" })
      assert.strictEqual(whole.folds.count, 300)
      yield* second.stop
      const again = counting("2")
      const third = yield* installation.start({}, again.policy)
      yield* third.engine.getWallet({ walletId: "a" })
      assert.strictEqual(again.folds.count, 0)
      yield* third.stop
      const near = counting("3", 10_000)
      const fourth = yield* installation.start({}, near.policy)
      yield* fourth.engine.getWallet({ walletId: "a" })
      assert.strictEqual(near.folds.count, 11)
    })
  )

  it.effect("knows what the events say that no snapshot of its own has: an engine without policies keeps none", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ policy: velocity, bounds: { snapshotMinimumEvents: 1 } })
      yield* spent(node)
      yield* node.stop
      const plain = yield* installation.start({}, [])
      yield* credit(plain, "a", 1n, "4")
      yield* plain.stop
      const last = installation.state.snapshots.get("a")?.at(-1)
      assert.deepStrictEqual([last?.version, last?.data.includes("facts")], [4, false])
      const judging = yield* installation.start()
      assert.strictEqual(yield* tag(debit(judging, "a", 1n, "5")), "PolicyRejected")
    })
  )
})

describe("the layers", () => {
  it.effect("take a policy, and two of one name are a defect", () =>
    Effect.gen(function* () {
      const policy = Policies.allowedTypes({ types: ["credit"] })
      const open = Effect.gen(function* () {
        const engine = yield* WalletEngine
        yield* engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "1" })
        yield* engine.credit({ walletId: "a", amount: 1n, idempotencyKey: "2" })
        return yield* tag(engine.debit({ walletId: "a", amount: 1n, idempotencyKey: "3" }))
      })
      assert.strictEqual(yield* Effect.provide(open, WalletEngine.layerMemoryWith({ policy })), "PolicyRejected")
      const twice = yield* Effect.exit(Effect.provide(open, WalletEngine.layerMemoryWith({ policy: [policy, policy] })))
      assert.match(String(twice), /two policies are called allowedTypes/)
    })
  )
})
