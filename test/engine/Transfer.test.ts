/** What callers are told of transfers, and what is in the log behind it. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { TransferReversed } from "../../src/actors/EngineError.ts"
import type { TransferInput } from "../../src/engine/WalletEngine.ts"
import { create, credit } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Node } from "../support/Installation.ts"
import { assertConsistent, forgetful, installNode, until } from "../support/Installation.ts"
import { assertConserved, fund, inFlight, pass, send, settled, transferEvents } from "../support/TransferCalls.ts"

const balance = (node: Node, walletId: string) =>
  Effect.map(node.engine.getWallet({ walletId }), (wallet) => wallet.balance)

/** A node with the wallets a and b, 100 each. */
const twoWallets = Effect.fnUntraced(function* (options: Parameters<typeof installNode>[0] = {}) {
  const { installation, node } = yield* installNode(options)
  yield* fund(node, ["a", "b"], 100n)
  return { installation, node }
})

describe("a transfer", () => {
  it.effect("leaves its source, arrives, and is settled behind the answer", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets()
      yield* TestClock.adjust("1 minute")
      const answer = yield* node.engine.transfer({
        from: "a",
        to: "b",
        amount: 30n,
        reference: "rent",
        metadata: { month: "5" },
        idempotencyKey: "t"
      })
      assert.deepStrictEqual(answer, {
        transfer: {
          id: answer.transfer.id,
          from: "a",
          to: "b",
          amount: 30n,
          currency: "EUR",
          legs: [
            {
              from: "a",
              to: "b",
              amount: 30n,
              currency: "EUR",
              reference: "rent",
              metadata: { month: "5" },
              sentTransactionId: installation.state.streams.get("a")!.at(2)!.id,
              receivedTransactionId: installation.state.streams.get("b")!.at(2)!.id,
              refund: null,
              refunded: 0n
            }
          ],
          status: "completed",
          reason: null,
          leg: null,
          reference: "rent",
          metadata: { month: "5" },
          refundOf: null,
          refunded: 0n,
          createdAt: 60_000,
          effectiveAt: 60_000,
          updatedAt: 60_000
        },
        durability: { committed: true, persisted: true, indexed: true },
        replayed: false
      })
      assert.deepStrictEqual(yield* node.engine.getTransfer(answer.transfer.id), answer.transfer)
      yield* settled(installation, node, ["a"])
      assert.deepStrictEqual(yield* node.engine.getTransfer(answer.transfer.id), answer.transfer)
      assert.deepStrictEqual([yield* balance(node, "a"), yield* balance(node, "b")], [70n, 130n])
      assert.deepStrictEqual(installation.types("a").slice(2), ["TransferSent", "TransferSettled"])
      assert.deepStrictEqual(installation.types("b").slice(2), ["TransferReceived"])
      for (const walletId of ["a", "b"]) {
        const { data } = yield* node.engine.transfers({ walletId, limit: 10 })
        assert.deepStrictEqual(data, [answer.transfer])
        yield* assertConsistent(installation, node, walletId)
      }
      const { data } = yield* node.engine.transactions({ walletId: "b", type: "transfer_in", limit: 10 })
      assert.deepInclude(data[0], { transferId: answer.transfer.id, reference: "rent", metadata: { month: "5" } })
    })
  )

  const refusals: ReadonlyArray<readonly [string, Partial<TransferInput>, string]> = [
    ["its source does not exist", { from: "nope" }, "WalletNotFound"],
    ["its destination does not exist", { to: "nope" }, "WalletNotFound"],
    ["both do not exist", { from: "nope", to: "nope2" }, "WalletNotFound"],
    ["its source is closed", { from: "closed" }, "WalletClosed"],
    ["its source is frozen", { from: "frozen" }, "WalletFrozen"],
    ["its destination is closed", { to: "closed" }, "WalletClosed"],
    ["it goes to its own source", { to: "a" }, "SameWallet"],
    ["its destination has another currency", { to: "dollars" }, "CurrencyMismatch"],
    ["its source has not enough", { amount: 101n }, "InsufficientFunds"],
    ["it moves nothing", { amount: 0n }, "InvalidRequest"],
    ["its amount is none", { amount: -1n }, "InvalidRequest"],
    ["its reference is too long", { reference: "x".repeat(256) }, "InvalidRequest"],
    ["its source is no id", { from: "no id" }, "InvalidRequest"],
    ["its destination is no id", { to: "" }, "InvalidRequest"],
    ["its key is none", { idempotencyKey: "" }, "InvalidRequest"]
  ]

  it.effect("is refused with nothing sent, and says why", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets()
      yield* create(node, "closed")
      yield* node.engine.close({ walletId: "closed", idempotencyKey: "close" })
      yield* fund(node, ["frozen"], 100n)
      yield* node.engine.freeze({ walletId: "frozen", idempotencyKey: "freeze" })
      yield* node.engine.createWallet({ id: "dollars", ownerId: "o", currency: "USD", idempotencyKey: "usd" })
      const before = installation.state.log.length
      for (const [name, fields, tag] of refusals) {
        const input = { from: "a", to: "b", amount: 10n, idempotencyKey: `t-${name.replaceAll(" ", "-")}`, ...fields }
        const error = yield* Effect.flip(node.engine.transfer(input))
        assert.strictEqual(error._tag, tag, name)
      }
      assert.strictEqual(installation.state.log.length, before)
      // The frozen one may still receive.
      assert.strictEqual((yield* send(node, "a", "frozen", 1n, "t")).transfer.status, "completed")
      yield* settled(installation, node, ["a"])
    })
  )

  it.effect("comes back when its destination closes on the way, and says so ever after", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets({ stepwise: true })
      yield* node.engine.debit({ walletId: "b", amount: 100n, idempotencyKey: "empty" })
      const release = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(release))
      const sending = yield* Effect.forkChild(Effect.flip(send(node, "a", "b", 30n, "t")))
      yield* until(() => node.log.appendFaults.length === 0, "the source's append is on its way")
      yield* node.engine.close({ walletId: "b", idempotencyKey: "close" })
      yield* Deferred.succeed(release, undefined)
      const error = yield* Fiber.join(sending)
      assert(error._tag === "TransferReversed", error._tag)
      assert.isFalse(error.replayed)
      assert.strictEqual(error.reason, "WalletClosed: wallet b is closed")
      assert.deepStrictEqual(installation.types("a").slice(2), ["TransferSent", "TransferReversed"])
      assert.deepStrictEqual(installation.types("b").slice(3), ["WalletClosed", "TransferRefused"])
      assert.strictEqual(yield* balance(node, "a"), 100n)
      assert.strictEqual(assertConserved(installation), 0n)
      const shown = yield* node.engine.getTransfer(error.transferId)
      assert.deepInclude(shown, { status: "reversed", reason: error.reason })
      for (let again = 0; again < 2; again++) {
        const { reason, transferId } = error
        const told = yield* Effect.flip(send(node, "a", "b", 30n, "t"))
        assert.deepStrictEqual(told, new TransferReversed({ transferId, reason, replayed: true }))
      }
      assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 1, TransferReversed: 1 })
      assert.strictEqual((yield* node.engine.transfers({ status: "reversed", limit: 5 })).data.length, 1)
    })
  )

  it.effect("comes back when a rule of the user's refuses its receipt", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets({
        rule: ({ events }) =>
          events.some(({ event }) => event._tag === "TransferReceived" && event.amount === 13n) ? "unlucky" : undefined
      })
      const error = yield* Effect.flip(send(node, "a", "b", 13n, "t"))
      assert(error._tag === "TransferReversed", error._tag)
      assert.include(error.reason, "unlucky")
      assert.deepStrictEqual(transferEvents(installation, "b"), { TransferRefused: 1 })
      assert.deepStrictEqual([yield* balance(node, "a"), yield* balance(node, "b")], [100n, 100n])
    })
  )

  it.effect("that a rule of the user's refuses to send leaves nothing", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets({
        rule: ({ events }) => (events.some(({ event }) => event._tag === "TransferSent") ? "no sending" : undefined)
      })
      assert.strictEqual((yield* Effect.flip(send(node, "a", "b", 13n, "t")))._tag, "OperationRefused")
      assert.deepStrictEqual([transferEvents(installation, "a"), transferEvents(installation, "b")], [{}, {}])
    })
  )

  it.effect("ends also when its source is frozen meanwhile, and keeps it from closing until then", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets({ stepwise: true })
      const release = yield* Deferred.make<void>()
      const sending = yield* Effect.forkChild(send(node, "a", "b", 100n, "t"))
      yield* until(() => inFlight(installation, "a") === 1, "it is sent")
      node.log.appendFaults.push(Faults.heldUntil(release))
      yield* until(() => node.log.appendFaults.length === 0, "the receipt is on its way")
      const close = node.engine.close({ walletId: "a", idempotencyKey: "close" })
      assert.strictEqual((yield* Effect.flip(close))._tag, "WalletNotEmpty")
      yield* node.engine.freeze({ walletId: "a", idempotencyKey: "freeze" })
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual((yield* Fiber.join(sending)).transfer.status, "completed")
      yield* settled(installation, node, ["a"])
      assert.strictEqual((yield* close).wallet.status, "closed")
    })
  )
})

describe("the key of a transfer", () => {
  it.effect("gets the first answer again, also when the destination has closed since", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets()
      const first = yield* send(node, "a", "b", 30n, "t")
      yield* settled(installation, node, ["a"])
      yield* node.engine.debit({ walletId: "b", amount: 130n, idempotencyKey: "empty" })
      yield* TestClock.adjust("1 hour")
      yield* node.engine.close({ walletId: "b", idempotencyKey: "close" })
      const length = installation.state.log.length
      const again = yield* send(node, "a", "b", 30n, "t")
      assert.deepStrictEqual(again, { ...first, replayed: true })
      assert.strictEqual((yield* Effect.flip(send(node, "a", "b", 30n, "other")))._tag, "WalletClosed")
      assert.strictEqual(installation.state.log.length, length)
    })
  )

  it.effect("is refused to another transfer, and to another command of the source", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets()
      yield* send(node, "a", "b", 30n, "t")
      yield* settled(installation, node, ["a"])
      const others: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
        send(node, "a", "b", 31n, "t"),
        send(node, "a", "nope", 30n, "t"),
        credit(node, "a", 30n, "t"),
        node.engine.transfer({ from: "a", to: "b", amount: 30n, idempotencyKey: "t", reference: "r" })
      ]
      for (const other of others) assert.strictEqual((yield* Effect.flip(other))._tag, "IdempotencyKeyReused")
      // It is one of the source's keys: the destination may use it for its own.
      const back = yield* send(node, "b", "a", 30n, "t")
      assert.isFalse(back.replayed)
      yield* settled(installation, node, ["b"])
    })
  )

  it.effect("is joined while the transfer runs: one transfer, however many ask", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets({ stepwise: true })
      const release = yield* Deferred.make<void>()
      const first = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      const same = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      yield* until(() => inFlight(installation, "a") === 1, "it is sent")
      node.log.appendFaults.push(Faults.heldUntil(release))
      const late = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      yield* until(() => node.log.appendFaults.length === 0, "the receipt is on its way")
      const later = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      yield* Deferred.succeed(release, undefined)
      const answers = yield* Effect.forEach([first, same, late, later], Fiber.join)
      assert.deepStrictEqual(
        answers.map(({ replayed }) => replayed),
        [false, true, true, true]
      )
      for (const { transfer } of answers) assert.deepStrictEqual(transfer, answers[0]?.transfer)
      yield* settled(installation, node, ["a"])
      assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 1, TransferSettled: 1 })
      assert.deepStrictEqual(transferEvents(installation, "b"), { TransferReceived: 1 })
    })
  )

  it.effect("may succeed after a rejection: nothing was recorded", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets()
      assert.strictEqual((yield* Effect.flip(send(node, "a", "b", 200n, "t")))._tag, "InsufficientFunds")
      assert.strictEqual((yield* Effect.flip(send(node, "a", "c", 50n, "u")))._tag, "WalletNotFound")
      yield* credit(node, "a", 150n, "more")
      yield* create(node, "c")
      assert.strictEqual((yield* send(node, "a", "b", 200n, "t")).transfer.status, "completed")
      assert.strictEqual((yield* send(node, "a", "c", 50n, "u")).transfer.status, "completed")
      yield* settled(installation, node, ["a"])
    })
  )

  it.effect("never wears out: the ids made of it do not either", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets({ bounds: forgetful })
      const first = yield* send(node, "a", "b", 30n, "t")
      yield* settled(installation, node, ["a"])
      yield* TestClock.adjust("1 minute")
      for (let n = 0; n < 5; n++) yield* credit(node, "a", 1n, `credit-${n}`)
      for (let n = 0; n < 5; n++) yield* credit(node, "b", 1n, `credit-${n}`)
      const again = yield* send(node, "a", "b", 30n, "t")
      assert.deepStrictEqual(again, { ...first, replayed: true })
      assert.deepStrictEqual(transferEvents(installation, "a"), { TransferSent: 1, TransferSettled: 1 })
    })
  )
})

describe("the caller of a transfer", () => {
  it.effect("may go: the transfer goes on", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets()
      const release = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(release))
      const sending = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      yield* until(() => node.log.appendFaults.length === 0, "the source's append is on its way")
      yield* Fiber.interrupt(sending)
      yield* Deferred.succeed(release, undefined)
      yield* until(() => installation.types("b").includes("TransferReceived"), "it arrives")
      yield* settled(installation, node, ["a"])
    })
  )

  it.effect("is told that it is pending when its wait ends first", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets({ stepwise: true })
      const release = yield* Deferred.make<void>()
      const sending = yield* Effect.forkChild(send(node, "a", "b", 30n, "t"))
      yield* until(() => inFlight(installation, "a") === 1, "it is sent")
      node.log.appendFaults.push(Faults.heldUntil(release))
      yield* until(() => node.log.appendFaults.length === 0, "the receipt is on its way")
      yield* pass(11)
      const { durability, transfer } = yield* Fiber.join(sending)
      assert.deepInclude(transfer, { status: "pending", updatedAt: transfer.createdAt })
      assert.isTrue(durability.committed)
      assert.deepStrictEqual(yield* node.engine.getTransfer(transfer.id), transfer)
      assert.deepStrictEqual((yield* node.engine.transfers({ status: "pending", limit: 5 })).data, [transfer])
      assert.strictEqual(assertConserved(installation), 30n)
      yield* Deferred.succeed(release, undefined)
      yield* pass(5)
      assert.strictEqual((yield* node.engine.getTransfer(transfer.id)).status, "completed")
      assert.strictEqual(assertConserved(installation), 0n)
      const again = yield* send(node, "a", "b", 30n, "t")
      assert.deepInclude(again, { replayed: true })
      assert.strictEqual(again.transfer.status, "completed")
    })
  )

  it.effect("is refused when the node carries as many as it may", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* twoWallets({ bounds: { transfersCarried: 2 } })
      const sending = yield* Effect.forkChild(
        Effect.forEach([1, 2, 3], (n) => Effect.exit(send(node, "a", "b", 1n, `t-${n}`)), { concurrency: "unbounded" })
      )
      const exits = yield* Fiber.join(sending)
      assert.deepStrictEqual(
        exits.map(({ _tag }) => _tag),
        ["Success", "Success", "Failure"]
      )
      yield* settled(installation, node, ["a"])
      assert.strictEqual((yield* send(node, "a", "b", 1n, "t-3")).transfer.status, "completed")
      yield* settled(installation, node, ["a"])
    })
  )

  it.effect("finds no transfer that never was", () =>
    Effect.gen(function* () {
      const { node } = yield* twoWallets()
      assert.strictEqual((yield* Effect.flip(node.engine.getTransfer("nope")))._tag, "TransferNotFound")
      assert.strictEqual((yield* Effect.flip(node.engine.getTransfer("no id")))._tag, "InvalidRequest")
      assert.deepStrictEqual(yield* node.engine.transfers({ walletId: "nope", limit: 5 }), { data: [], next: null })
    })
  )
})
