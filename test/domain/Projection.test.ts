import { assert, describe, it } from "vitest"
import type { Restored, WalletEvent } from "../../src/domain/Event.ts"
import { holdAfter, holdChanges, holdOf, transactionOf, transactionType } from "../../src/domain/Projection.ts"
import type { Hold, OpenHold } from "../../src/domain/Wallet.ts"
import { event, record, walletId } from "./Examples.ts"

const euros = { currency: "EUR" }
const note = { reference: "r", metadata: { a: "1" } }
const on = { balanceAfter: 70n, heldAfter: 3n }
const transaction = {
  id: "wallet-1-4",
  walletId,
  amount: 10n,
  balanceAfter: 70n,
  currency: "EUR",
  reference: null,
  metadata: {},
  holdId: null,
  transferId: null,
  version: 4,
  createdAt: 7
}

const reversal = (balanceChange: bigint, restored: Restored): WalletEvent =>
  event("OperationReversed", { balanceChange, restored, ...on })

const open: OpenHold = {
  id: "hold-1",
  amount: 10n,
  captured: 4n,
  remaining: 6n,
  expiresAt: 50,
  ...note,
  createdAt: 7
}
const { id: _, ...columns } = open
const row: Hold = { id: "hold-1", walletId, status: "active", ...columns }

describe("a transaction", () => {
  const cases: ReadonlyArray<readonly [WalletEvent, object]> = [
    [event("WalletCredited", { ...note, ...on }), { type: "credit", ...note }],
    [event("WalletDebited", { ...note, ...on }), { type: "debit", ...note }],
    [event("HoldCaptured", { ...on }), { type: "capture", holdId: "hold-1" }],
    [event("TransferReceived", { ...note, ...on }), { type: "transfer_in", transferId: "transfer-9", ...note }],
    [event("TransferSent", { ...note, ...on }), { type: "transfer_out", transferId: "transfer-1", ...note }],
    [event("TransferReversed", { ...on }), { type: "reversal", transferId: "transfer-1" }],
    [reversal(-10n, { _tag: "Nothing" }), { type: "reversal" }],
    [reversal(10n, { _tag: "Nothing" }), { type: "reversal" }],
    [reversal(10n, { _tag: "Hold", hold: open }), { type: "reversal", holdId: "hold-1" }],
    [reversal(10n, { _tag: "NoTransfer", transferId: "t" }), { type: "reversal", transferId: "t" }]
  ]

  it("is made by every event that moves money", () => {
    for (const [given, fields] of cases) {
      assert.deepStrictEqual<unknown>(transactionOf(record(4, given, 7), euros), { ...transaction, ...fields })
      assert.deepInclude<object>(fields, { type: transactionType(given) })
    }
  })

  it("is made by no other event", () => {
    const others = [
      event("WalletCreated"),
      event("HoldPlaced"),
      event("HoldReleased"),
      event("HoldExpired"),
      event("TransferRefused"),
      event("TransferSettled"),
      event("WalletFrozen"),
      event("WalletUnfrozen"),
      event("WalletClosed"),
      event("OverdraftLimitChanged"),
      event("MetadataChanged"),
      reversal(0n, { _tag: "NoHold", holdId: "hold-1" })
    ]
    for (const given of others) {
      assert.isUndefined(transactionOf(record(4, given), euros), given._tag)
      assert.isUndefined(transactionType(given), given._tag)
    }
  })
})

describe("the holds of a commit", () => {
  const changesOf = (...events: ReadonlyArray<WalletEvent>) =>
    holdChanges({ events: events.map((given, index) => record(4 + index, given, 7)) })
  const placing = event("HoldPlaced", { expiresAt: 50, ...note })
  const placed = { ...row, captured: 0n, remaining: 10n }
  const capturing = event("HoldCaptured", { amount: 4n, capturedAfter: 4n, remainingAfter: 6n })

  it("are none where no event touches one", () => {
    assert.deepStrictEqual(changesOf(event("WalletCredited"), reversal(-10n, { _tag: "Nothing" })), [])
    assert.deepStrictEqual(changesOf(), [])
  })

  it("are rows in full where placed, with the version that orders them", () => {
    assert.deepStrictEqual(changesOf(event("WalletCredited"), placing), [{ _tag: "Placed", version: 5, hold: placed }])
  })

  it("are what has changed where placed before", () => {
    const changed = { _tag: "Changed", walletId, holdId: "hold-1", captured: 0n, remaining: 0n } as const
    const cases: ReadonlyArray<readonly [WalletEvent, object]> = [
      [capturing, { ...changed, captured: 4n, remaining: 6n, status: "active" }],
      [event("HoldCaptured"), { ...changed, captured: 10n, status: "captured" }],
      [event("HoldReleased"), { ...changed, status: "released" }],
      [event("HoldReleased", { capturedAfter: 1n }), { ...changed, captured: 1n, status: "captured" }],
      [event("HoldExpired"), { ...changed, status: "expired" }],
      [event("HoldExpired", { capturedAfter: 1n }), { ...changed, captured: 1n, status: "captured" }],
      [reversal(4n, { _tag: "Hold", hold: open }), { ...changed, captured: 4n, remaining: 6n, status: "active" }],
      [reversal(0n, { _tag: "NoHold", holdId: "hold-1" }), { ...changed, status: "released" }]
    ]
    for (const [given, change] of cases) assert.deepStrictEqual<unknown>(changesOf(given), [change])
  })

  it("are one change each, the last, in the order of first touch", () => {
    assert.deepStrictEqual(changesOf(capturing, event("HoldReleased", { capturedAfter: 4n })), [
      { _tag: "Changed", walletId, holdId: "hold-1", captured: 4n, remaining: 0n, status: "captured" }
    ])
    assert.deepStrictEqual(changesOf(placing, event("HoldExpired", { holdId: "hold-2" }), capturing), [
      { _tag: "Placed", version: 4, hold: { ...placed, captured: 4n, remaining: 6n } },
      { _tag: "Changed", walletId, holdId: "hold-2", captured: 0n, remaining: 0n, status: "expired" }
    ])
  })
})

describe("a hold that is shown", () => {
  it("is the open hold", () => {
    assert.deepStrictEqual(holdOf(walletId, open), row)
  })

  it("is the one before with what its event has changed", () => {
    const partly = event("HoldCaptured", { amount: 1n, capturedAfter: 5n, remainingAfter: 5n })
    assert.deepStrictEqual(holdAfter(row, partly), { ...row, captured: 5n, remaining: 5n })
    assert.deepStrictEqual(holdAfter(row, event("HoldExpired", { capturedAfter: 4n })), {
      ...row,
      remaining: 0n,
      status: "captured"
    })
    assert.deepStrictEqual(holdAfter({ ...row, captured: 0n }, event("HoldReleased")), {
      ...row,
      captured: 0n,
      remaining: 0n,
      status: "released"
    })
  })
})
