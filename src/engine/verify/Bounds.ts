/**
 * What `verify` keeps in memory, all in one place. Of each slice that is compared: one page
 * of events and the next one that is read meanwhile, the rows that are compared, what the
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
