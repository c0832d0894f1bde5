/** The exact events and the exact details of rejections; when each comes is in `Decide.test.ts`. */
import * as HashMap from "effect/HashMap"
import { assert, describe, it } from "vitest"
import {
  CurrencyMismatch,
  InvalidRequest,
  LimitExceeded,
  SameWallet,
  TransferNotFound,
  WalletClosed,
  WalletNotFound
} from "../../src/domain/Rejection.ts"
import { given } from "../../src/testing/Specification.ts"
import { closed, command, event, funded, holding, sending, walletId } from "./Examples.ts"

const note = { reference: "invoice 7", metadata: { order: "7" } }

describe("a transfer", () => {
  it("leaves its source and is in flight", () => {
    const after = given(holding, { time: 7 })
      .when(command("SendTransfer", { amount: 60n, ...note }))
      .then([
        {
          _tag: "TransferSent",
          transferId: "transfer-1",
          to: "wallet-2",
          amount: 60n,
          currency: "EUR",
          ...note,
          effectiveAt: null,
          balanceAfter: 40n,
          heldAfter: 10n
        }
      ])
    assert.deepStrictEqual(after === undefined ? [] : HashMap.toValues(after.transfers), [
      { id: "transfer-1", to: "wallet-2", amount: 60n, ...note, effectiveAt: null, createdAt: 7, capture: null }
    ])
  })

  it("says why it cannot leave", () => {
    const sends = given(sending)
    sends.when(command("SendTransfer", { to: walletId })).thenRejected(new SameWallet({ walletId }))
    sends
      .when(command("SendTransfer", { currency: "USD" }))
      .thenRejected(new CurrencyMismatch({ walletId, expected: "EUR", actual: "USD" }))
    sends
      .when(command("SendTransfer", { destination: "missing" }))
      .thenRejected(new WalletNotFound({ walletId: "wallet-2" }))
    sends
      .when(command("SendTransfer", { destination: "closed" }))
      .thenRejected(new WalletClosed({ walletId: "wallet-2" }))
    const cases = [
      [{ transferId: "" }, "transferId: not an id"],
      [{ transferId: "transfer-2", to: "" }, "to: not an id"],
      [{ transferId: "transfer-1" }, "transferId: in use"]
    ] as const
    for (const [fields, detail] of cases) {
      sends.when(command("SendTransfer", fields)).thenRejected(new InvalidRequest({ detail }))
    }
    sends
      .when(command("SendTransfer", { transferId: "transfer-2" }), { limits: { stateBytes: 1_245 } })
      .thenRejected(new LimitExceeded({ walletId, limit: "stateBytes", current: 924n, size: 1_246n, bound: 1_245n }))
  })

  it("is received, or refused with the reason on record", () => {
    given(holding)
      .when(command("ReceiveTransfer", { amount: 5n, ...note }))
      .then([
        {
          _tag: "TransferReceived",
          transferId: "transfer-9",
          from: "wallet-9",
          amount: 5n,
          ...note,
          effectiveAt: null,
          balanceAfter: 105n,
          heldAfter: 10n
        }
      ])
    const after = given(holding)
      .when(command("RefuseTransfer", { amount: 5n }))
      .then([
        {
          _tag: "TransferRefused",
          transferId: "transfer-9",
          from: "wallet-9",
          amount: 5n,
          reason: "WalletClosed",
          balanceAfter: 100n,
          heldAfter: 10n
        }
      ])
    assert.strictEqual(after?.balance, 100n)
  })

  it("is settled, or comes back", () => {
    const settled = given(sending)
      .when(command("SettleTransfer"))
      .then([
        {
          _tag: "TransferSettled",
          transferId: "transfer-1",
          to: "wallet-2",
          amount: 10n,
          holdId: null,
          balanceAfter: 90n,
          heldAfter: 0n
        }
      ])
    assert.isTrue(settled !== undefined && HashMap.isEmpty(settled.transfers))
    const reversed = given(sending)
      .when(command("ReverseTransfer"))
      .then([
        {
          _tag: "TransferReversed",
          transferId: "transfer-1",
          to: "wallet-2",
          amount: 10n,
          reason: "WalletClosed",
          effectiveAt: null,
          holdId: null,
          capturedAfter: null,
          remainingAfter: null,
          balanceAfter: 100n,
          heldAfter: 0n
        }
      ])
    assert.isTrue(reversed !== undefined && HashMap.isEmpty(reversed.transfers))
    given(funded)
      .when(command("SettleTransfer"))
      .thenRejected(new TransferNotFound({ transferId: "transfer-1" }))
    given(funded)
      .when(command("ReverseTransfer"))
      .thenRejected(new TransferNotFound({ transferId: "transfer-1" }))
  })

  it("cannot be lost for its reason's form: it is cut and mended", () => {
    const reason = `\u0000${"x".repeat(254)}\ud83d\ude00`
    const mended = `${"x".repeat(254)}\ufffd`
    given(closed)
      .when(command("RefuseTransfer", { reason }))
      .then([event("TransferRefused", { reason: mended })])
    given(sending)
      .when(command("ReverseTransfer", { reason }))
      .then([event("TransferReversed", { reason: mended, balanceAfter: 100n })])
  })
})
