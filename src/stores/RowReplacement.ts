/**
 * Replacing what is derived of many wallets at once: what `replay` does where the events
 * are the log and stay where they are.
 */
import type * as Effect from "effect/Effect"
import type { Hold, Transfer, Wallet } from "../domain/Wallet.ts"
import type { ReadError } from "./StoreError.ts"

/** Where a wallet stands. */
export interface WalletHead {
  readonly walletId: string
  /** The last version that the log has. */
  readonly last: number
  /** The version of the wallet's row; `-1`: there is none. */
  readonly persisted: number
}

/** All that is derived of one wallet, after the last of its events. */
export interface DerivedWallet {
  readonly wallet: Wallet
  /** Of its first event. */
  readonly position: bigint
  /** With the version of the event that placed it. */
  readonly holds: ReadonlyArray<{ readonly version: number; readonly hold: Hold }>
  /** With the version and the position of the event that sent it. */
  readonly transfers: ReadonlyArray<{
    readonly version: number
    readonly position: bigint
    readonly transfer: Transfer
  }>
}

export interface RowReplacement {
  /** The wallets that the log has with id > `after`, by id, at most `limit`. */
  readonly heads: (after: string, limit: number) => Effect.Effect<ReadonlyArray<WalletHead>, ReadError>
  /**
   * Replaces all rows of these wallets, in one transaction; readers never see them missing.
   * A wallet to which the log has more events by now keeps its rows: answers the ids of
   * those. Appends to these wallets wait meanwhile: milliseconds for some hundred rows.
   */
  readonly replace: (wallets: ReadonlyArray<DerivedWallet>) => Effect.Effect<ReadonlySet<string>, ReadError>
}
