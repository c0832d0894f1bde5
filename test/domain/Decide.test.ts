import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import type { Command } from "../../src/domain/Command.ts"
import { decide, type DecideContext, defaultLimits } from "../../src/domain/Decide.ts"
import type { WalletEvent } from "../../src/domain/Event.ts"
import { closed, command, created, event, frozen, funded, holding, record, sending, walletOf } from "./Examples.ts"

const nothing: ReadonlyArray<WalletEvent> = []
const full: Partial<DecideContext> = { limits: { stateBytes: 1_000 } }
const reversal = (version: number, undone: WalletEvent, before: ReadonlyArray<WalletEvent>): Command =>
  command("ReverseOperation", { operation: record(version, undone), before: walletOf(before) })

/** All that can be wrong with a text, a number of pairs, an amount: `Form.test.ts`. Here: that it is asked at all. */
const tooLong = "x".repeat(256)
const tooMuch = 10n ** 30n
const tooMany = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`k${index}`, ""]))

type Row = readonly [given: ReadonlyArray<WalletEvent>, when: Command, context: Partial<DecideContext>, outcome: string]

const bad = "InvalidRequest"

// One row per case. Where a command breaks several rules, the outcome is the first of the precedence.
const rows: { readonly [group: string]: ReadonlyArray<Row> } = {
  CreateWallet: [
    [nothing, command("CreateWallet"), {}, "WalletCreated"],
    [[created], command("CreateWallet"), {}, "WalletAlreadyExists"],
    [closed, command("CreateWallet"), {}, "WalletAlreadyExists"],
    [[created], command("CreateWallet", { currency: "e" }), {}, "WalletAlreadyExists"],
    [nothing, command("CreateWallet", { walletId: "no blank" }), {}, bad],
    [nothing, command("CreateWallet", { ownerId: "" }), {}, bad],
    [nothing, command("CreateWallet", { currency: "eur" }), {}, bad],
    [nothing, command("CreateWallet", { overdraftLimit: -1n }), {}, bad],
    [nothing, command("CreateWallet", { overdraftLimit: tooMuch }), {}, bad],
    [nothing, command("CreateWallet", { overdraftLimit: tooMuch - 1n }), {}, "WalletCreated"],
    [nothing, command("CreateWallet", { metadata: tooMany }), {}, bad]
  ],
  Credit: [
    [nothing, command("Credit"), {}, "WalletNotFound"],
    [nothing, command("Credit", { amount: 0n }), {}, "WalletNotFound"],
    [closed, command("Credit", { amount: 0n }), {}, "WalletClosed"],
    [funded, command("Credit"), {}, "WalletCredited"],
    [frozen(funded), command("Credit"), {}, "WalletCredited"],
    [funded, command("Credit", { amount: 0n }), {}, bad],
    [funded, command("Credit", { amount: -1n }), {}, bad],
    [funded, command("Credit", { amount: tooMuch }), {}, bad],
    [funded, command("Credit", { amount: tooMuch - 1n }), {}, "WalletCredited"],
    [funded, command("Credit", { reference: tooLong }), {}, bad],
    [funded, command("Credit", { metadata: tooMany }), {}, bad]
  ],
  Debit: [
    [nothing, command("Debit"), {}, "WalletNotFound"],
    [closed, command("Debit", { amount: 0n }), {}, "WalletClosed"],
    [frozen(funded), command("Debit", { amount: 0n }), {}, "WalletFrozen"],
    [funded, command("Debit", { amount: 0n }), {}, bad],
    [funded, command("Debit", { reference: tooLong }), {}, bad],
    [funded, command("Debit", { metadata: tooMany, amount: 101n }), {}, bad],
    [funded, command("Debit", { amount: 100n }), {}, "WalletDebited"],
    [funded, command("Debit", { amount: 101n }), {}, "InsufficientFunds"],
    [holding, command("Debit", { amount: 90n }), {}, "WalletDebited"],
    [holding, command("Debit", { amount: 91n }), {}, "InsufficientFunds"],
    [[event("WalletCreated", { overdraftLimit: 10n })], command("Debit", { amount: 10n }), {}, "WalletDebited"],
    [[event("WalletCreated", { overdraftLimit: 9n })], command("Debit", { amount: 10n }), {}, "InsufficientFunds"]
  ],
  PlaceHold: [
    [nothing, command("PlaceHold"), {}, "WalletNotFound"],
    [closed, command("PlaceHold", { amount: 0n }), {}, "WalletClosed"],
    [frozen(funded), command("PlaceHold", { amount: 0n }), {}, "WalletFrozen"],
    [funded, command("PlaceHold", { amount: 0n }), {}, bad],
    [funded, command("PlaceHold", { holdId: "no blank" }), {}, bad],
    [funded, command("PlaceHold", { reference: tooLong, amount: 101n }), {}, bad],
    [funded, command("PlaceHold", { metadata: tooMany, amount: 101n }), {}, bad],
    [funded, command("PlaceHold", { expiresAt: 40 }), { time: 39 }, "HoldPlaced"],
    [funded, command("PlaceHold", { expiresAt: 40 }), { time: 40 }, bad],
    [funded, command("PlaceHold", { expiresAt: 40 }), { time: 41 }, bad],
    [funded, command("PlaceHold", { expiresAt: 40.5 }), {}, bad],
    [funded, command("PlaceHold", { expiresAt: 253_402_300_799_999 }), {}, "HoldPlaced"],
    [funded, command("PlaceHold", { expiresAt: 253_402_300_800_000, amount: 101n }), {}, bad],
    [holding, command("PlaceHold", { amount: 91n }), {}, bad],
    [holding, command("PlaceHold", { holdId: "hold-2", amount: 91n }), full, "InsufficientFunds"],
    [holding, command("PlaceHold", { holdId: "hold-2", amount: 90n }), full, "LimitExceeded"],
    [holding, command("PlaceHold", { holdId: "hold-2", amount: 90n }), {}, "HoldPlaced"],
    [funded, command("PlaceHold"), full, "HoldPlaced"],
    [sending, command("PlaceHold"), full, "LimitExceeded"]
  ],
  CaptureHold: [
    [nothing, command("CaptureHold"), {}, "WalletNotFound"],
    [closed, command("CaptureHold"), {}, "WalletClosed"],
    [frozen(holding), command("CaptureHold", { holdId: "hold-2" }), {}, "WalletFrozen"],
    [holding, command("CaptureHold", { holdId: "hold-2", amount: 0n }), { time: 50 }, "HoldNotFound"],
    [holding, command("CaptureHold", { amount: 0n }), { time: 50 }, "HoldClosed"],
    [holding, command("CaptureHold", { amount: 11n }), { time: 51 }, "HoldClosed"],
    [holding, command("CaptureHold"), { time: 49 }, "HoldCaptured"],
    [[...funded, event("HoldPlaced", { heldAfter: 10n })], command("CaptureHold"), { time: 99 }, "HoldCaptured"],
    [holding, command("CaptureHold", { amount: 0n }), {}, bad],
    [holding, command("CaptureHold", { amount: -1n }), {}, bad],
    [holding, command("CaptureHold", { amount: tooMuch }), {}, bad],
    [holding, command("CaptureHold", { amount: 11n }), {}, "HoldAmountExceeded"],
    [holding, command("CaptureHold", { amount: 10n }), {}, "HoldCaptured"]
  ],
  ReleaseHold: [
    [nothing, command("ReleaseHold"), {}, "WalletNotFound"],
    [closed, command("ReleaseHold"), {}, "WalletClosed"],
    [funded, command("ReleaseHold"), {}, "HoldNotFound"],
    [frozen(holding), command("ReleaseHold"), {}, "HoldReleased"],
    [holding, command("ReleaseHold"), { time: 51 }, "HoldReleased"]
  ],
  ExpireHold: [
    [nothing, command("ExpireHold"), { time: 50 }, "WalletNotFound"],
    [closed, command("ExpireHold"), { time: 50 }, "HoldNotFound"],
    [funded, command("ExpireHold"), { time: 50 }, "HoldNotFound"],
    [holding, command("ExpireHold"), { time: 49 }, bad],
    [holding, command("ExpireHold"), { time: 50 }, "HoldExpired"],
    [holding, command("ExpireHold"), { time: 51 }, "HoldExpired"],
    [frozen(holding), command("ExpireHold"), { time: 50 }, "HoldExpired"],
    [[...funded, event("HoldPlaced", { heldAfter: 10n })], command("ExpireHold"), { time: 99 }, bad]
  ],
  SendTransfer: [
    [nothing, command("SendTransfer"), {}, "WalletNotFound"],
    [closed, command("SendTransfer", { to: "wallet-1" }), {}, "WalletClosed"],
    [frozen(funded), command("SendTransfer", { to: "wallet-1" }), {}, "WalletFrozen"],
    [funded, command("SendTransfer", { to: "wallet-1", currency: "USD" }), {}, "SameWallet"],
    [frozen(funded), command("SendTransfer", { destination: "missing" }), {}, "WalletFrozen"],
    [funded, command("SendTransfer", { to: "wallet-1", destination: "missing" }), {}, "SameWallet"],
    [funded, command("SendTransfer", { destination: "missing", currency: "" }), {}, "WalletNotFound"],
    [funded, command("SendTransfer", { destination: "closed", currency: "USD" }), {}, "WalletClosed"],
    [funded, command("SendTransfer", { currency: "USD", amount: 0n }), {}, "CurrencyMismatch"],
    [funded, command("SendTransfer", { amount: 0n }), {}, bad],
    [funded, command("SendTransfer", { transferId: "no blank" }), {}, bad],
    [funded, command("SendTransfer", { to: "" }), {}, bad],
    [funded, command("SendTransfer", { reference: tooLong }), {}, bad],
    [funded, command("SendTransfer", { metadata: tooMany, amount: 101n }), {}, bad],
    [sending, command("SendTransfer", { amount: 91n }), {}, bad],
    [sending, command("SendTransfer", { transferId: "transfer-2", amount: 91n }), full, "InsufficientFunds"],
    [sending, command("SendTransfer", { transferId: "transfer-2", amount: 90n }), full, "LimitExceeded"],
    [sending, command("SendTransfer", { transferId: "transfer-2", amount: 90n }), {}, "TransferSent"],
    [funded, command("SendTransfer"), full, "TransferSent"],
    [holding, command("SendTransfer"), full, "LimitExceeded"]
  ],
  ReceiveTransfer: [
    [nothing, command("ReceiveTransfer"), {}, "WalletNotFound"],
    [closed, command("ReceiveTransfer", { currency: "USD" }), {}, "WalletClosed"],
    [funded, command("ReceiveTransfer", { currency: "USD", amount: 0n }), {}, "CurrencyMismatch"],
    [funded, command("ReceiveTransfer", { amount: 0n }), {}, bad],
    [funded, command("ReceiveTransfer", { reference: tooLong }), {}, bad],
    [funded, command("ReceiveTransfer", { metadata: tooMany }), {}, bad],
    [funded, command("ReceiveTransfer"), {}, "TransferReceived"],
    [frozen(funded), command("ReceiveTransfer"), {}, "TransferReceived"]
  ],
  RefuseTransfer: [
    [nothing, command("RefuseTransfer"), {}, "WalletNotFound"],
    [funded, command("RefuseTransfer"), {}, "TransferRefused"],
    [frozen(funded), command("RefuseTransfer"), {}, "TransferRefused"],
    [closed, command("RefuseTransfer"), {}, "TransferRefused"]
  ],
  SettleTransfer: [
    [nothing, command("SettleTransfer"), {}, "WalletNotFound"],
    [funded, command("SettleTransfer"), {}, "TransferNotFound"],
    [closed, command("SettleTransfer"), {}, "TransferNotFound"],
    [sending, command("SettleTransfer", { transferId: "transfer-2" }), {}, "TransferNotFound"],
    [sending, command("SettleTransfer"), {}, "TransferSettled"],
    [frozen(sending), command("SettleTransfer"), {}, "TransferSettled"]
  ],
  ReverseTransfer: [
    [nothing, command("ReverseTransfer"), {}, "WalletNotFound"],
    [funded, command("ReverseTransfer"), {}, "TransferNotFound"],
    [closed, command("ReverseTransfer"), {}, "TransferNotFound"],
    [sending, command("ReverseTransfer"), {}, "TransferReversed"],
    [frozen(sending), command("ReverseTransfer"), {}, "TransferReversed"]
  ],
  Freeze: [
    [nothing, command("Freeze"), {}, "WalletNotFound"],
    [closed, command("Freeze", { reason: tooLong }), {}, "WalletClosed"],
    [frozen(funded), command("Freeze", { reason: tooLong }), {}, bad],
    [frozen(funded), command("Freeze"), {}, "NothingChanged"],
    [funded, command("Freeze"), {}, "WalletFrozen"]
  ],
  Unfreeze: [
    [nothing, command("Unfreeze"), {}, "WalletNotFound"],
    [closed, command("Unfreeze", { reason: tooLong }), {}, "WalletClosed"],
    [funded, command("Unfreeze", { reason: tooLong }), {}, bad],
    [funded, command("Unfreeze"), {}, "NothingChanged"],
    [frozen(funded), command("Unfreeze"), {}, "WalletUnfrozen"]
  ],
  Close: [
    [nothing, command("Close"), {}, "WalletNotFound"],
    [closed, command("Close", { reason: tooLong }), {}, "WalletClosed"],
    [funded, command("Close", { reason: tooLong }), {}, bad],
    [funded, command("Close"), {}, "WalletNotEmpty"],
    [[created], command("Close"), {}, "WalletClosed"],
    [frozen([created]), command("Close"), {}, "WalletClosed"],
    [
      [event("WalletCreated", { overdraftLimit: 10n }), event("HoldPlaced", { heldAfter: 10n })],
      command("Close"),
      {},
      "WalletNotEmpty"
    ],
    [
      [created, event("WalletCredited", { balanceAfter: 10n }), event("TransferSent", { balanceAfter: 0n })],
      command("Close"),
      {},
      "WalletNotEmpty"
    ],
    [
      [event("WalletCreated", { overdraftLimit: 10n }), event("WalletDebited", { balanceAfter: -10n })],
      command("Close"),
      {},
      "WalletNotEmpty"
    ]
  ],
  UpdateWallet: [
    [nothing, command("UpdateWallet"), {}, "WalletNotFound"],
    [closed, command("UpdateWallet", { overdraftLimit: null, metadata: null }), {}, "WalletClosed"],
    [funded, command("UpdateWallet", { overdraftLimit: null, metadata: null }), {}, bad],
    [funded, command("UpdateWallet", { overdraftLimit: -1n }), {}, bad],
    [funded, command("UpdateWallet", { overdraftLimit: 1n, metadata: tooMany }), {}, bad],
    [funded, command("UpdateWallet", { overdraftLimit: null, metadata: { a: "1" } }), {}, "MetadataChanged"],
    [funded, command("UpdateWallet", { overdraftLimit: 1n, metadata: null }), {}, "OverdraftLimitChanged"],
    [funded, command("UpdateWallet", { overdraftLimit: null, metadata: {} }), {}, "NothingChanged"],
    [funded, command("UpdateWallet", { overdraftLimit: 0n, metadata: {} }), {}, "NothingChanged"],
    [frozen(funded), command("UpdateWallet", { overdraftLimit: 0n, metadata: null }), {}, "NothingChanged"],
    [
      frozen(funded),
      command("UpdateWallet", { overdraftLimit: 5n, metadata: {} }),
      {},
      "OverdraftLimitChanged MetadataChanged"
    ],
    [
      [event("WalletCreated", { overdraftLimit: 10n }), event("WalletDebited", { balanceAfter: -10n })],
      command("UpdateWallet", { overdraftLimit: 9n, metadata: tooMany }),
      {},
      bad
    ],
    [
      [event("WalletCreated", { overdraftLimit: 10n }), event("WalletDebited", { balanceAfter: -10n })],
      command("UpdateWallet", { overdraftLimit: 9n, metadata: {} }),
      {},
      "InsufficientFunds"
    ],
    [
      [event("WalletCreated", { overdraftLimit: 20n }), event("WalletDebited", { balanceAfter: -10n })],
      command("UpdateWallet", { overdraftLimit: 10n, metadata: null }),
      {},
      "OverdraftLimitChanged"
    ],
    [funded, command("UpdateWallet", { overdraftLimit: 10n ** 30n, metadata: null }), {}, bad],
    [funded, command("UpdateWallet", { overdraftLimit: 1n, metadata: null }), {}, "OverdraftLimitChanged"],
    [closed, command("UpdateWallet", { metadata: tooMany }), {}, "WalletClosed"],
    [funded, command("UpdateWallet", { metadata: tooMany }), {}, bad],
    [frozen(funded), command("UpdateWallet", { metadata: { a: "1" } }), {}, "MetadataChanged"]
  ],
  ReverseOperation: [
    [nothing, command("ReverseOperation"), {}, "WalletNotFound"],
    [[created], command("ReverseOperation"), {}, "OperationReversed"],
    [frozen(funded), reversal(1, event("WalletCredited"), [created]), {}, "OperationReversed"]
  ]
}

const outcomeOf = ([given, when, context]: Row): string => {
  const wallet = given.length === 0 ? undefined : walletOf(given)
  const decision = decide(wallet, when, { time: 0, limits: defaultLimits, ...context })
  return Result.isFailure(decision) ? decision.failure._tag : decision.success.map((decided) => decided._tag).join(" ")
}

describe("decide", () => {
  for (const [group, cases] of Object.entries(rows)) {
    it(`answers ${group} by the precedence of the rules`, () => {
      const outcomes = cases.map((row, index) => `${index}: ${outcomeOf(row)}`)
      assert.deepStrictEqual(
        outcomes,
        cases.map((row, index) => `${index}: ${row[3]}`)
      )
    })
  }

  it("bounds a wallet's state at 4 MiB by default", () => {
    assert.deepStrictEqual(defaultLimits, { stateBytes: 4_194_304 })
  })
})
