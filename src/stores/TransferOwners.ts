/** By whose owners a transfer is found: the same in every store. */
import { walletsOf } from "../domain/Legs.ts"
import type { Transfer } from "../domain/Wallet.ts"

interface PlacedWallet {
  readonly ownerId: string
  /** Of its first event, as lists go by it. */
  readonly position: bigint
}

/**
 * By its source's; and by its destination's if that wallet was there when it was sent, or has received it. What was sent
 * to an id before there was such a wallet, and came back, is not shown to whoever takes the id later; and it never
 * changes for want of an event of the source's, which alone changes a transfer's document.
 */
export const transferOwners = (
  { legs, status }: Pick<Transfer, "legs" | "status">,
  position: bigint,
  placed: (walletId: string) => PlacedWallet | undefined
): ReadonlyArray<string> => {
  const [source, ...others] = walletsOf(legs).map(placed)
  // The wallets of several legs were all there when it was begun.
  const isKnown = (wallet: PlacedWallet): boolean =>
    status === "completed" || legs.length > 1 || wallet.position < position
  const found = [source, ...others.filter((wallet) => wallet !== undefined && isKnown(wallet))]
  return [...new Set(found.flatMap((wallet) => wallet?.ownerId ?? []))]
}
