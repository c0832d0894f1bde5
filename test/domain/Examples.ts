/** Commands, events and states for the tests of the domain; each test names what it is about and takes the rest from here. */
import type { Command } from "../../src/domain/Command.ts"
import type { RecordedEvent, WalletEvent } from "../../src/domain/Event.ts"
import { fold } from "../../src/domain/Evolve.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import { recordedAt } from "../../src/testing/Specification.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"

export const walletId = "wallet-1"

type CommandOf<T extends Command["_tag"]> = Extract<Command, { readonly _tag: T }>
type EventOf<T extends WalletEvent["_tag"]> = Extract<WalletEvent, { readonly _tag: T }>

const note = { reference: null, metadata: noMetadata }
const booked = { ...note, effectiveAt: null }

const commands: { readonly [T in Command["_tag"]]: Omit<CommandOf<T>, "_tag" | "walletId"> } = {
  CreateWallet: { ownerId: "owner-1", currency: "EUR", overdraftLimit: 0n, metadata: noMetadata },
  Credit: { amount: 10n, ...booked },
  Debit: { amount: 10n, ...booked, force: null },
  PlaceHold: { holdId: "hold-1", amount: 10n, expiresAt: null, ...note },
  CaptureHold: { holdId: "hold-1", amount: null, final: false, effectiveAt: null },
  CaptureHoldTo: {
    holdId: "hold-1",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: null,
    final: false,
    currency: "EUR",
    destination: null,
    effectiveAt: null
  },
  ChangeHold: { holdId: "hold-1", amount: 10n, expiry: null },
  ReleaseHold: { holdId: "hold-1" },
  ExpireHold: { holdId: "hold-1" },
  SendTransfer: {
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 10n,
    currency: "EUR",
    destination: null,
    ...booked,
    refund: null
  },
  ReceiveTransfer: { transferId: "transfer-9", from: "wallet-9", amount: 10n, currency: "EUR", ...booked },
  RefuseTransfer: { transferId: "transfer-9", from: "wallet-9", amount: 10n, reason: "WalletClosed" },
  SettleTransfer: { transferId: "transfer-1" },
  ReverseTransfer: { transferId: "transfer-1", reason: "WalletClosed" },
  BeginLegs: {
    transferId: "transfer-5",
    legs: [
      { from: "wallet-1", to: "wallet-2", amount: 10n, ...note, refund: null },
      { from: "wallet-2", to: "wallet-3", amount: 4n, ...note, refund: null }
    ],
    parties: [
      { walletId: "wallet-2", currency: "EUR", status: "active", freeze: null, available: 0n },
      { walletId: "wallet-3", currency: "EUR", status: "active", freeze: null, available: 0n }
    ],
    ...booked,
    refundOf: null
  },
  PrepareLegs: {
    transferId: "transfer-5",
    home: "wallet-9",
    currency: "EUR",
    legs: [{ leg: 0, side: "received", counterparty: "wallet-9", amount: 10n, ...note, refund: null }],
    effectiveAt: 1
  },
  RefuseLegs: { transferId: "transfer-5", home: "wallet-9", leg: 0, reason: "WalletClosed" },
  ApplyLegs: { transferId: "transfer-5" },
  ReleaseLegs: { transferId: "transfer-5", reason: "WalletClosed", leg: 1 },
  SettleLegs: { transferId: "transfer-5", transactions: [] },
  Freeze: { reason: null, direction: null, until: null },
  ExpireFreeze: { until: 1_767_225_600_000 },
  RefundTransaction: {
    transactionId: "01968a4e-5b00-7000-8000-000000000001",
    direction: "in",
    amount: 10n,
    bound: { amount: 10n, refunded: 0n, version: 0 },
    ...booked
  },
  Unfreeze: { reason: null },
  Close: { reason: null },
  UpdateWallet: { overdraftLimit: null, metadata: noMetadata },
  ReverseOperation: {
    operation: recordedAt(walletId, 0, 0, [
      {
        _tag: "WalletCreated",
        ownerId: "owner-1",
        currency: "EUR",
        overdraftLimit: 0n,
        metadata: noMetadata,
        balanceAfter: 0n,
        heldAfter: 0n
      }
    ])[0] as RecordedEvent,
    before: undefined,
    reason: "refused"
  }
}

/** A command for {@link walletId}, well formed, of 10 minor units where it has an amount. */
export const command = <T extends Command["_tag"]>(
  tag: T,
  fields: Partial<Omit<CommandOf<T>, "_tag">> = {}
): CommandOf<T> =>
  // The table ties the tag to its fields; TypeScript cannot follow the pair.
  ({ _tag: tag, walletId, ...commands[tag], ...fields }) as unknown as CommandOf<T>

const after = { balanceAfter: 0n, heldAfter: 0n }

const events: { readonly [T in WalletEvent["_tag"]]: Omit<EventOf<T>, "_tag"> } = {
  WalletCreated: { ownerId: "owner-1", currency: "EUR", overdraftLimit: 0n, metadata: noMetadata, ...after },
  WalletCredited: { amount: 10n, ...booked, ...after },
  WalletDebited: { amount: 10n, ...booked, forced: null, ...after },
  HoldPlaced: { holdId: "hold-1", amount: 10n, expiresAt: null, ...note, ...after },
  HoldCaptured: {
    holdId: "hold-1",
    amount: 10n,
    released: 0n,
    capturedAfter: 10n,
    remainingAfter: 0n,
    effectiveAt: null,
    expiresAt: null,
    ...after
  },
  HoldCapturedTo: {
    holdId: "hold-1",
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 10n,
    currency: "EUR",
    rest: 0n,
    capturedAfter: 10n,
    remainingAfter: 0n,
    effectiveAt: null,
    expiresAt: null,
    ...after
  },
  HoldChanged: {
    holdId: "hold-1",
    amount: 10n,
    previousAmount: 10n,
    expiresAt: null,
    previousExpiresAt: null,
    capturedAfter: 0n,
    remainingAfter: 10n,
    ...after
  },
  HoldReleased: { holdId: "hold-1", amount: 10n, capturedAfter: 0n, expiresAt: null, ...after },
  HoldExpired: { holdId: "hold-1", amount: 10n, capturedAfter: 0n, expiresAt: null, ...after },
  TransferSent: {
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 10n,
    currency: "EUR",
    ...booked,
    refund: null,
    ...after
  },
  TransferReceived: { transferId: "transfer-9", from: "wallet-9", amount: 10n, ...booked, ...after },
  TransferRefused: { transferId: "transfer-9", from: "wallet-9", amount: 10n, reason: "WalletClosed", ...after },
  TransferSettled: { transferId: "transfer-1", to: "wallet-2", amount: 10n, holdId: null, ...after },
  TransferReversed: {
    transferId: "transfer-1",
    to: "wallet-2",
    amount: 10n,
    reason: "WalletClosed",
    effectiveAt: null,
    holdId: null,
    capturedAfter: null,
    remainingAfter: null,
    ...after
  },
  RefundReceived: { refundOf: "01968a4e-5b00-7000-8000-000000000001", amount: 10n, ...booked, ...after },
  RefundPaid: { refundOf: "01968a4e-5b00-7000-8000-000000000001", amount: 10n, ...booked, ...after },
  LegsBegun: {
    transferId: "transfer-5",
    legs: [
      { from: "wallet-1", to: "wallet-2", amount: 10n, currency: "EUR", ...note, refund: null },
      { from: "wallet-2", to: "wallet-3", amount: 4n, currency: "EUR", ...note, refund: null }
    ],
    ...note,
    effectiveAt: null,
    refundOf: null,
    held: 10n,
    ...after
  },
  LegsPrepared: {
    transferId: "transfer-5",
    home: "wallet-9",
    legs: [{ leg: 0, side: "received", counterparty: "wallet-9", amount: 10n, ...note, refund: null }],
    effectiveAt: 1,
    held: 0n,
    ...after
  },
  LegsRefused: { transferId: "transfer-5", home: "wallet-9", leg: 0, reason: "WalletClosed", ...after },
  LegsApplied: {
    transferId: "transfer-5",
    home: "wallet-9",
    legs: [{ leg: 0, side: "received", counterparty: "wallet-9", amount: 10n, ...note, refund: null }],
    effectiveAt: 1,
    released: 0n,
    ...after
  },
  LegsReleased: {
    transferId: "transfer-5",
    home: "wallet-9",
    released: 0n,
    reason: "WalletClosed",
    leg: 1,
    ...after
  },
  LegsSettled: { transferId: "transfer-5", reason: null, leg: null, transactions: [], ...after },
  WalletFrozen: { reason: null, direction: null, until: null, replaced: null, ...after },
  WalletUnfrozen: { reason: null, direction: null, ...after },
  FreezeExpired: { until: 50, ...after },
  WalletClosed: { reason: null, ...after },
  OverdraftLimitChanged: { overdraftLimit: 0n, previousLimit: 0n, ...after },
  MetadataChanged: { metadata: noMetadata, previousMetadata: noMetadata, ...after },
  NothingChanged: { command: "Freeze", reason: null, ...after },
  OperationReversed: {
    reversedVersion: 1,
    reversedType: "WalletCredited",
    reason: "refused",
    balanceChange: -10n,
    restored: { _tag: "Nothing" },
    ...after
  }
}

/** An event of 10 minor units where it has an amount, with nothing on the wallet after it. */
export const event = <T extends WalletEvent["_tag"]>(
  tag: T,
  fields: Partial<Omit<EventOf<T>, "_tag">> = {}
): EventOf<T> =>
  // As for commands.
  ({ _tag: tag, ...events[tag], ...fields }) as unknown as EventOf<T>

export const record = (version: number, recorded: WalletEvent, time = 0): RecordedEvent =>
  recordedAt(walletId, version, time, [recorded])[0] as RecordedEvent

export const walletOf = (stream: ReadonlyArray<WalletEvent>, time = 0): Wallet => {
  const wallet = fold(undefined, recordedAt(walletId, 0, time, stream))
  if (wallet === undefined) throw new Error("no wallet without an event")
  return wallet
}

export const created = event("WalletCreated")
/** Created, with a balance of 100. */
export const funded: ReadonlyArray<WalletEvent> = [
  created,
  event("WalletCredited", { amount: 100n, balanceAfter: 100n })
]
/** {@link funded}, 10 of it held until instant 50. */
export const holding: ReadonlyArray<WalletEvent> = [
  ...funded,
  event("HoldPlaced", { expiresAt: 50, balanceAfter: 100n, heldAfter: 10n })
]
/** {@link funded}, 10 of it sent to `wallet-2`. */
export const sending: ReadonlyArray<WalletEvent> = [...funded, event("TransferSent", { balanceAfter: 90n })]
export const frozen = (stream: ReadonlyArray<WalletEvent>): ReadonlyArray<WalletEvent> => {
  const { balance, held } = walletOf(stream)
  return [...stream, event("WalletFrozen", { balanceAfter: balance, heldAfter: held })]
}
export const closed: ReadonlyArray<WalletEvent> = [created, event("WalletClosed")]
