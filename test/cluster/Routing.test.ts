/** The way of a command to a wallet that is elsewhere, or on its way elsewhere. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Await } from "../../src/actors/Mailbox.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { heldUntil } from "../support/FaultyPersistence.ts"
import { forgetful, partitions, until } from "../support/Installation.ts"
import { pass, within } from "../support/Separate.ts"
import { answerLost, type LinkedNode, linkNodes, messageLost, type Network, notSent, twice } from "./LinkedNodes.ts"

const create = (node: LinkedNode, id: string) =>
  node.engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `create-${id}` })

const credit = (node: LinkedNode, walletId: string, amount: bigint, idempotencyKey: string, wait?: Await) =>
  node.engine.credit({ walletId, amount, idempotencyKey, ...(wait === undefined ? {} : { await: wait }) })

const debit = (node: LinkedNode, walletId: string, amount: bigint, idempotencyKey: string) =>
  node.engine.debit({ walletId, amount, idempotencyKey })

/** Keys of the wallet's events, but for the first, its creation. */
const keysOf = ({ installation }: Network, walletId: string) =>
  installation
    .events(walletId)
    .slice(1)
    .map(({ metadata }) => metadata.key)

const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string =>
  Exit.match(exit, {
    onSuccess: () => "done",
    onFailure: (cause) => {
      const [reason] = cause.reasons
      return reason?._tag === "Fail" ? reason.error._tag : "defect"
    }
  })

/** Two nodes, the first owns wallet `a`; what they do takes its time, which passes. */
const linked = (
  name: string,
  run: (network: Network, here: LinkedNode, there: LinkedNode) => Effect.Effect<void, unknown>
) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      const network = yield* linkNodes()
      const [there, here] = [network.nodes[0]!, network.nodes[1]!]
      yield* create(there, "a")
      yield* within(60, run(network, here, there))
    })
  )

describe("a wallet of another node", () => {
  linked("has an owner whose place is known by its answers, also after it has moved", (network, here, there) =>
    Effect.gen(function* () {
      const [first, second] = ["http://node-0.test", "http://node-1.test"]
      assert.deepStrictEqual([there.urlOf("a"), here.urlOf("a")], [first, undefined], "nothing was asked yet")
      yield* here.engine.getWallet({ walletId: "a" })
      assert.strictEqual(here.urlOf("a"), first, "by a read")
      yield* network.handOver("a", 1)
      assert.strictEqual(here.urlOf("a"), second, "it is its own")
      yield* credit(there, "a", 7n, "k")
      assert.strictEqual(there.urlOf("a"), second, "by a command")
      yield* network.lose("a")
      yield* Effect.exit(there.engine.getWallet({ walletId: "a" }))
      assert.isUndefined(there.urlOf("a"), "it has not answered")
    })
  )

  linked("answers as one of this node's", (network, here, there) =>
    Effect.gen(function* () {
      const first = yield* credit(here, "a", 7n, "k")
      assert.deepStrictEqual([first.wallet.version, first.wallet.balance, first.replayed], [1, 7n, false])
      const near = yield* credit(there, "a", 7n, "k")
      assert.strictEqual(network.messages.ask, 1, "its owner sends no message")
      const far = yield* credit(here, "a", 7n, "k")
      assert.isTrue(near.replayed)
      assert.deepStrictEqual(far, near)
      const refused = yield* Effect.exit(debit(here, "a", 8n, "d"))
      assert.deepStrictEqual(refused, yield* Effect.exit(debit(there, "a", 8n, "d")))
      assert.strictEqual(tagOf(refused), "InsufficientFunds")
    })
  )

  linked("judges dry runs and versions as one of this node's, also when an answer is lost", (network, here, there) =>
    Effect.gen(function* () {
      const ask = (node: LinkedNode, amount: bigint, ifVersion?: number) =>
        node.engine.debit({ walletId: "a", amount, dryRun: true, ifVersion })
      yield* credit(there, "a", 7n, "k")
      assert.deepStrictEqual(yield* ask(here, 5n), yield* ask(there, 5n))
      const short = yield* Effect.exit(ask(here, 8n))
      assert.deepStrictEqual(short, yield* Effect.exit(ask(there, 8n)))
      assert.strictEqual(tagOf(short), "InsufficientFunds")
      assert.strictEqual(tagOf(yield* Effect.exit(ask(here, 8n, 0))), "VersionMismatch")
      const credited = yield* here.engine.credit({ walletId: "a", amount: 1n, idempotencyKey: "v", ifVersion: 1 })
      assert.strictEqual(credited.wallet.version, 2)
      // What was asked twice for want of an answer has had no effect: its rejection is no unknown outcome.
      network.faults.push(answerLost)
      assert.strictEqual(tagOf(yield* Effect.exit(ask(here, 9n))), "InsufficientFunds")
      network.faults.push(answerLost)
      assert.isTrue((yield* ask(here, 8n)).dryRun)
      assert.deepStrictEqual(keysOf(network, "a"), ["c:k", "c:v"])
    })
  )

  linked("is read as of the last commit", (_, here, there) =>
    Effect.gen(function* () {
      yield* credit(there, "a", 7n, "k")
      const wallet = yield* here.engine.getWallet({ walletId: "a" })
      assert.deepStrictEqual(wallet, yield* there.engine.getWallet({ walletId: "a" }))
      assert.strictEqual(tagOf(yield* Effect.exit(here.engine.getWallet({ walletId: "b" }))), "WalletNotFound")
    })
  )

  linked("takes what was asked for while a message was on its way in one more message", (network, here) =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 100 }, (_, index) => `k${index}`)
      yield* Effect.forEach(keys, (key) => credit(here, "a", 1n, key), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        keysOf(network, "a"),
        keys.map((key) => `c:${key}`)
      )
      assert.isAtMost(network.messages.ask, 3)
    })
  )
})

describe("messages between nodes", () => {
  linked("are shared by all wallets of an owner, once it is known", (network, here, there) =>
    Effect.gen(function* () {
      const wallets = Array.from({ length: 200 }, (_, index) => `w${index}`)
      yield* Effect.forEach(wallets, (id) => create(there, id), { concurrency: "unbounded" })
      const ask = (key: string) =>
        Effect.forEach(wallets, (id) => credit(here, id, 1n, key), { concurrency: "unbounded" })
      yield* ask("first")
      const before = network.messages.ask
      assert.isAtMost(before, partitions, "whose a partition is, is found out by asking for it")
      yield* ask("second")
      assert.isAtMost(network.messages.ask - before, 3)
    })
  )

  linked("are bounded in size", (network, here) =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 2_000 }, (_, index) => `k${index}`)
      yield* Effect.forEach(keys, (key) => credit(here, "a", 1n, key), { concurrency: "unbounded" })
      assert.isAtLeast(network.messages.ask, 4)
      assert.isAtMost(network.messages.ask, 8)
    })
  )
})

describe("a command whose message or answer is lost", () => {
  for (const [name, fault] of [
    ["the answer", answerLost],
    ["the message", messageLost],
    ["neither, it came twice", twice]
  ] as const) {
    linked(`happens once: ${name}`, (network, here) =>
      Effect.gen(function* () {
        network.faults.push(fault, fault)
        const keys = ["k0", "k1", "k2", "k3"]
        const answers = yield* Effect.forEach(keys, (key) => credit(here, "a", 1n, key), { concurrency: "unbounded" })
        assert.deepStrictEqual(
          answers.map(({ wallet }) => wallet.version),
          [1, 2, 3, 4]
        )
        assert.deepStrictEqual(keysOf(network, "a"), ["c:k0", "c:k1", "c:k2", "c:k3"])
      })
    )
  }

  linked("is not called rejected once it may have happened", (network, here) =>
    Effect.gen(function* () {
      network.faults.push(messageLost)
      assert.strictEqual(tagOf(yield* Effect.exit(debit(here, "a", 5n, "d"))), "OutcomeUnknown")
      network.faults.push(notSent)
      assert.strictEqual(tagOf(yield* Effect.exit(debit(here, "a", 5n, "e"))), "InsufficientFunds")
    })
  )

  const stay = (): Effect.Effect<void> => Effect.void
  for (const { bounds, move, name } of [
    { name: "its owner", move: stay, bounds: {} },
    { name: "its owner, which has to look the keys up", move: stay, bounds: { ...forgetful, batchCommands: 1 } },
    { name: "this node, which owns it by then", move: (network: Network) => network.handOver("a", 1), bounds: {} }
  ]) {
    it.effect(`is not done behind what was asked for after it, when it was rejected: ${name}`, () =>
      Effect.gen(function* () {
        const network = yield* linkNodes({ bounds })
        const [there, here] = [network.nodes[0]!, network.nodes[1]!]
        yield* create(there, "a")
        network.faults.push(answerLost)
        const debited = yield* Effect.forkChild(Effect.exit(debit(here, "a", 5n, "d")), { startImmediately: true })
        const credits = yield* Effect.forEach(["k0", "k1", "k2"], (key) =>
          Effect.forkChild(credit(here, "a", 5n, key), { startImmediately: true })
        )
        yield* until(() => keysOf(network, "a").length === 3, "the owner has decided")
        yield* within(10, credit(there, "a", 5n, "x"))
        yield* within(10, move(network))
        yield* within(10, Effect.forEach(credits, Fiber.join))
        assert.strictEqual(tagOf(yield* Fiber.join(debited)), "OutcomeUnknown")
        assert.deepStrictEqual(keysOf(network, "a"), ["c:k0", "c:k1", "c:k2", "c:x"])
        const again = yield* within(10, debit(here, "a", 5n, "d"))
        assert.isFalse(again.replayed, "asked for again it is a command of now")
      })
    )
  }

  linked("is unknown when its wait ends, and unavailable when it was surely never sent", (network, here) =>
    Effect.gen(function* () {
      network.always = messageLost
      assert.strictEqual(tagOf(yield* Effect.exit(credit(here, "a", 1n, "k"))), "OutcomeUnknown")
      network.always = notSent
      assert.strictEqual(tagOf(yield* Effect.exit(credit(here, "a", 1n, "l"))), "StoreUnavailable")
      assert.strictEqual(tagOf(yield* Effect.exit(here.engine.getWallet({ walletId: "a" }))), "StoreUnavailable")
      assert.strictEqual(here.outgoing(), 0, "nothing is left in the queues")
      network.always = undefined
      assert.isFalse((yield* credit(here, "a", 1n, "k")).replayed)
    })
  )
})

describe("a wallet that changes its owner", () => {
  linked("keeps the order of each caller, also through lost answers", (network, here, there) =>
    Effect.gen(function* () {
      const asked: Array<Array<string>> = [[], []]
      const ask = (node: LinkedNode, caller: number, key: string) =>
        Effect.suspend(() => {
          asked[caller]!.push(`c:${key}`)
          return credit(node, "a", 1n, key)
        })
      const callers = yield* Effect.forEach([here, there], (node, caller) =>
        Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 300 }, (_, index) => index),
            (index) => Effect.andThen(Effect.sleep((index % 10) * 4), ask(node, caller, `${caller}-${index}`)),
            { concurrency: 20 }
          )
        )
      )
      for (let turn = 1; turn < 12; turn++) {
        yield* Effect.sleep(37)
        if (turn % 3 === 0) network.faults.push(answerLost)
        if (turn % 4 === 0) yield* network.lose("a")
        else yield* network.handOver("a", turn % 2)
      }
      yield* network.handOver("a", 1)
      yield* Effect.forEach(callers, Fiber.join)
      const keys = keysOf(network, "a")
      assert.deepStrictEqual(
        [0, 1].map((caller) => keys.filter((key) => key.startsWith(`c:${caller}-`))),
        asked
      )
    })
  )

  /** All at once, so that the order of asking is the order of sending. */
  linked("keeps what was asked in its order while nobody owns it", (network, here, there) =>
    Effect.gen(function* () {
      yield* network.lose("a")
      const ask = (node: LinkedNode, caller: string) =>
        Effect.forEach(
          Array.from({ length: 50 }, (_, index) => `${caller}${String(index).padStart(2, "0")}`),
          (key) => Effect.forkChild(credit(node, "a", 1n, key), { startImmediately: true })
        )
      const first = [...(yield* ask(here, "x")), ...(yield* ask(there, "y"))]
      yield* Effect.sleep(500)
      assert.deepStrictEqual(keysOf(network, "a"), [])
      yield* network.gain("a", 1)
      const second = [...(yield* ask(here, "z")), ...(yield* ask(there, "zz"))]
      yield* Effect.forEach([...first, ...second], Fiber.join)
      for (const caller of [/^c:[xz]\d/, /^c:(y|zz)/]) {
        const keys = keysOf(network, "a").filter((key) => caller.test(key))
        assert.strictEqual(keys.length, 100)
        assert.deepStrictEqual(keys, keys.toSorted())
      }
    })
  )

  linked("bounces what waits in the mailbox, and ends what is on its way to the log", (network, here, there) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      there.log.appendFaults.push(Faults.heldUntil(gate))
      const appends = there.log.appends.length
      const first = yield* Effect.forkChild(credit(there, "a", 1n, "k0"))
      yield* until(() => there.log.appends.length === appends + 1, "the first is on its way to the log")
      const others = yield* Effect.forEach(["k1", "k2", "k3"], (key) => Effect.forkChild(credit(there, "a", 1n, key)))
      yield* until(() => there.registry.load().waitingCommands === 3, "the others wait")
      yield* network.lose("a")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* Fiber.join(first)).wallet.version, 1, "its claim stood when it was written")
      yield* network.gain("a", 1)
      yield* Effect.forEach(others, Fiber.join)
      assert.deepStrictEqual(
        network.installation.events("a").map(({ metadata }) => [metadata.key, metadata.epoch]),
        [
          ["c:create-a", 1],
          ["c:k0", 1],
          ["c:k1", 2],
          ["c:k2", 2],
          ["c:k3", 2]
        ]
      )
      assert.strictEqual(here.registry.load().residentWallets, 1)
      assert.strictEqual(there.registry.load().residentWallets, 0, "its actor has left")
    })
  )

  it.effect("tells what was on its way to the log when it is persisted", () =>
    Effect.gen(function* () {
      const network = yield* linkNodes({ separate: true })
      const there = network.nodes[0]!
      yield* create(there, "a")
      const [appended, written] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      there.log.appendFaults.push(Faults.heldUntil(appended))
      there.persistence.writeFaults.push(heldUntil(written))
      const appends = there.log.appends.length
      const asked = yield* Effect.forkChild(credit(there, "a", 1n, "k0"))
      yield* until(() => there.log.appends.length === appends + 1, "it is on its way to the log")
      yield* within(1, network.lose("a"))
      yield* Deferred.succeed(appended, undefined)
      yield* until(() => keysOf(network, "a").length === 1, "it is in the log")
      yield* pass(0.2)
      assert.isUndefined(asked.pollUnsafe())
      yield* Deferred.succeed(written, undefined)
      yield* until(() => asked.pollUnsafe() !== undefined, "it is told at once")
      assert.isTrue((yield* Fiber.join(asked)).durability.persisted)
      yield* pass(0.3)
      assert.strictEqual(there.registry.load().residentWallets, 0, "its actor has left")
    })
  )

  linked("is refused by the log to an owner that has not noticed, and goes to the new one", (network, _, there) =>
    Effect.gen(function* () {
      yield* credit(there, "a", 1n, "k0")
      // The lease and the claim have gone; the first node's own claim table says nothing of it.
      yield* network.gain("a", 1)
      const answer = yield* credit(there, "a", 1n, "k1")
      assert.strictEqual(answer.wallet.version, 2)
      assert.strictEqual(network.installation.events("a").at(-1)?.metadata.epoch, 2)
    })
  )
})

describe("what waits for an owner", () => {
  it.effect("is bounded per wallet and per node", () =>
    Effect.gen(function* () {
      const network = yield* linkNodes({ bounds: { mailboxCommands: 3, nodeCommands: 5 } })
      const here = network.nodes[1]!
      yield* network.lose("a")
      yield* network.lose("b")
      yield* network.lose("c")
      const ask = (walletId: string, count: number) =>
        Effect.forEach(Array.from({ length: count }), (_, index) =>
          Effect.forkChild(Effect.exit(credit(here, walletId, 1n, `k${index}`)), { startImmediately: true })
        )
      const callers = [...(yield* ask("a", 4)), ...(yield* ask("b", 3))]
      assert.strictEqual(here.outgoing(), 5)
      const exits = yield* within(20, Effect.forEach(callers, Fiber.join))
      assert.deepStrictEqual(
        exits.map(tagOf).map((tag) => tag === "MailboxFull"),
        [false, false, false, true, false, false, true]
      )
      assert.strictEqual(here.outgoing(), 0)
      network.faults.length = 0
    })
  )
})

describe("a command that is in its owner's hands", () => {
  it.effect("is asked for until it is persisted, and does not hold those behind it", () =>
    Effect.gen(function* () {
      const network = yield* linkNodes({ separate: true })
      const [there, here] = [network.nodes[0]!, network.nodes[1]!]
      yield* create(there, "a")
      const gate = yield* Deferred.make<void>()
      there.persistence.writeFaults.push(heldUntil(gate))
      const waiting = yield* Effect.forkChild(credit(here, "a", 1n, "k0"))
      yield* within(
        10,
        until(() => network.messages.ask === 1, "it is sent")
      )
      const committed = yield* within(10, credit(here, "a", 1n, "k1", "committed"))
      assert.isFalse(committed.durability.persisted)
      assert.isUndefined(waiting.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      const answer = yield* within(10, Fiber.join(waiting))
      assert.isTrue(answer.durability.persisted)
      assert.isAtLeast(network.messages.collect, 1)
    })
  )

  it.effect("is decided before what was asked for later, also when the wallet comes to the node that asks", () =>
    Effect.gen(function* () {
      const network = yield* linkNodes({ separate: true })
      const [there, here] = [network.nodes[0]!, network.nodes[1]!]
      yield* create(there, "a")
      const gate = yield* Deferred.make<void>()
      there.persistence.writeFaults.push(heldUntil(gate))
      const first = yield* Effect.forkChild(credit(here, "a", 1n, "k0"))
      yield* within(
        10,
        until(() => network.messages.ask === 1, "it is sent")
      )
      yield* within(1, Effect.sleep(200))
      const handing = yield* Effect.forkChild(network.handOver("a", 1))
      const second = yield* Effect.forkChild(credit(here, "a", 1n, "k1"))
      yield* within(1, Effect.sleep(500))
      assert.deepStrictEqual(keysOf(network, "a"), ["c:k0"], "the second waits")
      yield* Deferred.succeed(gate, undefined)
      const answers = yield* within(20, Effect.all([Fiber.join(first), Fiber.join(second)]))
      yield* within(10, Fiber.join(handing))
      assert.deepStrictEqual(
        answers.map(({ wallet }) => wallet.version),
        [1, 2]
      )
      assert.deepStrictEqual(
        network.installation.events("a").map(({ metadata }) => metadata.epoch),
        [1, 1, 2]
      )
    })
  )
})
