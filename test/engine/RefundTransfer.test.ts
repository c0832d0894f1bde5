/** Refunds of transfers: the other way, leg by leg, up to the original and never beyond. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { WalletEventType } from "../../src/domain/Event.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { assertVerified, install, installNode, type Node, until, transferModes } from "../support/Installation.ts"
import { balances, count, refund, refundTransfer, within } from "../support/RefundCalls.ts"
import { assertConserved, fund, pass, send } from "../support/TransferCalls.ts"

/** Dies before an append of that type at that wallet. */
const cutOff = (node: Node, type: WalletEventType, walletId: string): void => {
  node.log.draw = {
    append: () => (write, commits) =>
      commits.some((commit) => commit.walletId === walletId && commit.events.some(({ event }) => event._tag === type))
        ? Faults.unavailable(write, commits)
        : write,
    read: () => undefined
  }
}

/** The id of an event that nobody has made. */
const laterThan = (id: string): string => `${id.slice(0, 9)}ffff${id.slice(13)}`

/** a → b 60, b → c 150, c → a 5. */
const legs = [
  { from: "a", to: "b", amount: 60n },
  { from: "b", to: "c", amount: 150n },
  { from: "c", to: "a", amount: 5n }
]

for (const [where, mode] of transferModes) {
  describe(`a refund of a transfer ${where}`, () => {
    it.effect("is a transfer the other way, part by part", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode(mode)
        yield* within(1, fund(node, ["a", "b"], 100n))
        const { transfer } = yield* within(2, send(node, "a", "b", 60n, "t"))
        assert.deepInclude(transfer, { refundOf: null, refunded: 0n })
        const first = yield* within(2, refundTransfer(node, transfer.id, "r1", 20n))
        assert.deepInclude(first.transfer, {
          from: "b",
          to: "a",
          amount: 20n,
          status: "completed",
          refundOf: transfer.id,
          refunded: 0n
        })
        assert.deepStrictEqual(yield* balances(node, "a", "b"), [60n, 140n])
        const shown = yield* node.engine.getTransfer(transfer.id)
        assert.deepStrictEqual([shown.refunded, shown.legs[0]?.refunded], [20n, 20n])
        const beyond = yield* within(1, Effect.flip(refundTransfer(node, transfer.id, "r2", 41n)))
        assert.deepInclude(beyond, { _tag: "RefundExceeded", refundable: 40n, walletId: "b" })
        const rest = yield* within(2, refundTransfer(node, transfer.id, "r2", undefined, 0))
        assert.strictEqual(rest.transfer.amount, 40n)
        // Of one leg it says the same to name it.
        const again = yield* within(2, refundTransfer(node, transfer.id, "r2"))
        assert.deepStrictEqual(again, { ...rest, replayed: true })
        const nothing = yield* within(1, Effect.flip(refundTransfer(node, transfer.id, "r3")))
        assert.deepInclude(nothing, { _tag: "RefundExceeded", refundable: 0n })
        const ofRefund = yield* within(1, Effect.flip(refundTransfer(node, first.transfer.id, "r3")))
        assert.deepInclude(ofRefund, { _tag: "NotRefundable", id: first.transfer.id })
        const unknown = yield* within(1, Effect.flip(refundTransfer(node, "t_nothing", "r3")))
        assert.strictEqual(unknown._tag, "TransferNotFound")
        const replayed = yield* within(2, send(node, "a", "b", 60n, "t"))
        assert.deepStrictEqual([replayed.replayed, replayed.transfer.refunded], [true, 0n])
        const { data } = yield* node.engine.transfers({ walletId: "a", limit: 9 })
        assert.deepStrictEqual(
          data.map(({ amount, refunded, refundOf }) => [amount, refunded, refundOf]),
          [
            [40n, 0n, transfer.id],
            [20n, 0n, transfer.id],
            [60n, 60n, null]
          ]
        )
        assert.deepStrictEqual(yield* balances(node, "a", "b"), [100n, 100n])
        assert.strictEqual(assertConserved(installation), 0n)
        yield* assertVerified(installation)
      })
    )

    it.effect("is of one original at most, however many ask at once", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode(mode)
        yield* within(1, fund(node, ["a", "b"], 100n))
        const { transfer } = yield* within(2, send(node, "a", "b", 60n, "t"))
        const answers = yield* within(
          8,
          Effect.forEach(
            Array.from({ length: 40 }, (_, index) => index),
            (index) => Effect.result(refundTransfer(node, transfer.id, `r${index}`, index % 2 === 0 ? 7n : undefined)),
            { concurrency: "unbounded" }
          )
        )
        const failed = answers.flatMap((one) => (one._tag === "Failure" ? [one.failure._tag] : []))
        assert.deepStrictEqual([...new Set(failed)], ["RefundExceeded"])
        assert.strictEqual((yield* node.engine.getTransfer(transfer.id)).refunded, 60n)
        assert.deepStrictEqual(yield* balances(node, "a", "b"), [100n, 100n])
        assert.strictEqual(assertConserved(installation), 0n)
      })
    )

    it.effect("that its destination refuses after it was sent comes back, and may be asked for again", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ stepwise: true, ...mode })
        yield* within(1, fund(node, ["a", "b"], 100n))
        const { transfer } = yield* within(2, send(node, "a", "b", 100n, "t"))
        const release = yield* Deferred.make<void>()
        node.log.appendFaults.push(Faults.heldUntil(release))
        const refunding = yield* Effect.forkChild(Effect.flip(refundTransfer(node, transfer.id, "r", 30n)))
        yield* until(() => node.log.appendFaults.length === 0, "the refund is on its way")
        yield* Effect.forkChild(node.engine.close({ walletId: "a", idempotencyKey: "close" }))
        yield* until(() => installation.types("a").includes("WalletClosed"), "its destination is closed")
        yield* Deferred.succeed(release, undefined)
        yield* pass(3)
        const reversed = yield* Fiber.join(refunding)
        assert.strictEqual(reversed._tag, "TransferReversed")
        assert.strictEqual(count(installation, "b", "TransferReversed"), 1)
        assert.strictEqual((yield* node.engine.getTransfer(transfer.id)).refunded, 0n)
        const closed = yield* within(2, Effect.flip(refundTransfer(node, transfer.id, "all")))
        assert.strictEqual(closed._tag, "WalletClosed")
        assert.deepStrictEqual(yield* balances(node, "b"), [200n])
        const again = yield* within(2, Effect.flip(refundTransfer(node, transfer.id, "r", 30n)))
        assert.deepInclude(again, { _tag: "TransferReversed", replayed: true })
        assert.strictEqual(assertConserved(installation), 0n)
      })
    )

    it.effect("of several legs is of one leg, or of what is left of each", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode(mode)
        yield* within(1, fund(node, ["a", "b", "c"], 100n))
        const { transfer } = yield* within(2, node.engine.transfer({ legs, idempotencyKey: "t" }))
        assert.deepStrictEqual(yield* balances(node, "a", "b", "c"), [45n, 10n, 245n])
        const one = yield* within(2, refundTransfer(node, transfer.id, "r1", 100n, 1))
        assert.deepInclude(one.transfer, { from: "c", to: "b", amount: 100n, refundOf: transfer.id })
        for (const [amount, leg, detail] of [
          [5n, undefined, /^amount: /],
          [undefined, 3, /^leg: /],
          [undefined, -1, /^leg: /]
        ] as const) {
          const wrong = yield* within(1, Effect.flip(refundTransfer(node, transfer.id, "x", amount, leg)))
          assert.strictEqual(wrong._tag, "InvalidRequest")
          assert.match(wrong.message, detail)
        }
        const beyond = yield* within(1, Effect.flip(refundTransfer(node, transfer.id, "x", 51n, 1)))
        assert.deepInclude(beyond, { _tag: "RefundExceeded", refundable: 50n, leg: 1 })
        const tried = yield* within(2, node.engine.refundTransfer({ transferId: transfer.id, dryRun: true }))
        assert.deepInclude(tried.transfer, { id: null, from: null, status: "completed", refundOf: transfer.id })
        const whole = yield* within(3, refundTransfer(node, transfer.id, "r2"))
        assert.deepInclude(whole.transfer, { from: null, refundOf: transfer.id, refunded: null, status: "completed" })
        assert.deepStrictEqual(
          whole.transfer.legs.map(({ amount, from, refunded, to }) => [from, to, amount, refunded]),
          [
            ["b", "a", 60n, 0n],
            ["c", "b", 50n, 0n],
            ["a", "c", 5n, 0n]
          ]
        )
        assert.deepStrictEqual(yield* balances(node, "a", "b", "c"), [100n, 100n, 100n])
        const shown = yield* node.engine.getTransfer(transfer.id)
        assert.deepStrictEqual([shown.refunded, ...shown.legs.map(({ refunded }) => refunded)], [null, 60n, 150n, 5n])
        const again = yield* within(3, refundTransfer(node, transfer.id, "r2"))
        assert.deepStrictEqual(again, { ...whole, replayed: true })
        const nothing = yield* within(1, Effect.flip(refundTransfer(node, transfer.id, "r3")))
        assert.deepInclude(nothing, { _tag: "RefundExceeded", refundable: 0n })
        assert.deepStrictEqual(shown.refundOf, null)
        assert.strictEqual(assertConserved(installation), 0n)
        yield* assertVerified(installation)
      })
    )

    it.effect("as a whole is of the one leg of which something is left, and is told again as that", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode(mode)
        yield* within(1, fund(node, ["a", "b", "c"], 1_000n))
        const { transfer } = yield* within(2, node.engine.transfer({ legs, idempotencyKey: "t" }))
        yield* within(2, refundTransfer(node, transfer.id, "r0", undefined, 0))
        yield* within(2, refundTransfer(node, transfer.id, "r2", undefined, 2))
        const rest = yield* within(2, refundTransfer(node, transfer.id, "rest"))
        assert.deepInclude(rest.transfer, { from: "c", to: "b", amount: 150n, status: "completed" })
        const again = yield* within(2, refundTransfer(node, transfer.id, "rest"))
        assert.deepStrictEqual(again, { ...rest, replayed: true })
        assert.deepStrictEqual(yield* balances(node, "a", "b", "c"), [1_000n, 1_000n, 1_000n])
        assert.strictEqual(assertConserved(installation), 0n)
      })
    )

    it.effect("as a whole never takes a leg twice, however many ask at once", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode(mode)
        yield* within(1, fund(node, ["a", "b", "c"], 1_000n))
        const { transfer } = yield* within(2, node.engine.transfer({ legs, idempotencyKey: "t" }))
        const answers = yield* within(
          20,
          Effect.forEach(
            Array.from({ length: 12 }, (_, index) => index),
            (index) =>
              Effect.result(
                index % 3 === 0
                  ? refundTransfer(node, transfer.id, `r${index}`)
                  : refundTransfer(node, transfer.id, `r${index}`, 3n, index % 3)
              ),
            { concurrency: "unbounded" }
          )
        )
        const failed = answers.flatMap((one) => (one._tag === "Failure" ? [one.failure._tag] : []))
        for (const tag of failed) assert.include(["RefundExceeded", "TransferReversed"], tag)
        yield* within(5, Effect.result(refundTransfer(node, transfer.id, "last")))
        const shown = yield* node.engine.getTransfer(transfer.id)
        assert.deepStrictEqual(
          shown.legs.map(({ refunded }) => refunded),
          [60n, 150n, 5n]
        )
        assert.deepStrictEqual(yield* balances(node, "a", "b", "c"), [1_000n, 1_000n, 1_000n])
        assert.strictEqual(assertConserved(installation), 0n)
        yield* assertVerified(installation)
      })
    )

    for (const [type, walletId] of [
      ["LegsPrepared", "c"],
      ["LegsPrepared", "a"],
      ["LegsApplied", "b"],
      ["LegsApplied", "c"]
    ] as const) {
      it.effect(`as a whole ends by itself when the node dies before ${type} at ${walletId}`, () =>
        Effect.gen(function* () {
          const installation = yield* install(mode)
          const node = yield* installation.start()
          yield* within(1, fund(node, ["a", "b", "c"], 1_000n))
          const { transfer } = yield* within(2, node.engine.transfer({ legs, idempotencyKey: "t" }))
          const before = count(installation, walletId, type)
          cutOff(node, type, walletId)
          yield* Effect.forkChild(Effect.exit(refundTransfer(node, transfer.id, "r")))
          yield* pass(3)
          assert.strictEqual(count(installation, walletId, type), before)
          node.kill()
          const other = yield* installation.start()
          yield* pass(40)
          const answer = yield* within(3, refundTransfer(other, transfer.id, "r"))
          assert.deepStrictEqual([answer.replayed, answer.transfer.status], [true, "completed"])
          assert.deepStrictEqual(yield* balances(other, "a", "b", "c"), [1_000n, 1_000n, 1_000n])
          const nothing = yield* within(1, Effect.flip(refundTransfer(other, transfer.id, "r9")))
          assert.deepInclude(nothing, { _tag: "RefundExceeded", refundable: 0n })
          assert.strictEqual(assertConserved(installation), 0n)
        })
      )
    }
  })
}

describe("a refund of several legs whose first step is not persisted yet", () => {
  it.effect("is met again by its key at the wallet that has begun it, though nothing is left there", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* within(1, fund(node, ["a", "b", "c"], 1_000n))
      const { transfer } = yield* within(2, node.engine.transfer({ legs, idempotencyKey: "t" }))
      node.persistence.writesAway = true
      const first = yield* Effect.forkChild(refundTransfer(node, transfer.id, "r"))
      yield* until(() => count(installation, "b", "LegsBegun") === 1, "the refund is begun")
      const second = yield* Effect.forkChild(refundTransfer(node, transfer.id, "r"))
      const other = yield* Effect.forkChild(Effect.flip(refundTransfer(node, transfer.id, "other", 60n, 0)))
      yield* pass(2)
      node.persistence.writesAway = false
      yield* pass(30)
      const answers = [yield* Fiber.join(first), yield* Fiber.join(second)]
      assert.deepStrictEqual(
        answers.map((answer) => answer.transfer.id),
        [answers[0]!.transfer.id, answers[0]!.transfer.id]
      )
      assert.deepInclude(yield* Fiber.join(other), { _tag: "RefundExceeded", refundable: 0n, leg: 0 })
      assert.strictEqual((yield* node.engine.getTransfer(answers[0]!.transfer.id)).status, "completed")
      for (const [walletId, begun] of [
        ["a", 1],
        ["b", 1],
        ["c", 0]
      ] as const) {
        assert.strictEqual(count(installation, walletId, "LegsBegun"), begun, walletId)
      }
      assert.deepStrictEqual(yield* balances(node, "a", "b", "c"), [1_000n, 1_000n, 1_000n])
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )
})

describe("a refund of what another node has appended, and nobody has persisted yet", () => {
  it.effect("is to be asked again, never unknown; of what nobody has appended it is unknown at once", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const node = yield* installation.start()
      yield* within(1, fund(node, ["a", "b"], 1_000n))
      node.persistence.writesAway = true
      const { transaction } = yield* within(
        1,
        node.engine.debit({ walletId: "a", amount: 7n, idempotencyKey: "d", await: "committed" })
      )
      const sending = yield* Effect.forkChild(Effect.exit(send(node, "b", "a", 60n, "t")))
      yield* until(() => count(installation, "b", "TransferSent") === 1, "it is sent")
      node.kill()
      const other = yield* installation.start()
      other.persistence.writesAway = true
      const sent = installation.events("b").find(({ event }) => event._tag === "TransferSent")!.event
      assert.isTrue("transferId" in sent)
      const transferId = "transferId" in sent ? sent.transferId : ""
      assert.strictEqual(installation.state.transfers.size, 0)
      const asked = [
        yield* within(1, Effect.flip(refundTransfer(other, transferId, "r"))),
        yield* within(1, Effect.flip(refund(other, transaction.id, "r"))),
        yield* within(1, Effect.flip(refundTransfer(other, `${transferId}x`, "r"))),
        // Of the same wallet, a moment later.
        yield* within(1, Effect.flip(refund(other, laterThan(transaction.id), "r")))
      ]
      assert.deepStrictEqual(
        asked.map(({ _tag }) => _tag),
        ["StoreUnavailable", "StoreUnavailable", "TransferNotFound", "TransactionNotFound"]
      )
      other.persistence.writesAway = false
      yield* pass(30)
      const made = yield* within(2, refund(other, transaction.id, "r"))
      assert.strictEqual(made.transaction.amount, 7n)
      const back = yield* within(2, refundTransfer(other, transferId, "back"))
      assert.deepInclude(back.transfer, { amount: 60n, status: "completed", refundOf: transferId })
      yield* Fiber.interrupt(sending)
      assert.strictEqual(assertConserved(installation), 0n)
      yield* assertVerified(installation)
    })
  )
})
