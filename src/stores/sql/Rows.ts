/** Rows of the tables, and the domain's values that they are. Times come as `Date`, bigint as bigint, numeric as text. */
import * as Result from "effect/Result"
import type { EventMetadata, RecordedEvent, WalletEventType } from "../../domain/Event.ts"
import { decodeMetadata, isCommandKey } from "../../domain/EventCodec.ts"
import { parseJson } from "../../domain/Json.ts"
import type { LegTransactions, TransferLeg } from "../../domain/Legs.ts"
import { type Metadata, noMetadata } from "../../domain/Limits.ts"
import type { RefundedLeg } from "../../domain/Refund.ts"
import { withTransactions } from "../../domain/Transfer.ts"
import type {
  FreezeDirection,
  Hold,
  HoldStatus,
  Transaction,
  TransactionType,
  Transfer,
  TransferStatus,
  WalletStatus
} from "../../domain/Wallet.ts"
import type { WalletView } from "../Persistence.ts"
import { type EventColumnsRow, eventOfColumns } from "./EventColumns.ts"
import { EventUnreadable } from "../StoreError.ts"

/** Columns of a table as `json_to_recordset` hands them over. */
const recordOf = (types: Readonly<Record<string, string>>) => ({
  columns: Object.keys(types).join(", "),
  definition: Object.entries(types)
    .map(([name, type]) => `${name} ${type}`)
    .join(", ")
})

/** What of a hold and a transfer `holdJson` and `transferJson` say (`CommitBatch.ts`). */
const ids = { wallet_id: "text", id: "text" }
const origin = { reference: "text", metadata: "json", created_at: "timestamptz" }

export const holdRecord = recordOf({
  ...ids,
  version: "int8",
  amount: "numeric",
  captured: "numeric",
  remaining: "numeric",
  status: "text",
  expires_at: "timestamptz",
  ...origin
})

/** But for the position. */
export const transferRecord = recordOf({
  ...ids,
  to_wallet_id: "text",
  version: "int8",
  amount: "numeric",
  currency: "text",
  status: "text",
  reason: "text",
  ...origin,
  effective_at: "timestamptz",
  updated_at: "timestamptz",
  legs: "json",
  leg_transactions: "json",
  leg: "int4",
  refund_of: "text",
  refund_leg: "int4"
})

/** What of a leg `legRowsJson` says, but for position and words. */
export const legRecord = recordOf({
  wallet_id: "text",
  transfer_id: "text",
  leg: "int4",
  type: "text",
  currency: "text",
  amount: "numeric",
  counterparty: "text",
  reference: "text",
  metadata: "json",
  refund_of: "text",
  refund_leg: "int4",
  version: "int8",
  time: "timestamptz",
  id: "uuid",
  key: "text",
  balance_after: "numeric",
  effective_at: "timestamptz"
})

/** In JSON there is no array of texts. */
export const wordsOfRecord =
  "case when word_list is not null then array(select json_array_elements_text(word_list)) end"

export interface EventRow extends EventColumnsRow {
  readonly wallet_id: string
  readonly version: bigint
  readonly position: bigint
  readonly id: string
  readonly time: Date
  readonly key: string
  readonly fingerprint: string
  readonly epoch: bigint
  readonly origin: string | null
}

export const eventColumns =
  "wallet_id, version, position, id, time, type, currency, amount, balance_after, held_after, reference, metadata, " +
  "hold_id, transfer_id, counterparty, effective_at, refund_of, data, key, fingerprint, epoch, origin"

const readOrigin = (origin: string): Result.Result<object, string> =>
  Result.try({
    try: (): object => {
      const read: unknown = parseJson(origin)
      if (typeof read !== "object" || read === null || Array.isArray(read)) throw new Error("not an object")
      return read
    },
    catch: (cause) => `origin: ${cause instanceof Error ? cause.message : String(cause)}`
  })

const metadataOf = ({ epoch, fingerprint, id, key, origin }: EventRow): Result.Result<EventMetadata, string> => {
  // Nearly all: what `decodeMetadata` makes of it, without a map of texts in between.
  if (origin === null && isCommandKey(key) && Number(epoch) >= 0 && Number.isSafeInteger(Number(epoch))) {
    const none = { correlationId: null, causationId: null, actor: null }
    return Result.succeed({ commandId: id, key, fingerprint, ...none, epoch: Number(epoch) })
  }
  const read = origin === null ? Result.succeed({}) : readOrigin(origin)
  if (Result.isFailure(read)) return Result.fail(read.failure)
  return decodeMetadata({ commandId: id, ...read.success, key, fingerprint, epoch: String(epoch) })
}

/** The failure names the event: what a person on call looks for first. */
export const recordedOf = (row: EventRow): Result.Result<RecordedEvent, EventUnreadable> => {
  const version = Number(row.version)
  const unreadable = (reason: string) =>
    Result.fail(new EventUnreadable({ walletId: row.wallet_id, version, type: row.type, reason }))
  const event = eventOfColumns(row)
  if (Result.isFailure(event)) return unreadable(event.failure)
  const metadata = metadataOf(row)
  if (Result.isFailure(metadata)) return unreadable(metadata.failure)
  return Result.succeed({
    id: row.id,
    walletId: row.wallet_id,
    version,
    time: row.time.getTime(),
    event: event.success,
    metadata: metadata.success
  })
}

/** As everywhere where readers see metadata: a map that nobody changes. */
const mapOf = (metadata: Metadata | null): Metadata => (metadata === null ? noMetadata : Object.freeze(metadata))

export interface WalletRow {
  readonly id: string
  readonly owner_id: string
  readonly currency: string
  readonly balance: string
  readonly held: string
  readonly overdraft_limit: string
  readonly status: WalletStatus
  readonly version: bigint
  readonly metadata: Metadata | null
  readonly created_at: Date
  readonly updated_at: Date
  readonly position: bigint
  readonly freeze_direction: FreezeDirection | null
  readonly freeze_reason: string | null
  readonly freeze_until: Date | null
}

export const walletColumns =
  "id, owner_id, currency, balance, held, overdraft_limit, status, version, metadata, created_at, updated_at, " +
  "position, freeze_direction, freeze_reason, freeze_until"

export const walletOf = (row: WalletRow): WalletView => ({
  id: row.id,
  ownerId: row.owner_id,
  currency: row.currency,
  balance: BigInt(row.balance),
  held: BigInt(row.held),
  overdraftLimit: BigInt(row.overdraft_limit),
  status: row.status,
  freeze:
    row.freeze_direction === null
      ? null
      : {
          direction: row.freeze_direction,
          reason: row.freeze_reason,
          until: row.freeze_until === null ? null : row.freeze_until.getTime()
        },
  version: Number(row.version),
  metadata: mapOf(row.metadata),
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime()
})

export interface TransactionRow {
  readonly id: string
  readonly wallet_id: string
  readonly type: string
  readonly amount: string
  readonly balance_after: string
  readonly currency: string
  readonly reference: string | null
  readonly metadata: Metadata | null
  readonly hold_id: string | null
  readonly transfer_id: string | null
  readonly refund_of: string | null
  readonly version: bigint
  readonly time: Date
  readonly effective_at: Date | null
  readonly position: bigint
  /** Of a transfer of several legs; `0`: of any other event. */
  readonly leg: number
}

/** The event types that a transaction of that type comes from. */
export const eventTypesOf: { readonly [T in TransactionType]: ReadonlyArray<WalletEventType> } = {
  credit: ["WalletCredited"],
  debit: ["WalletDebited"],
  capture: ["HoldCaptured", "HoldCapturedTo"],
  transfer_in: ["TransferReceived"],
  transfer_out: ["TransferSent"],
  reversal: ["TransferReversed", "OperationReversed"],
  refund_in: ["RefundReceived"],
  refund_out: ["RefundPaid"]
}

export const transactionTypes: ReadonlyMap<string, TransactionType> = new Map(
  Object.entries(eventTypesOf).flatMap(([type, events]) => events.map((event) => [event, type as TransactionType]))
)

/** The condition on events `e` that they are transactions of that type, or of any; as the partial indexes have it. */
export const ofType = (type: TransactionType | undefined, e = "e"): string =>
  type === undefined
    ? `${e}.amount is not null`
    : `${e}.amount is not null and ${e}.type in (${eventTypesOf[type].map((event) => `'${event}'`).join(", ")})`

/** Of transactions under the name `e`: as {@link eventTransactions} or `leg_transactions` have them. */
export const transactionColumns =
  "e.id, e.wallet_id, e.type, e.amount, e.balance_after, e.currency, e.reference, e.metadata, e.hold_id, " +
  "e.transfer_id, e.refund_of, e.version, e.time, e.effective_at, e.position, e.leg"

/** What all transactions have. */
const commonColumns =
  "position, version, time, id, wallet_id, type, key, currency, amount, balance_after, reference, metadata, hold_id, " +
  "transfer_id, refund_of, effective_at, words"

const qualified = (table: string): string =>
  commonColumns
    .split(", ")
    .map((column) => `${table}.${column}`)
    .join(", ")

/** Of rows of `events` under that name that are transactions. */
export const eventTransactionColumns = (e: string): string => `${qualified(e)}, 0 as leg`

/** Of rows of `leg_transactions` under that name. */
export const legTransactionColumns = (e: string): string => `${qualified(e)}, ${e}.leg`

export const transactionOfRow = (row: TransactionRow): Transaction => ({
  id: row.id,
  walletId: row.wallet_id,
  // Every event with an amount has its line in the table.
  type: transactionTypes.get(row.type)!,
  amount: BigInt(row.amount),
  balanceAfter: BigInt(row.balance_after),
  currency: row.currency,
  reference: row.reference,
  metadata: mapOf(row.metadata),
  holdId: row.hold_id,
  transferId: row.transfer_id,
  refundOf: row.refund_of,
  version: Number(row.version),
  createdAt: row.time.getTime(),
  effectiveAt: (row.effective_at ?? row.time).getTime()
})

export interface HoldRow {
  readonly id: string
  readonly wallet_id: string
  readonly version: bigint
  readonly amount: string
  readonly captured: string
  readonly remaining: string
  readonly status: HoldStatus
  readonly expires_at: Date | null
  readonly reference: string | null
  readonly metadata: Metadata | null
  readonly created_at: Date
}

export const holdColumns =
  "id, wallet_id, version, amount, captured, remaining, status, expires_at, reference, metadata, created_at"

export const holdOfRow = (row: HoldRow): Hold => ({
  id: row.id,
  walletId: row.wallet_id,
  amount: BigInt(row.amount),
  captured: BigInt(row.captured),
  remaining: BigInt(row.remaining),
  status: row.status,
  expiresAt: row.expires_at === null ? null : row.expires_at.getTime(),
  reference: row.reference,
  metadata: mapOf(row.metadata),
  createdAt: row.created_at.getTime()
})

/** `received_at`: when its destination got it, as the destination tells. */
export interface TransferRow {
  readonly id: string
  readonly wallet_id: string
  readonly to_wallet_id: string | null
  readonly amount: string | null
  readonly currency: string | null
  readonly legs: ReadonlyArray<LegJson> | null
  readonly leg_transactions: ReadonlyArray<LegTransactions> | null
  readonly leg: number | null
  readonly refund_of: string | null
  /** Of one leg. */
  readonly refund_leg: number | null
  readonly status: TransferStatus
  readonly reason: string | null
  readonly reference: string | null
  readonly metadata: Metadata | null
  readonly created_at: Date
  /** `null`: as `created_at`. */
  readonly effective_at: Date | null
  readonly updated_at: Date
  readonly position: bigint
  readonly received_at: Date | null
  /** Of one leg that is completed; left out: as its source has it. */
  readonly sent_id?: string | null
  readonly received_id?: string | null
}

/** A leg in the row of a transfer of several. */
interface LegJson {
  readonly from: string
  readonly to: string
  readonly amount: string
  readonly currency: string
  readonly reference?: string
  readonly metadata?: Metadata
  readonly refund?: RefundedLeg
}

/** Of the table under the name `t`. */
export const transferColumns =
  "t.id, t.wallet_id, t.to_wallet_id, t.amount, t.currency, t.status, t.reason, t.reference, t.metadata, " +
  "t.created_at, t.effective_at, t.updated_at, t.position, t.legs, t.leg_transactions, t.leg, t.refund_of, t.refund_leg"

/** Of one leg that its source has settled the ids of its two transactions, for readers. */
export const transactionIdColumns = `
  case when t.status = 'completed' and t.legs is null then
    (select s.id from events s where s.wallet_id = t.wallet_id and s.version = t.version) end as sent_id,
  case when t.status = 'completed' and t.legs is null then
    (select r.id from events r where r.transfer_id = t.id and r.wallet_id = t.to_wallet_id
      and r.type = 'TransferReceived' limit 1) end as received_id`

const legsOfRow = (row: TransferRow): ReadonlyArray<TransferLeg> => {
  if (row.legs === null) {
    const { received_id: received, sent_id: sent } = row
    const leg = {
      from: row.wallet_id,
      to: row.to_wallet_id!,
      amount: BigInt(row.amount!),
      currency: row.currency!,
      reference: row.reference,
      metadata: mapOf(row.metadata),
      refund: row.refund_of === null ? null : { of: row.refund_of, leg: row.refund_leg ?? 0 }
    }
    return [
      withTransactions(leg, typeof sent === "string" && typeof received === "string" ? { sent, received } : undefined)
    ]
  }
  return row.legs.map((leg, index) =>
    withTransactions(
      {
        from: leg.from,
        to: leg.to,
        amount: BigInt(leg.amount),
        currency: leg.currency,
        reference: leg.reference ?? null,
        metadata: mapOf(leg.metadata ?? null),
        refund: leg.refund ?? null
      },
      row.leg_transactions?.[index]
    )
  )
}

export const transferOfRow = (row: TransferRow): Transfer => {
  const received = row.status === "reversed" ? null : row.received_at
  const several = row.legs !== null
  return {
    id: row.id,
    from: several ? null : row.wallet_id,
    to: row.to_wallet_id,
    amount: row.amount === null ? null : BigInt(row.amount),
    currency: row.currency,
    legs: legsOfRow(row),
    status: received === null ? row.status : "completed",
    reason: row.reason,
    leg: row.leg,
    reference: row.reference,
    metadata: mapOf(row.metadata),
    refundOf: row.refund_of,
    createdAt: row.created_at.getTime(),
    effectiveAt: (row.effective_at ?? row.created_at).getTime(),
    updatedAt: (received ?? row.updated_at).getTime()
  }
}
