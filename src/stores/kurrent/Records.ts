/**
 * Events and the records that KurrentDB keeps of them: type and JSON by the codec,
 * metadata as a flat map of strings (`docs/LOG.md`).
 */
import * as Result from "effect/Result"
import type { Commit } from "../../domain/Commit.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import { decodeEventData, decodeMetadata, encodeEvent, encodeMetadata, wireType } from "../../domain/EventCodec.ts"
import { isJsonObject, type JsonObject } from "../../domain/Codec.ts"
import type { PositionedEvent } from "../EventStore.ts"
import type { KurrentNames } from "./Names.ts"
import { positionAt } from "./Position.ts"
import type { StreamState, WireRecord } from "./Wire.ts"
import { EventUnreadable } from "../StoreError.ts"

/** What a read answers of an event. */
export interface KurrentRecord {
  readonly streamId: string
  readonly id: string
  readonly revision: bigint
  readonly type: string
  readonly data: unknown
  readonly metadata?: unknown
  readonly position?: { readonly commit: bigint }
}

const recordOf = (stream: string, { event, id, metadata, time, walletId }: RecordedEvent): WireRecord => {
  const encoded = encodeMetadata(metadata)
  encoded.walletId = walletId
  encoded.time = String(time)
  return { stream, id, type: wireType(event), data: encodeEvent(event), metadata: encoded }
}

export const recordsOf = (names: KurrentNames, commits: ReadonlyArray<Commit>): ReadonlyArray<WireRecord> => {
  const records: Array<WireRecord> = []
  for (const commit of commits) {
    const stream = names.wallet(commit.walletId)
    for (const recorded of commit.events) records.push(recordOf(stream, recorded))
  }
  return records
}

/** A record that is not a wallet's event, and has no metadata. */
export const jsonRecord = (stream: string, id: string, type: string, data: JsonObject): WireRecord => ({
  stream,
  id,
  type,
  data: JSON.stringify(data),
  metadata: {}
})

/** The state of a stream whose last event is `last`; `-1`: of one that is not there. */
export const stateAfter = (last: number): StreamState => (last < 0 ? "no_stream" : BigInt(last))

const timePattern = /^(?:0|[1-9][0-9]{0,15})$/

const timeOf = (metadata: unknown): Result.Result<number, string> => {
  const time = isJsonObject(metadata) ? metadata.time : undefined
  return typeof time === "string" && timePattern.test(time)
    ? Result.succeed(Number(time))
    : Result.fail("metadata time: unreadable")
}

/** The event of a record in a wallet's stream. */
export const recordedOf = (
  names: KurrentNames,
  record: KurrentRecord
): Result.Result<RecordedEvent, EventUnreadable> => {
  const walletId = names.walletOf(record.streamId)
  const version = Number(record.revision)
  const unreadable = (reason: string) =>
    Result.fail(new EventUnreadable({ walletId, version, type: record.type, reason }))
  const event = decodeEventData(record.type, record.data)
  if (Result.isFailure(event)) return unreadable(event.failure)
  const metadata = decodeMetadata(record.metadata)
  if (Result.isFailure(metadata)) return unreadable(metadata.failure)
  const time = timeOf(record.metadata)
  if (Result.isFailure(time)) return unreadable(time.failure)
  return Result.succeed({
    id: record.id,
    walletId,
    version,
    time: time.success,
    event: event.success,
    metadata: metadata.success
  })
}

/** The same with its place in the log; `undefined`: not above `after`. */
export const positionedOf = (
  names: KurrentNames,
  record: KurrentRecord,
  after: bigint
): Result.Result<PositionedEvent | undefined, EventUnreadable> => {
  const position = positionAt(record.position?.commit ?? -1n)
  return position <= after
    ? Result.succeed(undefined)
    : Result.mapBoth(recordedOf(names, record), {
        onSuccess: (recorded) => ({ position, recorded }),
        onFailure: (error) => error.at(position)
      })
}
