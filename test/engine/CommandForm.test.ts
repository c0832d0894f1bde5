/** Malformed commands and queries of callers without types: typed, told at the door, and nobody else's business. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { inspect } from "node:util"
import type { Command } from "../../src/domain/Command.ts"
import { appended, create, credit, waiting } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import type { Node } from "../support/Installation.ts"
import { assertConsistent, installNode, quiet } from "../support/Installation.ts"

type Loose = (input: unknown) => Effect.Effect<unknown, { readonly _tag: string }>

/** The tag of what it failed with; `Die`: of a defect. */
const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string => {
  if (Exit.isSuccess(exit)) return "done"
  const reason = exit.cause.reasons[0]
  return reason?._tag === "Fail" ? reason.error._tag : (reason?._tag ?? "none")
}

/** The engine as one without types sees it. */
const loose = (node: Node) => node.engine as unknown as Readonly<Record<string, Loose>>

const commands: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  createWallet: { id: "new", ownerId: "o", currency: "EUR", overdraftLimit: 0n, metadata: {} },
  credit: { walletId: "a", amount: 1n, reference: "r", metadata: { a: "b" } },
  debit: { walletId: "a", amount: 1n, reference: "r", metadata: { a: "b" }, force: true },
  placeHold: { walletId: "a", amount: 1n, expiresAt: 9_000_000, reference: "r", metadata: { a: "b" } },
  captureHold: { walletId: "a", holdId: "h", amount: 1n, final: true },
  captureHoldTo: { walletId: "a", holdId: "h", to: "b", amount: 1n, final: true },
  beginCaptureHoldTo: { walletId: "a", holdId: "h", to: "b", amount: 1n, final: true },
  changeHold: { walletId: "a", holdId: "h", amount: 1n, expiresAt: 9_000_000 },
  releaseHold: { walletId: "a", holdId: "h" },
  freeze: { walletId: "a", reason: "r", direction: "all", until: 9_000_000 },
  unfreeze: { walletId: "a", reason: "r" },
  close: { walletId: "a", reason: "r" },
  updateWallet: { walletId: "a", overdraftLimit: 1n, metadata: { a: "b" } },
  transfer: { from: "a", to: "b", amount: 1n, reference: "r", metadata: { a: "b" } },
  beginTransfer: { from: "a", to: "b", amount: 1n, reference: "r", metadata: { a: "b" } }
}

const searches = ["searchWallets", "searchTransactions", "searchTransfers", "searchHolds"]

const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, "v"]))

/** Per kind of field, what it must not be. */
const wrongId = [undefined, null, "", "a b", "x".repeat(65), 5, {}, [], Symbol("a"), "ä"]
const wrongAmount = [5, Number.NaN, Infinity, "5", 0n, -1n, 10n ** 30n, {}, [1n], true, Symbol("a")]
const wrongText = [5, 5n, {}, ["r"], true, "x".repeat(256), "\ud800", "a\u0000"]
const wrongMetadata = [
  null,
  "text",
  5,
  ["a"],
  new Map([["a", "b"]]),
  new Date(0),
  { a: 1 },
  { a: null },
  { a: "\u0000" },
  { ["k".repeat(65)]: "v" },
  { k: "v".repeat(513) },
  pairs(21)
]
const wrongFields: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  idempotencyKey: [undefined, null, "", "a b", "ä", "x".repeat(256), 5, {}, Symbol("k")],
  await: ["", "forever", 1, {}, true],
  actor: [5, {}, "x".repeat(256), "\u0000"],
  correlationId: [5, {}, "x".repeat(256), "\ud800"],
  walletId: wrongId,
  id: ["", "a b", "x".repeat(65), 5, {}],
  ownerId: wrongId,
  from: wrongId,
  to: wrongId,
  holdId: wrongId,
  currency: [undefined, null, "eur", "E", 5, {}],
  amount: wrongAmount,
  overdraftLimit: [5, Number.NaN, "5", -1n, 10n ** 30n, {}],
  expiresAt: [Number.NaN, Infinity, 1.5, -1, "2030-01-01", new Date(9_000_000), 9_000_000n, {}, 10 ** 17],
  final: [1, "true", {}],
  force: [1, "true", {}],
  direction: [5, {}, "", "none", "DEBITS"],
  until: [Number.NaN, Infinity, 1.5, -1, "2030-01-01", new Date(9_000_000), 9_000_000n, {}, 10 ** 17],
  reference: wrongText,
  reason: wrongText,
  metadata: wrongMetadata
}

const always = ["idempotencyKey", "await", "actor", "correlationId"]

interface Malformed {
  readonly command: string
  readonly field: string
  readonly input: unknown
}

const malformed: ReadonlyArray<Malformed> = Object.entries(commands).flatMap(([command, fields]) => [
  ...[undefined, null, 5, "text", Symbol("input")].map((input) => ({ command, field: "input", input })),
  ...[...Object.keys(fields), ...always].flatMap((field) =>
    wrongFields[field]!
      // To an update it is as if they were left out.
      .filter((value) => !(command === "updateWallet" && field === "metadata" && value === null))
      .map((value) => ({ command, field, input: { ...fields, idempotencyKey: "k", [field]: value } }))
  )
])

describe("a command", () => {
  it.effect("that is malformed is an InvalidRequest, and no wallet hears of it", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* create(node, "b")
      const { appends } = node.log
      const before = appends.length
      for (const { command, field, input } of malformed) {
        const exit = yield* Effect.exit(loose(node)[command]!(input))
        assert.strictEqual(tagOf(exit), "InvalidRequest", `${command} ${field} ${inspect(input)}`)
      }
      assert.strictEqual(appends.length, before)
      assert.deepStrictEqual(node.logged, [])
      yield* quiet(node)
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("in good form is taken, whatever may be left out", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      yield* create(node, "a")
      yield* create(node, "b")
      const wrong: Array<string> = []
      for (const [command, fields] of Object.entries(commands)) {
        const needed = ["id", "walletId", "holdId", "from", "to", "amount", "ownerId", "currency"]
        for (const input of [
          fields,
          Object.fromEntries(Object.entries(fields).filter(([name]) => needed.includes(name)))
        ]) {
          const exit = yield* Effect.exit(loose(node)[command]!({ ...input, idempotencyKey: "k" }))
          const isBad = Exit.isFailure(exit) && exit.cause.reasons.some((reason) => reason._tag === "Die")
          if (isBad) wrong.push(command)
        }
      }
      assert.deepStrictEqual(wrong, [])
    })
  )

  it.effect("that is malformed fails alone: those sent with it are done", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      yield* create(node, "b")
      const gate = yield* Deferred.make<void>()
      node.log.appendFaults.push(Faults.heldUntil(gate))
      const first = yield* Effect.forkChild(credit(node, "a", 1n, "first"))
      yield* appended(node, 3)
      const good: Array<Fiber.Fiber<unknown, unknown>> = []
      const bad: Array<Fiber.Fiber<{ readonly _tag: string }, unknown>> = []
      for (const [at, amount] of [5, undefined, Number.NaN].entries()) {
        const input = { walletId: "a", amount, idempotencyKey: `bad-${at}` }
        for (let i = 0; i < 6; i++) good.push(yield* Effect.forkChild(credit(node, "a", 1n, `good-${at}-${i}`)))
        bad.push(yield* Effect.forkChild(Effect.flip(loose(node).credit!(input))))
      }
      yield* waiting(node, 18)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      for (const fiber of bad) assert.strictEqual((yield* Fiber.join(fiber))._tag, "InvalidRequest")
      yield* Effect.forEach(good, Fiber.join)
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 19n)
      assert.deepStrictEqual(node.logged, [])
      yield* assertConsistent(installation, node, "a")
    })
  )

  it.effect("of any values at all is answered, by a type", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      yield* create(node, "a")
      yield* create(node, "b")
      const value = fc.oneof(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
        fc.constantFrom<unknown>("a", "b", 1n, "k", {}, undefined, null)
      )
      const names = [...new Set(Object.values(commands).flatMap((fields) => Object.keys(fields))), ...always]
      const input = fc.dictionary(fc.constantFrom(...names), value)
      for (const [command, given] of fc.sample(fc.tuple(fc.constantFrom(...Object.keys(commands)), input), 500)) {
        const exit = yield* Effect.exit(loose(node)[command]!({ ...commands[command], idempotencyKey: "k", ...given }))
        if (Exit.isFailure(exit)) assert.isTrue(exit.cause.reasons.every((reason) => reason._tag === "Fail"))
      }
      // A slow machine lets the test's own clock say a word.
      const defects = node.logged.filter((line) => line.includes("defect"))
      assert.deepStrictEqual(defects, [])
    })
  )
})

describe("what throws when it is read", () => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const throwing = (valid: object, field: string) => ({
    ...valid,
    get [field](): unknown {
      throw new Error("scripted")
    }
  })

  it.effect("fails its own command, and is thrown at nobody", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      for (const [command, fields] of Object.entries(commands)) {
        const valid = { ...fields, idempotencyKey: "k" }
        const names = [...Object.keys(fields), ...always]
        const inputs: Array<unknown> = [revoked.proxy, ...names.map((name) => throwing(valid, name))]
        if ("metadata" in fields) inputs.push({ ...valid, metadata: revoked.proxy })
        for (const input of inputs) {
          const asked = loose(node)[command]!(input)
          assert.isTrue(Exit.isFailure(yield* Effect.exit(asked)), command)
        }
      }
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated"])
    })
  )

  it.effect("makes a query an InvalidRequest", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      yield* create(node, "a")
      const queries = ["getWallet", "walletAt", "events", "transactions", "holds", "transfers"]
      for (const query of [...queries, ...searches, "stats"]) {
        for (const given of [revoked.proxy, throwing({ walletId: "a", limit: 1 }, "limit")]) {
          assert.strictEqual(tagOf(yield* Effect.exit(loose(node)[query]!(given))), "InvalidRequest", query)
        }
      }
      for (const query of searches) {
        for (const metadata of [revoked.proxy, throwing({ a: "b", c: "d" }, "c")]) {
          const exit = yield* Effect.exit(loose(node)[query]!({ limit: 1, metadata }))
          assert.strictEqual(tagOf(exit), "InvalidRequest", query)
        }
      }
    })
  )
})

describe("a query", () => {
  it.effect("that is malformed is an InvalidRequest", () =>
    Effect.gen(function* () {
      const { node } = yield* installNode()
      yield* create(node, "a")
      const page = { walletId: "a", limit: 1 }
      const wrongNumber = [Number.NaN, 1.5, Infinity, "1", 1n, {}]
      const wrongLimit = [...wrongNumber, 0, -1, 201]
      const wrongFilters: ReadonlyArray<readonly [field: string, values: ReadonlyArray<unknown>]> = [
        ["limit", wrongLimit],
        ["cursor", [5, {}, "?"]],
        ["ownerId", ["", 5]],
        ["currency", ["eur", 5]],
        ["from", wrongNumber],
        ["to", wrongNumber],
        ["q", wrongText],
        ["metadata", [...wrongMetadata, pairs(6), { "": "v" }]]
      ]
      const wrongAmounts: typeof wrongFilters = [
        ["walletId", ["", 5]],
        ["minAmount", [5, "5", -1n, 10n ** 30n]],
        ["maxAmount", [5, "5", -1n, 10n ** 30n]],
        ["reference", wrongText]
      ]
      const table: ReadonlyArray<
        readonly [query: string, valid: object, field: string, values: ReadonlyArray<unknown>]
      > = [
        ["getWallet", { walletId: "a" }, "walletId", wrongId],
        ["getWallet", { walletId: "a" }, "minVersion", wrongNumber],
        ["walletAt", { walletId: "a" }, "atVersion", wrongNumber],
        ["walletAt", { walletId: "a" }, "at", wrongNumber],
        ["events", { ...page, after: -1 }, "after", [...wrongNumber, -2]],
        ["events", { ...page, after: -1 }, "limit", wrongLimit],
        ["transactions", page, "limit", wrongLimit],
        ["transactions", page, "from", wrongNumber],
        ["transactions", page, "type", ["", "deposit", 5]],
        ["transactions", page, "cursor", [5, {}, "?"]],
        ["transactions", page, "minVersion", wrongNumber],
        ["holds", page, "status", ["open", 5]],
        ["transfers", page, "status", ["sent", 5]],
        ["transfers", page, "walletId", ["", 5]],
        ["searchWallets", { limit: 1 }, "minBalance", [5, "5", 10n ** 36n, 10n ** 150_000n]],
        ["searchWallets", { limit: 1 }, "maxBalance", [5, "5", -(10n ** 36n), -(10n ** 150_000n)]],
        ...searches.flatMap((query) => wrongFilters.map((row) => [query, { limit: 1 }, ...row] as const)),
        ...searches.slice(1).flatMap((query) => wrongAmounts.map((row) => [query, { limit: 1 }, ...row] as const)),
        ["searchTransactions", { limit: 1 }, "type", ["", "deposit", 5]],
        ["searchTransactions", { limit: 1 }, "transferId", ["", 5]],
        ["searchTransactions", { limit: 1 }, "holdId", ["", 5]],
        ["searchTransactions", { limit: 1 }, "idempotencyKey", ["", "a b", "x".repeat(256), 5]],
        ["searchTransfers", { limit: 1 }, "status", ["sent", 5]],
        ["searchTransfers", { limit: 1 }, "idempotencyKey", ["", "a b", "x".repeat(256), 5]],
        ["searchHolds", { limit: 1 }, "status", ["open", 5]],
        ["searchHolds", { limit: 1 }, "expiresBefore", wrongNumber],
        ["searchWallets", { limit: 1 }, "status", ["open", 5]],
        ["stats", {}, "interval", ["week", "", 5, null]],
        ["stats", {}, "from", wrongNumber],
        ["stats", {}, "to", wrongNumber],
        ["stats", {}, "ownerId", ["", 5]],
        ["stats", {}, "currency", ["eur", 5]],
        ["transaction", {}, "", [{}, "a b", 5]],
        ["getTransfer", {}, "", [{}]]
      ]
      for (const [query, valid, field, values] of table) {
        for (const value of values) {
          const exit = yield* Effect.exit(loose(node)[query]!({ ...valid, [field]: value }))
          assert.strictEqual(tagOf(exit), "InvalidRequest", `${query} ${field} ${inspect(value)}`)
        }
        assert.notStrictEqual(tagOf(yield* Effect.exit(loose(node)[query]!(undefined))), "Die", query)
      }
      for (const after of [-1n, 5, undefined]) {
        const error = yield* Effect.flip(Stream.runDrain(node.engine.feed(after as bigint)))
        assert.strictEqual(error._tag, "InvalidRequest")
      }
      assert.deepStrictEqual(node.logged, [])
    })
  )
})

describe("a defect in deciding a command", () => {
  /** A command that no rule knows, past the door; the inner effect is its answer. */
  const offerBroken = Effect.fnUntraced(function* (node: Node) {
    const told = yield* Deferred.make<unknown, unknown>()
    const refusal = node.registry.offer({
      _tag: "Envelope",
      command: { _tag: "Nonsense", walletId: "a" } as unknown as Command,
      key: "c:broken",
      fingerprint: "",
      actor: null,
      correlationId: null,
      bytes: 0,
      await: "committed",
      ifVersion: null,
      dryRun: false,
      resend: undefined,
      resume: (answer) => Deferred.doneUnsafe(told, answer),
      offeredAt: 0,
      stage: "waiting"
    })
    assert.isUndefined(refusal)
    return Deferred.await(told)
  })

  it.effect("is that command's alone: those of its batch are done, and the actor goes on", () =>
    Effect.gen(function* () {
      for (const separate of [false, true]) {
        const { installation, node } = yield* installNode({ separate })
        yield* create(node, "a")
        const gate = yield* Deferred.make<void>()
        node.log.appendFaults.push(Faults.heldUntil(gate))
        const first = yield* Effect.forkChild(credit(node, "a", 1n, "first"))
        yield* appended(node, 2)
        const before = yield* Effect.forkChild(credit(node, "a", 2n, "before"))
        yield* waiting(node, 1)
        const told = yield* offerBroken(node)
        const after = yield* Effect.forkChild(credit(node, "a", 4n, "after"))
        yield* waiting(node, 3)
        const loads = node.log.reads.length
        yield* Deferred.succeed(gate, undefined)
        const exit = yield* Effect.exit(told)
        assert.isTrue(Exit.isFailure(exit) && exit.cause.reasons.every((reason) => reason._tag === "Die"))
        for (const fiber of [first, before, after]) yield* Fiber.join(fiber)
        assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).balance, 7n)
        // Two appends: the held one, and one for all that waited. Nothing was read again.
        assert.strictEqual(node.log.appends.length, 3)
        assert.strictEqual(node.log.reads.length, loads)
        assert.strictEqual(node.logged.length, 1)
        assert.include(node.logged[0], "wallet a: a defect in deciding one command")
        yield* quiet(node)
        yield* assertConsistent(installation, node, "a")
      }
    })
  )

  it.effect("alone in its batch is told, and the next command is done", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* create(node, "a")
      const told = yield* offerBroken(node)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(told)))
      assert.strictEqual((yield* credit(node, "a", 3n, "next")).wallet.balance, 3n)
      yield* assertConsistent(installation, node, "a")
    })
  )
})
