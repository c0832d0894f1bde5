/**
 * Statistics: exact sums over the rows themselves. All of them are looked at, or none: more than
 * the bound is refused.
 */
import * as Effect from "effect/Effect"
import type { WalletStatus } from "../../../domain/Wallet.ts"
import type { Stats, StatsQuery, TransactionStats, WalletStats } from "../../ReadModel.ts"
import { orderedStats } from "../../Statistics.ts"
import type { QueryTooWide, ReadError } from "../../StoreError.ts"
import { Conditions, lower, text, texts, time } from "../Parameters.ts"
import { transactionTypes } from "../Rows.ts"
import { type Reader, tooWide } from "./Reader.ts"

interface TransactionGroup {
  readonly currency: string
  readonly type: string
  readonly start: Date
  readonly count: number
  readonly sum: string
}

interface WalletGroup {
  readonly currency: string
  readonly status: WalletStatus
  readonly count: number
  readonly balance: string
}

/** How many rows were looked at: one more than the bound are too many. */
interface Looked {
  readonly looked: number
}

const ofOwner = (owner: string): string => `lower(w.owner_id) = ${lower(owner)} and w.owner_id = ${owner}`

/** `undefined`: all. */
const walletsOf = ({ ownerId, walletIds }: StatsQuery, values: Conditions): string | undefined => {
  const conditions = [
    ...(ownerId === undefined ? [] : [ofOwner(values.parameter(text(ownerId)))]),
    ...(walletIds === undefined ? [] : [`w.id = any (${values.parameter(texts(walletIds))})`])
  ]
  return conditions.length === 0 ? undefined : conditions.join(" and ")
}

const grouped = (rows: string, columns: string, groups: string, where: Conditions): string => `
  with looked as materialized (${rows}),
  groups as (select ${columns} from looked r where ${where} group by ${groups})
  select g.*, (select count(*)::int from looked) as looked
  from (select) one left join groups g on true`

/** Within that time and of that currency, of all rows of the wallets asked for. */
const transactionGroups = (query: StatsQuery, bound: number): readonly [string, ReadonlyArray<unknown>] => {
  const where = new Conditions()
  const interval = where.parameter(text(query.interval))
  const ofWallets = walletsOf(query, where)
  const columns = "e.currency, e.type, e.time, e.amount"
  const rowsOf = (table: string): string =>
    ofWallets === undefined
      ? `(select ${columns} from ${table} e order by e.position desc limit ${bound + 1})`
      : `(select e.* from wallets w cross join lateral (
          select ${columns} from ${table} e where e.wallet_id = w.id limit ${bound + 1}
        ) e where ${ofWallets} limit ${bound + 1})`
  const rows = `${rowsOf("events")} union all ${rowsOf("leg_transactions")}`
  where
    .addIf(query.currency, (p) => `r.currency = ${p}`, text)
    .addIf(query.currencies, (p) => `r.currency = any (${p})`, texts)
    .addIf(query.from, (p) => `r.time >= ${p}`, time)
    .addIf(query.to, (p) => `r.time <= ${p}`, time)
  where.conditions.push("r.amount is not null")
  const groups = `r.currency, r.type, date_trunc(${interval}, r.time, 'UTC')`
  const sums = `${groups} as start, count(*)::int as count, sum(r.amount)::text as sum`
  return [grouped(rows, sums, groups, where), where.parameters]
}

const walletGroups = (query: StatsQuery, bound: number): readonly [string, ReadonlyArray<unknown>] => {
  const values = new Conditions()
    .addIf(query.ownerId, (p) => ofOwner(p), text)
    .addIf(query.walletIds, (p) => `w.id = any (${p})`, texts)
    .addIf(query.currency, (p) => `w.currency = ${p}`, text)
    .addIf(query.currencies, (p) => `w.currency = any (${p})`, texts)
  const rows = `select w.currency, w.status, w.balance from wallets w where ${values} limit ${bound + 1}`
  const sums = "r.currency, r.status, count(*)::int as count, sum(r.balance)::text as balance"
  return [grouped(rows, sums, "r.currency, r.status", new Conditions()), values.parameters]
}

/** An event's type has its transaction's; two may have the same. */
const merged = (groups: ReadonlyArray<TransactionGroup>): Iterable<TransactionStats> => {
  const all = new Map<string, TransactionStats>()
  for (const { count, currency, start, sum, type: event } of groups) {
    const type = transactionTypes.get(event)!
    const name = `${start.getTime()} ${currency} ${type}`
    const before = all.get(name) ?? { count: 0, sum: 0n }
    all.set(name, {
      currency,
      type,
      start: start.getTime(),
      count: before.count + count,
      sum: before.sum + BigInt(sum)
    })
  }
  return all.values()
}

const readGroups = Effect.fnUntraced(function* <A extends { readonly currency: string }>(
  reader: Reader,
  [statement, parameters]: readonly [string, ReadonlyArray<unknown>]
): Effect.fn.Return<ReadonlyArray<A>, ReadError | QueryTooWide> {
  const rows = yield* reader.read<(A | { readonly currency: null }) & Looked>(statement, parameters)
  if (rows.some(({ looked }) => looked > reader.walkedRows)) {
    return yield* tooWide(reader, "name an ownerId with fewer wallets and transactions")
  }
  return rows.flatMap((row) => (row.currency === null ? [] : [row as A]))
})

export const readStats = Effect.fnUntraced(function* (
  reader: Reader,
  query: StatsQuery
): Effect.fn.Return<Stats, ReadError | QueryTooWide> {
  const bound = reader.walkedRows
  const transactions = yield* readGroups<TransactionGroup>(reader, transactionGroups(query, bound))
  const wallets = yield* readGroups<WalletGroup>(reader, walletGroups(query, bound))
  return yield* orderedStats(
    merged(transactions),
    wallets.map(({ balance, count, currency, status }): WalletStats => ({
      currency,
      status,
      count,
      balance: BigInt(balance)
    }))
  )
})
