/** Endpoints of transfers: money from one wallet to another. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Schema from "effect/Schema"
import { command, commandProblems, created, doc, noQuery, pageQuery, RequestValidation } from "./EndpointParts.ts"
import { Authorization, RequiredScope } from "./Authorization.ts"
import {
  CurrencyMismatch,
  InsufficientFunds,
  SameWallet,
  TransferNotFound,
  TransferReversed,
  WalletClosed,
  WalletFrozen,
  WalletNotFound
} from "./Problem.ts"
import { TransferReply, TransferBody, TransferJson, TransferPage, TransferStatus } from "./Schemas.ts"
import { Id } from "./SchemaValues.ts"

const send = HttpApiEndpoint.post("send", "/v1/transfers", {
  ...command,
  payload: TransferBody,
  success: created(TransferReply),
  error: [
    ...commandProblems,
    WalletNotFound,
    WalletClosed,
    WalletFrozen,
    SameWallet,
    CurrencyMismatch,
    InsufficientFunds,
    TransferReversed
  ]
})
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Send money from one wallet to another",
      "wallets:write",
      "The key is one of the source's. `WalletNotFound`, `WalletClosed` and `CurrencyMismatch`: nothing was sent. " +
        "`TransferReversed`: the destination refused it after it was sent; the source has its money back. " +
        "202 with status `pending`: the wait ended first; the transfer ends by itself."
    )
  )

const getTransfer = HttpApiEndpoint.get("get", "/v1/transfers/:id", {
  params: { id: Id },
  query: noQuery,
  success: TransferJson,
  error: [TransferNotFound]
})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(doc("Read a transfer", "wallets:read"))

const listTransfers = HttpApiEndpoint.get("list", "/v1/transfers", {
  query: { walletId: Schema.optionalKey(Id), status: Schema.optionalKey(TransferStatus), ...pageQuery },
  success: TransferPage
})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(doc("Transfers, newest first", "wallets:read", "`walletId`: as source or as destination."))

export class TransfersApi extends HttpApiGroup.make("transfers")
  .add(send, getTransfer, listTransfers)
  .middleware(RequestValidation)
  .middleware(Authorization) {}
