/**
 * Replies as bytes: the domain's values to the documents of `Schemas.ts`, errors to
 * problems. Written by hand, because it runs for every request; a test decodes
 * what it writes with the schemas of `Schemas.ts`.
 */
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { InvalidRequest } from "../domain/Rejection.ts"
import type { Freeze, Hold } from "../domain/Wallet.ts"
import type {
  Await,
  DryRunAnswer,
  Durability,
  TransactionDetails,
  TransferAnswer,
  TransferDetails,
  WalletDetails
} from "../engine/WalletEngine.ts"
import type { Page } from "../stores/Page.ts"
import type { Stats } from "../stores/ReadModel.ts"
import { isProblemCode, isRetryable, problemBody, type ProblemCode, problemStatus } from "./api/Problem.ts"
import { formatTime } from "./api/SchemaValues.ts"

/** Status, JSON text and headers: a reply of its own or one result of a batch. */
export interface HttpReply {
  readonly status: number
  readonly body: string
  readonly replayed: boolean
  /** Whole seconds, 1 or more. */
  readonly retryAfter: number | undefined
  /** Version of the wallet that it tells of. */
  readonly version?: number | undefined
}

/** Of a dry run the id may be one that is not there yet. */
type Shown<Thing> = Omit<Thing, "id"> & { readonly id: string | null }

const freezeJson = ({ direction, reason, until }: Freeze) => ({
  direction,
  reason,
  until: until === null ? null : formatTime(until)
})

export const walletJson = (wallet: Shown<WalletDetails>) => ({
  id: wallet.id,
  ownerId: wallet.ownerId,
  currency: wallet.currency,
  balance: wallet.balance.toString(),
  held: wallet.held.toString(),
  available: wallet.available.toString(),
  overdraftLimit: wallet.overdraftLimit.toString(),
  status: wallet.status,
  freeze: wallet.freeze === null ? null : freezeJson(wallet.freeze),
  version: wallet.version,
  metadata: wallet.metadata,
  createdAt: formatTime(wallet.createdAt),
  updatedAt: formatTime(wallet.updatedAt)
})

export const transactionJson = (transaction: Shown<TransactionDetails>) => ({
  id: transaction.id,
  walletId: transaction.walletId,
  type: transaction.type,
  amount: transaction.amount.toString(),
  balanceAfter: transaction.balanceAfter.toString(),
  currency: transaction.currency,
  reference: transaction.reference,
  metadata: transaction.metadata,
  holdId: transaction.holdId,
  transferId: transaction.transferId,
  refundOf: transaction.refundOf,
  refunded: transaction.refunded.toString(),
  version: transaction.version,
  createdAt: formatTime(transaction.createdAt),
  effectiveAt: formatTime(transaction.effectiveAt)
})

export const holdJson = (hold: Shown<Hold>) => ({
  id: hold.id,
  walletId: hold.walletId,
  amount: hold.amount.toString(),
  captured: hold.captured.toString(),
  remaining: hold.remaining.toString(),
  status: hold.status,
  expiresAt: hold.expiresAt === null ? null : formatTime(hold.expiresAt),
  reference: hold.reference,
  metadata: hold.metadata,
  createdAt: formatTime(hold.createdAt)
})

const legJson = (leg: TransferDetails["legs"][number]) => ({
  from: leg.from,
  to: leg.to,
  amount: leg.amount.toString(),
  currency: leg.currency,
  reference: leg.reference,
  metadata: leg.metadata,
  refund: leg.refund === null ? null : { of: leg.refund.of, leg: leg.refund.leg },
  sentTransactionId: leg.sentTransactionId,
  receivedTransactionId: leg.receivedTransactionId,
  refunded: leg.refunded.toString()
})

export const transferJson = (transfer: Shown<TransferDetails>) => ({
  id: transfer.id,
  from: transfer.from,
  to: transfer.to,
  amount: transfer.amount === null ? null : transfer.amount.toString(),
  currency: transfer.currency,
  legs: transfer.legs.map(legJson),
  status: transfer.status,
  reason: transfer.reason,
  leg: transfer.leg,
  reference: transfer.reference,
  metadata: transfer.metadata,
  refundOf: transfer.refundOf,
  refunded: transfer.refunded === null ? null : transfer.refunded.toString(),
  createdAt: formatTime(transfer.createdAt),
  effectiveAt: formatTime(transfer.effectiveAt),
  updatedAt: formatTime(transfer.updatedAt)
})

export const statsJson = (stats: Stats) => ({
  transactions: stats.transactions.map(({ count, currency, start, sum, type }) => ({
    currency,
    type,
    start: formatTime(start),
    count,
    sum: sum.toString()
  })),
  wallets: stats.wallets.map(({ balance, count, currency, status }) => ({
    currency,
    status,
    count,
    balance: balance.toString()
  }))
})

export const pageJson = <A, B>(page: Page<A>, each: (item: A) => B) => ({ data: page.data.map(each), next: page.next })

/** Whether the caller has what it waited for. */
const reached = (durability: Durability, wanted: Await): boolean => durability[wanted]

/** What any command is answered, a dry run too. */
interface Told {
  readonly wallet: Shown<WalletDetails>
  readonly hold?: Shown<Hold>
  readonly transaction?: Shown<TransactionDetails>
  /** Of a capture to another wallet. */
  readonly transfer?: Shown<TransferDetails>
  readonly durability: Durability
  readonly replayed: boolean
  readonly dryRun?: true | undefined
}

const isDone = ({ durability, transfer }: Told, wanted: Await | undefined): boolean =>
  transfer?.status !== "pending" && reached(durability, wanted ?? "persisted")

/** The reply to a command; 202 when less is durable than was asked for, or its transfer is pending. To a dry run 200. */
export const commandReply = (status: 200 | 201, wanted: Await | undefined, result: Told): HttpReply => ({
  status: result.dryRun === true ? 200 : isDone(result, wanted) ? status : 202,
  body: JSON.stringify({
    hold: result.hold === undefined ? undefined : holdJson(result.hold),
    transaction: result.transaction === undefined ? undefined : transactionJson(result.transaction),
    transfer: result.transfer === undefined ? undefined : transferJson(result.transfer),
    wallet: walletJson(result.wallet),
    durability: result.durability,
    dryRun: result.dryRun
  }),
  replayed: result.replayed,
  retryAfter: undefined,
  version: result.dryRun === true ? undefined : result.wallet.version
})

/** The reply to a transfer; 202 also while it is pending. */
export const transferReply = (
  wanted: Await | undefined,
  { dryRun, durability, replayed, transfer }: TransferAnswer | DryRunAnswer<TransferAnswer>
): HttpReply => {
  const done = transfer.status !== "pending" && reached(durability, wanted ?? "persisted")
  return {
    status: dryRun === true ? 200 : done ? 201 : 202,
    body: JSON.stringify({ transfer: transferJson(transfer), durability, dryRun }),
    replayed,
    retryAfter: undefined
  }
}

export const plainReply = (status: number, document: unknown): HttpReply => ({
  status,
  body: JSON.stringify(document),
  replayed: false,
  retryAfter: undefined
})

export const walletReply = (wallet: WalletDetails): HttpReply => ({
  ...plainReply(200, walletJson(wallet)),
  version: wallet.version
})

/** `failure`: what the problem says beyond its detail. */
export const problemReply = (code: ProblemCode, detail: string, retryAfter?: number, failure?: object): HttpReply => ({
  status: problemStatus[code],
  body: problemBody(code, detail, failure),
  replayed: false,
  retryAfter: retryAfter === undefined ? undefined : Math.max(1, Math.ceil(retryAfter / 1000))
})

export interface Failure {
  readonly _tag: string
  readonly message: string
  /** Of a store that is away. */
  readonly detail?: string
  /** Milliseconds. */
  readonly retryAfter?: number
  /** Of an outcome that was reversed: it was told before. */
  readonly replayed?: boolean
  /** Of a transfer of several legs: the one that it is about. */
  readonly leg?: number
}

/** Milliseconds, for an error that may be retried and does not say when. */
const defaultRetryAfter = 1_000

/** `undefined`: not an error that a caller is to see. */
export const failureReply = (failure: Failure): HttpReply | undefined => {
  const code = failure._tag
  if (!isProblemCode(code) || code === "InternalError") return undefined
  // What a store said may name hosts and tables: it belongs in the log.
  const detail =
    code === "StoreUnavailable" ? (failure.detail ?? "a store that this needs is not available now") : failure.message
  const retryAfter = isRetryable(code) ? (failure.retryAfter ?? defaultRetryAfter) : undefined
  return { ...problemReply(code, detail, retryAfter, failure), replayed: failure.replayed === true }
}

export const internalError: HttpReply = problemReply(
  "InternalError",
  "the request could not be served; it has been logged"
)

/** Every failure as a reply. What is no caller's business is logged, and told without its internals. */
export const replied = <R>(effect: Effect.Effect<HttpReply, Failure, R>): Effect.Effect<HttpReply, never, R> =>
  Effect.catch(effect, (failure) => {
    const reply = failureReply(failure)
    return reply === undefined
      ? Effect.as(Effect.logError("request failed", failure), internalError)
      : Effect.succeed(reply)
  })

const json = { contentType: "application/json" } as const
const problem = { contentType: "application/problem+json" } as const

export const toResponse = (reply: HttpReply): HttpServerResponse.HttpServerResponse => {
  const type = reply.status >= 400 ? problem : json
  const { version } = reply
  if (!reply.replayed && reply.retryAfter === undefined && version === undefined) {
    return HttpServerResponse.text(reply.body, { status: reply.status, ...type })
  }
  const headers: Record<string, string> = {}
  if (version !== undefined) headers["etag"] = `"${version}"`
  if (reply.replayed) headers["idempotency-replayed"] = "true"
  if (reply.retryAfter !== undefined) headers["retry-after"] = reply.retryAfter.toString()
  return HttpServerResponse.text(reply.body, { status: reply.status, ...type, headers: Headers.fromInput(headers) })
}

/** What every handler of a command ends with. */
export const respond = <R>(
  effect: Effect.Effect<HttpReply, Failure, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> => Effect.map(replied(effect), toResponse)

/** What the engine has found wrong in a query is in that of the request. */
export const ofQuery = <E extends Failure>(failure: E): E | InvalidRequest =>
  failure instanceof InvalidRequest
    ? new InvalidRequest({
        detail: failure.detail,
        errors: failure.errors.map(({ detail, pointer }) => ({ pointer: `#/query${pointer}`, detail }))
      })
    : failure

/** What every handler of a query ends with. */
export const respondQuery = <E extends Failure, R>(
  effect: Effect.Effect<HttpReply, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> => respond(Effect.mapError(effect, ofQuery))
