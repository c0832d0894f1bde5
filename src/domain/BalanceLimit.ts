/**
 * The bound on a balance: |balance| < 10^36, also after everything in flight has
 * come back. So a transfer that the other end refuses can always be reversed.
 *
 * Below zero there is nothing to check: a balance never falls below
 * `-overdraftLimit`, which has at most 30 digits.
 */
import * as HashMap from "effect/HashMap"
import { amountLimit, balanceLimit } from "./Form.ts"
import { LimitExceeded } from "./Rejection.ts"
import type { Wallet } from "./Wallet.ts"

/** Whether `balanceAfter`, a balance that has grown, is beyond the bound. Adds up what is in flight only near the bound. */
export const overBalanceLimit = (wallet: Wallet, balanceAfter: bigint): LimitExceeded | undefined => {
  const transfers = HashMap.size(wallet.transfers)
  const atMost = transfers === 0 ? balanceAfter : balanceAfter + BigInt(transfers) * amountLimit
  if (atMost < balanceLimit) return undefined
  let withReturns = balanceAfter
  for (const transfer of HashMap.values(wallet.transfers)) withReturns += transfer.amount
  return withReturns < balanceLimit ? undefined : new LimitExceeded({ walletId: wallet.id, limit: "balance" })
}
