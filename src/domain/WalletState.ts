/**
 * The states of a wallet, one after the other. Every state is built here, in one place
 * and with its keys in one order, so that all wallets share one hidden class.
 */
import * as HashMap from "effect/HashMap"
import type { RecordedEvent, WalletCreated } from "./Event.ts"
import type { Metadata } from "./Limits.ts"
import type { Freeze, OpenHold, PreparedLegs, TransferInFlight, Wallet, WalletStatus } from "./Wallet.ts"
import { holdBytes, preparedBytes, transferBytes } from "./WalletSize.ts"

type Holds = Wallet["holds"]
type Transfers = Wallet["transfers"]
type Prepared = Wallet["prepared"]

/** Shared by every wallet without open holds. */
const noHolds: Holds = HashMap.empty()
/** Shared by every wallet with nothing in flight. */
const noTransfers: Transfers = HashMap.empty()
/** Shared by every wallet with nothing prepared. */
const noPrepared: Prepared = HashMap.empty()

export const created = (recorded: RecordedEvent, event: WalletCreated): Wallet => ({
  id: recorded.walletId,
  ownerId: event.ownerId,
  currency: event.currency,
  balance: event.balanceAfter,
  held: event.heldAfter,
  overdraftLimit: event.overdraftLimit,
  status: "active",
  freeze: null,
  version: recorded.version,
  metadata: event.metadata,
  createdAt: recorded.time,
  updatedAt: recorded.time,
  holds: noHolds,
  transfers: noTransfers,
  prepared: noPrepared,
  openBytes: 0
})

const next = (
  wallet: Wallet,
  recorded: RecordedEvent,
  overdraftLimit: bigint,
  status: WalletStatus,
  freeze: Freeze | null,
  metadata: Metadata,
  holds: Holds,
  transfers: Transfers,
  prepared: Prepared,
  openBytes: number
): Wallet => ({
  id: wallet.id,
  ownerId: wallet.ownerId,
  currency: wallet.currency,
  balance: recorded.event.balanceAfter,
  held: recorded.event.heldAfter,
  overdraftLimit,
  status,
  freeze,
  version: recorded.version,
  metadata,
  createdAt: wallet.createdAt,
  updatedAt: recorded.time,
  holds,
  transfers,
  prepared,
  openBytes
})

/** Nothing but what every event says: balance and held sum, version and time. */
export const moved = (wallet: Wallet, recorded: RecordedEvent): Wallet =>
  next(
    wallet,
    recorded,
    wallet.overdraftLimit,
    wallet.status,
    wallet.freeze,
    wallet.metadata,
    wallet.holds,
    wallet.transfers,
    wallet.prepared,
    wallet.openBytes
  )

const withOpen = (
  wallet: Wallet,
  recorded: RecordedEvent,
  holds: Holds,
  transfers: Transfers,
  openBytes: number
): Wallet =>
  next(
    wallet,
    recorded,
    wallet.overdraftLimit,
    wallet.status,
    wallet.freeze,
    wallet.metadata,
    holds,
    transfers,
    wallet.prepared,
    openBytes
  )

const bytesOfHold = (wallet: Wallet, holdId: string): number => {
  const hold = HashMap.get(wallet.holds, holdId)
  return hold._tag === "Some" ? holdBytes(hold.value) : 0
}

const bytesOfTransfer = (wallet: Wallet, transferId: string): number => {
  const transfer = HashMap.get(wallet.transfers, transferId)
  return transfer._tag === "Some" ? transferBytes(transfer.value) : 0
}

/** The hold is open as given, whether or not it was before. */
export const withHold = (wallet: Wallet, recorded: RecordedEvent, hold: OpenHold): Wallet => {
  const openBytes = wallet.openBytes - bytesOfHold(wallet, hold.id) + holdBytes(hold)
  return withOpen(wallet, recorded, HashMap.set(wallet.holds, hold.id, hold), wallet.transfers, openBytes)
}

export const withoutHold = (wallet: Wallet, recorded: RecordedEvent, holdId: string): Wallet => {
  const openBytes = wallet.openBytes - bytesOfHold(wallet, holdId)
  return withOpen(wallet, recorded, HashMap.remove(wallet.holds, holdId), wallet.transfers, openBytes)
}

export const withTransfer = (wallet: Wallet, recorded: RecordedEvent, transfer: TransferInFlight): Wallet => {
  const openBytes = wallet.openBytes - bytesOfTransfer(wallet, transfer.id) + transferBytes(transfer)
  return withOpen(wallet, recorded, wallet.holds, HashMap.set(wallet.transfers, transfer.id, transfer), openBytes)
}

export const withoutTransfer = (wallet: Wallet, recorded: RecordedEvent, transferId: string): Wallet => {
  const openBytes = wallet.openBytes - bytesOfTransfer(wallet, transferId)
  return withOpen(wallet, recorded, wallet.holds, HashMap.remove(wallet.transfers, transferId), openBytes)
}

const preparing = (wallet: Wallet, recorded: RecordedEvent, prepared: Prepared, openBytes: number): Wallet =>
  next(
    wallet,
    recorded,
    wallet.overdraftLimit,
    wallet.status,
    wallet.freeze,
    wallet.metadata,
    wallet.holds,
    wallet.transfers,
    prepared,
    openBytes
  )

const bytesOfPrepared = (wallet: Wallet, transferId: string): number => {
  const prepared = HashMap.get(wallet.prepared, transferId)
  return prepared._tag === "Some" ? preparedBytes(prepared.value) : 0
}

/** The legs of that transfer are prepared as given, whether or not they were before. */
export const withPrepared = (wallet: Wallet, recorded: RecordedEvent, legs: PreparedLegs): Wallet => {
  const openBytes = wallet.openBytes - bytesOfPrepared(wallet, legs.id) + preparedBytes(legs)
  return preparing(wallet, recorded, HashMap.set(wallet.prepared, legs.id, legs), openBytes)
}

export const withoutPrepared = (wallet: Wallet, recorded: RecordedEvent, transferId: string): Wallet => {
  const openBytes = wallet.openBytes - bytesOfPrepared(wallet, transferId)
  return preparing(wallet, recorded, HashMap.remove(wallet.prepared, transferId), openBytes)
}

const withProfile = (
  wallet: Wallet,
  recorded: RecordedEvent,
  overdraftLimit: bigint,
  status: WalletStatus,
  freeze: Freeze | null,
  metadata: Metadata
): Wallet =>
  next(
    wallet,
    recorded,
    overdraftLimit,
    status,
    freeze,
    metadata,
    wallet.holds,
    wallet.transfers,
    wallet.prepared,
    wallet.openBytes
  )

/** `freeze`: of one that is frozen. */
export const withStatus = (
  wallet: Wallet,
  recorded: RecordedEvent,
  status: WalletStatus,
  freeze: Freeze | null = null
): Wallet => withProfile(wallet, recorded, wallet.overdraftLimit, status, freeze, wallet.metadata)

export const withOverdraftLimit = (wallet: Wallet, recorded: RecordedEvent, overdraftLimit: bigint): Wallet =>
  withProfile(wallet, recorded, overdraftLimit, wallet.status, wallet.freeze, wallet.metadata)

export const withMetadata = (wallet: Wallet, recorded: RecordedEvent, metadata: Metadata): Wallet =>
  withProfile(wallet, recorded, wallet.overdraftLimit, wallet.status, wallet.freeze, metadata)
