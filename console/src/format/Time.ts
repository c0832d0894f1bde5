/** Times as the console shows and takes them: UTC, as in the API, in logs and in what two people tell each other. Pure. */
import { formatTime, parseTime } from "../../../src/http/api/SchemaValues.ts"

/** `2026-01-31 12:00:00.000` */
export const showTime = (millis: number): string => formatTime(millis).replace("T", " ").replace("Z", "")

/** `2026-01-31 12:00:00` */
export const showSecond = (millis: number): string => showTime(millis).slice(0, 19)

/** RFC 3339, or as it is shown, or a date; in UTC unless it says otherwise. `undefined`: it is no time. */
export const readTime = (text: string): number | undefined => {
  const [, date, time, zone = "Z"] =
    /^\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?\s*(Z|[+-]\d\d:\d\d)?\s*$/i.exec(text) ?? []
  if (date === undefined) return undefined
  const clock = time === undefined ? "00:00:00" : time.length === 5 ? `${time}:00` : time
  return parseTime(`${date}T${clock}${zone}`)
}

/** Roughly, for how long something takes or lags. */
export const showSeconds = (seconds: number): string => {
  if (seconds < 0.001) return "0 s"
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}
