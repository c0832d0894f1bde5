/** Refunds: part by part up to the original and never beyond, whoever asks, whatever is cut off between. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { WalletEventType } from "../../src/domain/Event.ts"
import { create, credit, debit } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { assertVerified, type Installation, install, installNode, type Node, until } from "../support/Installation.ts"
import { assertConserved, fund, pass, send } from "../support/TransferCalls.ts"

/** Runs `effect` while time passes. */
const within = <A, E>(seconds: number, effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(effect)
    yield* pass(seconds)
    return yield* Fiber.join(running)
  })

const refund = (node: Node, transactionId: string, idempotencyKey: string, amount?: bigint) =>
  node.engine.refundTransaction({ transactionId, idempotencyKey, amount })

const refundTransfer = (node: Node, transferId: string, idempotencyKey: string, amount?: bigint, leg?: number) =>
  node.engine.refundTransfer({ transferId, idempotencyKey, amount, leg })

const refundedOf = (node: Node, id: string) => Effect.map(node.engine.transaction(id), ({ refunded }) => refunded)

const balances = (node: Node, ...ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, (walletId) => Effect.map(node.engine.getWallet({ walletId }), ({ balance }) => balance))

const count = (installation: Installation, walletId: string, type: WalletEventType): number =>
  installation.types(walletId).filter((one) => one === type).length

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

const modes = [
  ["in one store", false],
  ["over two stores", true]
] as const

/** a → b 60, b → c 150, c → a 5. */
const legs = [
  { from: "a", to: "b", amount: 60n },
  { from: "b", to: "c", amount: 150n },
  { from: "c", to: "a", amount: 5n }
]

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

  describe(`a refund of a transfer ${where}`, () => {
    it.effect("is a transfer the other way, part by part", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
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
        const { installation, node } = yield* installNode({ separate })
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
        const { installation, node } = yield* installNode({ separate })
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
        const { installation, node } = yield* installNode({ separate })
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
        const { installation, node } = yield* installNode({ separate })
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
        const { installation, node } = yield* installNode({ separate })
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
          const installation = yield* install({ separate })
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
})
