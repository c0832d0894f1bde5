/** A bench's result: what the figures depend on, and tables for people. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { statfsSync } from "node:fs"
import { availableParallelism, cpus, tmpdir, totalmem } from "node:os"
import { type ActorBounds, defaultBounds } from "../src/actors/ActorBounds.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { type Cost, type Figure, formatNumber, type Row, type Unit } from "./Figure.ts"

/** Printed with every figure. */
export interface Conditions {
  /** RFC 3339, UTC. */
  readonly date: string
  readonly node: string
  readonly cores: number
  readonly cpu: string
  /** Bytes. */
  readonly memory: number
  /** A file system in memory makes every flush free: then fsync means nothing. */
  readonly disk: "disk" | "memory"
  readonly bounds: Pick<ActorBounds, "batchCommands" | "appendCommits" | "appendEvents" | "appendsInFlight">
  readonly settings: BenchSettings
}

/** Linux' type numbers of tmpfs and ramfs. */
const memoryFileSystems = [0x01021994, 0x858458f6]

export const conditionsOf = (settings: BenchSettings): Effect.Effect<Conditions> =>
  Effect.map(DateTime.now, (now) => {
    const { appendCommits, appendEvents, appendsInFlight, batchCommands } = defaultBounds
    return {
      date: DateTime.formatIso(now),
      node: process.versions.node,
      cores: availableParallelism(),
      cpu: cpus()[0]?.model ?? "unknown",
      memory: totalmem(),
      disk: memoryFileSystems.includes(statfsSync(tmpdir()).type) ? "memory" : "disk",
      bounds: { batchCommands, appendCommits, appendEvents, appendsInFlight },
      settings
    }
  })

const conditionsLines = (conditions: Conditions): ReadonlyArray<string> => {
  const { bounds, cores, cpu, date, disk, memory, node, settings } = conditions
  return [
    `${date}, Node ${node}, ${cores} cores (${cpu}), ${(memory / 2 ** 30).toFixed(1)} GiB, data on ${disk}`,
    `batches: ≤ ${bounds.batchCommands} commands per wallet, ≤ ${bounds.appendCommits} wallets and ` +
      `≤ ${bounds.appendEvents} events per append; appends in flight: engine ${bounds.appendsInFlight}, limit program 1`,
    `medians of ${settings.rounds} round${settings.rounds === 1 ? "" : "s"} of ${settings.millis} ms, ` +
      "engine and what stands beside it in turns, one more round of each before and not counted",
    "rates are of accepted commands only: one that is refused ends the bench"
  ]
}

/** A part that could not run here, and why. */
export interface Skipped {
  readonly part: string
  readonly reason: string
}

/** A checkout that was measured. */
export interface MeasuredSide {
  readonly name: string
  /** Of git, `+` when files differ from it. */
  readonly revision: string
}

export interface Report {
  readonly conditions: Conditions
  /** Of `engine`, then of what stands beside it where that is another checkout. */
  readonly sides: ReadonlyArray<MeasuredSide>
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

const callersText = ({ callers }: Row): string => (callers === null ? "" : callers.toLocaleString("en"))

const ratioText = ({ pairs, ratio }: Row): string => {
  if (ratio === null) return ""
  const text = formatNumber(ratio, "×")
  return pairs === null ? text : `${text} (${pairs.least.toFixed(2)} – ${pairs.most.toFixed(2)})`
}

const cellsOf = (row: Row): ReadonlyArray<string> => [
  row.name,
  product(row.on),
  callersText(row),
  figureText(row.engine),
  row.beside === null ? "" : `${row.beside.name}: ${figureText(row.beside.figure)}`,
  ratioText(row),
  row.bars.map((bar) => `${bar.text} ${bar.holds ? "✓" : "✗"}`).join(", ")
]

const head = ["measured", "on", "callers", "engine", "beside it", "ratio", "bar"]

/** Markdown, so that a document can quote it as it is; padded, so that a terminal can show it. */
const table = (head: ReadonlyArray<string>, cells: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => (row[column] ?? "").length)))
  const line = (row: ReadonlyArray<string>) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)]
}

export const tableLines = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => table(head, rows.map(cellsOf))

const costHead = [
  "an event of",
  "callers",
  "by",
  "server CPU",
  "engine CPU",
  "statements ran",
  "log",
  "full pages in it",
  "events per statement"
]

const costCells = (row: Row, by: string, cost: Cost | null): ReadonlyArray<ReadonlyArray<string>> => {
  if (cost === null) return []
  const cell = (value: number | null, unit: Unit) => (value === null ? "–" : formatNumber(value, unit))
  return [
    [
      row.name,
      callersText(row),
      by,
      cell(cost.serverCpuMicros, "µs"),
      cell(cost.engineCpuMicros, "µs"),
      cell(cost.executionMicros, "µs"),
      cell(cost.walBytes, "bytes"),
      cell(cost.fullPageBytes, "bytes"),
      cell(cost.eventsPerStatement, "each")
    ]
  ]
}

/** What an event cost, for the rows that know; none: no table. */
export const costLines = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const cells = rows.flatMap((row) => [
    ...costCells(row, "engine", row.engine.cost),
    ...(row.beside === null ? [] : costCells(row, row.beside.name, row.beside.figure.cost))
  ])
  // The engine stands beside several: its cost is told once.
  const once = [...new Map(cells.map((cells) => [cells.join("|"), cells])).values()]
  return once.length === 0 ? [] : ["", ...table(costHead, once)]
}

export const reportLines = ({ conditions, rows, sides, skipped }: Report): ReadonlyArray<string> => [
  ...conditionsLines(conditions),
  ...sides.map(({ name, revision }, index) => `${index === 0 ? "engine" : "beside it"}: ${name} at ${revision}`),
  ...new Set(rows.map((row) => row.on).filter((on) => on.includes("("))),
  "",
  ...tableLines(rows),
  ...costLines(rows),
  ...skipped.map(({ part, reason }) => `NOT MEASURED: ${part}: ${reason}`)
]
