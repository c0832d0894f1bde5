/**
 * Rows of many wallets at once, in the order of their ids: how `verify` reads them, and how a
 * rebuild replaces them. Only where an event is one row for log and view, and wallets lie side
 * by side; any other store is read and written wallet by wallet.
 */
import type * as Effect from "effect/Effect"
import type { RecordedEvent } from "../domain/Event.ts"
import type { LegsChange } from "../domain/Legs.ts"
import type { Hold, Transfer, Wallet, WalletView } from "../domain/Wallet.ts"
import type { RowFlaw } from "./EventStore.ts"
import type { ReadError } from "./StoreError.ts"

/** A wallet without its open holds and transfers: what a row or a document shows. */
export type { WalletView } from "../domain/Wallet.ts"

/** Wallets with `after` < id ≤ `to`, ids compared byte by byte; `to` `undefined`: all the rest. */
export interface WalletRange {
  readonly after: string
  readonly to: string | undefined
}

/** What is derived of one wallet. */
export interface DerivedRows {
  readonly walletId: string
  /** With the position of the wallet's first event, as the row has it. */
  readonly wallet: { readonly view: WalletView; readonly position: bigint } | undefined
  readonly holds: ReadonlyArray<Hold>
  /** Of which it is the source; the status as the source has it. */
  readonly transfers: ReadonlyArray<Transfer>
  readonly refusals: number
  /** `false`: there are more rows than asked for, and these are not all. */
  readonly whole: boolean
}

/** All as of one moment. */
export interface ScannedRows {
  /** In the order of ids; wallets without any row are left out. */
  readonly wallets: ReadonlyArray<DerivedRows>
  /** How far they go: all of the range, or less, where that would be more rows than asked for. */
  readonly to: string | undefined
  readonly flaws: ReadonlyArray<RowFlaw>
}

/** Reads what is derived of many wallets. */
export interface RowScan {
  /** The id of the wallet that is the `count`-th behind `after`; `undefined`: there are fewer. */
  readonly walletBehind: (after: string, count: number) => Effect.Effect<string | undefined, ReadError>
  /**
   * What is derived of the wallets of the range, all as of one moment. Of wallets, holds,
   * transfers and refusals at most `maxRows` each; a wallet that has more alone is not whole.
   */
  readonly rows: (range: WalletRange, maxRows: number) => Effect.Effect<ScannedRows, ReadError>
}

/** What sorts just before an id, and behind every other one before it: ids have no character behind `~`. */
export const justBefore = (id: string): string =>
  `${id.slice(0, -1)}${String.fromCharCode(id.charCodeAt(id.length - 1) - 1)}~`

/** The range of one wallet. */
export const rangeOf = (walletId: string): WalletRange => ({ after: justBefore(walletId), to: walletId })

/** No id is behind it. */
export const lastId = "~"

/**
 * How far rows are complete that were asked for up to a bound. `cuts`: of each kind of rows
 * that went beyond the bound, the wallet of the last one. `giant`: a single wallet, which
 * has more rows alone.
 */
export const completeTo = (
  { after, to }: WalletRange,
  cuts: ReadonlyArray<string | undefined>
): { readonly to: string | undefined; readonly giant: string | undefined } => {
  let cut: string | undefined
  for (const one of cuts) if (one !== undefined && (cut === undefined || one < cut)) cut = one
  if (cut === undefined) return { to, giant: undefined }
  const before = justBefore(cut)
  return before <= after ? { to: cut, giant: cut } : { to: before, giant: undefined }
}

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
  /** Of transfers of several legs: what is promised, and what became transactions by which event. */
  readonly legs: ReadonlyArray<DerivedLegs>
}

export interface DerivedLegs {
  readonly change: Exclude<LegsChange, { readonly _tag: "Released" }>
  readonly applied: { readonly position: bigint; readonly recorded: RecordedEvent } | undefined
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
