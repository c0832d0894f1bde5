/**
 * The documents of the wire: what bodies and replies look like as JSON, and what
 * they decode to. Decoded they are the very types of the library (`WalletView`,
 * `Transaction`, `Hold`), so that an app can move between the two.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { eventCases, type WalletEventType } from "../../domain/Event.ts"
import { maxLegs, minLegs } from "../../domain/Legs.ts"
import { FrozenDirection } from "../../domain/Rejection.ts"
import {
  Amount,
  AmountOrZero,
  Await,
  Balance,
  Currency,
  Flag,
  fromJsonText,
  Id,
  IdempotencyKey,
  LegNumber,
  Metadata,
  noFields,
  Position,
  Sum,
  Text,
  Time,
  TransactionType,
  VersionNumber
} from "./SchemaValues.ts"

const optionalText = Schema.optionalKey(Schema.NullOr(Text))

// ---- Replies ----

export const WalletStatus = Schema.Literals(["active", "frozen", "closed"])

export const FreezeJson = Schema.Struct({
  direction: FrozenDirection,
  reason: Schema.NullOr(Text),
  until: Schema.NullOr(Time)
}).annotate({
  identifier: "Freeze",
  description: "What the wallet does not do; from `until` on it does not count. Null: until it is unfrozen."
})

export const WalletJson = Schema.Struct({
  id: Id,
  ownerId: Id,
  currency: Currency,
  balance: Balance,
  held: Balance,
  available: Balance,
  overdraftLimit: AmountOrZero,
  status: WalletStatus,
  freeze: Schema.NullOr(FreezeJson),
  version: VersionNumber,
  metadata: Metadata,
  createdAt: Time,
  updatedAt: Time
}).annotate({ identifier: "Wallet" })

export { TransactionType }

export const TransactionJson = Schema.Struct({
  id: Id,
  walletId: Id,
  type: TransactionType,
  amount: Amount,
  balanceAfter: Balance,
  currency: Currency,
  reference: Schema.NullOr(Text),
  metadata: Metadata,
  holdId: Schema.NullOr(Id),
  transferId: Schema.NullOr(Id),
  refundOf: Schema.NullOr(Id),
  refunded: AmountOrZero,
  version: VersionNumber,
  createdAt: Time,
  effectiveAt: Time
}).annotate({
  identifier: "Transaction",
  description:
    "`refundOf`: of a refund the transaction that it gives or takes back. `refunded`: what was refunded of this one; " +
    "in the answer of a command always as it was at first."
})

export const HoldStatus = Schema.Literals(["active", "captured", "released", "expired"])

export const HoldJson = Schema.Struct({
  id: Id,
  walletId: Id,
  amount: Amount,
  captured: AmountOrZero,
  remaining: AmountOrZero,
  status: HoldStatus,
  expiresAt: Schema.NullOr(Time),
  reference: Schema.NullOr(Text),
  metadata: Metadata,
  createdAt: Time
}).annotate({ identifier: "Hold" })

export const TransferStatus = Schema.Literals(["pending", "completed", "reversed"])

export const TransferLegJson = Schema.Struct({
  from: Id,
  to: Id,
  amount: Amount,
  currency: Currency,
  reference: Schema.NullOr(Text),
  metadata: Metadata,
  refund: Schema.NullOr(
    Schema.Struct({ of: Id, leg: LegNumber }).annotate({
      description: "Of a refund: the transfer and the leg of it that this gives back."
    })
  ),
  sentTransactionId: Schema.NullOr(Id),
  receivedTransactionId: Schema.NullOr(Id),
  refunded: AmountOrZero
}).annotate({ identifier: "TransferLeg", description: "The ids are null until the transfer is completed." })

export const TransferJson = Schema.Struct({
  id: Id,
  from: Schema.NullOr(Id),
  to: Schema.NullOr(Id),
  amount: Schema.NullOr(Amount),
  currency: Schema.NullOr(Currency),
  legs: Schema.Array(TransferLegJson),
  status: TransferStatus,
  reason: Schema.NullOr(Text),
  leg: Schema.NullOr(Schema.Int),
  reference: Schema.NullOr(Text),
  metadata: Metadata,
  refundOf: Schema.NullOr(Id),
  refunded: Schema.NullOr(AmountOrZero),
  createdAt: Time,
  effectiveAt: Time,
  updatedAt: Time
}).annotate({
  identifier: "Transfer",
  description:
    "`pending`: the money has left its source; `reversed`: refused by the destination, the source has it back. " +
    "Of several legs `from`, `to`, `amount` and `currency` are null, and `leg` is the number of the one that was " +
    "refused, from 0; `pending`: not all wallets know yet how it ended; `refunded` is null, and each leg has its own."
})

export const DurabilityJson = Schema.Struct({
  committed: Schema.Boolean,
  persisted: Schema.Boolean,
  indexed: Schema.Boolean
}).annotate({
  identifier: "Durability",
  description: "What is durable as of this answer. With status 202 less than what the caller asked for."
})

export const WalletReply = Schema.Struct({ wallet: WalletJson, durability: DurabilityJson }).annotate({
  identifier: "WalletAnswer"
})

export const TransactionReply = Schema.Struct({
  transaction: TransactionJson,
  wallet: WalletJson,
  durability: DurabilityJson
}).annotate({ identifier: "TransactionAnswer" })

export const HoldReply = Schema.Struct({ hold: HoldJson, wallet: WalletJson, durability: DurabilityJson }).annotate({
  identifier: "HoldAnswer"
})

export const CaptureReply = Schema.Struct({
  hold: HoldJson,
  transaction: TransactionJson,
  transfer: Schema.optionalKey(TransferJson),
  wallet: WalletJson,
  durability: DurabilityJson
}).annotate({ identifier: "CaptureAnswer" })

export const TransferReply = Schema.Struct({ transfer: TransferJson, durability: DurabilityJson }).annotate({
  identifier: "TransferAnswer"
})

// ---- Replies to dry runs ----

const tentative = <Fields extends { readonly id: typeof Id }>(schema: Schema.Struct<Fields>, identifier: string) =>
  Schema.Struct({ ...schema.fields, id: Schema.NullOr(Id) }).annotate({ identifier })

const TentativeWallet = tentative(WalletJson, "TentativeWallet")
const TentativeTransaction = tentative(TransactionJson, "TentativeTransaction")
const TentativeHold = tentative(HoldJson, "TentativeHold")
const TentativeTransfer = tentative(TransferJson, "TentativeTransfer")

const dryRun = <const Fields extends Schema.Struct.Fields>(fields: Fields, identifier: string) =>
  Schema.Struct({ ...fields, durability: DurabilityJson, dryRun: Schema.Literal(true) }).annotate({
    identifier,
    description: "What the command would come to now. Nothing is recorded; ids that the service would make are null."
  })

export const DryWalletReply = dryRun({ wallet: TentativeWallet }, "DryRunWalletAnswer")
export const DryTransactionReply = dryRun(
  { transaction: TentativeTransaction, wallet: TentativeWallet },
  "DryRunTransactionAnswer"
)
export const DryHoldReply = dryRun({ hold: TentativeHold, wallet: TentativeWallet }, "DryRunHoldAnswer")
export const DryCaptureReply = dryRun(
  {
    hold: TentativeHold,
    transaction: TentativeTransaction,
    transfer: Schema.optionalKey(TentativeTransfer),
    wallet: TentativeWallet
  },
  "DryRunCaptureAnswer"
)
export const DryTransferReply = dryRun({ transfer: TentativeTransfer }, "DryRunTransferAnswer")

const page = <S extends Schema.Top>(item: S, identifier: string) =>
  Schema.Struct({ data: Schema.Array(item), next: Schema.NullOr(Schema.String) }).annotate({ identifier })

export const WalletPage = page(WalletJson, "WalletPage")
export const TransactionPage = page(TransactionJson, "TransactionPage")

export const StatementPage = Schema.Struct({
  openingBalance: Sum,
  closingBalance: Sum,
  totals: Schema.Record(TransactionType, Schema.optionalKey(Sum)),
  data: Schema.Array(TransactionJson),
  next: Schema.NullOr(Schema.String)
}).annotate({
  identifier: "Statement",
  description:
    "Balances before and after; sums of amounts by type, of reversals what they give back less what they take. " +
    "All pages are as of one version of the wallet."
})

export const HoldPage = page(HoldJson, "HoldPage")
export const TransferPage = page(TransferJson, "TransferPage")

export const Interval = Schema.Literals(["hour", "day", "month"])

export const StatsJson = Schema.Struct({
  transactions: Schema.Array(
    Schema.Struct({ currency: Currency, type: TransactionType, start: Time, count: VersionNumber, sum: Sum })
  ),
  wallets: Schema.Array(Schema.Struct({ currency: Currency, status: WalletStatus, count: VersionNumber, balance: Sum }))
}).annotate({
  identifier: "Stats",
  description:
    "Transactions by the interval's start (UTC), currency and type; wallets as they are now, by currency and status. " +
    "Only what there is any of. Sums are exact."
})

export const EventType = Schema.Literals(Object.keys(eventCases) as ReadonlyArray<WalletEventType>)

const eventFields = {
  version: VersionNumber,
  type: Schema.String,
  time: Time,
  data: Schema.Record(Schema.String, Schema.Json)
}

export const EventJson = Schema.Struct(eventFields).annotate({
  identifier: "Event",
  description: "A public event: amounts are strings, times RFC 3339."
})

export const EventPage = page(EventJson, "EventPage")

/** One server-sent event of the feed. */
export const FeedEvent = Schema.Struct({
  id: Position,
  event: Schema.String,
  data: fromJsonText(Schema.Struct({ walletId: Id, ...eventFields }))
}).annotate({
  identifier: "FeedEvent",
  description: "`id` is the event's position in the log, `event` its type, `data` the event and its wallet."
})

export const FeedHead = Schema.Struct({ position: Position }).annotate({
  identifier: "FeedHead",
  description: "`0`: there is no event yet."
})

// ---- Bodies ----

export const CreateWalletBody = Schema.Struct({
  id: Schema.optionalKey(Id),
  ownerId: Id,
  currency: Currency,
  overdraftLimit: Schema.optionalKey(AmountOrZero),
  metadata: Schema.optionalKey(Metadata)
}).annotate({ identifier: "CreateWallet" })

export const UpdateWalletBody = Schema.Struct({
  metadata: Schema.optionalKey(Metadata),
  overdraftLimit: Schema.optionalKey(AmountOrZero)
})
  .check(
    Schema.makeFilter((body) => body.metadata !== undefined || body.overdraftLimit !== undefined, {
      expected: "metadata, overdraftLimit or both"
    })
  )
  .annotate({ identifier: "UpdateWallet" })

const movement = { amount: Amount, reference: optionalText, metadata: Schema.optionalKey(Metadata) }

/** When it counts for the books: not in the future. */
const booked = { effectiveAt: Schema.optionalKey(Time) }

export const MovementBody = Schema.Struct({ ...movement, ...booked }).annotate({ identifier: "Movement" })

const debitFields = { ...movement, ...booked, force: Schema.optionalKey(Schema.Boolean) }

export const DebitBody = Schema.Struct(debitFields).annotate({ identifier: "Debit" })

export const LegBody = Schema.Struct({ from: Id, to: Id, ...movement }).annotate({ identifier: "Leg" })

const legs = Schema.Array(LegBody).check(
  Schema.isMinLength(minLegs, { expected: `at least ${minLegs} legs` }),
  Schema.isMaxLength(maxLegs, { expected: `at most ${maxLegs} legs` })
)

/** One leg, or several in its place. */
const transferFields = {
  to: Schema.optionalKey(Id),
  amount: Schema.optionalKey(Amount),
  legs: Schema.optionalKey(legs),
  reference: optionalText,
  metadata: Schema.optionalKey(Metadata),
  ...booked
}

interface GivenTransfer {
  readonly to?: string
  readonly amount?: bigint
  readonly legs?: ReadonlyArray<typeof LegBody.Type>
}

const isOneOrSeveral = (given: GivenTransfer): boolean =>
  given.legs === undefined
    ? given.to !== undefined && given.amount !== undefined
    : given.to === undefined && given.amount === undefined

export const TransferBody = Schema.Struct({ from: Schema.optionalKey(Id), ...transferFields })
  .check(
    Schema.makeFilter((body) => isOneOrSeveral(body) && (body.legs === undefined) === (body.from !== undefined), {
      expected: "from, to and amount, or legs in their place"
    })
  )
  .annotate({ identifier: "SendTransfer" })

const holdFields = { ...movement, expiresAt: Schema.optionalKey(Schema.NullOr(Time)) }

export const PlaceHoldBody = Schema.Struct(holdFields).annotate({ identifier: "PlaceHold" })

const changeFields = {
  amount: Schema.optionalKey(Amount),
  expiresAt: Schema.optionalKey(Schema.NullOr(Time))
}

export const ChangeHoldBody = Schema.Struct(changeFields)
  .check(
    Schema.makeFilter((body) => body.amount !== undefined || body.expiresAt !== undefined, {
      expected: "amount, expiresAt or both"
    })
  )
  .annotate({ identifier: "ChangeHold" })

const captureFields = {
  amount: Schema.optionalKey(Amount),
  final: Schema.optionalKey(Schema.Boolean),
  to: Schema.optionalKey(Id),
  ...booked
}

export const CaptureHoldBody = Schema.Struct(captureFields).annotate({ identifier: "CaptureHold" })

export const StatusChangeBody = Schema.Struct({ reason: optionalText }).annotate({ identifier: "StatusChange" })

export const FreezeBody = Schema.Struct({
  reason: optionalText,
  direction: Schema.optionalKey(FrozenDirection),
  until: Schema.optionalKey(Schema.NullOr(Time))
}).annotate({ identifier: "FreezeWallet" })

/** No amount: all that is left. */
const refundFields = {
  amount: Schema.optionalKey(Amount),
  reference: optionalText,
  metadata: Schema.optionalKey(Metadata),
  ...booked
}

/** That has to have made what is refunded, of a transfer: to have received it first. Absent: whichever did. */
const refundOfWallet = { walletId: Schema.optionalKey(Id) }

export const RefundTransactionBody = Schema.Struct({ ...refundFields, ...refundOfWallet }).annotate({
  identifier: "RefundTransaction"
})

const transferRefundFields = { ...refundFields, leg: Schema.optionalKey(LegNumber) }

export const RefundTransferBody = Schema.Struct({ ...transferRefundFields, ...refundOfWallet }).annotate({
  identifier: "RefundTransfer"
})

/** A body without fields: left out or `{}`. */
export const NoBody = noFields

// ---- Batch ----

/** Presence is asked for after the form, as with the header. */
const item = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({
    type: Schema.Literal(type),
    walletId: Id,
    idempotencyKey: IdempotencyKey.pipe(Schema.withDecodingDefaultKey(Effect.succeed(""))),
    ...fields
  })

export const CreditItem = item("credit", { ...movement, ...booked })
export const DebitItem = item("debit", debitFields)
export const HoldItem = item("hold", holdFields)
export const CaptureItem = item("capture", { holdId: Id, ...captureFields })
export const ChangeItem = item("change_hold", { holdId: Id, ...changeFields }).check(
  Schema.makeFilter((body) => body.amount !== undefined || body.expiresAt !== undefined, {
    expected: "amount, expiresAt or both"
  })
)
export const ReleaseItem = item("release", { holdId: Id })
/** `walletId` is the source, of several legs that of the first. */
export const TransferItem = item("transfer", transferFields).check(
  Schema.makeFilter(
    (given) => isOneOrSeveral(given) && (given.legs === undefined || given.legs[0]?.from === given.walletId),
    { expected: "to and amount, or in their place legs, of which the first is from walletId" }
  )
)

/** `walletId`: whose money it moves: the transaction's wallet, or the one that received the transfer, of several legs the first. */
export const RefundItem = item("refund", {
  transactionId: Schema.optionalKey(Id),
  transferId: Schema.optionalKey(Id),
  ...transferRefundFields
}).check(
  Schema.makeFilter(
    ({ leg, transactionId, transferId }) =>
      (transactionId === undefined) !== (transferId === undefined) &&
      (transactionId === undefined || leg === undefined),
    { expected: "transactionId, or transferId, which may have a leg" }
  )
)

export const BatchItem = Schema.Union([
  CreditItem,
  DebitItem,
  HoldItem,
  CaptureItem,
  ChangeItem,
  ReleaseItem,
  TransferItem,
  RefundItem
])

export const maxBatchItems = 1_000

export const BatchBody = Schema.Struct({
  commands: Schema.Array(BatchItem).check(Schema.isMaxLength(maxBatchItems, { expected: "at most 1,000 commands" }))
}).annotate({ identifier: "Batch" })

/** What the server decodes first: each item is decoded on its own, so that a malformed one fails alone. */
export const BatchEnvelope = Schema.Struct({
  commands: Schema.Array(Schema.Unknown).check(
    Schema.isMaxLength(maxBatchItems, { expected: "at most 1,000 commands" })
  )
})

export const BatchResult = Schema.Struct({
  status: Schema.Int,
  body: Schema.Json,
  replayed: Schema.optionalKey(Schema.Boolean)
}).annotate({
  identifier: "BatchResult",
  description: "What this command alone would have answered: status and body, a problem included."
})

export const BatchReply = Schema.Struct({ results: Schema.Array(BatchResult) }).annotate({ identifier: "BatchAnswer" })

export const CommandQuery = { await: Schema.optionalKey(Await), dryRun: Schema.optionalKey(Flag) }
