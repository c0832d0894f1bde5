/** The order in which statements lock the rows of several wallets. */
import type { Commit } from "../../domain/Commit.ts"

/**
 * Rows of several wallets are locked in the order of their ids, so that appends and
 * writes do not block one another in a circle.
 */
export const byWallet = (a: Commit, b: Commit): number =>
  a.walletId < b.walletId ? -1 : a.walletId > b.walletId ? 1 : 0
