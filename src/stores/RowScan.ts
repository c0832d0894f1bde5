/**
 * Reading many wallets at once, in the order of their ids: what `verify` walks over.
 * Only where an event is one row for log and view, and wallets lie side by side; any
 * other store is read wallet by wallet.
 */
import type { Hold, Transfer } from "../domain/Wallet.ts"
import type { PositionedEvent } from "./EventStore.ts"
import type { WalletView } from "./Persistence.ts"

/** Wallets with `after` < id ≤ `to`, ids compared byte by byte; `to` `undefined`: all the rest. */
export interface WalletRange {
  readonly after: string
  readonly to: string | undefined
}

/** What a store finds wrong with a row of its own that no value of the port shows. */
export interface RowFlaw {
  readonly walletId: string
  readonly what: string
  readonly expected: string
  readonly found: string
}

export interface ScannedEvent extends PositionedEvent {
  /** As its row shows it to readers of transactions. */
  readonly currency: string
}

export interface ScannedEvents {
  /** In the order of wallet and version. */
  readonly events: ReadonlyArray<ScannedEvent>
  readonly flaws: ReadonlyArray<RowFlaw>
}

/** Where a scan of events goes on. */
export interface ScanPlace {
  readonly walletId: string
  readonly version: number
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
