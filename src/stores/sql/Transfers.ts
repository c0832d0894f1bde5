/**
 * Transfers as their two wallets' rows tell them: the source has the row, and a
 * transfer that the source still calls pending is completed once the destination's
 * transaction is there. Lists go along indexes, one branch for each status and side.
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { Transfer, TransferStatus } from "../../domain/Wallet.ts"
import { decodePosition, encodePosition, pageOf } from "../ListCursor.ts"
import type { Page } from "../Page.ts"
import type { OpenTransfer, TransferQuery } from "../Persistence.ts"
import { SqlConditions } from "./Conditions.ts"
import { int8, text, time } from "./Parameters.ts"
import { transferColumns, transferOfRow, type TransferRow } from "./Rows.ts"
import type { ReadError } from "../StoreError.ts"

export type Read = <A extends object>(
  statement: string,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, ReadError>

/** The destination's event, unless that was undone. */
const received = `left join lateral (
    select min(r.time) as created_at from events r
    where r.transfer_id = t.id and r.wallet_id = t.to_wallet_id and r.type in ('TransferReceived', 'OperationReversed')
    having bool_and(r.type = 'TransferReceived')
  ) received on true`

const columns = `${transferColumns}, received.created_at as received_at`

const readTransfer = `select ${columns} from transfers t ${received} where t.id = $1 order by t.position limit 1`

const readBySource = `
select ${transferColumns}, null::timestamptz as received_at from transfers t
where t.wallet_id = $1 and t.id > $2 order by t.id limit $3`

const readOpen = `
select wallet_id, id, created_at from transfers
where status = 'pending' and created_at < $1 order by created_at, wallet_id, id limit $2`

/**
 * What the source has to say for a transfer to be in that status, and what the
 * destination. Of `is null` the planner would expect that it hardly ever holds, and
 * sort all that is pending instead of walking back from the newest.
 */
const branchesOf: Readonly<Record<TransferStatus | "any", ReadonlyArray<string>>> = {
  any: ["t.status = 'pending'", "t.status = 'completed'", "t.status = 'reversed'"],
  pending: ["t.status = 'pending' and num_nulls(received.created_at) > 0"],
  completed: ["t.status = 'completed'", "t.status = 'pending' and num_nonnulls(received.created_at) > 0"],
  reversed: ["t.status = 'reversed'"]
}

export const findTransfer = (read: Read, transferId: string): Effect.Effect<Transfer | undefined, ReadError> =>
  Effect.map(read<TransferRow>(readTransfer, [text(transferId)]), ([row]) => row && transferOfRow(row))

export const listTransfers = Effect.fnUntraced(function* (
  read: Read,
  query: TransferQuery
): Effect.fn.Return<Page<Transfer>, ReadError | InvalidRequest> {
  const before = yield* decodePosition(query.cursor)
  const where = new SqlConditions().addIf(before, (p) => `t.position < ${p}`, int8)
  const sides = query.walletId === undefined ? ["true"] : walletSides(where.parameter(text(query.walletId)))
  const branches = branchesOf[query.status ?? "any"].flatMap((status) =>
    sides.map(
      (side) => `(select ${columns} from transfers t ${received}
        where ${status} and ${side} and ${where} order by t.position desc limit ${query.limit + 1})`
    )
  )
  const rows = yield* read<TransferRow>(
    `select * from (${branches.join(" union all ")}) found order by position desc limit ${query.limit + 1}`,
    where.parameters
  )
  const page = pageOf(rows, query.limit, (last) => encodePosition(last.position))
  return { data: page.data.map(transferOfRow), next: page.next }
})

const walletSides = (walletId: string): ReadonlyArray<string> => [
  `t.wallet_id = ${walletId}`,
  `t.to_wallet_id = ${walletId}`
]

interface OpenRow {
  readonly wallet_id: string
  readonly id: string
  readonly created_at: Date
}

export const openTransfers = (
  read: Read,
  { before, limit }: { readonly before: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<OpenTransfer>, ReadError> =>
  Effect.map(read<OpenRow>(readOpen, [time(before), int8(BigInt(limit))]), (rows) =>
    rows.map((row) => ({ transferId: row.id, walletId: row.wallet_id, createdAt: row.created_at.getTime() }))
  )

export const scanTransfers = (
  read: Read,
  walletId: string,
  { after, limit }: { readonly after: string; readonly limit: number }
): Effect.Effect<ReadonlyArray<Transfer>, ReadError> =>
  Effect.map(read<TransferRow>(readBySource, [text(walletId), text(after), int8(BigInt(limit))]), (rows) =>
    rows.map(transferOfRow)
  )
