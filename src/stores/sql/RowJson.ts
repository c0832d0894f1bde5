/** Rows of holds and transfers as JSON, for whoever writes them: there are few of them in a batch. */
import { type Metadata, noMetadata } from "../../domain/Limits.ts"
import type { Hold, Transfer } from "../../domain/Wallet.ts"

/** `undefined`: left out of the JSON, SQL's null. */
export const metadataOf = (metadata: Metadata): Metadata | undefined =>
  metadata === noMetadata || Object.keys(metadata).length === 0 ? undefined : metadata

export const isoTime = (millis: number): string => new Date(millis).toISOString()

/** `version`: of the event that placed it. */
export const holdJson = (hold: Hold, version: number): object => ({
  wallet_id: hold.walletId,
  id: hold.id,
  version,
  amount: String(hold.amount),
  captured: String(hold.captured),
  remaining: String(hold.remaining),
  status: hold.status,
  expires_at: hold.expiresAt === null ? undefined : isoTime(hold.expiresAt),
  reference: hold.reference ?? undefined,
  metadata: metadataOf(hold.metadata),
  created_at: isoTime(hold.createdAt)
})

/** But for the position. `version`: of the event that sent it. */
export const transferJson = (transfer: Transfer, version: number): object => ({
  wallet_id: transfer.from,
  id: transfer.id,
  to_wallet_id: transfer.to,
  version,
  amount: String(transfer.amount),
  currency: transfer.currency,
  status: transfer.status,
  reason: transfer.reason ?? undefined,
  reference: transfer.reference ?? undefined,
  metadata: metadataOf(transfer.metadata),
  created_at: isoTime(transfer.createdAt),
  updated_at: isoTime(transfer.updatedAt)
})
