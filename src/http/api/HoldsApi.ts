/** Endpoints of holds: money set aside, to be captured or released. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Schema from "effect/Schema"
import {
  created,
  done,
  DecodedFirst,
  doc,
  holdPath,
  pageQuery,
  walletCommand,
  walletCommandProblems,
  walletPath,
  RequestValidation
} from "./EndpointParts.ts"
import { Authorization, ForRestrictedKeys, RequiredScope } from "./Authorization.ts"
import {
  CurrencyMismatch,
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  InsufficientFunds,
  SameWallet,
  TransferReversed,
  VersionNotReached,
  WalletClosed,
  WalletFrozen,
  WalletNotFound
} from "./Problem.ts"
import {
  CaptureReply,
  CaptureHoldBody,
  ChangeHoldBody,
  DryCaptureReply,
  DryHoldReply,
  HoldReply,
  HoldJson,
  HoldPage,
  HoldStatus,
  NoBody,
  PlaceHoldBody
} from "./Schemas.ts"
import { Time, Version } from "./SchemaValues.ts"
import { amountFilters, searchDoc, searchProblems, searchQuery } from "./SearchQuery.ts"

const minVersion = Schema.optionalKey(Version)

const placeHold = HttpApiEndpoint.post("place", "/v1/wallets/:id/holds", {
  ...walletCommand,
  params: walletPath,
  payload: PlaceHoldBody,
  success: created(HoldReply, DryHoldReply),
  error: [...walletCommandProblems, WalletNotFound, WalletClosed, WalletFrozen, InsufficientFunds]
})
  .annotate(ForRestrictedKeys, { type: "hold" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(doc("Place a hold", "wallets:write", "From `expiresAt` on it cannot be captured."))

const captureHold = HttpApiEndpoint.post("capture", "/v1/wallets/:id/holds/:holdId/capture", {
  ...walletCommand,
  params: holdPath,
  payload: CaptureHoldBody,
  success: created(CaptureReply, DryCaptureReply),
  error: [
    ...walletCommandProblems,
    WalletNotFound,
    HoldNotFound,
    WalletClosed,
    WalletFrozen,
    HoldClosed,
    HoldAmountExceeded,
    SameWallet,
    CurrencyMismatch,
    TransferReversed
  ]
})
  .annotate(ForRestrictedKeys, { type: "capture" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Capture a hold, in part or all that remains",
      "wallets:write",
      "`final` releases what then remains. With `to` the money goes to that wallet, and the answer has the `transfer`, " +
        "too; `TransferReversed`: that wallet refused it after it was sent, and the hold is as before."
    )
  )

const changeHold = HttpApiEndpoint.patch("change", "/v1/wallets/:id/holds/:holdId", {
  ...walletCommand,
  params: holdPath,
  payload: ChangeHoldBody,
  success: done(HoldReply, DryHoldReply),
  error: [
    ...walletCommandProblems,
    WalletNotFound,
    HoldNotFound,
    WalletClosed,
    WalletFrozen,
    HoldClosed,
    HoldAmountExceeded,
    InsufficientFunds
  ]
})
  .annotate(ForRestrictedKeys, { type: "hold" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(
    doc(
      "Change what a hold holds, and until when",
      "wallets:write",
      "`amount` is the new total: more needs funds, as much as is captured closes the hold. `expiresAt: null`: it does " +
        "not expire."
    )
  )

const releaseHold = HttpApiEndpoint.post("release", "/v1/wallets/:id/holds/:holdId/release", {
  ...walletCommand,
  params: holdPath,
  success: created(HoldReply, DryHoldReply),
  error: [...walletCommandProblems, WalletNotFound, HoldNotFound, WalletClosed, HoldClosed]
})
  .annotate(DecodedFirst, NoBody)
  .annotate(ForRestrictedKeys, { type: "release" })
  .annotate(RequiredScope, "wallets:write")
  .annotateMerge(doc("Release what a hold still holds", "wallets:write"))

const listHolds = HttpApiEndpoint.get("list", "/v1/wallets/:id/holds", {
  params: walletPath,
  query: { status: Schema.optionalKey(HoldStatus), minVersion, ...pageQuery },
  success: HoldPage,
  error: [WalletNotFound, VersionNotReached]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(doc("A wallet's holds, newest first", "wallets:read"))

const getHold = HttpApiEndpoint.get("get", "/v1/wallets/:id/holds/:holdId", {
  params: holdPath,
  query: { minVersion },
  success: HoldJson,
  error: [WalletNotFound, HoldNotFound, VersionNotReached]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(doc("Read a hold", "wallets:read"))

const searchHolds = HttpApiEndpoint.get("search", "/v1/holds", {
  query: searchQuery({
    ...amountFilters,
    status: Schema.optionalKey(HoldStatus),
    expiresBefore: Schema.optionalKey(Time)
  }),
  success: HoldPage,
  error: [...searchProblems]
})
  .annotate(ForRestrictedKeys, {})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(searchDoc("Search holds, newest first", "wallets:read"))

export class HoldsApi extends HttpApiGroup.make("holds")
  .add(placeHold, captureHold, changeHold, releaseHold, listHolds, getHold, searchHolds)
  .middleware(RequestValidation)
  .middleware(Authorization) {}
