/** The rules for credits and debits. */
import * as Result from "effect/Result"
import { closed, closedOrFrozen, insufficient, overBalanceLimit } from "./Checks.ts"
import type { Credit, Debit } from "./Command.ts"
import type { Decision } from "./Decision.ts"
import { malformedMovement } from "./Validation.ts"
import type { Wallet } from "./Wallet.ts"

export const credit = (wallet: Wallet, command: Credit): Decision => {
  const balanceAfter = wallet.balance + command.amount
  const rejection = closed(wallet) ?? malformedMovement(command) ?? overBalanceLimit(wallet, balanceAfter)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletCredited",
      amount: command.amount,
      reference: command.reference,
      metadata: command.metadata,
      balanceAfter,
      heldAfter: wallet.held
    }
  ])
}

export const debit = (wallet: Wallet, command: Debit): Decision => {
  const rejection = closedOrFrozen(wallet) ?? malformedMovement(command) ?? insufficient(wallet, command.amount)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletDebited",
      amount: command.amount,
      reference: command.reference,
      metadata: command.metadata,
      balanceAfter: wallet.balance - command.amount,
      heldAfter: wallet.held
    }
  ])
}
