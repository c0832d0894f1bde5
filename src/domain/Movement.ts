/** Movements: money that comes into a wallet from outside, or leaves for outside. */
import * as Schema from "effect/Schema"
import { absentOrNull } from "./Codec.ts"
import type { Metadata } from "./Limits.ts"
import {
  after,
  Amount,
  AnyEffectiveAt,
  AnyInteger,
  anyNote,
  AnyText,
  EffectiveAt,
  Flag,
  note,
  True
} from "./WireValues.ts"

// --- Commands ----------------------------------------------------------------

const movement = { walletId: AnyText, amount: AnyInteger, ...anyNote, effectiveAt: AnyEffectiveAt }

export const MovementCommand = Schema.TaggedUnion({
  Credit: movement,
  Debit: {
    ...movement,
    /** `true`: whether or not there are funds. */
    force: absentOrNull(Flag)
  }
})

export type MovementCommand = typeof MovementCommand.Type
export type Credit = typeof MovementCommand.cases.Credit.Type
export type Debit = typeof MovementCommand.cases.Debit.Type

// --- Events ------------------------------------------------------------------

const moved = { amount: Amount, ...note, effectiveAt: EffectiveAt, ...after }

export const MovementEvent = Schema.TaggedUnion({
  WalletCredited: moved,
  WalletDebited: {
    amount: Amount,
    ...note,
    effectiveAt: EffectiveAt,
    /** `true`: funds were not asked for. */
    forced: absentOrNull(True),
    ...after
  }
})

export type MovementEvent = typeof MovementEvent.Type
export type WalletCredited = typeof MovementEvent.cases.WalletCredited.Type
export type WalletDebited = typeof MovementEvent.cases.WalletDebited.Type

// --- What readers see --------------------------------------------------------

export type TransactionType = "credit" | "debit" | "capture" | "transfer_in" | "transfer_out" | "reversal"

/**
 * Which way a transaction moves the balance. A reversal gives back; the one of an operation may
 * also take back, which its event says (`balanceChange`).
 */
export const directionOf: { readonly [T in TransactionType]: 1n | -1n } = {
  credit: 1n,
  debit: -1n,
  capture: -1n,
  transfer_in: 1n,
  transfer_out: -1n,
  reversal: 1n
}

/** One movement of a wallet's balance, whatever caused it. Its id is the id of the event that made it. */
export interface Transaction {
  readonly id: string
  readonly walletId: string
  readonly type: TransactionType
  /** Always positive; `type` tells the direction, `balanceAfter` the result. */
  readonly amount: bigint
  readonly balanceAfter: bigint
  readonly currency: string
  readonly reference: string | null
  readonly metadata: Metadata
  readonly holdId: string | null
  readonly transferId: string | null
  readonly version: number
  readonly createdAt: number
  /** When it counts for the books, milliseconds: `createdAt` unless its caller said otherwise. */
  readonly effectiveAt: number
}
