/**
 * `evolve`: the next state of a wallet from its state and one event of its log.
 *
 * Total over every event that `decide` can emit. It never judges: what is in the
 * log has happened. A stream that does not begin with WalletCreated, or that has
 * a gap, is no stream of ours; that is a defect and is thrown as one.
 *
 * Every state is built by `next`, in one place, so that all wallets share one
 * hidden class.
 */
import * as HashMap from "effect/HashMap"
import type {
  HoldCaptured,
  HoldPlaced,
  OperationReversed,
  RecordedEvent,
  TransferSent,
  WalletCreated
} from "./Event.ts"
import type { Metadata } from "./Limits.ts"
import type { OpenHold, TransferInFlight, Wallet, WalletStatus } from "./Wallet.ts"

type Holds = Wallet["holds"]
type Transfers = Wallet["transfers"]

/** Shared by every wallet without open holds. */
const noHolds: Holds = HashMap.empty()
/** Shared by every wallet with nothing in flight. */
const noTransfers: Transfers = HashMap.empty()

/** The state after `recorded`. Amounts in minor units, times in milliseconds. */
export const evolve = (wallet: Wallet | undefined, recorded: RecordedEvent): Wallet => {
  const event = recorded.event
  if (recorded.version !== (wallet === undefined ? 0 : wallet.version + 1)) {
    throw new Error(`event ${recorded.version} of wallet ${recorded.walletId} does not continue its state`)
  }
  if (wallet === undefined) {
    if (event._tag === "WalletCreated") return created(recorded, event)
    throw new Error(`the stream of wallet ${recorded.walletId} begins with ${event._tag}`)
  }
  switch (event._tag) {
    case "WalletCredited":
    case "WalletDebited":
    case "TransferReceived":
    case "TransferRefused":
      return withMaps(wallet, recorded, wallet.holds, wallet.transfers)
    case "HoldPlaced":
      return withMaps(
        wallet,
        recorded,
        HashMap.set(wallet.holds, event.holdId, placed(recorded, event)),
        wallet.transfers
      )
    case "HoldCaptured":
      return withMaps(wallet, recorded, captured(wallet.holds, event), wallet.transfers)
    case "HoldReleased":
    case "HoldExpired":
      return withMaps(wallet, recorded, HashMap.remove(wallet.holds, event.holdId), wallet.transfers)
    case "TransferSent":
      return withMaps(
        wallet,
        recorded,
        wallet.holds,
        HashMap.set(wallet.transfers, event.transferId, sent(recorded, event))
      )
    case "TransferSettled":
    case "TransferReversed":
      return withMaps(wallet, recorded, wallet.holds, HashMap.remove(wallet.transfers, event.transferId))
    case "WalletFrozen":
      return withStatus(wallet, recorded, "frozen")
    case "WalletUnfrozen":
      return withStatus(wallet, recorded, "active")
    case "WalletClosed":
      return withStatus(wallet, recorded, "closed")
    case "OverdraftLimitChanged":
      return withOverdraftLimit(wallet, recorded, event.overdraftLimit)
    case "MetadataChanged":
      return withMetadata(wallet, recorded, event.metadata)
    case "OperationReversed":
      return reversed(wallet, recorded, event)
    case "WalletCreated":
      throw new Error(`wallet ${recorded.walletId} is created twice`)
  }
}

/** The state after all of `events`, which continue `wallet` without a gap. */
export const fold = (wallet: Wallet | undefined, events: ReadonlyArray<RecordedEvent>): Wallet | undefined => {
  let state = wallet
  for (const recorded of events) state = evolve(state, recorded)
  return state
}

const created = (recorded: RecordedEvent, event: WalletCreated): Wallet => ({
  id: recorded.walletId,
  ownerId: event.ownerId,
  currency: event.currency,
  balance: event.balanceAfter,
  held: event.heldAfter,
  overdraftLimit: event.overdraftLimit,
  status: "active",
  version: recorded.version,
  metadata: event.metadata,
  createdAt: recorded.time,
  updatedAt: recorded.time,
  holds: noHolds,
  transfers: noTransfers
})

/** The keys in the order of `created`: one hidden class. */
const next = (
  wallet: Wallet,
  recorded: RecordedEvent,
  overdraftLimit: bigint,
  status: WalletStatus,
  metadata: Metadata,
  holds: Holds,
  transfers: Transfers
): Wallet => ({
  id: wallet.id,
  ownerId: wallet.ownerId,
  currency: wallet.currency,
  balance: recorded.event.balanceAfter,
  held: recorded.event.heldAfter,
  overdraftLimit,
  status,
  version: recorded.version,
  metadata,
  createdAt: wallet.createdAt,
  updatedAt: recorded.time,
  holds,
  transfers
})

const withMaps = (wallet: Wallet, recorded: RecordedEvent, holds: Holds, transfers: Transfers): Wallet =>
  next(wallet, recorded, wallet.overdraftLimit, wallet.status, wallet.metadata, holds, transfers)

const withStatus = (wallet: Wallet, recorded: RecordedEvent, status: WalletStatus): Wallet =>
  next(wallet, recorded, wallet.overdraftLimit, status, wallet.metadata, wallet.holds, wallet.transfers)

const withOverdraftLimit = (wallet: Wallet, recorded: RecordedEvent, overdraftLimit: bigint): Wallet =>
  next(wallet, recorded, overdraftLimit, wallet.status, wallet.metadata, wallet.holds, wallet.transfers)

const withMetadata = (wallet: Wallet, recorded: RecordedEvent, metadata: Metadata): Wallet =>
  next(wallet, recorded, wallet.overdraftLimit, wallet.status, metadata, wallet.holds, wallet.transfers)

const placed = (recorded: RecordedEvent, event: HoldPlaced): OpenHold => ({
  id: event.holdId,
  amount: event.amount,
  captured: 0n,
  remaining: event.amount,
  expiresAt: event.expiresAt,
  reference: event.reference,
  metadata: event.metadata,
  createdAt: recorded.time
})

const captured = (holds: Holds, event: HoldCaptured): Holds => {
  if (event.remainingAfter === 0n) return HashMap.remove(holds, event.holdId)
  return HashMap.modify(holds, event.holdId, (hold) => ({
    id: hold.id,
    amount: hold.amount,
    captured: event.capturedAfter,
    remaining: event.remainingAfter,
    expiresAt: hold.expiresAt,
    reference: hold.reference,
    metadata: hold.metadata,
    createdAt: hold.createdAt
  }))
}

const sent = (recorded: RecordedEvent, event: TransferSent): TransferInFlight => ({
  id: event.transferId,
  to: event.to,
  amount: event.amount,
  reference: event.reference,
  metadata: event.metadata,
  createdAt: recorded.time
})

const reversed = (wallet: Wallet, recorded: RecordedEvent, event: OperationReversed): Wallet => {
  const restored = event.restored
  switch (restored._tag) {
    case "Nothing":
      return withMaps(wallet, recorded, wallet.holds, wallet.transfers)
    case "Hold":
      return withMaps(wallet, recorded, HashMap.set(wallet.holds, restored.hold.id, restored.hold), wallet.transfers)
    case "NoHold":
      return withMaps(wallet, recorded, HashMap.remove(wallet.holds, restored.holdId), wallet.transfers)
    case "Transfer":
      return withMaps(
        wallet,
        recorded,
        wallet.holds,
        HashMap.set(wallet.transfers, restored.transfer.id, restored.transfer)
      )
    case "NoTransfer":
      return withMaps(wallet, recorded, wallet.holds, HashMap.remove(wallet.transfers, restored.transferId))
    case "Status":
      return withStatus(wallet, recorded, restored.status)
    case "OverdraftLimit":
      return withOverdraftLimit(wallet, recorded, restored.overdraftLimit)
    case "Metadata":
      return withMetadata(wallet, recorded, restored.metadata)
  }
}
