/** Refunds of transactions: part by part up to the original and never beyond, whoever asks, whatever is cut off between. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { create, credit, debit } from "../support/EngineCalls.ts"
import type * as Faults from "../support/FaultyEventStore.ts"
import { assertVerified, install, installNode, type Node, until } from "../support/Installation.ts"
import { balances, count, modes, refund, refundedOf, within } from "../support/RefundCalls.ts"
import { answerHeldUntil } from "../support/FaultyPersistence.ts"
import { refusing } from "../support/Separate.ts"
import { assertConserved, fund, pass, send } from "../support/TransferCalls.ts"

/** The reversal of version 3, which reads what it takes back, waits for `mayReverse`. */
const heldReversal = Effect.fnUntraced(function* ({ log }: Node) {
  const mayReverse = yield* Deferred.make<void>()
  const held: Faults.ReadFault = (read) => Effect.andThen(Deferred.await(mayReverse), read)
  const isReversal = () => log.reads.at(-1)?.after === 2
  log.draw = { append: () => undefined, read: () => (isReversal() ? held : undefined) }
  return { isReversal, mayReverse }
})

for (const [where, separate] of modes) {
  describe(`a refund of a transaction ${where}`, () => {
    it.effect(
      "gives back a debit and a capture, takes back a credit, part by part, and the original says how much",
      () =>
        Effect.gen(function* () {
          const { installation, node } = yield* installNode({ separate })
          yield* within(1, fund(node, ["a"], 100n))
          const spent = yield* within(1, debit(node, "a", 30n, "d"))
          assert.deepInclude(spent.transaction, { type: "debit", refundOf: null, refunded: 0n })
          const placed = yield* within(1, node.engine.placeHold({ walletId: "a", amount: 40n, idempotencyKey: "h" }))
          const captured = yield* within(
            1,
            node.engine.captureHold({ walletId: "a", holdId: placed.hold.id, idempotencyKey: "c" })
          )
          const got = yield* within(1, credit(node, "a", 50n, "more"))
          const first = yield* within(1, refund(node, spent.transaction.id, "r1", 12n))
          assert.deepInclude(first.transaction, {
            walletId: "a",
            type: "refund_in",
            amount: 12n,
            balanceAfter: 92n,
            refundOf: spent.transaction.id,
            refunded: 0n
          })
          assert.strictEqual(first.wallet.balance, 92n)
          assert.strictEqual(yield* refundedOf(node, spent.transaction.id), 12n)
          const beyond = yield* within(1, Effect.flip(refund(node, spent.transaction.id, "r2", 19n)))
          assert.deepInclude(beyond, { _tag: "RefundExceeded", refundable: 18n, walletId: "a" })
          const rest = yield* within(1, refund(node, spent.transaction.id, "r2"))
          assert.strictEqual(rest.transaction.amount, 18n)
          const nothing = yield* within(1, Effect.flip(refund(node, spent.transaction.id, "r3")))
          assert.deepInclude(nothing, { _tag: "RefundExceeded", refundable: 0n })
          const all = yield* within(1, refund(node, captured.transaction.id, "r4"))
          assert.deepInclude(all.transaction, { type: "refund_in", amount: 40n })
          const back = yield* within(1, refund(node, got.transaction.id, "r5", 50n))
          assert.deepInclude(back.transaction, { type: "refund_out", amount: 50n, balanceAfter: 100n })
          // Each shows what was refunded of it; the answers to commands as it was at first.
          const { data } = yield* node.engine.transactions({ walletId: "a", limit: 20 })
          assert.deepStrictEqual(
            data.toReversed().map(({ refunded, type }) => [type, refunded]),
            [
              ["credit", 0n],
              ["debit", 30n],
              ["capture", 40n],
              ["credit", 50n],
              ["refund_in", 0n],
              ["refund_in", 0n],
              ["refund_in", 0n],
              ["refund_out", 0n]
            ]
          )
          const again = yield* within(1, debit(node, "a", 30n, "d"))
          assert.deepStrictEqual([again.replayed, again.transaction.refunded], [true, 0n])
          const replayed = yield* within(1, refund(node, spent.transaction.id, "r1", 12n))
          assert.deepStrictEqual(replayed, { ...first, replayed: true })
          const reused = yield* within(1, Effect.flip(refund(node, spent.transaction.id, "r1", 13n)))
          assert.strictEqual(reused._tag, "IdempotencyKeyReused")
          const statement = yield* node.engine.statement({ walletId: "a", limit: 20 })
          assert.deepInclude(statement.totals, { refund_in: 70n, refund_out: 50n })
          assert.strictEqual(assertConserved(installation), 0n)
          yield* assertVerified(installation)
        })
    )

    it.effect("is of one original at most, however many ask at once", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
        yield* within(1, fund(node, ["a"], 1_000n))
        const { transaction } = yield* within(1, debit(node, "a", 300n, "d"))
        const answers = yield* within(
          3,
          Effect.forEach(
            Array.from({ length: 300 }, (_, index) => index),
            (index) => Effect.result(refund(node, transaction.id, `r${index}`, 7n)),
            { concurrency: "unbounded" }
          )
        )
        const refused = answers.flatMap((one) => (one._tag === "Failure" ? [one.failure] : []))
        assert.strictEqual(answers.length - refused.length, 42)
        assert.isTrue(refused.every((error) => error._tag === "RefundExceeded" && error.refundable < 7n))
        const last = yield* within(1, refund(node, transaction.id, "rest"))
        assert.strictEqual(last.transaction.amount, 6n)
        assert.strictEqual(yield* refundedOf(node, transaction.id), 300n)
        assert.deepStrictEqual(yield* balances(node, "a"), [1_000n])
        assert.strictEqual(assertConserved(installation), 0n)
      })
    )

    it.effect("is not of what is no movement of its own, and not in a wallet that is closed", () =>
      Effect.gen(function* () {
        const { node } = yield* installNode({ separate })
        yield* within(1, fund(node, ["a", "b"], 100n))
        const { transaction } = yield* within(1, debit(node, "a", 30n, "d"))
        const made = yield* within(1, refund(node, transaction.id, "r1", 1n))
        const ofRefund = yield* within(1, Effect.flip(refund(node, made.transaction.id, "r2")))
        assert.deepInclude(ofRefund, { _tag: "NotRefundable", id: made.transaction.id })
        assert.notProperty(ofRefund, "transferId")
        const { transfer } = yield* within(2, send(node, "a", "b", 5n, "t"))
        const [leg] = transfer.legs
        for (const id of [leg!.sentTransactionId!, leg!.receivedTransactionId!]) {
          const error = yield* within(1, Effect.flip(refund(node, id, "r2")))
          assert.deepInclude(error, { _tag: "NotRefundable", transferId: transfer.id })
        }
        const other = yield* within(
          1,
          Effect.flip(
            node.engine.refundTransaction({ transactionId: transaction.id, walletId: "b", idempotencyKey: "r2" })
          )
        )
        assert.strictEqual(other._tag, "TransactionNotFound")
        const none = yield* within(1, Effect.flip(refund(node, "nothing-of-ours", "r2")))
        assert.strictEqual(none._tag, "TransactionNotFound")
        const frozen = yield* within(1, credit(node, "b", 1n, "c"))
        yield* within(1, node.engine.freeze({ walletId: "b", idempotencyKey: "f" }))
        const error = yield* within(1, Effect.flip(refund(node, frozen.transaction.id, "r2")))
        assert.strictEqual(error._tag, "WalletFrozen")
        yield* within(1, debit(node, "a", 66n, "all"))
        yield* within(1, node.engine.close({ walletId: "a", idempotencyKey: "close" }))
        const closed = yield* within(1, Effect.flip(refund(node, transaction.id, "r2")))
        assert.strictEqual(closed._tag, "WalletClosed")
        for (const [input, pointer] of [
          [{ amount: 0n }, "/amount"],
          [{ reference: "x".repeat(256) }, "/reference"],
          [{ effectiveAt: -1 }, "/effectiveAt"],
          [{ walletId: "no id" }, "/walletId"]
        ] as const) {
          const wrong = yield* Effect.flip(
            node.engine.refundTransaction({ transactionId: transaction.id, idempotencyKey: "r2", ...input })
          )
          assert.deepStrictEqual(wrong._tag === "InvalidRequest" && wrong.errors.map((one) => one.pointer), [pointer])
        }
      })
    )

    it.effect("needs the funds that it takes back, for a version, and tells a dry run what it would come to", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
        yield* within(1, create(node, "a"))
        const { transaction } = yield* within(1, credit(node, "a", 50n, "c"))
        yield* within(1, debit(node, "a", 20n, "d"))
        const short = yield* within(1, Effect.flip(refund(node, transaction.id, "r")))
        assert.deepInclude(short, { _tag: "InsufficientFunds", available: 30n, required: 50n })
        const before = installation.types("a").length
        const tried = yield* within(
          1,
          node.engine.refundTransaction({ transactionId: transaction.id, amount: 30n, dryRun: true })
        )
        assert.deepInclude(tried, { dryRun: true })
        assert.deepInclude(tried.transaction, { id: null, type: "refund_out", amount: 30n, balanceAfter: 0n })
        assert.strictEqual(installation.types("a").length, before)
        const mismatch = yield* within(
          1,
          Effect.flip(
            node.engine.refundTransaction({ transactionId: transaction.id, idempotencyKey: "r", ifVersion: 1 })
          )
        )
        assert.strictEqual(mismatch._tag, "VersionMismatch")
        const dated = yield* within(
          1,
          node.engine.refundTransaction({
            transactionId: transaction.id,
            amount: 30n,
            effectiveAt: 7,
            ifVersion: 2,
            idempotencyKey: "r"
          })
        )
        assert.deepInclude(dated.transaction, { effectiveAt: 7, amount: 30n })
      })
    )
  })
}

describe("a refund where Persistence is behind the log", () => {
  it.effect("is bounded by what the wallet remembers, also after a crash", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true })
      const node = yield* installation.start()
      yield* within(1, fund(node, ["a"], 100n))
      const { transaction } = yield* within(1, debit(node, "a", 30n, "d"))
      node.persistence.writesAway = true
      const made = yield* within(
        2,
        node.engine.refundTransaction({
          transactionId: transaction.id,
          amount: 20n,
          idempotencyKey: "r1",
          await: "committed"
        })
      )
      assert.deepInclude(made.durability, { committed: true, persisted: false })
      assert.strictEqual(yield* refundedOf(node, transaction.id), 0n)
      const beyond = yield* within(1, Effect.flip(refund(node, transaction.id, "r2", 11n)))
      assert.deepInclude(beyond, { _tag: "RefundExceeded", refundable: 10n })
      node.kill()
      const other = yield* installation.start()
      other.persistence.writesAway = true
      const after = yield* within(2, Effect.flip(refund(other, transaction.id, "r2", 11n)))
      assert.deepInclude(after, { _tag: "RefundExceeded", refundable: 10n })
      other.persistence.writesAway = false
      yield* pass(20)
      assert.strictEqual(yield* refundedOf(other, transaction.id), 20n)
      const rest = yield* within(2, refund(other, transaction.id, "r2"))
      assert.strictEqual(rest.transaction.amount, 10n)
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )

  it.effect("of what is not persisted yet is to be asked again, never unknown", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode({ separate: true })
      yield* within(1, fund(node, ["a", "b"], 100n))
      node.persistence.writesAway = true
      const { transaction } = yield* within(
        1,
        node.engine.debit({ walletId: "a", amount: 30n, idempotencyKey: "d", await: "committed" })
      )
      const early = yield* within(1, Effect.flip(refund(node, transaction.id, "r")))
      assert.strictEqual(early._tag, "StoreUnavailable")
      node.persistence.writesAway = false
      yield* pass(20)
      const made = yield* within(1, refund(node, transaction.id, "r"))
      assert.strictEqual(made.transaction.amount, 30n)
    })
  )

  it.effect("is looked at again where the wallet no longer remembers as far back as the rows go", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({ separate: true })
      yield* within(1, fund(node, ["a"], 1_000n))
      const { transaction } = yield* within(1, debit(node, "a", 500n, "d"))
      node.persistence.writesAway = true
      yield* within(
        3,
        Effect.forEach(
          Array.from({ length: 140 }, (_, index) => index),
          (index) =>
            Effect.result(
              node.engine.refundTransaction({
                transactionId: transaction.id,
                amount: 1n,
                idempotencyKey: `r${index}`,
                await: "committed"
              })
            ),
          { concurrency: 4 }
        )
      )
      const made = count(installation, "a", "RefundReceived")
      assert.isAtLeast(made, 128)
      const blind = yield* within(2, Effect.flip(refund(node, transaction.id, "x", 1n)))
      assert.strictEqual(blind._tag, "StoreUnavailable")
      node.persistence.writesAway = false
      yield* pass(20)
      const rest = yield* within(2, refund(node, transaction.id, "x"))
      assert.strictEqual(rest.transaction.amount, 500n - BigInt(made))
      assert.strictEqual(yield* refundedOf(node, transaction.id), 500n)
    })
  )

  it.effect("that a rule of the user's refuses gives its room back", () =>
    Effect.gen(function* () {
      const rule = (commit: { readonly events: ReadonlyArray<{ readonly event: { readonly _tag: string } }> }) =>
        commit.events.some(
          ({ event }) => event._tag === "RefundReceived" && (event as { amount?: bigint }).amount === 13n
        )
          ? "no thirteen"
          : undefined
      const { installation, node } = yield* installNode({ separate: true, rule })
      yield* within(1, fund(node, ["a"], 100n))
      const { transaction } = yield* within(1, debit(node, "a", 30n, "d"))
      const refused = yield* within(3, Effect.flip(refund(node, transaction.id, "r1", 13n)))
      assert.strictEqual(refused._tag, "OperationReversed")
      yield* until(() => installation.types("a").includes("OperationReversed"), "it is reversed")
      assert.strictEqual(yield* refundedOf(node, transaction.id), 0n)
      const whole = yield* within(2, refund(node, transaction.id, "r2"))
      assert.strictEqual(whole.transaction.amount, 30n)
      const nothing = yield* within(1, Effect.flip(refund(node, transaction.id, "r3")))
      assert.deepInclude(nothing, { _tag: "RefundExceeded", refundable: 0n })
      assert.strictEqual(assertConserved(installation), 0n)
      yield* assertVerified(installation)
    })
  )

  it.effect("that a rule refuses still counts until it is reversed: another one waits for that", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({
        separate: true,
        rule: refusing("RefundReceived", (amount) => amount === 13n)
      })
      yield* within(1, fund(node, ["a"], 100n))
      const { transaction } = yield* within(1, debit(node, "a", 13n, "d"))
      const { isReversal, mayReverse } = yield* heldReversal(node)
      const refused = yield* Effect.forkChild(Effect.flip(refund(node, transaction.id, "r1")))
      yield* until(isReversal, "the reversal is on its way")
      yield* within(1, credit(node, "a", 1n, "later"))
      const second = yield* Effect.forkChild(refund(node, transaction.id, "r2", 12n))
      yield* pass(1)
      assert.strictEqual(count(installation, "a", "RefundReceived"), 1)
      yield* Deferred.succeed(mayReverse, undefined)
      assert.strictEqual((yield* within(3, Fiber.join(refused)))._tag, "OperationReversed")
      assert.strictEqual((yield* within(3, Fiber.join(second))).transaction.amount, 12n)
      assert.deepStrictEqual(installation.types("a").slice(-4), [
        "RefundReceived",
        "WalletCredited",
        "OperationReversed",
        "RefundReceived"
      ])
      yield* assertVerified(installation)
    })
  )

  it.effect(
    "is not rejected by rows that do not fit to the wallet: it waits for the reversal, and then there are funds",
    () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({
          separate: true,
          rule: refusing("RefundPaid", (amount) => amount === 13n)
        })
        yield* within(1, create(node, "a"))
        const { transaction } = yield* within(1, credit(node, "a", 13n, "c"))
        yield* within(1, credit(node, "a", 2n, "more"))
        const { isReversal, mayReverse } = yield* heldReversal(node)
        const refused = yield* Effect.forkChild(Effect.flip(refund(node, transaction.id, "r1")))
        yield* until(isReversal, "the reversal is on its way")
        // By the rows nothing of it is refunded, by the state 2 are left: "2 of 12" was true at no time.
        const second = yield* Effect.forkChild(refund(node, transaction.id, "r2", 12n))
        const tried = yield* Effect.forkChild(
          node.engine.refundTransaction({ transactionId: transaction.id, amount: 12n, dryRun: true })
        )
        yield* pass(1)
        assert.isUndefined(second.pollUnsafe())
        assert.isUndefined(tried.pollUnsafe())
        yield* Deferred.succeed(mayReverse, undefined)
        assert.strictEqual((yield* within(3, Fiber.join(refused)))._tag, "OperationReversed")
        assert.strictEqual((yield* within(3, Fiber.join(second))).wallet.balance, 3n)
        assert.strictEqual((yield* within(3, Effect.flip(Fiber.join(tried))))._tag, "RefundExceeded")
        yield* assertVerified(installation)
      })
  )

  it.effect("waits where the rows have decided on another one and the wallet was not told", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({
        separate: true,
        rule: refusing("RefundReceived", (amount) => amount === 13n)
      })
      yield* within(1, fund(node, ["a"], 100n))
      const { transaction } = yield* within(1, debit(node, "a", 13n, "d"))
      const told = yield* Deferred.make<void>()
      node.persistence.refuseFaults.push(answerHeldUntil(told))
      const refused = yield* Effect.forkChild(Effect.flip(refund(node, transaction.id, "r1")))
      yield* until(() => installation.state.refusals.get("a")?.length === 1, "it is refused, and nobody knows")
      const second = yield* Effect.forkChild(refund(node, transaction.id, "r2"))
      yield* pass(1)
      assert.strictEqual(count(installation, "a", "RefundReceived"), 1)
      yield* Deferred.succeed(told, undefined)
      assert.strictEqual((yield* within(3, Fiber.join(refused)))._tag, "OperationReversed")
      // Of the same amount, which the rule refuses again.
      assert.strictEqual((yield* within(3, Effect.flip(Fiber.join(second))))._tag, "OperationReversed")
      assert.deepStrictEqual(installation.types("a").slice(-4), [
        "RefundReceived",
        "OperationReversed",
        "RefundReceived",
        "OperationReversed"
      ])
      yield* assertVerified(installation)
    })
  )
})
