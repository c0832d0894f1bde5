/** Rules of the user's that refuse what the log has: exactly that is undone, and everybody is told so, also after a crash. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { CommandError } from "../../src/actors/EngineError.ts"
import type { UserRule } from "../../src/stores/memory/MemoryDatabase.ts"
import { create, credit, debit, writeForeign } from "../support/EngineCalls.ts"
import * as LogFaults from "../support/FaultyEventStore.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { install, installNode, quiet, until } from "../support/Installation.ts"
import { assertSettled, blockedOf, funded, gift, noGifts, reasonOf } from "../support/Refused.ts"
import { creditCommitted, flushed, pass, refusing, within } from "../support/Separate.ts"

/** No debit above 50. */
const noLargeDebit = refusing("WalletDebited", (amount) => amount > 50n)

const refusingType =
  (...types: ReadonlyArray<string>): UserRule =>
  ({ events }) => {
    const refused = events.find(({ event }) => types.includes(event._tag))
    return refused === undefined ? undefined : `no ${refused.event._tag}`
  }

describe("a refused command", () => {
  it.effect("is undone: its caller and every retry with its key are told why, also after a restart", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(noLargeDebit)
      const reason = "no WalletDebited like this"
      assert.strictEqual(reasonOf(yield* Effect.flip(debit(node, "a", 51n, "k"))), reason)
      assert.strictEqual(reasonOf(yield* Effect.flip(debit(node, "a", 51n, "k"))), reason)
      assert.strictEqual((yield* Effect.flip(debit(node, "a", 50n, "k")))._tag, "IdempotencyKeyReused")
      assert.strictEqual((yield* debit(node, "a", 50n, "k2")).wallet.balance, 50n)
      assert.deepStrictEqual(installation.types("a").slice(2), ["WalletDebited", "OperationReversed", "WalletDebited"])
      yield* assertSettled(installation, node)
      yield* node.stop
      const next = yield* installation.start()
      assert.strictEqual(reasonOf(yield* Effect.flip(debit(next, "a", 51n, "k"))), reason)
      assert.isTrue((yield* debit(next, "a", 50n, "k2")).replayed)
      yield* assertSettled(installation, next)
    })
  )

  it.effect("in the middle of a batch costs none of the others", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(noLargeDebit, 1_000n)
      yield* create(node, "b")
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      yield* creditCommitted(node, "b", 1n, "held")
      const amounts = [10n, 51n, 20n, 52n, 30n]
      const callers = yield* Effect.forkChild(
        Effect.forEach(amounts, (amount) => Effect.result(debit(node, "a", amount, `${amount}`)), {
          concurrency: "unbounded"
        })
      )
      yield* until(() => installation.types("a").length === 7, "all debits are in the log")
      yield* Deferred.succeed(open, undefined)
      const answers = yield* Fiber.join(callers)
      assert.deepStrictEqual(answers.map(Result.isSuccess), [true, false, true, false, true])
      const current = yield* node.engine.getWallet({ walletId: "a" })
      assert.strictEqual(current.balance, 940n)
      assert.strictEqual(installation.types("a").filter((type) => type === "OperationReversed").length, 2)
      yield* assertSettled(installation, node, ["a", "b"])
    })
  )

  it.effect("gives back money that the next one needs: that one waits, and is then rejected", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(noGifts, 10n)
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      const given = yield* Effect.forkChild(Effect.flip(gift(node, "a", 90n, "gift")))
      yield* until(() => installation.types("a").length === 3, "the gift is in the log")
      const spent = yield* Effect.forkChild(Effect.flip(debit(node, "a", 100n, "spend")))
      const little = yield* Effect.forkChild(debit(node, "a", 10n, "little"))
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual(reasonOf(yield* Fiber.join(given)), "no gifts")
      assert.strictEqual((yield* Fiber.join(spent))._tag, "InsufficientFunds")
      assert.strictEqual((yield* Fiber.join(little)).wallet.balance, 0n)
      assert.deepStrictEqual(installation.types("a").slice(2), ["WalletCredited", "OperationReversed", "WalletDebited"])
      yield* assertSettled(installation, node)
    })
  )

  it.effect("is not told as done to one who asks only for the log, once the refusal is known", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(noGifts)
      const [open, reversing] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      yield* node.engine.credit({
        walletId: "a",
        amount: 1n,
        reference: "gift",
        idempotencyKey: "k",
        await: "committed"
      })
      node.log.appendFaults.push(LogFaults.heldUntil(reversing))
      yield* Deferred.succeed(open, undefined)
      yield* until(() => installation.state.refusals.get("a")?.length === 1, "it is refused")
      const again = yield* Effect.forkChild(
        Effect.flip(
          node.engine.credit({ walletId: "a", amount: 1n, reference: "gift", idempotencyKey: "k", await: "committed" })
        )
      )
      yield* Deferred.succeed(reversing, undefined)
      assert.strictEqual(reasonOf(yield* Fiber.join(again)), "no gifts")
      yield* assertSettled(installation, node)
    })
  )

  it.effect("does not pass for the failure of one that found nothing to do", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(noGifts)
      yield* node.engine.freeze({ walletId: "a", idempotencyKey: "f" })
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      const given = yield* Effect.forkChild(Effect.flip(gift(node, "a", 1n, "k")))
      yield* until(() => installation.types("a").length === 4, "the gift is in the log")
      const frozen = yield* Effect.forkChild(node.engine.freeze({ walletId: "a", idempotencyKey: "again" }))
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual((yield* Fiber.join(frozen)).wallet.status, "frozen")
      assert.strictEqual(reasonOf(yield* Fiber.join(given)), "no gifts")
      yield* assertSettled(installation, node)
    })
  )
})

interface Case {
  readonly name: string
  readonly refused: ReadonlyArray<string>
  /** Beside a created wallet with 100. */
  readonly before?: (node: Node) => Effect.Effect<unknown, unknown>
  readonly call: (node: Node) => Effect.Effect<unknown, CommandError>
}

const holdOf = (installation: Installation) => [...(installation.state.holds.get("a")?.keys() ?? [])][0] ?? "none"

const cases = (installation: () => Installation): ReadonlyArray<Case> => [
  {
    name: "credit",
    refused: ["WalletCredited"],
    call: (node) => credit(node, "a", 1n, "k")
  },
  {
    name: "hold",
    refused: ["HoldPlaced"],
    call: (node) => node.engine.placeHold({ walletId: "a", amount: 10n, idempotencyKey: "k" })
  },
  {
    name: "capture of a part, the rest released",
    refused: ["HoldCaptured"],
    before: (node) => node.engine.placeHold({ walletId: "a", amount: 10n, idempotencyKey: "hold" }),
    call: (node) =>
      node.engine.captureHold({
        walletId: "a",
        holdId: holdOf(installation()),
        amount: 4n,
        final: true,
        idempotencyKey: "k"
      })
  },
  {
    name: "release",
    refused: ["HoldReleased"],
    before: (node) => node.engine.placeHold({ walletId: "a", amount: 10n, idempotencyKey: "hold" }),
    call: (node) => node.engine.releaseHold({ walletId: "a", holdId: holdOf(installation()), idempotencyKey: "k" })
  },
  {
    name: "overdraft limit and metadata in one",
    refused: ["MetadataChanged"],
    call: (node) =>
      node.engine.updateWallet({ walletId: "a", overdraftLimit: 70n, metadata: { a: "b" }, idempotencyKey: "k" })
  },
  {
    name: "freeze",
    refused: ["WalletFrozen"],
    call: (node) => node.engine.freeze({ walletId: "a", idempotencyKey: "k" })
  },
  {
    name: "unfreeze",
    refused: ["WalletUnfrozen"],
    before: (node) => node.engine.freeze({ walletId: "a", idempotencyKey: "freeze" }),
    call: (node) => node.engine.unfreeze({ walletId: "a", idempotencyKey: "k" })
  },
  {
    name: "close",
    refused: ["WalletClosed"],
    before: (node) => debit(node, "a", 100n, "empty"),
    call: (node) => node.engine.close({ walletId: "a", idempotencyKey: "k" })
  }
]

const substance = (wallet: object) => ({ ...wallet, version: 0, updatedAt: 0, holds: 0, transfers: 0 })

describe("a reversal", () => {
  let current: Installation
  for (const { before, call, name, refused } of cases(() => current)) {
    it.effect(`of a ${name} leaves the wallet as it was; the caller and a retry are told why`, () =>
      Effect.gen(function* () {
        let on = false
        const { installation, node } = yield* funded((commit) => (on ? refusingType(...refused)(commit) : undefined))
        current = installation
        if (before !== undefined) yield* before(node)
        const was = substance(yield* node.engine.getWallet({ walletId: "a" }))
        const holds = JSON.stringify([...(installation.state.holds.get("a")?.values() ?? [])], (_, value: unknown) =>
          typeof value === "bigint" ? `${value}` : value
        )
        on = true
        const events = installation.events("a").length
        const reason = `no ${refused[0]}`
        assert.strictEqual(reasonOf(yield* Effect.flip(call(node))), reason)
        assert.strictEqual(reasonOf(yield* Effect.flip(call(node))), reason)
        yield* assertSettled(installation, node)
        const more = installation.types("a").slice(events)
        assert.strictEqual(more.filter((type) => type === "OperationReversed").length, more.length / 2)
        assert.deepStrictEqual(substance(yield* node.engine.getWallet({ walletId: "a" })), was)
        assert.strictEqual(
          JSON.stringify([...(installation.state.holds.get("a")?.values() ?? [])], (_, value: unknown) =>
            typeof value === "bigint" ? `${value}` : value
          ),
          holds
        )
      })
    )
  }

  it.effect("of a new wallet closes it: who waited for it finds it closed, its id stays taken", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, rule: refusingType("WalletCreated") })
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      const creating = yield* Effect.forkChild(Effect.flip(create(node, "a")))
      yield* until(() => installation.types("a").length === 1, "it is in the log")
      const crediting = yield* Effect.forkChild(Effect.flip(credit(node, "a", 1n, "k")))
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual(reasonOf(yield* Fiber.join(creating)), "no WalletCreated")
      assert.strictEqual((yield* Fiber.join(crediting))._tag, "WalletClosed")
      assert.strictEqual(reasonOf(yield* Effect.flip(create(node, "a"))), "no WalletCreated")
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "OperationReversed"])
      yield* flushed(node)
      yield* node.stop
      const next = yield* installation.start()
      assert.strictEqual(reasonOf(yield* Effect.flip(create(next, "a"))), "no WalletCreated")
    })
  )

  it.effect("of a hold comes before its capture, which finds no hold", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(refusingType("HoldPlaced"))
      const open = yield* Deferred.make<void>()
      node.persistence.writeFaults.push(Faults.heldUntil(open))
      const placing = yield* Effect.forkChild(
        Effect.flip(node.engine.placeHold({ walletId: "a", amount: 10n, idempotencyKey: "k" }))
      )
      yield* until(() => installation.types("a").length === 3, "it is in the log")
      const placed = installation.events("a")[2]!.event
      const holdId = placed._tag === "HoldPlaced" ? placed.holdId : "none"
      const capturing = yield* Effect.forkChild(
        Effect.flip(node.engine.captureHold({ walletId: "a", holdId, idempotencyKey: "capture" }))
      )
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual(reasonOf(yield* Fiber.join(placing)), "no HoldPlaced")
      assert.strictEqual((yield* Fiber.join(capturing))._tag, "HoldNotFound")
      yield* assertSettled(installation, node)
    })
  )

  it.effect("is tried again until the log has it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(noGifts)
      const lost = yield* Effect.forkChild(Effect.flip(gift(node, "a", 1n, "k")))
      yield* until(() => installation.types("a").length === 3, "the gift is in the log")
      node.log.appendFaults.push(LogFaults.defective, LogFaults.defective, LogFaults.loseAnswer, LogFaults.unavailable)
      node.log.readFaults.push(LogFaults.unreadable(LogFaults.unavailableLog))
      assert.strictEqual(reasonOf(yield* within(9, Fiber.join(lost))), "no gifts")
      yield* assertSettled(installation, node)
    })
  )
})

describe("a refusal of the engine's own event", () => {
  it.effect("stops the wallet and reverses nothing", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true, rule: refusingType("TransferRefused") })
      for (const id of ["a", "b"]) yield* create(node, id)
      yield* writeForeign(
        installation,
        { _tag: "RefuseTransfer", walletId: "a", transferId: "t", from: "b", amount: 1n, reason: "x" },
        "e:arrive:t"
      )
      assert.isFalse((yield* within(12, credit(node, "a", 1n, "k"))).durability.persisted)
      assert.isTrue((yield* credit(node, "b", 1n, "k")).durability.persisted)
      assert.match(
        node.pipeline.load().blocked[0]?.reason ?? "",
        /event 1 \(TransferRefused\) of wallet a, which the engine never takes back/
      )
      assert.isFalse(installation.types("a").includes("OperationReversed"))
    })
  )
})

describe("too many compensations in a minute", () => {
  it.effect("end them until the next start; nothing that stands in the log is told as undone", () =>
    Effect.gen(function* () {
      const rule = noGifts
      const installation = yield* install({ separate: true, rule, bounds: { compensationsPerMinute: 3 } })
      const node = yield* installation.start()
      yield* create(node, "a")
      yield* create(node, "b")
      for (const key of ["1", "2", "3"]) {
        assert.strictEqual(reasonOf(yield* Effect.flip(gift(node, "a", 1n, key))), "no gifts")
      }
      const last = yield* within(12, gift(node, "a", 1n, "4"))
      assert.isFalse(last.durability.persisted)
      assert.isTrue(node.pipeline.load().compensationsStopped)
      yield* pass(120)
      assert.strictEqual(installation.types("a").filter((type) => type === "OperationReversed").length, 3)
      assert.isTrue((yield* credit(node, "b", 1n, "k")).durability.persisted)
      yield* within(12, node.stop)
      const next = yield* installation.start()
      yield* pass(3)
      // It was given to Persistence once: the next process cannot know that it was never there.
      assert.match(blockedOf(next), /event 7 \(WalletCredited\) of wallet a, which may have been persisted before/)
      installation.state.rule = undefined
      yield* pass(10)
      assert.isTrue((yield* gift(next, "a", 1n, "4")).durability.persisted)
      yield* assertSettled(installation, next, ["a", "b"])
    })
  )

  it.effect("are counted by the minute", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({
        separate: true,
        rule: noGifts,
        bounds: { compensationsPerMinute: 1 }
      })
      yield* create(node, "a")
      for (let n = 0; n < 5; n++) {
        assert.strictEqual(reasonOf(yield* Effect.flip(gift(node, "a", 1n, `${n}`))), "no gifts")
        yield* pass(60)
      }
      yield* assertSettled(installation, node)
    })
  )
})

describe("an owner that has been replaced", () => {
  it.effect("gives back the reversals that wait at its wallets, and is at rest", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(noGifts, 10n)
      const [writes, appends] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
      node.persistence.writeFaults.push(Faults.heldUntil(writes))
      for (const idempotencyKey of ["gift1", "gift2"]) {
        yield* node.engine.credit({ walletId: "a", amount: 40n, reference: "gift", idempotencyKey, await: "committed" })
      }
      node.log.appendFaults.push(LogFaults.heldUntil(appends))
      yield* Deferred.succeed(writes, undefined)
      yield* until(() => installation.state.refusals.get("a")?.length === 2, "both are refused")
      yield* until(() => node.registry.inspect("a")!.waiting > 0, "the second reversal waits behind the first")
      const next = yield* installation.start()
      yield* Deferred.succeed(appends, undefined)
      yield* quiet(node)
      yield* assertSettled(installation, next)
    })
  )
})
