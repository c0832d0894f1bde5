/** Endpoints of wallets and of what happened to one. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import {
  command,
  commandProblems,
  created,
  doc,
  done,
  pageQuery,
  walletCommand,
  walletCommandProblems,
  walletPath,
  RequestValidation
} from "./EndpointParts.ts"
import { Authorization, ForRestrictedKeys, RequiredScope } from "./Authorization.ts"
import {
  Forbidden,
  InsufficientFunds,
  MailboxFull,
  QueryTooWide,
  VersionNotReached,
  WalletAlreadyExists,
  WalletClosed,
  WalletFrozen,
  WalletNotEmpty,
  WalletNotFound
} from "./Problem.ts"
import {
  CreateWalletBody,
  DebitBody,
  DryTransactionReply,
  DryWalletReply,
  EventPage,
  FreezeBody,
  MovementBody,
  StatementPage,
  StatusChangeBody,
  TransactionReply,
  TransactionPage,
  TransactionType,
  UpdateWalletBody,
  WalletReply,
  WalletJson,
  WalletPage,
  WalletStatus
} from "./Schemas.ts"
import { Balance, BookDate, Limit, Time, TimeZone, Version } from "./SchemaValues.ts"
import { searchDoc, searchProblems, searchQuery } from "./SearchQuery.ts"

const createWallet = HttpApiEndpoint.post("create", "/v1/wallets", {
  ...command,
  payload: CreateWalletBody,
  success: created(WalletReply, DryWalletReply),
  error: [...commandProblems, Forbidden, WalletAlreadyExists]
})
  .annotate(ForRestrictedKeys, { type: "other" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Create a wallet",
      "wallets:write",
      "With `overdraftLimit` also `admin`. Without `id` one is derived from the key."
    )
  )

const getWallet = HttpApiEndpoint.get("get", "/v1/wallets/:id", {
  params: walletPath,
  query: {
    minVersion: Schema.optionalKey(Version),
    atVersion: Schema.optionalKey(Version),
    at: Schema.optionalKey(Time),
    effectiveAt: Schema.optionalKey(Time)
  },
  success: WalletJson,
  error: [WalletNotFound, MailboxFull, VersionNotReached]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(
    doc(
      "Read a wallet",
      "wallets:read",
      "Now, or as it was at a version or a time (one of the three). `effectiveAt`: as now, with the balance by the books of that time."
    )
  )

const searchWallets = HttpApiEndpoint.get("search", "/v1/wallets", {
  query: searchQuery({
    status: Schema.optionalKey(WalletStatus),
    minBalance: Schema.optionalKey(Balance),
    maxBalance: Schema.optionalKey(Balance)
  }),
  success: WalletPage,
  error: [...searchProblems]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(searchDoc("Search wallets, newest first", "wallets:read"))

const updateWallet = HttpApiEndpoint.patch("update", "/v1/wallets/:id", {
  ...walletCommand,
  params: walletPath,
  payload: UpdateWalletBody,
  success: done(WalletReply, DryWalletReply),
  error: [...walletCommandProblems, Forbidden, WalletNotFound, WalletClosed, InsufficientFunds]
})
  .annotate(ForRestrictedKeys, { type: "other" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Change metadata or overdraft limit",
      "wallets:write",
      "With `overdraftLimit` also `admin`. Metadata is replaced."
    )
  )

const credit = HttpApiEndpoint.post("credit", "/v1/wallets/:id/credit", {
  ...walletCommand,
  params: walletPath,
  payload: MovementBody,
  success: created(TransactionReply, DryTransactionReply),
  error: [...walletCommandProblems, WalletNotFound, WalletClosed, WalletFrozen]
})
  .annotate(ForRestrictedKeys, { type: "credit" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(doc("Credit a wallet", "wallets:write"))

const debit = HttpApiEndpoint.post("debit", "/v1/wallets/:id/debit", {
  ...walletCommand,
  params: walletPath,
  payload: DebitBody,
  success: created(TransactionReply, DryTransactionReply),
  error: [...walletCommandProblems, Forbidden, WalletNotFound, WalletClosed, WalletFrozen, InsufficientFunds]
})
  .annotate(ForRestrictedKeys, { type: "debit" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Debit a wallet",
      "wallets:write",
      "With `force` also `admin`: it asks for no funds, and may leave the wallet below zero."
    )
  )

const freeze = HttpApiEndpoint.post("freeze", "/v1/wallets/:id/freeze", {
  ...walletCommand,
  params: walletPath,
  payload: FreezeBody,
  success: done(WalletReply, DryWalletReply),
  error: [...walletCommandProblems, WalletNotFound, WalletClosed]
})
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "Freeze a wallet",
      "admin",
      "`direction` `debits` (default): nothing leaves it; `credits`: nothing comes; `all`: neither. It ends by itself at " +
        "`until`. One that is frozen is frozen as asked from now on."
    )
  )

const statusChange = <const Name extends "unfreeze" | "close">(name: Name, summary: string) =>
  HttpApiEndpoint.post(name, `/v1/wallets/:id/${name}`, {
    ...walletCommand,
    params: walletPath,
    payload: StatusChangeBody,
    success: done(WalletReply, DryWalletReply),
    error: [...walletCommandProblems, WalletNotFound, WalletClosed, WalletNotEmpty]
  })
    .annotate(RequiredScope, "admin")
    .annotateMerge(doc(summary, "admin"))

const listTransactions = HttpApiEndpoint.get("transactions", "/v1/wallets/:id/transactions", {
  params: walletPath,
  query: {
    from: Schema.optionalKey(Time),
    to: Schema.optionalKey(Time),
    type: Schema.optionalKey(TransactionType),
    minVersion: Schema.optionalKey(Version),
    ...pageQuery
  },
  success: TransactionPage,
  error: [WalletNotFound, VersionNotReached]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(doc("A wallet's transactions, newest first", "wallets:read", "`from` and `to` are inclusive."))

const statement = HttpApiEndpoint.get("statement", "/v1/wallets/:id/statement", {
  params: walletPath,
  query: {
    from: Schema.optionalKey(BookDate),
    to: Schema.optionalKey(BookDate),
    timezone: Schema.optionalKey(TimeZone),
    minVersion: Schema.optionalKey(Version),
    ...pageQuery
  },
  success: [StatementPage, Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/csv" }))],
  error: [WalletNotFound, VersionNotReached, QueryTooWide]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(
    doc(
      "A wallet's statement",
      "wallets:read",
      "By `effectiveAt`, then version. `from` and `to` are inclusive; a date is one of `timezone` (UTC unless given), " +
        "and `to` takes in its whole day. `Accept: text/csv`: all rows, or with `limit` or `cursor` a page, whose " +
        "next one `Link` names; the balances are in the headers `Opening-Balance` and `Closing-Balance`."
    )
  )

const listEvents = HttpApiEndpoint.get("events", "/v1/wallets/:id/events", {
  params: walletPath,
  query: { after: Schema.optionalKey(Version), limit: Schema.optionalKey(Limit) },
  success: EventPage,
  error: [WalletNotFound]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(doc("A wallet's events by version", "wallets:read", "`next` is the value for `after`."))

export class WalletsApi extends HttpApiGroup.make("wallets")
  .add(
    createWallet,
    getWallet,
    searchWallets,
    updateWallet,
    credit,
    debit,
    freeze,
    statusChange("unfreeze", "Unfreeze a wallet"),
    statusChange("close", "Close an empty wallet for good"),
    listTransactions,
    statement,
    listEvents
  )
  .middleware(RequestValidation)
  .middleware(Authorization) {}
