/** Endpoints of transfers: money from one wallet to another. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Schema from "effect/Schema"
import { command, commandProblems, created, doc, noQuery, RequestValidation } from "./EndpointParts.ts"
import { Authorization, ForRestrictedKeys, RequiredScope } from "./Authorization.ts"
import {
  CurrencyMismatch,
  InsufficientFunds,
  NotRefundable,
  RefundExceeded,
  SameWallet,
  TransferNotFound,
  TransferReversed,
  WalletClosed,
  WalletFrozen,
  WalletNotFound
} from "./Problem.ts"
import {
  DryTransferReply,
  RefundTransferBody,
  TransferBody,
  TransferJson,
  TransferPage,
  TransferReply,
  TransferStatus
} from "./Schemas.ts"
import { GivenKey, Id } from "./SchemaValues.ts"
import { amountFilters, searchDoc, searchProblems, searchQuery } from "./SearchQuery.ts"

const send = HttpApiEndpoint.post("send", "/v1/transfers", {
  ...command,
  payload: TransferBody,
  success: created(TransferReply, DryTransferReply),
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
  .annotate(ForRestrictedKeys, { type: "transfer" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Send money from one wallet to another, or in several legs",
      "wallets:write",
      "The key is one of the source's. `WalletNotFound`, `WalletClosed` and `CurrencyMismatch`: nothing was sent. " +
        "`TransferReversed`: the destination refused it after it was sent; the source has its money back. " +
        "With `legs` in place of `from`, `to` and `amount` all legs happen or none, each judged on what those before " +
        "it leave; the key is one of the first leg's source, and a problem says which `leg` it is about, from 0. " +
        "202 with status `pending`: the wait ended first; the transfer ends by itself."
    )
  )

const refund = HttpApiEndpoint.post("refund", "/v1/transfers/:id/refund", {
  ...command,
  params: { id: Id },
  payload: RefundTransferBody,
  success: created(TransferReply, DryTransferReply),
  error: [
    ...commandProblems,
    TransferNotFound,
    WalletNotFound,
    WalletClosed,
    WalletFrozen,
    InsufficientFunds,
    NotRefundable,
    RefundExceeded,
    TransferReversed
  ]
})
  .annotate(ForRestrictedKeys, { type: "refund" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Refund a transfer, in part or all that is left",
      "wallets:write",
      "A transfer the other way, with `refundOf`. Of several legs what is left of each, all or nothing, or one by `leg`, " +
        "from 0; `amount` there only with `leg`. `NotRefundable`: it was reversed, or is a refund. `TransferReversed`: " +
        "another wallet refused it, because of another refund for one. The key is one of the wallet that received the " +
        "transfer, of several legs the first of which something is left."
    )
  )

const getTransfer = HttpApiEndpoint.get("get", "/v1/transfers/:id", {
  params: { id: Id },
  query: noQuery,
  success: TransferJson,
  error: [TransferNotFound]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(doc("Read a transfer", "wallets:read"))

const listTransfers = HttpApiEndpoint.get("list", "/v1/transfers", {
  query: searchQuery({
    ...amountFilters,
    status: Schema.optionalKey(TransferStatus),
    refundOf: Schema.optionalKey(Id),
    idempotencyKey: Schema.optionalKey(GivenKey)
  }),
  success: TransferPage,
  error: [...searchProblems]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(
    searchDoc(
      "Transfers, newest first",
      "wallets:read",
      "`walletId` and `ownerId`: of the source or of the destination, of several legs of any. By `walletId` and `status` alone, or by nothing, it " +
        "shows what is persisted; by anything else what search has, with the status as the source has it."
    )
  )

export class TransfersApi extends HttpApiGroup.make("transfers")
  .add(send, getTransfer, listTransfers, refund)
  .middleware(RequestValidation)
  .middleware(Authorization) {}
