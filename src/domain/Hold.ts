/** Holds: money set aside in a wallet, to be captured or released. */
import * as Schema from "effect/Schema"
import { absentOrNull, codecOf, withCodec } from "./Codec.ts"
import type { Metadata } from "./Limits.ts"
import {
  after,
  Amount,
  AmountOrZero,
  AnyEffectiveAt,
  AnyInteger,
  anyNote,
  AnyText,
  AnyTime,
  Currency,
  EffectiveAt,
  Flag,
  Id,
  Metadata as MetadataValue,
  note,
  Text,
  Time,
  True
} from "./WireValues.ts"

// --- State -------------------------------------------------------------------

const openHold = Schema.Struct({
  id: Id,
  /** As placed, or changed since. */
  amount: Amount,
  /** With what is in flight. */
  captured: AmountOrZero,
  /** Still held: `amount − captured`. None only while something of it is in flight. */
  remaining: AmountOrZero,
  /** From this instant on it cannot be captured; `null`: never expires. */
  expiresAt: Schema.NullOr(Time),
  reference: Schema.NullOr(Text),
  metadata: MetadataValue,
  createdAt: Time,
  /** Captured to other wallets, of which it is not decided whether they get it. */
  inFlight: absentOrNull(Amount),
  /** Closed, while something of it was in flight: nothing comes back to it. */
  ended: absentOrNull(True)
})

/** What a final capture in flight is to release is neither captured nor remaining. */
const addsUp = ({ amount, captured, ended, inFlight, remaining }: typeof openHold.Type): boolean =>
  inFlight === null
    ? captured + remaining === amount && remaining > 0n && ended === null
    : captured + remaining <= amount && inFlight <= captured && (ended === null || remaining === 0n)

const openHoldCodec = codecOf(openHold)

/** In a wallet's state, and in an event that restores it. */
export const OpenHold = withCodec(openHold.check(Schema.makeFilter(addsUp)), {
  encode: openHoldCodec.encode,
  decode: (value) => {
    const hold = openHoldCodec.decode(value)
    return hold !== undefined && addsUp(hold) ? hold : undefined
  }
})

export type OpenHold = typeof OpenHold.Type

/** `hold` with what an event has made of it; the keys in one order. */
export const holdWith = (
  hold: OpenHold,
  changes: Partial<Pick<OpenHold, "amount" | "captured" | "remaining" | "expiresAt" | "inFlight" | "ended">>
): OpenHold => {
  const { amount, captured, ended, expiresAt, inFlight, remaining } = { ...hold, ...changes }
  return {
    id: hold.id,
    amount,
    captured,
    remaining,
    expiresAt,
    reference: hold.reference,
    metadata: hold.metadata,
    createdAt: hold.createdAt,
    inFlight,
    // What nothing is in flight of has nothing to come back.
    ended: inFlight === null ? null : ended
  }
}

/** Its hold is what an event leaves behind, and what the next event of the hold builds on. */
export const holdTrace = (holdId: string): string => `hold ${holdId}`

// --- Commands ----------------------------------------------------------------

const ofHold = { walletId: AnyText, holdId: AnyText }

export const HoldCommand = Schema.TaggedUnion({
  PlaceHold: { ...ofHold, amount: AnyInteger, expiresAt: Schema.NullOr(AnyTime), ...anyNote },
  CaptureHold: {
    ...ofHold,
    /** `null`: all that remains. */
    amount: Schema.NullOr(AnyInteger),
    /** `true`: what then remains is released and the hold is closed. */
    final: Flag,
    effectiveAt: AnyEffectiveAt
  },
  /** A capture whose money goes to another wallet: step 1 of a transfer. */
  CaptureHoldTo: {
    ...ofHold,
    transferId: AnyText,
    to: AnyText,
    /** `null`: all that remains. */
    amount: Schema.NullOr(AnyInteger),
    final: Flag,
    /** As of a transfer that is sent. */
    currency: AnyText,
    destination: Schema.NullOr(Schema.Literals(["missing", "closed"])),
    effectiveAt: AnyEffectiveAt
  },
  /** At least one of the two. */
  ChangeHold: {
    ...ofHold,
    /** The new total; `null`: it stays. */
    amount: Schema.NullOr(AnyInteger),
    /** `null`: it stays. */
    expiry: Schema.NullOr(Schema.Struct({ at: Schema.NullOr(AnyTime) }))
  },
  ReleaseHold: ofHold,
  /** By the engine, at `expiresAt`, never before. */
  ExpireHold: ofHold
})

export type HoldCommand = typeof HoldCommand.Type
export type PlaceHold = typeof HoldCommand.cases.PlaceHold.Type
export type CaptureHold = typeof HoldCommand.cases.CaptureHold.Type
export type CaptureHoldTo = typeof HoldCommand.cases.CaptureHoldTo.Type
export type ChangeHold = typeof HoldCommand.cases.ChangeHold.Type
export type ReleaseHold = typeof HoldCommand.cases.ReleaseHold.Type
export type ExpireHold = typeof HoldCommand.cases.ExpireHold.Type

// --- Events ------------------------------------------------------------------

const ended = {
  holdId: Id,
  /** What was still held. */
  amount: Amount,
  capturedAfter: AmountOrZero,
  /** The hold's. */
  expiresAt: absentOrNull(Time),
  ...after
}

export const HoldEvent = Schema.TaggedUnion({
  HoldPlaced: { holdId: Id, amount: Amount, expiresAt: Schema.NullOr(Time), ...note, ...after },
  HoldCaptured: {
    holdId: Id,
    amount: Amount,
    /** Released by a final partial capture; else `0n`. */
    released: AmountOrZero,
    /** Of this hold, all captures up to this one. */
    capturedAfter: Amount,
    /** `0n` closes the hold. */
    remainingAfter: AmountOrZero,
    effectiveAt: EffectiveAt,
    /** The hold's. */
    expiresAt: absentOrNull(Time),
    ...after
  },
  /** Money of the hold is in flight to another wallet: a capture, and the sending of a transfer. */
  HoldCapturedTo: {
    holdId: Id,
    transferId: Id,
    to: Id,
    amount: Amount,
    currency: Currency,
    /** What a final capture releases once the destination has received; until then it is held. Else `0n`. */
    rest: AmountOrZero,
    capturedAfter: Amount,
    remainingAfter: AmountOrZero,
    effectiveAt: EffectiveAt,
    expiresAt: absentOrNull(Time),
    ...after
  },
  HoldChanged: {
    holdId: Id,
    /** The total from now on, and before. */
    amount: Amount,
    previousAmount: Amount,
    expiresAt: absentOrNull(Time),
    previousExpiresAt: absentOrNull(Time),
    capturedAfter: AmountOrZero,
    /** `0n` closes the hold. */
    remainingAfter: AmountOrZero,
    ...after
  },
  HoldReleased: ended,
  HoldExpired: ended
})

export type HoldEvent = typeof HoldEvent.Type
export type HoldPlaced = typeof HoldEvent.cases.HoldPlaced.Type
export type HoldCaptured = typeof HoldEvent.cases.HoldCaptured.Type
export type HoldCapturedTo = typeof HoldEvent.cases.HoldCapturedTo.Type
export type HoldChanged = typeof HoldEvent.cases.HoldChanged.Type
export type HoldReleased = typeof HoldEvent.cases.HoldReleased.Type
export type HoldExpired = typeof HoldEvent.cases.HoldExpired.Type

// --- What readers see --------------------------------------------------------

export type HoldStatus = "active" | "captured" | "released" | "expired"

/** A hold as a reader sees it, open or closed. */
export interface Hold {
  readonly id: string
  readonly walletId: string
  /** As placed, or changed since. */
  readonly amount: bigint
  /** With what is on its way to other wallets. */
  readonly captured: bigint
  /** `0n` once closed. */
  readonly remaining: bigint
  /** A hold captured in part and then released or expired is `captured`. */
  readonly status: HoldStatus
  readonly expiresAt: number | null
  readonly reference: string | null
  readonly metadata: Metadata
  readonly createdAt: number
}

/**
 * How a commit changes the rows of one hold.
 *
 * - `Placed`: placed in this commit; the row in full, as it is at its end.
 * - `Changed`: placed before; the columns that can change, as they are at the
 *   commit's end. Where there is no such row (its placing was refused), there is
 *   nothing to change.
 */
export type HoldChange =
  | {
      readonly _tag: "Placed"
      /** Of the event that placed it: newer holds have higher ones. */
      readonly version: number
      readonly hold: Hold
    }
  | ({ readonly _tag: "Changed"; readonly walletId: string; readonly holdId: string } & HoldProgress)

/** The columns of a hold's row that can change. */
export interface HoldProgress {
  readonly captured: bigint
  readonly remaining: bigint
  readonly status: HoldStatus
  /** Left out: they stay. */
  readonly terms?: HoldTerms | undefined
}

/** What of a hold a caller may change. */
export interface HoldTerms {
  readonly amount: bigint
  readonly expiresAt: number | null
}

const row = (
  walletId: string,
  hold: Omit<OpenHold, "inFlight" | "ended">,
  { captured, remaining, status, terms = hold }: HoldProgress
): Hold => ({
  id: hold.id,
  walletId,
  amount: terms.amount,
  captured,
  remaining,
  status,
  expiresAt: terms.expiresAt,
  reference: hold.reference,
  metadata: hold.metadata,
  createdAt: hold.createdAt
})

/** Of one that was captured in part and then ended otherwise: captured. */
const statusOf = (captured: bigint, remaining: bigint, otherwise: HoldStatus): HoldStatus =>
  remaining > 0n ? "active" : captured > 0n ? "captured" : otherwise

/** Of a hold in a state, which may wait for what is in flight. */
export const progressOfState = ({ amount, captured, expiresAt, remaining }: OpenHold): HoldProgress => ({
  captured,
  remaining,
  status: statusOf(captured, remaining, "released"),
  terms: { amount, expiresAt }
})

/** An open hold as readers see it. */
export const holdOf = (walletId: string, hold: OpenHold): Hold => row(walletId, hold, progressOfState(hold))

export const holdProgressed = (hold: Hold, progress: HoldProgress): Hold => row(hold.walletId, hold, progress)

/** The events of a hold but for its placing. */
export type HoldProgressing = Exclude<HoldEvent, HoldPlaced>

/** What an event of a hold's own says of its row, with its terms as they are then. */
export const progressOf = (event: HoldProgressing): HoldProgress & { readonly terms: HoldTerms } => {
  const { capturedAfter: captured, expiresAt } = event
  switch (event._tag) {
    case "HoldCaptured":
    case "HoldCapturedTo": {
      const remaining = event.remainingAfter
      const released = event._tag === "HoldCaptured" ? event.released : event.rest
      const terms = { amount: captured + remaining + released, expiresAt }
      return { captured, remaining, status: statusOf(captured, remaining, "captured"), terms }
    }
    case "HoldChanged": {
      const remaining = event.remainingAfter
      return {
        captured,
        remaining,
        status: statusOf(captured, remaining, "captured"),
        terms: { amount: event.amount, expiresAt }
      }
    }
    case "HoldReleased":
    case "HoldExpired": {
      const otherwise = event._tag === "HoldReleased" ? "released" : "expired"
      const terms = { amount: captured + event.amount, expiresAt }
      return { captured, remaining: 0n, status: statusOf(captured, 0n, otherwise), terms }
    }
  }
}

/** `hold` after an event of its own: what an answer to a capture, a change or a release shows. */
export const holdAfter = (hold: Hold, event: HoldProgressing): Hold => holdProgressed(hold, progressOf(event))

/** What has come back to a hold when the capture of it to another wallet was reversed. */
export const progressAfterReturn = (captured: bigint, remaining: bigint): HoldProgress => ({
  captured,
  remaining,
  status: statusOf(captured, remaining, "released")
})
