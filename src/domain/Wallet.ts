/**
 * The state of one wallet, as the fold of its events.
 *
 * A `Wallet` is immutable: `evolve` makes the next one. Amounts are `bigint` of
 * minor units, times are milliseconds since the epoch, `version` is the
 * revision of the last event (0-based).
 */
import type * as HashMap from "effect/HashMap"
import type { Metadata } from "./Limits.ts"

export type WalletStatus = "active" | "frozen" | "closed"

export interface Wallet {
  readonly id: string
  readonly ownerId: string
  readonly currency: string
  /** May be negative down to `-overdraftLimit`. */
  readonly balance: bigint
  /** Σ remaining of the open holds. */
  readonly held: bigint
  readonly overdraftLimit: bigint
  readonly status: WalletStatus
  readonly version: number
  readonly metadata: Metadata
  readonly createdAt: number
  /** Time of the last event. */
  readonly updatedAt: number
  /** Open holds only, by hold id. */
  readonly holds: HashMap.HashMap<string, OpenHold>
  /** Transfers sent and neither settled nor reversed, by transfer id. */
  readonly transfers: HashMap.HashMap<string, TransferInFlight>
}

/** What can be debited, held or sent now: `balance − held + overdraftLimit`. */
export const available = (wallet: Wallet): bigint => wallet.balance - wallet.held + wallet.overdraftLimit

export interface OpenHold {
  readonly id: string
  /** As placed. */
  readonly amount: bigint
  readonly captured: bigint
  /** Still held: `amount − captured`. */
  readonly remaining: bigint
  /** From this instant on it cannot be captured; `null`: never expires. */
  readonly expiresAt: number | null
  readonly reference: string | null
  readonly metadata: Metadata
  readonly createdAt: number
}

export interface TransferInFlight {
  readonly id: string
  readonly to: string
  readonly amount: bigint
  readonly reference: string | null
  readonly metadata: Metadata
  readonly createdAt: number
}

export type HoldStatus = "active" | "captured" | "released" | "expired"

/** A hold as a reader sees it, open or closed. */
export interface Hold {
  readonly id: string
  readonly walletId: string
  readonly amount: bigint
  readonly captured: bigint
  /** `0n` once closed. */
  readonly remaining: bigint
  /** A hold captured in part and then released or expired is `captured`. */
  readonly status: HoldStatus
  readonly expiresAt: number | null
  readonly reference: string | null
  readonly metadata: Metadata
  readonly createdAt: number
}

export type TransactionType = "credit" | "debit" | "capture" | "transfer_in" | "transfer_out" | "reversal"

/** One movement of a wallet's balance. Its id is the id of the event that made it. */
export interface Transaction {
  readonly id: string
  readonly walletId: string
  readonly type: TransactionType
  /** Always positive; `type` tells the direction, `balanceAfter` the result. */
  readonly amount: bigint
  readonly balanceAfter: bigint
  readonly currency: string
  readonly reference: string | null
  readonly metadata: Metadata
  readonly holdId: string | null
  readonly transferId: string | null
  readonly version: number
  readonly createdAt: number
}

/**
 * - `pending`: the money has left the source; the destination has not answered.
 * - `completed`: the destination has it.
 * - `reversed`: the destination refused it; the source has it back.
 */
export type TransferStatus = "pending" | "completed" | "reversed"

/** A movement from one wallet to another, as a reader sees it. */
export interface Transfer {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly amount: bigint
  readonly currency: string
  readonly status: TransferStatus
  /** Why it was reversed. */
  readonly reason: string | null
  readonly reference: string | null
  readonly metadata: Metadata
  /** Time of TransferSent, milliseconds. */
  readonly createdAt: number
  /** Time of the event that made the status: TransferSent, TransferReceived or TransferReversed. */
  readonly updatedAt: number
}
