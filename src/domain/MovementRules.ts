/** Movements: the rules of credits and debits, and what their events do. */
import * as Result from "effect/Result"
import {
  closed,
  closedOrFrozen,
  type DecideContext,
  type Decision,
  insufficient,
  invalidEffectiveAt,
  invalidMovement,
  overBalanceLimit
} from "./Decision.ts"
import {
  buildsOnNothing,
  type EventKinds,
  freesNothing,
  needsUnfrozen,
  noTrace,
  received,
  type Reversible,
  spent,
  transaction
} from "./EventKind.ts"
import type { Credit, Debit, MovementEvent, WalletCredited, WalletDebited } from "./Movement.ts"
import type { Wallet } from "./Wallet.ts"
import { moved } from "./WalletState.ts"

export const credit = (wallet: Wallet, command: Credit, { time }: DecideContext): Decision => {
  const malformed = closed(wallet) ?? invalidMovement(command) ?? invalidEffectiveAt(command.effectiveAt, time)
  if (malformed !== undefined) return Result.fail(malformed)
  const balanceAfter = wallet.balance + command.amount
  const rejection = overBalanceLimit(wallet, balanceAfter)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletCredited",
      amount: command.amount,
      reference: command.reference,
      metadata: command.metadata,
      effectiveAt: command.effectiveAt,
      balanceAfter,
      heldAfter: wallet.held
    }
  ])
}

export const debit = (wallet: Wallet, command: Debit, { time }: DecideContext): Decision => {
  const rejection =
    closedOrFrozen(wallet) ??
    invalidMovement(command) ??
    invalidEffectiveAt(command.effectiveAt, time) ??
    insufficient(wallet, command.amount)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletDebited",
      amount: command.amount,
      reference: command.reference,
      metadata: command.metadata,
      effectiveAt: command.effectiveAt,
      balanceAfter: wallet.balance - command.amount,
      heldAfter: wallet.held
    }
  ])
}

const creditReversible: Reversible<WalletCredited> = {
  undo: (_wallet, _before, event) => ({ balanceChange: -event.amount, heldChange: 0n, restored: { _tag: "Nothing" } }),
  availableChange: received,
  freedAtMost: freesNothing,
  trace: noTrace
}

const debitReversible: Reversible<WalletDebited> = {
  undo: (_wallet, _before, event) => ({ balanceChange: event.amount, heldChange: 0n, restored: { _tag: "Nothing" } }),
  availableChange: spent,
  freedAtMost: freesNothing,
  trace: noTrace
}

export const movementEvents: EventKinds<MovementEvent> = {
  WalletCredited: {
    evolve: moved,
    balanceChange: received,
    transaction: (recorded, wallet, event) =>
      transaction(recorded, wallet, "credit", event.amount, event.reference, event.metadata, null, null),
    holdChange: undefined,
    transferChange: undefined,
    reversible: creditReversible,
    buildsOn: buildsOnNothing
  },
  WalletDebited: {
    evolve: moved,
    balanceChange: spent,
    transaction: (recorded, wallet, event) =>
      transaction(recorded, wallet, "debit", event.amount, event.reference, event.metadata, null, null),
    holdChange: undefined,
    transferChange: undefined,
    reversible: debitReversible,
    buildsOn: needsUnfrozen
  }
}
