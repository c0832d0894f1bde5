import { assert, describe, it } from "vitest"
import { isDate, spanOf, startOf, timeZoneOf } from "../../src/domain/BookDates.ts"
import { maxTime } from "../../src/domain/Limits.ts"
import { InvalidRequest } from "../../src/domain/Rejection.ts"

const hour = 3_600_000
const at = (text: string): number => Date.parse(text)
const zone = (name: string) => timeZoneOf(name)!

/** Hours of a day. */
const hoursOf = (date: string, timezone: string): number => {
  const span = spanOf({ from: date, to: date, timezone })
  if (span instanceof InvalidRequest) throw span
  return (span.to! + 1 - span.from!) / hour
}

describe("a date in a time zone", () => {
  it("is a whole day, with 23, 24 or 25 hours", () => {
    assert.strictEqual(hoursOf("2026-01-31", "UTC"), 24)
    assert.strictEqual(hoursOf("2026-03-28", "Europe/Prague"), 24)
    assert.strictEqual(hoursOf("2026-03-29", "Europe/Prague"), 23)
    assert.strictEqual(hoursOf("2025-10-26", "Europe/Prague"), 25)
    assert.strictEqual(hoursOf("2026-03-08", "America/New_York"), 23)
    assert.strictEqual(hoursOf("2025-10-05", "Australia/Lord_Howe"), 23.5)
  })

  it("begins with its first instant, also where midnight is left out or comes twice", () => {
    assert.strictEqual(startOf("2026-01-31", zone("Europe/Prague")), at("2026-01-30T23:00:00Z"))
    assert.strictEqual(startOf("2026-07-01", zone("Asia/Kathmandu")), at("2026-06-30T18:15:00Z"))
    // Clocks went from 00:00 to 01:00.
    assert.strictEqual(startOf("2018-11-04", zone("America/Sao_Paulo")), at("2018-11-04T03:00:00Z"))
    assert.strictEqual(hoursOf("2018-11-04", "America/Sao_Paulo"), 23)
    // At 01:00 they went back to 00:00.
    assert.strictEqual(startOf("2025-11-02", zone("America/Havana")), at("2025-11-02T04:00:00Z"))
    assert.strictEqual(hoursOf("2025-11-02", "America/Havana"), 25)
    // There was no such day: it neither begins nor ends.
    assert.instanceOf(spanOf({ from: "2011-12-30", to: "2011-12-30", timezone: "Pacific/Apia" }), InvalidRequest)
    assert.strictEqual(startOf("2011-12-31", zone("Pacific/Apia")), at("2011-12-30T10:00:00Z"))
  })

  it("follows the one before without a gap", () => {
    for (const name of ["Europe/Prague", "America/St_Johns", "Africa/Cairo", "Asia/Tehran", "Pacific/Kiritimati"]) {
      const days = Array.from({ length: 400 }, (_, day) =>
        new Date(at("2024-12-01T00:00:00Z") + day * 24 * hour).toISOString().slice(0, 10)
      )
      for (const [index, day] of days.slice(1).entries()) {
        const before = spanOf({ to: days[index]!, timezone: name })
        if (before instanceof InvalidRequest) throw before
        assert.strictEqual(before.to! + 1, startOf(day, zone(name)), `${name} ${day}`)
      }
    }
  })

  it("keeps within the times that are known", () => {
    assert.strictEqual(startOf("1970-01-01", zone("Asia/Tokyo")), 0)
    const last = spanOf({ to: "9999-12-31", timezone: "America/New_York" })
    assert.deepStrictEqual(last, { from: undefined, to: maxTime })
  })

  it("is none when the calendar does not have it, or no year of ours", () => {
    for (const date of [
      "2026-02-30",
      "2025-02-29",
      "2026-13-01",
      "2026-00-10",
      "1969-12-31",
      "0000-01-01",
      "10000-01-01",
      "2026-1-1",
      "20260101",
      "",
      "today"
    ]) {
      assert.isFalse(isDate(date), date)
      assert.isUndefined(startOf(date, zone("UTC")), date)
    }
    assert.isTrue(isDate("2024-02-29"))
  })
})

describe("the ends of a statement", () => {
  const wrong = (given: Parameters<typeof spanOf>[0]): string => {
    const span = spanOf(given)
    return span instanceof InvalidRequest ? span.detail : "fine"
  }

  it("are refused for what they are not", () => {
    assert.match(wrong({ from: "2026-02-30" }), /^from: neither/)
    assert.match(wrong({ to: Number.NaN }), /^to: neither/)
    assert.match(wrong({ from: -1 }), /^from: neither/)
    assert.strictEqual(wrong({ from: 2, to: 1 }), "from: after to")
    assert.strictEqual(wrong({ from: "2026-01-02", to: "2026-01-01" }), "from: after to")
    assert.strictEqual(wrong({ from: "2026-01-01", to: "2026-01-01" }), "fine")
    for (const timezone of ["Mars/Base", "+01:00", "", "Europe/Prague\u0000", "x".repeat(65), "UTC;"]) {
      assert.match(wrong({ timezone }), /^timezone: /, timezone)
    }
  })
})
