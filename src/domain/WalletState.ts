/**
 * The states of a wallet, one after the other. Every state is built here, in one place
 * and with its keys in one order, so that all wallets share one hidden class.
 */
import * as HashMap from "effect/HashMap"
import type { RecordedEvent, WalletCreated } from "./Event.ts"
import type { Metadata } from "./Limits.ts"
import type { Wallet, WalletStatus } from "./Wallet.ts"

type Holds = Wallet["holds"]
type Transfers = Wallet["transfers"]

/** Shared by every wallet without open holds. */
const noHolds: Holds = HashMap.empty()
/** Shared by every wallet with nothing in flight. */
const noTransfers: Transfers = HashMap.empty()

export const created = (recorded: RecordedEvent, event: WalletCreated): Wallet => ({
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

/** Nothing but what every event says: balance and held sum, version and time. */
export const moved = (wallet: Wallet, recorded: RecordedEvent): Wallet =>
  next(wallet, recorded, wallet.overdraftLimit, wallet.status, wallet.metadata, wallet.holds, wallet.transfers)

export const withHolds = (wallet: Wallet, recorded: RecordedEvent, holds: Holds): Wallet =>
  next(wallet, recorded, wallet.overdraftLimit, wallet.status, wallet.metadata, holds, wallet.transfers)

export const withTransfers = (wallet: Wallet, recorded: RecordedEvent, transfers: Transfers): Wallet =>
  next(wallet, recorded, wallet.overdraftLimit, wallet.status, wallet.metadata, wallet.holds, transfers)

export const withStatus = (wallet: Wallet, recorded: RecordedEvent, status: WalletStatus): Wallet =>
  next(wallet, recorded, wallet.overdraftLimit, status, wallet.metadata, wallet.holds, wallet.transfers)

export const withOverdraftLimit = (wallet: Wallet, recorded: RecordedEvent, overdraftLimit: bigint): Wallet =>
  next(wallet, recorded, overdraftLimit, wallet.status, wallet.metadata, wallet.holds, wallet.transfers)

export const withMetadata = (wallet: Wallet, recorded: RecordedEvent, metadata: Metadata): Wallet =>
  next(wallet, recorded, wallet.overdraftLimit, wallet.status, metadata, wallet.holds, wallet.transfers)
