/**
 * The documents of the wire: what bodies and replies look like as JSON, and what
 * they decode to. Decoded they are the very types of the library (`WalletView`,
 * `Transaction`, `Hold`), so that an app can move between the two.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { maxLegs, minLegs } from "../../domain/Legs.ts"
import {
  Amount,
  AmountOrZero,
  Await,
  Balance,
  Currency,
  Id,
  IdempotencyKey,
  Metadata,
  noFields,
  Position,
  Sum,
  Text,
  text,
  Time
} from "./SchemaValues.ts"

/** In replies a number, 0 or more. */
const VersionNumber = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

const optionalText = Schema.optionalKey(Schema.NullOr(Text))

// ---- Replies ----

export const WalletStatus = Schema.Literals(["active", "frozen", "closed"])

export const WalletJson = Schema.Struct({
  id: Id,
  ownerId: Id,
  currency: Currency,
  balance: Balance,
  held: Balance,
  available: Balance,
  overdraftLimit: AmountOrZero,
  status: WalletStatus,
  version: VersionNumber,
  metadata: Metadata,
  createdAt: Time,
  updatedAt: Time
}).annotate({ identifier: "Wallet" })

export const TransactionType = Schema.Literals([
  "credit",
  "debit",
  "capture",
  "transfer_in",
  "transfer_out",
  "reversal"
])

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
  version: VersionNumber,
  createdAt: Time
}).annotate({ identifier: "Transaction" })

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
  sentTransactionId: Schema.NullOr(Id),
  receivedTransactionId: Schema.NullOr(Id)
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
  createdAt: Time,
  updatedAt: Time
}).annotate({
  identifier: "Transfer",
  description:
    "`pending`: the money has left its source; `reversed`: refused by the destination, the source has it back. " +
    "Of several legs `from`, `to`, `amount` and `currency` are null, and `leg` is the number of the one that was " +
    "refused, from 0; `pending`: not all wallets know yet how it ended."
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
  wallet: WalletJson,
  durability: DurabilityJson
}).annotate({ identifier: "CaptureAnswer" })

export const TransferReply = Schema.Struct({ transfer: TransferJson, durability: DurabilityJson }).annotate({
  identifier: "TransferAnswer"
})

const page = <S extends Schema.Top>(item: S, identifier: string) =>
  Schema.Struct({ data: Schema.Array(item), next: Schema.NullOr(Schema.String) }).annotate({ identifier })

export const WalletPage = page(WalletJson, "WalletPage")
export const TransactionPage = page(TransactionJson, "TransactionPage")
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
  data: Schema.fromJsonString(Schema.Struct({ walletId: Id, ...eventFields }))
}).annotate({
  identifier: "FeedEvent",
  description: "`id` is the event's position in the log, `event` its type, `data` the event and its wallet."
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

export const MovementBody = Schema.Struct(movement).annotate({ identifier: "Movement" })

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
  metadata: Schema.optionalKey(Metadata)
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

const captureFields = { amount: Schema.optionalKey(Amount), final: Schema.optionalKey(Schema.Boolean) }

export const CaptureHoldBody = Schema.Struct(captureFields).annotate({ identifier: "CaptureHold" })

export const StatusChangeBody = Schema.Struct({ reason: optionalText }).annotate({ identifier: "StatusChange" })

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

export const CreditItem = item("credit", movement)
export const DebitItem = item("debit", movement)
export const HoldItem = item("hold", holdFields)
export const CaptureItem = item("capture", { holdId: Id, ...captureFields })
export const ReleaseItem = item("release", { holdId: Id })
/** `walletId` is the source, of several legs that of the first. */
export const TransferItem = item("transfer", transferFields).check(
  Schema.makeFilter(
    (given) => isOneOrSeveral(given) && (given.legs === undefined || given.legs[0]?.from === given.walletId),
    { expected: "to and amount, or in their place legs, of which the first is from walletId" }
  )
)

export const BatchItem = Schema.Union([CreditItem, DebitItem, HoldItem, CaptureItem, ReleaseItem, TransferItem])

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

// ---- Keys ----

export const KeyScope = Schema.Literals(["wallets:read", "wallets:write", "admin"])

const scopesForm = "one or more different scopes"

export const CreateKeyBody = Schema.Struct({
  name: text(64).check(Schema.isMinLength(1, { expected: "1 to 64 characters" })),
  scopes: Schema.Array(KeyScope).check(
    Schema.isMinLength(1, { expected: scopesForm }),
    Schema.isUnique({ expected: scopesForm })
  )
}).annotate({ identifier: "CreateKey" })

const keyFields = { id: Id, name: Schema.String, scopes: Schema.Array(KeyScope), createdAt: Time }

export const KeyJson = Schema.Struct(keyFields).annotate({ identifier: "Key" })

export const CreatedKeyJson = Schema.Struct({ ...keyFields, secret: Schema.String }).annotate({
  identifier: "CreatedKey",
  description: "The secret is shown this once; only its hash is kept."
})

export const KeyPage = page(KeyJson, "KeyPage")

// ---- Health ----

export const HealthJson = Schema.Struct({
  status: Schema.Literals(["ok", "degraded", "down"]),
  checks: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      status: Schema.Literals(["ok", "degraded", "down"]),
      detail: Schema.NullOr(Schema.String)
    })
  )
}).annotate({ identifier: "Health" })

// ---- Cluster ----

const Count = Schema.Int

export const ClusterJson = Schema.Struct({
  partitions: Count,
  leases: Schema.Literals(["answering", "grace", "none"]),
  nodes: Schema.NullOr(
    Schema.Array(
      Schema.Struct({
        address: Schema.NullOr(Schema.String),
        incarnation: Schema.String,
        healthy: Schema.Boolean,
        partitions: Count
      })
    )
  ),
  unowned: Schema.NullOr(Count),
  node: Schema.Struct({
    incarnation: Schema.String,
    owned: Schema.Array(Schema.Struct({ partition: Count, epoch: Count })),
    residentWallets: Count,
    busyWallets: Count,
    waitingCommands: Count,
    outgoingCommands: Count
  })
}).annotate({ identifier: "Cluster" })

export const AwaitQuery = { await: Schema.optionalKey(Await) }
