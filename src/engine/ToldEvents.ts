/** Events as the engine tells them: of a wallet, and of the feed. */
import type { EventMetadata, PublicWalletEvent, WalletEventType } from "../domain/Event.ts"

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
