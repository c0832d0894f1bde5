/** Movements: the rules of credits and debits, and what their events do. */
import * as Result from "effect/Result"
import {
  closedOrFrozen,
  type DecideContext,
  type Decision,
  insufficient,
  invalidEffectiveAt,
  invalidMovement,
  overBalanceLimit,
  underBalanceLimit
} from "./Decision.ts"
import {
  type EventKinds,
  freesNothing,
  needsCreditsUnfrozen,
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

export const credit = (wallet: Wallet, command: Credit, context: DecideContext): Decision => {
  const malformed =
    closedOrFrozen(wallet, "credits", context) ??
    invalidMovement(command) ??
    invalidEffectiveAt(command.effectiveAt, context.time)
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

export const debit = (wallet: Wallet, command: Debit, context: DecideContext): Decision => {
  const forced = command.force === true
  const rejection =
    closedOrFrozen(wallet, "debits", context) ??
    invalidMovement(command) ??
    invalidEffectiveAt(command.effectiveAt, context.time) ??
    (forced ? underBalanceLimit(wallet, command.amount) : insufficient(wallet, command.amount))
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletDebited",
      amount: command.amount,
      reference: command.reference,
      metadata: command.metadata,
      effectiveAt: command.effectiveAt,
      forced: forced || null,
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
    buildsOn: needsCreditsUnfrozen
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
