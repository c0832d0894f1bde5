/**
 * Refunds as the engine offers them: finds the original and what is left of it, and asks the wallet
 * whose money a refund moves.
 *
 * What is left is judged by that wallet, by the rows of Persistence as of a version and what it
 * remembers since (`domain/Refund.ts`). Where it does not remember as far back as the rows go, or has
 * moved on since it was looked at, the look is taken again.
 */
import * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import { TransactionNotFound } from "../actors/EngineError.ts"
import { malformed } from "../domain/CommandForm.ts"
import type { RefundTransaction, SendTransfer } from "../domain/Command.ts"
import { isId, noMetadata, ownMetadata } from "../domain/Limits.ts"
import { isTransactionOf, placeOfEvent } from "../domain/EventId.ts"
import { type RefundBound, refundDirections } from "../domain/Refund.ts"
import { refundLeft } from "../domain/RefundRules.ts"
import { InvalidRequest, NotRefundable, RefundExceeded, TransferNotFound } from "../domain/Rejection.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import type { Transaction, Transfer } from "../domain/Wallet.ts"
import { mayBeLate } from "../pipeline/LateEvents.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { Persistence } from "../stores/Persistence.ts"
import { refundsBehind, StoreUnavailable } from "../stores/StoreError.ts"
import type { RefundTransactionInput, RefundTransferInput } from "./EngineApi.ts"
import { concurrentWallets } from "./LegsSteps.ts"
import type { ReadShare } from "./ReadShare.ts"
import type { TransferRequest } from "./TransferSaga.ts"
import type { WalletCalls } from "./WalletCalls.ts"

/** So often a look is taken again within one command. */
export const refundLooks = 5

/** Whether another look may help, which a caller need not know of. */
export const isBehind = (error: { readonly _tag: string }): boolean =>
  error instanceof StoreUnavailable && error.reason === refundsBehind

const notYetThere = (what: string) =>
  new StoreUnavailable({ store: "persistence", reason: `${what} may not be persisted yet`, retryAfter: 1_000 })

/** What the rows say of originals. */
export interface Originals {
  readonly transaction: (transactionId: string) => Effect.Effect<Transaction, CommandError | TransactionNotFound>
  /** One that is completed, and no refund itself. */
  readonly transfer: (transferId: string) => Effect.Effect<Transfer, CommandError>
  readonly bound: (original: Transaction) => Effect.Effect<RefundBound, CommandError>
  /** In the order asked. */
  readonly bounds: (
    transfer: Transfer,
    legs: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyArray<RefundBound>, CommandError>
}

interface OriginalStores {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly share: ReadShare["Service"]
}

export const makeOriginals = ({ log, persistence, share }: OriginalStores): Originals => {
  /** Whether the rows of such an event may be on their way, from whichever node. What cannot be told now may be. */
  const isOnItsWay = (isOne: (recorded: RecordedEvent) => boolean): Effect.Effect<boolean, CommandError> =>
    log.writesPersistence
      ? Effect.succeed(false)
      : share
          .query(mayBeLate({ log, persistence }, isOne))
          .pipe(
            Effect.catchTags({ RateLimited: () => Effect.succeed(true), EventUnreadable: () => Effect.succeed(true) })
          )
  /** Answers `undefined` only of what is not in the log. */
  const found = Effect.fnUntraced(function* <A>(
    look: Effect.Effect<A | undefined, CommandError>,
    what: string,
    isOne: (recorded: RecordedEvent) => boolean
  ): Effect.fn.Return<A | undefined, CommandError> {
    const first = yield* look
    if (first !== undefined || log.writesPersistence) return first
    if (yield* isOnItsWay(isOne)) return yield* notYetThere(what)
    // It may have come after the first look, and before the second.
    return yield* look
  })
  const bounds: Originals["bounds"] = (transfer, legs) => {
    const asked = legs.map((leg) => ({ walletId: transfer.legs[leg]!.to, of: transfer.id, leg }))
    return Effect.map(persistence.refunded(asked), (found) =>
      found.map((one, index) => ({ ...one, amount: transfer.legs[legs[index]!]!.amount }))
    )
  }
  return {
    transaction: Effect.fnUntraced(function* (transactionId) {
      // What is no event's id is nobody's.
      const isOne = (recorded: RecordedEvent): boolean => isTransactionOf(transactionId, recorded.id)
      const look = persistence.transaction(transactionId)
      const transaction =
        placeOfEvent(transactionId) === undefined
          ? yield* look
          : yield* found(look, `transaction ${transactionId}`, isOne)
      return transaction ?? (yield* new TransactionNotFound({ transactionId }))
    }),
    transfer: Effect.fnUntraced(function* (transferId) {
      const isOne = ({ event }: RecordedEvent): boolean => "transferId" in event && event.transferId === transferId
      const transfer = yield* found(persistence.transfer(transferId), `transfer ${transferId}`, isOne)
      if (transfer === undefined) return yield* new TransferNotFound({ transferId })
      if (transfer.status === "reversed" || transfer.refundOf !== null) {
        return yield* new NotRefundable({ id: transferId })
      }
      if (transfer.status === "pending") {
        const reason = `transfer ${transferId} is still on its way`
        return yield* new StoreUnavailable({ store: "persistence", reason, retryAfter: 1_000 })
      }
      return transfer
    }),
    bound: ({ amount, id: of, walletId }) =>
      Effect.map(persistence.refunded([{ walletId, of, leg: 0 }]), ([found]) => ({ ...found!, amount })),
    bounds
  }
}

// --- Of a transaction --------------------------------------------------------

/** What a caller has asked for, read once. */
export interface AskedTransactionRefund extends Omit<RefundTransaction, "walletId" | "direction" | "bound"> {
  /** That has to have made it; `undefined`: whichever. */
  readonly walletId: string | undefined
}

export const askedTransactionRefund = (
  input: Pick<
    RefundTransactionInput,
    "transactionId" | "amount" | "reference" | "metadata" | "effectiveAt" | "walletId"
  >
): AskedTransactionRefund => {
  const { amount = null, effectiveAt = null, reference = null, transactionId, walletId } = input
  const metadata = ownMetadata(input.metadata)
  return { _tag: "RefundTransaction", walletId, transactionId, amount, reference, metadata, effectiveAt }
}

const unbounded: RefundBound = { amount: 0n, refunded: 0n, version: 0 }

/** All that is wrong with it whatever its original is. */
export const malformedRefund = (asked: AskedTransactionRefund): InvalidRequest | undefined =>
  malformed({ ...asked, walletId: asked.walletId ?? "unknown", direction: "in", bound: unbounded })

/** The command for the original's wallet. */
export const transactionRefund = Effect.fnUntraced(function* (
  originals: Originals,
  asked: AskedTransactionRefund
): Effect.fn.Return<RefundTransaction, CommandError | TransactionNotFound> {
  const { transactionId } = asked
  const original = yield* originals.transaction(transactionId)
  if (asked.walletId !== undefined && asked.walletId !== original.walletId) {
    return yield* new TransactionNotFound({ transactionId })
  }
  const { transferId, walletId } = original
  if (transferId !== null) return yield* new NotRefundable({ id: transactionId, transferId })
  const direction = refundDirections[original.type]
  if (direction === undefined) return yield* new NotRefundable({ id: transactionId })
  return { ...asked, walletId, direction, bound: yield* originals.bound(original) }
})

// --- Of a transfer -----------------------------------------------------------

/** What a caller has asked for, read once. */
export interface AskedTransferRefund extends Pick<SendTransfer, "reference" | "metadata" | "effectiveAt"> {
  readonly transferId: string
  /** Whose money it has to move; `undefined`: whosever. */
  readonly walletId: string | undefined
  readonly amount: bigint | null
  readonly leg: number | null
}

export const askedTransferRefund = (
  input: Omit<RefundTransferInput, "dryRun" | "idempotencyKey">
): AskedTransferRefund => {
  const { amount = null, effectiveAt = null, leg = null, reference = null, transferId, walletId } = input
  return { transferId, walletId, amount, leg, reference, metadata: ownMetadata(input.metadata), effectiveAt }
}

export const malformedTransferRefund = (asked: AskedTransferRefund): InvalidRequest | undefined => {
  const { amount, effectiveAt, leg, metadata, reference, transferId, walletId } = asked
  if (!isId(transferId)) return new InvalidRequest({ detail: "transferId: not an id" })
  if (walletId !== undefined && !isId(walletId)) return new InvalidRequest({ detail: "walletId: not an id" })
  if (leg !== null && (!Number.isSafeInteger(leg) || leg < 0)) {
    return new InvalidRequest({ detail: "leg: not the number of a leg" })
  }
  return malformed({
    _tag: "SendTransfer",
    walletId: "unknown",
    to: "unknown",
    transferId: "",
    amount: amount ?? 1n,
    reference,
    metadata,
    effectiveAt,
    refund: null
  })
}

type TransferCommand = TransferRequest["command"]

/** What it takes to find out what a refund of a transfer is. */
export interface RefundContext {
  readonly originals: Originals
  readonly calls: WalletCalls["Service"]
  /** The id of a transfer by its source. */
  readonly idOf: (source: string) => string
  /** What the key has done at the command's wallet; `undefined`: nothing, or there is no key. */
  readonly done: (command: TransferCommand) => Effect.Effect<ReadonlyArray<RecordedEvent> | undefined, CommandError>
}

const single = (asked: AskedTransferRefund, transfer: Transfer, leg: number, bound: RefundBound): TransferCommand => {
  const { amount, effectiveAt, metadata, reference } = asked
  const { from, to } = transfer.legs[leg]!
  return {
    _tag: "SendTransfer",
    walletId: to,
    transferId: "",
    to: from,
    amount: amount ?? bound.amount,
    reference,
    metadata,
    effectiveAt,
    refund: { of: transfer.id, leg, bound, asked: asked.leg, all: amount === null }
  }
}

interface LegLeft {
  readonly leg: number
  readonly left: bigint
  readonly bound: RefundBound
}

const several = (asked: AskedTransferRefund, transfer: Transfer, legs: ReadonlyArray<LegLeft>): TransferCommand => {
  const { effectiveAt, metadata, reference } = asked
  return {
    _tag: "BeginLegs",
    walletId: transfer.legs[legs[0]!.leg]!.to,
    transferId: "",
    legs: legs.map(({ bound, leg, left }) => {
      const { from, to } = transfer.legs[leg]!
      // References and metadata are of the refund as a whole.
      return {
        from: to,
        to: from,
        amount: left,
        reference: null,
        metadata: noMetadata,
        refund: { of: transfer.id, leg, bound }
      }
    }),
    reference,
    metadata,
    effectiveAt,
    refundOf: transfer.id
  }
}

/** Of a look at a key: what says that the wallet cannot be asked now. */
const isUnanswered = ({ _tag }: CommandError): boolean =>
  ["StoreUnavailable", "StoreDefect", "MailboxFull", "OutcomeUnknown", "EventUnreadable"].includes(_tag)

/**
 * What this key has refunded before, if it has: its legs are those of then, not of what is left now. Whichever
 * of the wallets has the key is the one that has begun it.
 */
const refundedBefore = Effect.fnUntraced(function* (
  { done }: RefundContext,
  asked: AskedTransferRefund,
  transfer: Transfer,
  bounds: ReadonlyArray<RefundBound>
): Effect.fn.Return<TransferCommand | undefined, CommandError> {
  const receivers = new Map(transfer.legs.map(({ to }, leg) => [to, leg]))
  const found = yield* Effect.forEach(
    receivers.values(),
    (leg) => {
      const command = single(asked, transfer, leg, bounds[leg]!)
      return Effect.catch(
        Effect.map(done(command), (events) => (events === undefined ? undefined : { command, events })),
        (error) => {
          // It was undone, which it tells again.
          if (error._tag === "OperationReversed") return Effect.succeed({ command, events: [] })
          return isUnanswered(error) && !isBehind(error) ? Effect.fail(error) : Effect.undefined
        }
      )
    },
    { concurrency: concurrentWallets }
  )
  const known = found.find((one) => one !== undefined)
  for (const { event } of known?.events ?? []) {
    if (event._tag !== "LegsBegun") continue
    const legs = event.legs.map(({ amount: left, refund }): LegLeft => ({
      leg: refund!.leg,
      left,
      bound: bounds[refund!.leg]!
    }))
    return several(asked, transfer, legs)
  }
  return known?.command
})

/** Of several legs as a whole: what is left of each, as their wallets have it now. */
const wholeRefund = Effect.fnUntraced(function* (
  context: RefundContext,
  asked: AskedTransferRefund,
  transfer: Transfer
): Effect.fn.Return<TransferCommand, CommandError> {
  const { calls, originals } = context
  const numbers = transfer.legs.map((_, leg) => leg)
  const bounds = yield* originals.bounds(transfer, numbers)
  const states = new Map(
    yield* Effect.forEach(
      new Set(transfer.legs.map(({ to }) => to)),
      (walletId) => Effect.map(calls.current(walletId, -1), (wallet) => [walletId, wallet] as const),
      { concurrency: concurrentWallets }
    )
  )
  // After the states: what they have of an earlier try with this key, the wallets know by the key.
  const before = yield* refundedBefore(context, asked, transfer, bounds)
  if (before !== undefined) return before
  const legs = numbers.flatMap((leg): ReadonlyArray<LegLeft> => {
    const wallet = states.get(transfer.legs[leg]!.to)
    const bound = bounds[leg]!
    const left = wallet === undefined ? 0n : refundLeft(wallet, { of: transfer.id, leg, bound })
    return left > 0n ? [{ leg, left, bound }] : []
  })
  const [first] = legs
  if (first === undefined) return yield* new RefundExceeded({ walletId: transfer.legs[0]!.to, refundable: 0n })
  return legs.length === 1 ? single(asked, transfer, first.leg, first.bound) : several(asked, transfer, legs)
})

/** What the saga is asked. */
export const transferRefund = Effect.fnUntraced(function* (
  context: RefundContext,
  asked: AskedTransferRefund
): Effect.fn.Return<TransferCommand, CommandError> {
  const { amount, leg, transferId, walletId } = asked
  const transfer = yield* context.originals.transfer(transferId)
  const legs = transfer.legs.length
  if (leg !== null && leg >= legs) {
    return yield* new InvalidRequest({ detail: `leg: the transfer has ${legs}, counted from 0` })
  }
  if (legs > 1 && leg === null && amount !== null) {
    return yield* new InvalidRequest({ detail: "amount: of several legs one has to be named by leg" })
  }
  const number = leg ?? (legs === 1 ? 0 : undefined)
  // Of one leg it says the same to name it.
  const own = legs === 1 ? { ...asked, leg: null } : asked
  const command =
    number === undefined
      ? yield* wholeRefund(context, own, transfer)
      : single(own, transfer, number, (yield* context.originals.bounds(transfer, [number]))[0]!)
  if (walletId !== undefined && walletId !== command.walletId) return yield* new TransferNotFound({ transferId })
  return { ...command, transferId: context.idOf(command.walletId) }
})
