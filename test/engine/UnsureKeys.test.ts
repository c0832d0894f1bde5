/** Wallets with more keys than memory holds, where the append itself tells of the others. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { CommandKey } from "../../src/domain/Event.ts"
import { fingerprintOf } from "../../src/domain/Fingerprint.ts"
import type { Command } from "../../src/domain/Command.ts"
import type { ActorError, Reply, Resend } from "../../src/actors/Mailbox.ts"
import { create, credit, debit, foreignCredit, waiting, writeForeign } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Node } from "../support/Installation.ts"
import { assertConsistent, forgetful, installNode, until } from "../support/Installation.ts"

/** A wallet that has forgotten the keys `create-a`, `fund` and `old` (a debit of 30 out of 40), and has 10 left. */
const started = Effect.fnUntraced(function* (options: Parameters<typeof installNode>[0] = {}) {
  const { installation, node } = yield* installNode({ ...options, bounds: { ...forgetful, ...options.bounds } })
  yield* create(node, "a")
  yield* credit(node, "a", 39n, "fund")
  yield* debit(node, "a", 30n, "old")
  yield* credit(node, "a", 1n, "last")
  node.log.appends.length = 0
  node.persistence.keyQueries.length = 0
  return { installation, node }
})

type Call = (node: Node) => Effect.Effect<{ readonly replayed: boolean }, { readonly _tag: string }>

/** Calls that reach the wallet in one batch; per call `new`, `replayed` or the error's tag. */
const together = Effect.fnUntraced(function* (node: Node, ...calls: ReadonlyArray<Call>) {
  const gate = yield* Deferred.make<void>()
  node.log.appendFaults.unshift(Faults.heldUntil(gate))
  const opening = yield* Effect.forkChild(credit(node, "a", 1n, "last-but-held"))
  yield* until(() => node.log.appends.length === 1, "the append is in flight")
  const callers = yield* Effect.forEach(calls, (call) => Effect.forkChild(Effect.result(call(node))))
  yield* waiting(node, calls.length)
  yield* Deferred.succeed(gate, undefined)
  yield* Fiber.join(opening)
  node.log.appends.splice(0, 1)
  const results = yield* Effect.forEach(callers, Fiber.join)
  return results.map((result) =>
    result._tag === "Failure" ? result.failure._tag : result.success.replayed ? "replayed" : "new"
  )
})

const credited =
  (amount: bigint, key: string): Call =>
  (node) =>
    credit(node, "a", amount, key)

const debited =
  (amount: bigint, key: string): Call =>
  (node) =>
    debit(node, "a", amount, key)

/** Per append, per commit: the keys that it was to look for. */
const asked = (node: Node) =>
  node.log.appends.map((commits) => commits.map(({ unsureKeys = [] }) => unsureKeys.map((key) => key.slice(2))))

describe("a wallet that has forgotten keys", () => {
  it.effect("asks nothing for a new key: the append looks for it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started()
      assert.isFalse((yield* credit(node, "a", 1n, "new")).replayed)
      assert.deepStrictEqual(asked(node), [[["new"]]])
      assert.isTrue((yield* credit(node, "a", 1n, "new")).replayed, "memory knows it")
      assert.deepStrictEqual(node.persistence.keyQueries, [])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("tells a replay of a debit whose money is gone that it is done, alone and beside others", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started()
      assert.isTrue((yield* debit(node, "a", 30n, "old")).replayed)
      assert.deepStrictEqual(node.log.appends, [], "nothing to append, so it was looked up")
      assert.deepStrictEqual(node.persistence.keyQueries, [["c:old"]])
      assert.deepStrictEqual(yield* together(node, debited(30n, "old"), credited(1n, "new")), ["replayed", "new"])
      assert.deepStrictEqual(asked(node), [[["old", "new"]], [[]]])
      assert.strictEqual(node.persistence.keyQueries.length, 2)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("tells a rejection only with an append that has looked for its key", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started()
      const answers = yield* together(node, debited(500n, "too-much"), credited(1n, "new"))
      assert.deepStrictEqual(answers, ["InsufficientFunds", "new"])
      assert.deepStrictEqual(asked(node), [[["too-much", "new"]]])
      assert.deepStrictEqual(node.persistence.keyQueries, [])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("looks up a batch without events, once", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started()
      const answers = yield* together(node, debited(500n, "k1"), debited(30n, "old"), debited(600n, "k2"))
      assert.deepStrictEqual(answers, ["InsufficientFunds", "replayed", "InsufficientFunds"])
      assert.deepStrictEqual([asked(node), node.persistence.keyQueries], [[], [["c:k1", "c:old", "c:k2"]]])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("works through a batch full of replays in two appends and one look-up", () =>
    Effect.gen(function* () {
      // All in one batch: more than so many go by halves.
      const { installation, node } = yield* started({ bounds: { aheadCommands: 64 } })
      for (let n = 0; n < 20; n++) yield* credit(node, "a", 1n, `k${n}`)
      node.log.appends.length = 0
      const calls = Array.from({ length: 20 }, (_, n) => [credited(1n, `k${n}`), credited(2n, `new-${n}`)]).flat()
      const answers = yield* together(node, ...calls)
      assert.deepStrictEqual(
        answers,
        calls.map((_, index) => (index % 2 === 0 ? "replayed" : "new"))
      )
      assert.strictEqual(node.log.appends.length, 2)
      assert.strictEqual(node.persistence.keyQueries.length, 1)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("knows a key used twice in one batch, and before it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started()
      const answers = yield* together(
        node,
        credited(1n, "k"),
        credited(1n, "k"),
        credited(2n, "k"),
        debited(31n, "old"),
        debited(30n, "old"),
        debited(29n, "old")
      )
      assert.deepStrictEqual(answers, [
        "new",
        "replayed",
        "IdempotencyKeyReused",
        "IdempotencyKeyReused",
        "replayed",
        "IdempotencyKeyReused"
      ])
      assert.strictEqual(installation.events("a").length, 6)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("costs the other wallets of its append nothing", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started()
      const gate = yield* Deferred.make<void>()
      // Both places are taken: what comes meanwhile goes together.
      for (const id of ["x", "y"]) {
        node.log.appendFaults.push(Faults.heldUntil(gate))
        yield* Effect.forkChild(create(node, id))
        yield* until(() => node.log.appendFaults.length === 0, "it is in flight")
      }
      const replay = yield* Effect.forkChild(credit(node, "a", 39n, "fund"))
      const other = yield* Effect.forkChild(create(node, "b"))
      yield* waiting(node, 0)
      yield* Deferred.succeed(gate, undefined)
      assert.isTrue((yield* Fiber.join(replay)).replayed)
      yield* Fiber.join(other)
      const shared = node.log.appends.filter((commits) => commits.length === 2)
      assert.deepStrictEqual(
        shared.map((commits) => commits.map(({ walletId }) => walletId)),
        [["a", "b"]]
      )
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("an append of which nobody knows what became", () => {
  it.effect("is sent again as it was, and its own keys are not taken for earlier ones", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started()
      node.log.appendFaults.push(Faults.loseAnswer, Faults.loseAnswer)
      const answer = yield* Effect.forkChild(credit(node, "a", 1n, "new"))
      yield* TestClock.adjust("5 seconds")
      assert.isFalse((yield* Fiber.join(answer)).replayed)
      assert.deepStrictEqual(asked(node), [[["new"]], [["new"]], [["new"]]])
      assert.deepStrictEqual(node.persistence.keyQueries, [])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("may turn out to be one that had seen a key", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started()
      node.log.appendFaults.push(Faults.loseAnswer, Faults.loseRequest)
      const answer = yield* Effect.forkChild(credit(node, "a", 39n, "fund"))
      yield* TestClock.adjust("5 seconds")
      assert.isTrue((yield* Fiber.join(answer)).replayed)
      assert.deepStrictEqual(node.persistence.keyQueries, [["c:fund"]])
      assert.strictEqual(installation.events("a").length, 4)
      yield* assertConsistent(installation, node, "a")
    })
  )
})

describe("the keys that an append is to look for", () => {
  it.effect("stay with each part of what a user's rule refuses", () =>
    Effect.gen(function* () {
      const rule = ({ events }: { readonly events: ReadonlyArray<{ readonly event: { readonly _tag: string } }> }) =>
        events.some(({ event }) => event._tag === "WalletFrozen") ? "no" : undefined
      const { installation, node } = yield* started({ rule })
      const freeze: Call = ({ engine }) => engine.freeze({ walletId: "a", idempotencyKey: "freeze" })
      const answers = yield* together(node, credited(1n, "new"), freeze, debited(30n, "old"))
      assert.deepStrictEqual(answers, ["new", "OperationRefused", "replayed"])
      assert.deepStrictEqual(asked(node)[0], [["new", "freeze", "old"]])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("are found anew after a conflict, when somebody else has used one", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started()
      yield* writeForeign(installation, foreignCredit("a", 5n), "c:new")
      const answer = yield* credit(node, "a", 5n, "new")
      assert.isTrue(answer.replayed)
      assert.strictEqual(installation.events("a").length, 5)
      yield* assertConsistent(installation, node, "a")
    })
  )
})

const offered = (node: Node, command: Command, key: CommandKey, resend: Resend | undefined) =>
  Effect.callback<Reply, ActorError>((resume) => {
    const refusal = node.registry.offer({
      _tag: "Envelope",
      command,
      key,
      fingerprint: fingerprintOf(command),
      actor: null,
      correlationId: null,
      bytes: 0,
      await: "persisted",
      ifVersion: null,
      dryRun: false,
      resend,
      resume,
      offeredAt: 0,
      stage: "waiting"
    })
    if (refusal !== undefined) resume(Effect.fail(refusal))
  })

describe("calls that are sent again", () => {
  const resend = { keys: ["c:first", "c:old", "c:third"] as const }
  const debitOf = (amount: bigint): Command => ({ ...foreignCredit("a", amount), _tag: "Debit" }) as Command

  for (const separate of [false, true]) {
    it.effect(`are looked up before they are decided (${separate ? "two stores" : "one database"})`, () =>
      Effect.gen(function* () {
        const { installation, node } = yield* started({ separate })
        // It was rejected before `old` was done. Now there is money, and it must not be done behind `old`.
        const first = yield* Effect.exit(offered(node, debitOf(2n), "c:first", resend))
        assert.isTrue(Exit.isFailure(first))
        assert.include(String(Exit.isFailure(first) ? first.cause.reasons : ""), "OutcomeUnknown")
        assert.deepStrictEqual([...node.persistence.keyQueries[0]!].sort(), ["c:first", "c:old", "c:third"])
        const third = yield* offered(node, debitOf(2n), "c:third", resend)
        assert.strictEqual(third._tag, "Done")
        assert.deepStrictEqual(asked(node), [[[]]], "nothing was left to the append")
        assert.strictEqual(installation.events("a").length, 5)
        yield* assertConsistent(installation, node, "a")
      })
    )
  }
})

describe("a wallet that comes back", () => {
  it.effect("after a restart, asks nothing for new keys and knows the old ones", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* started({ bounds: { snapshotMinimumEvents: 1, keysInSnapshot: 1 } })
      yield* node.stop
      const next = yield* installation.start()
      for (let n = 0; n < 5; n++) assert.isFalse((yield* credit(next, "a", 1n, `new-${n}`)).replayed)
      assert.deepStrictEqual(next.persistence.keyQueries, [])
      assert.isTrue((yield* debit(next, "a", 30n, "old")).replayed)
      assert.strictEqual(next.persistence.keyQueries.length, 1)
      yield* assertConsistent(installation, next, "a")
    })
  )
})
