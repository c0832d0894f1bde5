/** Dry runs and commands for one version, as the library has them. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { create, credit, debit, waiting } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { assertConsistent, forgetful, installNode } from "../support/Installation.ts"

const nothing = { committed: false, persisted: false, indexed: false }

for (const separate of [false, true]) {
  describe(`a dry run (${separate ? "two stores" : "one database"})`, () => {
    it.effect("sees what stands before it in line, and what stands behind does not see it", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
        yield* create(node, "a")
        const open = yield* Deferred.make<void>()
        node.log.appendFaults.push(Faults.heldUntil(open))
        const first = yield* Effect.forkChild(credit(node, "a", 1n, "first"), { startImmediately: true })
        const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })
        const batch = [
          yield* fork(credit(node, "a", 10n, "1")),
          yield* fork(node.engine.debit({ walletId: "a", amount: 11n, dryRun: true })),
          yield* fork(node.engine.debit({ walletId: "a", amount: 12n, dryRun: true }).pipe(Effect.flip)),
          yield* fork(debit(node, "a", 11n, "2")),
          yield* fork(node.engine.credit({ walletId: "a", amount: 10n, dryRun: true, idempotencyKey: "1" }))
        ] as const
        yield* waiting(node, 5)
        yield* Deferred.succeed(open, undefined)
        yield* Fiber.join(first)
        const dry = yield* Fiber.join(batch[1])
        assert.isTrue(dry.dryRun)
        assert.deepStrictEqual([dry.wallet.balance, dry.wallet.version, dry.transaction.id], [0n, 3, null])
        assert.deepStrictEqual(dry.durability, nothing)
        const short = yield* Fiber.join(batch[2])
        assert.deepInclude<object>(short, { _tag: "InsufficientFunds", available: 11n, required: 12n, currency: "EUR" })
        const real = yield* Fiber.join(batch[3])
        assert.deepStrictEqual([real.wallet.balance, real.wallet.version], [0n, 3])
        // In the batch of the first of its key it is answered as its replay.
        const replayed = yield* Fiber.join(batch[4])
        assert.deepStrictEqual([replayed.replayed, replayed.dryRun, replayed.wallet.version], [true, undefined, 2])
        assert.deepStrictEqual(installation.types("a"), [
          "WalletCreated",
          "WalletCredited",
          "WalletCredited",
          "WalletDebited"
        ])
        yield* assertConsistent(installation, node, "a")
      })
    )

    it.effect("with a key that memory has let go is answered as its replay", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate, bounds: forgetful })
        yield* create(node, "a")
        const first = yield* credit(node, "a", 10n, "1")
        yield* credit(node, "a", 10n, "2")
        yield* credit(node, "a", 10n, "3")
        const ask = (amount: bigint) => node.engine.credit({ walletId: "a", amount, idempotencyKey: "1", dryRun: true })
        assert.deepStrictEqual<object>(yield* ask(10n), { ...first, replayed: true })
        assert.strictEqual((yield* Effect.flip(ask(11n)))._tag, "IdempotencyKeyReused")
        const fresh = yield* node.engine.credit({ walletId: "a", amount: 1n, idempotencyKey: "new", dryRun: true })
        assert.isTrue(fresh.dryRun)
        const unkeyed = yield* node.engine.credit({ walletId: "a", amount: 1n, dryRun: true })
        assert.isTrue(unkeyed.dryRun)
        assert.lengthOf(installation.events("a"), 4)
      })
    )

    it.effect("of a transfer tells what its source and its destination would say", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
        yield* create(node, "a")
        yield* create(node, "b")
        yield* credit(node, "a", 10n, "1")
        const ask = { from: "a", to: "b", amount: 7n, dryRun: true } as const
        const dry = yield* node.engine.transfer(ask)
        assert.deepInclude<object>(dry.transfer, { id: null, from: "a", to: "b", amount: 7n, status: "completed" })
        assert.deepStrictEqual([dry.dryRun, dry.durability], [true, nothing])
        const done = yield* node.engine.transfer({ from: "a", to: "b", amount: 7n, idempotencyKey: "t" })
        const replayed = yield* node.engine.transfer({ ...ask, idempotencyKey: "t" })
        assert.deepStrictEqual<object>(replayed, { ...done, replayed: true })
        const other = yield* Effect.flip(node.engine.transfer({ ...ask, amount: 8n, idempotencyKey: "t" }))
        assert.strictEqual(other._tag, "IdempotencyKeyReused")
        assert.strictEqual((yield* Effect.flip(node.engine.transfer(ask)))._tag, "InsufficientFunds")
        assert.deepStrictEqual(installation.types("b"), ["WalletCreated", "TransferReceived"])
      })
    )
  })
}

describe("a command for one version", () => {
  it.effect("is refused at any other, by the state that its batch has come to", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const open = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(open))
      const first = yield* Effect.forkChild(credit(node, "a", 1n, "first"), { startImmediately: true })
      const asked = yield* Effect.forEach([0, 1, 1, 2], (ifVersion, n) =>
        Effect.forkChild(
          Effect.result(node.engine.credit({ walletId: "a", amount: 1n, idempotencyKey: `${n}`, ifVersion })),
          { startImmediately: true }
        )
      )
      yield* waiting(node, 4)
      yield* Deferred.succeed(open, undefined)
      yield* Fiber.join(first)
      const told = yield* Effect.forEach(asked, Fiber.join)
      assert.deepStrictEqual(
        told.map((one) =>
          one._tag === "Success"
            ? one.success.wallet.version
            : [one.failure._tag, one.failure._tag === "VersionMismatch" && one.failure.version]
        ),
        [["VersionMismatch", 1], 2, ["VersionMismatch", 2], 3]
      )
      assert.lengthOf(installation.events("a"), 4)
    })
  )

  it.effect("is looked up in the log by an owner that has not heard of that version", () =>
    Effect.gen(function* () {
      for (const separate of [false, true]) {
        const { installation, node } = yield* installNode({ separate })
        yield* create(node, "a")
        yield* credit(node, "a", 1n, "1")
        const next = yield* installation.start()
        const { wallet } = yield* credit(next, "a", 1n, "2")
        const { version } = wallet
        assert.strictEqual(version, 2)
        // The one that was replaced does not answer with a state that its caller knows to be over.
        const error = yield* Effect.flip(
          node.engine.credit({ walletId: "a", amount: 1n, idempotencyKey: "3", ifVersion: version })
        )
        assert.notStrictEqual(error._tag, "VersionMismatch")
        const done = yield* next.engine.credit({ walletId: "a", amount: 1n, idempotencyKey: "3", ifVersion: version })
        assert.strictEqual(done.wallet.version, version + 1)
      }
    })
  )
})

describe("a malformed command", () => {
  it.effect("is told all that is wrong with it", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      const error = yield* Effect.flip(
        node.engine.credit({
          walletId: "a b",
          amount: 0n,
          reference: "x".repeat(256),
          idempotencyKey: "",
          ifVersion: -1,
          await: "never" as "persisted"
        })
      )
      assert.strictEqual(error._tag, "InvalidRequest")
      if (error._tag !== "InvalidRequest") return
      assert.deepStrictEqual(
        error.errors.map(({ pointer }) => pointer),
        ["/idempotencyKey", "/await", "/ifVersion", "/walletId", "/amount", "/reference"]
      )
      assert.match(error.detail, /^idempotencyKey: /)
    })
  )

  it.effect("tells what a limit is, and what there is", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode({ bounds: { limits: { stateBytes: 1_000 } } })
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "1")
      yield* node.engine.placeHold({ walletId: "a", amount: 1n, idempotencyKey: "h1" })
      const error = yield* Effect.flip(
        node.engine.placeHold({ walletId: "a", amount: 1n, idempotencyKey: "h2", metadata: { a: "b".repeat(500) } })
      )
      assert.deepInclude<object>(error, { _tag: "LimitExceeded", limit: "stateBytes", bound: 1_000n })
      if (error._tag === "LimitExceeded") assert.isTrue(error.current > 0n && error.current <= error.bound)
    })
  )
})
