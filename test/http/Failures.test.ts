/** What the engine fails with, as a caller sees it: an engine that fails on purpose stands in. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  IdempotencyKeyReused,
  MailboxFull,
  OutcomeUnknown,
  PolicyDefect,
  VersionMismatch
} from "../../src/actors/EngineError.ts"
import * as Rejection from "../../src/domain/Rejection.ts"
import type { CommandError } from "../../src/actors/EngineError.ts"
import { type Await, type Durability, type MovementInput, WalletEngine } from "../../src/engine/WalletEngine.ts"
import { EventUnreadable, OperationRefused, StoreDefect, StoreUnavailable } from "../../src/stores/StoreError.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const walletId = "w"
const holdId = "h"

// Columns: the error, status and code of the answer, Retry-After in seconds.
const table: ReadonlyArray<readonly [CommandError, number, string, string | null]> = [
  [new Rejection.WalletNotFound({ walletId }), 404, "WalletNotFound", null],
  [new Rejection.WalletAlreadyExists({ walletId }), 409, "WalletAlreadyExists", null],
  [new Rejection.WalletClosed({ walletId }), 422, "WalletClosed", null],
  [new Rejection.WalletFrozen({ walletId, direction: "debits", until: null }), 422, "WalletFrozen", null],
  [
    new Rejection.WalletNotEmpty({ walletId, balance: 1n, openHolds: 0, transfersInFlight: 0 }),
    422, "WalletNotEmpty", null
  ], // prettier-ignore
  [new Rejection.CurrencyMismatch({ walletId, expected: "EUR", actual: "USD" }), 422, "CurrencyMismatch", null],
  [new Rejection.SameWallet({ walletId }), 422, "SameWallet", null],
  [new Rejection.HoldNotFound({ walletId, holdId }), 404, "HoldNotFound", null],
  [new Rejection.HoldClosed({ walletId, holdId }), 422, "HoldClosed", null],
  [new Rejection.HoldAmountExceeded({ walletId, holdId, remaining: 1n, amount: 2n }), 422, "HoldAmountExceeded", null],
  [new Rejection.TransferNotFound({ transferId: "t" }), 404, "TransferNotFound", null],
  [
    new Rejection.InsufficientFunds({ walletId, currency: "EUR", available: 1n, required: 2n }),
    422,
    "InsufficientFunds",
    null
  ],
  [
    new Rejection.LimitExceeded({ walletId, limit: "stateBytes", current: 9n, size: 11n, bound: 10n }),
    422,
    "LimitExceeded",
    null
  ],
  [new Rejection.RefundExceeded({ walletId, refundable: 3n }), 422, "RefundExceeded", null],
  [new Rejection.NotRefundable({ id: "i", transferId: "t" }), 422, "NotRefundable", null],
  [
    new Rejection.PolicyRejected({ walletId, policy: "velocity", reason: "too fast", leg: 2 }),
    422, "PolicyRejected", null
  ], // prettier-ignore
  [new PolicyDefect({ walletId, policy: "velocity" }), 500, "PolicyDefect", null],
  [new VersionMismatch({ walletId, version: 7 }), 412, "VersionMismatch", null],
  [new Rejection.InvalidRequest({ detail: "no" }), 400, "InvalidRequest", null],
  [new IdempotencyKeyReused({ walletId, key: "k" }), 422, "IdempotencyKeyReused", null],
  [new MailboxFull({ walletId, retryAfter: 1 }), 429, "MailboxFull", "1"],
  [new OutcomeUnknown({ walletId, retryAfter: 1_001 }), 503, "OutcomeUnknown", "2"],
  [new OperationRefused({ reason: "limit of the bank" }), 422, "OperationRefused", null],
  [new StoreUnavailable({ store: "log", reason: "10.0.0.1:5432", retryAfter: 5_000 }), 503, "StoreUnavailable", "5"],
  [new StoreDefect({ store: "log", reason: "secret table" }), 500, "InternalError", null],
  [new EventUnreadable({ walletId, version: 1, type: "T", reason: "secret" }), 500, "InternalError", null]
]

/** What the problem of an error says beside what all say. */
const told: Readonly<Record<string, object>> = {
  WalletNotFound: { walletId },
  WalletAlreadyExists: { walletId },
  WalletClosed: { walletId },
  SameWallet: { walletId },
  WalletFrozen: { walletId, direction: "debits", until: null },
  WalletNotEmpty: { walletId, balance: "1", openHolds: 0, transfersInFlight: 0 },
  CurrencyMismatch: { walletId, expected: "EUR", actual: "USD" },
  HoldNotFound: { walletId, holdId },
  HoldClosed: { walletId, holdId },
  HoldAmountExceeded: { walletId, holdId, remaining: "1", amount: "2" },
  TransferNotFound: { transferId: "t" },
  InsufficientFunds: { walletId, currency: "EUR", available: "1", required: "2", shortage: "1" },
  LimitExceeded: { walletId, limit: "stateBytes", bound: "10", current: "9", size: "11" },
  RefundExceeded: { walletId, refundable: "3" },
  NotRefundable: { id: "i", transferId: "t" },
  PolicyRejected: { walletId, policy: "velocity", reason: "too fast", leg: 2 },
  PolicyDefect: { walletId, policy: "velocity" },
  IdempotencyKeyReused: { walletId },
  MailboxFull: { walletId },
  OutcomeUnknown: { walletId },
  StoreUnavailable: { store: "log" },
  OperationRefused: { reason: "limit of the bank" },
  VersionMismatch: { walletId, version: 7 },
  InvalidRequest: { errors: [{ pointer: "", detail: "no" }] }
}

/** The reference of a credit says what is to happen. */
const failing = Layer.effect(
  WalletEngine,
  Effect.map(WalletEngine, (engine) => ({
    ...engine,
    credit: ((input: MovementInput) => {
      const [, kind, value = ""] = /^(\w*):?(.*)$/.exec(input.reference ?? "") ?? []
      if (kind === "fail") return Effect.fail((table[Number(value)] ?? table[0])?.[0] as CommandError)
      if (kind === "die") return Effect.die(new Error("secret defect"))
      if (kind === "throw") throw new Error("secret throw")
      return Effect.map(engine.credit(input), (answer) => ({
        ...answer,
        durability: JSON.parse(value || "null") ?? answer.durability
      }))
    }) as WalletEngine["Service"]["credit"]
  }))
).pipe(Layer.provide(WalletEngine.layerMemory))

const credit = Effect.fnUntraced(function* (key: string, reference: string, query = "") {
  const { call } = yield* TestServer
  return yield* call("POST", `/v1/wallets/w/credit${query}`, { key, body: { amount: "1", reference } })
})

layer(Server.layerWith(failing), { excludeTestServices: true })("a failure of the engine", (it) => {
  it.effect("has the status, the code and the Retry-After of its row", () =>
    Effect.gen(function* () {
      for (const [i, [error, status, code, retryAfter]] of table.entries()) {
        const reply = yield* credit(`f${i}`, `fail:${i}`)
        assert.deepInclude(reply.json, { status, code }, error._tag)
        assert.strictEqual(reply.status, status, error._tag)
        assert.strictEqual(reply.headers.get("retry-after"), retryAfter, error._tag)
        assert.notMatch(reply.text, /secret|10\.0\.0\.1/)
        const { code: _, detail, requestId, retryable, status: __, title, type, ...members } = reply.json
        for (const text of [detail, requestId, title, type]) assert.isString(text, error._tag)
        assert.strictEqual(retryable, retryAfter !== null, error._tag)
        assert.deepStrictEqual(members, told[error._tag] ?? {}, error._tag)
      }
    })
  )

  it.effect("that is a defect shows nothing of itself", () =>
    Effect.gen(function* () {
      for (const reference of ["die:", "throw:"]) {
        const reply = yield* credit(reference, reference)
        assert.deepInclude(reply.json, { status: 500, code: "InternalError" })
        assert.strictEqual(reply.headers.get("content-type"), "application/problem+json")
        assert.notInclude(reply.text, "secret")
      }
    })
  )

  it.effect("of one command of a batch is that command's alone", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      yield* call("POST", "/v1/wallets", { key: "w", body: { id: "w", ownerId: "o", currency: "EUR" } })
      const item = (i: number, reference: string) =>
        ({ type: "credit", walletId: "w", idempotencyKey: `b${i}`, amount: "1", reference }) // prettier-ignore
      const commands = ["", "die:", "throw:", "fail:20", ""].map((reference, i) => item(i, reference))
      const reply = yield* call("POST", "/v1/batch", { body: { commands } })
      assert.deepStrictEqual(
        reply.json.results.map((result: { status: number }) => result.status),
        [201, 500, 500, 429, 201]
      )
      assert.notInclude(reply.text, "secret")
    })
  )

  it.effect("to become as durable as asked for is a 202", () =>
    Effect.gen(function* () {
      const levels = ["committed", "persisted", "indexed"] as const
      for (const [reached] of levels.entries()) {
        const durability = Object.fromEntries(levels.map((level, i) => [level, i <= reached])) as unknown as Durability
        for (const wanted of [undefined, ...levels] as ReadonlyArray<Await | undefined>) {
          const query = wanted === undefined ? "" : `?await=${wanted}`
          const reply = yield* credit(`${reached}${wanted}`, `ok:${JSON.stringify(durability)}`, query)
          assert.deepStrictEqual(reply.json.durability, durability)
          const enough = durability[wanted ?? "persisted"]
          assert.strictEqual(reply.status, enough ? 201 : 202, `${reached} ${wanted}`)
        }
      }
    })
  )
})
