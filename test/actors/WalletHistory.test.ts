import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { ActorBounds } from "../../src/actors/ActorBounds.ts"
import type { Snapshot } from "../../src/stores/EventStore.ts"
import { create, credit, foreignCredit, writeForeign } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Installation } from "../support/Installation.ts"
import { assertConsistent, install, installNode, quiet } from "../support/Installation.ts"

const bounds: Partial<ActorBounds> = { snapshotEvents: 10, snapshotMinimumEvents: 1_000 }

/** Wallet `a` with 35 events, a second between them, by a node that is gone. */
const withHistory = Effect.fnUntraced(function* () {
  const installation = yield* install({ bounds })
  const node = yield* installation.start()
  yield* create(node, "a")
  for (let n = 1; n < 35; n++) {
    yield* TestClock.adjust("1 second")
    yield* credit(node, "a", 1n, `k${n}`)
  }
  yield* quiet(node)
  yield* node.stop
  return installation
})

const snapshotVersions = (installation: Installation) =>
  installation.state.snapshots.get("a")?.map(({ version }) => version)

describe("an activation", () => {
  it.effect("starts from the latest of the regular snapshots and reads the tail alone", () =>
    Effect.gen(function* () {
      const installation = yield* withHistory()
      assert.deepStrictEqual(snapshotVersions(installation), [9, 19, 29])
      const node = yield* installation.start()
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 34n)
      assert.deepStrictEqual(node.log.reads, [{ walletId: "a", after: 29 }])
      yield* assertConsistent(installation, node, "a")
    })
  )

  for (const [what, damage] of [
    ["no JSON", (snapshot: Snapshot) => ({ ...snapshot, data: "{" })],
    [
      "of a later format",
      (snapshot: Snapshot) => ({ ...snapshot, data: snapshot.data.replace('"format":1', '"format":99') })
    ],
    ["of another wallet", (snapshot: Snapshot) => ({ ...snapshot, data: snapshot.data.replace('"a"', '"b"') })],
    ["without its keys", (snapshot: Snapshot) => ({ ...snapshot, data: snapshot.data.replace('"keys"', '"gone"') })],
    ["null", (snapshot: Snapshot) => ({ ...snapshot, data: "null" })]
  ] as const) {
    it.effect(`ignores a snapshot that is ${what}, says so, and loses nothing`, () =>
      Effect.gen(function* () {
        const installation = yield* withHistory()
        const snapshots = installation.state.snapshots.get("a") ?? []
        const damaged = snapshots.map(damage)
        assert.notDeepEqual(damaged, snapshots)
        installation.state.snapshots.set("a", damaged)
        const node = yield* installation.start()
        assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 34n)
        assert.isTrue(node.logged.some((line) => line.includes("snapshot of wallet a") && line.includes("ignored")))
        assert.isTrue((yield* credit(node, "a", 1n, "k3")).replayed)
        yield* assertConsistent(installation, node, "a")
      })
    )
  }

  it.effect("reads a long tail page by page", () =>
    Effect.gen(function* () {
      const installation = yield* install({ bounds: { snapshotEvents: 10_000, snapshotMinimumEvents: 10_000 } })
      const before = yield* installation.start()
      yield* create(before, "a")
      yield* Effect.forEach(
        Array.from({ length: 1_234 }, (_, n) => n),
        (n) => credit(before, "a", 1n, `k${n}`),
        {
          concurrency: "unbounded"
        }
      )
      yield* quiet(before)
      yield* before.stop
      const node = yield* installation.start()
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 1_234n)
      assert.deepStrictEqual(
        node.log.reads.map(({ after }) => after),
        [-1, 499, 999]
      )
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("the memory for traces of keys", () => {
  it.effect("comes back when a load fails half-way, when a wallet leaves and when it loads again", () =>
    Effect.gen(function* () {
      // Room for the trace of one wallet.
      const bounds = { keysInMemory: 10, keyFilterBytes: 16_384, snapshotMinimumEvents: 10_000, snapshotEvents: 10_000 }
      const installation = yield* install({ bounds })
      const before = yield* installation.start()
      yield* create(before, "a")
      yield* Effect.forEach(
        Array.from({ length: 700 }, (_, n) => n),
        (n) => credit(before, "a", 1n, `k${n}`),
        {
          concurrency: "unbounded"
        }
      )
      yield* quiet(before)
      yield* before.stop
      const node = yield* installation.start({ ...bounds, idleMillis: 10_000 })
      for (const fault of [Faults.unreadable(Faults.defectiveLog), () => Effect.die(new Error("scripted"))]) {
        node.log.readFaults.push((read) => read, fault)
        yield* Effect.exit(credit(node, "a", 1n, "new"))
      }
      yield* credit(node, "a", 1n, "new-1")
      assert.deepStrictEqual(node.persistence.keyQueries, [], "its trace tells that the key is new")
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(node.registry.load().residentWallets, 0)
      yield* credit(node, "a", 1n, "new-2")
      yield* writeForeign(installation, foreignCredit("a", 1n), "c:foreign")
      yield* credit(node, "a", 1n, "new-3")
      yield* credit(node, "a", 1n, "new-4")
      assert.deepStrictEqual(node.persistence.keyQueries, [])
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("a read that names a version", () => {
  it.effect("which another writer made finds it in the log", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* writeForeign(installation, foreignCredit("a", 4n), "c:foreign")
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a", minVersion: 0 })).balance, 0n)
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a", minVersion: 1 })).balance, 4n)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("which nobody has made is told so, and costs the commands beside it nothing", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const results = yield* Effect.all(
        [Effect.flip(node.engine.getWallet({ walletId: "a", minVersion: 99 })), credit(node, "a", 1n, "k")],
        { concurrency: "unbounded" }
      )
      assert.strictEqual(results[0]._tag, "VersionNotReached")
      assert.strictEqual(results[1].wallet.balance, 1n)
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("the past of a wallet", () => {
  it.effect("by version starts from the nearest snapshot at or before it", () =>
    Effect.gen(function* () {
      const installation = yield* withHistory()
      const node = yield* installation.start()
      const from = node.log.reads.length
      assert.strictEqual((yield* node.engine.walletAt({ walletId: "a", atVersion: 19 })).balance, 19n)
      assert.strictEqual((yield* node.engine.walletAt({ walletId: "a", atVersion: 18 })).balance, 18n)
      assert.strictEqual((yield* node.engine.walletAt({ walletId: "a", atVersion: 0 })).balance, 0n)
      assert.deepStrictEqual(
        node.log.reads.slice(from).map(({ after }) => after),
        // At a snapshot there is nothing to read.
        [9, -1]
      )
      assert.strictEqual(
        (yield* Effect.flip(node.engine.walletAt({ walletId: "a", atVersion: 35 })))._tag,
        "WalletNotFound"
      )
    })
  )

  it.effect("by time is the state after the last event at or before it", () =>
    Effect.gen(function* () {
      const installation = yield* withHistory()
      const node = yield* installation.start()
      assert.strictEqual((yield* node.engine.walletAt({ walletId: "a", at: 19_000 })).balance, 19n)
      assert.strictEqual((yield* node.engine.walletAt({ walletId: "a", at: 19_999 })).balance, 19n)
      assert.strictEqual((yield* node.engine.walletAt({ walletId: "a", at: 0 })).balance, 0n)
      assert.strictEqual(
        (yield* Effect.flip(node.engine.walletAt({ walletId: "a", at: 34_001 })))._tag,
        "InvalidRequest"
      )
      assert.strictEqual((yield* Effect.flip(node.engine.walletAt({ walletId: "b", at: 1 })))._tag, "WalletNotFound")
    })
  )
})
