/** The filters that all lists have. */
import type { AmountSearch, SearchFilter } from "../../ReadModel.ts"
import { text, texts, time } from "../Parameters.ts"
import type { RowQuery } from "./RowQuery.ts"

/** An amount of any size: in the binary format numbers are not for all. */
export const numeric = (value: bigint): unknown => text(String(value))

/** Where rows have what every list can be narrowed by, as expressions. */
interface FilterColumns {
  readonly created: string
  readonly currency: string
}

/** But for owner, words and place. */
export const addFilters = (query: RowQuery, filter: SearchFilter, columns: FilterColumns): RowQuery => {
  query
    .filterBy(filter.currency, (p) => `${columns.currency} = ${p}`, text)
    .filterBy(filter.currencies, (p) => `${columns.currency} = any (${p})`, texts)
    .filterBy(filter.from, (p) => `${columns.created} >= ${p}`, time)
    .filterBy(filter.to, (p) => `${columns.created} <= ${p}`, time)
  for (const [key, value] of Object.entries(filter.metadata ?? {})) {
    query.filter(`r.metadata ->> ${query.values.parameter(text(key))} = ${query.values.parameter(text(value))}`)
  }
  return query
}

/** But for the wallet. */
export const addAmountFilters = (query: RowQuery, filter: AmountSearch): RowQuery =>
  query
    .filterBy(filter.minAmount, (p) => `r.amount >= ${p}::numeric`, numeric)
    .filterBy(filter.maxAmount, (p) => `r.amount <= ${p}::numeric`, numeric)
    .filterBy(filter.reference, (p) => `r.reference = ${p}`, text)

/** The owner of the row's wallet, looked up row by row: that is as quick for an owner of many. */
export const ownerOf = (walletId: string): string => `(select o.owner_id from wallets o where o.id = ${walletId})`
