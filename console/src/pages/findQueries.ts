/** The four lists that "Find" looks into, by the filters that the API has for each. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { TransferJson } from "../../../src/http/api/Schemas.ts"
import { HoldStatus, TransactionType, TransferStatus, WalletStatus } from "../../../src/http/api/Schemas.ts"
import { Balance, GivenKey, Id, Time } from "../../../src/http/api/SchemaValues.ts"
import { amountFilters, searchQuery } from "../../../src/http/api/SearchQuery.ts"
import type { Hold, Transaction, Wallet } from "../acts/Command.ts"
import type { Client } from "../api/Client.ts"
import type { Filters } from "../format/Filters.ts"

export const kinds = ["wallets", "transactions", "transfers", "holds"] as const
export type Kind = (typeof kinds)[number]

export const kindOf = (text: string | undefined): Kind => kinds.find((kind) => kind === text) ?? "wallets"

const optional = Schema.optionalKey

const walletFilters = searchQuery({
  status: optional(WalletStatus),
  minBalance: optional(Balance),
  maxBalance: optional(Balance)
})
const transactionFilters = searchQuery({
  ...amountFilters,
  type: optional(TransactionType),
  transferId: optional(Id),
  refundOf: optional(Id),
  holdId: optional(Id),
  idempotencyKey: optional(GivenKey)
})
const transferFilters = searchQuery({
  ...amountFilters,
  status: optional(TransferStatus),
  refundOf: optional(Id),
  idempotencyKey: optional(GivenKey)
})
const holdFilters = searchQuery({ ...amountFilters, status: optional(HoldStatus), expiresBefore: optional(Time) })

/** The parameters of each, by the API's names. */
const own: Readonly<Record<Kind, ReadonlySet<string>>> = {
  wallets: new Set(["status", "minBalance", "maxBalance"]),
  transactions: new Set([
    "walletId",
    "minAmount",
    "maxAmount",
    "reference",
    "type",
    "transferId",
    "refundOf",
    "holdId",
    "idempotencyKey"
  ]),
  transfers: new Set(["walletId", "minAmount", "maxAmount", "reference", "status", "refundOf", "idempotencyKey"]),
  holds: new Set(["walletId", "minAmount", "maxAmount", "reference", "status", "expiresBefore"])
}

const ofAll: ReadonlySet<string> = new Set(["ownerId", "currency", "from", "to", "q"])

/** Whether the list can be narrowed by it. */
export const takes = (kind: Kind, name: string): boolean =>
  ofAll.has(name) || own[kind].has(name) || /^metadata\[.+\]$/s.test(name)

/** A date is a time, too: the midnight that it begins with. */
const withTimes = (filters: Filters): Filters =>
  Object.fromEntries(
    Object.entries(filters).map(([name, value]) =>
      ["from", "to", "expiresBefore"].includes(name) && /^\d{4}-\d\d-\d\d$/.test(value)
        ? [name, `${value}T00:00:00Z`]
        : [name, value]
    )
  )

export class BadFilter extends Error {}

const decode = <S extends Schema.ConstraintDecoder<unknown>>(schema: S, kind: Kind, filters: Filters): S["Type"] => {
  const given = Object.fromEntries(Object.entries(withTimes(filters)).filter(([name]) => takes(kind, name)))
  const result = Schema.decodeUnknownResult(schema)(given)
  if (Result.isFailure(result)) throw new BadFilter(result.failure.message)
  return result.success
}

interface Page<Row> {
  readonly data: ReadonlyArray<Row>
  readonly next: string | null
}

type Transfer = typeof TransferJson.Type

export interface Rows {
  readonly wallets: Wallet
  readonly transactions: Transaction
  readonly transfers: Transfer
  readonly holds: Hold
}

type Ask<Row> = (client: Client, filters: Filters, cursor: string | null, signal?: AbortSignal) => Promise<Page<Row>>

const limit = 200

const paged = (cursor: string | null) => ({ limit, ...(cursor === null ? {} : { cursor }) })

/** A filter that is none is told before anything is asked. */
export const lists: { readonly [K in Kind]: Ask<Rows[K]> } = {
  wallets: async (client, filters, cursor, signal) => {
    const query = decode(walletFilters, "wallets", filters)
    return client.read((api) => api.wallets.search({ query: { ...query, ...paged(cursor) } }), signal)
  },
  transactions: async (client, filters, cursor, signal) => {
    const query = decode(transactionFilters, "transactions", filters)
    return client.read((api) => api.transactions.search({ query: { ...query, ...paged(cursor) } }), signal)
  },
  transfers: async (client, filters, cursor, signal) => {
    const query = decode(transferFilters, "transfers", filters)
    return client.read((api) => api.transfers.list({ query: { ...query, ...paged(cursor) } }), signal)
  },
  holds: async (client, filters, cursor, signal) => {
    const query = decode(holdFilters, "holds", filters)
    return client.read((api) => api.holds.search({ query: { ...query, ...paged(cursor) } }), signal)
  }
}
