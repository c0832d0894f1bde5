/** A bench's result as a table for people. */
import type { Conditions } from "./Conditions.ts"
import { conditionsLines } from "./Conditions.ts"
import { type Figure, formatNumber, type Row } from "./Figure.ts"

/** A part that could not run here, and why. */
export interface Skipped {
  readonly part: string
  readonly reason: string
}

export interface Report {
  readonly conditions: Conditions
  readonly rows: ReadonlyArray<Row>
  readonly skipped: ReadonlyArray<Skipped>
}

/** The median, and how far the rounds lie apart. */
const figureText = ({ least, median, most, rounds, unit }: Figure): string =>
  rounds.length < 2
    ? formatNumber(median, unit)
    : `${formatNumber(median, unit)} (${formatNumber(least, unit)} – ${formatNumber(most, unit)})`

/** The product alone; what it ran with stands once above the table. */
const product = (on: string): string => (on.includes("(") ? on.slice(0, on.indexOf(" ")) : on)

const cellsOf = (row: Row): ReadonlyArray<string> => [
  row.name,
  product(row.on),
  figureText(row.engine),
  row.beside === null ? "" : `${row.beside.name}: ${figureText(row.beside.figure)}`,
  row.ratio === null ? "" : `${row.ratio.toFixed(2)} ×`,
  row.bars.map((bar) => `${bar.text} ${bar.holds ? "✓" : "✗"}`).join(", ")
]

const head = ["measured", "on", "engine", "beside it", "ratio", "bar"]

/** Markdown, so that the README can quote it as it is; padded, so that a terminal can show it. */
export const tableLines = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const cells = rows.map(cellsOf)
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => (row[column] ?? "").length)))
  const line = (row: ReadonlyArray<string>) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)]
}

export const reportLines = ({ conditions, rows, skipped }: Report): ReadonlyArray<string> => [
  ...conditionsLines(conditions),
  ...new Set(rows.map((row) => row.on).filter((on) => on.includes("("))),
  "",
  ...tableLines(rows),
  ...skipped.map(({ part, reason }) => `NOT MEASURED: ${part}: ${reason}`)
]
