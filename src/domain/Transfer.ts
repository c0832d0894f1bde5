/**
 * Transfers: money on its way from one wallet to another, in three steps.
 *
 *   send (source) → receive or refuse (destination) → settle or reverse (source)
 */
import * as Schema from "effect/Schema"
import { absentOrNull } from "./Codec.ts"
import type { LegTransactions, TransferLeg } from "./Legs.ts"
import type { Metadata } from "./Limits.ts"
import { AnyRefund, RefundedLeg } from "./Refund.ts"
import {
  after,
  Amount,
  AmountOrZero,
  AnyEffectiveAt,
  AnyInteger,
  anyNote,
  AnyText,
  Currency,
  EffectiveAt,
  Id,
  Metadata as MetadataValue,
  note,
  Text,
  Time
} from "./WireValues.ts"

// --- State -------------------------------------------------------------------

/** In the state of its source, from its sending until its end is known there. */
export const TransferInFlight = Schema.Struct({
  id: Id,
  to: Id,
  amount: Amount,
  reference: Schema.NullOr(Text),
  metadata: MetadataValue,
  effectiveAt: EffectiveAt,
  refund: RefundedLeg,
  createdAt: Time,
  /** Of one whose money was captured: the hold, and what of it is held until the end is known, to be released then. */
  capture: absentOrNull(Schema.Struct({ holdId: Id, rest: AmountOrZero }))
})

export type TransferInFlight = typeof TransferInFlight.Type

// --- Commands ----------------------------------------------------------------

const ofTransfer = { walletId: AnyText, transferId: AnyText }

export const TransferCommand = Schema.TaggedUnion({
  /** Step 1, at the source: the money leaves and is in flight. */
  SendTransfer: {
    ...ofTransfer,
    to: AnyText,
    amount: AnyInteger,
    /** The destination's currency, asked before; of no meaning when it is `"missing"`. */
    currency: AnyText,
    /**
     * What rules the destination out, asked before; `null`: nothing does. It travels to
     * the source so that the look-up of the key comes before this rejection, too.
     */
    destination: Schema.NullOr(Schema.Literals(["missing", "closed"])),
    ...anyNote,
    effectiveAt: AnyEffectiveAt,
    refund: AnyRefund
  },
  /** Step 2, at the destination. */
  ReceiveTransfer: {
    ...ofTransfer,
    from: AnyText,
    amount: AnyInteger,
    /** The source's currency. */
    currency: AnyText,
    ...anyNote,
    /** As at the source: given, or when it was sent. */
    effectiveAt: AnyEffectiveAt
  },
  /** Step 2 when the destination's rules reject it: recorded there, for ever. Works in any status. */
  RefuseTransfer: { ...ofTransfer, from: AnyText, amount: AnyInteger, reason: AnyText },
  /** Step 3, at the source, after the destination has received. */
  SettleTransfer: ofTransfer,
  /** Step 3, at the source, after the destination has refused: the money comes back. */
  ReverseTransfer: { ...ofTransfer, reason: AnyText }
})

export type TransferCommand = typeof TransferCommand.Type
export type SendTransfer = typeof TransferCommand.cases.SendTransfer.Type
export type ReceiveTransfer = typeof TransferCommand.cases.ReceiveTransfer.Type
export type RefuseTransfer = typeof TransferCommand.cases.RefuseTransfer.Type
export type SettleTransfer = typeof TransferCommand.cases.SettleTransfer.Type
export type ReverseTransfer = typeof TransferCommand.cases.ReverseTransfer.Type

// --- Events ------------------------------------------------------------------

export const TransferEvent = Schema.TaggedUnion({
  TransferSent: {
    transferId: Id,
    to: Id,
    amount: Amount,
    currency: Currency,
    ...note,
    effectiveAt: EffectiveAt,
    refund: RefundedLeg,
    ...after
  },
  TransferReceived: { transferId: Id, from: Id, amount: Amount, ...note, effectiveAt: EffectiveAt, ...after },
  TransferRefused: { transferId: Id, from: Id, amount: Amount, reason: Text, ...after },
  TransferSettled: {
    transferId: Id,
    to: Id,
    amount: Amount,
    /** Of one whose money was captured: what the capture was to release is free now. */
    holdId: absentOrNull(Id),
    ...after
  },
  /** It counts when what it takes back has counted, where that was given. */
  TransferReversed: {
    transferId: Id,
    to: Id,
    amount: Amount,
    reason: Text,
    effectiveAt: EffectiveAt,
    /** Of one whose money was captured: the hold that has it back, unless it was ended meanwhile. */
    holdId: absentOrNull(Id),
    capturedAfter: absentOrNull(AmountOrZero),
    remainingAfter: absentOrNull(AmountOrZero),
    ...after
  }
})

export type TransferEvent = typeof TransferEvent.Type
export type TransferSent = typeof TransferEvent.cases.TransferSent.Type
export type TransferReceived = typeof TransferEvent.cases.TransferReceived.Type
export type TransferRefused = typeof TransferEvent.cases.TransferRefused.Type
export type TransferSettled = typeof TransferEvent.cases.TransferSettled.Type
export type TransferReversed = typeof TransferEvent.cases.TransferReversed.Type

// --- What readers see --------------------------------------------------------

/**
 * - `pending`: the money has left the source; the destination has not answered. Of several legs:
 *   it is held in transit where it leaves, or not all wallets have been told yet how it ended.
 * - `completed`: the destination has it, all destinations have.
 * - `reversed`: a destination, of several legs any wallet, refused it; no money has moved, or it is back.
 */
export type TransferStatus = "pending" | "completed" | "reversed"

/** A movement from one wallet to another, or in several legs, as a reader sees it. */
export interface Transfer {
  readonly id: string
  /** Of several legs `null`, and so are `to`, `amount` and `currency`. */
  readonly from: string | null
  readonly to: string | null
  readonly amount: bigint | null
  readonly currency: string | null
  /** In the order given, one at least. */
  readonly legs: ReadonlyArray<TransferLeg>
  readonly status: TransferStatus
  /** Why it was reversed. */
  readonly reason: string | null
  /** Of several legs: the number of the one that was refused. */
  readonly leg: number | null
  readonly reference: string | null
  readonly metadata: Metadata
  /** Of a refund: the id of the transfer that it gives back, as a whole or a leg of it. */
  readonly refundOf: string | null
  /** Time of TransferSent or LegsBegun, milliseconds. */
  readonly createdAt: number
  /** When it counts for the books, on both sides, milliseconds: `createdAt` unless its caller said otherwise. */
  readonly effectiveAt: number
  /** Time of the event that made the status: TransferSent, TransferReceived or TransferReversed; LegsBegun or LegsSettled. */
  readonly updatedAt: number
}

/**
 * How a commit changes the row of one transfer, which its source has.
 *
 * - `Sent`: sent in this commit; the row in full, as it is at its end.
 * - `Changed`: sent before; the columns that can change. `updatedAt` `null`: stays as
 *   it is. Where there is no such row (its sending was refused), there is nothing to
 *   change.
 */
export type TransferChange =
  | {
      readonly _tag: "Sent"
      /** Of the event that sent it. */
      readonly version: number
      readonly transfer: Transfer
    }
  | {
      readonly _tag: "Changed"
      readonly walletId: string
      readonly transferId: string
      readonly status: TransferStatus
      readonly reason: string | null
      readonly updatedAt: number | null
      /** Of several legs. */
      readonly leg?: number | null
      /** Of several legs, by leg: none where it was reversed. */
      readonly transactions?: ReadonlyArray<LegTransactions>
    }

/** The wallet that it is a transfer of: its source, or that of its first leg. */
export const sourceOf = ({ legs }: Pick<Transfer, "legs">): string => legs[0]!.from

type NewLeg = Omit<TransferLeg, "sentTransactionId" | "receivedTransactionId">

/** The legs of one that has one. */
export const singleLeg = (leg: NewLeg): ReadonlyArray<TransferLeg> => [withTransactions(leg, undefined)]

/** `undefined`: there are none yet. */
export const withTransactions = (
  { amount, currency, from, metadata, reference, refund, to }: NewLeg,
  transactions: LegTransactions | undefined
): TransferLeg => ({
  from,
  to,
  amount,
  currency,
  reference,
  metadata,
  refund,
  sentTransactionId: transactions?.sent ?? null,
  receivedTransactionId: transactions?.received ?? null
})

/** When a transfer was completed, milliseconds, and the ids of its transactions, by leg. */
export interface Completion {
  readonly updatedAt: number
  readonly transactions: ReadonlyArray<LegTransactions>
}

export const completed = (transfer: Transfer, { transactions, updatedAt }: Completion): Transfer => ({
  ...transfer,
  status: "completed",
  updatedAt,
  legs: transfer.legs.map((leg, index) => withTransactions(leg, transactions[index]))
})

export const transferChanged = (
  transfer: Transfer,
  { leg, reason, status, transactions, updatedAt }: Extract<TransferChange, { readonly _tag: "Changed" }>
): Transfer => ({
  ...transfer,
  status,
  reason,
  leg: leg ?? null,
  updatedAt: updatedAt ?? transfer.updatedAt,
  legs:
    transactions === undefined
      ? transfer.legs
      : transfer.legs.map((one, index) => withTransactions(one, transactions[index]))
})
