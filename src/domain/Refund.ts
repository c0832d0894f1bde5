/**
 * Refunds: money that goes back the way it came. A debit or a capture is refunded by money that
 * comes in, a credit by money that leaves; a leg of a transfer by a transfer the other way.
 *
 * What is refunded of one original never exceeds it. That bound is kept at one wallet, which makes
 * all refunds of it: the wallet of the transaction, or the one that received the leg. How much was
 * refunded so far is in the rows of Persistence, up to a version; what has come after that version
 * is in the wallet's state, which remembers its most recent refunds.
 */
import * as Schema from "effect/Schema"
import { absentOrNull, codecOf, listCodec, withCodec } from "./Codec.ts"
import {
  after,
  Amount,
  AnyEffectiveAt,
  AnyInteger,
  anyNote,
  AnyText,
  AnyTime,
  Balance,
  EffectiveAt,
  Flag,
  Id,
  note,
  Version
} from "./WireValues.ts"

// --- What is refunded --------------------------------------------------------

const refundedLeg = Schema.Struct({ of: Id, leg: Version })

/** A leg of a transfer, by the transfer's id and its number; of one leg: 0. `null`: this is no refund. */
export const RefundedLeg = absentOrNull(refundedLeg)

export type RefundedLeg = typeof refundedLeg.Type

/** What may be refunded of an original, as its rows tell. */
const anyBound = Schema.Struct({
  /** Of the original, minor units. */
  amount: AnyInteger,
  /** Of it, by the events of the wallet up to … */
  refunded: AnyInteger,
  /** … this version, and no later one. `-1`: there is nothing of the wallet. */
  version: AnyTime
})

export type RefundBound = typeof anyBound.Type

const ofLeg = { of: AnyText, leg: AnyTime, bound: anyBound }

/** Of a leg that refunds another; `null`: this is no refund. */
export const AnyLegRefund = absentOrNull(Schema.Struct(ofLeg))

const anyRefund = Schema.Struct({
  ...ofLeg,
  /** The leg that the caller has named; `null`: the transfer as a whole. */
  asked: Schema.NullOr(AnyTime),
  /** All that is left when the wallet's turn comes: the amount beside it says nothing then. */
  all: Flag
})

/** Of a transfer of one leg that is a refund; `null`: this is none. */
export const AnyRefund = absentOrNull(anyRefund)

// --- State -------------------------------------------------------------------

/** So many changes are remembered at most, those of one event at least (`maxLegs`). About 25 kB. */
export const maxRecentRefunds = 128

const recentRefund = Schema.Struct({
  version: Version,
  of: Id,
  leg: Version,
  /** Signed: what a transfer has brought back is not refunded any more. */
  amount: Balance
})

export type RecentRefund = typeof recentRefund.Type

const changes = withCodec(
  Schema.Array(recentRefund).check(Schema.isMaxLength(maxRecentRefunds)),
  listCodec(codecOf(recentRefund), maxRecentRefunds)
)

/** By version, upwards. */
export const RecentRefunds = Schema.Struct({
  /** All changes after this version are among them. */
  since: withCodec(Schema.Int, {
    encode: (value) => value,
    decode: (value) => (Number.isSafeInteger(value) && (value as number) >= -1 ? (value as number) : undefined)
  }),
  changes
})

export type RecentRefunds = typeof RecentRefunds.Type

/** Shared by every wallet that has made none. */
export const noRefunds: RecentRefunds = { since: -1, changes: [] }

/** With those of one event more; the oldest are forgotten, event by event. */
export const remembered = (recent: RecentRefunds, added: ReadonlyArray<RecentRefund>): RecentRefunds => {
  if (added.length === 0) return recent
  const all = [...recent.changes, ...added]
  if (all.length <= maxRecentRefunds) return { since: recent.since, changes: all }
  const since = all[all.length - maxRecentRefunds - 1]!.version
  return { since, changes: all.filter(({ version }) => version > since) }
}

/** An event was taken back: it has no rows, so nothing of it is to be added to what they say. */
export const forgotten = (recent: RecentRefunds, version: number): RecentRefunds =>
  recent.changes.some((change) => change.version === version)
    ? { since: recent.since, changes: recent.changes.filter((change) => change.version !== version) }
    : recent

/** What is refunded by now; `undefined`: the state does not reach back to the version of the rows. */
export const refundedBy = (
  { changes: known, since }: RecentRefunds,
  { of, leg }: RefundedLeg,
  { refunded, version }: Pick<RefundBound, "refunded" | "version">
): bigint | undefined => {
  if (version < since) return undefined
  let sum = refunded
  for (const change of known) {
    if (change.version > version && change.of === of && change.leg === leg) sum += change.amount
  }
  return sum
}

// --- Command -----------------------------------------------------------------

export const RefundCommand = Schema.TaggedUnion({
  /** Of a transaction; at the wallet that made it. */
  RefundTransaction: {
    walletId: AnyText,
    transactionId: AnyText,
    /** Money comes back in, or is taken out again. */
    direction: Schema.Literals(["in", "out"]),
    /** `null`: all that is left. */
    amount: Schema.NullOr(AnyInteger),
    bound: anyBound,
    ...anyNote,
    effectiveAt: AnyEffectiveAt
  }
})

export type RefundCommand = typeof RefundCommand.Type
export type RefundTransaction = typeof RefundCommand.cases.RefundTransaction.Type

// --- Events ------------------------------------------------------------------

const refunded = { refundOf: Id, amount: Amount, ...note, effectiveAt: EffectiveAt, ...after }

export const RefundEvent = Schema.TaggedUnion({
  /** Money is back that a debit or a capture had taken away. */
  RefundReceived: refunded,
  /** Money has left again that a credit had brought. */
  RefundPaid: refunded
})

export type RefundEvent = typeof RefundEvent.Type
export type RefundReceived = typeof RefundEvent.cases.RefundReceived.Type
export type RefundPaid = typeof RefundEvent.cases.RefundPaid.Type

// --- What can be refunded ----------------------------------------------------

/** By the type of its original; a type that is not here is no movement of its own. */
export const refundDirections: { readonly [T in string]?: RefundTransaction["direction"] } = {
  debit: "in",
  capture: "in",
  credit: "out"
}
