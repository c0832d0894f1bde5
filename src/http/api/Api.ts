/**
 * The HTTP API, version 1, as a value: server, client and OpenAPI document are
 * made from it. Definition only, without a line of the server or of the document
 * (`OpenApiDocument.ts`), which a client in a browser has no use for.
 */
import * as HttpApi from "effect/http-api/HttpApi"
import * as OpenApi from "effect/http-api/OpenApi"
import { ClusterApi, HealthApi } from "./OperationsApi.ts"
import { BatchApi, FeedApi, StatsApi, TransactionsApi } from "./AllWalletsApi.ts"
import { HoldsApi } from "./HoldsApi.ts"
import { InspectionApi } from "./InspectionApi.ts"
import { AuditApi, KeysApi } from "./KeysApi.ts"
import { TransfersApi } from "./TransfersApi.ts"
import { WebhooksApi } from "./WebhooksApi.ts"
import { WalletsApi } from "./WalletsApi.ts"

const strict = { onExcessProperty: "error" } as const

export class WalletApi extends HttpApi.make("effect-wallet")
  .add(WalletsApi, HoldsApi, TransfersApi, TransactionsApi, StatsApi, BatchApi, FeedApi, WebhooksApi, KeysApi)
  .add(AuditApi, InspectionApi, ClusterApi, HealthApi)
  .annotate(HttpApi.QueryParseOptions, strict)
  .annotate(HttpApi.PayloadParseOptions, strict)
  .annotateMerge(
    OpenApi.annotations({
      title: "effect-wallet",
      version: "1",
      description:
        "Wallets with holds and transfers, on a log. Amounts are strings of minor units, times RFC 3339 in UTC. " +
        "Every failure is a problem (RFC 9457) whose `code` names it."
    })
  ) {}
