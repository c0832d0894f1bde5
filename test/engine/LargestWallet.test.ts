import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { verify } from "../../src/engine/verify/Verify.ts"
import { EventStore, maxSnapshotBytes, type Snapshot } from "../../src/stores/EventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/memory/MemoryReadModel.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { ReadModel } from "../../src/stores/ReadModel.ts"
import { create, credit } from "../support/EngineCalls.ts"
import { install, installNode } from "../support/Installation.ts"
import { largestWallet } from "./largestWallet.ts"

describe("a wallet as large as it may be", () => {
  it.live("is refused more, leaves memory, and comes back", () => Effect.provide(largestWallet, MemoryStores.layer()))

  it.effect("may become smaller though it is above a bound that has come later", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const before = yield* installation.start()
      const metadata = { a: "x".repeat(500), b: "x".repeat(500) }
      yield* before.engine.createWallet({
        id: "a",
        ownerId: "o",
        currency: "EUR",
        metadata,
        idempotencyKey: "create"
      })
      yield* before.stop
      const { engine } = yield* installation.start({ limits: { stateBytes: 1_000 } })
      const update = (idempotencyKey: string, metadata: Record<string, string>) =>
        engine.updateWallet({ walletId: "a", metadata, idempotencyKey })
      assert.strictEqual((yield* Effect.flip(update("more", { ...metadata, c: "" })))._tag, "LimitExceeded")
      yield* update("less", { a: metadata.a.slice(1), b: metadata.b })
      yield* engine.credit({ walletId: "a", amount: 5n, idempotencyKey: "credit" })
      const hold = { walletId: "a", amount: 1n, idempotencyKey: "hold" }
      const error = yield* Effect.flip(engine.placeHold(hold))
      assert.strictEqual(
        error.message,
        "the state of holds, transfers in flight and metadata of wallet a would be 1936 bytes; its bound is 1000"
      )
      yield* update("little", {})
      yield* engine.placeHold(hold)
    })
  )

  it.effect("is loaded from its events where its snapshot would be too long, which is said once", () =>
    Effect.gen(function* () {
      const bounds = { limits: { stateBytes: Number.MAX_SAFE_INTEGER }, snapshotEvents: 10, snapshotMinimumEvents: 1 }
      const { installation, node } = yield* installNode({ bounds })
      yield* create(node, "a")
      yield* credit(node, "a", 1_000n, "credit")
      const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${n}`, "\u0001".repeat(512)]))
      for (let n = 0; n < 120; n++) {
        yield* node.engine.placeHold({ walletId: "a", amount: 1n, metadata, idempotencyKey: `hold-${n}` })
      }
      yield* node.stop
      assert.lengthOf(
        node.logged.filter((line) => line.includes("wallet a is too large for a snapshot")),
        1
      )
      const { differences } = yield* verify({ lagMillis: 0 }).pipe(
        Effect.provideService(EventStore, installation.log),
        Effect.provideService(Persistence, MemoryPersistence.make(installation.state)),
        Effect.provideService(ReadModel, MemoryReadModel.make(installation.state))
      )
      assert.deepStrictEqual(
        differences.map(({ expected, walletId, what }) => [walletId, what, expected]),
        [["a", "bytes of the state", `at most ${maxSnapshotBytes}`]]
      )
    })
  )
})

describe("a wallet that cannot be loaded", () => {
  it.effect("is named once in the log, and by health while the others are served", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const before = yield* installation.start()
      for (const id of ["a", "b"]) yield* create(before, id)
      yield* before.stop
      const node = yield* installation.start()
      installation.broken.add(installation.events("a")[0]!.id)
      for (let tries = 0; tries < 3; tries++) {
        assert.strictEqual((yield* Effect.flip(credit(node, "a", 1n, "k")))._tag, "EventUnreadable")
      }
      yield* credit(node, "b", 1n, "k")
      const named = () => node.logged.filter((line) => line.includes("wallet a cannot be loaded"))
      assert.lengthOf(named(), 1)
      const health = yield* node.engine.health
      assert.isTrue(health.ready)
      const [log] = health.checks
      assert.strictEqual(log?.status, "degraded")
      assert.match(log?.detail ?? "", /^1 wallets cannot be loaded \(a: .+\)$/)
      installation.broken.clear()
      yield* credit(node, "a", 1n, "k")
      assert.strictEqual((yield* node.engine.health).checks[0]?.status, "ok")
    })
  )

  it.effect("is not named for a store that is away for all", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const before = yield* installation.start()
      for (const id of ["a", "b"]) yield* create(before, id)
      yield* before.stop
      const node = yield* installation.start({ callerWaitMillis: 1_000 })
      node.kill()
      for (let tries = 0; tries < 5; tries++) {
        const waiting = yield* Effect.forkChild(Effect.exit(credit(node, "a", 1n, "k")))
        yield* TestClock.adjust("5 seconds")
        assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
      }
      assert.lengthOf(
        node.logged.filter((line) => line.includes("cannot be loaded")),
        0
      )
    })
  )

  it.effect("starts from its events where the store cannot read its snapshot", () =>
    Effect.gen(function* () {
      const installation = yield* install({ bounds: { snapshotEvents: 10 } })
      const before = yield* installation.start()
      yield* create(before, "a")
      for (let n = 0; n < 20; n++) yield* credit(before, "a", 1n, `k${n}`)
      yield* before.stop
      const long = (snapshot: Snapshot): Snapshot => ({ ...snapshot, data: "x".repeat(maxSnapshotBytes + 1) })
      installation.state.snapshots.set("a", (installation.state.snapshots.get("a") ?? []).map(long))
      const node = yield* installation.start()
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 20n)
    })
  )
})
