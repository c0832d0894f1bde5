/**
 * Endpoints over all wallets: the batch of commands, the search of transactions, and the
 * feed of every event in the log.
 */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { Authorization, RequiredScope } from "./Authorization.ts"
import { bodyProblems, commandQuery, doc, pageQuery, RequestValidation } from "./EndpointParts.ts"
import { PositionGone, RateLimited } from "./Problem.ts"
import { BatchReply, BatchBody, FeedEvent, TransactionPage, TransactionType } from "./Schemas.ts"
import { Id, Position, Text } from "./SchemaValues.ts"

const batch = HttpApiEndpoint.post("run", "/v1/batch", {
  query: commandQuery,
  payload: BatchBody,
  success: BatchReply,
  error: [...bodyProblems]
})
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Run up to 1,000 commands",
      "wallets:write",
      "Independent, not atomic; the commands on one wallet run in the order given. Each has a key of its own."
    )
  )

export class BatchApi extends HttpApiGroup.make("batch")
  .add(batch)
  .middleware(RequestValidation)
  .middleware(Authorization) {}

const searchTransactions = HttpApiEndpoint.get("search", "/v1/transactions", {
  query: {
    q: Schema.optionalKey(Text),
    ownerId: Schema.optionalKey(Id),
    type: Schema.optionalKey(TransactionType),
    ...pageQuery
  },
  success: TransactionPage
})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(doc("Search transactions, newest first", "wallets:read"))

export class TransactionsApi extends HttpApiGroup.make("transactions")
  .add(searchTransactions)
  .middleware(RequestValidation)
  .middleware(Authorization) {}

const follow = HttpApiEndpoint.get("follow", "/v1/feed", {
  headers: { "last-event-id": Schema.optionalKey(Position) },
  query: { after: Schema.optionalKey(Position) },
  success: HttpApiSchema.StreamSse({ events: FeedEvent }),
  error: [PositionGone, RateLimited]
})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(
    doc(
      "Follow all events",
      "wallets:read",
      "Server-sent events from the log: those after the position `after` (or `Last-Event-ID`, which counts when both " +
        "are given; neither: from the first), then live. At least once, in order per wallet. A comment every few " +
        "seconds keeps the connection. It ends when the service stops or the key is revoked: connect again, from " +
        "the last `id`. A position beyond the log's head: 410."
    )
  )

export class FeedApi extends HttpApiGroup.make("feed")
  .add(follow)
  .middleware(RequestValidation)
  .middleware(Authorization) {}
