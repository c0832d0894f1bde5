/**
 * Transfers of several legs: money that moves between several wallets at once, all of it or none.
 *
 *   begin (home) → prepare or refuse (every other wallet) → apply or release (home: the decision)
 *     → apply or release (every other wallet) → settle (home)
 *
 * The *home* is the source of the first leg. Each wallet has all of its legs in one event.
 */
import * as Schema from "effect/Schema"
import { absentOrNull, codecOf, listCodec, withCodec } from "./Codec.ts"
import { DayLimit } from "./KeyLimit.ts"
import type { Metadata } from "./Limits.ts"
import { AnyLegRefund, type RefundedLeg as Refunded, RefundedLeg } from "./Refund.ts"
import { Freeze } from "./Wallet.ts"
import {
  after,
  Amount,
  AnyEffectiveAt,
  AnyInteger,
  anyNote,
  AnyText,
  AnyTime,
  Currency,
  EffectiveAt,
  Held,
  Id,
  note,
  Text,
  Time,
  Version
} from "./WireValues.ts"

/** Of one transfer. */
export const minLegs = 2
export const maxLegs = 100

/** More is damage. */
const list = <S extends Schema.Top>(item: S) =>
  withCodec(Schema.Array(item).check(Schema.isMaxLength(maxLegs)), listCodec(codecOf(item), maxLegs))

// --- Values ------------------------------------------------------------------

/** As the caller has given it; its number is its place in the list, from 0. */
const transferLeg = Schema.Struct({
  from: Id,
  to: Id,
  amount: Amount,
  currency: Currency,
  ...note,
  refund: RefundedLeg
})

/** Of one wallet: what leaves it or comes into it. */
const ownLeg = Schema.Struct({
  /** Its number in the transfer. */
  leg: Version,
  side: Schema.Literals(["sent", "received"]),
  /** The wallet at its other end. */
  counterparty: Id,
  amount: Amount,
  ...note,
  /** Of one that is sent: what it gives back. */
  refund: RefundedLeg
})

export type BegunLeg = typeof transferLeg.Type
export type OwnLeg = typeof ownLeg.Type

/** The ids of the two transactions that a leg has made; by its number. */
const legTransactions = Schema.Struct({ sent: Text, received: Text })

export type LegTransactions = typeof legTransactions.Type

// --- State -------------------------------------------------------------------

const begun = Schema.Struct({
  legs: list(transferLeg),
  ...note,
  refundOf: absentOrNull(Id),
  /** Of the key that has begun it: it binds the other wallets, too, whoever asks them. */
  keyLimit: absentOrNull(DayLimit)
})

const decision = Schema.Struct({
  /** `null`: it is completed; else why it was reversed. */
  reason: Schema.NullOr(Text),
  /** That was refused. */
  leg: Schema.NullOr(Version)
})

/** What a wallet has promised of a transfer, until it is told how that ended; at home until all others were told. */
export const PreparedLegs = Schema.Struct({
  id: Id,
  home: Id,
  legs: list(ownLeg),
  /** Of what is available, held in transit: as much as the wallet is short of at the deepest point of its legs. */
  held: Held,
  /** How far the balance rises at the highest point of its legs. */
  room: Held,
  effectiveAt: EffectiveAt,
  createdAt: Time,
  /** At home: the whole transfer. */
  begun: Schema.NullOr(begun),
  /** At home: once it is made. Then nothing is held any more. */
  decision: Schema.NullOr(decision)
})

export type PreparedLegs = typeof PreparedLegs.Type

// --- Commands ----------------------------------------------------------------

const ofTransfer = { walletId: AnyText, transferId: AnyText }

const anyLeg = Schema.Struct({ from: AnyText, to: AnyText, amount: AnyInteger, ...anyNote, refund: AnyLegRefund })

const anyOwnLeg = Schema.Struct({
  leg: AnyTime,
  side: Schema.Literals(["sent", "received"]),
  counterparty: AnyText,
  amount: AnyInteger,
  ...anyNote,
  refund: AnyLegRefund
})

/** What one of the wallets is, asked before: the home judges the transfer by it after it has looked its key up. */
const legParty = Schema.Struct({
  walletId: AnyText,
  /** Of no meaning of a wallet that is missing. */
  currency: AnyText,
  status: Schema.Literals(["active", "frozen", "closed", "missing"]),
  /** Of one that is frozen. */
  freeze: absentOrNull(Freeze),
  available: AnyInteger
})

export type AskedLeg = typeof anyLeg.Type
export type LegParty = typeof legParty.Type

export const LegsCommand = Schema.TaggedUnion({
  /** Step 1, at home, under the caller's key. */
  BeginLegs: {
    ...ofTransfer,
    legs: list(anyLeg),
    /** All wallets but the home. */
    parties: withCodec(Schema.Array(legParty), listCodec(codecOf(legParty), 2 * maxLegs)),
    ...anyNote,
    effectiveAt: AnyEffectiveAt,
    /** Of a refund: the transfer, whose legs its legs give back. */
    refundOf: absentOrNull(AnyText)
  },
  /** Step 2, at every other wallet. */
  PrepareLegs: {
    ...ofTransfer,
    home: AnyText,
    /** The wallet's, as the home has it. */
    currency: AnyText,
    legs: list(anyOwnLeg),
    effectiveAt: AnyEffectiveAt
  },
  /** Step 2 when the wallet's rules reject it: recorded there, for ever. In any status. */
  RefuseLegs: { ...ofTransfer, home: AnyText, leg: AnyTime, reason: AnyText },
  /** Steps 3 and 4 when all have prepared; at home it is the decision. In any status. */
  ApplyLegs: ofTransfer,
  /** Steps 3 and 4 when one has refused; at home it is the decision. In any status. */
  ReleaseLegs: { ...ofTransfer, reason: AnyText, leg: AnyTime },
  /** Step 5, at home, when all know. `transactions`: by leg; none when it was reversed. */
  SettleLegs: {
    ...ofTransfer,
    transactions: list(Schema.Struct({ sent: AnyText, received: AnyText }))
  }
})

export type LegsCommand = typeof LegsCommand.Type
export type BeginLegs = typeof LegsCommand.cases.BeginLegs.Type
export type PrepareLegs = typeof LegsCommand.cases.PrepareLegs.Type
export type RefuseLegs = typeof LegsCommand.cases.RefuseLegs.Type
export type ApplyLegs = typeof LegsCommand.cases.ApplyLegs.Type
export type ReleaseLegs = typeof LegsCommand.cases.ReleaseLegs.Type
export type SettleLegs = typeof LegsCommand.cases.SettleLegs.Type

// --- Events ------------------------------------------------------------------

const ofLegs = { transferId: Id, home: Id }

export const LegsEvent = Schema.TaggedUnion({
  /** At home: the whole transfer, and what its own legs need is held in transit. */
  LegsBegun: {
    transferId: Id,
    legs: list(transferLeg),
    ...note,
    effectiveAt: EffectiveAt,
    refundOf: absentOrNull(Id),
    held: Held,
    ...after
  },
  /** At another wallet: its own legs, and what they need is held in transit. */
  LegsPrepared: { ...ofLegs, legs: list(ownLeg), effectiveAt: EffectiveAt, held: Held, ...after },
  LegsRefused: { ...ofLegs, leg: Version, reason: Text, ...after },
  /** The wallet's own legs have moved its balance, one after the other. `released`: was held in transit. */
  LegsApplied: { ...ofLegs, legs: list(ownLeg), effectiveAt: EffectiveAt, released: Held, ...after },
  LegsReleased: { ...ofLegs, released: Held, reason: Text, leg: Version, ...after },
  /** At home: all others know. `reason`, `leg`: of one that was reversed, which has made no transactions. */
  LegsSettled: {
    transferId: Id,
    reason: Schema.NullOr(Text),
    leg: Schema.NullOr(Version),
    transactions: list(legTransactions),
    ...after
  }
})

export type LegsEvent = typeof LegsEvent.Type
export type LegsBegun = typeof LegsEvent.cases.LegsBegun.Type
export type LegsPrepared = typeof LegsEvent.cases.LegsPrepared.Type
export type LegsRefused = typeof LegsEvent.cases.LegsRefused.Type
export type LegsApplied = typeof LegsEvent.cases.LegsApplied.Type
export type LegsReleased = typeof LegsEvent.cases.LegsReleased.Type
export type LegsSettled = typeof LegsEvent.cases.LegsSettled.Type

// --- What readers see --------------------------------------------------------

/** A leg of a transfer as a reader sees it. */
export interface TransferLeg {
  readonly from: string
  readonly to: string
  readonly amount: bigint
  readonly currency: string
  readonly reference: string | null
  readonly metadata: Metadata
  /** Of a refund: the leg that it gives back. */
  readonly refund: Refunded | null
  /** Both `null` until the transfer is completed. */
  readonly sentTransactionId: string | null
  readonly receivedTransactionId: string | null
}

/**
 * How a commit changes the rows of a wallet's legs of one transfer.
 *
 * - `Prepared`: promised in this commit, and not decided.
 * - `Applied`: promised before, or in this commit (`prepared`): they have become transactions, in their order.
 * - `Released`: promised before, and they will never be.
 */
export type LegsChange =
  | { readonly _tag: "Prepared"; readonly transferId: string; readonly legs: ReadonlyArray<OwnLeg> }
  | {
      readonly _tag: "Applied"
      readonly transferId: string
      readonly legs: ReadonlyArray<OwnLeg>
      /** Of the event that applied them. */
      readonly version: number
      readonly prepared: boolean
    }
  | { readonly _tag: "Released"; readonly transferId: string }

/** The legs of a transfer that are this wallet's, in their order. */
export const ownLegs = (
  walletId: string,
  legs: ReadonlyArray<Omit<AskedLeg, "refund"> & { readonly refund: Refunded | null }>
): ReadonlyArray<OwnLeg> =>
  legs.flatMap(({ amount, from, metadata, reference, refund: given, to }, leg): ReadonlyArray<OwnLeg> => {
    const refund = given === null ? null : { of: given.of, leg: given.leg }
    if (from === walletId) return [{ leg, side: "sent", counterparty: to, amount, reference, metadata, refund }]
    return to === walletId
      ? [{ leg, side: "received", counterparty: from, amount, reference, metadata, refund: null }]
      : []
  })

/** All wallets of a transfer, each once, the home first, in the order in which the legs name them. */
export const walletsOf = (legs: ReadonlyArray<Pick<AskedLeg, "from" | "to">>): ReadonlyArray<string> => [
  ...new Set(legs.flatMap(({ from, to }) => [from, to]))
]

/** Signed, minor units. */
export const legChange = ({ amount, side }: Pick<OwnLeg, "amount" | "side">): bigint =>
  side === "sent" ? -amount : amount

export const legsChange = (legs: ReadonlyArray<Pick<OwnLeg, "amount" | "side">>): bigint =>
  legs.reduce((sum, leg) => sum + legChange(leg), 0n)

/** How a wallet's legs, one after the other, move its balance: minor units below and above where it begins. */
export interface Course {
  readonly deepest: bigint
  readonly highest: bigint
}

export const courseOf = (legs: ReadonlyArray<OwnLeg>): Course => {
  let [at, deepest, highest] = [0n, 0n, 0n]
  for (const leg of legs) {
    at += legChange(leg)
    if (-at > deepest) deepest = -at
    if (at > highest) highest = at
  }
  return { deepest, highest }
}
