/** Stores whose longer reads wait for a turn each: a comparison beside commands, which come first. */
import type * as Effect from "effect/Effect"
import type { VerifyStores } from "./Walk.ts"

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
