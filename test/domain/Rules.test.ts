/** The exact events and the exact details of rejections; when each comes is in `Decide.test.ts`. */
import * as HashMap from "effect/HashMap"
import { assert, describe, it } from "vitest"
import { amountLimit, balanceLimit } from "../../src/domain/Limits.ts"
import {
  CurrencyMismatch,
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  InsufficientFunds,
  InvalidRequest,
  LimitExceeded,
  SameWallet,
  TransferNotFound,
  WalletAlreadyExists,
  WalletClosed,
  WalletFrozen,
  WalletNotEmpty,
  WalletNotFound
} from "../../src/domain/Rejection.ts"
import { given } from "../../src/testing/Specification.ts"
import { available } from "../../src/domain/Wallet.ts"
import { closed, command, created, event, frozen, funded, holding, sending, walletId } from "./Examples.ts"

const note = { reference: "invoice 7", metadata: { order: "7" } }

describe("a wallet", () => {
  it("is created with what was asked, and nothing on it", () => {
    const fields = { ownerId: "owner-7", currency: "CZK", overdraftLimit: 500n, metadata: { a: "1" } }
    const after = given([])
      .when(command("CreateWallet", fields))
      .then([{ _tag: "WalletCreated", ...fields, balanceAfter: 0n, heldAfter: 0n }])
    assert.strictEqual(after?.status, "active")
    assert.strictEqual(after === undefined ? undefined : available(after), 500n)
  })

  it("says why it cannot be created", () => {
    given([created]).when(command("CreateWallet")).thenRejected(new WalletAlreadyExists({ walletId }))
    const cases = [
      [{ walletId: "" }, "id: not an id"],
      [{ ownerId: "ä" }, "ownerId: not an id"],
      [{ currency: "E" }, "currency: not a currency code"],
      [{ overdraftLimit: -1n }, "overdraftLimit: not an amount of at most 30 digits"],
      [{ metadata: { a: "\u0000" } }, "metadata: too many pairs, or one too long or not text"]
    ] as const
    for (const [fields, detail] of cases) {
      given([]).when(command("CreateWallet", fields)).thenRejected(new InvalidRequest({ detail }))
    }
  })

  it("is frozen and unfrozen once, with the reason", () => {
    const after = given(holding)
      .when(command("Freeze", { reason: "audit" }))
      .then([{ _tag: "WalletFrozen", reason: "audit", balanceAfter: 100n, heldAfter: 10n }])
    assert.strictEqual(after?.status, "frozen")
    given(frozen(holding))
      .when(command("Freeze", { reason: "again" }))
      .thenNothing()
    const thawed = given(frozen(holding))
      .when(command("Unfreeze", { reason: "done" }))
      .then([{ _tag: "WalletUnfrozen", reason: "done", balanceAfter: 100n, heldAfter: 10n }])
    assert.strictEqual(thawed?.status, "active")
    given(holding).when(command("Unfreeze")).thenNothing()
    given(holding)
      .when(command("Unfreeze", { reason: "x".repeat(256) }))
      .thenRejected(new InvalidRequest({ detail: "reason: not a text of at most 255 characters" }))
  })

  it("is closed when nothing is on it, and says what is on it when not", () => {
    const after = given([created])
      .when(command("Close", { reason: "moved" }))
      .then([{ _tag: "WalletClosed", reason: "moved", balanceAfter: 0n, heldAfter: 0n }])
    assert.strictEqual(after?.status, "closed")
    given([...holding, event("TransferSent", { balanceAfter: 90n, heldAfter: 10n })])
      .when(command("Close"))
      .thenRejected(new WalletNotEmpty({ walletId, balance: 90n, openHolds: 1, transfersInFlight: 1 }))
    given(closed).when(command("Close")).thenRejected(new WalletClosed({ walletId }))
  })

  it("changes limit and metadata with one command, keeping what they were", () => {
    const stream = [event("WalletCreated", { overdraftLimit: 3n, metadata: { a: "1" } })]
    const after = given(stream)
      .when(command("UpdateWallet", { overdraftLimit: 7n, metadata: { b: "2" } }))
      .then([
        { _tag: "OverdraftLimitChanged", overdraftLimit: 7n, previousLimit: 3n, balanceAfter: 0n, heldAfter: 0n },
        { _tag: "MetadataChanged", metadata: { b: "2" }, previousMetadata: { a: "1" }, balanceAfter: 0n, heldAfter: 0n }
      ])
    assert.strictEqual(after?.overdraftLimit, 7n)
    assert.deepStrictEqual(after?.metadata, { b: "2" })
    assert.strictEqual(after?.version, 2)
    given(holding)
      .when(command("UpdateWallet", { overdraftLimit: 7n, metadata: null }))
      .then([
        { _tag: "OverdraftLimitChanged", overdraftLimit: 7n, previousLimit: 0n, balanceAfter: 100n, heldAfter: 10n }
      ])
    given(holding)
      .when(command("UpdateWallet", { metadata: { b: "2" } }))
      .then([
        { _tag: "MetadataChanged", metadata: { b: "2" }, previousMetadata: {}, balanceAfter: 100n, heldAfter: 10n }
      ])
  })

  it("refuses an overdraft limit that would make available negative", () => {
    given([event("WalletCreated", { overdraftLimit: 10n }), event("WalletDebited", { balanceAfter: -6n })])
      .when(command("UpdateWallet", { overdraftLimit: 5n, metadata: null }))
      .thenRejected(new InsufficientFunds({ walletId, available: 4n, required: 5n }))
  })

  it("refuses an update that changes nothing", () => {
    given(funded)
      .when(command("UpdateWallet", { overdraftLimit: null, metadata: null }))
      .thenRejected(new InvalidRequest({ detail: "nothing to change" }))
  })

  it("that does not exist is not found, whatever is asked", () => {
    given([]).when(command("Credit")).thenRejected(new WalletNotFound({ walletId }))
  })
})

describe("a movement", () => {
  it("adds a credit to the balance", () => {
    const after = given(holding)
      .when(command("Credit", { amount: 5n, ...note }))
      .then([{ _tag: "WalletCredited", amount: 5n, ...note, balanceAfter: 105n, heldAfter: 10n }])
    assert.strictEqual(after?.balance, 105n)
  })

  it("takes a debit from the balance, down to the overdraft limit", () => {
    const after = given([
      ...holding,
      event("OverdraftLimitChanged", {
        overdraftLimit: 50n,
        balanceAfter: 100n,
        heldAfter: 10n
      })
    ])
      .when(command("Debit", { amount: 140n, ...note }))
      .then([{ _tag: "WalletDebited", amount: 140n, ...note, balanceAfter: -40n, heldAfter: 10n }])
    assert.strictEqual(after === undefined ? undefined : available(after), 0n)
  })

  it("refuses a debit above the available balance", () => {
    given(holding)
      .when(command("Debit", { amount: 91n }))
      .thenRejected(new InsufficientFunds({ walletId, available: 90n, required: 91n }))
  })

  it("refuses a debit from a frozen wallet", () => {
    given(frozen(funded)).when(command("Debit")).thenRejected(new WalletFrozen({ walletId }))
  })

  it("says which field is malformed", () => {
    const cases = [
      [{ amount: 0n }, "amount: not a positive amount of at most 30 digits"],
      [{ reference: "\ud800" }, "reference: not a text of at most 255 characters"],
      [{ metadata: { ["k".repeat(65)]: "" } }, "metadata: too many pairs, or one too long or not text"]
    ] as const
    for (const [fields, detail] of cases) {
      given(funded).when(command("Credit", fields)).thenRejected(new InvalidRequest({ detail }))
    }
  })

  it("keeps the balance below 10^36", () => {
    const full = [created, event("WalletCredited", { balanceAfter: balanceLimit - 10n })]
    given(full)
      .when(command("Credit", { amount: 9n }))
      .then([event("WalletCredited", { amount: 9n, balanceAfter: balanceLimit - 1n })])
    given(full)
      .when(command("Credit", { amount: 10n }))
      .thenRejected(new LimitExceeded({ walletId, limit: "balance" }))
    given(full)
      .when(command("ReceiveTransfer", { amount: 10n }))
      .thenRejected(new LimitExceeded({ walletId, limit: "balance" }))
  })

  it("keeps room for the money in flight to come back", () => {
    const stream = [
      created,
      event("WalletCredited", { balanceAfter: balanceLimit - 1n }),
      event("TransferSent", { amount: 5n, balanceAfter: balanceLimit - 6n }),
      event("TransferSent", { transferId: "transfer-2", amount: 4n, balanceAfter: balanceLimit - 10n })
    ]
    given(stream)
      .when(command("Credit", { amount: 1n }))
      .thenRejected(new LimitExceeded({ walletId, limit: "balance" }))
    given(stream)
      .when(command("ReverseTransfer"))
      .then([event("TransferReversed", { amount: 5n, balanceAfter: balanceLimit - 5n })])
    const roomy = [...stream, event("TransferSettled", { amount: 5n, balanceAfter: balanceLimit - 10n })]
    given(roomy)
      .when(command("Credit", { amount: 5n }))
      .then([event("WalletCredited", { amount: 5n, balanceAfter: balanceLimit - 5n })])
    given(roomy)
      .when(command("Credit", { amount: 6n }))
      .thenRejected(new LimitExceeded({ walletId, limit: "balance" }))
  })

  it("takes the largest amount, 10^30 − 1", () => {
    given([created])
      .when(command("Credit", { amount: amountLimit - 1n }))
      .then([event("WalletCredited", { amount: amountLimit - 1n, balanceAfter: amountLimit - 1n })])
  })
})

describe("a hold", () => {
  it("holds its amount and leaves the balance", () => {
    const after = given(holding, { time: 7 })
      .when(command("PlaceHold", { holdId: "hold-2", amount: 20n, expiresAt: 90, ...note }))
      .then([
        {
          _tag: "HoldPlaced",
          holdId: "hold-2",
          amount: 20n,
          expiresAt: 90,
          ...note,
          balanceAfter: 100n,
          heldAfter: 30n
        }
      ])
    assert.strictEqual(after?.held, 30n)
    assert.deepStrictEqual(
      after === undefined ? undefined : HashMap.get(after.holds, "hold-2"),
      HashMap.get(
        HashMap.make([
          "hold-2",
          {
            id: "hold-2",
            amount: 20n,
            captured: 0n,
            remaining: 20n,
            expiresAt: 90,
            ...note,
            createdAt: 7
          }
        ]),
        "hold-2"
      )
    )
  })

  it("says why it cannot be placed", () => {
    const cases = [
      [{ amount: 0n }, "amount: not a positive amount of at most 30 digits"],
      [{ holdId: "" }, "holdId: not an id"],
      [{ holdId: "hold-2", expiresAt: 40 }, "expiresAt: not a time to come"],
      [{}, "holdId: in use"]
    ] as const
    for (const [fields, detail] of cases) {
      given(holding).when(command("PlaceHold", fields), { time: 40 }).thenRejected(new InvalidRequest({ detail }))
    }
    given(holding)
      .when(command("PlaceHold", { holdId: "hold-2" }), { limits: { openHolds: 1, transfersInFlight: 9 } })
      .thenRejected(new LimitExceeded({ walletId, limit: "openHolds" }))
    given(holding)
      .when(command("PlaceHold", { holdId: "hold-2", amount: 91n }))
      .thenRejected(new InsufficientFunds({ walletId, available: 90n, required: 91n }))
  })

  it("is captured whole when no amount is named", () => {
    const after = given(holding)
      .when(command("CaptureHold"))
      .then([
        {
          _tag: "HoldCaptured",
          holdId: "hold-1",
          amount: 10n,
          released: 0n,
          capturedAfter: 10n,
          remainingAfter: 0n,
          balanceAfter: 90n,
          heldAfter: 0n
        }
      ])
    assert.isTrue(after !== undefined && HashMap.isEmpty(after.holds))
  })

  it("is captured in parts until nothing remains", () => {
    const first = event("HoldCaptured", {
      amount: 4n,
      capturedAfter: 4n,
      remainingAfter: 6n,
      balanceAfter: 96n,
      heldAfter: 6n
    })
    given(holding)
      .when(command("CaptureHold", { amount: 4n }))
      .then([first])
    given([...holding, first])
      .when(command("CaptureHold", { amount: 6n }))
      .then([
        event("HoldCaptured", { amount: 6n, capturedAfter: 10n, remainingAfter: 0n, balanceAfter: 90n, heldAfter: 0n })
      ])
    given([...holding, first])
      .when(command("CaptureHold", { amount: 7n }))
      .thenRejected(new HoldAmountExceeded({ walletId, holdId: "hold-1", remaining: 6n, amount: 7n }))
  })

  it("releases the rest at a final partial capture", () => {
    const after = given(holding)
      .when(command("CaptureHold", { amount: 4n, final: true }))
      .then([
        event("HoldCaptured", {
          amount: 4n,
          released: 6n,
          capturedAfter: 4n,
          remainingAfter: 0n,
          balanceAfter: 96n,
          heldAfter: 0n
        })
      ])
    assert.strictEqual(after === undefined ? undefined : available(after), 96n)
  })

  it("is captured by an overdrawn wallet: the money was held", () => {
    given([event("WalletCreated", { overdraftLimit: 10n }), event("HoldPlaced", { balanceAfter: 0n, heldAfter: 10n })])
      .when(command("CaptureHold"))
      .then([event("HoldCaptured", { balanceAfter: -10n, heldAfter: 0n })])
  })

  it("cannot be captured from expiresAt on, whether it is written or not", () => {
    given(holding)
      .when(command("CaptureHold"), { time: 50 })
      .thenRejected(new HoldClosed({ walletId, holdId: "hold-1" }))
    given(holding)
      .when(command("CaptureHold", { holdId: "hold-2" }))
      .thenRejected(new HoldNotFound({ walletId, holdId: "hold-2" }))
    given(holding)
      .when(command("CaptureHold", { amount: 0n }))
      .thenRejected(new InvalidRequest({ detail: "amount: not a positive amount of at most 30 digits" }))
  })

  it("gives back what remains when released or expired", () => {
    const part = event("HoldCaptured", {
      amount: 4n,
      capturedAfter: 4n,
      remainingAfter: 6n,
      balanceAfter: 96n,
      heldAfter: 6n
    })
    const given10 = given([...holding, part])
    given10
      .when(command("ReleaseHold"))
      .then([
        { _tag: "HoldReleased", holdId: "hold-1", amount: 6n, capturedAfter: 4n, balanceAfter: 96n, heldAfter: 0n }
      ])
    given10
      .when(command("ExpireHold"), { time: 50 })
      .then([
        { _tag: "HoldExpired", holdId: "hold-1", amount: 6n, capturedAfter: 4n, balanceAfter: 96n, heldAfter: 0n }
      ])
    given10
      .when(command("ExpireHold"), { time: 49 })
      .thenRejected(new InvalidRequest({ detail: "hold hold-1 has not expired yet" }))
    given10
      .when(command("ReleaseHold", { holdId: "hold-2" }))
      .thenRejected(new HoldNotFound({ walletId, holdId: "hold-2" }))
  })
})

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
          balanceAfter: 40n,
          heldAfter: 10n
        }
      ])
    assert.deepStrictEqual(after === undefined ? [] : HashMap.toValues(after.transfers), [
      { id: "transfer-1", to: "wallet-2", amount: 60n, ...note, createdAt: 7 }
    ])
  })

  it("says why it cannot leave", () => {
    const sends = given(sending)
    sends.when(command("SendTransfer", { to: walletId })).thenRejected(new SameWallet({ walletId }))
    sends
      .when(command("SendTransfer", { currency: "USD" }))
      .thenRejected(new CurrencyMismatch({ walletId, currency: "EUR", given: "USD" }))
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
      .when(command("SendTransfer", { transferId: "transfer-2" }), { limits: { openHolds: 9, transfersInFlight: 1 } })
      .thenRejected(new LimitExceeded({ walletId, limit: "transfersInFlight" }))
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
