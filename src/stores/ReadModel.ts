/**
 * Port: search over wallets and transactions.
 *
 * `q` matches whole words, any case (`SearchWords.ts` says what a word is): every
 * word of the query must be in the wallet's id, ownerId or metadata values, or in
 * the transaction's id, its wallet's id and ownerId, reference or metadata values.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { Transaction, TransactionType, WalletStatus } from "../domain/Wallet.ts"
import type { Page, PageRequest } from "./Page.ts"
import type { WalletView } from "./Persistence.ts"
import type { ReadError } from "./StoreError.ts"

export interface WalletSearch extends PageRequest {
  readonly ownerId?: string | undefined
  readonly currency?: string | undefined
  readonly status?: WalletStatus | undefined
  /** Inclusive; may be negative. */
  readonly minBalance?: bigint | undefined
  /** Inclusive; may be negative. */
  readonly maxBalance?: bigint | undefined
  readonly q?: string | undefined
}

export interface TransactionSearch extends PageRequest {
  readonly q?: string | undefined
  readonly ownerId?: string | undefined
  readonly type?: TransactionType | undefined
}

export class ReadModel extends Context.Service<
  ReadModel,
  {
    /** Newest first (by creation). `InvalidRequest`: the cursor is not one of ours. */
    readonly searchWallets: (query: WalletSearch) => Effect.Effect<Page<WalletView>, ReadError | InvalidRequest>
    /** Newest first. */
    readonly searchTransactions: (
      query: TransactionSearch
    ) => Effect.Effect<Page<Transaction>, ReadError | InvalidRequest>
  }
>()("effect-wallet/stores/ReadModel") {}
