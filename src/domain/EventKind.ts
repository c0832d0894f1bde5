/**
 * What there is to say of one kind of event: how it changes the state, the money and the
 * rows that readers see, and how it is taken back. Each subject has a table with an entry
 * for each of its events (`holdEvents` and its like); a kind that is not in its table, or
 * that leaves one of these unsaid, does not compile. `EventKinds.ts` puts them together.
 */
import type { RecordedEvent, Restored, WalletEvent } from "./Event.ts"
import type { HoldChange } from "./Hold.ts"
import type { LegsChange } from "./Legs.ts"
import type { Metadata } from "./Limits.ts"
import type { TransferChange } from "./Transfer.ts"
import type { Transaction, TransactionType, Wallet } from "./Wallet.ts"

export interface EventKind<E extends WalletEvent> {
  /** The state after it. */
  readonly evolve: (wallet: Wallet, recorded: RecordedEvent, event: E) => Wallet
  /** Signed change of the balance, minor units. */
  readonly balanceChange: (event: E) => bigint
  /** The transaction that it makes; `undefined`: it moves no money. */
  readonly transaction: TransactionOf<E> | undefined
  /** Of one that makes several, in their order, instead of `transaction`. */
  readonly transactions?: TransactionsOf<E>
  /** How it changes the row of a hold; `undefined`: none. */
  readonly holdChange: ((recorded: RecordedEvent, event: E) => HoldChange | undefined) | undefined
  /** How it changes the row of a transfer at its source; `undefined`: none. */
  readonly transferChange: ((recorded: RecordedEvent, event: E) => TransferChange | undefined) | undefined
  /** How it changes the rows of the wallet's legs of a transfer; left out: not. */
  readonly legsChange?: (recorded: RecordedEvent, event: E) => LegsChange | undefined
  /** How it is reversed; `undefined`: a fact about time or about another wallet, which never is. */
  readonly reversible: Reversible<E> | undefined
  /** Whether it builds on what events have left behind that may still be reversed. */
  readonly buildsOn: (traces: Traces, event: E) => boolean
}

/** An entry for each event of a subject. */
export type EventKinds<E extends WalletEvent> = {
  readonly [T in E["_tag"]]: EventKind<Extract<E, { readonly _tag: T }>>
}

export interface Reversible<E extends WalletEvent> {
  /**
   * What a reversal does, from the state it meets and the state before the event.
   * `undefined`: later events build on it, so that it cannot be done any more.
   */
  readonly undo: (wallet: Wallet, before: Wallet | undefined, event: E) => Undo | undefined
  /** By how much the event changes what is available, minor units. */
  readonly availableChange: (event: E) => bigint
  /** By how much it makes the state smaller, bytes, at most: so much a reversal puts back. */
  readonly freedAtMost: (event: E) => number
  /** What it leaves behind that a later one may build on, beside money; `undefined`: nothing. */
  readonly trace: (event: E) => string | undefined
  /** Of one that leaves more than one thing behind: the others. */
  readonly moreTraces?: (event: E) => ReadonlyArray<string>
}

/** Signed changes in minor units, and what comes back. */
export interface Undo {
  readonly balanceChange: bigint
  readonly heldChange: bigint
  readonly restored: Restored
}

export interface Traces {
  readonly has: (trace: string) => boolean
}

/** `wallet`: whose event it is, before or after (a currency never changes). */
export type TransactionOf<E extends WalletEvent> = (
  recorded: RecordedEvent,
  wallet: { readonly currency: string },
  event: E
) => Transaction | undefined

export type TransactionsOf<E extends WalletEvent> = (
  recorded: RecordedEvent,
  wallet: { readonly currency: string },
  event: E
) => ReadonlyArray<Transaction>

// --- For the entries ---------------------------------------------------------

export const nothing = (): bigint => 0n
export const received = (event: { readonly amount: bigint }): bigint => event.amount
export const spent = (event: { readonly amount: bigint }): bigint => -event.amount

export const freesNothing = (): number => 0

export const noTrace = (): undefined => undefined
export const buildsOnNothing = (): boolean => false

/** Money leaves a wallet only where it is not frozen. */
export const needsUnfrozen = (traces: Traces): boolean => traces.has("unfrozen")

/** … and comes only where it is not frozen for credits. */
export const needsCreditsUnfrozen = (traces: Traces): boolean => traces.has("unfrozen for credits")

/** When an event counts for the books, milliseconds. */
export const effectiveAtOf = ({ event, time }: RecordedEvent): number =>
  "effectiveAt" in event && event.effectiveAt !== null ? event.effectiveAt : time

export const transaction = (
  recorded: RecordedEvent,
  wallet: { readonly currency: string },
  type: TransactionType,
  amount: bigint,
  reference: string | null,
  metadata: Metadata,
  holdId: string | null,
  transferId: string | null,
  refundOf: string | null = null
): Transaction => ({
  id: recorded.id,
  walletId: recorded.walletId,
  type,
  amount,
  balanceAfter: recorded.event.balanceAfter,
  currency: wallet.currency,
  reference,
  metadata,
  holdId,
  transferId,
  refundOf,
  version: recorded.version,
  createdAt: recorded.time,
  effectiveAt: effectiveAtOf(recorded)
})
