/** One event for every shape that the log holds; its text is in `golden/<name>.json`. */
import type { WalletEvent } from "../../src/domain/Event.ts"

const metadata = { order: "17", ключ: "значение" }
const after = { balanceAfter: "-150", heldAfter: "25" } as const
const money = { balanceAfter: BigInt(after.balanceAfter), heldAfter: BigInt(after.heldAfter) }
const dated = { effectiveAt: 1_735_689_599_999 } as const
const undated = { effectiveAt: null } as const
const note = { reference: 'line "1"\n', metadata }
const largest = 10n ** 30n - 1n
const hold = {
  id: "hold-1",
  amount: 30n,
  captured: 5n,
  remaining: 25n,
  expiresAt: 1_767_225_600_000,
  ...note,
  createdAt: 1_735_689_600_123,
  inFlight: null,
  ended: null
}
const transfer = {
  id: "transfer-1",
  to: "wallet-2",
  amount: 7n,
  reference: null,
  metadata: {},
  ...undated,
  createdAt: 0,
  capture: null
}
const ofLegs = { transferId: "transfer-2", home: "wallet-9" }
const sentLeg = { leg: 1, side: "sent", counterparty: "wallet-2", amount: 7n, ...note } as const
const receivedLeg = { ...sentLeg, leg: 4, side: "received", reference: null, metadata: {} } as const
const reversal = { _tag: "OperationReversed", reversedVersion: 3, reason: "no such order" } as const

export const goldenEvents: { readonly [name: string]: WalletEvent } = {
  WalletCreated: {
    _tag: "WalletCreated",
    ownerId: "owner-1",
    currency: "EUR",
    overdraftLimit: 500n,
    metadata,
    balanceAfter: 0n,
    heldAfter: 0n
  },
  WalletCredited: { _tag: "WalletCredited", amount: largest, ...note, ...undated, ...money },
  "WalletCredited.plain": { _tag: "WalletCredited", amount: 1n, reference: null, metadata: {}, ...undated, ...money },
  WalletDebited: { _tag: "WalletDebited", amount: 10n, ...note, ...undated, forced: null, ...money },
  "WalletDebited.plain": {
    _tag: "WalletDebited",
    amount: 1n,
    reference: null,
    metadata: {},
    ...undated,
    forced: null,
    ...money
  },
  HoldPlaced: { _tag: "HoldPlaced", holdId: "hold-1", amount: 30n, expiresAt: 1_767_225_600_000, ...note, ...money },
  "HoldPlaced.plain": {
    _tag: "HoldPlaced",
    holdId: "hold-1",
    amount: 30n,
    expiresAt: null,
    reference: null,
    metadata: {},
    ...money
  },
  HoldCaptured: {
    _tag: "HoldCaptured",
    holdId: "hold-1",
    amount: 5n,
    released: 1n,
    capturedAfter: 5n,
    remainingAfter: 0n,
    ...undated,
    expiresAt: null,
    ...money
  },
  HoldReleased: { _tag: "HoldReleased", holdId: "hold-1", amount: 25n, capturedAfter: 5n, expiresAt: null, ...money },
  HoldExpired: { _tag: "HoldExpired", holdId: "hold-1", amount: 25n, capturedAfter: 0n, expiresAt: null, ...money },
  TransferSent: {
    _tag: "TransferSent",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 7n,
    currency: "EUR",
    ...note,
    ...undated,
    ...money
  },
  TransferReceived: {
    _tag: "TransferReceived",
    transferId: "transfer-1",
    from: "wallet-1",
    amount: 7n,
    ...note,
    ...undated,
    ...money
  },
  TransferRefused: {
    _tag: "TransferRefused",
    transferId: "transfer-1",
    from: "wallet-1",
    amount: 7n,
    reason: "WalletClosed",
    ...money
  },
  TransferSettled: {
    _tag: "TransferSettled",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 7n,
    holdId: null,
    ...money
  },
  TransferReversed: {
    _tag: "TransferReversed",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 7n,
    reason: "WalletClosed",
    ...undated,
    holdId: null,
    capturedAfter: null,
    remainingAfter: null,
    ...money
  },
  "WalletCredited.dated": { _tag: "WalletCredited", amount: 1n, ...note, ...dated, ...money },
  "WalletDebited.dated": { _tag: "WalletDebited", amount: 1n, ...note, ...dated, forced: null, ...money },
  "HoldCaptured.dated": {
    _tag: "HoldCaptured",
    holdId: "hold-1",
    amount: 5n,
    released: 0n,
    capturedAfter: 5n,
    remainingAfter: 25n,
    ...dated,
    expiresAt: null,
    ...money
  },
  "TransferSent.dated": {
    _tag: "TransferSent",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 7n,
    currency: "EUR",
    ...note,
    ...dated,
    ...money
  },
  "TransferReceived.dated": {
    _tag: "TransferReceived",
    transferId: "transfer-1",
    from: "wallet-1",
    amount: 7n,
    ...note,
    ...dated,
    ...money
  },
  "TransferReversed.dated": {
    _tag: "TransferReversed",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 7n,
    reason: "WalletClosed",
    ...dated,
    holdId: null,
    capturedAfter: null,
    remainingAfter: null,
    ...money
  },
  "OperationReversed.dated": {
    ...reversal,
    reversedType: "TransferSettled",
    balanceChange: 0n,
    restored: { _tag: "Transfer", transfer: { ...transfer, ...dated } },
    ...money
  },
  LegsBegun: {
    _tag: "LegsBegun",
    transferId: "transfer-2",
    legs: [
      { from: "wallet-1", to: "wallet-2", amount: 7n, currency: "EUR", ...note },
      { from: "wallet-3", to: "wallet-1", amount: largest, currency: "USD", reference: null, metadata: {} }
    ],
    ...note,
    ...undated,
    held: 7n,
    ...money
  },
  LegsPrepared: { _tag: "LegsPrepared", ...ofLegs, legs: [sentLeg, receivedLeg], ...undated, held: 7n, ...money },
  LegsRefused: { _tag: "LegsRefused", ...ofLegs, leg: 3, reason: "WalletClosed: wallet-2", ...money },
  LegsApplied: { _tag: "LegsApplied", ...ofLegs, legs: [sentLeg, receivedLeg], ...undated, released: 7n, ...money },
  LegsReleased: { _tag: "LegsReleased", ...ofLegs, released: 7n, reason: "WalletClosed: wallet-2", leg: 3, ...money },
  LegsSettled: {
    _tag: "LegsSettled",
    transferId: "transfer-2",
    reason: null,
    leg: null,
    transactions: [
      { sent: "01968a4e-5b00-7000-8000-000000000001", received: "01968a4e-5b00-7000-8000-000000000002" },
      { sent: "01968a4e-5b00-7000-8000-000000000003", received: "01968a4e-5b00-7000-8000-000000000004" }
    ],
    ...money
  },
  "LegsSettled.reversed": {
    _tag: "LegsSettled",
    transferId: "transfer-2",
    reason: "WalletClosed: wallet-2",
    leg: 3,
    transactions: [],
    ...money
  },
  WalletFrozen: { _tag: "WalletFrozen", reason: "audit", direction: null, until: null, replaced: null, ...money },
  WalletUnfrozen: { _tag: "WalletUnfrozen", reason: null, direction: null, ...money },
  WalletClosed: { _tag: "WalletClosed", reason: "moved", balanceAfter: 0n, heldAfter: 0n },
  OverdraftLimitChanged: { _tag: "OverdraftLimitChanged", overdraftLimit: 0n, previousLimit: 500n, ...money },
  MetadataChanged: { _tag: "MetadataChanged", metadata: {}, previousMetadata: metadata, ...money },
  NothingChanged: { _tag: "NothingChanged", command: "Freeze", reason: "audit", ...money },
  "NothingChanged.update": { _tag: "NothingChanged", command: "UpdateWallet", reason: null, ...money },
  "OperationReversed.Nothing": {
    ...reversal,
    reversedType: "WalletCredited",
    balanceChange: -10n,
    restored: { _tag: "Nothing" },
    ...money
  },
  "OperationReversed.Hold": {
    ...reversal,
    reversedType: "HoldCaptured",
    balanceChange: 5n,
    restored: { _tag: "Hold", hold },
    ...money
  },
  "OperationReversed.NoHold": {
    ...reversal,
    reversedType: "HoldPlaced",
    balanceChange: 0n,
    restored: { _tag: "NoHold", holdId: "hold-1" },
    ...money
  },
  "OperationReversed.Transfer": {
    ...reversal,
    reversedType: "TransferSettled",
    balanceChange: 0n,
    restored: { _tag: "Transfer", transfer },
    ...money
  },
  "OperationReversed.NoTransfer": {
    ...reversal,
    reversedType: "TransferSent",
    balanceChange: 7n,
    restored: { _tag: "NoTransfer", transferId: "transfer-1" },
    ...money
  },
  "OperationReversed.NoLegs": {
    ...reversal,
    reversedType: "LegsPrepared",
    balanceChange: 0n,
    restored: { _tag: "NoLegs", transferId: "transfer-2" },
    ...money
  },
  "OperationReversed.Status": {
    ...reversal,
    reversedType: "WalletFrozen",
    balanceChange: 0n,
    restored: { _tag: "Status", status: "active", freeze: null },
    ...money
  },
  "OperationReversed.OverdraftLimit": {
    ...reversal,
    reversedType: "OverdraftLimitChanged",
    balanceChange: 0n,
    restored: { _tag: "OverdraftLimit", overdraftLimit: 500n },
    ...money
  },
  "OperationReversed.Metadata": {
    ...reversal,
    reversedType: "MetadataChanged",
    balanceChange: 0n,
    restored: { _tag: "Metadata", metadata },
    ...money
  },
  "WalletDebited.forced": {
    _tag: "WalletDebited",
    amount: 1n,
    reference: null,
    metadata: {},
    ...undated,
    forced: true,
    ...money
  },
  "HoldCaptured.expiring": {
    _tag: "HoldCaptured",
    holdId: "hold-1",
    amount: 5n,
    released: 0n,
    capturedAfter: 5n,
    remainingAfter: 25n,
    ...undated,
    expiresAt: 1_767_225_600_000,
    ...money
  },
  HoldCapturedTo: {
    _tag: "HoldCapturedTo",
    holdId: "hold-1",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 5n,
    currency: "EUR",
    rest: 20n,
    capturedAfter: 10n,
    remainingAfter: 0n,
    ...undated,
    expiresAt: null,
    ...money
  },
  "HoldCapturedTo.dated": {
    _tag: "HoldCapturedTo",
    holdId: "hold-1",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 5n,
    currency: "EUR",
    rest: 0n,
    capturedAfter: 5n,
    remainingAfter: 25n,
    ...dated,
    expiresAt: 1_767_225_600_000,
    ...money
  },
  HoldChanged: {
    _tag: "HoldChanged",
    holdId: "hold-1",
    amount: 40n,
    previousAmount: 30n,
    expiresAt: 1_767_225_600_001,
    previousExpiresAt: 1_767_225_600_000,
    capturedAfter: 5n,
    remainingAfter: 35n,
    ...money
  },
  "HoldChanged.closed": {
    _tag: "HoldChanged",
    holdId: "hold-1",
    amount: 5n,
    previousAmount: 30n,
    expiresAt: null,
    previousExpiresAt: null,
    capturedAfter: 5n,
    remainingAfter: 0n,
    ...money
  },
  "TransferSettled.captured": {
    _tag: "TransferSettled",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 7n,
    holdId: "hold-1",
    ...money
  },
  "TransferReversed.captured": {
    _tag: "TransferReversed",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 7n,
    reason: "WalletClosed",
    ...undated,
    holdId: "hold-1",
    capturedAfter: 0n,
    remainingAfter: 30n,
    ...money
  },
  "WalletFrozen.directed": {
    _tag: "WalletFrozen",
    reason: null,
    direction: "all",
    until: 1_767_225_600_000,
    replaced: "debits",
    ...money
  },
  "WalletUnfrozen.directed": { _tag: "WalletUnfrozen", reason: null, direction: "credits", ...money },
  FreezeExpired: { _tag: "FreezeExpired", until: 1_767_225_600_000, ...money },
  "OperationReversed.NoCapture": {
    ...reversal,
    reversedType: "HoldCapturedTo",
    balanceChange: 5n,
    restored: { _tag: "NoCapture", transferId: "transfer-1", hold: { ...hold, inFlight: 5n } },
    ...money
  },
  "OperationReversed.Frozen": {
    ...reversal,
    reversedType: "WalletUnfrozen",
    balanceChange: 0n,
    restored: {
      _tag: "Status",
      status: "frozen",
      freeze: { direction: "credits", reason: "audit", until: 1_767_225_600_000 }
    },
    ...money
  },
  "OperationReversed.Transfer.captured": {
    ...reversal,
    reversedType: "TransferSettled",
    balanceChange: 0n,
    restored: { _tag: "Transfer", transfer: { ...transfer, capture: { holdId: "hold-1", rest: 3n } } },
    ...money
  }
}
