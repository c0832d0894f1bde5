/**
 * Port: search over wallets, transactions, transfers and holds, and what they add up to.
 *
 * All filters of a query have to hold. Lists are newest first, by what never changes once
 * written, so pages stay stable under writes. Ids, references and metadata are compared exactly.
 *
 * `q` matches whole words, any case (`SearchWords.ts` says what a word is): every
 * word of the query must be in the wallet's id, ownerId or metadata values; of a transaction, a
 * transfer or a hold: its id, its wallets' ids and ownerIds, reference or metadata values. A word
 * that ends with `*` matches all that begin with it.
 *
 * What a store cannot answer within its bounds it refuses at once (`QueryTooWide`), with what
 * to narrow: no query waits for a time-out.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Metadata } from "../domain/Limits.ts"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type {
  Hold,
  HoldStatus,
  Transaction,
  TransactionType,
  Transfer,
  TransferStatus,
  WalletStatus
} from "../domain/Wallet.ts"
import type { Page, PageRequest } from "./Page.ts"
import type { WalletView } from "./Persistence.ts"
import type { QueryTooWide, ReadError } from "./StoreError.ts"

/** The wallets that a search is about, whatever else it asks for. */
export interface SearchedWallets {
  /** One of these, 1–100; of a transfer either side. */
  readonly walletIds?: ReadonlyArray<string> | undefined
  /** One of these, 1–20. */
  readonly currencies?: ReadonlyArray<string> | undefined
}

/** What every list can be narrowed by. */
export interface SearchFilter extends PageRequest, SearchedWallets {
  readonly ownerId?: string | undefined
  readonly currency?: string | undefined
  /** Creation, inclusive, milliseconds. */
  readonly from?: number | undefined
  /** Creation, inclusive, milliseconds. */
  readonly to?: number | undefined
  /** Pairs that must all be there, 1–5. */
  readonly metadata?: Metadata | undefined
  readonly q?: string | undefined
}

export interface WalletSearch extends SearchFilter {
  readonly status?: WalletStatus | undefined
  /** Inclusive; may be negative. */
  readonly minBalance?: bigint | undefined
  /** Inclusive; may be negative. */
  readonly maxBalance?: bigint | undefined
}

/** Of what moves or holds an amount. */
export interface AmountSearch extends SearchFilter {
  /** Of a transfer: either side; and so `ownerId`. */
  readonly walletId?: string | undefined
  /** Inclusive. */
  readonly minAmount?: bigint | undefined
  /** Inclusive. */
  readonly maxAmount?: bigint | undefined
  readonly reference?: string | undefined
}

export interface TransactionSearch extends AmountSearch {
  readonly type?: TransactionType | undefined
  /** When it counts for the books, inclusive, milliseconds. */
  readonly effectiveFrom?: number | undefined
  /** When it counts for the books, inclusive, milliseconds. */
  readonly effectiveTo?: number | undefined
  readonly transferId?: string | undefined
  /** Of refunds: the transaction that they are of. */
  readonly refundOf?: string | undefined
  readonly holdId?: string | undefined
  /** The caller's key of the command that made it. */
  readonly idempotencyKey?: string | undefined
}

export interface TransferSearch extends AmountSearch {
  readonly status?: TransferStatus | undefined
  /** Of refunds: the transfer that they are of. */
  readonly refundOf?: string | undefined
  /** The caller's key of the command that sent it. */
  readonly idempotencyKey?: string | undefined
}

export interface HoldSearch extends AmountSearch {
  readonly status?: HoldStatus | undefined
  /** Holds with a time of expiry before this, milliseconds. */
  readonly expiresBefore?: number | undefined
}

/** Of the transactions of a time, and of the wallets as they are now. */
export interface StatsQuery extends SearchedWallets {
  readonly ownerId?: string | undefined
  readonly currency?: string | undefined
  /** Inclusive, milliseconds. */
  readonly from?: number | undefined
  /** Inclusive, milliseconds. */
  readonly to?: number | undefined
  /** In UTC. */
  readonly interval: "hour" | "day" | "month"
}

export interface TransactionStats {
  readonly currency: string
  readonly type: TransactionType
  /** Where the interval begins, milliseconds. */
  readonly start: number
  readonly count: number
  /** Exact. */
  readonly sum: bigint
}

export interface WalletStats {
  readonly currency: string
  readonly status: WalletStatus
  readonly count: number
  /** Of their balances; exact. */
  readonly balance: bigint
}

export interface Stats {
  /** By start, currency and type, each that has any. At most 10,000. */
  readonly transactions: ReadonlyArray<TransactionStats>
  /** By currency and status, each that has any. Not narrowed by `from` and `to`. */
  readonly wallets: ReadonlyArray<WalletStats>
}

/** `InvalidRequest`: the cursor is not one of ours. */
export type SearchError = ReadError | InvalidRequest | QueryTooWide

export class ReadModel extends Context.Service<
  ReadModel,
  {
    readonly searchWallets: (query: WalletSearch) => Effect.Effect<Page<WalletView>, SearchError>
    readonly searchTransactions: (query: TransactionSearch) => Effect.Effect<Page<Transaction>, SearchError>
    /** The status as the source has it. */
    readonly searchTransfers: (query: TransferSearch) => Effect.Effect<Page<Transfer>, SearchError>
    readonly searchHolds: (query: HoldSearch) => Effect.Effect<Page<Hold>, SearchError>
    readonly stats: (query: StatsQuery) => Effect.Effect<Stats, ReadError | QueryTooWide>
  }
>()("effect-wallet/stores/ReadModel") {}
