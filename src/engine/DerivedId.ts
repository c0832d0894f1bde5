/** Ids derived from idempotency keys, so that a retry meets what the first try made. */
import { hash } from "node:crypto"

/** Of a wallet created without an id. `w_` and 128 bits of the key's SHA-256; frozen. */
export const derivedWalletId = (idempotencyKey: string): string =>
  `w_${hash("sha256", `wallet:${idempotencyKey}`, "base64url").slice(0, 22)}`

/**
 * Of a transfer: from its source and the key, so that a retry, on whichever node,
 * means the same transfer. `t_` and 128 bits of the SHA-256; frozen.
 */
export const derivedTransferId = (from: string, idempotencyKey: string): string =>
  `t_${hash("sha256", `transfer:${from}:${idempotencyKey}`, "base64url").slice(0, 22)}`
