import { readdirSync, readFileSync } from "node:fs"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as FastCheck from "fast-check"
import { assert, describe, it } from "vitest"
import type { CommandError } from "../../src/actors/EngineError.ts"
import * as EngineErrors from "../../src/actors/EngineError.ts"
import {
  type Answer,
  type BatchReply,
  decodeBatch,
  decodeCurrentReply,
  decodeCurrentRequest,
  decodeReply,
  encodeBatch,
  encodeCurrentReply,
  encodeCurrentRequest,
  encodeReply,
  type WalletCallsOf
} from "../../src/cluster/CallCodec.ts"
import * as CallSchema from "../../src/cluster/CallSchema.ts"
import { readBatch, readReply } from "../../src/cluster/FastCallReader.ts"
import { fold } from "../../src/domain/Evolve.ts"
import * as Rejections from "../../src/domain/Rejection.ts"
import { encodeWallet } from "../../src/domain/WalletCodec.ts"
import type { WalletCall } from "../../src/engine/WalletCalls.ts"
import * as StoreErrors from "../../src/stores/StoreError.ts"
import { command, event, record, walletId } from "../domain/Examples.ts"
import { live, lives } from "../domain/Lives.ts"

const folder = new URL("golden/", import.meta.url)

const call = (given: Partial<WalletCall> = {}): WalletCall => ({
  command: command("Credit", { amount: 12n }),
  key: "c:key-1",
  actor: "shop",
  correlationId: "request-1",
  await: "persisted",
  ifVersion: null,
  dryRun: false,
  bytes: 256,
  ...given
})

const batch: ReadonlyArray<WalletCallsOf> = [
  {
    walletId,
    after: null,
    calls: [
      { call: call(), waitedMillis: 0, again: false },
      {
        call: call({
          command: command("ReceiveTransfer"),
          key: "e:transfer-9",
          actor: null,
          correlationId: null,
          await: "committed"
        }),
        waitedMillis: 1_234,
        again: true
      }
    ]
  },
  {
    walletId: "wallet-2",
    after: 7,
    calls: [
      { call: call({ command: { ...command("Unfreeze"), walletId: "wallet-2" } }), waitedMillis: 5, again: false }
    ]
  }
]

const opened = record(0, event("WalletCreated"), 1)
const first = record(1, event("WalletCredited", { amount: 10n, balanceAfter: 10n }), 2)
const second = record(2, event("WalletCredited", { amount: 5n, balanceAfter: 15n }), 3)
const [created, richer, richest] = [
  fold(undefined, [opened])!,
  fold(undefined, [opened, first])!,
  fold(undefined, [opened, first, second])!
]

const done = (
  before: typeof created | undefined,
  wallet: typeof created,
  events: ReadonlyArray<typeof first>,
  replayed = false
) => ({ _tag: "Done", before, wallet, events, replayed, persisted: true }) satisfies Answer

const reply: BatchReply = {
  node: "node-1",
  token: "node-1 17",
  epochs: [3, null],
  answers: [
    done(created, richer, [first]),
    done(richer, richest, [second]),
    done(richest, richest, [], true),
    { _tag: "Seen", version: 1, current: richest, profileVersion: 0, persisted: false },
    { _tag: "Failed", error: new Rejections.WalletFrozen({ walletId, direction: "debits", until: null }) },
    { _tag: "NotOwner" },
    { _tag: "Pending" },
    { _tag: "Defect", reason: "a word for the log" }
  ]
}

/** What goes over the wire in each direction; nodes of two releases read one another's. */
const golden: { readonly [name: string]: string } = {
  Batch: encodeBatch(batch),
  Reply: encodeReply(reply),
  "Reply.nothing": encodeReply({ node: "node-1", token: null, epochs: [], answers: [] }),
  "Reply.placed": encodeReply({ ...reply, url: "https://node-1.test", answers: [] }),
  "Reply.completed": encodeReply({
    ...reply,
    answers: [
      {
        ...done(created, richer, [first]),
        completion: { updatedAt: 1_767_225_600_000, transactions: [{ sent: "e-1", received: "e-2" }] }
      }
    ]
  }),
  Question: encodeCurrentRequest({ walletId, minVersion: -1 }),
  Current: encodeCurrentReply({ _tag: "Current", wallet: richest }),
  "Current.placed": encodeCurrentReply({ _tag: "Current", wallet: null, url: "https://node-1.test" }),
  "Current.nothing": encodeCurrentReply({ _tag: "Current", wallet: null }),
  "Current.failed": encodeCurrentReply({
    _tag: "Failed",
    error: new Rejections.WalletFrozen({ walletId, direction: "debits", until: null })
  }),
  "Current.elsewhere": encodeCurrentReply({ _tag: "NotOwner" })
}

const plain = (answer: Answer): unknown => {
  if (answer._tag === "Done") {
    const { before, wallet, ...rest } = answer
    return { ...rest, before: before && encodeWallet(before), wallet: encodeWallet(wallet) }
  }
  return answer._tag === "Seen" ? { ...answer, current: encodeWallet(answer.current) } : answer
}

describe("calls and answers between nodes", () => {
  it("have a golden text each, and no text is without its call", () => {
    assert.deepStrictEqual(
      readdirSync(folder).sort(),
      Object.keys(golden)
        .map((name) => `${name}.json`)
        .sort()
    )
    for (const [name, text] of Object.entries(golden)) {
      assert.strictEqual(`${text}\n`, readFileSync(new URL(`${name}.json`, folder), "utf8"), name)
    }
  })

  it("are read back as they were", () => {
    assert.deepStrictEqual(Result.getOrThrow(decodeBatch(golden["Batch"]!)), batch)
    const read = Result.getOrThrow(decodeReply(golden["Reply"]!))
    assert.deepStrictEqual(
      { ...read, answers: read.answers.map(plain) },
      { ...reply, answers: reply.answers.map(plain) }
    )
    assert.deepStrictEqual(decodeCurrentRequest(golden["Question"]!), { walletId, minVersion: -1 })
    const current = Result.getOrThrow(decodeCurrentReply(golden["Current"]!))
    assert.deepStrictEqual(current._tag === "Current" && encodeWallet(current.wallet!), encodeWallet(richest))
    assert.deepStrictEqual(Result.getOrThrow(decodeCurrentReply(golden["Current.nothing"]!)), {
      _tag: "Current",
      wallet: null
    })
    assert.deepStrictEqual(Result.getOrThrow(decodeCurrentReply(golden["Current.elsewhere"]!)), { _tag: "NotOwner" })
    assert.deepStrictEqual(Result.getOrThrow(decodeCurrentReply(golden["Current.placed"]!)), {
      _tag: "Current",
      wallet: null,
      url: "https://node-1.test"
    })
  })

  it("write a state that several answers share once, and no state that follows from another", () => {
    const { states } = JSON.parse(golden["Reply"]!) as { readonly states: ReadonlyArray<unknown> }
    assert.strictEqual(states.length, 1)
  })
})

/** One of each kind, with values in all its fields. */
const errors: ReadonlyArray<CommandError> = [
  new Rejections.WalletNotFound({ walletId }),
  new Rejections.WalletAlreadyExists({ walletId }),
  new Rejections.WalletClosed({ walletId }),
  new Rejections.WalletFrozen({ walletId, direction: "debits", until: null }),
  new Rejections.WalletNotEmpty({ walletId, balance: 10n ** 30n, openHolds: 2, transfersInFlight: 1 }),
  new Rejections.CurrencyMismatch({ walletId, expected: "EUR", actual: "USD" }),
  new Rejections.SameWallet({ walletId }),
  new Rejections.HoldNotFound({ walletId, holdId: "h" }),
  new Rejections.HoldClosed({ walletId, holdId: "h" }),
  new Rejections.HoldAmountExceeded({ walletId, holdId: "h", remaining: 1n, amount: 2n }),
  new Rejections.TransferNotFound({ transferId: "t" }),
  new Rejections.InsufficientFunds({ walletId, currency: "EUR", available: -1n, required: 10n ** 35n }),
  new Rejections.LimitExceeded({ walletId, limit: "stateBytes", current: 9n, size: 11n, bound: 10n }),
  new Rejections.InvalidRequest({ detail: "a word" }),
  new Rejections.InvalidRequest({
    detail: "a: b",
    errors: [
      { pointer: "/a", detail: "b" },
      { pointer: "/c", detail: "d" }
    ]
  }),
  new Rejections.InsufficientFunds({ walletId, currency: "EUR", available: 0n, required: 1n, leg: 7 }),
  new Rejections.RefundExceeded({ walletId, refundable: 0n, leg: 0 }),
  new Rejections.NotRefundable({ id: "t", transferId: "t_1" }),
  new Rejections.NotRefundable({ id: "t" }),
  new Rejections.PolicyRejected({ walletId, policy: "velocity", reason: "too fast" }),
  new EngineErrors.PolicyDefect({ walletId, policy: "velocity" }),
  new EngineErrors.VersionMismatch({ walletId, version: 7 }),
  new EngineErrors.IdempotencyKeyReused({ walletId, key: "k" }),
  new EngineErrors.MailboxFull({ walletId, retryAfter: 1_000 }),
  new EngineErrors.OutcomeUnknown({ walletId, retryAfter: 1_000 }),
  new EngineErrors.OperationReversed({ walletId, reason: "a rule", replayed: true }),
  new StoreErrors.OperationRefused({ reason: "a rule" }),
  new StoreErrors.StoreUnavailable({ store: "persistence", reason: "away", retryAfter: 5 }),
  new StoreErrors.StoreDefect({ store: "log", reason: "damaged" }),
  new StoreErrors.EventUnreadable({ walletId, version: 3, type: "X", reason: "unknown", position: 10n ** 18n })
]

const wayOfCall = FastCheck.record({
  key: FastCheck.constantFrom("c:" as const, "e:" as const).chain((kind) =>
    FastCheck.string().map((key): WalletCall["key"] => `${kind}${key}`)
  ),
  actor: FastCheck.option(FastCheck.string()),
  correlationId: FastCheck.option(FastCheck.string()),
  await: FastCheck.constantFrom("committed" as const, "persisted" as const, "indexed" as const),
  ifVersion: FastCheck.option(FastCheck.nat()),
  dryRun: FastCheck.boolean(),
  bytes: FastCheck.nat(),
  waitedMillis: FastCheck.nat(),
  again: FastCheck.boolean()
})

/** The steps of one life as calls, but for what no caller can ask. */
const batches = FastCheck.record({
  steps: lives,
  ways: FastCheck.array(wayOfCall, { minLength: 1, maxLength: 5 }),
  after: FastCheck.option(FastCheck.nat())
}).map(({ after, steps, ways }): ReadonlyArray<WalletCallsOf> => {
  const commands = steps.flatMap(({ command }) =>
    typeof command === "string" || command._tag === "ReverseOperation" ? [] : [command]
  )
  const calls = commands.map((given, index) => {
    const { again, waitedMillis, ...way } = ways[index % ways.length]!
    return { call: { command: given, ...way }, waitedMillis, again }
  })
  return [{ walletId, after, calls }]
})

const outcomes: FastCheck.Arbitrary<Answer> = FastCheck.oneof(
  FastCheck.constantFrom(...errors).map((error) => ({ _tag: "Failed" as const, error })),
  FastCheck.constantFrom<Answer>({ _tag: "NotOwner" }, { _tag: "Pending" }),
  FastCheck.string().map((reason) => ({ _tag: "Defect" as const, reason }))
)

/** What an owner answers to the events of one life. */
const replies = FastCheck.record({
  steps: lives,
  others: FastCheck.array(outcomes, { maxLength: 4 }),
  token: FastCheck.option(FastCheck.string()),
  epochs: FastCheck.array(FastCheck.option(FastCheck.nat())),
  persisted: FastCheck.boolean(),
  url: FastCheck.option(FastCheck.webUrl())
}).map(({ epochs, others, persisted, steps, token, url }): BatchReply => {
  const { log, states } = live(steps)
  const answers = log.map((recorded, index): Answer => ({
    _tag: "Done",
    before: states[index - 1],
    wallet: states[index]!,
    events: [recorded],
    replayed: !persisted,
    persisted,
    ...(index % 3 === 2 ? { completion: { updatedAt: index, transactions: [{ sent: "s", received: "ř" }] } } : {})
  }))
  const seen: Answer = { _tag: "Seen", version: 0, current: states.at(-1)!, profileVersion: 0, persisted }
  const place = url === null ? {} : { url }
  return { node: "node-1", ...place, token, epochs, answers: [...answers, ...others, seen] }
})

/** What is written without the schemas, read and written by them. */
const rewritten = <S extends Schema.Codec<unknown, unknown>>(schema: S, text: string): string => {
  const json = Schema.fromJsonString(schema)
  return Schema.encodeSync(json)(Schema.decodeSync(json)(text))
}

describe("what is written without the schemas", () => {
  it("is what they write: a batch", () => {
    FastCheck.assert(
      FastCheck.property(batches, (given) => {
        const text = encodeBatch(given)
        assert.strictEqual(rewritten(CallSchema.Batch, text), text)
        assert.deepStrictEqual(Result.getOrThrow(decodeBatch(text)), given)
      })
    )
  })

  it("is what they write: a reply", () => {
    FastCheck.assert(
      FastCheck.property(replies, (given) => {
        const text = encodeReply(given)
        assert.strictEqual(rewritten(CallSchema.Reply, text), text)
        const read = Result.getOrThrow(decodeReply(text))
        assert.deepStrictEqual(
          { ...read, answers: read.answers.map(plain) },
          { ...given, answers: given.answers.map(plain) }
        )
      })
    )
  })

  it("is what they write: a read and its reply", () => {
    const request = golden["Question"]!
    assert.strictEqual(rewritten(CallSchema.CurrentRequest, request), request)
    for (const name of ["Current", "Current.nothing", "Current.failed", "Current.elsewhere"]) {
      const text = golden[name]!
      assert.strictEqual(rewritten(CallSchema.CurrentReply, text), text, name)
    }
  })
})

/** Anything in the place of one value of a JSON text, wherever it is. */
const mutations = FastCheck.record({
  place: FastCheck.array(FastCheck.nat(20), { minLength: 1, maxLength: 8 }),
  value: FastCheck.oneof(
    FastCheck.jsonValue(),
    FastCheck.constantFrom(null, true, -1, 7, 1.5, "7", "c:key", "Done", "NotOwner", {}, [])
  )
})

const mutated = (text: string, { place, value }: { place: ReadonlyArray<number>; value: unknown }): unknown => {
  const whole: unknown = JSON.parse(text)
  let at = whole as Record<string, unknown>
  for (const [depth, step] of place.entries()) {
    const names = Object.keys(at)
    const name = names[step % names.length]
    if (name === undefined) return whole
    const inner = at[name]
    if (depth === place.length - 1 || typeof inner !== "object" || inner === null) {
      at[name] = value
      return whole
    }
    at = inner as Record<string, unknown>
  }
  return whole
}

describe("the fast readers", () => {
  const agree = <S extends Schema.Codec<unknown, unknown>>(
    schema: S,
    fast: (json: unknown) => S["Type"] | undefined,
    given: FastCheck.Arbitrary<string>
  ) => {
    const decode = Schema.decodeUnknownResult(schema)
    FastCheck.assert(
      FastCheck.property(given, FastCheck.option(mutations), (text, mutation) => {
        const json: unknown = mutation === null ? JSON.parse(text) : mutated(text, mutation)
        const read = fast(json)
        if (read !== undefined) assert.deepStrictEqual(read, Result.getOrThrow(decode(json)))
        else assert.isNotNull(mutation, "what is written is read")
      })
    )
  }

  it("read a batch as its schema does, and nothing that it refuses", () => {
    agree(CallSchema.Batch, readBatch, batches.map(encodeBatch))
  })

  it("read a reply as its schema does, and nothing that it refuses", () => {
    agree(CallSchema.Reply, readReply, replies.map(encodeReply))
  })
})

type Path = ReadonlyArray<string | number>

/** A copy of a text with another value in one place; `undefined` takes it away. */
const damaged = (text: string, path: Path, value: unknown): string => {
  const whole: unknown = JSON.parse(text)
  let place = whole as Record<string | number, unknown>
  for (const step of path.slice(0, -1)) place = place[step] as typeof place
  assert.isTrue(String(path.at(-1)) in place, "there is something to damage")
  place[path.at(-1)!] = value
  return JSON.stringify(whole)
}

type Damage = readonly [name: string, path: Path, value: unknown]

const call0 = ["wallets", 0, "calls", 0] as const

const batchDamages: ReadonlyArray<Damage> = [
  ["of another form", ["form"], 3],
  ["of no form", ["form"], undefined],
  ["without wallets", ["wallets"], {}],
  ["with a wallet that is no object", ["wallets", 0], 1],
  ["with a call on another wallet", [...call0, "command", "walletId"], "other"],
  ["with an unknown command", [...call0, "command", "type"], "__proto__"],
  ["with the owner's own reversal", [...call0, "command"], { type: "ReverseOperation", walletId }],
  ["with a key of no kind", [...call0, "key"], "key"],
  ["with a number for a key", [...call0, "key"], 1],
  ["with an object for an actor", [...call0, "actor"], {}],
  ["with an unknown wait", [...call0, "await"], "forever"],
  ["with a size below zero", [...call0, "bytes"], -1],
  ["with a time that is none", [...call0, "waitedMillis"], null],
  ["with an epoch that is a text", ["wallets", 1, "after"], "7"],
  ["with an epoch that is a fraction", ["wallets", 1, "after"], 7.5]
]

const replyDamages: ReadonlyArray<Damage> = [
  ["of another form", ["form"], 2],
  ["without a node", ["node"], undefined],
  ["with a token that is a number", ["token"], 1],
  ["with an epoch that is a text", ["epochs", 0], "3"],
  ["without states", ["states"], undefined],
  ["with a state that is unreadable", ["states", 0, "wallet", "balance"], 5],
  ["with a state without a number", ["states", 0, "number"], undefined],
  ["with an answer of an unknown kind", ["answers", 0, "type"], "Perhaps"],
  ["with an answer whose state is missing", ["answers", 0, "before"], 99],
  ["with events that do not continue their state", ["answers", 0, "events", 0, "version"], 5],
  ["with an event that is unreadable", ["answers", 0, "events", 0, "data", "amount"], 10],
  ["with an error that is unknown", ["answers", 4, "error", "_tag"], "Whatever"],
  ["that says neither persisted nor not", ["answers", 0, "persisted"], "yes"],
  ["with a version that is a text", ["answers", 3, "version"], "1"]
]

describe("a text that is damaged, or of another release", () => {
  it.each(batchDamages)("is refused whole: a batch %s", (_, path, value) => {
    assert.isTrue(Result.isFailure(decodeBatch(damaged(golden["Batch"]!, path, value))))
  })

  it.each(replyDamages)("is refused whole: a reply %s", (_, path, value) => {
    assert.isTrue(Result.isFailure(decodeReply(damaged(golden["Reply"]!, path, value))))
  })

  it("is refused wherever it is cut off, and whatever it is instead", () => {
    for (const text of Object.values(golden)) {
      for (let length = 0; length < text.length; length += 7) {
        const part = text.slice(0, length)
        assert.isTrue(Result.isFailure(decodeBatch(part)))
        assert.isTrue(Result.isFailure(decodeReply(part)))
        assert.isTrue(Result.isFailure(decodeCurrentReply(part)))
        assert.isUndefined(decodeCurrentRequest(part))
      }
    }
    for (const text of [
      "",
      "null",
      "[]",
      "7",
      '"text"',
      "{}",
      '{"form":1}',
      '{"__proto__":{"form":1}}',
      "[".repeat(1e5)
    ]) {
      assert.isTrue(Result.isFailure(decodeBatch(text)), text.slice(0, 20))
      assert.isTrue(Result.isFailure(decodeReply(text)), text.slice(0, 20))
      assert.isTrue(Result.isFailure(decodeCurrentReply(text)), text.slice(0, 20))
      assert.isUndefined(decodeCurrentRequest(text))
    }
  })
})

describe("what a command failed with", () => {
  it.each(errors.map((error) => [error._tag, error] as const))("travels with all that it says: %s", (_, error) => {
    const read = CallSchema.decodeError(JSON.parse(JSON.stringify(CallSchema.encodeError(error))))
    assert.deepStrictEqual(read, error)
    assert.strictEqual(read?.message, error.message)
    assert.strictEqual(Object.getPrototypeOf(read), Object.getPrototypeOf(error))
  })

  it("is unreadable when it is damaged", () => {
    for (const value of [null, 1, "WalletFrozen", {}, { _tag: "WalletFrozen" }, { _tag: "toString" }, []]) {
      assert.isUndefined(CallSchema.decodeError(value))
    }
  })
})
