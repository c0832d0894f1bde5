import { assert, describe, it } from "vitest"
import type { Restored, WalletEvent } from "../../src/domain/Event.ts"
import { holdAfter, holdOf } from "../../src/domain/Hold.ts"
import { holdChanges, transactionOf, transferChanges } from "../../src/domain/EventKinds.ts"
import { singleLeg } from "../../src/domain/Transfer.ts"
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
  refundOf: null,
  version: 4,
  createdAt: 7,
  effectiveAt: 7
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
  createdAt: 7,
  inFlight: null,
  ended: null
}
const { id: _, inFlight: _inFlight, ended: _ended, ...columns } = open
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
      [
        reversal(4n, { _tag: "Hold", hold: open }),
        { ...changed, captured: 4n, remaining: 6n, status: "active", terms: { amount: 10n, expiresAt: 50 } }
      ],
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

describe("the transfers of a commit", () => {
  const transferId = "transfer-1"
  /** Events from version 4 on, at 7, 8, … */
  const changesOf = (...events: ReadonlyArray<WalletEvent>) =>
    transferChanges({ events: events.map((given, index) => record(4 + index, given, 7 + index)) })
  const sent = {
    id: transferId,
    from: walletId,
    to: "wallet-2",
    amount: 10n,
    currency: "EUR",
    legs: singleLeg({ from: walletId, to: "wallet-2", amount: 10n, currency: "EUR", ...note, refund: null }),
    status: "pending",
    reason: null,
    leg: null,
    ...note,
    refundOf: null,
    createdAt: 7,
    effectiveAt: 7,
    updatedAt: 7
  } as const
  const changed = { _tag: "Changed", walletId, transferId } as const
  const completed = { status: "completed", reason: null } as const
  const reversed = { status: "reversed", reason: "refused" } as const
  const sending = event("TransferSent", note)
  const settling = event("TransferSettled")
  const reversing = event("TransferReversed", { reason: "refused" })
  const undoing = (reversedType: "TransferSent" | "TransferReceived"): WalletEvent =>
    event("OperationReversed", { reversedType, restored: { _tag: "NoTransfer", transferId } })
  const restoring = event("OperationReversed", {
    reversedType: "TransferSettled",
    restored: {
      _tag: "Transfer",
      transfer: {
        id: transferId,
        to: "wallet-2",
        amount: 10n,
        ...note,
        effectiveAt: null,
        refund: null,
        createdAt: 3,
        capture: null
      }
    }
  })

  it("are none where no event is about one that the wallet has sent", () => {
    const others = [
      event("WalletCredited"),
      event("TransferReceived"),
      event("TransferRefused"),
      event("HoldPlaced"),
      undoing("TransferReceived"),
      reversal(-10n, { _tag: "Nothing" })
    ]
    assert.deepStrictEqual(changesOf(...others), [])
    assert.deepStrictEqual(changesOf(), [])
  })

  it("are rows in full where sent", () => {
    assert.deepStrictEqual(changesOf(sending), [{ _tag: "Sent", version: 4, transfer: sent }])
  })

  it("are what has changed where sent before; settling keeps the time at which the destination answered", () => {
    const cases: ReadonlyArray<readonly [WalletEvent, object]> = [
      [settling, { ...completed, updatedAt: null }],
      [reversing, { ...reversed, updatedAt: 7 }],
      [undoing("TransferSent"), { ...reversed, updatedAt: 7 }],
      [restoring, { status: "pending", reason: null, updatedAt: 3 }]
    ]
    for (const [given, change] of cases) assert.deepStrictEqual<unknown>(changesOf(given), [{ ...changed, ...change }])
  })

  it("are one change each, the last, in the order of first touch", () => {
    const ends: ReadonlyArray<readonly [WalletEvent, object]> = [
      [settling, { ...completed, updatedAt: 7 }],
      [reversing, { ...reversed, updatedAt: 8 }],
      [undoing("TransferSent"), { ...reversed, updatedAt: 8 }]
    ]
    for (const [given, end] of ends) {
      assert.deepStrictEqual<unknown>(changesOf(sending, given), [
        { _tag: "Sent", version: 4, transfer: { ...sent, ...end } }
      ])
    }
    assert.deepStrictEqual(changesOf(restoring, settling), [{ ...changed, ...completed, updatedAt: 3 }])
    assert.deepStrictEqual(changesOf(restoring, reversing), [{ ...changed, ...reversed, updatedAt: 8 }])
    const other = event("TransferSettled", { transferId: "transfer-2" })
    assert.deepStrictEqual(
      changesOf(reversing, other, event("TransferSent", { ...note, amount: 1n })).map((change) =>
        change._tag === "Sent" ? [change.version, change.transfer.status] : [change.transferId, change.status]
      ),
      [
        [6, "pending"],
        ["transfer-2", "completed"]
      ]
    )
  })
})

describe("a hold that is shown", () => {
  it("is the open hold", () => {
    assert.deepStrictEqual(holdOf(walletId, open), row)
  })

  it("is the one before with what its event has changed", () => {
    const partly = event("HoldCaptured", { amount: 1n, capturedAfter: 5n, remainingAfter: 5n, expiresAt: 50 })
    assert.deepStrictEqual(holdAfter(row, partly), { ...row, captured: 5n, remaining: 5n })
    assert.deepStrictEqual(holdAfter(row, event("HoldExpired", { amount: 6n, capturedAfter: 4n, expiresAt: 50 })), {
      ...row,
      remaining: 0n,
      status: "captured"
    })
    assert.deepStrictEqual(holdAfter({ ...row, captured: 0n }, event("HoldReleased", { expiresAt: 50 })), {
      ...row,
      captured: 0n,
      remaining: 0n,
      status: "released"
    })
  })
})
