/**
 * Search as queries over the tables of the transactional view: no second copy, so nothing lags and
 * nothing drifts.
 *
 * Every statement is planned for the values asked for: which index is the way to go depends on how
 * rare they are. None looks at more rows than a bound: what that does not answer is `QueryTooWide`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { ReadModel } from "../ReadModel.ts"
import { reading } from "./Failure.ts"
import { ReadConnections } from "./ReadConnections.ts"
import { searchHolds } from "./search/HoldSearch.ts"
import type { Bounds, Reader } from "./search/Reader.ts"
import { readStats } from "./search/StatsQuery.ts"
import { searchTransactions } from "./search/TransactionSearch.ts"
import { searchTransfers } from "./search/TransferSearch.ts"
import { searchWallets } from "./search/WalletSearch.ts"

const defaultBounds: Bounds = { rareRows: 2_000, walkedRows: 20_000 }

export interface SqlReadModelOptions {
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
  /** Rows; default 2,000. Up to so many with the words asked for are fetched by the index of the words and sorted. */
  readonly rareRows?: number | undefined
  /** Rows; default 20,000. No more are looked at for a page. */
  readonly walkedRows?: number | undefined
}

export const make = Effect.fnUntraced(function* (
  options: SqlReadModelOptions = {}
): Effect.fn.Return<ReadModel["Service"], never, SqlClient> {
  const sql = yield* SqlClient
  const inTurn = yield* ReadConnections
  const within = reading("readModel", options.readTimeoutMillis ?? 5_000)
  const reader: Reader = {
    read: <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
      within(inTurn(sql.unsafe<A>(statement, parameters).unprepared)),
    rareRows: options.rareRows ?? defaultBounds.rareRows,
    walkedRows: options.walkedRows ?? defaultBounds.walkedRows
  }
  return ReadModel.of({
    searchWallets: (query) => searchWallets(reader, query),
    searchTransactions: (query) => searchTransactions(reader, query),
    searchTransfers: (query) => searchTransfers(reader, query),
    searchHolds: (query) => searchHolds(reader, query),
    stats: (query) => readStats(reader, query)
  })
})

export const layer = (options: SqlReadModelOptions = {}): Layer.Layer<ReadModel, never, SqlClient> =>
  Layer.effect(ReadModel, make(options))
