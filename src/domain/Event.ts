/**
 * Events: what has happened to a wallet, by subject. Wire names and shapes are frozen
 * once landed (see `EventCodec.ts` and its golden files).
 *
 * Every event carries the balance and the held sum after it, so that a reader of
 * the log needs no fold to follow the money.
 */
import type { HoldEvent } from "./Hold.ts"
import type { DayLimit } from "./KeyLimit.ts"
import type { LegsEvent } from "./Legs.ts"
import type { LifecycleEvent } from "./Lifecycle.ts"
import type { MovementEvent } from "./Movement.ts"
import type { RefundEvent } from "./Refund.ts"
import { type OperationReversed, operationCases, ReversalEvent } from "./Reversal.ts"
import type { TransferEvent } from "./Transfer.ts"

export type {
  HoldCaptured,
  HoldCapturedTo,
  HoldChanged,
  HoldEvent,
  HoldExpired,
  HoldPlaced,
  HoldReleased
} from "./Hold.ts"
export type { LegsApplied, LegsBegun, LegsEvent, LegsPrepared, LegsRefused, LegsReleased, LegsSettled } from "./Legs.ts"
export type {
  FreezeExpired,
  LifecycleEvent,
  MetadataChanged,
  NothingChanged,
  OverdraftLimitChanged,
  WalletClosed,
  WalletCreated,
  WalletFrozen,
  WalletUnfrozen
} from "./Lifecycle.ts"
export type { MovementEvent, WalletCredited, WalletDebited } from "./Movement.ts"
export type { RefundEvent, RefundPaid, RefundReceived } from "./Refund.ts"
export type { OperationReversed, Restored } from "./Reversal.ts"
export type {
  TransferEvent,
  TransferReceived,
  TransferRefused,
  TransferReversed,
  TransferSent,
  TransferSettled
} from "./Transfer.ts"

export type WalletEvent =
  | LifecycleEvent
  | MovementEvent
  | HoldEvent
  | TransferEvent
  | LegsEvent
  | RefundEvent
  | typeof ReversalEvent.Type

export type WalletEventType = WalletEvent["_tag"]

/** As whoever follows the log is told it: what a reversal restores is the log's own book-keeping, and may be left out. */
export type PublicWalletEvent =
  | Exclude<WalletEvent, OperationReversed>
  | (Omit<OperationReversed, "restored"> & Partial<Pick<OperationReversed, "restored">>)

/** The schema of each event. */
export const eventCases = { ...operationCases, ...ReversalEvent.cases }

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
  /** Of a key whose spending of the day is limited: what the event takes is counted by it. */
  readonly keyLimit?: DayLimit | undefined
}

/**
 * An idempotency key with its namespace: `c:` the client's, `e:` the engine's own.
 * The prefix is part of what is stored and compared, so the two cannot collide.
 */
export type CommandKey = `c:${string}` | `e:${string}`

/** What the client has sent as its key; `null`: the key is the engine's own. */
export const callerKey = (key: string): string | null => (key.startsWith("c:") ? key.slice(2) : null)

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
