import { readdirSync, readFileSync } from "node:fs"
import * as Result from "effect/Result"
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
import { decodeError, encodeError } from "../../src/cluster/ErrorCodec.ts"
import { fold } from "../../src/domain/Evolve.ts"
import * as Rejections from "../../src/domain/Rejection.ts"
import { encodeWallet } from "../../src/domain/WalletCodec.ts"
import type { WalletCall } from "../../src/engine/WalletCalls.ts"
import * as StoreErrors from "../../src/stores/StoreError.ts"
import { command, event, record, walletId } from "../domain/Examples.ts"

const folder = new URL("golden/", import.meta.url)

const call = (given: Partial<WalletCall> = {}): WalletCall => ({
  command: command("Credit", { amount: 12n }),
  key: "c:key-1",
  actor: "shop",
  correlationId: "request-1",
  await: "persisted",
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
    { _tag: "Failed", error: new Rejections.WalletFrozen({ walletId }) },
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
  Question: encodeCurrentRequest({ walletId, minVersion: -1 }),
  Current: encodeCurrentReply({ _tag: "Current", wallet: richest }),
  "Current.nothing": encodeCurrentReply({ _tag: "Current", wallet: null }),
  "Current.failed": encodeCurrentReply({ _tag: "Failed", error: new Rejections.WalletFrozen({ walletId }) }),
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
  })

  it("write a state that several answers share once, and no state that follows from another", () => {
    const { states } = JSON.parse(golden["Reply"]!) as { readonly states: ReadonlyArray<unknown> }
    assert.strictEqual(states.length, 1)
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
  ["of another form", ["form"], 2],
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

/** One of each kind, with values in all its fields. */
const errors: ReadonlyArray<CommandError> = [
  new Rejections.WalletNotFound({ walletId }),
  new Rejections.WalletAlreadyExists({ walletId }),
  new Rejections.WalletClosed({ walletId }),
  new Rejections.WalletFrozen({ walletId }),
  new Rejections.WalletNotEmpty({ walletId, balance: 10n ** 30n, openHolds: 2, transfersInFlight: 1 }),
  new Rejections.CurrencyMismatch({ walletId, currency: "EUR", given: "USD" }),
  new Rejections.SameWallet({ walletId }),
  new Rejections.HoldNotFound({ walletId, holdId: "h" }),
  new Rejections.HoldClosed({ walletId, holdId: "h" }),
  new Rejections.HoldAmountExceeded({ walletId, holdId: "h", remaining: 1n, amount: 2n }),
  new Rejections.TransferNotFound({ transferId: "t" }),
  new Rejections.InsufficientFunds({ walletId, available: -1n, required: 10n ** 35n }),
  new Rejections.LimitExceeded({ walletId, limit: "openHolds" }),
  new Rejections.InvalidRequest({ detail: "a word" }),
  new EngineErrors.IdempotencyKeyReused({ walletId, key: "k" }),
  new EngineErrors.MailboxFull({ walletId, retryAfter: 1_000 }),
  new EngineErrors.OutcomeUnknown({ walletId, retryAfter: 1_000 }),
  new EngineErrors.OperationReversed({ walletId, reason: "a rule", replayed: true }),
  new StoreErrors.OperationRefused({ reason: "a rule" }),
  new StoreErrors.StoreUnavailable({ store: "persistence", reason: "away", retryAfter: 5 }),
  new StoreErrors.StoreDefect({ store: "log", reason: "damaged" }),
  new StoreErrors.EventUnreadable({ walletId, version: 3, type: "X", reason: "unknown", position: 10n ** 18n })
]

describe("what a command failed with", () => {
  it.each(errors.map((error) => [error._tag, error] as const))("travels with all that it says: %s", (_, error) => {
    const read = decodeError(JSON.parse(JSON.stringify(encodeError(error))))
    assert.deepStrictEqual(read, error)
    assert.strictEqual(read?.message, error.message)
    assert.strictEqual(Object.getPrototypeOf(read), Object.getPrototypeOf(error))
  })

  it("is unreadable when it is damaged", () => {
    for (const value of [null, 1, "WalletFrozen", {}, { _tag: "WalletFrozen" }, { _tag: "toString" }, []]) {
      assert.isUndefined(decodeError(value))
    }
  })
})
