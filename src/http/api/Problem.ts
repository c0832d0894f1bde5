/**
 * Every problem the API answers with: RFC 9457, `code` = the error's tag.
 *
 * The classes are what a client catches by tag and what OpenAPI shows; the server
 * writes the same documents with `problemBody`, without an encoder between.
 */
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"

export const problemStatus = {
  InvalidRequest: 400,
  IdempotencyKeyMissing: 400,
  Unauthorized: 401,
  Forbidden: 403,
  WalletNotFound: 404,
  HoldNotFound: 404,
  TransferNotFound: 404,
  NotFound: 404,
  MethodNotAllowed: 405,
  WalletAlreadyExists: 409,
  IdempotencyInProgress: 409,
  PositionGone: 410,
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
  IdempotencyKeyReused: 422,
  OperationRefused: 422,
  OperationReversed: 422,
  TransferReversed: 422,
  MailboxFull: 429,
  RateLimited: 429,
  InternalError: 500,
  StoreUnavailable: 503,
  OutcomeUnknown: 503
} as const

export type ProblemCode = keyof typeof problemStatus

const typeOf = <Code extends ProblemCode>(code: Code) => `urn:problem-type:effect-wallet:${code}` as const

/** `InsufficientFunds` → `Insufficient funds`. */
const titleOf = (code: ProblemCode): string => {
  const words = code.replace(/(?<=.)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return words
}

const declared = <const Code extends ProblemCode>(code: Code) => ({
  type: typeOf(code),
  status: problemStatus[code],
  title: titleOf(code)
})

const fields = <const Code extends ProblemCode>(code: Code) => ({ code: Schema.tag(code) })

const start = Object.fromEntries(
  (Object.keys(problemStatus) as Array<ProblemCode>).map((code) => [
    code,
    JSON.stringify({ type: typeOf(code), title: titleOf(code), status: problemStatus[code], code }).slice(0, -1)
  ])
) as Record<ProblemCode, string>

/** The document as JSON text. */
export const problemBody = (code: ProblemCode, detail: string): string =>
  `${start[code]},"detail":${JSON.stringify(detail)}}`

export const isProblemCode = (tag: string): tag is ProblemCode => Object.hasOwn(problemStatus, tag)

export class InvalidRequest extends HttpApiError.Problem<InvalidRequest>()(
  "InvalidRequest",
  declared("InvalidRequest"),
  fields("InvalidRequest")
) {}
export class IdempotencyKeyMissing extends HttpApiError.Problem<IdempotencyKeyMissing>()(
  "IdempotencyKeyMissing",
  declared("IdempotencyKeyMissing"),
  fields("IdempotencyKeyMissing")
) {}
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()(
  "Unauthorized",
  declared("Unauthorized"),
  fields("Unauthorized")
) {}
export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  declared("Forbidden"),
  fields("Forbidden")
) {}
export class WalletNotFound extends HttpApiError.Problem<WalletNotFound>()(
  "WalletNotFound",
  declared("WalletNotFound"),
  fields("WalletNotFound")
) {}
export class HoldNotFound extends HttpApiError.Problem<HoldNotFound>()(
  "HoldNotFound",
  declared("HoldNotFound"),
  fields("HoldNotFound")
) {}
export class TransferNotFound extends HttpApiError.Problem<TransferNotFound>()(
  "TransferNotFound",
  declared("TransferNotFound"),
  fields("TransferNotFound")
) {}
export class NotFound extends HttpApiError.Problem<NotFound>()("NotFound", declared("NotFound"), fields("NotFound")) {}
export class MethodNotAllowed extends HttpApiError.Problem<MethodNotAllowed>()(
  "MethodNotAllowed",
  declared("MethodNotAllowed"),
  fields("MethodNotAllowed")
) {}
export class WalletAlreadyExists extends HttpApiError.Problem<WalletAlreadyExists>()(
  "WalletAlreadyExists",
  declared("WalletAlreadyExists"),
  fields("WalletAlreadyExists")
) {}
export class IdempotencyInProgress extends HttpApiError.Problem<IdempotencyInProgress>()(
  "IdempotencyInProgress",
  declared("IdempotencyInProgress"),
  fields("IdempotencyInProgress")
) {}
export class PositionGone extends HttpApiError.Problem<PositionGone>()(
  "PositionGone",
  declared("PositionGone"),
  fields("PositionGone")
) {}
export class PayloadTooLarge extends HttpApiError.Problem<PayloadTooLarge>()(
  "PayloadTooLarge",
  declared("PayloadTooLarge"),
  fields("PayloadTooLarge")
) {}
export class UnsupportedMediaType extends HttpApiError.Problem<UnsupportedMediaType>()(
  "UnsupportedMediaType",
  declared("UnsupportedMediaType"),
  fields("UnsupportedMediaType")
) {}
export class InsufficientFunds extends HttpApiError.Problem<InsufficientFunds>()(
  "InsufficientFunds",
  declared("InsufficientFunds"),
  fields("InsufficientFunds")
) {}
export class CurrencyMismatch extends HttpApiError.Problem<CurrencyMismatch>()(
  "CurrencyMismatch",
  declared("CurrencyMismatch"),
  fields("CurrencyMismatch")
) {}
export class WalletFrozen extends HttpApiError.Problem<WalletFrozen>()(
  "WalletFrozen",
  declared("WalletFrozen"),
  fields("WalletFrozen")
) {}
export class WalletClosed extends HttpApiError.Problem<WalletClosed>()(
  "WalletClosed",
  declared("WalletClosed"),
  fields("WalletClosed")
) {}
export class WalletNotEmpty extends HttpApiError.Problem<WalletNotEmpty>()(
  "WalletNotEmpty",
  declared("WalletNotEmpty"),
  fields("WalletNotEmpty")
) {}
export class HoldClosed extends HttpApiError.Problem<HoldClosed>()(
  "HoldClosed",
  declared("HoldClosed"),
  fields("HoldClosed")
) {}
export class HoldAmountExceeded extends HttpApiError.Problem<HoldAmountExceeded>()(
  "HoldAmountExceeded",
  declared("HoldAmountExceeded"),
  fields("HoldAmountExceeded")
) {}
export class SameWallet extends HttpApiError.Problem<SameWallet>()(
  "SameWallet",
  declared("SameWallet"),
  fields("SameWallet")
) {}
export class LimitExceeded extends HttpApiError.Problem<LimitExceeded>()(
  "LimitExceeded",
  declared("LimitExceeded"),
  fields("LimitExceeded")
) {}
export class IdempotencyKeyReused extends HttpApiError.Problem<IdempotencyKeyReused>()(
  "IdempotencyKeyReused",
  declared("IdempotencyKeyReused"),
  fields("IdempotencyKeyReused")
) {}
export class OperationRefused extends HttpApiError.Problem<OperationRefused>()(
  "OperationRefused",
  declared("OperationRefused"),
  fields("OperationRefused")
) {}
export class OperationReversed extends HttpApiError.Problem<OperationReversed>()(
  "OperationReversed",
  declared("OperationReversed"),
  fields("OperationReversed")
) {}
export class TransferReversed extends HttpApiError.Problem<TransferReversed>()(
  "TransferReversed",
  declared("TransferReversed"),
  fields("TransferReversed")
) {}
export class MailboxFull extends HttpApiError.Problem<MailboxFull>()(
  "MailboxFull",
  declared("MailboxFull"),
  fields("MailboxFull")
) {}
export class RateLimited extends HttpApiError.Problem<RateLimited>()(
  "RateLimited",
  declared("RateLimited"),
  fields("RateLimited")
) {}
export class InternalError extends HttpApiError.Problem<InternalError>()(
  "InternalError",
  declared("InternalError"),
  fields("InternalError")
) {}
export class StoreUnavailable extends HttpApiError.Problem<StoreUnavailable>()(
  "StoreUnavailable",
  declared("StoreUnavailable"),
  fields("StoreUnavailable")
) {}
export class OutcomeUnknown extends HttpApiError.Problem<OutcomeUnknown>()(
  "OutcomeUnknown",
  declared("OutcomeUnknown"),
  fields("OutcomeUnknown")
) {}
