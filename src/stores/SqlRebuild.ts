/**
 * Takes rows of the transactional view away so that they can be written again: at
 * once and for all to see, or within one transaction that writes them too.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { readFailure } from "./SqlFailure.ts"
import { texts } from "./SqlParameters.ts"
import { lockStreams, nextGeneration, Rebuilding } from "./SqlWrite.ts"
import type { ReadError } from "./StoreError.ts"

/**
 * One statement, so that a creation that lands meanwhile is seen whole or not at all.
 * Wallets that are there have to be locked before.
 */
const removeWallets = `
with transactions as (delete from transactions where wallet_id = any($1)),
holds as (delete from holds where wallet_id = any($1)),
transfers as (delete from transfers where wallet_id = any($1)),
keys as (delete from idempotency_keys where wallet_id = any($1)),
refusals as (delete from refusals where wallet_id = any($1))
delete from wallets where id = any($1)`

const removeAll = `
truncate transactions, holds, transfers, idempotency_keys, refusals, wallets, marks, kept_positions`

const lockWallets = "select from wallets where id = any($1) order by id for update"

/** The position of a wallet is that of its first event, which makes no transaction. */
const keepPositions = `
insert into kept_positions (wallet_id, version, position)
select wallet_id, version, position from transactions where wallet_id = any($1)
union all
select id, 0, position from wallets where id = any($1)`

/**
 * Rows that were missing have got new positions, and those after them have kept
 * theirs. Positions go up with the versions: from the first that is out of order on,
 * all are new.
 */
const reorder = `
with first_wrong as (
  select wallet_id, min(version) as version
  from (
    select wallet_id, version, position, min(position) over (
      partition by wallet_id order by version rows between 1 following and unbounded following) as later
    from transactions where wallet_id = any($1)
  ) t
  where position > later
  group by wallet_id
),
renewed as (
  select wallet_id, version, nextval('persisted_position') as position
  from (
    select t.wallet_id, t.version from first_wrong f
    join transactions t on t.wallet_id = f.wallet_id and t.version >= f.version
    order by t.wallet_id, t.version
  ) in_order
)
update transactions t set position = r.position
from renewed r where t.wallet_id = r.wallet_id and t.version = r.version`

const forgetPositions = "delete from kept_positions where wallet_id = any($1)"

export interface SqlRebuildOptions {
  /** The log is in this database: appends to the wallets wait, and then begin again. */
  readonly log: boolean
}

const failed = readFailure("persistence")

export const erase = (
  sql: SqlClient,
  options: SqlRebuildOptions,
  walletId: string | "all"
): Effect.Effect<void, ReadError> =>
  Effect.gen(function* () {
    if (walletId === "all") {
      yield* sql.unsafe(removeAll)
      yield* sql.unsafe("update persisted_log set log_id = null")
    } else {
      const wallets = [texts([walletId])]
      if (options.log) yield* sql.unsafe(lockStreams, wallets)
      yield* sql.unsafe(lockWallets, wallets)
      yield* sql.unsafe(removeWallets, wallets)
    }
    if (options.log) yield* sql.unsafe(nextGeneration)
  }).pipe(sql.withTransaction, Effect.mapError(failed))

/** Tells a failure of the rewriting from one of the transaction around it. */
class RewriteFailed<E> {
  readonly _tag = "RewriteFailed"
  readonly error: E
  constructor(error: E) {
    this.error = error
  }
}

export const rebuild = <A, E, R>(
  sql: SqlClient,
  options: SqlRebuildOptions,
  walletIds: ReadonlyArray<string>,
  rewrite: Effect.Effect<A, E, R>
): Effect.Effect<A, E | ReadError, R> =>
  Effect.gen(function* (): Effect.fn.Return<A, SqlError | RewriteFailed<E>, R> {
    const wallets = [texts(walletIds)]
    // The streams first, as an append does; then nobody moves these wallets.
    if (options.log) yield* sql.unsafe(lockStreams, wallets)
    yield* sql.unsafe(lockWallets, wallets)
    if (!options.log) yield* sql.unsafe(keepPositions, wallets)
    yield* sql.unsafe(removeWallets, wallets)
    const result = yield* rewrite.pipe(
      Effect.provideService(Rebuilding, sql),
      Effect.mapError((error) => new RewriteFailed(error))
    )
    if (options.log) yield* sql.unsafe(nextGeneration)
    else {
      yield* sql.unsafe(reorder, wallets)
      yield* sql.unsafe(forgetPositions, wallets)
    }
    return result
  }).pipe(
    sql.withTransaction,
    Effect.mapError((error) => (error instanceof RewriteFailed ? error.error : failed(error)))
  )
