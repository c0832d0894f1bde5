/** Lists as CSV (RFC 4180) that a spreadsheet reads as what it is: text stays text, and no cell becomes a formula. Pure. */

/** What makes a spreadsheet take a cell for a formula, in half and in full width. */
const formulaStart = /^\s*[=+\-@|%\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/

/** A whole number is no formula, also below zero. */
const wholeNumber = /^-?\d+$/

/** An apostrophe before it, which spreadsheets take for "this is text". */
const neutral = (value: string): string => (formulaStart.test(value) && !wholeNumber.test(value) ? `'${value}` : value)

const cell = (value: string): string => {
  const safe = neutral(value)
  return /[",\r\n;\t]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe
}

export interface CsvColumn<Row> {
  readonly name: string
  readonly value: (row: Row) => string
}

export const csvOf = <Row>(columns: ReadonlyArray<CsvColumn<Row>>, rows: ReadonlyArray<Row>): string =>
  [columns.map(({ name }) => cell(name)), ...rows.map((row) => columns.map(({ value }) => cell(value(row))))]
    .map((line) => `${line.join(",")}\r\n`)
    .join("")
