/**
 * Port: a search index of its own, as its writer sees it. What it holds is derived: it follows
 * the log, may be behind it, and can be made anew at any time. `ReadModel` is the side of its readers.
 *
 * Documents are whole, and each is as of an event of the one stream that alone changes it: the
 * wallet's own, the transfer's source's, the hold's wallet's, the transaction's wallet's. The
 * one that is as of the latest event stays, in whatever order and however often they are written.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { sourceOf } from "../domain/Transfer.ts"
import type { Hold, Transaction, Transfer, WalletView } from "../domain/Wallet.ts"
import type { DeadLetter } from "./Persistence.ts"
import type { ReadError } from "./StoreError.ts"

/** `version`: of the stream's event that the document is as of. `position`: what lists go by. */
export type SearchDocument =
  | {
      readonly kind: "wallet"
      readonly version: number
      readonly position: bigint
      readonly wallet: WalletView
    }
  | {
      readonly kind: "transaction"
      readonly version: number
      readonly position: bigint
      readonly ownerId: string
      /** The caller's. */
      readonly key: string | null
      /** Of an event that makes several: its number among them; else `0`. Lists go by it behind the position. */
      readonly leg: number
      readonly transaction: Transaction
    }
  | {
      readonly kind: "transfer"
      readonly version: number
      readonly position: bigint
      /** Of all its wallets. */
      readonly ownerIds: ReadonlyArray<string>
      /** The caller's. */
      readonly key: string | null
      readonly transfer: Transfer
    }
  | {
      readonly kind: "hold"
      readonly version: number
      readonly ownerId: string
      readonly currency: string
      readonly hold: Hold
    }

export type DocumentKind = SearchDocument["kind"]

export type DocumentOf<K extends DocumentKind> = Extract<SearchDocument, { readonly kind: K }>

/** A document's id among those of its kind: a hold's is its wallet's and its own, a transfer's its source's and its own. */
export const documentId = (document: SearchDocument): string => {
  switch (document.kind) {
    case "wallet":
      return document.wallet.id
    case "transaction":
      return document.transaction.id
    case "transfer":
      return `${sourceOf(document.transfer)}.${document.transfer.id}`
    case "hold":
      return `${document.hold.walletId}.${document.hold.id}`
  }
}

/** The wallet whose stream alone changes it. */
export const documentWallet = (document: SearchDocument): string => {
  switch (document.kind) {
    case "wallet":
      return document.wallet.id
    case "transaction":
      return document.transaction.walletId
    case "transfer":
      return sourceOf(document.transfer)
    case "hold":
      return document.hold.walletId
  }
}

export interface WriteOptions {
  /** For a repair: one that is there as of the same event is written over. Default: it stays. */
  readonly replace?: boolean | undefined
}

/** Documents as of these versions, both inclusive. */
export interface VersionRange {
  readonly from: number
  readonly to: number
}

/** An event as it is found again: a log that has another one at its place, or none, has another history. */
export interface LogMark {
  readonly walletId: string
  readonly version: number
  /** Of the event. */
  readonly id: string
}

/** One set of indexes. What is written to `current` once it is another log's fails as `StoreDefect`. */
export interface IndexSet {
  /**
   * One request; answers those that the index refuses whatever is tried, which are none of the others' trouble.
   * Of one that is there as of a later event nothing is written. A failure leaves each written or not, perhaps
   * later: to be written again.
   */
  readonly write: (
    documents: ReadonlyArray<SearchDocument>,
    options?: WriteOptions
  ) => Effect.Effect<ReadonlyArray<DeadLetter>, ReadError>
  /** Fails unless all of it can be searched: a part of it may be closed, lost or broken. */
  readonly searchable: Effect.Effect<void, ReadError>
  /** What has been written is found by every search that is sent after this has answered. */
  readonly refresh: Effect.Effect<void, ReadError>
  /** All events of the log up to this position have been written; `0n`: nothing yet. */
  readonly checkpoint: Effect.Effect<bigint, ReadError>
  /** An event that was written when the checkpoint was saved, at it or beyond; `undefined`: none is on record. */
  readonly mark: Effect.Effect<LogMark | undefined, ReadError>
  /** Never lowers it. To be called after what it covers, and the mark, has been written. */
  readonly saveCheckpoint: (position: bigint, mark?: LogMark) => Effect.Effect<void, ReadError>
  readonly count: (kind: DocumentKind) => Effect.Effect<number, ReadError>
  /**
   * The documents of these wallets (those whose stream changes them), whole, as of one moment after the
   * last refresh. In any order. `versions`: those alone; of a wallet with a long history never all at once.
   */
  readonly documentsOf: (
    walletIds: ReadonlyArray<string>,
    versions?: VersionRange
  ) => Effect.Effect<ReadonlyArray<SearchDocument>, ReadError>
  /** Ids of wallets that have any document, upwards behind `after`, at most `limit`. */
  readonly walletIds: (options: {
    readonly after: string
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<string>, ReadError>
}

/**
 * - `Ready`: as this release writes it.
 * - `Outdated`: made by another release with another mapping; it serves on, and is to be rebuilt.
 * - `Foreign`: of another log; nothing may be read from it or written to it.
 * - `Unfit`: no index of ours, or none that this release can use; `reason` says what to do.
 */
export type IndexState =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Outdated"; readonly reason: string }
  | { readonly _tag: "Foreign"; readonly reason: string }
  | { readonly _tag: "Unfit"; readonly reason: string }

export class SearchIndex extends Context.Service<
  SearchIndex,
  {
    /** Looks whether the index is there and whose it is; makes an empty one where there is none. */
    readonly open: (logId: string) => Effect.Effect<IndexState, ReadError>
    /** The set that is searched now, whichever it is. */
    readonly current: IndexSet
    /**
     * A set that nobody searches yet, to be filled: the one that an earlier call has left, or a new one. Nobody else can
     * have it at the same time, in any process; `undefined`: somebody has. Given back with the scope.
     */
    readonly next: (logId: string) => Effect.Effect<IndexSet | undefined, ReadError, Scope.Scope>
    /**
     * While the scope is open nothing is written to the current set, from any process, its checkpoint neither: writes fail as
     * `StoreUnavailable`, and those that were under way have ended when this has answered. A swap lifts it too: then
     * writes go to what was the next set. A process that ends without closing the scope leaves it behind: whoever holds
     * the next set or opens the index lifts it. Absent: a swap may hide what was written a moment before it, until
     * that is written to the new set, too.
     */
    readonly holdWrites?: Effect.Effect<void, ReadError, Scope.Scope>
    /** From now on the next set is the current one, at once for all readers; the one before stays. */
    readonly swap: Effect.Effect<void, ReadError>
    /** Removes all sets of that log that are neither searched nor being filled; answers their number. */
    readonly dropOld: (logId: string) => Effect.Effect<number, ReadError>
  }
>()("effect-wallet/stores/SearchIndex") {}
