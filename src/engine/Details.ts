/**
 * What callers are shown beside the views of the domain: transactions and transfers with what was refunded of them, events
 * of a wallet and of the feed.
 */
import type { EventMetadata, PublicWalletEvent, WalletEventType } from "../domain/Event.ts"
import type { Transaction, TransferLeg, Transfer } from "../domain/Wallet.ts"

/** A transaction as callers see it. */
export interface TransactionDetails extends Transaction {
  /** What of it was given back, or taken back; `0n` of what is no movement of its own. */
  readonly refunded: bigint
}

/** A transfer as callers see it. */
export interface TransferDetails extends Omit<Transfer, "legs"> {
  /** Of one leg what of it was refunded, or is on its way back; of several `null`: their legs tell. */
  readonly refunded: bigint | null
  readonly legs: ReadonlyArray<TransferLeg & { readonly refunded: bigint }>
}

export interface EventsQuery {
  readonly walletId: string
  /** Version; `-1`: from the first event. */
  readonly after: number
  /** 1–200. */
  readonly limit: number
}

/**
 * An event at its place in a wallet's stream. `id` and `metadata` are not public: the service of a remote engine
 * does not tell them, and they are absent there.
 */
export interface ToldEvent {
  readonly id?: string
  readonly walletId: string
  readonly version: number
  /** Milliseconds; never goes back within a stream. */
  readonly time: number
  readonly event: PublicWalletEvent
  readonly metadata?: EventMetadata
}

/** An event of the feed, with its place in the log. All followers are given the same, frozen. */
export interface FeedEvent {
  readonly position: bigint
  readonly recorded: ToldEvent
}

/** Events of the feed that follow each other in the log. */
export interface FeedPage {
  /** The events behind this position … */
  readonly after: bigint
  /** … up to this one. */
  readonly last: bigint
  readonly events: ReadonlyArray<FeedEvent>
}

/** What an event has to be of, to be in a feed. A part that is left out lets all through. */
export interface FeedFilter {
  /** One of these, 1–100. */
  readonly walletIds?: ReadonlyArray<string> | undefined
  /** One of these, 1–100. */
  readonly types?: ReadonlyArray<WalletEventType> | undefined
}
