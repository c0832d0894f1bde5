/**
 * Checks that several rules share: each answers a rejection, or `undefined`, so
 * that a rule reads as its precedence (`a ?? b ?? c`). The finders answer what was
 * asked for or the rejection that it is not there.
 */
import * as HashMap from "effect/HashMap"
import type { WalletLimits } from "./Decision.ts"
import { amountLimit, balanceLimit } from "./Limits.ts"
import {
  CurrencyMismatch,
  HoldNotFound,
  InsufficientFunds,
  LimitExceeded,
  type Rejection,
  TransferNotFound,
  WalletClosed,
  WalletFrozen
} from "./Rejection.ts"
import { available, type OpenHold, type TransferInFlight, type Wallet } from "./Wallet.ts"

export const closed = (wallet: Wallet): Rejection | undefined =>
  wallet.status === "closed" ? new WalletClosed({ walletId: wallet.id }) : undefined

export const closedOrFrozen = (wallet: Wallet): Rejection | undefined => {
  if (wallet.status === "active") return undefined
  return wallet.status === "closed"
    ? new WalletClosed({ walletId: wallet.id })
    : new WalletFrozen({ walletId: wallet.id })
}

export const currencyMismatch = (wallet: Wallet, given: string): Rejection | undefined =>
  given === wallet.currency
    ? undefined
    : new CurrencyMismatch({ walletId: wallet.id, currency: wallet.currency, given })

export const insufficient = (wallet: Wallet, required: bigint): Rejection | undefined => {
  const funds = available(wallet)
  return funds >= required ? undefined : new InsufficientFunds({ walletId: wallet.id, available: funds, required })
}

export const atLimit = (
  wallet: Wallet,
  limit: keyof WalletLimits,
  size: number,
  bound: number
): Rejection | undefined => (size < bound ? undefined : new LimitExceeded({ walletId: wallet.id, limit }))

export const findHold = (wallet: Wallet, holdId: string): OpenHold | HoldNotFound => {
  const hold = HashMap.get(wallet.holds, holdId)
  return hold._tag === "Some" ? hold.value : new HoldNotFound({ walletId: wallet.id, holdId })
}

export const findTransfer = (wallet: Wallet, transferId: string): TransferInFlight | TransferNotFound => {
  const transfer = HashMap.get(wallet.transfers, transferId)
  return transfer._tag === "Some" ? transfer.value : new TransferNotFound({ transferId })
}

/**
 * Whether `balanceAfter`, a balance that has grown, would not stay below 10^36
 * once everything in flight has come back: so a transfer that the other end
 * refuses can always be reversed. Adds up what is in flight only near the bound.
 *
 * Below zero there is nothing to check: a balance never falls below
 * `-overdraftLimit`, which has at most 30 digits.
 */
export const overBalanceLimit = (wallet: Wallet, balanceAfter: bigint): LimitExceeded | undefined => {
  const transfers = HashMap.size(wallet.transfers)
  const atMost = transfers === 0 ? balanceAfter : balanceAfter + BigInt(transfers) * amountLimit
  if (atMost < balanceLimit) return undefined
  let withReturns = balanceAfter
  for (const transfer of HashMap.values(wallet.transfers)) withReturns += transfer.amount
  return withReturns < balanceLimit ? undefined : new LimitExceeded({ walletId: wallet.id, limit: "balance" })
}
