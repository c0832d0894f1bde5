/** Endpoints over all wallets: batch and the search of transactions. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Schema from "effect/Schema"
import { bodyProblems, commandQuery, doc, pageQuery } from "./EndpointParts.ts"
import { Authorization, RequestForm, RequiredScope } from "./Authorization.ts"
import { BatchAnswer, BatchBody, TransactionPage, TransactionType } from "./Schemas.ts"
import { Id, Text } from "./SchemaValues.ts"

const batch = HttpApiEndpoint.post("run", "/v1/batch", {
  query: commandQuery,
  payload: BatchBody,
  success: BatchAnswer,
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

export class BatchApi extends HttpApiGroup.make("batch").add(batch).middleware(RequestForm).middleware(Authorization) {}

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
  .middleware(RequestForm)
  .middleware(Authorization) {}
