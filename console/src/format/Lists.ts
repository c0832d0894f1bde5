/** The columns of each list as CSV: the API's own names, exact integers, times as RFC 3339. Pure. */
import type { HoldJson, TransactionJson, TransferJson, WalletJson } from "../../../src/http/api/Schemas.ts"
import { formatTime } from "../../../src/http/api/SchemaValues.ts"
import type { CsvColumn } from "./Csv.ts"

const written = (value: unknown): string => {
  if (value === null || value === undefined) return ""
  if (typeof value === "string") return value
  return typeof value === "bigint" || typeof value === "number" ? value.toString() : JSON.stringify(value)
}

const columns = <Row extends object>(
  names: ReadonlyArray<keyof Row & string>,
  times: ReadonlyArray<keyof Row & string>
): ReadonlyArray<CsvColumn<Row>> => [
  ...names.map((name) => ({ name, value: (row: Row) => written(row[name]) })),
  ...times.map((name) => ({
    name,
    value: (row: Row) => {
      const time = row[name]
      return typeof time === "number" ? formatTime(time) : ""
    }
  }))
]

export const walletCsv = columns<typeof WalletJson.Type>(
  ["id", "ownerId", "currency", "balance", "held", "available", "overdraftLimit", "status", "version", "metadata"],
  ["createdAt", "updatedAt"]
)

export const transactionCsv = columns<typeof TransactionJson.Type>(
  [
    "id",
    "walletId",
    "type",
    "amount",
    "balanceAfter",
    "currency",
    "reference",
    "holdId",
    "transferId",
    "refundOf",
    "refunded",
    "version",
    "metadata"
  ],
  ["createdAt", "effectiveAt"]
)

const legText = ({ amount, currency, from, to }: (typeof TransferJson.Type)["legs"][number]): string =>
  `${from} > ${to} ${amount} ${currency}`

export const transferCsv: ReadonlyArray<CsvColumn<typeof TransferJson.Type>> = [
  ...columns<typeof TransferJson.Type>(["id", "from", "to", "amount", "currency", "status", "reason", "reference"], []),
  { name: "legs", value: ({ legs }) => legs.map(legText).join("; ") },
  ...columns<typeof TransferJson.Type>(["refundOf", "refunded", "metadata"], ["createdAt", "updatedAt"])
]

export const holdCsv = columns<typeof HoldJson.Type>(
  ["id", "walletId", "amount", "captured", "remaining", "status", "reference", "metadata"],
  ["expiresAt", "createdAt"]
)
