/** Whatever was committed reaches Persistence without a human; and no checkpoint promises what is not there. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as StoreIdentity from "../../src/pipeline/StoreIdentity.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/memory/MemoryReadModel.ts"
import { eraseAll, eraseWallet } from "../../src/stores/memory/Rows.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { ReadModel } from "../../src/stores/ReadModel.ts"
import { create, credit, foreignCredit, writeForeign } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import { assertVerified, install, type Installation, type Node, until } from "../support/Installation.ts"
import { assertEqual, creditCommitted, pass, within } from "../support/Separate.ts"

const persistedVersion = (installation: Installation, walletId: string): number =>
  (installation.state.persisted.get(walletId)?.length ?? 0) - 1

const isUpToLog = (installation: Installation): boolean =>
  [...installation.state.streams].every(
    ([walletId, events]) => persistedVersion(installation, walletId) === events.length - 1
  )

const recovered = (installation: Installation) => until(() => isUpToLog(installation), "all of the log is persisted")

describe("after a process that died", () => {
  for (const behind of [1, 1_500]) {
    it.effect(`the next one writes the ${behind} events that it had not written, by its checkpoint alone`, () =>
      Effect.gen(function* () {
        const installation = yield* install({ separate: true })
        const first = yield* installation.start()
        for (const id of ["a", "b", "c"]) yield* create(first, id)
        yield* credit(first, "a", 1n, "written")
        first.persistence.writesAway = true
        yield* Effect.forEach(
          Array.from({ length: behind }, (_, n) => n),
          (n) => creditCommitted(first, n % 2 === 0 ? "a" : "b", 1n, `${n}`),
          { concurrency: "unbounded", discard: true }
        )
        first.kill()
        const next = yield* installation.start()
        yield* recovered(installation)
        yield* until(() => installation.state.checkpoints.size === 1, "the dead owner's checkpoint is gone")
        assert.match(next.logged.join("\n"), /wallets were behind the log; \d of them are up to it now/)
        yield* assertEqual(installation, next, ["a", "b", "c"])
      })
    )
  }

  it.effect("and whose answer from Persistence was lost nothing is written twice", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const first = yield* installation.start()
      yield* create(first, "a")
      first.persistence.writeFaults.push(Faults.answerHeldUntil(Deferred.makeUnsafe<void>()))
      yield* creditCommitted(first, "a", 1n, "k")
      yield* recovered(installation)
      first.kill()
      const next = yield* installation.start()
      assert.isTrue((yield* credit(next, "a", 1n, "k")).replayed)
      yield* assertEqual(installation, next, ["a"])
    })
  )

  it.effect("the next one that dies as well, in the middle of it, leaves it to the one after", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const first = yield* installation.start()
      const wallets = Array.from({ length: 20 }, (_, n) => `w${n}`)
      first.persistence.writesAway = true
      yield* Effect.forEach(
        wallets,
        (id) =>
          first.engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: id, await: "committed" }),
        { discard: true }
      )
      first.kill()
      const second = yield* installation.start()
      yield* until(() => second.persistence.writes.length >= 5, "it has begun")
      second.kill()
      assert.isFalse(isUpToLog(installation))
      const third = yield* installation.start()
      yield* recovered(installation)
      yield* assertEqual(installation, third, wallets)
    })
  )

  it.effect("with Persistence away the next one waits for it, and takes commands meanwhile", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const first = yield* installation.start()
      for (const id of ["a", "b"]) yield* create(first, id)
      first.persistence.writesAway = true
      yield* creditCommitted(first, "a", 1n, "1")
      first.kill()
      const next = yield* installation.start()
      next.persistence.writesAway = true
      assert.strictEqual((yield* creditCommitted(next, "b", 1n, "2")).wallet.balance, 1n)
      yield* pass(30)
      next.persistence.writesAway = false
      yield* pass(3)
      yield* recovered(installation)
      yield* assertEqual(installation, next, ["a", "b"])
    })
  )

  it.effect("one wallet that cannot be written keeps no other from it, and is found again at the next start", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const first = yield* installation.start()
      for (const id of ["a", "b", "c"]) yield* create(first, id)
      first.persistence.writesAway = true
      for (const id of ["a", "b", "c"]) yield* creditCommitted(first, id, 1n, "k")
      first.kill()
      const ids = installation.state.persisted.get("b")!
      const [id] = ids
      ids[0] = "another"
      const second = yield* installation.start()
      yield* until(() => persistedVersion(installation, "c") === 1 && persistedVersion(installation, "a") === 1, "a, c")
      yield* until(() => second.reconciler.load().recovering === undefined, "it is through")
      assert.strictEqual(persistedVersion(installation, "b"), 0)
      assert.isTrue(installation.state.checkpoints.has("recovery"))
      yield* within(12, second.stop)
      ids[0] = id!
      const third = yield* installation.start()
      yield* recovered(installation)
      yield* until(() => installation.state.checkpoints.size === 1, "every checkpoint but its own is gone")
      yield* assertEqual(installation, third, ["a", "b", "c"])
    })
  )

  it.effect("an event that cannot be read stops its wallet alone", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const first = yield* installation.start()
      for (const id of ["a", "b", "c"]) yield* create(first, id)
      first.persistence.writesAway = true
      for (const id of ["a", "b", "c"]) yield* creditCommitted(first, id, 1n, "k")
      first.kill()
      installation.broken.add(installation.events("b")[1]!.id)
      const second = yield* installation.start()
      yield* until(() => persistedVersion(installation, "c") === 1 && persistedVersion(installation, "a") === 1, "a, c")
      assert.strictEqual(persistedVersion(installation, "b"), 0)
      assert.match(second.pipeline.load().blocked[0]?.reason ?? "", /event 1 .* of wallet b cannot be read/)
    })
  )

  it.effect("its checkpoint goes, also when there is nothing to be found", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      for (let n = 0; n < 3; n++) {
        const node = yield* installation.start()
        if (n === 0) yield* create(node, "a")
        yield* until(() => installation.state.checkpoints.size === 1, "one checkpoint only")
        yield* node.stop
      }
    })
  )
})

describe("the reconciler", () => {
  it.effect("rebuilds a Persistence that was erased, while commands go on", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const first = yield* installation.start()
      const wallets = Array.from({ length: 30 }, (_, n) => `w${n}`)
      for (const id of wallets) {
        yield* create(first, id)
        yield* credit(first, id, 5n, "k")
      }
      yield* first.stop
      eraseAll(installation.state)
      const next = yield* installation.start()
      const callers = yield* Effect.forkChild(
        Effect.forEach(wallets, (id) => credit(next, id, 1n, "after"), { concurrency: "unbounded" })
      )
      yield* within(5, Fiber.join(callers))
      yield* recovered(installation)
      yield* assertEqual(installation, next, wallets)
    })
  )

  it.effect("finds by its slow look what no checkpoint tells of", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const node = yield* installation.start()
      for (const id of ["a", "b"]) yield* create(node, id)
      yield* writeForeign(installation, foreignCredit("a", 4n), "c:foreign")
      eraseWallet(installation.state, "b")
      yield* pass(25)
      assert.isFalse(isUpToLog(installation), "young events are on their way anyway")
      yield* pass(10)
      assert.isTrue(isUpToLog(installation))
      assert.match(node.logged.join("\n"), /2 wallets were behind the log that no checkpoint told of/)
      yield* assertVerified(installation)
    })
  )

  it.effect("says once that it waits, and of a stopped wallet nothing more", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const node = yield* installation.start()
      for (const id of ["a", "b"]) yield* create(node, id)
      node.persistence.damaged = ({ walletId }) => walletId === "b"
      yield* creditCommitted(node, "b", 1n, "k")
      node.persistence.readsAway = true
      yield* pass(60)
      node.persistence.readsAway = false
      yield* pass(60)
      // By whoever meets it first: the others know that it is told.
      // Each part of the engine by itself here: what makes their outages one is not among these stores.
      const linesWith = (word: string) => node.logged.filter((line) => line.includes(word)).length
      assert.isAbove(linesWith("told again when it is back"), 0)
      assert.isBelow(linesWith("told again when it is back"), 4, node.logged.join("\n"))
      assert.strictEqual(linesWith("the persistence store is back, after"), linesWith("told again when it is back"))
      assert.lengthOf(
        node.logged.filter((line) => line.includes("the reconciler waits")),
        0
      )
      assert.lengthOf(
        node.logged.filter((line) => line.includes("no checkpoint told of")),
        0
      )
      assert.lengthOf(
        node.logged.filter((line) => line.includes("writing of wallet b has stopped")),
        1
      )
      node.persistence.damaged = () => false
      yield* pass(60)
      assert.lengthOf(
        node.logged.filter((line) => line.includes("writing of wallet b goes on")),
        1
      )
    })
  )

  it.effect("leaves the checkpoints of living owners alone", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const node = yield* installation.start()
      yield* create(node, "a")
      yield* until(() => installation.state.checkpoints.size === 1, "its start is over")
      installation.state.checkpoints.set("alive", 0n)
      installation.state.checkpoints.set("dead", 0n)
      yield* node.reconciler.recover((owner) => owner === "alive")
      assert.sameMembers(
        [...installation.state.checkpoints.keys()].filter((owner) => !owner.includes("-")),
        ["alive"]
      )
    })
  )
})

/** What the start of a node asks for, over these stores. */
const checkStores = ({ log, state }: Installation) =>
  Effect.scoped(Layer.build(Layer.fresh(StoreIdentity.layer))).pipe(
    Effect.provideService(EventStore, log),
    Effect.provideService(Persistence, MemoryPersistence.make(state)),
    Effect.provideService(ReadModel, MemoryReadModel.make(state))
  )

describe("a new Persistence", () => {
  it.effect("beside a full log is filled by nodes of which none is alone", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const node = yield* installation.start()
      for (const id of ["a", "b"]) yield* create(node, id)
      yield* until(() => installation.state.checkpoints.size === 1, "its start is over")
      eraseAll(installation.state)
      installation.state.persistedLog = undefined
      yield* checkStores(installation)
      assert.strictEqual(installation.state.checkpoints.get(StoreIdentity.unfilledOwner), 0n)
      yield* node.reconciler.recover((owner) => owner !== StoreIdentity.unfilledOwner)
      assert.isTrue(isUpToLog(installation))
      assert.isFalse(installation.state.checkpoints.has(StoreIdentity.unfilledOwner))
      yield* checkStores(installation)
      assert.isFalse(installation.state.checkpoints.has(StoreIdentity.unfilledOwner), "it is no longer new")
      yield* assertEqual(installation, node, ["a", "b"])
    })
  )

  it.effect("beside an empty log has nothing to be filled with", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      yield* checkStores(installation)
      assert.strictEqual(installation.state.checkpoints.size, 0)
      assert.isDefined(installation.state.persistedLog)
    })
  )
})

/** What every checkpoint promises: all appends of that owner at or below it are persisted. */
const assertCheckpoints = (installation: Installation, appends: ReadonlyMap<string, Set<string>>): void => {
  for (const [owner, checkpoint] of installation.state.checkpoints) {
    for (const { position, recorded } of installation.state.log) {
      if (position > checkpoint || appends.get(owner)?.has(recorded.id) !== true) continue
      assert.isAtLeast(
        persistedVersion(installation, recorded.walletId),
        recorded.version,
        `the checkpoint ${checkpoint} of ${owner} is beyond event ${recorded.version} of ${recorded.walletId} at ${position}`
      )
    }
  }
}

/** Owner → ids of the events that it has sent. */
const sentBy = (nodes: ReadonlyArray<Node>): ReadonlyMap<string, Set<string>> =>
  new Map(
    nodes.map(({ log, owner }) => [
      owner,
      new Set(log.appends.flatMap((commits) => commits.flatMap(({ events }) => events.map(({ id }) => id))))
    ])
  )

describe("a checkpoint", () => {
  it.effect.prop(
    "never runs ahead of what is persisted, whatever fails and whoever dies",
    [Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 31 }))],
    ([seed]) =>
      Effect.scoped(
        Effect.gen(function* () {
          let state = seed
          const below = (limit: number) => {
            state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
            return Math.floor((state / 4_294_967_296) * limit)
          }
          const installation = yield* install({ separate: true, bounds: { persistEvents: 4, persistWallets: 3 } })
          const nodes: Array<Node> = []
          const start = Effect.gen(function* () {
            const node = yield* installation.start()
            nodes.push(node)
            node.persistence.drawWrite = () =>
              [undefined, undefined, Faults.away, Faults.answerLost, Faults.slow(below(400)), Faults.defective][
                below(6)
              ]
            // Two appends at once, whose answers come in any order.
            node.log.draw = {
              append: () => {
                const millis = below(300)
                return below(2) === 0 ? undefined : (write) => Effect.tap(write, () => Effect.sleep(millis))
              },
              read: () => undefined
            }
            node.persistence.drawRead = () => [undefined, undefined, undefined, Faults.away, Faults.slow(100)][below(5)]
            return node
          })
          let node = yield* start
          const wallets = ["a", "b", "c", "d", "e"]
          yield* within(
            20,
            Effect.forEach(wallets, (id) => Effect.ignore(create(node, id)), { concurrency: "unbounded" })
          )
          for (let turn = 0; turn < 60; turn++) {
            const id = wallets[below(wallets.length)]!
            yield* Effect.forkChild(Effect.exit(creditCommitted(node, id, 1n, `${turn}`)))
            if (below(15) === 0) {
              node.kill()
              node = yield* start
            }
            yield* TestClock.adjust(below(200))
            assertCheckpoints(installation, sentBy(nodes))
          }
          node.persistence.drawWrite = undefined
          node.persistence.drawRead = undefined
          node.log.draw = undefined
          yield* pass(60)
          assertCheckpoints(installation, sentBy(nodes))
          assert.isTrue(isUpToLog(installation), "in the end all of it is persisted")
        })
      ),
    { arbitrary: { runs: 12, maxShrinks: 0 } }
  )
})
