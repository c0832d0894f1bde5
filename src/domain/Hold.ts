/** Holds: money set aside in a wallet, to be captured or released. */
import * as Schema from "effect/Schema"
import { codecOf, withCodec } from "./Codec.ts"
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
  EffectiveAt,
  Flag,
  Id,
  Metadata as MetadataValue,
  note,
  Text,
  Time
} from "./WireValues.ts"

// --- State -------------------------------------------------------------------

const openHold = Schema.Struct({
  id: Id,
  /** As placed. */
  amount: Amount,
  captured: AmountOrZero,
  /** Still held: `amount − captured`. */
  remaining: Amount,
  /** From this instant on it cannot be captured; `null`: never expires. */
  expiresAt: Schema.NullOr(Time),
  reference: Schema.NullOr(Text),
  metadata: MetadataValue,
  createdAt: Time
})

const addsUp = ({ amount, captured, remaining }: typeof openHold.Type): boolean => captured + remaining === amount

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
  ReleaseHold: ofHold,
  /** By the engine, at `expiresAt`, never before. */
  ExpireHold: ofHold
})

export type HoldCommand = typeof HoldCommand.Type
export type PlaceHold = typeof HoldCommand.cases.PlaceHold.Type
export type CaptureHold = typeof HoldCommand.cases.CaptureHold.Type
export type ReleaseHold = typeof HoldCommand.cases.ReleaseHold.Type
export type ExpireHold = typeof HoldCommand.cases.ExpireHold.Type

// --- Events ------------------------------------------------------------------

const ended = {
  holdId: Id,
  /** What was still held. */
  amount: Amount,
  capturedAfter: AmountOrZero,
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
    ...after
  },
  HoldReleased: ended,
  HoldExpired: ended
})

export type HoldEvent = typeof HoldEvent.Type
export type HoldPlaced = typeof HoldEvent.cases.HoldPlaced.Type
export type HoldCaptured = typeof HoldEvent.cases.HoldCaptured.Type
export type HoldReleased = typeof HoldEvent.cases.HoldReleased.Type
export type HoldExpired = typeof HoldEvent.cases.HoldExpired.Type

// --- What readers see --------------------------------------------------------

export type HoldStatus = "active" | "captured" | "released" | "expired"

/** A hold as a reader sees it, open or closed. */
export interface Hold {
  readonly id: string
  readonly walletId: string
  readonly amount: bigint
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
}

const row = (walletId: string, hold: OpenHold, { captured, remaining, status }: HoldProgress): Hold => ({
  id: hold.id,
  walletId,
  amount: hold.amount,
  captured,
  remaining,
  status,
  expiresAt: hold.expiresAt,
  reference: hold.reference,
  metadata: hold.metadata,
  createdAt: hold.createdAt
})

/** An open hold as readers see it. */
export const holdOf = (walletId: string, hold: OpenHold): Hold =>
  row(walletId, hold, { captured: hold.captured, remaining: hold.remaining, status: "active" })

export const holdProgressed = (hold: Hold, progress: HoldProgress): Hold => row(hold.walletId, hold, progress)

/** What an event of a hold's own says of its row. One captured in part and then released or expired is `captured`. */
export const progressOf = (event: HoldCaptured | HoldReleased | HoldExpired): HoldProgress => {
  const captured = event.capturedAfter
  switch (event._tag) {
    case "HoldCaptured":
      return {
        captured,
        remaining: event.remainingAfter,
        status: event.remainingAfter === 0n ? "captured" : "active"
      }
    case "HoldReleased":
      return { captured, remaining: 0n, status: captured > 0n ? "captured" : "released" }
    case "HoldExpired":
      return { captured, remaining: 0n, status: captured > 0n ? "captured" : "expired" }
  }
}

/** `hold` after an event of its own: what an answer to a capture or release shows. */
export const holdAfter = (hold: Hold, event: HoldCaptured | HoldReleased | HoldExpired): Hold =>
  holdProgressed(hold, progressOf(event))
