/**
 * An event as the feed and `GET …/events` show it: `data` in `{version, type,
 * time, data}`. Nothing of its metadata (key, fingerprint, actor) is in it.
 */
import * as Result from "effect/Result"
import { decodeEventData, eventData } from "./EventCodec.ts"
import type { OperationReversed } from "./Reversal.ts"
import type { PublicWalletEvent, RecordedEvent, WalletEventType } from "./Event.ts"
import type { Json, JsonObject } from "./Codec.ts"

export const publicType = (event: PublicWalletEvent): WalletEventType => event._tag

/** In place of what a reversal restores, which is not shown. */
const nothing: OperationReversed["restored"] = { _tag: "Nothing" }

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
export const publicData = (event: PublicWalletEvent): JsonObject => {
  if (event._tag !== "OperationReversed") return publicTimes(eventData(event))
  const shown: Record<string, Json> = { ...publicTimes(eventData({ ...event, restored: nothing })) }
  delete shown.restored
  return shown
}

/** The other way: what `publicData` has shown of an event of that type; the failure says what cannot be read. */
export const readPublicData = (type: string, data: JsonObject): Result.Result<PublicWalletEvent, string> => {
  const given: Record<string, Json> = { ...data }
  for (const name of timeNames) {
    const time = data[name]
    if (typeof time === "string") given[name] = Date.parse(time)
  }
  if (type !== "OperationReversed") return decodeEventData(type, given)
  return Result.map(decodeEventData(type, { ...given, restored: nothing }), (event) => {
    const { restored: _, ...shown } = event as OperationReversed
    return shown
  })
}

/** An event as whoever follows the log is told it. `formatTime`: milliseconds to RFC 3339. */
export const publicEvent = (
  recorded: Pick<RecordedEvent, "time" | "version" | "walletId"> & { readonly event: PublicWalletEvent },
  formatTime: (time: number) => string
): JsonObject => ({
  walletId: recorded.walletId,
  version: recorded.version,
  type: publicType(recorded.event),
  time: formatTime(recorded.time),
  data: publicData(recorded.event)
})
