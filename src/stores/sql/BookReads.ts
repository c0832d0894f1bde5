/**
 * The books of one wallet in SQL: what counts when, as of a version.
 *
 * Nearly every movement counts when it happens, and these stand in the order of their versions:
 * where a time begins among them is found by halves, and the balance there is in the row. Those
 * with a time of their own have an index. So a balance costs a look-up and the sum of what was
 * booked across that time, and a page costs its rows.
 *
 * An event that a user's rule has refused has no row, and its reversal does not count either.
 * Between the two the balances of rows have the refused event in them: there the next balance
 * before it is taken, and what has moved since is added.
 */
import * as Effect from "effect/Effect"
import { directionOf, type Transaction, type TransactionType } from "../../domain/Movement.ts"
import type { BooksQuery, Persistence } from "../Persistence.ts"
import { QueryTooWide, type ReadError } from "../StoreError.ts"
import { Conditions, int8, text, time } from "./Parameters.ts"
import {
  eventTransactionColumns,
  eventTypesOf,
  legTransactionColumns,
  transactionOfRow,
  type TransactionRow,
  transactionTypes
} from "./Rows.ts"

type Read = <A extends object>(
  statement: string,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, ReadError>

/** Rows of either kind that totals are summed over: a million took 1.3 to 3.8 s on two cores that were busy with other things. */
export const maxSummedRows = 2_000_000

const outgoing = Object.entries(eventTypesOf)
  .filter(([type]) => directionOf[type as TransactionType] === -1n)
  .flatMap(([, events]) => events.map((event) => `'${event}'`))
  .join(", ")

/** Of rows with a time of their own: along the index alone. */
const signedDated = `case when e.type in (${outgoing}) then -e.amount else e.amount end`

/** A reversal goes either way. */
const signed = `case when e.type = 'OperationReversed' then (e.data::json ->> 'balanceChange')::numeric
    when e.type in (${outgoing}) then -e.amount else e.amount end`

const isCounted = `e.amount is not null and (e.type <> 'OperationReversed' or not exists (
    select from refusals f where f.wallet_id = e.wallet_id and f.reversed_version = e.version))`

/** `offset 0` keeps versions out: by those the planner would take another index, and read a wallet's whole history. */
const datedOf = (condition: string): string => `(
        select e.version, e.type, e.amount from dated_transactions e
        where e.wallet_id = $1 and ${condition} offset 0
      )`

/** $1: the wallet, $2: the time, $3: the version. */
const readBalance = `
with recursive last as materialized (
  select least(version_after_time($1, $2) - 1, $3) as version
),
anchor (version) as (
  select version from last
  union all
  select refused.first - 1 from anchor a cross join lateral (
    select min(f.version) as first from refusals f
    where f.wallet_id = $1 and f.version <= a.version
      and (f.reversed_version is null or f.reversed_version > a.version)
  ) refused where refused.first is not null
),
first as materialized (select min(version) as version from anchor)
select (
    coalesce((
      select e.balance_after from events e
      where e.wallet_id = $1 and e.version <= (select version from first) order by e.version desc limit 1
    ), 0)
    + coalesce((
      select sum(${signed}) from events e
      where e.wallet_id = $1 and e.version > (select version from first) and e.version <= (select version from last)
        and ${isCounted}
    ), 0)
    + coalesce((
      select sum(${signedDated}) from leg_transactions e
      where e.wallet_id = $1 and e.version > (select version from first) and e.version <= (select version from last)
    ), 0)
    + coalesce((
      select sum(${signedDated}) from ${datedOf("e.effective_at <= $2")} e
      where (select version from last) < $3 and e.version > (select version from last) and e.version <= $3
    ), 0)
    - coalesce((
      select sum(${signedDated}) from ${datedOf("e.effective_at > $2")} e
      where (select version from last) >= 0 and e.version <= (select version from last)
    ), 0)
  )::text as balance`

/** The versions of rows without a time of their own that lie between the ends: from, and below. */
const versionsOf = ({ from, to, version }: BooksQuery, walletId: string, values: Conditions) => {
  const afterTime = (at: number): string => `version_after_time(${walletId}, ${values.parameter(time(at))})`
  const beyond = values.parameter(int8(version + 1))
  return {
    from: from === undefined ? "0::int8" : afterTime(from - 1),
    below: to === undefined ? `${beyond}::int8` : `least(${beyond}::int8, ${afterTime(to)})`
  }
}

const datedWhere = ({ from, to, version }: BooksQuery, walletId: string, values: Conditions): string =>
  [
    `e.wallet_id = ${walletId} and e.version <= ${values.parameter(int8(version))}`,
    ...(from === undefined ? [] : [`e.effective_at >= ${values.parameter(time(from))}`]),
    ...(to === undefined ? [] : [`e.effective_at <= ${values.parameter(time(to))}`])
  ].join(" and ")

interface TotalRow {
  readonly type: string | null
  readonly sum: string | null
  readonly rows: bigint | null
  readonly span: bigint
}

const readTotals = (query: BooksQuery): { readonly statement: string; readonly values: Conditions } => {
  const values = new Conditions()
  const walletId = values.parameter(text(query.walletId))
  const { below, from } = versionsOf(query, walletId, values)
  const statement = `
with span as materialized (select ${from} as low, ${below} as high),
plain as (
  select e.type, sum(e.amount) as sum, count(*) as rows from events e
  where (select high - low from span) <= ${maxSummedRows}
    and e.wallet_id = ${walletId} and e.version >= (select low from span) and e.version < (select high from span)
    and e.effective_at is null and e.amount is not null and e.type <> 'OperationReversed'
  group by e.type
),
reversed as (
  select e.type, sum(${signed}) as sum, count(*) as rows from events e
  where (select high - low from span) <= ${maxSummedRows}
    and e.wallet_id = ${walletId} and e.version >= (select low from span) and e.version < (select high from span)
    and e.type = 'OperationReversed' and ${isCounted}
  group by e.type
),
dated as (
  select e.type, sum(e.amount) as sum, count(*) as rows from (
    select e.type, e.amount from dated_transactions e where ${datedWhere(query, walletId, values)} limit ${maxSummedRows + 1}
  ) e group by e.type
)
select s.high - s.low as span, t.type, t.sum::text as sum, t.rows
from span s left join (select * from plain union all select * from reversed union all select * from dated) t on true`
  return { statement, values }
}

const totalsOf = (rows: ReadonlyArray<TotalRow>): Effect.Effect<ReadonlyMap<TransactionType, bigint>, QueryTooWide> => {
  if (rows.some((row) => row.span > maxSummedRows || (row.rows ?? 0n) > maxSummedRows)) {
    const detail = `totals over more than ${maxSummedRows.toLocaleString("en")} transactions: narrow from and to`
    return Effect.fail(new QueryTooWide({ detail }))
  }
  const totals = new Map<TransactionType, bigint>()
  for (const { sum, type } of rows) {
    if (type === null || sum === null) continue
    const name = transactionTypes.get(type)!
    totals.set(name, (totals.get(name) ?? 0n) + BigInt(sum))
  }
  return Effect.succeed(totals)
}

type BookedQuery = Parameters<Persistence["Service"]["booked"]>[0]

/**
 * Rows with a time of their own come first: where they fill the page, no others are looked for
 * beyond the last one's time.
 */
const readBooked = (query: BookedQuery): { readonly statement: string; readonly values: Conditions } => {
  const { after, limit } = query
  const values = new Conditions()
  const walletId = values.parameter(text(query.walletId))
  const { below, from } = versionsOf(query, walletId, values)
  const dated = [datedWhere(query, walletId, values)]
  const plain: Array<string> = []
  let low = from
  if (after !== undefined) {
    const [at, before] = [values.parameter(time(after.effectiveAt)), values.parameter(time(after.effectiveAt - 1))]
    const version = `${values.parameter(int8(after.version))}::int8`
    dated.push(`(e.effective_at, e.version, e.leg) > (${at}, ${version}, ${values.parameter(int8(after.leg))}::int8)`)
    plain.push(`(e.time, e.version) > (${at}, ${version})`)
    // Of one time may be many.
    const next = `least(${version} + 1, version_after_time(${walletId}, ${at}))`
    low = `greatest(${from}, version_after_time(${walletId}, ${before}), ${next})`
  }
  const statement = `
with dated as materialized (
  select ${legTransactionColumns("e")} from dated_transactions e where ${dated.join(" and ")}
  order by e.effective_at, e.version, e.leg limit ${limit}
),
span as materialized (
  select ${low} as low, case
    when (select count(*) from dated) < ${limit} then ${below}
    else least(${below}, version_after_time(${walletId}, (select max(effective_at) from dated)))
  end as high
),
plain as (
  select ${eventTransactionColumns("e")} from events e
  where e.wallet_id = ${walletId} and e.version >= (select low from span) and e.version < (select high from span)
    and e.effective_at is null and ${[isCounted, ...plain].join(" and ")}
  order by e.version limit ${limit}
)
select * from (select * from dated union all select * from plain) found
order by coalesce(effective_at, time), version, leg limit ${limit}`
  return { statement, values }
}

type BookReads = Pick<Persistence["Service"], "booksBalance" | "booksTotals" | "booked">

export const bookReads = (read: Read): BookReads => ({
  booksBalance: ({ until, version, walletId }) =>
    Effect.map(read<{ readonly balance: string }>(readBalance, [text(walletId), time(until), int8(version)]), ([row]) =>
      BigInt(row!.balance)
    ),
  booksTotals: (query) => {
    const { statement, values } = readTotals(query)
    return Effect.flatMap(read<TotalRow>(statement, values.parameters), totalsOf)
  },
  booked: (query) => {
    const { statement, values } = readBooked(query)
    return Effect.map(read<TransactionRow>(statement, values.parameters), (rows): ReadonlyArray<Transaction> =>
      rows.map(transactionOfRow)
    )
  }
})
