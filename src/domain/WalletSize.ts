/**
 * How large a wallet's state is: an upper bound of its bytes as JSON in UTF-8, as a snapshot
 * holds it (`WalletCodec`), but for what is said of a freeze ({@link maxFreezeBytes}).
 *
 * Only open holds, transfers in flight and metadata have a size that differs; of the first
 * two the state keeps the sum (`Wallet.openBytes`), so that no command counts them anew.
 */
import type { OpenHold } from "./Hold.ts"
import {
  maxMetadataKeyLength,
  maxMetadataPairs,
  maxMetadataValueLength,
  maxTextLength,
  type Metadata,
  noMetadata
} from "./Limits.ts"
import type { PreparedLegs } from "./Legs.ts"
import type { TransferInFlight } from "./Transfer.ts"
import type { Wallet } from "./Wallet.ts"

/** A wallet without holds, transfers and metadata, bytes: ids, numbers of 36 digits, times, names of fields. */
const walletFixedBytes = 600

/** What a frozen wallet says of that with the longest reason, bytes. It is not counted: to freeze is never refused for want of room. */
export const maxFreezeBytes = 100 + maxTextLength * 6 + 2

/** A hold or transfer but for reference and metadata, bytes: two ids, three amounts, times, names of fields. */
const openFixedBytes = 320

/** What a hold says of what is in flight of it, and a transfer of the hold that it was captured from, bytes. */
export const inFlightBytes = 72
export const captureBytes = 144

/** Of a reason that a decision has, with its quotes. */
const maxReasonBytes = maxTextLength * 6 + 2

/** One UTF-16 unit takes at most so many, as `\u0001`. */
const unitBytes = 6

/** With its quotes. */
export const textBytes = (text: string): number => {
  let bytes = 2
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === 0x22 || unit === 0x5c) bytes += 2
    else if (unit < 0x20) bytes += unit === 0x0b || unit < 0x08 || unit > 0x0d ? unitBytes : 2
    else if (unit < 0x80) bytes += 1
    else if (unit < 0x800 || (unit >= 0xd800 && unit < 0xe000)) bytes += 2
    else bytes += 3
  }
  return bytes
}

export const metadataBytes = (metadata: Metadata): number => {
  if (metadata === noMetadata) return 2
  let bytes = 1
  for (const key of Object.keys(metadata)) bytes += textBytes(key) + textBytes(metadata[key]!) + 2
  return Math.max(2, bytes)
}

/** Of the limit of a key, whether there is one or not: an id, an amount and the names of fields. */
export const keyLimitBytes = 160

/** Of the leg that a leg gives back: an id, a number and the names of fields. */
const refundBytes = 100

interface Sized {
  readonly metadata: Metadata
  readonly reference: string | null
  readonly refund?: object | null
}

const noteBytes = ({ metadata, reference, refund }: Sized) =>
  openFixedBytes +
  (reference === null ? 0 : textBytes(reference)) +
  metadataBytes(metadata) +
  (refund === null || refund === undefined ? 0 : refundBytes)

type Noted = Pick<OpenHold, "metadata" | "reference">

/** The same for a hold captured in part. */
export const holdBytes = (hold: Noted & Partial<Pick<OpenHold, "inFlight">>): number =>
  noteBytes(hold) + ((hold.inFlight ?? null) === null ? 0 : inFlightBytes)

export const transferBytes = (transfer: Noted & Partial<Pick<TransferInFlight, "capture" | "refund">>): number =>
  noteBytes(transfer) + ((transfer.capture ?? null) === null ? 0 : captureBytes)

/** Two ids at most, an amount and the names of fields are in the fixed part of each. */
export const preparedBytes = ({
  begun,
  legs
}: Pick<PreparedLegs, "legs"> & {
  readonly begun: (Sized & { readonly legs: ReadonlyArray<Sized> }) | null
}): number => {
  let bytes = openFixedBytes
  for (const leg of legs) bytes += noteBytes(leg)
  if (begun === null) return bytes
  // The decision is a fact, and asks for no room.
  bytes += maxReasonBytes + noteBytes(begun) + keyLimitBytes
  for (const leg of begun.legs) bytes += noteBytes(leg)
  return bytes
}

export const maxMetadataBytes = 1 + maxMetadataPairs * ((maxMetadataKeyLength + maxMetadataValueLength) * unitBytes + 6)

/**
 * Of a transfer of several legs as its home keeps it: 128 KiB, as much as a request may have. It is one event,
 * and no store takes events of any size.
 */
export const maxLegsBytes = 128 * 1024

/** Of one hold or transfer with all that a caller may say of it. */
export const maxOpenBytes = openFixedBytes + captureBytes + maxTextLength * unitBytes + 2 + maxMetadataBytes

/** Of a state with this metadata and this sum of open holds and transfers in flight. */
export const stateBytes = (metadata: Metadata, openBytes: number): number =>
  walletFixedBytes + metadataBytes(metadata) + openBytes

export const walletBytes = (wallet: Wallet): number => stateBytes(wallet.metadata, wallet.openBytes)

/** By how much the state is larger, bytes; below 0: smaller. */
export const growth = (before: Wallet | undefined, after: Wallet): number => {
  if (before === undefined) return walletBytes(after)
  const open = after.openBytes - before.openBytes
  if (before.metadata === after.metadata) return open
  return open + metadataBytes(after.metadata) - metadataBytes(before.metadata)
}

/** Whether the state stays within `bound` with so much more of open holds and transfers; counts metadata only near the bound. */
export const hasRoom = (wallet: Wallet, added: number, bound: number): boolean =>
  walletFixedBytes + maxMetadataBytes + wallet.openBytes + added <= bound || walletBytes(wallet) + added <= bound
