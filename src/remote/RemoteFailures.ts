/** From the problems of the API to the errors of the engine, field by field. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Errors from "../actors/EngineError.ts"
import * as Rejections from "../domain/Rejection.ts"
import { isProblemCode, members, type ProblemCode } from "../http/api/Problem.ts"
import * as StoreErrors from "../stores/StoreError.ts"

/** What the caller has asked for: for what a problem leaves out. */
export interface Asked {
  /** `""`: the service finds it out. */
  readonly walletId: string
  readonly idempotencyKey?: string | undefined
  readonly holdId?: string | undefined
  readonly transferId?: string | undefined
  readonly transactionId?: string | undefined
  readonly minVersion?: number | undefined
  readonly position?: bigint | undefined
  /** The wallets that money leaves, of a transfer of several legs. */
  readonly sources?: ReadonlyArray<string> | undefined
}

/** Whatever a problem can be told as. */
export type RemoteFailure =
  | Errors.CommandError
  | Errors.TransferReversed
  | Errors.TransactionNotFound
  | Errors.RateLimited
  | Errors.VersionNotReached
  | StoreErrors.QueryTooWide
  | StoreErrors.PositionGone

/** A problem with what its answer says beside it. */
interface Told {
  readonly asked: Asked
  readonly detail: string
  /** Milliseconds. */
  readonly retryAfter: number
  readonly replayed: boolean
}

type Fields<Code extends ProblemCode> = Code extends keyof typeof members
  ? Schema.Schema.Type<Schema.Struct<(typeof members)[Code]>>
  : object

const ofLeg = ({ leg }: { readonly leg?: number }) => (leg === undefined ? {} : { leg })

/** Of several legs the source that the leg is of. */
const walletOf = ({ leg, walletId }: { readonly walletId?: string; readonly leg?: number }, { asked }: Told): string =>
  walletId ?? (leg === undefined ? undefined : asked.sources?.[leg]) ?? asked.walletId

const isOneOf = <const Names extends ReadonlyArray<string>>(names: Names, name: string): name is Names[number] =>
  names.includes(name)

/** What is wrong in a query, a path or a header has a pointer of its own there; to an engine all of it is input. */
const inputPointer = (pointer: string): string => pointer.replace(/^#\/(?:query|path|header)/, "")

const unlike = () => undefined

type Reader<Code extends ProblemCode> = (fields: Fields<Code>, told: Told) => RemoteFailure | undefined

/** `undefined`: nothing that an engine would say. */
const readers: { readonly [Code in ProblemCode]: Reader<Code> } = {
  InvalidRequest: ({ errors }, { detail }) =>
    new Rejections.InvalidRequest({
      detail,
      errors: errors.map((error) => ({ pointer: inputPointer(error.pointer), detail: error.detail }))
    }),
  IdempotencyKeyMissing: (_, { detail }) => new Rejections.InvalidRequest({ detail: `idempotencyKey: ${detail}` }),
  PayloadTooLarge: (_, { detail }) => new Rejections.InvalidRequest({ detail }),
  Unauthorized: (_, { detail }) => new Errors.AccessDenied({ reason: "key", detail }),
  Forbidden: ({ reason = "scope" }, { detail }) => new Errors.AccessDenied({ reason, detail }),
  KeyLimitExceeded: (fields, told) =>
    new Rejections.KeyLimitExceeded({
      walletId: walletOf(fields, told),
      limit: fields.limit,
      bound: fields.bound,
      remaining: fields.remaining,
      ...ofLeg(fields)
    }),
  WalletNotFound: (fields, told) =>
    new Rejections.WalletNotFound({ walletId: walletOf(fields, told), ...ofLeg(fields) }),
  HoldNotFound: ({ holdId, walletId }, { asked }) =>
    new Rejections.HoldNotFound({ walletId: walletId ?? asked.walletId, holdId: holdId ?? asked.holdId ?? "" }),
  TransferNotFound: ({ transferId }, { asked }) =>
    new Rejections.TransferNotFound({ transferId: transferId ?? asked.transferId ?? "" }),
  TransactionNotFound: ({ transactionId }, { asked }) =>
    new Errors.TransactionNotFound({ transactionId: transactionId ?? asked.transactionId ?? "" }),
  NotFound: unlike,
  MethodNotAllowed: unlike,
  UnsupportedMediaType: unlike,
  LastAdminKey: unlike,
  KeyConfigured: unlike,
  WebhookRefused: unlike,
  WalletAlreadyExists: ({ walletId }, { asked }) =>
    new Rejections.WalletAlreadyExists({ walletId: walletId ?? asked.walletId }),
  // Both are told by how the call goes on.
  IdempotencyInProgress: unlike,
  InternalError: unlike,
  PositionGone: ({ head = 0n, position }, { asked }) =>
    new StoreErrors.PositionGone({ position: position ?? asked.position ?? 0n, head }),
  VersionMismatch: ({ version, walletId }, { asked }) =>
    new Errors.VersionMismatch({ walletId: walletId ?? asked.walletId, version }),
  InsufficientFunds: (fields) =>
    new Rejections.InsufficientFunds({
      walletId: fields.walletId,
      currency: fields.currency,
      available: fields.available,
      required: fields.required,
      ...ofLeg(fields)
    }),
  CurrencyMismatch: (fields, told) =>
    new Rejections.CurrencyMismatch({
      walletId: walletOf(fields, told),
      expected: fields.expected,
      actual: fields.actual,
      ...ofLeg(fields)
    }),
  WalletFrozen: (fields, told) =>
    new Rejections.WalletFrozen({
      walletId: walletOf(fields, told),
      direction: fields.direction,
      until: fields.until,
      ...ofLeg(fields)
    }),
  WalletClosed: (fields, told) => new Rejections.WalletClosed({ walletId: walletOf(fields, told), ...ofLeg(fields) }),
  WalletNotEmpty: ({ balance = 0n, openHolds = 0, transfersInFlight = 0, walletId }, { asked }) =>
    new Rejections.WalletNotEmpty({ walletId: walletId ?? asked.walletId, balance, openHolds, transfersInFlight }),
  HoldClosed: ({ holdId, walletId }, { asked }) =>
    new Rejections.HoldClosed({ walletId: walletId ?? asked.walletId, holdId: holdId ?? asked.holdId ?? "" }),
  HoldAmountExceeded: ({ amount = 0n, holdId, remaining, walletId }, { asked }) =>
    new Rejections.HoldAmountExceeded({
      walletId: walletId ?? asked.walletId,
      holdId: holdId ?? asked.holdId ?? "",
      remaining,
      amount
    }),
  SameWallet: (fields, told) => new Rejections.SameWallet({ walletId: walletOf(fields, told), ...ofLeg(fields) }),
  LimitExceeded: (fields, told) => {
    const { bound, current, limit, size = current } = fields
    if (!isOneOf(["balance", "stateBytes"], limit)) return undefined
    return new Rejections.LimitExceeded({
      walletId: walletOf(fields, told),
      limit,
      current,
      size,
      bound,
      ...ofLeg(fields)
    })
  },
  RefundExceeded: (fields, told) =>
    new Rejections.RefundExceeded({
      walletId: walletOf(fields, told),
      refundable: fields.refundable,
      ...ofLeg(fields)
    }),
  NotRefundable: ({ id, transferId }, { asked }) =>
    new Rejections.NotRefundable({
      id: id ?? asked.transactionId ?? asked.transferId ?? "",
      ...(transferId === undefined ? {} : { transferId })
    }),
  PolicyRejected: (fields, told) =>
    new Rejections.PolicyRejected({
      walletId: walletOf(fields, told),
      policy: fields.policy,
      reason: fields.reason,
      ...ofLeg(fields)
    }),
  QueryTooWide: (_, { detail }) =>
    new StoreErrors.QueryTooWide({ detail: detail.replace(/^the search is too wide: /, "") }),
  IdempotencyKeyReused: ({ walletId }, { asked }) =>
    new Errors.IdempotencyKeyReused({ walletId: walletId ?? asked.walletId, key: asked.idempotencyKey ?? "" }),
  OperationRefused: ({ reason = "" }) => new StoreErrors.OperationRefused({ reason }),
  OperationReversed: ({ reason = "", walletId }, { asked, replayed }) =>
    new Errors.OperationReversed({ walletId: walletId ?? asked.walletId, reason, replayed }),
  TransferReversed: (fields, { asked, replayed }) =>
    new Errors.TransferReversed({
      transferId: fields.transferId ?? asked.transferId ?? "",
      reason: fields.reason ?? "",
      replayed,
      ...ofLeg(fields)
    }),
  MailboxFull: ({ walletId }, { asked, retryAfter }) =>
    new Errors.MailboxFull({ walletId: walletId ?? asked.walletId, retryAfter }),
  RateLimited: (_, { detail, retryAfter }) => new Errors.RateLimited({ detail, retryAfter }),
  PolicyDefect: ({ policy = "", walletId }, { asked }) =>
    new Errors.PolicyDefect({ walletId: walletId ?? asked.walletId, policy }),
  StoreUnavailable: ({ store = "service" }, { detail, retryAfter }) =>
    new StoreErrors.StoreUnavailable({
      store: isOneOf(StoreErrors.StoreName.literals, store) ? store : "service",
      reason: detail,
      retryAfter
    }),
  VersionNotReached: ({ minVersion, walletId }, { asked, retryAfter }) =>
    new Errors.VersionNotReached({
      walletId: walletId ?? asked.walletId,
      minVersion: minVersion ?? asked.minVersion ?? 0,
      retryAfter
    }),
  OutcomeUnknown: ({ walletId }, { asked, retryAfter }) =>
    new Errors.OutcomeUnknown({ walletId: walletId ?? asked.walletId, retryAfter })
}

/** What all problems have of which something is made here. */
const Common = Schema.Struct({ code: Schema.String, detail: Schema.String })

const readCommon = Schema.decodeUnknownResult(Common)

const readFields = new Map<string, (json: unknown) => Result.Result<unknown, unknown>>(
  Object.entries<Readonly<Record<string, Schema.Codec<unknown, unknown>>>>(members).map(([code, fields]) => [
    code,
    Schema.decodeUnknownResult(Schema.Struct(fields))
  ])
)

export interface ReadProblem {
  readonly code: ProblemCode
  readonly detail: string
  /** `undefined`: nothing that an engine would say. */
  readonly failure: RemoteFailure | undefined
}

/** `undefined`: no problem of the API's, as far as can be seen. */
export const readProblem = (json: unknown, told: Omit<Told, "detail">): ReadProblem | undefined => {
  const common = Result.getOrUndefined(readCommon(json))
  if (common === undefined || !isProblemCode(common.code)) return undefined
  const { code, detail } = common
  const fields = readFields.get(code)?.(json) ?? Result.succeed({})
  if (Result.isFailure(fields)) return undefined
  // The fields are those of the code, which is what its reader takes.
  const read = readers[code] as (fields: unknown, told: Told) => RemoteFailure | undefined
  return { code, detail, failure: read(fields.success, { ...told, detail }) }
}
