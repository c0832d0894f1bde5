/** Transactions and transfers as callers see them: with what was refunded of them. */
import type { Transaction, Transfer, TransferLeg } from "../domain/Wallet.ts"

/** A transaction as callers see it. */
export interface TransactionDetails extends Transaction {
  /** What of it was given back, or taken back; `0n` of what is no movement of its own. */
  readonly refunded: bigint
}

/** A transfer as callers see it. */
export interface TransferDetails extends Omit<Transfer, "legs"> {
  /** Of one leg what of it was refunded, or is on its way back; of several `null`: their legs tell. */
  readonly refunded: bigint | null
  readonly legs: ReadonlyArray<TransferLeg & { readonly refunded: bigint }>
}
