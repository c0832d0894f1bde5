/** Transfers whose wallets have nothing else to do: all of their steps are one append, all or nothing. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type Commit, membersOf } from "../../src/domain/Commit.ts"
import { minBalance } from "../../src/domain/Policies.ts"
import { partitionOf } from "../../src/domain/Partition.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import {
  assertConsistent,
  type Installation,
  installNode,
  type Node,
  partitions,
  until
} from "../support/Installation.ts"
import { assertConserved, fund, inFlight, pass, send, settled, transferEvents } from "../support/TransferCalls.ts"

const balance = (node: Node, walletId: string) =>
  Effect.map(node.engine.getWallet({ walletId }), (wallet) => wallet.balance)

/** The log from some length on, as `wallet event`. */
const logFrom = ({ state }: Installation, from: number): ReadonlyArray<string> =>
  state.log.slice(from).map(({ recorded }) => `${recorded.walletId} ${recorded.event._tag}`)

const funded = Effect.fnUntraced(function* (
  ids: ReadonlyArray<string>,
  options: Parameters<typeof installNode>[0] = {}
) {
  const { installation, node } = yield* installNode(options)
  yield* fund(node, ids, 100n)
  node.log.appends.length = 0
  return { installation, node, length: installation.state.log.length }
})

/** Two commands of a wallet that find it busy with a credit, so that it takes both at once. */
const inOneBatch = Effect.fnUntraced(function* <A, B, E1, E2>(
  node: Node,
  first: Effect.Effect<A, E1>,
  second: Effect.Effect<B, E2>
) {
  const release = yield* Deferred.make<void>()
  node.log.appendFaults.push(Faults.heldUntil(release))
  const credit = { walletId: "a", amount: 1n, idempotencyKey: "before" }
  const before = yield* Effect.forkChild(node.engine.credit(credit))
  yield* until(() => node.log.appendFaults.length === 0, "the wallet is busy")
  const one = yield* Effect.forkChild(Effect.exit(first))
  const other = yield* Effect.forkChild(Effect.exit(second))
  yield* until(() => node.registry.load().waitingCommands === 2, "both wait")
  yield* Deferred.succeed(release, undefined)
  yield* Fiber.join(before)
  return { one: yield* Fiber.join(one), other: yield* Fiber.join(other) }
})

const steps = ["a TransferSent", "b TransferReceived", "a TransferSettled"]

describe("a transfer between idle wallets", () => {
  it.effect("is one append, sent before received before settled, with the keys of the steps", () =>
    Effect.gen(function* () {
      const { installation, length, node } = yield* funded(["a", "b"])
      const answer = yield* send(node, "a", "b", 30n, "t")
      assert.strictEqual(answer.transfer.status, "completed")
      assert.deepStrictEqual(logFrom(installation, length), steps)
      assert.strictEqual(node.log.appends.length, 1)
      const { id } = answer.transfer
      assert.deepStrictEqual(
        installation.state.log.slice(length).map(({ recorded }) => recorded.metadata.key),
        ["c:t", `e:arrive:a:${id}`, `e:end:${id}`]
      )
      assert.deepStrictEqual([yield* balance(node, "a"), yield* balance(node, "b")], [70n, 130n])
      assert.deepStrictEqual(yield* node.engine.getTransfer(id), answer.transfer)
      assert.deepStrictEqual(yield* send(node, "a", "b", 30n, "t"), { ...answer, replayed: true })
      for (const walletId of ["a", "b"]) yield* assertConsistent(installation, node, walletId)
    })
  )

  it.effect("of several legs is one append: begun, promised, decided, done, settled", () =>
    Effect.gen(function* () {
      const { installation, length, node } = yield* funded(["a", "b", "c"])
      const legs = [
        { from: "a", to: "b", amount: 60n },
        { from: "b", to: "c", amount: 150n },
        { from: "c", to: "a", amount: 5n }
      ]
      const { transfer } = yield* node.engine.transfer({ legs, idempotencyKey: "t" })
      assert.strictEqual(transfer.status, "completed")
      assert.deepStrictEqual(logFrom(installation, length), [
        "a LegsBegun",
        "b LegsPrepared",
        "c LegsPrepared",
        "a LegsApplied",
        "b LegsApplied",
        "c LegsApplied",
        "a LegsSettled"
      ])
      assert.strictEqual(node.log.appends.length, 1)
      assert.deepStrictEqual(yield* node.engine.getTransfer(transfer.id), transfer)
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c"], (id) => balance(node, id)), [45n, 10n, 245n])
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )

  it.effect("to several wallets and to the same one again is one append of one batch", () =>
    Effect.gen(function* () {
      const { installation, length, node } = yield* funded(["a", "b", "c"])
      const sent = [
        send(node, "a", "b", 1n, "1"),
        send(node, "a", "c", 2n, "2"),
        send(node, "a", "b", 4n, "3"),
        node.engine.debit({ walletId: "a", amount: 8n, idempotencyKey: "4" })
      ]
      yield* Effect.all(sent, { concurrency: "unbounded" })
      assert.isAtMost(node.log.appends.length, 2)
      assert.strictEqual(installation.state.log.length - length, 10)
      assert.strictEqual(assertConserved(installation), 0n)
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c"], (id) => balance(node, id)), [85n, 105n, 102n])
    })
  )

  it.effect("has arrived once, asked for again, also where another one to the same wallet was in its append", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(["a", "b"])
      yield* inOneBatch(node, send(node, "a", "b", 10n, "1"), send(node, "a", "b", 10n, "2"))
      for (const key of ["1", "2"]) assert.isTrue((yield* send(node, "a", "b", 10n, key)).replayed)
      assert.deepStrictEqual(transferEvents(installation, "b"), { TransferReceived: 2 })
      assert.strictEqual(yield* balance(node, "b"), 120n)
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )

  it.effect("goes before what waits at the other wallet until the log has room for it", () =>
    Effect.gen(function* () {
      const { installation, length, node } = yield* funded(["a", "b", "c", "d"], {
        bounds: { appendCommits: 1, appendsInFlight: 1 }
      })
      const release = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(release))
      const credit = (walletId: string) => node.engine.credit({ walletId, amount: 1n, idempotencyKey: "more" })
      const first = yield* Effect.forkChild(credit("c"))
      yield* until(() => node.log.appendFaults.length === 0, "the log is busy")
      const second = yield* Effect.forkChild(credit("d"))
      yield* until(() => node.registry.load().waitingCommands === 0, "what waits fills the next append")
      const sent = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      yield* until(() => node.registry.load().waitingCommands === 1, "the source decides nothing yet")
      const third = yield* Effect.forkChild(credit("b"))
      yield* until(() => node.registry.load().waitingCommands === 2, "nor does the destination")
      yield* Deferred.succeed(release, undefined)
      for (const one of [first, second, sent, third]) yield* Fiber.join<unknown, unknown>(one)
      assert.deepStrictEqual(logFrom(installation, length), [
        "c WalletCredited",
        "d WalletCredited",
        ...steps,
        "b WalletCredited"
      ])
      assert.deepStrictEqual([yield* balance(node, "a"), yield* balance(node, "b")], [70n, 131n])
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )

  it.effect("brings no more steps into one append than one may have", () =>
    Effect.gen(function* () {
      const { node } = yield* funded(["a", "b", "c"], { bounds: { jointEvents: 3 } })
      yield* inOneBatch(node, send(node, "a", "b", 10n, "1"), send(node, "a", "c", 10n, "2"))
      const joined = node.log.appends.flat().flatMap(({ joint }) => (joint === undefined ? [] : [joint.commits.length]))
      assert.deepStrictEqual(joined, [1])
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c"], (id) => balance(node, id)), [81n, 110n, 110n])
    })
  )

  it.effect("brings no more bytes of texts into one append than one may have", () =>
    Effect.gen(function* () {
      const { node } = yield* funded(["a", "b", "c"], { bounds: { appendBytes: 2_600 } })
      const noted = (to: string, key: string) =>
        node.engine.transfer({ from: "a", to, amount: 10n, reference: "x".repeat(250), idempotencyKey: key })
      // Each takes some 760 bytes, and as many again where it arrives.
      yield* inOneBatch(node, noted("b", "1"), noted("c", "2"))
      const joined = node.log.appends.flat().flatMap(({ joint }) => (joint === undefined ? [] : [joint.commits.length]))
      assert.deepStrictEqual(joined, [1])
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c"], (id) => balance(node, id)), [81n, 110n, 110n])
    })
  )

  it.effect("comes back where its destination refuses it, and the others of its batch arrive", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(["a", "b", "c"])
      yield* node.engine.freeze({ walletId: "c", direction: "all", idempotencyKey: "freeze" })
      const { one, other } = yield* inOneBatch(node, send(node, "a", "c", 1n, "1"), send(node, "a", "b", 2n, "2"))
      assert.isTrue(Exit.isFailure(one))
      assert.isTrue(Exit.isSuccess(other))
      yield* settled(installation, node, ["a"])
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c"], (id) => balance(node, id)), [99n, 102n, 100n])
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )

  it.effect("of several legs that one wallet refuses leaves no trace of the steps of the others in its append", () =>
    Effect.gen(function* () {
      const { installation, length, node } = yield* funded(["a", "b", "c"], { policy: minBalance({ amount: 80n }) })
      const legs = [
        { from: "a", to: "c", amount: 10n },
        { from: "b", to: "c", amount: 30n }
      ]
      const { one, other } = yield* inOneBatch(
        node,
        node.engine.transfer({ legs, idempotencyKey: "1" }),
        send(node, "a", "c", 5n, "2")
      )
      assert.isTrue(Exit.isFailure(one))
      assert.isTrue(Exit.isSuccess(other))
      yield* pass(1)
      const joint = node.log.appends.flat().find((commit) => commit.joint !== undefined)!
      assert.deepStrictEqual(
        joint.joint!.order.map(({ event, walletId }) => `${walletId} ${event._tag}`),
        ["a LegsBegun", ...steps.map((step) => step.replace("b ", "c "))]
      )
      assert.isAbove(installation.state.log.length, length)
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c"], (id) => balance(node, id)), [96n, 100n, 105n])
      assert.strictEqual(assertConserved(installation), 0n)
      for (const id of ["a", "b", "c"]) yield* assertConsistent(installation, node, id)
    })
  )

  it.effect("goes step by step where its destination is busy, and nobody waits for anybody", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(["a", "b"])
      const release = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(release))
      const credit = yield* Effect.forkChild(node.engine.credit({ walletId: "b", amount: 1n, idempotencyKey: "c" }))
      yield* until(() => node.log.appendFaults.length === 0, "the credit is on its way")
      const sending = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      yield* until(() => inFlight(installation, "a") === 1, "it is sent")
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual((yield* Fiber.join(sending)).transfer.status, "completed")
      yield* Fiber.join(credit)
      yield* settled(installation, node, ["a"])
      assert.deepStrictEqual(transferEvents(installation, "b"), { TransferReceived: 1 })
    })
  )

  it.effect("keeps the commands of its destination waiting until the log has decided, and no longer", () =>
    Effect.gen(function* () {
      for (const fault of [Faults.heldUntil, Faults.answerHeldUntil]) {
        const { installation, node } = yield* funded(["a", "b"])
        const release = yield* Deferred.make<void>()
        node.log.appendFaults.push(fault(release))
        const sending = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
        yield* until(() => node.log.appendFaults.length === 0, "the transfer is on its way")
        const debit = { walletId: "b", amount: 120n, idempotencyKey: "d" }
        const debiting = yield* Effect.forkChild(node.engine.debit(debit))
        const reading = yield* Effect.forkChild(node.engine.getWallet({ walletId: "b" }))
        // What is read is what was committed, as ever.
        assert.strictEqual((yield* Fiber.join(reading)).balance, 100n)
        yield* until(() => node.registry.load().waitingCommands === 1, "the debit waits")
        yield* Deferred.succeed(release, undefined)
        assert.strictEqual((yield* Fiber.join(sending)).transfer.status, "completed")
        assert.strictEqual((yield* Fiber.join(debiting)).wallet.balance, 10n)
        assert.deepStrictEqual(installation.types("b").slice(2), ["TransferReceived", "WalletDebited"])
      }
    })
  )

  it.effect("is there once, at both wallets, whatever becomes of the answer of its append", () =>
    Effect.gen(function* () {
      for (const faults of [
        [Faults.loseAnswer, Faults.loseAnswer],
        [Faults.loseRequest, Faults.loseAnswer],
        [Faults.throwAfter],
        [Faults.interruptAfter, Faults.unavailable]
      ]) {
        const { installation, length, node } = yield* funded(["a", "b"])
        node.log.appendFaults.push(...faults)
        const sending = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
        yield* pass(3)
        assert.strictEqual((yield* Fiber.join(sending)).transfer.status, "completed")
        assert.deepStrictEqual(logFrom(installation, length), steps)
        yield* node.engine.credit({ walletId: "b", amount: 1n, idempotencyKey: "after" })
        assert.deepStrictEqual([yield* balance(node, "a"), yield* balance(node, "b")], [70n, 131n])
      }
    })
  )

  it.effect("that cannot be appended leaves both wallets as they were", () =>
    Effect.gen(function* () {
      const { installation, length, node } = yield* funded(["a", "b"])
      node.log.draw = { append: () => Faults.unavailable, read: () => undefined }
      const sending = yield* Effect.forkChild(Effect.flip(send(node, "a", "b", 30n, "t")))
      yield* pass(30)
      assert.strictEqual((yield* Fiber.join(sending))._tag, "StoreUnavailable")
      node.log.draw = undefined
      assert.deepStrictEqual(logFrom(installation, length), [])
      const error = yield* Effect.flip(node.engine.debit({ walletId: "b", amount: 101n, idempotencyKey: "d" }))
      assert.strictEqual(error._tag, "InsufficientFunds")
      assert.strictEqual((yield* send(node, "a", "b", 30n, "t")).transfer.status, "completed")
      assert.deepStrictEqual([yield* balance(node, "a"), yield* balance(node, "b")], [70n, 130n])
    })
  )

  const refusing = (type: string) => ({
    rule: (commit: Commit) =>
      membersOf(commit).some(({ events }) => events.some(({ event }) => event._tag === type)) ? "no" : undefined
  })

  it.effect("that a rule refuses at its destination comes back, and its batch has what it wants", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(["a", "b"], refusing("TransferReceived"))
      const [sending, credit] = yield* Effect.all(
        [
          Effect.flip(send(node, "a", "b", 30n, "t")),
          node.engine.credit({ walletId: "a", amount: 1n, idempotencyKey: "c" })
        ],
        { concurrency: "unbounded" }
      )
      assert.strictEqual(sending._tag, "TransferReversed")
      assert.isFalse(credit.replayed)
      yield* settled(installation, node, ["a"])
      assert.deepStrictEqual([yield* balance(node, "a"), yield* balance(node, "b")], [101n, 100n])
    })
  )

  it.effect("that a rule refuses at its source is told so, and its destination knows nothing of it", () =>
    Effect.gen(function* () {
      const { installation, length, node } = yield* funded(["a", "b"], refusing("TransferSent"))
      const error = yield* Effect.flip(send(node, "a", "b", 30n, "t"))
      assert.strictEqual(error._tag, "OperationRefused")
      assert.deepStrictEqual(logFrom(installation, length), [])
      assert.deepStrictEqual([yield* balance(node, "a"), yield* balance(node, "b")], [100n, 100n])
    })
  )

  it.effect("asks the policies of each wallet as the steps do", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(["a", "b"], { policy: minBalance({ amount: 80n }) })
      const error = yield* Effect.flip(send(node, "a", "b", 30n, "t"))
      assert.strictEqual(error._tag, "PolicyRejected")
      assert.strictEqual((yield* send(node, "a", "b", 20n, "u")).transfer.status, "completed")
      assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 1, TransferSettled: 1 })
    })
  )

  it.effect("whose destination another node has claimed since comes to its end there", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* funded(["a", "b"])
      const partition = partitionOf("b", partitions)
      yield* installation.log.claim({ partitions: [partition], owner: "another", time: 0 })
      const sending = yield* Effect.forkChild(Effect.exit(send(node, "a", "b", 30n, "t")))
      yield* pass(5)
      yield* Fiber.join(sending)
      // The source has sent it, or nothing has happened; never has it arrived without.
      assert.strictEqual(assertConserved(installation), BigInt(inFlight(installation, "a")) * 30n)
      assert.deepStrictEqual(transferEvents(installation, "b"), {})
      assert.isUndefined(node.ownership.epochOf(partition))
    })
  )

  it.effect("in a crowd over the same wallets, to and fro and in rings, all end and none waits for ever", () =>
    Effect.gen(function* () {
      const ids = Array.from({ length: 12 }, (_, n) => `w${n}`)
      const { installation, node } = yield* funded(ids)
      const legs = (n: number) =>
        Array.from({ length: 10 }, (_, leg) => ({
          from: ids[(n + leg) % 12]!,
          to: ids[(n + leg * (1 + (n % 5)) + 1 + (n % 3)) % 12]!,
          amount: 1n
        })).filter(({ from, to }) => from !== to)
      const transfers = Array.from({ length: 50 }, (_, n) =>
        Effect.exit(
          n % 2 === 0
            ? send(node, ids[n % 12]!, ids[(n + 1) % 12]!, 1n, `t${n}`)
            : node.engine.transfer({ legs: legs(n), idempotencyKey: `t${n}` })
        )
      )
      const running = yield* Effect.forkChild(Effect.all(transfers, { concurrency: "unbounded" }))
      yield* pass(5)
      yield* Fiber.join(running)
      yield* settled(installation, node, ids)
      assert.strictEqual(assertConserved(installation), 0n)
      assert.isTrue(node.log.appends.some((commits) => commits.some(({ joint }) => joint !== undefined)))
      for (const id of ids) yield* assertConsistent(installation, node, id)
    })
  )
})
