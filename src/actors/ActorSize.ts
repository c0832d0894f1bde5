/**
 * How much memory a resident wallet takes, in bytes: an estimate that costs nothing to keep.
 * Measured against the heap (`test/actors/ResidentMemory.integration.test.ts`).
 *
 * Counted are the actor, its keys and its state with what is open. What waits at it (mailbox,
 * callers, events on their way to Persistence) and the filters of older keys have bounds of
 * their own.
 */
import { maxMetadataPairs, type Metadata } from "../domain/Limits.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { metadataBytes } from "../domain/WalletSize.ts"

/** An actor with its fiber, mailbox and a state that has no holds, transfers or metadata, bytes. */
export const actorFixedBytes = 2_050

/** A remembered key but for its characters and those of its fingerprint, bytes. */
const keyFixedBytes = 113

/** Of a remembered key with its fingerprint. */
export const keyBytes = (key: string, fingerprint: string): number => keyFixedBytes + key.length + fingerprint.length

/** An open hold or transfer takes by so many percent more of the heap than of a snapshot; text beyond ASCII takes less. */
const openSurplusPercent = 10

/** A pair of the metadata but for its characters, bytes. */
const pairFixedBytes = 48

/** Of metadata; a walk over them. */
export const metadataSize = (metadata: Metadata): number =>
  metadataBytes(metadata) + Math.min(Object.keys(metadata).length, maxMetadataPairs) * pairFixedBytes

/** What is open, of a state. */
export const openSize = ({ openBytes }: Wallet): number =>
  openBytes === 0 ? 0 : openBytes + Math.ceil((openBytes * openSurplusPercent) / 100)
