/** The rules for the wallet itself: creating, freezing, closing, changing its limit and metadata. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import { closed, insufficient } from "./Checks.ts"
import type { Close, CreateWallet, Freeze, Unfreeze } from "./Command.ts"
import type { Decision } from "./Decision.ts"
import type { MetadataChanged, OverdraftLimitChanged, WalletEvent } from "./Event.ts"
import type { Metadata } from "./Limits.ts"
import { malformedCreation, malformedReason, malformedUpdate } from "./Validation.ts"
import { type Rejection, WalletAlreadyExists, WalletNotEmpty } from "./Rejection.ts"
import type { Wallet } from "./Wallet.ts"

export const create = (wallet: Wallet | undefined, command: CreateWallet): Decision => {
  const rejection =
    wallet !== undefined ? new WalletAlreadyExists({ walletId: command.walletId }) : malformedCreation(command)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletCreated",
      ownerId: command.ownerId,
      currency: command.currency,
      overdraftLimit: command.overdraftLimit,
      metadata: command.metadata,
      balanceAfter: 0n,
      heldAfter: 0n
    }
  ])
}

export const freeze = (wallet: Wallet, command: Freeze): Decision => {
  const rejection = closed(wallet) ?? malformedReason(command.reason)
  if (rejection !== undefined) return Result.fail(rejection)
  if (wallet.status === "frozen") return Result.succeed([])
  return Result.succeed([
    {
      _tag: "WalletFrozen",
      reason: command.reason,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

export const unfreeze = (wallet: Wallet, command: Unfreeze): Decision => {
  const rejection = closed(wallet) ?? malformedReason(command.reason)
  if (rejection !== undefined) return Result.fail(rejection)
  if (wallet.status === "active") return Result.succeed([])
  return Result.succeed([
    {
      _tag: "WalletUnfrozen",
      reason: command.reason,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

const notEmpty = (wallet: Wallet): Rejection | undefined => {
  const openHolds = HashMap.size(wallet.holds)
  const transfersInFlight = HashMap.size(wallet.transfers)
  return wallet.balance === 0n && openHolds === 0 && transfersInFlight === 0
    ? undefined
    : new WalletNotEmpty({ walletId: wallet.id, balance: wallet.balance, openHolds, transfersInFlight })
}

export const close = (wallet: Wallet, command: Close): Decision => {
  const rejection = closed(wallet) ?? malformedReason(command.reason) ?? notEmpty(wallet)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletClosed",
      reason: command.reason,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

/** `null`: not to be changed. A lower limit needs its difference to be available. */
export const update = (wallet: Wallet, overdraftLimit: bigint | null, metadata: Metadata | null): Decision => {
  const rejection =
    closed(wallet) ??
    malformedUpdate(overdraftLimit, metadata) ??
    (overdraftLimit === null ? undefined : insufficient(wallet, wallet.overdraftLimit - overdraftLimit))
  if (rejection !== undefined) return Result.fail(rejection)
  const events: Array<WalletEvent> = []
  if (overdraftLimit !== null) events.push(overdraftLimitChanged(wallet, overdraftLimit))
  if (metadata !== null) events.push(metadataChanged(wallet, metadata))
  return Result.succeed(events)
}

const overdraftLimitChanged = (wallet: Wallet, overdraftLimit: bigint): OverdraftLimitChanged => ({
  _tag: "OverdraftLimitChanged",
  overdraftLimit,
  previousLimit: wallet.overdraftLimit,
  balanceAfter: wallet.balance,
  heldAfter: wallet.held
})

const metadataChanged = (wallet: Wallet, metadata: Metadata): MetadataChanged => ({
  _tag: "MetadataChanged",
  metadata,
  previousMetadata: wallet.metadata,
  balanceAfter: wallet.balance,
  heldAfter: wallet.held
})
