/**
 * What `verify` is asked to do, what it says on its way, what it keeps in memory, and how its longer reads wait for a
 * turn each beside commands, which come first.
 */
import type * as Effect from "effect/Effect"
import type { VerifyStores } from "./Walk.ts"

/**
 * What is kept in memory, all in one place. Of each slice that is compared: one page of
 * events and the next one that is read meanwhile, the rows that are compared, what the
 * fold of one wallet expects, and its keys and ids. Usual: 15 MB a slice; most, with
 * metadata at its limits everywhere: about 300 MB.
 */
export interface VerifyBounds {
  /** Slices compared at a time: while one waits for the database another is folded. */
  readonly slices: number
  /** Wallets of a slice, by ids. */
  readonly walletsPerSlice: number
  /** Events per read, about 0.4 kB each as a rule, at most 25 kB. */
  readonly pageEvents: number
  /** Rows of wallets, holds or transfers per read, at most 13 kB each. A wallet with more is read page by page. */
  readonly sliceRows: number
  /** Of one wallet: ids and keys remembered, about 0.3 kB an event. Beyond it a repeated one is not noticed. */
  readonly idsPerWallet: number
}

export const defaultVerifyBounds: VerifyBounds = {
  slices: 3,
  walletsPerSlice: 500,
  pageEvents: 2_000,
  sliceRows: 10_000,
  idsPerWallet: 100_000
}

/** Events of a wallet that are remembered for the reversals behind them; older ones are read again. */
export const recentEvents = 1_024

/** Wallets of a slice that are looked for in search; all whose rows differ are besides. */
export const searchedPerSlice = 8

/** Wallets compared one by one at a time, where they are. */
export const walletsAtATime = 8

export interface VerifyProgress {
  /** How much of the log is compared, of `head`: in its order, or so many events by slices of wallets. */
  readonly position: bigint
  readonly head: bigint
  readonly wallets: number
  readonly differenceCount: number
}

export interface VerifyOptions {
  /** Compare this wallet alone; the money of all is not summed up then. */
  readonly walletId?: string | undefined
  /** Replace the rows of wallets that differ, and compare those again. Default `false`. */
  readonly repair?: boolean | undefined
  /** What is kept in memory, where wallets are compared by slices. */
  readonly bounds?: Partial<VerifyBounds> | undefined
  /** Wallets compared at a time, where they are compared one by one. Default 8: both cores and the database stay busy. */
  readonly concurrency?: number | undefined
  /** Differences kept in the report; all are counted. Default 100. */
  readonly maxDifferences?: number | undefined
  /** In the order of the log: default 1,000,000, about 150 MB. */
  readonly walletsPerPass?: number | undefined
  /** How long a derived store may lag before that is a difference, milliseconds. Default 10,000. */
  readonly lagMillis?: number | undefined
  /** Beside commands: each page that is compared waits for its turn. A repair's reads do not. */
  readonly inTurn?: InTurn | undefined
  /** Called after each page. */
  readonly onProgress?: ((progress: VerifyProgress) => Effect.Effect<void>) | undefined
}

/** Runs a read when it is its turn. */
export type InTurn = <A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Only what is read page after page; never inside a transaction, which would keep a connection while it waits. */
export const readInTurn = ({ index, log, persistence, readModel }: VerifyStores, inTurn: InTurn): VerifyStores => {
  const { scan } = log
  const { rowScan } = persistence
  return {
    index,
    readModel,
    log: {
      ...log,
      read: (walletId, options) => inTurn(log.read(walletId, options)),
      ...(scan === undefined ? {} : { scan: (options) => inTurn(scan(options)) })
    },
    persistence: {
      ...persistence,
      scanTransactions: (walletId, options) => inTurn(persistence.scanTransactions(walletId, options)),
      scanHolds: (walletId, options) => inTurn(persistence.scanHolds(walletId, options)),
      scanTransfers: (walletId, options) => inTurn(persistence.scanTransfers(walletId, options)),
      ...(rowScan === undefined
        ? {}
        : { rowScan: { ...rowScan, rows: (range, maxRows) => inTurn(rowScan.rows(range, maxRows)) } })
    }
  }
}
