/** The tag of a wallet, by which its events' ids lead to it (`EventId.ts`). Apart from them: it is all that needs Node. */
import { hash } from "node:crypto"

/** What the ids of a wallet's events end with: 8 hexadecimal digits of the SHA-256 of its id; frozen. */
export const walletTag = (walletId: string): string => hash("sha256", walletId, "hex").slice(0, 8)
