/**
 * A wallet's state as JSON: what a snapshot holds.
 *
 * Versioned. One that cannot be read, in whole and with its sums right, is a
 * failure: the caller folds the log instead and never trusts a part of it.
 */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import { openHold, status, transferInFlight } from "./StateSchema.ts"
import type { OpenHold, TransferInFlight, Wallet } from "./Wallet.ts"
import {
  amountOrZero,
  currency,
  type Field,
  fields,
  id,
  integer,
  isJsonObject,
  type JsonObject,
  list,
  metadata,
  sum,
  time,
  version
} from "./Codec.ts"

/** Raised with every change of shape; the last two are readable. */
const format = 1

/** Far above any configured limit: more is damage. */
const maxItems = 1_000_000

interface WalletRecord extends Omit<Wallet, "holds" | "transfers"> {
  readonly format: number
  readonly holds: ReadonlyArray<OpenHold>
  readonly transfers: ReadonlyArray<TransferInFlight>
}

const formatField: Field<number> = {
  write: (value) => value,
  read: (value) => (value === format ? format : undefined)
}

const walletFields = fields<WalletRecord>({
  format: formatField,
  id,
  ownerId: id,
  currency,
  balance: integer,
  held: sum,
  overdraftLimit: amountOrZero,
  status,
  version,
  metadata,
  createdAt: time,
  updatedAt: time,
  holds: list(openHold, maxItems),
  transfers: list(transferInFlight, maxItems)
})

/** JSON-able. */
export const encodeWallet = (wallet: Wallet): JsonObject =>
  walletFields.write({
    ...wallet,
    format,
    holds: HashMap.toValues(wallet.holds),
    transfers: HashMap.toValues(wallet.transfers)
  })

/** The failure says why it is of no use. */
export const decodeWallet = (value: unknown): Result.Result<Wallet, string> => {
  if (isJsonObject(value) && value.format !== format) return Result.fail(`wallet format ${String(value.format)}`)
  const record = walletFields.read(value)
  if (record === undefined) return Result.fail(walletFields.complaint(value))
  const wallet = walletOf(record)
  const contradiction = contradictionIn(record, wallet)
  return contradiction === undefined ? Result.succeed(wallet) : Result.fail(contradiction)
}

/** The keys in the order in which `evolve` makes them: one hidden class. */
const walletOf = (record: WalletRecord): Wallet => ({
  id: record.id,
  ownerId: record.ownerId,
  currency: record.currency,
  balance: record.balance,
  held: record.held,
  overdraftLimit: record.overdraftLimit,
  status: record.status,
  version: record.version,
  metadata: record.metadata,
  createdAt: record.createdAt,
  updatedAt: record.updatedAt,
  holds: HashMap.fromIterable(record.holds.map((hold): [string, OpenHold] => [hold.id, hold])),
  transfers: HashMap.fromIterable(
    record.transfers.map((transfer): [string, TransferInFlight] => [transfer.id, transfer])
  )
})

/** What cannot be in a wallet, although every field is readable. */
const contradictionIn = (record: WalletRecord, wallet: Wallet): string | undefined => {
  if (HashMap.size(wallet.holds) !== record.holds.length) return "holds: one twice"
  if (HashMap.size(wallet.transfers) !== record.transfers.length) return "transfers: one twice"
  const held = record.holds.reduce((total, hold) => total + hold.remaining, 0n)
  if (held !== record.held) return "held: not the sum of the holds"
  if (record.updatedAt < record.createdAt) return "updatedAt: before createdAt"
  return undefined
}
