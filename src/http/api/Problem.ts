/**
 * Every problem the API replies with: RFC 9457, `code` = the error's tag.
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
  TransactionNotFound: 404,
  NotFound: 404,
  MethodNotAllowed: 405,
  WalletAlreadyExists: 409,
  IdempotencyInProgress: 409,
  LastAdminKey: 409,
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
  QueryTooWide: 422,
  IdempotencyKeyReused: 422,
  OperationRefused: 422,
  OperationReversed: 422,
  TransferReversed: 422,
  MailboxFull: 429,
  RateLimited: 429,
  InternalError: 500,
  StoreUnavailable: 503,
  VersionNotReached: 503,
  OutcomeUnknown: 503
} as const

export type ProblemCode = keyof typeof problemStatus

const typeOf = <Code extends ProblemCode>(code: Code) => `urn:problem-type:effect-wallet:${code}` as const

/** `InsufficientFunds` → `Insufficient funds`. */
const titleOf = (code: ProblemCode): string => code.replace(/(?<=.)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

const declared = <const Code extends ProblemCode>(code: Code) => ({
  type: typeOf(code),
  status: problemStatus[code],
  title: titleOf(code)
})

const start = Object.fromEntries(
  (Object.keys(problemStatus) as Array<ProblemCode>).map((code) => [
    code,
    JSON.stringify({ type: typeOf(code), title: titleOf(code), status: problemStatus[code], code }).slice(0, -1)
  ])
) as Record<ProblemCode, string>

/** The document as JSON text. */
export const problemBody = (code: ProblemCode, detail: string, leg?: number): string =>
  `${start[code]},"detail":${JSON.stringify(detail)}${leg === undefined ? "" : `,"leg":${leg}`}}`

export const isProblemCode = (tag: string): tag is ProblemCode => Object.hasOwn(problemStatus, tag)

const problem =
  <Self>() =>
  <const Code extends ProblemCode>(code: Code) =>
    HttpApiError.Problem<Self>()(code, declared(code), {
      code: Schema.tag(code),
      requestId: Schema.optionalKey(Schema.String)
    })

/** One that may be about a leg of a transfer of several, which it then names. */
const legProblem =
  <Self>() =>
  <const Code extends ProblemCode>(code: Code) =>
    HttpApiError.Problem<Self>()(code, declared(code), {
      code: Schema.tag(code),
      requestId: Schema.optionalKey(Schema.String),
      leg: Schema.optionalKey(Schema.Int)
    })

export class InvalidRequest extends problem<InvalidRequest>()("InvalidRequest") {}
export class IdempotencyKeyMissing extends problem<IdempotencyKeyMissing>()("IdempotencyKeyMissing") {}
export class Unauthorized extends problem<Unauthorized>()("Unauthorized") {}
export class Forbidden extends problem<Forbidden>()("Forbidden") {}
export class WalletNotFound extends legProblem<WalletNotFound>()("WalletNotFound") {}
export class HoldNotFound extends problem<HoldNotFound>()("HoldNotFound") {}
export class TransferNotFound extends problem<TransferNotFound>()("TransferNotFound") {}
export class TransactionNotFound extends problem<TransactionNotFound>()("TransactionNotFound") {}
export class NotFound extends problem<NotFound>()("NotFound") {}
export class MethodNotAllowed extends problem<MethodNotAllowed>()("MethodNotAllowed") {}
export class WalletAlreadyExists extends problem<WalletAlreadyExists>()("WalletAlreadyExists") {}
export class IdempotencyInProgress extends problem<IdempotencyInProgress>()("IdempotencyInProgress") {}
export class LastAdminKey extends problem<LastAdminKey>()("LastAdminKey") {}
export class PositionGone extends problem<PositionGone>()("PositionGone") {}
export class PayloadTooLarge extends problem<PayloadTooLarge>()("PayloadTooLarge") {}
export class UnsupportedMediaType extends problem<UnsupportedMediaType>()("UnsupportedMediaType") {}
export class InsufficientFunds extends legProblem<InsufficientFunds>()("InsufficientFunds") {}
export class CurrencyMismatch extends legProblem<CurrencyMismatch>()("CurrencyMismatch") {}
export class WalletFrozen extends legProblem<WalletFrozen>()("WalletFrozen") {}
export class WalletClosed extends legProblem<WalletClosed>()("WalletClosed") {}
export class WalletNotEmpty extends problem<WalletNotEmpty>()("WalletNotEmpty") {}
export class HoldClosed extends problem<HoldClosed>()("HoldClosed") {}
export class HoldAmountExceeded extends problem<HoldAmountExceeded>()("HoldAmountExceeded") {}
export class SameWallet extends legProblem<SameWallet>()("SameWallet") {}
export class LimitExceeded extends legProblem<LimitExceeded>()("LimitExceeded") {}
export class QueryTooWide extends problem<QueryTooWide>()("QueryTooWide") {}
export class IdempotencyKeyReused extends problem<IdempotencyKeyReused>()("IdempotencyKeyReused") {}
export class OperationRefused extends problem<OperationRefused>()("OperationRefused") {}
export class OperationReversed extends problem<OperationReversed>()("OperationReversed") {}
export class TransferReversed extends legProblem<TransferReversed>()("TransferReversed") {}
export class MailboxFull extends problem<MailboxFull>()("MailboxFull") {}
export class RateLimited extends problem<RateLimited>()("RateLimited") {}
export class InternalError extends problem<InternalError>()("InternalError") {}
export class StoreUnavailable extends problem<StoreUnavailable>()("StoreUnavailable") {}
export class VersionNotReached extends problem<VersionNotReached>()("VersionNotReached") {}
export class OutcomeUnknown extends problem<OutcomeUnknown>()("OutcomeUnknown") {}
