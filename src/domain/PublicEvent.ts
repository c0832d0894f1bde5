/**
 * An event as the feed and `GET …/events` show it: `data` in `{version, type,
 * time, data}`. Nothing of its metadata (key, fingerprint, actor) is in it.
 */
import { eventData } from "./EventCodec.ts"
import type { WalletEvent, WalletEventType } from "./Event.ts"
import type { Json, JsonObject } from "./Codec.ts"

export const publicType = (event: WalletEvent): WalletEventType => event._tag

/** RFC 3339, UTC, with milliseconds. */
const publicTime = (time: number | null): string | null => (time === null ? null : new Date(time).toISOString())

/**
 * Amounts as decimal strings, times as RFC 3339. What a reversal restores is the
 * log's own book-keeping; `reversedVersion` names the event that is undone.
 */
export const publicData = (event: WalletEvent): JsonObject => {
  const data = eventData(event)
  switch (event._tag) {
    case "HoldPlaced":
      return { ...data, expiresAt: publicTime(event.expiresAt) }
    case "OperationReversed": {
      const shown: Record<string, Json> = { ...data }
      delete shown.restored
      return shown
    }
    default:
      return "effectiveAt" in event && event.effectiveAt !== null
        ? { ...data, effectiveAt: publicTime(event.effectiveAt) }
        : data
  }
}
