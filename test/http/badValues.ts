/** What no request may have, by kind of value, and what a row of the tables of malformed requests is. */
import type { ProblemCode } from "../../src/http/api/Problem.ts"

export type Row = readonly [method: string, path: string, body: unknown, code: ProblemCode, key?: string]

export const I = "InvalidRequest"
export const long = (length: number) => "x".repeat(length)
export const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "v"]))

export const badIds = ["", "a b", "ä", long(65), "a.b", "a/b", "a:b", 1, null, true, [], {}, ["a"], "a\n", "\u0000"]
export const badAmounts = [
  "", "0", "-1", "+1", "01", "1.0", "1e3", " 1", "1 ", "1_0", "0x1", "١", "9".repeat(31), "9".repeat(100_000),
  1, 1.5, 0, -1, Number.MAX_VALUE, null, true, [], {}, ["1"], "1n", "Infinity", "NaN", "\u0000", "1\n"
] // prettier-ignore
export const badTexts = [long(256), "a\u0000", "\ud800", "\udc00a", 1, true, [], {}]
export const badMetadata = [
  null, [], "x", 1, true, { a: 1 }, { a: null }, { a: {} }, { a: ["b"] }, { a: true }, pairs(21), { [long(65)]: "v" },
  { a: long(513) }, { "\u0000": "v" }, { a: "\u0000" }, { "\ud800": "v" }, { a: "\udfff" }
] // prettier-ignore
export const badTimes = [
  "", "now", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
  "2026-01-01T00:00:60Z", "2026-01-01 00:00:00Z", "1969-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "2026-01-01T00:00:00+2",
  "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00", "1767225600000"
] // prettier-ignore
export const badCurrencies = ["", "eur", "EU", "1UR", "EURO EURO", long(17).toUpperCase(), "EU-R", 1, null, [], "ÉUR"]
export const badBodies = [
  "",
  "{",
  "null",
  "[]",
  "1",
  '"x"',
  "true",
  "{]}",
  "{'a':1}",
  "\ufeff{}",
  '{"amount":"1"}}',
  "undefined"
]

export const query = encodeURIComponent

export const wallets = "/v1/wallets"
export const transfers = "/v1/transfers"
