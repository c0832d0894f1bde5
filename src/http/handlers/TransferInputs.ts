/** From the body of a transfer to what the engine is asked: one leg, or several. */
import type { Metadata } from "../../domain/Limits.ts"
import type { CommandOptions, LegsTransferInput, TransferInput } from "../../engine/WalletEngine.ts"

/** As its schema has let it through: one or the other. */
interface GivenTransfer {
  readonly from?: string
  readonly to?: string
  readonly amount?: bigint
  readonly legs?: LegsTransferInput["legs"]
  readonly reference?: string | null
  readonly metadata?: Metadata
}

export const transferInput = (
  { amount, from, legs, metadata, reference, to }: GivenTransfer,
  options: CommandOptions
): TransferInput | LegsTransferInput => {
  const note = { reference, metadata }
  return legs === undefined
    ? { from: from!, to: to!, amount: amount!, ...note, ...options }
    : { legs, ...note, ...options }
}
