/**
 * Events as the public sees them: version, type, time and data. Amounts become
 * strings and instants RFC 3339; key, fingerprint, actor and claim stay inside.
 */
import type { RecordedEvent } from "../domain/Event.ts"
import { formatTime } from "./WireValue.ts"

/** Members that hold an instant in milliseconds; every other number is a count or a version. */
const instants = new Set(["expiresAt", "createdAt", "updatedAt"])

const valueJson = (key: string, value: unknown): unknown => {
  if (typeof value === "bigint") return value.toString()
  if (typeof value === "number") return instants.has(key) ? formatTime(value) : value
  // Metadata is the caller's own: strings under names that may be anything.
  if (typeof value !== "object" || value === null || key === "metadata" || key === "previousMetadata") return value
  return Object.fromEntries(Object.entries(value).map(([key, value]) => [key, valueJson(key, value)]))
}

export const eventJson = (recorded: RecordedEvent) => {
  const { _tag: type, ...data } = recorded.event
  return { version: recorded.version, type, time: formatTime(recorded.time), data: valueJson("", data) }
}
