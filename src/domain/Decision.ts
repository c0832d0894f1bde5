/**
 * What goes into a rule beside state and command, what comes out, and the checks that
 * several rules share. Each check answers a rejection, or `undefined`, so that a rule
 * reads as its precedence (`a ?? b ?? c`). The finders answer what was asked for or the
 * rejection that it is not there.
 */
import * as HashMap from "effect/HashMap"
import type * as Result from "effect/Result"
import type { WalletEvent } from "./Event.ts"
import { maxLegs, type PreparedLegs } from "./Legs.ts"
import {
  amountLimit,
  balanceLimit,
  isAmount,
  isAmountOrZero,
  isId,
  isMetadata,
  isText,
  isTime,
  maxTextLength,
  type Metadata
} from "./Limits.ts"
import {
  CurrencyMismatch,
  HoldNotFound,
  InsufficientFunds,
  InvalidRequest,
  LimitExceeded,
  type Rejection,
  TransferNotFound,
  WalletClosed,
  WalletFrozen
} from "./Rejection.ts"
import { available, type OpenHold, stops, type TransferInFlight, type Wallet } from "./Wallet.ts"
import { hasRoom, walletBytes } from "./WalletSize.ts"

/** Bounds of one wallet, by configuration. */
export interface WalletLimits {
  /** Of the state with open holds, transfers in flight and metadata, as `WalletSize` counts it. */
  readonly stateBytes: number
}

/**
 * 4 MiB: 13,000 holds that say nothing, or 58 that say all they may in the longest characters.
 * A snapshot of it is written in some 20 ms, and fits twice into the smallest message that a
 * store takes (`StateLimits.test.ts`).
 */
export const defaultLimits: WalletLimits = { stateBytes: 4 * 1024 * 1024 }

export interface DecideContext {
  /** The node's time, ms, by a clock that is sound. May be before the wallet's last event, which came by another clock. */
  readonly time: number
  readonly limits: WalletLimits
}

/** At least one event: what is accepted leaves its key in the log, whether or not it changes anything. */
export type Decision = Result.Result<readonly [WalletEvent, ...ReadonlyArray<WalletEvent>], Rejection>

// --- The wallet and what is in it ---------------------------------------------

export const closed = (wallet: Wallet): Rejection | undefined =>
  wallet.status === "closed" ? new WalletClosed({ walletId: wallet.id }) : undefined

/** Whether it does not do what goes `way` at `time`, ms. From a freeze's `until` on it does, whether that is written or not. */
export const frozen = (
  { freeze, id: walletId }: Pick<Wallet, "freeze" | "id">,
  way: "debits" | "credits",
  time: number
): WalletFrozen | undefined => {
  if (freeze === null || !stops(freeze.direction, way)) return undefined
  const { direction, until } = freeze
  return until !== null && time >= until ? undefined : new WalletFrozen({ walletId, direction, until })
}

export const closedOrFrozen = (
  wallet: Wallet,
  way: "debits" | "credits",
  { time }: DecideContext
): Rejection | undefined => (wallet.status === "active" ? undefined : (closed(wallet) ?? frozen(wallet, way, time)))

export const currencyMismatch = (wallet: Wallet, given: string): Rejection | undefined =>
  given === wallet.currency
    ? undefined
    : new CurrencyMismatch({ walletId: wallet.id, expected: wallet.currency, actual: given })

export const insufficient = (wallet: Wallet, required: bigint): Rejection | undefined => {
  const funds = available(wallet)
  return funds >= required
    ? undefined
    : new InsufficientFunds({ walletId: wallet.id, currency: wallet.currency, available: funds, required })
}

/**
 * Whether the state would be too large with so many bytes more. The engine's own events ask
 * nobody: they make it smaller, and what a reversal puts back has kept its room (`Provisional`).
 */
export const tooLarge = (wallet: Wallet, added: number, limits: WalletLimits): LimitExceeded | undefined =>
  added <= 0 || hasRoom(wallet, added, limits.stateBytes)
    ? undefined
    : stateTooLarge(wallet.id, walletBytes(wallet), added, limits)

export const stateTooLarge = (
  walletId: string,
  current: number,
  added: number,
  { stateBytes }: WalletLimits
): LimitExceeded =>
  new LimitExceeded({
    walletId,
    limit: "stateBytes",
    current: BigInt(current),
    size: BigInt(current + added),
    bound: BigInt(stateBytes)
  })

export const findHold = (wallet: Wallet, holdId: string): OpenHold | HoldNotFound => {
  const hold = HashMap.get(wallet.holds, holdId)
  return hold._tag === "Some" ? hold.value : new HoldNotFound({ walletId: wallet.id, holdId })
}

export const findTransfer = (wallet: Wallet, transferId: string): TransferInFlight | TransferNotFound => {
  const transfer = HashMap.get(wallet.transfers, transferId)
  return transfer._tag === "Some" ? transfer.value : new TransferNotFound({ transferId })
}

export const findPrepared = (wallet: Wallet, transferId: string): PreparedLegs | TransferNotFound => {
  const prepared = HashMap.get(wallet.prepared, transferId)
  return prepared._tag === "Some" ? prepared.value : new TransferNotFound({ transferId })
}

/**
 * Whether `balanceAfter`, a balance that has grown, would not stay below 10^36
 * once everything in flight has come back and everything prepared has arrived: so a transfer
 * that the other end refuses can always be reversed, and one that is decided be applied. Adds up what is in flight only near the bound.
 *
 * Below zero only a forced debit has something to check ({@link underBalanceLimit}): any other leaves a balance that
 * does not fall below `-overdraftLimit`, which has at most 30 digits.
 */
export const overBalanceLimit = (wallet: Wallet, balanceAfter: bigint): LimitExceeded | undefined => {
  const open = HashMap.size(wallet.transfers) + maxLegs * HashMap.size(wallet.prepared)
  const atMost = open === 0 ? balanceAfter : balanceAfter + BigInt(open) * amountLimit
  if (atMost < balanceLimit) return undefined
  let withReturns = balanceAfter
  for (const transfer of HashMap.values(wallet.transfers)) withReturns += transfer.amount
  for (const { room } of HashMap.values(wallet.prepared)) withReturns += room
  if (withReturns < balanceLimit) return undefined
  return new LimitExceeded({
    walletId: wallet.id,
    limit: "balance",
    current: withReturns - (balanceAfter - wallet.balance),
    size: withReturns,
    bound: balanceLimit - 1n
  })
}

/** Whether a forced debit would bring the balance to -10^36, once all holds are captured. */
export const underBalanceLimit = (wallet: Wallet, amount: bigint): LimitExceeded | undefined => {
  const current = wallet.balance - wallet.held
  const size = current - amount
  return size > -balanceLimit
    ? undefined
    : new LimitExceeded({ walletId: wallet.id, limit: "balance", current, size, bound: 1n - balanceLimit })
}

// --- Values: each check answers an InvalidRequest that begins with the field's name --

/** What two checks have found together. */
export const bothInvalid = (
  first: InvalidRequest | undefined,
  second: InvalidRequest | undefined
): InvalidRequest | undefined => {
  if (first === undefined) return second
  if (second === undefined) return first
  return new InvalidRequest({ detail: first.detail, errors: [...first.errors, ...second.errors] })
}

export const invalid = (detail: string): InvalidRequest => new InvalidRequest({ detail })

const invalidText = (name: string, value: string | null): InvalidRequest | undefined =>
  value === null || isText(value, maxTextLength)
    ? undefined
    : invalid(`${name}: not a text of at most ${maxTextLength} characters`)

export const invalidMetadata = (metadata: Metadata): InvalidRequest | undefined =>
  isMetadata(metadata) ? undefined : invalid("metadata: too many pairs, or one too long or not text")

export const invalidId = (name: string, value: string): InvalidRequest | undefined =>
  isId(value) ? undefined : invalid(`${name}: not an id`)

export const invalidAmount = (amount: bigint): InvalidRequest | undefined =>
  isAmount(amount) ? undefined : invalid("amount: not a positive amount of at most 30 digits")

/** Amount, reference and metadata: what every movement of money has. */
export const invalidMovement = (movement: {
  readonly amount: bigint
  readonly reference: string | null
  readonly metadata: Metadata
}): InvalidRequest | undefined =>
  bothInvalid(
    invalidAmount(movement.amount),
    bothInvalid(invalidText("reference", movement.reference), invalidMetadata(movement.metadata))
  )

/** Whatever the time is. */
export const malformedEffectiveAt = (effectiveAt: number | null): InvalidRequest | undefined =>
  effectiveAt === null || isTime(effectiveAt) ? undefined : invalid("effectiveAt: not a time in milliseconds")

/** `now`: by a clock that is sound. The past may be as far as any time. */
export const invalidEffectiveAt = (effectiveAt: number | null, now: number): InvalidRequest | undefined =>
  effectiveAt === null
    ? undefined
    : (malformedEffectiveAt(effectiveAt) ??
      (effectiveAt <= now ? undefined : invalid("effectiveAt: a time that is still to come")))

export const invalidReason = (reason: string | null): InvalidRequest | undefined => invalidText("reason", reason)

export const invalidLimit = (overdraftLimit: bigint): InvalidRequest | undefined =>
  isAmountOrZero(overdraftLimit) ? undefined : invalid("overdraftLimit: not an amount of at most 30 digits")
