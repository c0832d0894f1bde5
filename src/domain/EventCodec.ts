/**
 * Events as the log keeps them: a wire type and a JSON text.
 *
 * Wire types and shapes are frozen once landed; a golden file per event says what
 * they are. The first shape of an event has its name as wire type. A new shape
 * gets a new wire type (`WalletCredited.v2`), and an upcaster from the old one, a
 * release before it is first written. The type that is not known and the shape
 * that is damaged are errors, never a guess.
 */
import * as Result from "effect/Result"
import {
  type CommandKey,
  eventCases,
  type EventMetadata,
  type RecordedEvent,
  type TransferReceived,
  type TransferSent,
  type TransferSettled,
  type WalletCredited,
  type WalletDebited,
  type WalletEvent,
  type WalletEventType
} from "./Event.ts"
import { DayLimit } from "./KeyLimit.ts"
import { type Metadata, noMetadata } from "./Limits.ts"
import { Time, Version } from "./WireValues.ts"
import { codecOf, isJsonObject, type JsonObject, jsonOf, unionCodec } from "./Codec.ts"

/** Lifts a shape that is no longer written to a newer one. `undefined`: damaged. */
export interface Upcaster {
  readonly to: string
  readonly upcast: (data: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>> | undefined
}

/** By old wire type. */
export type Upcasters = ReadonlyMap<string, Upcaster>

/** Every shape that was ever written is the current one. */
export const upcasters: Upcasters = new Map()

/** A chain of upcasters is never this long; a circle is. */
const maxUpcasts = 64

const events = unionCodec(eventCases)

/** Also the wire types that this release writes. */
export const eventTypes: ReadonlyArray<WalletEventType> = events.tags

export const wireType = (event: WalletEvent): string => event._tag

/** The JSON text of an event's data, without its type. */
export const encodeEvent = (event: WalletEvent): string => {
  switch (event._tag) {
    case "WalletCredited":
    case "WalletDebited":
      return encodeMovement(event)
    case "TransferSent":
    case "TransferReceived":
    case "TransferSettled":
      return encodeTransfer(event)
    default:
      return JSON.stringify(eventData(event))
  }
}

/** What `encodeEvent` writes, as a JSON object. */
export const eventData = (event: WalletEvent): JsonObject => events.caseOf(event._tag).encode(event)

const referenceJson = (reference: string | null): string => (reference === null ? "null" : JSON.stringify(reference))
const metadataJson = (metadata: Metadata): string => (metadata === noMetadata ? "{}" : JSON.stringify(metadata))

const effectiveAtJson = (effectiveAt: number | null): string =>
  effectiveAt === null ? "" : `"effectiveAt":${effectiveAt},`

const refundJson = (refund: TransferSent["refund"]): string =>
  refund === null ? "" : `"refund":{"of":"${refund.of}","leg":${refund.leg}},`

/** What every event ends with. */
const afterJson = ({ balanceAfter, heldAfter }: WalletEvent): string =>
  `"balanceAfter":"${balanceAfter}","heldAfter":"${heldAfter}"}`

/**
 * By hand: nearly all events are these or transfers. 0.14 µs; along the schema 0.53
 * (`node test/domain/figures.ts`). A test holds it against that.
 */
const encodeMovement = (event: WalletCredited | WalletDebited): string =>
  `{"amount":"${event.amount}","reference":${referenceJson(event.reference)},` +
  `"metadata":${metadataJson(event.metadata)},${effectiveAtJson(event.effectiveAt)}` +
  `${event._tag === "WalletDebited" && event.forced !== null ? `"forced":true,` : ""}${afterJson(event)}`

/** By hand as well. Ids and currencies need no escapes. */
const encodeTransfer = (event: TransferSent | TransferReceived | TransferSettled): string => {
  const party = event._tag === "TransferReceived" ? `"from":"${event.from}"` : `"to":"${event.to}"`
  const first = `{"transferId":"${event.transferId}",${party},"amount":"${event.amount}",`
  if (event._tag === "TransferSettled") {
    return first + (event.holdId === null ? "" : `"holdId":"${event.holdId}",`) + afterJson(event)
  }
  const currency = event._tag === "TransferSent" ? `"currency":"${event.currency}",` : ""
  const note = `"reference":${referenceJson(event.reference)},"metadata":${metadataJson(event.metadata)},`
  const refund = event._tag === "TransferSent" ? refundJson(event.refund) : ""
  return first + currency + note + effectiveAtJson(event.effectiveAt) + refund + afterJson(event)
}

/** The event of a wire type and its JSON text; the failure says what cannot be read. `table`: for tests. */
export const decodeEvent = (
  type: string,
  data: string,
  table: Upcasters = upcasters
): Result.Result<WalletEvent, string> => decodeEventData(type, jsonOf(data), table)

/** The same for a log whose client has parsed the JSON text already. */
export const decodeEventData = (
  type: string,
  data: unknown,
  table: Upcasters = upcasters
): Result.Result<WalletEvent, string> => {
  let currentType = type
  let current = data
  for (let upcasts = 0; upcasts < maxUpcasts; upcasts++) {
    const upcaster = table.get(currentType)
    if (upcaster === undefined) return decodeCurrent(currentType, current)
    current = isJsonObject(current) ? upcaster.upcast(current) : undefined
    if (current === undefined) return Result.fail(`${currentType}: cannot be upcast`)
    currentType = upcaster.to
  }
  return Result.fail(`${type}: its upcasters go in a circle`)
}

const decodeCurrent = (type: string, data: unknown): Result.Result<WalletEvent, string> => {
  if (!events.isTag(type)) return Result.fail(`${type}: unknown type of event`)
  const codec = events.caseOf(type)
  const event = codec.decodeInto({ _tag: type }, data)
  return event === undefined ? Result.fail(codec.explain(data)) : Result.succeed(event)
}

/** A flat map of strings, the only form of metadata that every log takes; absent ids are left out. */
export const encodeMetadata = (metadata: EventMetadata): Record<string, string> => {
  const encoded: Record<string, string> = {
    commandId: metadata.commandId,
    key: metadata.key,
    fingerprint: metadata.fingerprint,
    epoch: String(metadata.epoch)
  }
  if (metadata.correlationId !== null) encoded.correlationId = metadata.correlationId
  if (metadata.causationId !== null) encoded.causationId = metadata.causationId
  if (metadata.actor !== null) encoded.actor = metadata.actor
  const { keyLimit } = metadata
  if (keyLimit !== undefined) {
    encoded.keyId = keyLimit.keyId
    encoded.keyPerDay = keyLimit.perDay.toString()
  }
  return encoded
}

const epochPattern = /^(?:0|[1-9][0-9]{0,15})$/

export const isCommandKey = (key: string): key is CommandKey => key.startsWith("c:") || key.startsWith("e:")

/** Fields that a log has added beside ours are passed over; ours are read strictly. */
export const decodeMetadata = (encoded: unknown): Result.Result<EventMetadata, string> => {
  if (!isJsonObject(encoded)) return Result.fail("metadata: not an object")
  const { actor = null, causationId = null, commandId, correlationId = null, epoch, fingerprint, key } = encoded
  if (typeof commandId !== "string") return Result.fail("metadata commandId: unreadable")
  if (typeof key !== "string" || !isCommandKey(key)) return Result.fail("metadata key: unreadable")
  if (typeof fingerprint !== "string") return Result.fail("metadata fingerprint: unreadable")
  if (typeof epoch !== "string" || !epochPattern.test(epoch)) return Result.fail("metadata epoch: unreadable")
  if (!isTextOrNull(correlationId)) return Result.fail("metadata correlationId: unreadable")
  if (!isTextOrNull(causationId)) return Result.fail("metadata causationId: unreadable")
  if (!isTextOrNull(actor)) return Result.fail("metadata actor: unreadable")
  const known = { commandId, key, fingerprint, correlationId, causationId, actor, epoch: Number(epoch) }
  const { keyId, keyPerDay } = encoded
  if (keyId === undefined && keyPerDay === undefined) return Result.succeed(known)
  const keyLimit = dayLimits.decode({ keyId, perDay: keyPerDay })
  return keyLimit === undefined ? Result.fail("metadata keyId: unreadable") : Result.succeed({ ...known, keyLimit })
}

const dayLimits = codecOf(DayLimit)

const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === "string"

// --- Between nodes: with its place in the log and where it comes from ----------

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
