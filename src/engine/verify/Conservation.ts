/**
 * Law 6, money is conserved: per currency, at one position of the log,
 *
 *   Σ balances + in transit = Σ credits − Σ debits − Σ captures
 *   in transit = Σ sent − Σ received − Σ returned transfers
 *
 * where what is captured to another wallet counts as sent, and the legs of a transfer of several
 * count as sent and received when their wallets apply them; each net of its reversals. Pure: the
 * log's events go in, totals come out.
 */
import type { LegsApplied, OperationReversed, WalletEvent } from "../../domain/Event.ts"
import { legsChange } from "../../domain/Legs.ts"

/** Sums of one currency, minor units. */
export interface CurrencyTotals {
  readonly currency: string
  balances: bigint
  credits: bigint
  debits: bigint
  captures: bigint
  sent: bigint
  received: bigint
  returned: bigint
  /** Of legs of transfers of several: sent − received, part of those two. */
  legs: bigint
}

export const emptyTotals = (currency: string): CurrencyTotals => ({
  currency,
  balances: 0n,
  credits: 0n,
  debits: 0n,
  captures: 0n,
  sent: 0n,
  received: 0n,
  returned: 0n,
  legs: 0n
})

/** Money that has left its source and neither arrived nor come back. */
export const inTransit = (totals: CurrencyTotals): bigint => totals.sent - totals.received - totals.returned

/**
 * Whether the law holds; money in transit is never negative, but for legs: the wallets of a transfer of
 * several apply theirs one after the other.
 */
export const isConserved = (totals: CurrencyTotals): boolean =>
  inTransit(totals) - totals.legs >= 0n &&
  totals.balances + inTransit(totals) === totals.credits - totals.debits - totals.captures

/** Adds the movement of one event; `balances` is the caller's, from the wallets' last events. */
export const addMovement = (totals: CurrencyTotals, event: WalletEvent): void => {
  switch (event._tag) {
    case "WalletCredited":
      totals.credits += event.amount
      return
    case "WalletDebited":
      totals.debits += event.amount
      return
    case "HoldCaptured":
      totals.captures += event.amount
      return
    case "TransferSent":
    case "HoldCapturedTo":
      totals.sent += event.amount
      return
    case "TransferReceived":
      totals.received += event.amount
      return
    case "TransferReversed":
      totals.returned += event.amount
      return
    case "LegsApplied":
      addLegs(totals, event)
      return
    case "OperationReversed":
      addReversal(totals, event)
      return
    case "WalletCreated":
    case "HoldPlaced":
    case "HoldChanged":
    case "HoldReleased":
    case "HoldExpired":
    case "TransferRefused":
    case "TransferSettled":
    case "LegsBegun":
    case "LegsPrepared":
    case "LegsRefused":
    case "LegsReleased":
    case "LegsSettled":
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
    case "OverdraftLimitChanged":
    case "MetadataChanged":
    case "NothingChanged":
      return
    default:
      event satisfies never
  }
}

const addLegs = (totals: CurrencyTotals, { legs }: LegsApplied): void => {
  for (const { amount, side } of legs) {
    if (side === "sent") totals.sent += amount
    else totals.received += amount
  }
  totals.legs -= legsChange(legs)
}

/** `balanceChange` of a reversal is the opposite of what the reversed event did. */
const addReversal = (totals: CurrencyTotals, { balanceChange: change, reversedType }: OperationReversed): void => {
  switch (reversedType) {
    case "WalletCredited":
      totals.credits += change
      return
    case "WalletDebited":
      totals.debits -= change
      return
    case "HoldCaptured":
      totals.captures -= change
      return
    case "TransferSent":
    case "HoldCapturedTo":
      totals.sent -= change
      return
    case "TransferReceived":
      totals.received += change
      return
    case "TransferReversed":
      totals.returned += change
      return
    case "WalletCreated":
    case "HoldPlaced":
    case "HoldChanged":
    case "HoldReleased":
    case "HoldExpired":
    case "TransferRefused":
    case "TransferSettled":
    case "LegsBegun":
    case "LegsPrepared":
    case "LegsRefused":
    case "LegsApplied":
    case "LegsReleased":
    case "LegsSettled":
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
    case "OverdraftLimitChanged":
    case "MetadataChanged":
    case "NothingChanged":
    case "OperationReversed":
      return
    default:
      reversedType satisfies never
  }
}
