/** Transfers of several legs: all of them or none, by one decision, whatever is cut off between. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Commit } from "../../src/domain/Commit.ts"
import type { WalletEventType } from "../../src/domain/Event.ts"
import { transactionIdOf } from "../../src/domain/EventId.ts"
import type { LegsTransferInput } from "../../src/engine/WalletEngine.ts"
import { create } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import {
  type Installation,
  install,
  installNode,
  type Node,
  until,
  transferModes,
  takesSteps
} from "../support/Installation.ts"
import { assertConserved, fund, pass } from "../support/TransferCalls.ts"

type Legs = LegsTransferInput["legs"]

const sendLegs = (node: Node, legs: Legs, idempotencyKey: string) =>
  node.engine.transfer({ legs, reference: "order 7", idempotencyKey })

const leg = (from: string, to: string, amount: bigint) => ({ from, to, amount })

/** Runs `effect` while time passes. */
const within = <A, E>(seconds: number, effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(effect)
    yield* pass(seconds)
    return yield* Fiber.join(running)
  })

const legsEvents = (installation: Installation, walletId: string): ReadonlyArray<string> =>
  installation.types(walletId).filter((type) => type.startsWith("Legs"))

const balance = (node: Node, walletId: string) =>
  Effect.map(node.engine.getWallet({ walletId }), (wallet) => wallet.balance)

const stateOf = (node: Node, walletId: string) =>
  Effect.map(node.engine.getWallet({ walletId }), (wallet) => [wallet.balance, wallet.held, wallet.available])

for (const [where, mode] of transferModes) {
  describe(`a transfer of several legs ${where}`, () => {
    it.effect("moves all of them, one event a wallet, with running balances, and its rows say so", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode(mode)
        yield* within(1, fund(node, ["a", "b", "c"], 100n))
        const legs = [
          { from: "a", to: "b", amount: 60n, reference: "goods", metadata: { n: "1" } },
          leg("b", "c", 150n),
          leg("c", "a", 5n)
        ]
        const { durability, replayed, transfer } = yield* within(2, sendLegs(node, legs, "t"))
        assert.deepStrictEqual([durability.persisted, replayed], [true, false])
        const ids = (walletId: string) =>
          installation.state.streams.get(walletId)!.find(({ event }) => event._tag === "LegsApplied")!.id
        const second = (walletId: string) => transactionIdOf(ids(walletId), 1)
        const note = { reference: null, metadata: {} }
        const unrefunded = { refund: null, refunded: 0n }
        assert.deepStrictEqual(transfer.legs, [
          { ...legs[0]!, currency: "EUR", sentTransactionId: ids("a"), receivedTransactionId: ids("b"), ...unrefunded },
          {
            ...legs[1]!,
            ...note,
            currency: "EUR",
            sentTransactionId: second("b"),
            receivedTransactionId: ids("c"),
            ...unrefunded
          },
          {
            ...legs[2]!,
            ...note,
            currency: "EUR",
            sentTransactionId: second("c"),
            receivedTransactionId: second("a"),
            ...unrefunded
          }
        ] as never)
        assert.deepInclude(transfer, { from: null, to: null, amount: null, currency: null, status: "completed" })
        assert.deepInclude(transfer, { reference: "order 7", reason: null, leg: null })
        for (const [walletId, is] of [
          ["a", 45n],
          ["b", 10n],
          ["c", 245n]
        ] as const) {
          assert.deepStrictEqual(yield* stateOf(node, walletId), [is, 0n, is])
        }
        assert.deepStrictEqual(legsEvents(installation, "a"), ["LegsBegun", "LegsApplied", "LegsSettled"])
        assert.deepStrictEqual(legsEvents(installation, "b"), ["LegsPrepared", "LegsApplied"])
        assert.deepStrictEqual(yield* node.engine.getTransfer(transfer.id), transfer)
        for (const walletId of ["a", "b", "c"]) {
          const { data } = yield* node.engine.transfers({ walletId, limit: 10 })
          assert.deepStrictEqual(data, [transfer], walletId)
        }
        const { data } = yield* node.engine.transactions({ walletId: "b", limit: 2 })
        assert.deepStrictEqual(
          data.map(({ amount, balanceAfter, transferId, type, version }) => [
            type,
            amount,
            balanceAfter,
            transferId,
            version
          ]),
          [
            ["transfer_out", 150n, 10n, transfer.id, 3],
            ["transfer_in", 60n, 160n, transfer.id, 3]
          ]
        )
        assert.deepStrictEqual(yield* node.engine.transaction(second("b")), data[0])
        assert.deepStrictEqual(yield* node.engine.transaction(ids("b")), data[1])
        // A page may end between two legs.
        const first = yield* node.engine.transactions({ walletId: "b", limit: 1 })
        const next = yield* node.engine.transactions({ walletId: "b", limit: 1, cursor: first.next! })
        assert.deepStrictEqual([...first.data, ...next.data], data)
        const again = yield* within(1, sendLegs(node, legs, "t"))
        assert.deepStrictEqual(again, { transfer, durability, replayed: true })
        const reused = yield* within(1, Effect.flip(sendLegs(node, legs.slice(0, 2), "t")))
        assert.strictEqual(reused._tag, "IdempotencyKeyReused")
        assert.strictEqual(assertConserved(installation), 0n)
      })
    )

    if (!takesSteps(mode)) return
    const steps: ReadonlyArray<readonly [type: WalletEventType, walletId: string]> = [
      ["LegsPrepared", "b"],
      ["LegsPrepared", "c"],
      ["LegsApplied", "a"],
      ["LegsApplied", "b"],
      ["LegsApplied", "c"],
      ["LegsSettled", "a"]
    ]
    for (const [type, walletId] of steps) {
      it.effect(`ends by itself when the node dies before ${type} at ${walletId}`, () =>
        Effect.gen(function* () {
          const installation = yield* install(mode)
          const node = yield* installation.start()
          yield* within(1, fund(node, ["a", "b", "c"], 100n))
          node.log.draw = {
            append: () => (write, commits) =>
              commits.some(
                (commit) => commit.walletId === walletId && commit.events.some(({ event }) => event._tag === type)
              )
                ? Faults.unavailable(write, commits)
                : write,
            read: () => undefined
          }
          const legs = [leg("a", "b", 60n), leg("b", "c", 150n)]
          yield* Effect.forkChild(Effect.exit(sendLegs(node, legs, "t")))
          yield* pass(3)
          assert.notInclude(legsEvents(installation, walletId), type)
          node.log.kill()
          node.persistence.kill()
          const other = yield* installation.start()
          yield* pass(40)
          const answer = yield* within(2, sendLegs(other, legs, "t"))
          assert.deepStrictEqual([answer.replayed, answer.transfer.status], [true, "completed"])
          assert.deepStrictEqual(legsEvents(installation, "a"), ["LegsBegun", "LegsApplied", "LegsSettled"])
          for (const id of ["b", "c"]) {
            assert.deepStrictEqual(legsEvents(installation, id), ["LegsPrepared", "LegsApplied"])
          }
          assert.deepStrictEqual(yield* stateOf(other, "b"), [10n, 0n, 10n])
          assert.strictEqual(assertConserved(installation), 0n)
        })
      )
    }

    it.effect("is reversed when a wallet has moved on since it was looked at, and says so ever after", () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode(mode)
        yield* within(1, fund(node, ["a", "b", "c"], 100n))
        const release = yield* Deferred.make<void>()
        node.log.appendFaults.push(Faults.heldUntil(release))
        const legs = [leg("a", "c", 10n), leg("b", "c", 100n)]
        const sending = yield* Effect.forkChild(Effect.flip(sendLegs(node, legs, "t")))
        yield* until(() => node.log.appendFaults.length === 0, "the home's append is on its way")
        yield* Effect.forkChild(node.engine.debit({ walletId: "b", amount: 1n, idempotencyKey: "d" }))
        yield* until(() => installation.types("b").includes("WalletDebited"), "the debit is in the log")
        yield* Deferred.succeed(release, undefined)
        yield* pass(2)
        const error = yield* Fiber.join(sending)
        assert.strictEqual(error._tag, "TransferReversed")
        assert.deepInclude(error, { leg: 1, replayed: false })
        assert.match(error.message, /InsufficientFunds: wallet b/)
        const again = yield* within(1, Effect.flip(sendLegs(node, legs, "t")))
        assert.deepInclude(again, { _tag: "TransferReversed", leg: 1, replayed: true })
        assert.deepStrictEqual(legsEvents(installation, "a"), ["LegsBegun", "LegsReleased", "LegsSettled"])
        assert.deepStrictEqual(legsEvents(installation, "b"), ["LegsRefused"])
        assert.deepStrictEqual(legsEvents(installation, "c"), ["LegsPrepared", "LegsReleased"])
        assert.deepStrictEqual(yield* stateOf(node, "a"), [100n, 0n, 100n])
        const { data } = yield* node.engine.transfers({ walletId: "c", status: "reversed", limit: 9 })
        assert.deepStrictEqual(
          data.map(({ leg: refused, legs: [first], status }) => [status, refused, first!.sentTransactionId]),
          [["reversed", 1, null]]
        )
      })
    )
  })
}

describe("a transfer of several legs", () => {
  const cases: ReadonlyArray<readonly [string, Legs, string, number | undefined]> = [
    ["one leg", [leg("a", "b", 1n)], "InvalidRequest", undefined],
    ["none", [], "InvalidRequest", undefined],
    ["101 legs", Array.from({ length: 101 }, () => leg("a", "b", 1n)), "InvalidRequest", undefined],
    ["an amount of nothing", [leg("a", "b", 1n), leg("b", "c", 0n)], "InvalidRequest", undefined],
    ["a wallet that is none", [leg("a", "b", 1n), leg("b", "none", 1n)], "WalletNotFound", 1],
    ["a source that is none", [leg("a", "b", 1n), leg("none", "b", 1n)], "WalletNotFound", 1],
    ["a closed one", [leg("a", "b", 1n), leg("b", "closed", 1n)], "WalletClosed", 1],
    ["a frozen source", [leg("a", "b", 1n), leg("frozen", "b", 1n)], "WalletFrozen", 1],
    ["a leg to itself", [leg("a", "b", 1n), leg("b", "b", 1n)], "SameWallet", 1],
    ["two currencies in a leg", [leg("a", "b", 1n), leg("b", "dollars", 1n)], "CurrencyMismatch", 1],
    ["a shortage at home", [leg("a", "b", 101n), leg("b", "a", 50n)], "InsufficientFunds", 0],
    ["a shortage elsewhere", [leg("a", "b", 1n), leg("b", "c", 102n)], "InsufficientFunds", 1],
    ["what a later leg brings", [leg("a", "b", 1n), leg("c", "b", 101n), leg("b", "c", 5n)], "InsufficientFunds", 1]
  ]

  it.effect("is refused with nothing in the log, and says which leg", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* fund(node, ["a", "b", "c", "frozen"], 100n)
      yield* create(node, "closed")
      yield* node.engine.close({ walletId: "closed", idempotencyKey: "close" })
      yield* node.engine.freeze({ walletId: "frozen", idempotencyKey: "freeze" })
      yield* node.engine.createWallet({ id: "dollars", ownerId: "o", currency: "USD", idempotencyKey: "usd" })
      const before = installation.state.log.length
      for (const [name, legs, tag, refused] of cases) {
        const error = yield* Effect.flip(sendLegs(node, legs, "same-key"))
        assert.strictEqual(error._tag, tag, name)
        assert.strictEqual("leg" in error ? error.leg : undefined, refused, name)
      }
      assert.strictEqual(installation.state.log.length, before)
      // The key is free, a frozen one may receive, and a swap is of two currencies.
      yield* node.engine.credit({ walletId: "dollars", amount: 9n, idempotencyKey: "c" })
      yield* node.engine.createWallet({ id: "cents", ownerId: "o", currency: "USD", idempotencyKey: "usd2" })
      const legs = [leg("a", "frozen", 3n), leg("dollars", "cents", 4n)]
      assert.strictEqual((yield* sendLegs(node, legs, "same-key")).transfer.status, "completed")
      assert.deepStrictEqual([yield* balance(node, "frozen"), yield* balance(node, "cents")], [103n, 4n])
    })
  )

  it.effect(
    "holds in transit what it needs until it is decided; nothing prepared can be closed, a freeze stops nothing",
    () =>
      Effect.gen(function* () {
        const { installation, node } = yield* installNode({ stepwise: true })
        yield* fund(node, ["a", "b"], 100n)
        yield* create(node, "c")
        let isStopped = true
        node.log.draw = {
          append: () => (write, commits: ReadonlyArray<Commit>) =>
            isStopped && commits.some(({ events }) => events.some(({ event }) => event._tag === "LegsApplied"))
              ? Faults.unavailable(write, commits)
              : write,
          read: () => undefined
        }
        const sending = yield* Effect.forkChild(
          sendLegs(node, [leg("a", "c", 30n), leg("b", "c", 40n), leg("c", "a", 10n)], "t")
        )
        yield* pass(2)
        for (const id of ["b", "c"]) assert.deepStrictEqual(legsEvents(installation, id), ["LegsPrepared"])
        assert.deepStrictEqual(yield* stateOf(node, "b"), [100n, 40n, 60n])
        const error = yield* Effect.flip(node.engine.close({ walletId: "c", idempotencyKey: "close" }))
        assert.strictEqual(error._tag, "WalletNotEmpty")
        for (const walletId of ["b", "c"]) yield* node.engine.freeze({ walletId, idempotencyKey: "f" })
        isStopped = false
        yield* pass(3)
        assert.strictEqual((yield* Fiber.join(sending)).transfer.status, "completed")
        assert.deepStrictEqual(yield* stateOf(node, "c"), [60n, 0n, 60n])
      })
  )

  it.effect("is reversed with its leg when a rule of the user's refuses one behind the log", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode({
        separate: true,
        rule: ({ events }: Commit) =>
          events.some(({ event }) => event._tag === "LegsPrepared" && event.legs.some(({ amount }) => amount === 13n))
            ? "unlucky"
            : undefined
      })
      yield* within(1, fund(node, ["a", "b", "c"], 100n))
      const legs = [leg("a", "b", 5n), leg("a", "c", 13n)]
      const error = yield* within(5, Effect.flip(sendLegs(node, legs, "t")))
      assert.deepInclude(error, { _tag: "TransferReversed", leg: 1 })
      assert.deepStrictEqual(legsEvents(installation, "c"), ["LegsPrepared"])
      assert.include(installation.types("c"), "OperationReversed")
      assert.deepStrictEqual(legsEvents(installation, "b"), ["LegsPrepared", "LegsReleased"])
      for (const id of ["a", "b", "c"]) assert.deepStrictEqual(yield* stateOf(node, id), [100n, 0n, 100n])
      assert.match(node.logged.join(), /LegsPrepared\) of wallet c was refused and is reversed: unlucky/)
    })
  )

  it.effect("of many at once over few wallets, crossing one another, all end, and no money is lost", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      const wallets = Array.from({ length: 12 }, (_, index) => `w${index}`)
      yield* fund(node, wallets, 100n)
      const exits = yield* Effect.forEach(
        Array.from({ length: 50 }),
        (_, number) =>
          Effect.exit(
            sendLegs(
              node,
              Array.from({ length: 10 }, (__, index) => {
                const step = number % 2 === 0 ? index : 11 - index
                const from = (step + number) % 12
                return leg(
                  wallets[from]!,
                  wallets[(from + 1 + (number % 3)) % 12]!,
                  BigInt(1 + ((number * 7 + index) % 9))
                )
              }),
              `t${number}`
            )
          ),
        { concurrency: "unbounded" }
      )
      assert.isAbove(exits.filter(({ _tag }) => _tag === "Success").length, 5)
      const balances = yield* Effect.forEach(wallets, (id) => stateOf(node, id))
      assert.strictEqual(
        balances.reduce((sum, [is]) => sum + is!, 0n),
        1_200n
      )
      for (const [is, held] of balances) {
        assert.isTrue(is! >= 0n)
        assert.strictEqual(held, 0n)
      }
      const begun = wallets.flatMap((id) => legsEvents(installation, id)).filter((type) => type === "LegsBegun").length
      const over = wallets.flatMap((id) => legsEvents(installation, id)).filter((type) => type === "LegsSettled").length
      assert.strictEqual(over, begun)
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )
})
