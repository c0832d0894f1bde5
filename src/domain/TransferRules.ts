/** Transfers: the rules of their steps, at the source and at the destination, and what their events do. */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import {
  closedOrFrozen,
  currencyMismatch,
  type DecideContext,
  type Decision,
  findHold,
  findTransfer,
  insufficient,
  invalid,
  invalidEffectiveAt,
  invalidId,
  invalidMovement,
  malformedEffectiveAt,
  overBalanceLimit,
  tooLarge
} from "./Decision.ts"
import type { RecordedEvent } from "./Event.ts"
import {
  buildsOnNothing,
  type EventKind,
  type EventKinds,
  freesNothing,
  needsCreditsUnfrozen,
  needsUnfrozen,
  nothing,
  noTrace,
  received,
  spent,
  type Traces,
  transaction
} from "./EventKind.ts"
import { type HoldCapturedTo, holdTrace, holdWith, type OpenHold, progressAfterReturn } from "./Hold.ts"
import { exceededRefund, refundedChange, refundLeft } from "./RefundRules.ts"
import { maxTextLength, noMetadata, toText } from "./Limits.ts"
import {
  CurrencyMismatch,
  HoldNotFound,
  type InvalidRequest,
  type Rejection,
  SameWallet,
  TransferNotFound,
  WalletClosed,
  WalletNotFound
} from "./Rejection.ts"
import {
  type ReceiveTransfer,
  type RefuseTransfer,
  type ReverseTransfer,
  type SendTransfer,
  type SettleTransfer,
  singleLeg,
  type Transfer,
  type TransferChange,
  type TransferEvent,
  type TransferInFlight,
  type TransferReceived,
  type TransferRefused,
  type TransferReversed,
  type TransferSent,
  type TransferSettled
} from "./Transfer.ts"
import type { Wallet } from "./Wallet.ts"
import { transferBytes } from "./WalletSize.ts"
import { moved, withHold, withoutHold, withoutTransfer, withTransfer } from "./WalletState.ts"

// --- Rules -------------------------------------------------------------------

/**
 * Of a refund of all that is left: what that is now. With nothing left that would be no amount; that it is too
 * much stands behind the form.
 */
const amountOf = (wallet: Wallet, { amount }: SendTransfer, refund: NonNullable<SendTransfer["refund"]>): bigint => {
  if (!refund.all) return amount
  const left = refundLeft(wallet, refund)
  return left > 0n ? left : 1n
}

/** A second transfer of the same id would overwrite the first and lose its money. */
const invalidTransfer = (wallet: Wallet, command: SendTransfer): InvalidRequest | undefined =>
  invalidMovement(command) ??
  invalidId("transferId", command.transferId) ??
  invalidId("to", command.to) ??
  (HashMap.has(wallet.transfers, command.transferId) ? invalid("transferId: in use") : undefined)

export const sendTransfer = (wallet: Wallet, asked: SendTransfer, context: DecideContext): Decision => {
  const { refund } = asked
  const command = refund === null ? asked : { ...asked, amount: amountOf(wallet, asked, refund) }
  const rejection =
    closedOrFrozen(wallet, "debits", context) ??
    (command.to === wallet.id ? new SameWallet({ walletId: wallet.id }) : undefined) ??
    ruledOut(command) ??
    currencyMismatch(wallet, command.currency) ??
    invalidTransfer(wallet, command) ??
    invalidEffectiveAt(command.effectiveAt, context.time) ??
    (refund === null ? undefined : exceededRefund(wallet, refund, command.amount, refund.asked)) ??
    insufficient(wallet, command.amount) ??
    tooLarge(wallet, transferBytes(command), context.limits)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "TransferSent",
      transferId: command.transferId,
      to: command.to,
      amount: command.amount,
      currency: wallet.currency,
      reference: command.reference,
      metadata: command.metadata,
      effectiveAt: command.effectiveAt,
      refund: refund === null ? null : { of: refund.of, leg: refund.leg },
      balanceAfter: wallet.balance - command.amount,
      heldAfter: wallet.held
    }
  ])
}

/** The rejection of the destination, as if it had been asked last. */
export const ruledOut = ({ destination, to }: Pick<SendTransfer, "destination" | "to">): Rejection | undefined => {
  if (destination === "missing") return new WalletNotFound({ walletId: to })
  return destination === "closed" ? new WalletClosed({ walletId: to }) : undefined
}

/** As its source would say it. */
const otherCurrency = (wallet: Wallet, { currency }: ReceiveTransfer): Rejection | undefined =>
  currency === wallet.currency
    ? undefined
    : new CurrencyMismatch({ walletId: wallet.id, expected: currency, actual: wallet.currency })

/** Its time of the books is the source's and judged there: another node's clock may be behind that one's. */
export const receiveTransfer = (wallet: Wallet, command: ReceiveTransfer, context: DecideContext): Decision => {
  const { time } = context
  const malformed =
    closedOrFrozen(wallet, "credits", context) ??
    otherCurrency(wallet, command) ??
    invalidMovement(command) ??
    malformedEffectiveAt(command.effectiveAt)
  if (malformed !== undefined) return Result.fail(malformed)
  const balanceAfter = wallet.balance + command.amount
  const rejection = overBalanceLimit(wallet, balanceAfter)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "TransferReceived",
      transferId: command.transferId,
      from: command.from,
      amount: command.amount,
      reference: command.reference,
      metadata: command.metadata,
      // What is received at the very time needs no second word for it.
      effectiveAt: command.effectiveAt === Math.max(time, wallet.updatedAt) ? null : command.effectiveAt,
      balanceAfter,
      heldAfter: wallet.held
    }
  ])
}

/** In any status: a refusal has to be on record, or the source could never have its money back. */
export const refuseTransfer = (wallet: Wallet, command: RefuseTransfer): Decision =>
  Result.succeed([
    {
      _tag: "TransferRefused",
      transferId: command.transferId,
      from: command.from,
      amount: command.amount,
      reason: toText(command.reason, maxTextLength),
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])

/** In any status. What a final capture has kept for the case of a refusal is free from here on. */
export const settleTransfer = (wallet: Wallet, command: SettleTransfer): Decision => {
  const transfer = findTransfer(wallet, command.transferId)
  if (transfer instanceof TransferNotFound) return Result.fail(transfer)
  const { capture } = transfer
  return Result.succeed([
    {
      _tag: "TransferSettled",
      transferId: transfer.id,
      to: transfer.to,
      amount: transfer.amount,
      holdId: capture === null ? null : capture.holdId,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held - (capture?.rest ?? 0n)
    }
  ])
}

/**
 * In any status. Credits leave room for what is in flight, so no limit is in its way. Money that was captured is
 * held again, as it was before, unless the hold was released meanwhile.
 */
export const reverseTransfer = (wallet: Wallet, command: ReverseTransfer): Decision => {
  const transfer = findTransfer(wallet, command.transferId)
  if (transfer instanceof TransferNotFound) return Result.fail(transfer)
  const { amount, capture } = transfer
  const hold = capture === null ? undefined : findHold(wallet, capture.holdId)
  if (hold instanceof HoldNotFound) return Result.fail(hold)
  const back = hold === undefined ? undefined : returnedTo(wallet, hold, transfer)
  return Result.succeed([
    {
      _tag: "TransferReversed",
      transferId: transfer.id,
      to: transfer.to,
      amount,
      reason: toText(command.reason, maxTextLength),
      effectiveAt: transfer.effectiveAt,
      holdId: hold === undefined ? null : hold.id,
      capturedAfter: back === undefined ? null : back.captured,
      remainingAfter: back === undefined ? null : back.remaining,
      balanceAfter: wallet.balance + amount,
      heldAfter: wallet.held + (back?.heldChange ?? 0n)
    }
  ])
}

/** What a hold has when money that was captured from it comes back. */
const returnedTo = (wallet: Wallet, hold: OpenHold, { amount, capture, id }: TransferInFlight) => {
  const rest = capture?.rest ?? 0n
  const captured = hold.captured - amount
  if (hold.ended === true) return { captured, remaining: hold.remaining, heldChange: -rest }
  return finalOf(wallet, hold.id, id) === undefined
    ? { captured, remaining: hold.remaining + amount + rest, heldChange: amount }
    : { captured, remaining: hold.remaining, heldChange: amount }
}

/**
 * Another capture of the hold in flight, which releases what then remains: what comes back meanwhile is a part of that,
 * to be released with it or to be held again.
 */
const finalOf = (wallet: Wallet, holdId: string, transferId: string): TransferInFlight | undefined => {
  for (const transfer of HashMap.values(wallet.transfers)) {
    const { capture, id } = transfer
    if (capture !== null && capture.holdId === holdId && capture.rest > 0n && id !== transferId) return transfer
  }
  return undefined
}

// --- State, traces and rows --------------------------------------------------

const ended = (wallet: Wallet, recorded: RecordedEvent, event: TransferSettled | TransferReversed): Wallet => {
  const after = withoutTransfer(wallet, recorded, event.transferId)
  if (event.holdId === null) return after
  const hold = HashMap.get(wallet.holds, event.holdId)
  if (hold._tag === "None") return after
  const rest = HashMap.get(wallet.transfers, event.transferId)
  const left = decided(hold.value, event, rest._tag === "Some" ? (rest.value.capture?.rest ?? 0n) : 0n)
  const holding = left === undefined ? withoutHold(after, recorded, event.holdId) : withHold(after, recorded, left)
  const final =
    event._tag === "TransferReversed" && hold.value.ended === null
      ? finalOf(wallet, event.holdId, event.transferId)
      : undefined
  return final === undefined
    ? holding
    : withTransfer(holding, recorded, {
        ...final,
        capture: { holdId: event.holdId, rest: final.capture!.rest + event.amount }
      })
}

/** A hold after one of its captures to other wallets is decided; `undefined`: nothing of it is open any more. */
const decided = (hold: OpenHold, event: TransferSettled | TransferReversed, rest: bigint): OpenHold | undefined => {
  const inFlight = (hold.inFlight ?? 0n) - event.amount
  const isBack = event._tag === "TransferReversed"
  const remaining = isBack ? (event.remainingAfter ?? hold.remaining) : hold.remaining
  if (remaining === 0n && inFlight <= 0n) return undefined
  return holdWith(hold, {
    captured: isBack ? (event.capturedAfter ?? hold.captured) : hold.captured,
    remaining,
    inFlight: inFlight > 0n ? inFlight : null,
    // A final capture has closed it.
    ended: !isBack && rest > 0n ? true : hold.ended
  })
}

/** What a refund would have given back it has not given back. */
const returned = (wallet: Wallet, recorded: RecordedEvent, event: TransferReversed): Wallet => {
  const { refund = null } = Option.getOrUndefined(HashMap.get(wallet.transfers, event.transferId)) ?? {}
  return refundedChange(ended(wallet, recorded, event), recorded, [{ refund, amount: -event.amount }])
}

/** What the sending of a transfer leaves behind. */
export const transferTrace = (transferId: string): string => `transfer ${transferId}`

const needsTransfer = (traces: Traces, event: TransferEvent): boolean => traces.has(transferTrace(event.transferId))

const needsTransferAndHold = (traces: Traces, event: TransferSettled | TransferReversed): boolean =>
  needsTransfer(traces, event) || (event.holdId !== null && traces.has(holdTrace(event.holdId)))

/** As the source has sent it, with or without a hold. */
export const sentTransfer = ({ time, walletId }: RecordedEvent, event: TransferSent | HoldCapturedTo): Transfer => {
  const { amount, currency, effectiveAt, to, transferId } = event
  const { metadata, reference, refund } = event._tag === "TransferSent" ? event : { ...noNote, refund: null }
  return {
    id: transferId,
    from: walletId,
    to,
    amount,
    currency,
    legs: singleLeg({ from: walletId, to, amount, currency, reference, metadata, refund }),
    status: "pending",
    reason: null,
    leg: null,
    reference,
    metadata,
    refundOf: refund?.of ?? null,
    createdAt: time,
    effectiveAt: effectiveAt ?? time,
    updatedAt: time
  }
}

/** What a capture says of its transfer: nothing. */
export const noNote = { reference: null, metadata: noMetadata }

/** The row of a transfer whose money the source has back. */
export const reversedRow = (recorded: RecordedEvent, transferId: string, reason: string): TransferChange => ({
  _tag: "Changed",
  walletId: recorded.walletId,
  transferId,
  status: "reversed",
  reason,
  updatedAt: recorded.time
})

// --- The events --------------------------------------------------------------

const transferSent: EventKind<TransferSent> = {
  evolve: (wallet, recorded, event) =>
    refundedChange(
      withTransfer(wallet, recorded, {
        id: event.transferId,
        to: event.to,
        amount: event.amount,
        reference: event.reference,
        metadata: event.metadata,
        effectiveAt: event.effectiveAt,
        refund: event.refund,
        createdAt: recorded.time,
        capture: null
      }),
      recorded,
      [event]
    ),
  balanceChange: spent,
  transaction: (recorded, wallet, { amount, metadata, reference, transferId }) =>
    transaction(recorded, wallet, "transfer_out", amount, reference, metadata, null, transferId),
  holdChange: undefined,
  transferChange: (recorded, event) => ({
    _tag: "Sent",
    version: recorded.version,
    transfer: sentTransfer(recorded, event)
  }),
  reversible: {
    undo: (wallet, _before, event) =>
      HashMap.has(wallet.transfers, event.transferId)
        ? {
            balanceChange: event.amount,
            heldChange: 0n,
            restored: { _tag: "NoTransfer", transferId: event.transferId }
          }
        : undefined,
    availableChange: spent,
    freedAtMost: freesNothing,
    trace: (event) => transferTrace(event.transferId)
  },
  buildsOn: (traces, event) => needsUnfrozen(traces) || needsTransfer(traces, event)
}

const transferReceived: EventKind<TransferReceived> = {
  evolve: moved,
  balanceChange: received,
  transaction: (recorded, wallet, { amount, metadata, reference, transferId }) =>
    transaction(recorded, wallet, "transfer_in", amount, reference, metadata, null, transferId),
  holdChange: undefined,
  transferChange: undefined,
  reversible: {
    undo: (_wallet, _before, event) => ({
      balanceChange: -event.amount,
      heldChange: 0n,
      restored: { _tag: "NoTransfer", transferId: event.transferId }
    }),
    availableChange: received,
    freedAtMost: freesNothing,
    trace: noTrace
  },
  buildsOn: needsCreditsUnfrozen
}

const transferRefused: EventKind<TransferRefused> = {
  evolve: moved,
  balanceChange: nothing,
  transaction: undefined,
  holdChange: undefined,
  transferChange: undefined,
  reversible: undefined,
  buildsOn: buildsOnNothing
}

const transferSettled: EventKind<TransferSettled> = {
  evolve: ended,
  balanceChange: nothing,
  transaction: undefined,
  holdChange: undefined,
  transferChange: ({ walletId }, { transferId }) => ({
    _tag: "Changed",
    walletId,
    transferId,
    status: "completed",
    reason: null,
    // Settling says what the destination has said before: the status has its time from there.
    updatedAt: null
  }),
  reversible: undefined,
  buildsOn: needsTransferAndHold
}

const transferReversed: EventKind<TransferReversed> = {
  evolve: returned,
  balanceChange: received,
  transaction: (recorded, wallet, { amount, holdId, transferId }) =>
    transaction(recorded, wallet, "reversal", amount, null, noMetadata, holdId, transferId),
  holdChange: ({ walletId }, { capturedAfter, holdId, remainingAfter }) =>
    holdId === null || capturedAfter === null || remainingAfter === null
      ? undefined
      : { _tag: "Changed", walletId, holdId, ...progressAfterReturn(capturedAfter, remainingAfter) },
  transferChange: (recorded, { reason, transferId }) => reversedRow(recorded, transferId, reason),
  reversible: undefined,
  buildsOn: needsTransferAndHold
}

export const transferEvents: EventKinds<TransferEvent> = {
  TransferSent: transferSent,
  TransferReceived: transferReceived,
  TransferRefused: transferRefused,
  TransferSettled: transferSettled,
  TransferReversed: transferReversed
}
