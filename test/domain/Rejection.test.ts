import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import {
  CurrencyMismatch,
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  InsufficientFunds,
  InvalidRequest,
  KeyLimitExceeded,
  NotRefundable,
  PolicyRejected,
  RefundExceeded,
  LimitExceeded,
  type Rejection,
  SameWallet,
  TransferNotFound,
  WalletAlreadyExists,
  WalletClosed,
  WalletFrozen,
  WalletNotEmpty,
  WalletNotFound
} from "../../src/domain/Rejection.ts"
import { walletId } from "./Examples.ts"

const holdId = "hold-1"
const transferId = "transfer-1"

/** What the caller reads, as the `detail` of a problem. It names what it is about: a caller may have asked many. */
const rows: ReadonlyArray<readonly [Rejection, detail: string]> = [
  [new WalletNotFound({ walletId }), "wallet wallet-1 does not exist"],
  [
    new KeyLimitExceeded({ walletId, limit: "perDay", bound: 100n, remaining: 7n }),
    "this key may take 100 in a day from wallet wallet-1; 7 is left"
  ],
  [new WalletAlreadyExists({ walletId }), "wallet wallet-1 exists already"],
  [new WalletClosed({ walletId }), "wallet wallet-1 is closed"],
  [new WalletFrozen({ walletId, direction: "debits", until: null }), "wallet wallet-1 is frozen"],
  [
    new WalletNotEmpty({ walletId, balance: -7n, openHolds: 2, transfersInFlight: 1 }),
    "wallet wallet-1 cannot be closed: balance -7, 2 open holds, 1 transfers in flight"
  ],
  [
    new CurrencyMismatch({ walletId, expected: "EUR", actual: "CZK" }),
    "wallet wallet-1 cannot take part: EUR is expected, not CZK"
  ],
  [new SameWallet({ walletId }), "wallet wallet-1 cannot send to itself"],
  [new HoldNotFound({ walletId, holdId }), "wallet wallet-1 has no hold hold-1"],
  [new HoldClosed({ walletId, holdId }), "hold hold-1 of wallet wallet-1 is captured, released or expired"],
  [new HoldAmountExceeded({ walletId, holdId, remaining: 6n, amount: 7n }), "hold hold-1 has 6 left, 7 asked"],
  [new TransferNotFound({ transferId }), "transfer transfer-1 does not exist"],
  [
    new InsufficientFunds({ walletId, currency: "EUR", available: 10n ** 30n, required: 10n ** 30n + 1n }),
    `wallet wallet-1 has 1${"0".repeat(30)} available, 1${"0".repeat(29)}1 required`
  ],
  [
    new LimitExceeded({ walletId, limit: "stateBytes", current: 9n, size: 11n, bound: 10n }),
    "the state of holds, transfers in flight and metadata of wallet wallet-1 would be 11 bytes; its bound is 10"
  ],
  [
    new LimitExceeded({ walletId, limit: "balance", current: 9n, size: 11n, bound: 10n }),
    "the balance of wallet wallet-1 would be 11; its bound is 10"
  ],
  [new RefundExceeded({ walletId, refundable: 0n, leg: 1 }), "0 can still be refunded at wallet wallet-1"],
  [new NotRefundable({ id: "transaction-1" }), "transaction-1 cannot be refunded"],
  [
    new NotRefundable({ id: "transaction-1", transferId }),
    "transaction-1 is a part of transfer transfer-1 and is refunded through it"
  ],
  [
    new PolicyRejected({ walletId, policy: "velocity", reason: "too fast" }),
    "policy velocity of wallet wallet-1: too fast"
  ],
  [new InvalidRequest({ detail: "amount: missing" }), "amount: missing"]
]

const json = Schema.toCodecJson(
  Schema.Union([
    WalletNotFound,
    WalletAlreadyExists,
    WalletClosed,
    WalletFrozen,
    WalletNotEmpty,
    CurrencyMismatch,
    SameWallet,
    HoldNotFound,
    HoldClosed,
    HoldAmountExceeded,
    TransferNotFound,
    InsufficientFunds,
    KeyLimitExceeded,
    LimitExceeded,
    RefundExceeded,
    NotRefundable,
    PolicyRejected,
    InvalidRequest
  ])
)

describe("a malformed request", () => {
  it("tells where each of its values is", () => {
    const cases = [
      ["amount: missing", "/amount", "missing"],
      ["legs[3].amount: not: this", "/legs/3/amount", "not: this"],
      ["nothing to change", "", "nothing to change"],
      ["hold hold-1 has not expired yet", "", "hold hold-1 has not expired yet"]
    ] as const
    for (const [detail, pointer, told] of cases) {
      assert.deepStrictEqual(new InvalidRequest({ detail }).errors, [{ pointer, detail: told }])
    }
  })
})

describe("missing funds", () => {
  it("are told as what is short", () => {
    const error = new InsufficientFunds({ walletId, currency: "EUR", available: -5n, required: 7n })
    assert.strictEqual(error.shortage, 12n)
  })
})

describe("a rejection", () => {
  it("says what it is about", () => {
    for (const [rejection, detail] of rows) assert.strictEqual(rejection.message, detail)
  })

  it("has a name of its own", () => {
    assert.strictEqual(new Set(rows.map(([rejection]) => rejection._tag)).size, 18)
  })

  it("crosses a wire whole: tag, details, text", () => {
    for (const [rejection, detail] of rows) {
      const { _tag, message: _, ...details } = rejection
      const sent = JSON.stringify(Schema.encodeSync(json)(rejection))
      const arrived = Schema.decodeUnknownSync(json)(JSON.parse(sent))
      assert.strictEqual(Object.getPrototypeOf(arrived), Object.getPrototypeOf(rejection))
      assert.deepInclude<object>(arrived, { _tag, ...details })
      assert.strictEqual(arrived.message, detail)
    }
  })
})
