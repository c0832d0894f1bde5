/**
 * Commands: what callers and the engine ask of a wallet. Plain data; a command's
 * time and the ids it introduces come in with it, so that `decide` stays pure.
 */
import type { Metadata } from "./Limits.ts"
import type { RecordedEvent } from "./Event.ts"
import type { Wallet } from "./Wallet.ts"

export interface CreateWallet {
  readonly _tag: "CreateWallet"
  readonly walletId: string
  readonly ownerId: string
  readonly currency: string
  readonly overdraftLimit: bigint
  readonly metadata: Metadata
}

interface Movement {
  readonly walletId: string
  readonly amount: bigint
  readonly reference: string | null
  readonly metadata: Metadata
}

export interface Credit extends Movement {
  readonly _tag: "Credit"
}

export interface Debit extends Movement {
  readonly _tag: "Debit"
}

export interface PlaceHold extends Movement {
  readonly _tag: "PlaceHold"
  readonly holdId: string
  readonly expiresAt: number | null
}

export interface CaptureHold {
  readonly _tag: "CaptureHold"
  readonly walletId: string
  readonly holdId: string
  /** `null`: all that remains. */
  readonly amount: bigint | null
  /** `true`: what then remains is released and the hold is closed. */
  readonly final: boolean
}

export interface ReleaseHold {
  readonly _tag: "ReleaseHold"
  readonly walletId: string
  readonly holdId: string
}

/** By the engine, at `expiresAt`, never before. */
export interface ExpireHold {
  readonly _tag: "ExpireHold"
  readonly walletId: string
  readonly holdId: string
}

/** Step 1 of a transfer, at the source: the money leaves and is in flight. */
export interface SendTransfer extends Movement {
  readonly _tag: "SendTransfer"
  readonly transferId: string
  readonly to: string
  /** The destination's currency, asked before; of no meaning when it is `"missing"`. */
  readonly currency: string
  /**
   * What rules the destination out, asked before; absent: nothing does. It travels to
   * the source so that the look-up of the key comes before this rejection, too.
   */
  readonly destination?: "missing" | "closed" | undefined
}

/** Step 2, at the destination. */
export interface ReceiveTransfer extends Movement {
  readonly _tag: "ReceiveTransfer"
  readonly transferId: string
  readonly from: string
  /** The source's currency. */
  readonly currency: string
}

/** Step 2 when the destination's rules reject it: recorded there, for ever. Works in any status. */
export interface RefuseTransfer {
  readonly _tag: "RefuseTransfer"
  readonly walletId: string
  readonly transferId: string
  readonly from: string
  readonly amount: bigint
  readonly reason: string
}

/** Step 3, at the source, after the destination has received. */
export interface SettleTransfer {
  readonly _tag: "SettleTransfer"
  readonly walletId: string
  readonly transferId: string
}

/** Step 3, at the source, after the destination has refused: the money comes back. */
export interface ReverseTransfer {
  readonly _tag: "ReverseTransfer"
  readonly walletId: string
  readonly transferId: string
  readonly reason: string
}

interface StatusChange {
  readonly walletId: string
  readonly reason: string | null
}

export interface Freeze extends StatusChange {
  readonly _tag: "Freeze"
}

export interface Unfreeze extends StatusChange {
  readonly _tag: "Unfreeze"
}

export interface Close extends StatusChange {
  readonly _tag: "Close"
}

/** Limit and metadata in one command, as `PATCH` sends them: all or nothing, at least one given. */
export interface UpdateWallet {
  readonly _tag: "UpdateWallet"
  readonly walletId: string
  readonly overdraftLimit: bigint | null
  /** Replaces the whole map. */
  readonly metadata: Metadata | null
}

/** Compensation of exactly one event that Persistence has refused; internal, on no API. */
export interface ReverseOperation {
  readonly _tag: "ReverseOperation"
  readonly walletId: string
  readonly operation: RecordedEvent
  /**
   * The state before the operation, folded from the log (`undefined` for
   * WalletCreated): what it closed or replaced is restored from here, because
   * neither the event nor the state after it has it any more.
   */
  readonly before: Wallet | undefined
  readonly reason: string
}

export type Command =
  | CreateWallet
  | Credit
  | Debit
  | PlaceHold
  | CaptureHold
  | ReleaseHold
  | ExpireHold
  | SendTransfer
  | ReceiveTransfer
  | RefuseTransfer
  | SettleTransfer
  | ReverseTransfer
  | Freeze
  | Unfreeze
  | Close
  | UpdateWallet
  | ReverseOperation
