/**
 * Every problem the API replies with: RFC 9457, `code` = the error's tag.
 *
 * The classes are what a client catches by tag and what OpenAPI shows; the server
 * writes the same documents with `problemBody`, without an encoder between.
 */
import * as Effect from "effect/Effect"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { FrozenDirection, ValueError } from "../../domain/Rejection.ts"
import { Amount, Balance, Currency, formatTime, Id, Position, Sum, Time, VersionNumber } from "./SchemaValues.ts"

export const problemStatus = {
  InvalidRequest: 400,
  IdempotencyKeyMissing: 400,
  Unauthorized: 401,
  Forbidden: 403,
  KeyLimitExceeded: 403,
  WalletNotFound: 404,
  HoldNotFound: 404,
  TransferNotFound: 404,
  TransactionNotFound: 404,
  NotFound: 404,
  MethodNotAllowed: 405,
  WalletAlreadyExists: 409,
  IdempotencyInProgress: 409,
  LastAdminKey: 409,
  KeyConfigured: 409,
  PositionGone: 410,
  VersionMismatch: 412,
  PayloadTooLarge: 413,
  UnsupportedMediaType: 415,
  InsufficientFunds: 422,
  CurrencyMismatch: 422,
  WalletFrozen: 422,
  WalletClosed: 422,
  WalletNotEmpty: 422,
  HoldClosed: 422,
  HoldAmountExceeded: 422,
  SameWallet: 422,
  LimitExceeded: 422,
  RefundExceeded: 422,
  NotRefundable: 422,
  PolicyRejected: 422,
  QueryTooWide: 422,
  IdempotencyKeyReused: 422,
  OperationRefused: 422,
  OperationReversed: 422,
  TransferReversed: 422,
  WebhookRefused: 422,
  MailboxFull: 429,
  RateLimited: 429,
  InternalError: 500,
  PolicyDefect: 500,
  StoreUnavailable: 503,
  VersionNotReached: 503,
  OutcomeUnknown: 503
} as const

export type ProblemCode = keyof typeof problemStatus

const typeOf = <Code extends ProblemCode>(code: Code) => `urn:problem-type:effect-wallet:${code}` as const

/** `InsufficientFunds` → `Insufficient funds`. */
const titleOf = (code: ProblemCode): string => code.replace(/(?<=.)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** The same request may succeed later, and nobody has to do anything for it. */
const retryable: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  "MailboxFull",
  "RateLimited",
  "StoreUnavailable",
  "VersionNotReached",
  "OutcomeUnknown",
  "IdempotencyInProgress"
])

export const isRetryable = (code: ProblemCode): boolean => retryable.has(code)

/** Of a transfer of several legs: which one, from 0. */
const leg = { leg: Schema.optionalKey(VersionNumber) }

/** Optional all of them: what has come since the first clients were made. */
const ofWallet = { walletId: Schema.optionalKey(Id) }
const ofHold = { ...ofWallet, holdId: Schema.optionalKey(Id) }
const Count = Schema.optionalKey(VersionNumber)
const Reason = Schema.optionalKey(Schema.String)

/** What a problem says beyond the members of all, by the names that its error has for it; none of the others does. */
export const members = {
  InvalidRequest: {
    errors: Schema.Array(ValueError.annotate({ identifier: "InvalidValue" })).annotate({
      description:
        "All that is wrong. `pointer`: a JSON Pointer (RFC 6901) into the body, of a batch into the command, `` for the " +
        "whole; or `#/path/…`, `#/query/…` and `#/header/…`."
    })
  },
  Forbidden: {
    reason: Schema.optionalKey(
      Schema.Literals(["scope", "type", "restriction"]).annotate({
        description:
          "What is in the way: the key's scopes, the types that it is restricted to, or its restriction otherwise."
      })
    )
  },
  KeyLimitExceeded: {
    ...ofWallet,
    limit: Schema.Literals(["perOperation", "perDay"]),
    bound: Balance,
    remaining: Balance,
    ...leg
  },
  WalletNotFound: { ...ofWallet, ...leg },
  WalletAlreadyExists: ofWallet,
  WalletClosed: { ...ofWallet, ...leg },
  SameWallet: { ...ofWallet, ...leg },
  WalletFrozen: { ...ofWallet, direction: FrozenDirection, until: Schema.NullOr(Time), ...leg },
  WalletNotEmpty: {
    ...ofWallet,
    balance: Schema.optionalKey(Balance),
    openHolds: Count,
    transfersInFlight: Count
  },
  CurrencyMismatch: { ...ofWallet, expected: Currency, actual: Currency, ...leg },
  HoldNotFound: ofHold,
  HoldClosed: ofHold,
  HoldAmountExceeded: { ...ofHold, remaining: Balance, amount: Schema.optionalKey(Amount) },
  TransferNotFound: { transferId: Schema.optionalKey(Id) },
  TransactionNotFound: { transactionId: Schema.optionalKey(Id) },
  InsufficientFunds: {
    walletId: Id,
    currency: Currency,
    available: Balance,
    required: Balance,
    shortage: Balance,
    ...leg
  },
  LimitExceeded: {
    ...ofWallet,
    limit: Schema.String,
    bound: Sum,
    current: Sum,
    size: Schema.optionalKey(Sum),
    ...leg
  },
  RefundExceeded: { ...ofWallet, refundable: Balance, ...leg },
  NotRefundable: { id: Schema.optionalKey(Id), transferId: Schema.optionalKey(Id) },
  PolicyRejected: { ...ofWallet, policy: Schema.String, reason: Schema.String, ...leg },
  PolicyDefect: { ...ofWallet, policy: Schema.optionalKey(Schema.String) },
  IdempotencyKeyReused: ofWallet,
  MailboxFull: ofWallet,
  OutcomeUnknown: ofWallet,
  OperationRefused: { reason: Reason },
  OperationReversed: { ...ofWallet, reason: Reason },
  TransferReversed: { transferId: Schema.optionalKey(Id), reason: Reason, ...leg },
  PositionGone: { position: Schema.optionalKey(Position), head: Schema.optionalKey(Position) },
  StoreUnavailable: {
    store: Schema.optionalKey(
      Schema.String.annotate({ description: "`log`, `persistence`, `readModel`, `keys` or `leases`." })
    )
  },
  VersionMismatch: { ...ofWallet, version: VersionNumber },
  VersionNotReached: { ...ofWallet, minVersion: Count }
} as const

/** Those that its schema asks for: the others may be absent, where it is of no wallet, or from an older service. */
const requiredNames: ReadonlyMap<string, ReadonlyArray<string>> = new Map(
  Object.entries(members).map(([code, fields]) => [
    code,
    Object.entries<Schema.Top>(fields)
      .filter(([, field]) => !SchemaAST.isOptional(field.ast))
      .map(([name]) => name)
  ])
)

/** The names of what such a problem always says beyond the members of all. */
export const requiredMembers = (code: ProblemCode): ReadonlyArray<string> => requiredNames.get(code) ?? []

const memberNames: ReadonlyMap<string, ReadonlyArray<string>> = new Map(
  Object.entries(members).map(([code, fields]) => [code, Object.keys(fields)])
)

/** The names of what a problem says beyond the members of all. */
export const problemMembers = (code: ProblemCode): ReadonlyArray<string> => memberNames.get(code) ?? []

const declared = <const Code extends ProblemCode>(code: Code) => ({
  type: typeOf(code),
  status: problemStatus[code],
  title: titleOf(code)
})

const start = Object.fromEntries(
  (Object.keys(problemStatus) as Array<ProblemCode>).map((code) => [
    code,
    JSON.stringify({
      type: typeOf(code),
      title: titleOf(code),
      status: problemStatus[code],
      code,
      retryable: isRetryable(code)
    }).slice(0, -1)
  ])
) as Record<ProblemCode, string>

/** Amounts are strings, times RFC 3339. */
const memberText = (name: string, value: unknown): string =>
  JSON.stringify(
    typeof value === "bigint"
      ? value.toString()
      : name === "until" && value !== null
        ? formatTime(Number(value))
        : value
  )

const membersText = (code: ProblemCode, failure: object): string => {
  let text = ""
  for (const name of problemMembers(code)) {
    const value = (failure as Readonly<Record<string, unknown>>)[name]
    if (value !== undefined) text += `,"${name}":${memberText(name, value)}`
  }
  return text
}

/** The document as JSON text. `failure`: has what the problem says beyond that. */
export const problemBody = (code: ProblemCode, detail: string, failure: object = {}): string =>
  `${start[code]},"detail":${JSON.stringify(detail)}${membersText(code, failure)}}`

export const isProblemCode = (tag: string): tag is ProblemCode => Object.hasOwn(problemStatus, tag)

const problem =
  <Self>() =>
  <const Code extends ProblemCode, const Fields extends HttpApiError.ProblemExtensionFields = {}>(
    code: Code,
    fields?: Fields
  ) =>
    HttpApiError.Problem<Self>()(code, declared(code), {
      code: Schema.tag(code),
      retryable: Schema.Literal(isRetryable(code)).pipe(
        Schema.withConstructorDefault(Effect.succeed(isRetryable(code)))
      ),
      requestId: Schema.optionalKey(Schema.String),
      ...(fields as Fields)
    })

export class InvalidRequest extends problem<InvalidRequest>()("InvalidRequest", members.InvalidRequest) {}
export class IdempotencyKeyMissing extends problem<IdempotencyKeyMissing>()("IdempotencyKeyMissing") {}
export class Unauthorized extends problem<Unauthorized>()("Unauthorized") {}
export class Forbidden extends problem<Forbidden>()("Forbidden", members.Forbidden) {}
export class KeyLimitExceeded extends problem<KeyLimitExceeded>()("KeyLimitExceeded", members.KeyLimitExceeded) {}
export class WalletNotFound extends problem<WalletNotFound>()("WalletNotFound", members.WalletNotFound) {}
export class HoldNotFound extends problem<HoldNotFound>()("HoldNotFound", members.HoldNotFound) {}
export class TransferNotFound extends problem<TransferNotFound>()("TransferNotFound", members.TransferNotFound) {}
export class TransactionNotFound extends problem<TransactionNotFound>()(
  "TransactionNotFound",
  members.TransactionNotFound
) {}
export class NotFound extends problem<NotFound>()("NotFound") {}
export class MethodNotAllowed extends problem<MethodNotAllowed>()("MethodNotAllowed") {}
export class WalletAlreadyExists extends problem<WalletAlreadyExists>()(
  "WalletAlreadyExists",
  members.WalletAlreadyExists
) {}
export class IdempotencyInProgress extends problem<IdempotencyInProgress>()("IdempotencyInProgress") {}
export class LastAdminKey extends problem<LastAdminKey>()("LastAdminKey") {}
export class KeyConfigured extends problem<KeyConfigured>()("KeyConfigured") {}
export class PositionGone extends problem<PositionGone>()("PositionGone", members.PositionGone) {}
export class VersionMismatch extends problem<VersionMismatch>()("VersionMismatch", members.VersionMismatch) {}
export class PayloadTooLarge extends problem<PayloadTooLarge>()("PayloadTooLarge") {}
export class UnsupportedMediaType extends problem<UnsupportedMediaType>()("UnsupportedMediaType") {}
export class InsufficientFunds extends problem<InsufficientFunds>()("InsufficientFunds", members.InsufficientFunds) {}
export class CurrencyMismatch extends problem<CurrencyMismatch>()("CurrencyMismatch", members.CurrencyMismatch) {}
export class WalletFrozen extends problem<WalletFrozen>()("WalletFrozen", members.WalletFrozen) {}
export class WalletClosed extends problem<WalletClosed>()("WalletClosed", members.WalletClosed) {}
export class WalletNotEmpty extends problem<WalletNotEmpty>()("WalletNotEmpty", members.WalletNotEmpty) {}
export class HoldClosed extends problem<HoldClosed>()("HoldClosed", members.HoldClosed) {}
export class HoldAmountExceeded extends problem<HoldAmountExceeded>()(
  "HoldAmountExceeded",
  members.HoldAmountExceeded
) {}
export class SameWallet extends problem<SameWallet>()("SameWallet", members.SameWallet) {}
export class LimitExceeded extends problem<LimitExceeded>()("LimitExceeded", members.LimitExceeded) {}
export class RefundExceeded extends problem<RefundExceeded>()("RefundExceeded", members.RefundExceeded) {}
export class NotRefundable extends problem<NotRefundable>()("NotRefundable", members.NotRefundable) {}
export class PolicyRejected extends problem<PolicyRejected>()("PolicyRejected", members.PolicyRejected) {}
export class QueryTooWide extends problem<QueryTooWide>()("QueryTooWide") {}
export class IdempotencyKeyReused extends problem<IdempotencyKeyReused>()(
  "IdempotencyKeyReused",
  members.IdempotencyKeyReused
) {}
export class OperationRefused extends problem<OperationRefused>()("OperationRefused", members.OperationRefused) {}
export class OperationReversed extends problem<OperationReversed>()("OperationReversed", members.OperationReversed) {}
export class TransferReversed extends problem<TransferReversed>()("TransferReversed", members.TransferReversed) {}
export class WebhookRefused extends problem<WebhookRefused>()("WebhookRefused") {}
export class MailboxFull extends problem<MailboxFull>()("MailboxFull", members.MailboxFull) {}
export class RateLimited extends problem<RateLimited>()("RateLimited") {}
export class InternalError extends problem<InternalError>()("InternalError") {}
export class PolicyDefect extends problem<PolicyDefect>()("PolicyDefect", members.PolicyDefect) {}
export class StoreUnavailable extends problem<StoreUnavailable>()("StoreUnavailable", members.StoreUnavailable) {}
export class VersionNotReached extends problem<VersionNotReached>()("VersionNotReached", members.VersionNotReached) {}
export class OutcomeUnknown extends problem<OutcomeUnknown>()("OutcomeUnknown", members.OutcomeUnknown) {}
