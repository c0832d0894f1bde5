/** From the body of a transfer to what the engine is asked: one leg, or several. */
import type { Metadata } from "../../domain/Limits.ts"
import type { LegsTransferInput, TransferInput } from "../../engine/WalletEngine.ts"

/** As its schema has let it through: one or the other. */
interface GivenTransfer {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly amount?: bigint | undefined
  readonly legs?: LegsTransferInput["legs"] | undefined
  readonly reference?: string | null | undefined
  readonly metadata?: Metadata | undefined
  readonly effectiveAt?: number | undefined
}

type Plain<Input> = Omit<Input, "idempotencyKey" | "dryRun">

export const transferInput = <Options>(
  { amount, effectiveAt, from, legs, metadata, reference, to }: GivenTransfer,
  options: Options
): Options & (Plain<TransferInput> | Plain<LegsTransferInput>) => {
  const note = { reference, metadata, effectiveAt }
  return legs === undefined
    ? { from: from!, to: to!, amount: amount!, ...note, ...options }
    : { legs, ...note, ...options }
}
