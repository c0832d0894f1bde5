/**
 * Events: what has happened to a wallet. Wire names and shapes are frozen once
 * landed (see `EventCodec.ts` and its golden files).
 *
 * Every event carries the balance and the held sum after it, so that a reader of
 * the log needs no fold to follow the money.
 */
import type { Metadata } from "./Limits.ts"
import type { OpenHold, TransferInFlight, WalletStatus } from "./Wallet.ts"

interface After {
  readonly balanceAfter: bigint
  readonly heldAfter: bigint
}

export interface WalletCreated extends After {
  readonly _tag: "WalletCreated"
  readonly ownerId: string
  readonly currency: string
  readonly overdraftLimit: bigint
  readonly metadata: Metadata
}

export interface WalletCredited extends After {
  readonly _tag: "WalletCredited"
  readonly amount: bigint
  readonly reference: string | null
  readonly metadata: Metadata
}

export interface WalletDebited extends After {
  readonly _tag: "WalletDebited"
  readonly amount: bigint
  readonly reference: string | null
  readonly metadata: Metadata
}

export interface HoldPlaced extends After {
  readonly _tag: "HoldPlaced"
  readonly holdId: string
  readonly amount: bigint
  readonly expiresAt: number | null
  readonly reference: string | null
  readonly metadata: Metadata
}

export interface HoldCaptured extends After {
  readonly _tag: "HoldCaptured"
  readonly holdId: string
  readonly amount: bigint
  /** Released by a final partial capture; else `0n`. */
  readonly released: bigint
  /** Of this hold, all captures up to this one. */
  readonly capturedAfter: bigint
  /** `0n` closes the hold. */
  readonly remainingAfter: bigint
}

export interface HoldReleased extends After {
  readonly _tag: "HoldReleased"
  readonly holdId: string
  /** What was still held. */
  readonly amount: bigint
  readonly capturedAfter: bigint
}

export interface HoldExpired extends After {
  readonly _tag: "HoldExpired"
  readonly holdId: string
  readonly amount: bigint
  readonly capturedAfter: bigint
}

export interface TransferSent extends After {
  readonly _tag: "TransferSent"
  readonly transferId: string
  readonly to: string
  readonly amount: bigint
  readonly currency: string
  readonly reference: string | null
  readonly metadata: Metadata
}

export interface TransferReceived extends After {
  readonly _tag: "TransferReceived"
  readonly transferId: string
  readonly from: string
  readonly amount: bigint
  readonly reference: string | null
  readonly metadata: Metadata
}

export interface TransferRefused extends After {
  readonly _tag: "TransferRefused"
  readonly transferId: string
  readonly from: string
  readonly amount: bigint
  readonly reason: string
}

export interface TransferSettled extends After {
  readonly _tag: "TransferSettled"
  readonly transferId: string
  readonly to: string
  readonly amount: bigint
}

export interface TransferReversed extends After {
  readonly _tag: "TransferReversed"
  readonly transferId: string
  readonly to: string
  readonly amount: bigint
  readonly reason: string
}

export interface WalletFrozen extends After {
  readonly _tag: "WalletFrozen"
  readonly reason: string | null
}

export interface WalletUnfrozen extends After {
  readonly _tag: "WalletUnfrozen"
  readonly reason: string | null
}

export interface WalletClosed extends After {
  readonly _tag: "WalletClosed"
  readonly reason: string | null
}

export interface OverdraftLimitChanged extends After {
  readonly _tag: "OverdraftLimitChanged"
  readonly overdraftLimit: bigint
  /** What it was, so that a reversal needs no fold. */
  readonly previousLimit: bigint
}

export interface MetadataChanged extends After {
  readonly _tag: "MetadataChanged"
  readonly metadata: Metadata
  readonly previousMetadata: Metadata
}

/**
 * Undoes exactly one earlier event of this wallet. `restored` is what the undone
 * event had taken away or replaced, in full, so that `evolve` stays total.
 */
export interface OperationReversed extends After {
  readonly _tag: "OperationReversed"
  readonly reversedVersion: number
  readonly reversedType: WalletEventType
  readonly reason: string
  /** Signed change of the balance by this reversal. */
  readonly balanceChange: bigint
  readonly restored: Restored
}

export type Restored =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Hold"; readonly hold: OpenHold }
  | { readonly _tag: "NoHold"; readonly holdId: string }
  | { readonly _tag: "Transfer"; readonly transfer: TransferInFlight }
  | { readonly _tag: "NoTransfer"; readonly transferId: string }
  | { readonly _tag: "Status"; readonly status: WalletStatus }
  | { readonly _tag: "OverdraftLimit"; readonly overdraftLimit: bigint }
  | { readonly _tag: "Metadata"; readonly metadata: Metadata }

export type WalletEvent =
  | WalletCreated
  | WalletCredited
  | WalletDebited
  | HoldPlaced
  | HoldCaptured
  | HoldReleased
  | HoldExpired
  | TransferSent
  | TransferReceived
  | TransferRefused
  | TransferSettled
  | TransferReversed
  | WalletFrozen
  | WalletUnfrozen
  | WalletClosed
  | OverdraftLimitChanged
  | MetadataChanged
  | OperationReversed

export type WalletEventType = WalletEvent["_tag"]

/**
 * Where an event came from. Stored beside it as a flat map of strings (KurrentDB's
 * multi-stream append takes no other); never part of the public feed.
 */
export interface EventMetadata {
  /** The id of the first event of the command that caused this one. */
  readonly commandId: string
  readonly key: CommandKey
  readonly fingerprint: string
  readonly correlationId: string | null
  readonly causationId: string | null
  /** Name of the API key, `null` for the engine itself and unnamed library callers. */
  readonly actor: string | null
  /** The ownership claim under which it was appended; set once, by the actor. */
  readonly epoch: number
}

/**
 * An idempotency key with its namespace: `c:` the client's, `e:` the engine's own.
 * The prefix is part of what is stored and compared, so the two cannot collide.
 */
export type CommandKey = `c:${string}` | `e:${string}`

/** An event at its place in a wallet's stream. */
export interface RecordedEvent {
  /** UUID, time-ordered. The store recognises a repeated append by it. */
  readonly id: string
  readonly walletId: string
  readonly version: number
  /** Milliseconds; never goes back within a stream. */
  readonly time: number
  readonly event: WalletEvent
  readonly metadata: EventMetadata
}
