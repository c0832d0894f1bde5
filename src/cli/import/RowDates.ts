/** When a row counts for the books: the file's own date. Pure. */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { startOf } from "../../domain/BookDates.ts"
import { isTime } from "../../domain/Limits.ts"
import { parseTime } from "../../http/api/SchemaValues.ts"

export interface DateRules {
  /** Of dates, and of times that say no offset. `undefined`: dates are kept as texts, and rows count when they are booked. */
  readonly timeZone: DateTime.TimeZone | undefined
  /** When the import has begun, milliseconds: what is later is still to come. */
  readonly now: number
}

/** A time without an offset, as statements and databases write it. */
const localTime = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?$/

const localTimeOf = (text: string, timeZone: DateTime.TimeZone): number | undefined => {
  const match = localTime.exec(text)
  if (match === null) return undefined
  const [, date, minutes, seconds = "00", fraction = ""] = match
  const utc = parseTime(`${date}T${minutes}:${seconds}.${fraction.padEnd(3, "0")}Z`)
  if (utc === undefined) return undefined
  const zoned = DateTime.makeZoned(DateTime.makeUnsafe(utc), { timeZone, adjustForTimeZone: true })
  const time = Option.isSome(zoned) ? DateTime.toEpochMillis(zoned.value) : undefined
  return time !== undefined && isTime(time) ? time : undefined
}

/** Milliseconds; `null`: the row says none. */
export const effectiveAtOf = (text: string, { now, timeZone }: DateRules): Result.Result<number | null, string> => {
  if (text === "" || timeZone === undefined) return Result.succeed(null)
  const time = parseTime(text) ?? startOf(text, timeZone) ?? localTimeOf(text, timeZone)
  const said = JSON.stringify(text)
  if (time === undefined) {
    const form = "is no date like 2026-01-31, and no time of one, of the years 1970 to 9999"
    return Result.fail(`date: ${said} ${form}; --undated keeps dates as they are written`)
  }
  return time <= now ? Result.succeed(time) : Result.fail(`date: ${said} is still to come`)
}
