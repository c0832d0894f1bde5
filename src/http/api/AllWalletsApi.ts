/**
 * Endpoints over all wallets: the batch of commands, transactions by search and by id, what they
 * add up to, and the feed of every event in the log.
 */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { Authorization, ForRestrictedKeys, RequiredScope } from "./Authorization.ts"
import {
  bodyProblems,
  commandQuery,
  created,
  DecodedFirst,
  doc,
  noQuery,
  RequestValidation,
  walletCommand,
  walletCommandProblems
} from "./EndpointParts.ts"
import { maxFeedTypes, maxFeedWallets } from "../../domain/Limits.ts"
import {
  InsufficientFunds,
  NotRefundable,
  PositionGone,
  RateLimited,
  RefundExceeded,
  TransactionNotFound,
  WalletClosed,
  WalletFrozen,
  WalletNotFound
} from "./Problem.ts"
import {
  BatchBody,
  BatchEnvelope,
  BatchReply,
  DryTransactionReply,
  EventType,
  FeedEvent,
  FeedHead,
  Interval,
  RefundTransactionBody,
  StatsJson,
  TransactionJson,
  TransactionPage,
  TransactionReply,
  TransactionType
} from "./Schemas.ts"
import { Currency, GivenKey, Id, Position, Time } from "./SchemaValues.ts"
import { amountFilters, searchDoc, searchedWallets, searchProblems, searchQuery, several } from "./SearchQuery.ts"

const batch = HttpApiEndpoint.post("run", "/v1/batch", {
  query: commandQuery,
  payload: BatchBody,
  success: BatchReply,
  error: [...bodyProblems]
})
  .annotate(ForRestrictedKeys, { type: "each" })
  .annotate(RequiredScope, "wallets:write")
  .annotate(DecodedFirst, BatchEnvelope)
  .annotateMerge(
    doc(
      "Run up to 1,000 commands",
      "wallets:write",
      "Independent, not atomic; the commands on one wallet run in the order given. Each has a key of its own. With " +
        "`dryRun=true` each is judged alone, as the wallets are now, and none is done."
    )
  )

export class BatchApi extends HttpApiGroup.make("batch")
  .add(batch)
  .middleware(RequestValidation)
  .middleware(Authorization) {}

const searchTransactions = HttpApiEndpoint.get("search", "/v1/transactions", {
  query: searchQuery({
    ...amountFilters,
    type: Schema.optionalKey(TransactionType),
    effectiveFrom: Schema.optionalKey(Time),
    effectiveTo: Schema.optionalKey(Time),
    transferId: Schema.optionalKey(Id),
    refundOf: Schema.optionalKey(Id),
    holdId: Schema.optionalKey(Id),
    idempotencyKey: Schema.optionalKey(GivenKey)
  }),
  success: TransactionPage,
  error: [...searchProblems]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(searchDoc("Search transactions, newest first", "wallets:read"))

const getTransaction = HttpApiEndpoint.get("get", "/v1/transactions/:id", {
  params: { id: Id },
  query: noQuery,
  success: TransactionJson,
  error: [TransactionNotFound]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(doc("Read a transaction", "wallets:read", "It is there as soon as it is persisted."))

const refundTransaction = HttpApiEndpoint.post("refund", "/v1/transactions/:id/refund", {
  ...walletCommand,
  params: { id: Id },
  payload: RefundTransactionBody,
  success: created(TransactionReply, DryTransactionReply),
  error: [
    ...walletCommandProblems,
    TransactionNotFound,
    WalletNotFound,
    WalletClosed,
    WalletFrozen,
    InsufficientFunds,
    NotRefundable,
    RefundExceeded
  ]
})
  .annotate(ForRestrictedKeys, { type: "refund" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Refund a transaction, in part or all that is left",
      "wallets:write",
      "Of a debit or a capture: money comes back. Of a credit: it is taken back, and needs funds. Several refunds of one " +
        "transaction never come to more than it: `RefundExceeded`. `NotRefundable`: a refund, a reversal, or a part of a " +
        "transfer, which is refunded itself. The key is one of the transaction's wallet."
    )
  )

export class TransactionsApi extends HttpApiGroup.make("transactions")
  .add(searchTransactions, getTransaction, refundTransaction)
  .middleware(RequestValidation)
  .middleware(Authorization) {}

const readStats = HttpApiEndpoint.get("read", "/v1/stats", {
  query: {
    ownerId: Schema.optionalKey(Id),
    currency: Schema.optionalKey(Currency),
    from: Schema.optionalKey(Time),
    to: Schema.optionalKey(Time),
    interval: Schema.optionalKey(Interval),
    ...searchedWallets
  },
  success: StatsJson,
  error: [...searchProblems]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(
    doc(
      "What transactions and wallets add up to",
      "wallets:read",
      "Transactions of the time from `from` to `to` by interval, and all wallets as they are now."
    )
  )

export class StatsApi extends HttpApiGroup.make("stats")
  .add(readStats)
  .middleware(RequestValidation)
  .middleware(Authorization) {}

const follow = HttpApiEndpoint.get("follow", "/v1/feed", {
  headers: { "last-event-id": Schema.optionalKey(Position) },
  query: {
    after: Schema.optionalKey(Position),
    walletId: Schema.optionalKey(several(Id, maxFeedWallets)).annotate({ description: "Events of this wallet." }),
    type: Schema.optionalKey(several(EventType, maxFeedTypes)).annotate({ description: "Events of this type." })
  },
  success: HttpApiSchema.StreamSse({ events: FeedEvent }),
  error: [PositionGone, RateLimited]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(
    doc(
      "Follow all events",
      "wallets:read",
      "Server-sent events from the log: those after the position `after` (or `Last-Event-ID`, which counts when both " +
        "are given; neither: from the first), then live. At least once, in order per wallet. A comment every few " +
        "seconds keeps the connection. With `walletId` or `type`, each perhaps several times, only the events of one of " +
        "these wallets, or of one of these types. It ends when the service stops or the key is revoked: connect again, from " +
        "the last `id`. A position beyond the log's head: 410."
    )
  )

const head = HttpApiEndpoint.get("head", "/v1/feed/head", { query: noQuery, success: FeedHead })
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(
    doc("Where the feed is now", "wallets:read", "The position of the last event: where to begin that wants no past.")
  )

export class FeedApi extends HttpApiGroup.make("feed")
  .add(follow, head)
  .middleware(RequestValidation)
  .middleware(Authorization) {}
