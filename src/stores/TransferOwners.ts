/** By whose owners a transfer is found: the same in every store. */
import type { TransferStatus } from "../domain/Wallet.ts"

interface PlacedWallet {
  readonly ownerId: string
  /** Of its first event, as lists go by it. */
  readonly position: bigint
}

interface PlacedTransfer {
  readonly status: TransferStatus
  readonly position: bigint
}

/**
 * By its source's; and by its destination's if that wallet was there when it was sent, or has received it. What was sent
 * to an id before there was such a wallet, and came back, is not shown to whoever takes the id later; and it never
 * changes for want of an event of the source's, which alone changes a transfer's document.
 */
export const transferOwners = (
  { position, status }: PlacedTransfer,
  source: Pick<PlacedWallet, "ownerId"> | undefined,
  destination: PlacedWallet | undefined
): ReadonlyArray<string> => {
  const isKnown = destination !== undefined && (status === "completed" || destination.position < position)
  return [...new Set([source, isKnown ? destination : undefined].flatMap((wallet) => wallet?.ownerId ?? []))]
}
