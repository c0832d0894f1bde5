/** Persistence as a store of its own: what callers wait for, and what a store that is slow, away or damaged does to them. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { eraseWallet } from "../../src/stores/memory/Rows.ts"
import { appended, create, credit, debit, foreignCredit, waiting, writeForeign } from "../support/EngineCalls.ts"
import * as LogFaults from "../support/FaultyEventStore.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import { assertConsistent, forgetful, installNode, until } from "../support/Installation.ts"
import { assertEqual, creditCommitted, flushed, pass, versionsWritten, within } from "../support/Separate.ts"

const inLog = { committed: true, persisted: false, indexed: false }
const everywhere = { committed: true, persisted: true, indexed: true }

describe("a caller", () => {
  it.effect("waits until Persistence has its command, unless the log is enough for it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      const patient = yield* Effect.forkChild(credit(node, "a", 5n, "k1"))
      yield* until(() => installation.types("a").length === 2, "it is in the log")
      const hasty = yield* creditCommitted(node, "a", 7n, "k2")
      assert.deepStrictEqual([hasty.durability, hasty.wallet.balance], [inLog, 12n])
      assert.isUndefined(patient.pollUnsafe())
      assert.strictEqual(installation.state.wallets.get("a")?.wallet.version, 0)
      yield* Deferred.succeed(open, undefined)
      const answer = yield* Fiber.join(patient)
      assert.deepStrictEqual([answer.durability, answer.wallet.balance], [everywhere, 5n])
      yield* flushed(node)
      yield* assertEqual(installation, node, ["a"])
    })
  )

  it.effect("whose wait ends before Persistence is back is told what is durable, never an error", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      node.persistence.writesAway = true
      const answer = yield* within(11, credit(node, "a", 5n, "k"))
      assert.deepStrictEqual([answer.durability, answer.replayed, answer.wallet.balance], [inLog, false, 5n])
      const again = yield* within(11, credit(node, "a", 5n, "k"))
      assert.deepStrictEqual([again.durability, again.replayed, again.wallet.balance], [inLog, true, 5n])
      assert.match(node.pipeline.load().failure ?? "", /scripted/)
      assert.isAbove(node.pipeline.load().lagMillis, 10_000)
      yield* pass(3_600)
      node.persistence.writesAway = false
      const last = yield* within(2, credit(node, "a", 5n, "k"))
      assert.deepStrictEqual([last.durability, last.replayed], [everywhere, true])
      assert.deepStrictEqual([node.pipeline.load().failure, node.pipeline.load().lagMillis], [undefined, 0])
      yield* assertEqual(installation, node, ["a"])
    })
  )

  it.effect("is refused at the queue's bound, and taken again below it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, bounds: { persistQueueEvents: 3 } })
      yield* create(node, "a")
      node.persistence.writesAway = true
      for (const key of ["1", "2", "3"]) yield* creditCommitted(node, "a", 1n, key)
      const error = yield* Effect.flip(creditCommitted(node, "a", 1n, "4"))
      assert.strictEqual(error._tag === "StoreUnavailable" ? error.store : error._tag, "persistence")
      assert.strictEqual(installation.types("a").length, 4)
      node.persistence.writesAway = false
      yield* pass(2)
      assert.isFalse((yield* credit(node, "a", 1n, "4")).replayed)
      yield* assertEqual(installation, node, ["a"])
    })
  )

  it.effect("beyond the number that may wait is told at once what is true", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, bounds: { persistWaitingCallers: 2 } })
      yield* create(node, "a")
      node.persistence.writesAway = true
      const waiting = yield* Effect.forkChild(
        Effect.forEach(["1", "2"], (key) => credit(node, "a", 1n, key), { concurrency: "unbounded" })
      )
      yield* until(() => installation.types("a").length === 3, "both are in the log")
      assert.deepStrictEqual((yield* credit(node, "a", 1n, "3")).durability, inLog)
      node.persistence.writesAway = false
      const answers = yield* within(2, Fiber.join(waiting))
      assert.deepStrictEqual(
        answers.map(({ durability }) => durability),
        [everywhere, everywhere]
      )
      assert.deepStrictEqual((yield* credit(node, "a", 1n, "4")).durability, everywhere)
    })
  )

  it.effect("of a slow store loses neither its rejections nor its errors", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      node.persistence.drawWrite = () => Faults.slow(2_000)
      const accepted = yield* Effect.forkChild(credit(node, "a", 5n, "k"))
      yield* until(() => installation.types("a").length === 2, "it is in the log")
      const errors = yield* Effect.forEach(
        [
          debit(node, "a", 6n, "d"),
          create(node, "b").pipe(Effect.andThen(debit(node, "nobody", 1n, "n"))),
          credit(node, "a", 6n, "k"),
          node.engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "twice" })
        ].map((call, index) => (index === 1 ? within(5, call) : call)),
        Effect.flip
      )
      assert.deepStrictEqual(
        errors.map(({ _tag }) => _tag),
        ["InsufficientFunds", "WalletNotFound", "IdempotencyKeyReused", "WalletAlreadyExists"]
      )
      assert.deepStrictEqual((yield* within(5, Fiber.join(accepted))).durability, everywhere)
    })
  )

  it.effect("asks again at once when it is answered, and is answered again", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      const caller = (name: number) =>
        Effect.forEach(Array.from({ length: 40 }), (_, n) => credit(node, "a", 1n, `${name}-${n}`))
      node.persistence.drawWrite = () => Faults.slow(50)
      yield* within(
        20,
        Effect.forEach(Array.from({ length: 20 }), (_, name) => caller(name), { concurrency: "unbounded" })
      )
      assert.strictEqual(installation.types("a").length, 801)
      yield* assertEqual(installation, node, ["a"])
    })
  )
})

describe("the writer", () => {
  it.effect("writes a wallet's commits in order, together what has come meanwhile", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      for (const key of ["1", "2", "3", "4"]) yield* creditCommitted(node, "a", 1n, key)
      yield* Deferred.succeed(open, undefined)
      yield* flushed(node)
      assert.deepStrictEqual(versionsWritten(node, "a"), [[0], [1], [2, 3, 4]])
      yield* assertEqual(installation, node, ["a"])
    })
  )

  it.effect("takes no more of one wallet than a write bears", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, bounds: { persistEvents: 3 } })
      for (const id of ["a", "b"]) yield* create(node, id)
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      for (let n = 0; n < 8; n++) {
        yield* creditCommitted(node, "a", 1n, `${n}`)
        yield* creditCommitted(node, "b", 1n, `${n}`)
      }
      yield* Deferred.succeed(open, undefined)
      yield* flushed(node)
      for (const commits of node.persistence.writes) {
        assert.isAtMost(
          commits.reduce((events, commit) => events + commit.events.length, 0),
          3
        )
      }
      assert.deepStrictEqual(versionsWritten(node, "a").flat(), [0, 1, 2, 3, 4, 5, 6, 7, 8])
      yield* assertEqual(installation, node, ["a", "b"])
    })
  )

  it.effect("fills a gap from the log, in pages, while others go on", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      for (const id of ["a", "b"]) yield* create(node, id)
      yield* Effect.forEach(Array.from({ length: 1_200 }), (_, n) => creditCommitted(node, "a", 1n, `${n}`), {
        concurrency: "unbounded",
        discard: true
      })
      yield* flushed(node)
      eraseWallet(installation.state, "a")
      const answers = yield* within(
        5,
        Effect.forEach(["a", "b"], (id) => credit(node, id, 1n, "after"), { concurrency: "unbounded" })
      )
      assert.deepStrictEqual(
        answers.map(({ durability }) => durability),
        [everywhere, everywhere]
      )
      yield* assertEqual(installation, node, ["a", "b"])
    })
  )

  it.effect("writes what a foreign writer left behind it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      yield* writeForeign(installation, foreignCredit("a", 4n), "c:foreign")
      const answer = yield* within(2, credit(node, "a", 1n, "k"))
      assert.deepStrictEqual([answer.durability, answer.wallet.balance], [everywhere, 5n])
      yield* assertEqual(installation, node, ["a"])
    })
  )

  it.effect("writes nothing twice after an answer that was lost, or never came", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      node.persistence.writeFaults.push(Faults.answerLost, Faults.answerLost)
      assert.deepStrictEqual((yield* within(2, credit(node, "a", 5n, "1"))).durability, everywhere)
      node.persistence.writeFaults.push(Faults.silent)
      yield* within(11, credit(node, "a", 5n, "2"))
      yield* pass(60)
      assert.deepStrictEqual((yield* credit(node, "a", 5n, "3")).durability, everywhere)
      yield* assertEqual(installation, node, ["a"])
    })
  )

  it.effect("writes out at a stop what it has, and keeps no stop waiting for a store that is away", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      node.persistence.drawWrite = () => Faults.slow(500)
      for (const key of ["1", "2", "3"]) yield* creditCommitted(node, "a", 1n, key)
      yield* within(3, node.stop)
      assert.strictEqual(installation.state.wallets.get("a")?.wallet.version, 3)
      const next = yield* installation.start()
      next.persistence.writesAway = true
      const caller = yield* Effect.forkChild(credit(next, "a", 1n, "4"))
      const parked = yield* Effect.forkChild(Effect.flip(debit(next, "a", 4n, "5")))
      yield* until(() => installation.types("a").length === 5, "the credit is in the log")
      yield* within(10, next.stop)
      assert.deepStrictEqual((yield* Fiber.join(caller)).durability, inLog)
      assert.strictEqual((yield* Fiber.join(parked))._tag, "StoreUnavailable")
      assert.strictEqual(installation.types("a").length, 5)
    })
  )
})

describe("a wallet whose rows are at odds with the log", () => {
  it.effect("stops alone, says what to run, reverses nothing, and goes on when it is mended", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      for (const id of ["a", "b"]) yield* create(node, id)
      yield* credit(node, "a", 1n, "1")
      const ids = installation.state.persisted.get("a")!
      const [, id] = ids
      ids[1] = "another"
      ids.length = 2
      yield* writeForeign(installation, foreignCredit("a", 4n), "c:foreign")
      const [a, b] = yield* within(
        12,
        Effect.all([credit(node, "a", 1n, "2"), credit(node, "b", 1n, "2")], { concurrency: "unbounded" })
      )
      assert.deepStrictEqual([a.durability, b.durability], [inLog, everywhere])
      assert.match(node.pipeline.load().blocked[0]?.reason ?? "", /LogDiverged.* wallet a .*wallet replay --wallet a/)
      assert.isFalse(installation.types("a").includes("OperationReversed"))
      ids[1] = id!
      yield* pass(6)
      assert.deepStrictEqual(node.pipeline.load().blocked, [])
      yield* assertEqual(installation, node, ["a", "b"])
    })
  )

  it.effect("ahead of the log is not written to, neither there nor here", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      yield* credit(node, "a", 1n, "1")
      yield* node.stop
      installation.state.persisted.get("a")!.push("of a log that was lost")
      const next = yield* Effect.exit(installation.start())
      assert.strictEqual(next._tag, "Success", "the newest rows do not show it")
      if (next._tag === "Failure") return
      const error = yield* Effect.flip(credit(next.value, "a", 1n, "2"))
      assert.match(error.message, /PostgreSQL has events of wallet a after version 1/)
      assert.strictEqual(installation.types("a").length, 2)
    })
  )
})

describe("a defect of Persistence", () => {
  it.effect("at one wallet's rows stops that wallet alone, reverses nothing, and heals", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      const wallets = ["a", "b", "c", "d", "e"]
      for (const id of wallets) yield* create(node, id)
      node.persistence.damaged = ({ walletId }) => walletId === "c"
      const answers = yield* within(
        12,
        Effect.forEach(wallets, (id) => credit(node, id, 1n, "k"), { concurrency: "unbounded" })
      )
      assert.deepStrictEqual(
        answers.map(({ durability }) => durability.persisted),
        [true, true, false, true, true]
      )
      assert.deepStrictEqual(
        node.pipeline.load().blocked.map(({ walletId }) => walletId),
        ["c"]
      )
      assert.isFalse(installation.types("c").includes("OperationReversed"))
      node.persistence.damaged = undefined
      yield* pass(6)
      assert.deepStrictEqual(node.pipeline.load().blocked, [])
      yield* assertEqual(installation, node, wallets)
    })
  )

  it.effect("at too many wallets is the store's: all wait, and all go on when it is mended", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, bounds: { persistBlockedWallets: 3 } })
      const wallets = Array.from({ length: 12 }, (_, n) => `w${n}`)
      for (const id of wallets) yield* create(node, id)
      node.persistence.damaged = () => true
      yield* Effect.forEach(wallets, (id) => creditCommitted(node, id, 1n, "k"), { concurrency: "unbounded" })
      yield* pass(30)
      assert.isAtMost(node.pipeline.load().blocked.length, 3)
      node.persistence.damaged = undefined
      yield* pass(10)
      assert.deepStrictEqual(node.pipeline.load().blocked, [])
      assert.isUndefined(node.pipeline.load().failure)
      yield* assertEqual(installation, node, wallets)
    })
  )

  it.effect("that is thrown does not end the writer", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      for (const id of ["a", "b"]) yield* create(node, id)
      node.persistence.writeFaults.push(Faults.throwAfter)
      yield* within(11, credit(node, "a", 1n, "k"))
      assert.deepStrictEqual((yield* credit(node, "b", 1n, "k")).durability, everywhere)
      yield* pass(6)
      assert.deepStrictEqual((yield* credit(node, "a", 1n, "k")).durability, everywhere)
      yield* assertEqual(installation, node, ["a", "b"])
    })
  )

  it.effect("lets a stopped wallet take so many commands, and others as many as ever", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, bounds: { persistBehindEvents: 5 } })
      for (const id of ["a", "b"]) yield* create(node, id)
      node.persistence.damaged = ({ walletId }) => walletId === "a"
      for (let n = 0; n < 5; n++) yield* creditCommitted(node, "a", 1n, `${n}`)
      const error = yield* Effect.flip(creditCommitted(node, "a", 1n, "5"))
      assert.match(error.message, /PostgreSQL is 5 events behind wallet a/)
      for (let n = 0; n < 10; n++) yield* credit(node, "b", 1n, `${n}`)
      node.persistence.damaged = undefined
      yield* pass(6)
      assert.deepStrictEqual((yield* credit(node, "a", 1n, "5")).durability, everywhere)
      yield* assertEqual(installation, node, ["a", "b"])
    })
  )
})

describe("a command that would build on what Persistence may refuse", () => {
  it.effect("waits, with what came after it, until Persistence has decided", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      for (const id of ["a", "b"]) yield* create(node, id)
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      const callers = yield* Effect.forkChild(
        Effect.all([credit(node, "a", 5n, "1"), debit(node, "a", 3n, "2"), credit(node, "a", 1n, "3")], {
          concurrency: "unbounded"
        })
      )
      yield* until(() => installation.types("a").length === 2, "the credit is in the log")
      yield* creditCommitted(node, "b", 1n, "b")
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited"])
      yield* Deferred.succeed(open, undefined)
      const answers = yield* Fiber.join(callers)
      assert.deepStrictEqual(
        answers.map(({ wallet }) => wallet.balance),
        [5n, 2n, 3n]
      )
      yield* assertEqual(installation, node, ["a", "b"])
    })
  )

  it.effect("does not wait for money that was there before", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "1")
      node.persistence.writesAway = true
      yield* creditCommitted(node, "a", 5n, "2")
      const spent = yield* node.engine.debit({ walletId: "a", amount: 10n, idempotencyKey: "3", await: "committed" })
      assert.strictEqual(spent.wallet.balance, 5n)
      assert.strictEqual(installation.types("a").length, 4)
    })
  )

  it.effect("whose caller has gone is not done any more, not even when Persistence answers just then", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      yield* creditCommitted(node, "a", 5n, "1")
      const appending = yield* Deferred.make<void>()
      node.log.appendFaults.push(LogFaults.heldUntil(appending))
      const before = yield* Effect.forkChild(creditCommitted(node, "a", 1n, "2"))
      yield* appended(node, 3)
      // As soon as one of them is told, Persistence answers: the others are still to be told.
      const debits = yield* Effect.forkChild(
        Effect.forEach(
          ["3", "4", "5"],
          (key) =>
            Effect.tapError(debit(node, "a", 2n, key), () => Deferred.succeed(open, undefined)).pipe(Effect.flip),
          { concurrency: "unbounded" }
        )
      )
      yield* waiting(node, 3)
      yield* Deferred.succeed(appending, undefined)
      yield* Fiber.join(before)
      yield* TestClock.adjust("9 seconds")
      const late = yield* Effect.forkChild(debit(node, "a", 1n, "6"))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(
        (yield* Fiber.join(debits)).map((error) => (error._tag === "StoreUnavailable" ? error.store : error._tag)),
        ["persistence", "persistence", "persistence"]
      )
      assert.strictEqual((yield* Fiber.join(late)).wallet.balance, 5n)
      assert.deepStrictEqual(installation.types("a").slice(2), ["WalletCredited", "WalletDebited"])
      yield* assertEqual(installation, node, ["a"])
    })
  )
})

describe("a wallet in memory", () => {
  it.effect("stays what it is when somebody asks for a version that nobody has, while Persistence is away", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode({ separate: true })
      yield* create(node, "a")
      node.persistence.writesAway = true
      node.persistence.readsAway = true
      const error = yield* Effect.flip(node.engine.getWallet({ walletId: "a", minVersion: 7 }))
      assert.strictEqual(error._tag, "VersionNotReached")
      assert.strictEqual((yield* creditCommitted(node, "a", 1n, "k")).wallet.balance, 1n)
    })
  )

  it.effect(
    "is listed at a version that the log has when its rows are there, and within two seconds told that they are not",
    () =>
      Effect.gen(function* () {
        const { node } = yield* installNode({ separate: true })
        yield* create(node, "a")
        node.persistence.writesAway = true
        yield* creditCommitted(node, "a", 1n, "k")
        const list = node.engine.transactions({ walletId: "a", limit: 5, minVersion: 1 })
        const late = yield* Effect.forkChild(Effect.flip(list), { startImmediately: true })
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Fiber.join(late))._tag, "VersionNotReached")
        const inTime = yield* Effect.forkChild(list, { startImmediately: true })
        node.persistence.writesAway = false
        yield* TestClock.adjust("2 seconds")
        assert.lengthOf((yield* Fiber.join(inTime)).data, 1)
        // What the log does not have is not waited for: no time has to pass.
        const beyond = { walletId: "a", limit: 5, minVersion: 2 }
        assert.strictEqual((yield* Effect.flip(node.engine.holds(beyond)))._tag, "VersionNotReached")
        const nobody = { ...beyond, walletId: "nobody" }
        assert.strictEqual((yield* Effect.flip(node.engine.holds(nobody)))._tag, "WalletNotFound")
      })
  )

  it.effect(
    "that forgets keys finds them in a Persistence that is behind or empty, and guesses nothing without it",
    () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate: true, bounds: forgetful })
        yield* create(node, "a")
        for (let n = 0; n < 5; n++) yield* credit(node, "a", 1n, `${n}`)
        node.persistence.readsAway = true
        assert.strictEqual((yield* Effect.flip(credit(node, "a", 1n, "0")))._tag, "StoreUnavailable")
        assert.strictEqual((yield* Effect.flip(credit(node, "a", 1n, "new")))._tag, "StoreUnavailable")
        node.persistence.readsAway = false
        for (const behindAt of [undefined, 2, -1]) {
          node.persistence.behindAt = behindAt
          assert.isTrue((yield* credit(node, "a", 1n, "0")).replayed, `behind at ${behindAt}`)
        }
        node.persistence.behindAt = undefined
        eraseWallet(installation.state, "a")
        assert.isTrue((yield* credit(node, "a", 1n, "1")).replayed)
        assert.isFalse((yield* within(2, credit(node, "a", 1n, "new"))).replayed)
        assert.strictEqual(installation.types("a").length, 7)
        yield* assertConsistent(installation, node, "a")
      })
  )
})
