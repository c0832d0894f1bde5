/** Endpoints for whoever is on call: one wallet in every store, its comparison with the log, and the actors. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import { Authorization, RequiredScope } from "./Authorization.ts"
import { bodyProblems, doc, noQuery, RequestValidation, walletPath } from "./EndpointParts.ts"
import { ActorsJson, VerificationJson, VerifyWalletBody, WalletStoresJson } from "./InspectionSchemas.ts"
import { QueryTooWide, WalletNotFound } from "./Problem.ts"

const stores = HttpApiEndpoint.get("stores", "/v1/wallets/:id/stores", {
  params: walletPath,
  query: noQuery,
  success: WalletStoresJson,
  error: [WalletNotFound]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc("One wallet in every store", "admin", "The log, its actor on the node that answers, PostgreSQL and search.")
  )

const verify = HttpApiEndpoint.post("verify", "/v1/wallets/:id/verify", {
  params: walletPath,
  query: noQuery,
  payload: VerifyWalletBody,
  success: VerificationJson,
  error: [...bodyProblems, WalletNotFound, QueryTooWide]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Compare a wallet with the log, and repair it",
      "admin",
      "Event by event, as `wallet verify --wallet` does; commands come first. One at a time on a node. The log is never " +
        "changed, and a repair is asked for by `repair`: once or often is the same. What takes longer than 50 s is " +
        "`QueryTooWide`: it is for the command line."
    )
  )

const actors = HttpApiEndpoint.get("actors", "/v1/actors", { query: noQuery, success: ActorsJson })
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc("The wallets in memory of this node", "admin", "How many, what waits, what appends gather, who is busiest.")
  )

export class InspectionApi extends HttpApiGroup.make("inspection")
  .add(stores, verify, actors)
  .middleware(RequestValidation)
  .middleware(Authorization) {}
