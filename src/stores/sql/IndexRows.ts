/**
 * Rows as a search index shows them: the wallets first, then what belongs to them, so that
 * nothing is older than its wallet. One statement of each kind, along the primary keys.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { callerKey } from "../../domain/Event.ts"
import type { IndexRows, IndexRowsQuery } from "../Persistence.ts"
import type { ReadError } from "../StoreError.ts"
import { texts } from "./Parameters.ts"
import {
  holdColumns,
  holdOfRow,
  type HoldRow,
  transactionIdColumns,
  transferColumns,
  transferOfRow,
  type TransferRow,
  walletColumns,
  walletOf,
  type WalletRow
} from "./Rows.ts"

const readWallets = `select ${walletColumns} from wallets where id = any($1)`

const asked = "unnest($1::text[], $2::text[]) as a (wallet_id, id)"

const readHolds = `select ${holdColumns} from ${asked} join holds using (wallet_id, id)`

const readTransfers = `
select ${transferColumns}, null::timestamptz as received_at, ${transactionIdColumns}, e.key
from ${asked} join transfers t on t.wallet_id = a.wallet_id and t.id = a.id
  left join events e on e.wallet_id = t.wallet_id and e.version = t.version`

const readRefused = `select wallet_id, version from refusals where wallet_id = any($1)`

interface SentRow extends TransferRow {
  readonly key: string | null
}

interface RefusedRow {
  readonly wallet_id: string
  readonly version: bigint
}

const pairs = (rows: ReadonlyArray<{ readonly walletId: string; readonly id: string }>): ReadonlyArray<unknown> => [
  texts(rows.map(({ walletId }) => walletId)),
  texts(rows.map(({ id }) => id))
]

/** `log`: the log is this database, and nothing of it is refused. */
export const makeIndexRows = (
  sql: SqlClient,
  log: boolean,
  within: <A>(statement: Effect.Effect<A, SqlError>) => Effect.Effect<A, ReadError>
) => {
  const read = <A extends object>(statement: string, asked: ReadonlyArray<unknown>, any: boolean) =>
    any ? within(sql.unsafe<A>(statement, asked)) : Effect.succeed<ReadonlyArray<A>>([])

  return Effect.fnUntraced(function* ({
    holds,
    transfers,
    wallets
  }: IndexRowsQuery): Effect.fn.Return<IndexRows, ReadError> {
    const ofWallets = [texts(wallets)]
    const walletRows = yield* read<WalletRow>(readWallets, ofWallets, wallets.length > 0)
    const holdRows = yield* read<HoldRow>(readHolds, pairs(holds), holds.length > 0)
    const transferRows = yield* read<SentRow>(readTransfers, pairs(transfers), transfers.length > 0)
    const refusedRows = yield* read<RefusedRow>(readRefused, ofWallets, wallets.length > 0 && !log)
    return {
      wallets: walletRows.map((row) => ({ view: walletOf(row), position: row.position })),
      holds: holdRows.map(holdOfRow),
      transfers: transferRows.map((row) => ({
        transfer: transferOfRow(row),
        position: row.position,
        key: row.key === null ? null : callerKey(row.key)
      })),
      refused: refusedRows.map((row) => ({ walletId: row.wallet_id, version: Number(row.version) }))
    }
  })
}
