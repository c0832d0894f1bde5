/**
 * Port: the transactional view. Wallets, transactions, holds and idempotency
 * keys, derived from the log and always rebuildable from it.
 *
 * `wallets.version = n` means: every row of events ≤ n is there.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Hold, HoldStatus, Transaction, TransactionType, Wallet } from "../domain/Wallet.ts"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { Page, PageRequest } from "./Page.ts"
import type { ReadError } from "./StoreError.ts"

/** A wallet without its open holds and transfers: what a row or a document shows. */
export type WalletView = Omit<Wallet, "holds" | "transfers">

export interface TransactionQuery extends PageRequest {
  readonly walletId: string
  /** Inclusive, milliseconds. */
  readonly from?: number | undefined
  /** Inclusive, milliseconds. */
  readonly to?: number | undefined
  readonly type?: TransactionType | undefined
}

export interface HoldQuery extends PageRequest {
  readonly walletId: string
  readonly status?: HoldStatus | undefined
}

/** A key that a wallet has seen: which command (fingerprint) and its last event. */
export interface SeenKey {
  readonly key: string
  readonly fingerprint: string
  readonly version: number
}

export interface KeyLookup {
  /** `wallets.version` read in the same statement; `-1`: the wallet is not there. Keys of later events are not covered. */
  readonly persistedVersion: number
  readonly seen: ReadonlyArray<SeenKey>
}

export class Persistence extends Context.Service<
  Persistence,
  {
    readonly wallet: (walletId: string) => Effect.Effect<WalletView | undefined, ReadError>
    /** Newest first. `InvalidRequest`: the cursor is not one of ours. */
    readonly transactions: (query: TransactionQuery) => Effect.Effect<Page<Transaction>, ReadError | InvalidRequest>
    /** Newest first. */
    readonly holds: (query: HoldQuery) => Effect.Effect<Page<Hold>, ReadError | InvalidRequest>
    readonly hold: (walletId: string, holdId: string) => Effect.Effect<Hold | undefined, ReadError>
    /** One statement, however many keys. Keys carry their namespace (`c:` or `e:`). */
    readonly findKeys: (walletId: string, keys: ReadonlyArray<string>) => Effect.Effect<KeyLookup, ReadError>
    /** All wallets with id > `after`, by id: what `verify` walks over. */
    readonly scanWallets: (options: {
      readonly after: string
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<WalletView>, ReadError>
    /** All of one wallet's transactions with version > `after`, upwards. */
    readonly scanTransactions: (
      walletId: string,
      options: { readonly after: number; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Transaction>, ReadError>
    /** All of one wallet's holds with id > `after`, by id. */
    readonly scanHolds: (
      walletId: string,
      options: { readonly after: string; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Hold>, ReadError>
  }
>()("effect-wallet/stores/Persistence") {}
