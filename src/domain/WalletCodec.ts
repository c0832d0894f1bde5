/**
 * A wallet's state as JSON: what a snapshot holds.
 *
 * Versioned. One that cannot be read, in whole and with its sums right, is a
 * failure: the caller folds the log instead and never trusts a part of it.
 */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { absentOrNull, codecOf, isJsonObject, type JsonObject, listCodec, structCodec, withCodec } from "./Codec.ts"
import { OpenHold } from "./Hold.ts"
import { PreparedLegs } from "./Legs.ts"
import { TransferInFlight } from "./Transfer.ts"
import { Freeze, plainFreeze, type Wallet, WalletStatus } from "./Wallet.ts"
import { holdBytes, preparedBytes, transferBytes } from "./WalletSize.ts"
import { AmountOrZero, Balance, Currency, Held, Id, Metadata, Time, Version } from "./WireValues.ts"

/** Raised with every change of shape; the last two are readable. */
const format = 1

/** Far above any configured limit: more is damage. */
const maxItems = 1_000_000

const list = <S extends Schema.Top>(item: S) =>
  withCodec(Schema.Array(item).check(Schema.isMaxLength(maxItems)), listCodec(codecOf(item), maxItems))

const isFormat = (value: number): boolean => value === format

const Format = withCodec(Schema.Number.check(Schema.makeFilter(isFormat)), {
  encode: (value) => value,
  decode: (value) => (value === format ? format : undefined)
})

/** A state with its holds and transfers as lists. */
const WalletRecord = Schema.Struct({
  format: Format,
  id: Id,
  ownerId: Id,
  currency: Currency,
  balance: Balance,
  held: Held,
  overdraftLimit: AmountOrZero,
  status: WalletStatus,
  freeze: absentOrNull(Freeze),
  version: Version,
  metadata: Metadata,
  createdAt: Time,
  updatedAt: Time,
  holds: list(OpenHold),
  transfers: list(TransferInFlight)
})

type WalletRecord = typeof WalletRecord.Type

const records = structCodec(WalletRecord)

/** Left out of the JSON when there is none. */
const preparedLegs = listCodec(codecOf(PreparedLegs), maxItems)

type Prepared = ReadonlyArray<PreparedLegs>

/** JSON-able. */
export const encodeWallet = (wallet: Wallet): JsonObject => {
  const record = records.encode({
    ...wallet,
    format,
    holds: HashMap.toValues(wallet.holds),
    transfers: HashMap.toValues(wallet.transfers)
  })
  return HashMap.isEmpty(wallet.prepared)
    ? record
    : { ...record, prepared: preparedLegs.encode(HashMap.toValues(wallet.prepared)) }
}

/** The failure says why it is of no use. */
export const decodeWallet = (value: unknown): Result.Result<Wallet, string> => {
  if (isJsonObject(value) && value.format !== format) return Result.fail(`wallet format ${String(value.format)}`)
  const { prepared: given = [], ...rest } = isJsonObject(value) ? value : {}
  const record = records.decode(rest)
  if (record === undefined) return Result.fail(records.explain(isJsonObject(value) ? rest : value))
  const prepared = preparedLegs.decode(given)
  if (prepared === undefined) return Result.fail("prepared: unreadable")
  const wallet = walletOf(record, prepared)
  const contradiction = contradictionIn(record, prepared, wallet)
  return contradiction === undefined ? Result.succeed(wallet) : Result.fail(contradiction)
}

/** The keys in the order in which `evolve` makes them: one hidden class. */
const walletOf = (record: WalletRecord, prepared: Prepared): Wallet => ({
  id: record.id,
  ownerId: record.ownerId,
  currency: record.currency,
  balance: record.balance,
  held: record.held,
  overdraftLimit: record.overdraftLimit,
  status: record.status,
  // A snapshot of before freezes had a direction says nothing of them.
  freeze: record.status === "frozen" ? (record.freeze ?? plainFreeze) : null,
  version: record.version,
  metadata: record.metadata,
  createdAt: record.createdAt,
  updatedAt: record.updatedAt,
  holds: HashMap.fromIterable(record.holds.map((hold): [string, OpenHold] => [hold.id, hold])),
  transfers: HashMap.fromIterable(
    record.transfers.map((transfer): [string, TransferInFlight] => [transfer.id, transfer])
  ),
  prepared: HashMap.fromIterable(prepared.map((legs): [string, PreparedLegs] => [legs.id, legs])),
  openBytes:
    record.holds.reduce((bytes, hold) => bytes + holdBytes(hold), 0) +
    record.transfers.reduce((bytes, transfer) => bytes + transferBytes(transfer), 0) +
    prepared.reduce((bytes, legs) => bytes + preparedBytes(legs), 0)
})

/** What cannot be in a wallet, although every field is readable. */
const contradictionIn = (record: WalletRecord, prepared: Prepared, wallet: Wallet): string | undefined => {
  if (HashMap.size(wallet.holds) !== record.holds.length) return "holds: one twice"
  if (HashMap.size(wallet.transfers) !== record.transfers.length) return "transfers: one twice"
  if (HashMap.size(wallet.prepared) !== prepared.length) return "prepared: one twice"
  const held = record.holds.reduce((total, hold) => total + hold.remaining, 0n)
  const inTransit =
    prepared.reduce((total, legs) => total + legs.held, 0n) +
    record.transfers.reduce((total, { capture }) => total + (capture?.rest ?? 0n), 0n)
  if (held + inTransit !== record.held) return "held: not the sum of the holds and of what is held in transit"
  if (record.freeze !== null && record.status !== "frozen") return "freeze: of a wallet that is not frozen"
  if (record.updatedAt < record.createdAt) return "updatedAt: before createdAt"
  return undefined
}
