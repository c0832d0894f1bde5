/** What a key may take out of a wallet: at once, and in a day; whatever becomes of the node meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { type KeyLimit, maxNamedKeys } from "../../src/domain/KeyLimit.ts"
import { create, credit, waiting } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { pass, within } from "../support/Separate.ts"
import { assertConsistent, forgetful, installNode, type Node, transferModes } from "../support/Installation.ts"

const daily = (perDay: bigint, keyId = "key-1"): KeyLimit => ({ keyId, perOperation: null, perDay })
const atOnce = (perOperation: bigint): KeyLimit => ({ keyId: "key-1", perOperation, perDay: null })

const limit = daily(100n)

/** Before nodes start: none of their timers goes off then. */
const beforeMidnight = Date.UTC(2026, 11, 2, 23, 59, 59, 998)

let made = 0
const nextKey = () => `limited-${++made}`

const debit = ({ engine }: Node, amount: bigint, of: KeyLimit = limit, idempotencyKey = nextKey(), walletId = "a") =>
  engine.debit({ walletId, amount, idempotencyKey, limit: of })

/** `null`: within; else what is left of the day, or that it is too much at once. */
const told = <A, E extends object>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.result(effect), (result) => {
    if (Result.isSuccess(result)) return null
    const error = result.failure as { readonly _tag?: string; readonly limit?: string; readonly remaining?: bigint }
    assert.strictEqual(
      error._tag,
      "KeyLimitExceeded",
      JSON.stringify(error, (_, value) => String(value))
    )
    return error.limit === "perDay" ? error.remaining : error.limit
  })

const wallets = Effect.fnUntraced(function* (node: Node, ...ids: ReadonlyArray<string>) {
  for (const id of ids) {
    yield* create(node, id)
    yield* credit(node, id, 10_000n, `fund-${id}`)
  }
})

for (const separate of [false, true]) {
  describe(`the limits of a key (${separate ? "two stores" : "one database"})`, () => {
    it.effect("count what leaves a wallet, once, and give nothing back", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
        yield* wallets(node, "a", "b")
        const { engine } = node
        const of = { walletId: "a", limit } as const
        const left = Effect.map(told(debit(node, 1_000n)), (remaining) => remaining)
        assert.strictEqual(yield* left, 100n)
        yield* debit(node, 10n)
        assert.strictEqual(yield* left, 90n)
        const { hold } = yield* engine.placeHold({ ...of, amount: 20n, idempotencyKey: nextKey() })
        assert.strictEqual(yield* left, 70n)
        const raise = (amount: bigint) =>
          engine.changeHold({ ...of, holdId: hold.id, amount, idempotencyKey: nextKey() })
        yield* raise(30n)
        assert.strictEqual(yield* left, 60n)
        yield* raise(15n)
        assert.strictEqual(yield* left, 60n)
        assert.strictEqual(yield* told(raise(76n)), 60n)
        yield* engine.captureHold({ ...of, holdId: hold.id, amount: 5n, idempotencyKey: nextKey() })
        yield* engine.captureHoldTo({ ...of, holdId: hold.id, amount: 5n, to: "b", idempotencyKey: nextKey() })
        yield* engine.releaseHold({ ...of, holdId: hold.id, idempotencyKey: nextKey() })
        assert.strictEqual(yield* left, 60n)
        const { transaction } = yield* engine.credit({ ...of, amount: 500n, idempotencyKey: nextKey() })
        assert.strictEqual(yield* left, 60n)
        const refund = (amount?: bigint) =>
          engine.refundTransaction({ transactionId: transaction.id, amount, limit, idempotencyKey: nextKey() })
        assert.strictEqual(yield* told(refund()), 60n)
        yield* refund(10n)
        assert.strictEqual(yield* left, 50n)
        const { transfer } = yield* engine.transfer({
          from: "a",
          to: "b",
          amount: 25n,
          limit,
          idempotencyKey: nextKey()
        })
        assert.strictEqual(yield* left, 25n)
        // Money comes back; what was spent stays spent, also of a debit that is refunded.
        yield* engine.refundTransfer({ transferId: transfer.id, idempotencyKey: nextKey() })
        const spent = yield* debit(node, 5n)
        yield* engine.refundTransaction({ transactionId: spent.transaction.id, limit, idempotencyKey: nextKey() })
        assert.strictEqual(yield* left, 20n)
        // Each wallet has a day of its own, and each key.
        yield* debit(node, 100n, limit, nextKey(), "b")
        yield* debit(node, 100n, daily(100n, "key-2"))
        assert.strictEqual(yield* told(debit(node, 1n, daily(100n, "key-2"))), 0n)
        assert.strictEqual(yield* left, 20n)
        yield* assertConsistent(installation, node, "a")
      })
    )

    it.effect("answer a replay at the limit, and a rejection uses no key", () =>
      Effect.gen(function* () {
        // Its keys have to be looked up: the limit must not come before that.
        for (const [day, bounds] of [forgetful, {}].entries()) {
          yield* TestClock.setTime(beforeMidnight + day * 86_400_000)
          const { node } = yield* installNode({ separate, bounds })
          yield* wallets(node, "a", "b")
          yield* debit(node, 100n, limit, "spent")
          yield* debit(node, 1n, daily(100n, "other"), "between")
          assert.strictEqual(yield* told(debit(node, 1n, limit, "over")), 0n)
          assert.isTrue((yield* debit(node, 100n, limit, "spent")).replayed)
          // Also by a key that may take less, and at once.
          assert.isTrue((yield* debit(node, 100n, { ...atOnce(1n), perDay: 1n }, "spent")).replayed)
          yield* TestClock.adjust(10)
          assert.isFalse((yield* debit(node, 1n, limit, "over")).replayed)
          yield* node.stop
        }
      })
    )

    it.effect("are kept over a restart, with a snapshot, without one and with one of a release before", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
        yield* wallets(node, "a")
        yield* debit(node, 40n)
        node.kill()
        const second = yield* installation.start({ snapshotMinimumEvents: 1 })
        assert.strictEqual(yield* told(debit(second, 61n)), 60n)
        yield* debit(second, 20n)
        yield* second.stop
        const snapshots = installation.state.snapshots.get("a")!
        assert.include(snapshots.at(-1)!.data, `"spent":{"day":0,"sums":[["key-1","60"]]}`)
        const third = yield* installation.start({ snapshotMinimumEvents: 1 })
        assert.strictEqual(yield* told(debit(third, 41n)), 40n)
        yield* third.stop
        // As the release before has written it.
        for (const [at, snapshot] of snapshots.entries()) {
          const { spent: _, ...before } = JSON.parse(snapshot.data) as Record<string, unknown>
          snapshots[at] = { ...snapshot, data: JSON.stringify(before) }
        }
        const fourth = yield* installation.start()
        assert.strictEqual(yield* told(debit(fourth, 41n)), 40n)
        yield* debit(fourth, 40n)
        assert.strictEqual(yield* told(debit(fourth, 1n)), 0n)
        yield* fourth.stop
      })
    )

    it.effect("begin anew at midnight, UTC, and not before", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(beforeMidnight)
        const { installation, node } = yield* installNode({ separate })
        yield* wallets(node, "a")
        yield* debit(node, 100n)
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* told(debit(node, 1n)), 0n)
        yield* TestClock.adjust(1)
        yield* debit(node, 60n)
        assert.strictEqual(yield* told(debit(node, 41n)), 40n)
        node.kill()
        const second = yield* installation.start()
        assert.strictEqual(yield* told(debit(second, 41n)), 40n)
      })
    )

    it.effect("are exact within a batch, dry runs included", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
        yield* wallets(node, "a")
        const open = yield* Deferred.make<void>()
        node.log.appendFaults.push(Faults.heldUntil(open))
        const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })
        const first = yield* fork(credit(node, "a", 1n, nextKey()))
        const dry = yield* fork(node.engine.debit({ walletId: "a", amount: 100n, dryRun: true, limit }))
        const spenders = yield* Effect.forEach(Array.from({ length: 64 }), () => fork(told(debit(node, 3n))))
        yield* waiting(node, 65)
        yield* Deferred.succeed(open, undefined)
        yield* Fiber.join(first)
        assert.isTrue((yield* Fiber.join(dry)).dryRun)
        const answers = yield* Effect.forEach(spenders, Fiber.join)
        assert.lengthOf(
          answers.filter((answer) => answer === null),
          33
        )
        assert.strictEqual(yield* told(node.engine.debit({ walletId: "a", amount: 2n, dryRun: true, limit })), 1n)
        const spent = installation.events("a").filter(({ metadata }) => metadata.keyLimit !== undefined)
        assert.lengthOf(spent, 33)
        yield* assertConsistent(installation, node, "a")
      })
    )

    it.effect("of one command are of all that leaves by it, also by a hold of another's", () =>
      Effect.gen(function* () {
        const { node } = yield* installNode({ separate })
        yield* wallets(node, "a", "b", "c")
        const { engine } = node
        assert.strictEqual(yield* told(debit(node, 11n, atOnce(10n))), "perOperation")
        assert.isNull(yield* told(debit(node, 10n, atOnce(10n))))
        const placed = yield* engine.placeHold({ walletId: "a", amount: 50n, idempotencyKey: nextKey() })
        const of = { walletId: "a", holdId: placed.hold.id, limit: atOnce(10n) } as const
        const capture = (amount?: bigint) => engine.captureHold({ ...of, amount, idempotencyKey: nextKey() })
        assert.strictEqual(yield* told(capture()), "perOperation")
        const away = engine.captureHoldTo({ ...of, to: "b", idempotencyKey: nextKey() })
        assert.strictEqual(yield* told(away), "perOperation")
        assert.isNull(yield* told(capture(10n)))
        const legs = [
          { from: "a", to: "c", amount: 1n },
          { from: "b", to: "c", amount: 6n },
          { from: "b", to: "c", amount: 5n }
        ]
        const send = engine.transfer({ legs, limit: atOnce(10n), idempotencyKey: nextKey() })
        const refused = yield* Effect.flip(send)
        assert.deepInclude<object>(refused, { _tag: "KeyLimitExceeded", limit: "perOperation", leg: 1 })
        const { transfer } = yield* engine.transfer({ from: "a", to: "b", amount: 30n, idempotencyKey: nextKey() })
        const back = engine.refundTransfer({ transferId: transfer.id, limit: atOnce(10n), idempotencyKey: nextKey() })
        assert.strictEqual(yield* told(back), "perOperation")
      })
    )

    it.effect("of more keys than have a sum of their own are counted together", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ separate })
        yield* wallets(node, "a")
        for (let index = 0; index < maxNamedKeys; index++) yield* debit(node, 1n, daily(10n, `named-${index}`))
        yield* debit(node, 6n, daily(10n, "late-1"))
        assert.strictEqual(yield* told(debit(node, 5n, daily(10n, "late-2"))), 4n)
        yield* debit(node, 4n, daily(10n, "late-2"))
        assert.strictEqual(yield* told(debit(node, 1n, daily(10n, "late-1"))), 0n)
        yield* debit(node, 9n, daily(10n, "named-7"))
        node.kill()
        const second = yield* installation.start()
        assert.strictEqual(yield* told(debit(second, 1n, daily(10n, "late-3"))), 0n)
        assert.strictEqual(yield* told(debit(second, 1n, daily(10n, "named-7"))), 0n)
        yield* debit(second, 9n, daily(10n, "named-8"))
      })
    )
  })
}

for (const [name, options] of transferModes) {
  describe(`legs under the limit of a key (${name})`, () => {
    it.effect("bind every wallet that money leaves", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode(options)
        yield* wallets(node, "a", "b", "c")
        const send = (fromA: bigint, fromB: bigint, of: KeyLimit | null = limit) =>
          node.engine.transfer({
            legs: [
              { from: "a", to: "c", amount: fromA },
              { from: "b", to: "c", amount: fromB }
            ],
            limit: of ?? undefined,
            idempotencyKey: nextKey()
          })
        yield* send(10n, 60n)
        assert.strictEqual(yield* told(debit(node, 1_000n)), 90n)
        assert.strictEqual(yield* told(debit(node, 1_000n, limit, nextKey(), "b")), 40n)
        const refused = yield* Effect.flip(send(5n, 41n))
        assert.deepInclude<object>(refused, { _tag: "TransferReversed", leg: 1 })
        assert.include((refused as { readonly reason?: string }).reason, "KeyLimitExceeded")
        assert.deepInclude<object>(yield* Effect.flip(send(91n, 1n)), { _tag: "KeyLimitExceeded", remaining: 85n })
        // What was promised at the first wallet is not given back to its day.
        assert.strictEqual(yield* told(debit(node, 1_000n)), 85n)
        assert.strictEqual(yield* told(debit(node, 1_000n, limit, nextKey(), "b")), 40n)
        yield* send(5n, 41n, null)
        const dry = node.engine.transfer({
          legs: [
            { from: "a", to: "c", amount: 1n },
            { from: "b", to: "c", amount: 41n }
          ],
          limit,
          dryRun: true
        })
        assert.deepInclude<object>(yield* Effect.flip(dry), { _tag: "TransferReversed", leg: 1 })
        for (const id of ["a", "b", "c"]) yield* assertConsistent(installation, node, id)
      })
    )
  })
}

for (const separate of [false, true]) {
  describe(`legs of a limited key that a crash leaves behind (${separate ? "two stores" : "one database, step by step"})`, () => {
    it.effect("are brought to their end under its limit, and reversed where they pass it", () =>
      Effect.gen(function* () {
        for (const [before, status] of [
          [0n, "completed"],
          [70n, "reversed"]
        ] as const) {
          const { installation, node } = yield* installNode({ separate, stepwise: !separate })
          yield* within(2, wallets(node, "a", "b", "c"))
          if (before > 0n) yield* within(2, debit(node, before, limit, nextKey(), "b"))
          // The second wallet never gets its promise into the log, nor its refusal.
          node.log.draw = {
            append: () => (write, commits) =>
              commits.some((commit) => commit.walletId === "b") ? Faults.unavailable(write, commits) : write,
            read: () => undefined
          }
          const legs = [
            { from: "a", to: "c", amount: 1n },
            { from: "b", to: "c", amount: 50n }
          ]
          const send = (of: Node) => of.engine.transfer({ legs, limit, idempotencyKey: "left" })
          yield* Effect.forkChild(Effect.exit(send(node)))
          yield* pass(3)
          assert.include(installation.types("a"), "LegsBegun")
          assert.notInclude(installation.types("b"), "LegsPrepared")
          assert.notInclude(installation.types("b"), "LegsRefused")
          node.log.kill()
          node.persistence.kill()
          const other = yield* installation.start()
          yield* pass(40)
          const ended = yield* within(5, Effect.result(send(other)))
          assert.strictEqual(
            Result.isSuccess(ended) ? ended.success.transfer.status : "reversed",
            status,
            JSON.stringify(ended, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))
          )
          yield* within(5, other.stop)
        }
      })
    )
  })
}
