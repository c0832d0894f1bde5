/**
 * An event as the feed and `GET …/events` show it: `data` in `{version, type,
 * time, data}`. Nothing of its metadata (key, fingerprint, actor) is in it.
 */
import { eventData } from "./EventCodec.ts"
import type { RecordedEvent, WalletEvent, WalletEventType } from "./Event.ts"
import type { Json, JsonObject } from "./Codec.ts"

export const publicType = (event: WalletEvent): WalletEventType => event._tag

/** The members that are times. */
const timeNames = ["effectiveAt", "expiresAt", "previousExpiresAt", "until"] as const

/** RFC 3339, UTC, with milliseconds. */
const publicTimes = (data: JsonObject): JsonObject => {
  let shown: Record<string, Json> | undefined
  for (const name of timeNames) {
    const time = data[name]
    if (typeof time === "number") (shown ??= { ...data })[name] = new Date(time).toISOString()
  }
  return shown ?? data
}

/**
 * Amounts as decimal strings, times as RFC 3339. What a reversal restores is the
 * log's own book-keeping; `reversedVersion` names the event that is undone.
 */
export const publicData = (event: WalletEvent): JsonObject => {
  const data = publicTimes(eventData(event))
  if (event._tag !== "OperationReversed") return data
  const shown: Record<string, Json> = { ...data }
  delete shown.restored
  return shown
}

/** An event as whoever follows the log is told it. `formatTime`: milliseconds to RFC 3339. */
export const publicEvent = (recorded: RecordedEvent, formatTime: (time: number) => string): JsonObject => ({
  walletId: recorded.walletId,
  version: recorded.version,
  type: publicType(recorded.event),
  time: formatTime(recorded.time),
  data: publicData(recorded.event)
})
