/** Recorded events as JSON, with their place in the log and where they come from, for the way from one node to another. */
import * as Result from "effect/Result"
import type { RecordedEvent } from "./Event.ts"
import { decodeEventData, decodeMetadata, encodeMetadata, eventData, wireType } from "./EventCodec.ts"
import { codecOf, isJsonObject, type JsonObject } from "./Codec.ts"
import { Time, Version } from "./WireValues.ts"

const versions = codecOf(Version)
const times = codecOf(Time)

/** JSON-able. */
export const encodeRecorded = (recorded: RecordedEvent): JsonObject => ({
  id: recorded.id,
  walletId: recorded.walletId,
  version: recorded.version,
  time: recorded.time,
  type: wireType(recorded.event),
  data: eventData(recorded.event),
  metadata: encodeMetadata(recorded.metadata)
})

/** The failure says what cannot be read. */
export const decodeRecorded = (value: unknown): Result.Result<RecordedEvent, string> => {
  if (!isJsonObject(value)) return Result.fail("event: not an object")
  const { id, walletId, type } = value
  const at = versions.decode(value.version)
  const when = times.decode(value.time)
  if (typeof id !== "string" || typeof walletId !== "string" || typeof type !== "string") {
    return Result.fail("event: its place is unreadable")
  }
  if (at === undefined || when === undefined) return Result.fail("event: its place is unreadable")
  const event = decodeEventData(type, value.data)
  if (Result.isFailure(event)) return Result.fail(event.failure)
  const metadata = decodeMetadata(value.metadata)
  if (Result.isFailure(metadata)) return Result.fail(metadata.failure)
  return Result.succeed({
    id,
    walletId,
    version: at,
    time: when,
    event: event.success,
    metadata: metadata.success
  })
}
