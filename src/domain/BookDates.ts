/** The ends of a statement: times, or dates of a time zone, to milliseconds. */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import { isTime, maxTime } from "./Limits.ts"
import { InvalidRequest } from "./Rejection.ts"

/** Milliseconds since the epoch, or a date `YYYY-MM-DD` of the years 1970 to 9999. */
export type BookDate = number | string

export interface BookSpan {
  /** Inclusive, milliseconds. */
  readonly from: number | undefined
  /** Inclusive, milliseconds. */
  readonly to: number | undefined
}

const datePattern = /^(\d{4})-(\d\d)-(\d\d)$/

const dayMillis = 86_400_000

/** Where the date begins in UTC; `undefined`: there is no such date, or it is of another time. */
const utcDay = (date: string): number | undefined => {
  if (!datePattern.test(date)) return undefined
  const day = Date.parse(`${date}T00:00:00.000Z`)
  return isTime(day) && new Date(day).toISOString().startsWith(date) ? day : undefined
}

export const isDate = (date: string): boolean => utcDay(date) !== undefined

/** Its first instant: where clocks go forward over midnight, the one after it; where midnight comes twice, the first. */
const startOfDay = (utc: number, timeZone: DateTime.TimeZone): number =>
  Option.match(
    DateTime.makeZoned(DateTime.makeUnsafe(utc), { timeZone, adjustForTimeZone: true, disambiguation: "compatible" }),
    { onNone: () => utc, onSome: DateTime.toEpochMillis }
  )

/** As long as any name of the database of time zones, and longer. */
const maxZoneLength = 64

/** Of an IANA name; offsets are none. */
export const timeZoneOf = (name: string): DateTime.TimeZone | undefined =>
  typeof name === "string" && name.length <= maxZoneLength && /^[A-Za-z]/.test(name)
    ? Option.getOrUndefined(DateTime.zoneMakeNamed(name))
    : undefined

const within = (time: number): number => Math.min(maxTime, Math.max(0, time))

/** The first instant of a date in a time zone, milliseconds; within the times that are known. `undefined`: no such date. */
export const startOf = (date: string, timeZone: DateTime.TimeZone): number | undefined => {
  const utc = utcDay(date)
  return utc === undefined ? undefined : within(startOfDay(utc, timeZone))
}

const endOf = (date: string, timeZone: DateTime.TimeZone): number | undefined => {
  const utc = utcDay(date)
  return utc === undefined ? undefined : within(startOfDay(utc + dayMillis, timeZone) - 1)
}

const form = "neither a time nor a date like 2026-01-31 of the years 1970 to 9999"

/** `to` as a date takes in the whole of it. */
export const spanOf = (given: {
  readonly from?: BookDate | undefined
  readonly to?: BookDate | undefined
  readonly timezone?: string | undefined
}): BookSpan | InvalidRequest => {
  const timeZone = timeZoneOf(given.timezone ?? "UTC")
  if (timeZone === undefined) return new InvalidRequest({ detail: "timezone: not an IANA name, like Europe/Prague" })
  const timeOf = (end: BookDate | undefined, ofDate: typeof startOf): number | undefined =>
    typeof end === "string" ? ofDate(end, timeZone) : end !== undefined && isTime(end) ? end : undefined
  const from = timeOf(given.from, startOf)
  const to = timeOf(given.to, endOf)
  if (given.from !== undefined && from === undefined) return new InvalidRequest({ detail: `from: ${form}` })
  if (given.to !== undefined && to === undefined) return new InvalidRequest({ detail: `to: ${form}` })
  if (from !== undefined && to !== undefined && from > to) return new InvalidRequest({ detail: "from: after to" })
  return { from, to }
}
