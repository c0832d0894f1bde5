/** What a bench measures and reports: figures over rounds, side by side, and what an event costs. */
import * as Effect from "effect/Effect"

/** `each`: a count, per command. `×`: a ratio. */
export type Unit = "/s" | "bytes" | "ms" | "µs" | "each" | "×"

/**
 * What an event costs: the server's CPU time and log, and the CPU time of the process that
 * sent it. `null`: not told here.
 */
export interface Cost {
  /** All processes of the PostgreSQL server, microseconds. */
  readonly serverCpuMicros: number | null
  /** Time that statements ran, by `pg_stat_statements`, waiting included; microseconds. */
  readonly executionMicros: number | null
  /** Written to the server's log, full-page images apart. */
  readonly walBytes: number | null
  /** Images of whole pages, one for each page that is first changed after a checkpoint. */
  readonly fullPageBytes: number | null
  /** Events per call of the statement that has written the most log: how large the batches were. */
  readonly eventsPerStatement: number | null
  /** The process of the engine, microseconds: the driver's callers are in it. */
  readonly engineCpuMicros: number | null
}

export const noCost: Cost = {
  serverCpuMicros: null,
  executionMicros: null,
  walBytes: null,
  fullPageBytes: null,
  eventsPerStatement: null,
  engineCpuMicros: null
}

const costNames = Object.keys(noCost) as ReadonlyArray<keyof Cost>

const middle = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2
}

/** Medians over rounds, each by itself; `null` when no round told anything. */
const medianCost = (costs: ReadonlyArray<Cost>): Cost | null => {
  const medians = costNames.map((name) => {
    const told = costs.map((cost) => cost[name]).filter((value) => value !== null)
    return [name, told.length === 0 ? null : middle(told)] as const
  })
  // Every name of a cost has its entry; `fromEntries` cannot tell.
  return medians.every(([, value]) => value === null) ? null : (Object.fromEntries(medians) as unknown as Cost)
}

/** A round's figure with what it cost. */
export interface Sample {
  readonly value: number
  readonly cost: Cost
}

/** One thing measured over several rounds. */
export interface Figure {
  readonly unit: Unit
  readonly median: number
  readonly least: number
  readonly most: number
  readonly rounds: ReadonlyArray<number>
  /** Medians of what an event cost, where it was measured. */
  readonly cost: Cost | null
}

/** What a row must reach. `holds`: whether it did, in this run. */
export interface Bar {
  readonly text: string
  readonly holds: boolean
}

export interface Row {
  readonly name: string
  /** The stores it ran on. */
  readonly on: string
  /** Callers at once, on both sides; `null`: not a matter of callers, or in the name. */
  readonly callers: number | null
  readonly engine: Figure
  readonly beside: { readonly name: string; readonly figure: Figure } | null
  /** `engine.median / beside.median`. */
  readonly ratio: number | null
  /** The ratios of rounds that stood side by side, where that is what the row is for. */
  readonly pairs: Figure | null
  readonly bars: ReadonlyArray<Bar>
}

/** At least one round. */
export const figureOf = (unit: Unit, rounds: ReadonlyArray<number>, costs: ReadonlyArray<Cost> = []): Figure => {
  const sorted = [...rounds].sort((a, b) => a - b)
  return {
    unit,
    median: middle(sorted),
    least: sorted[0] ?? Number.NaN,
    most: sorted.at(-1) ?? Number.NaN,
    rounds,
    cost: medianCost(costs)
  }
}

export interface RowOptions {
  readonly name: string
  readonly on: string
  readonly callers?: number
  readonly engine: Figure
  readonly beside?: { readonly name: string; readonly figure: Figure }
  /** The least `engine.median`, or the most where the unit is not a rate. */
  readonly bar?: number
  /** The least ratio, or the most where the unit is not a rate. */
  readonly ratioBar?: number
}

const atLeast = (unit: Unit): boolean => unit === "/s" || unit === "×"

const barOf = (value: number, bound: number, least: boolean, text: string): Bar => ({
  text: `${least ? "≥" : "≤"} ${text}`,
  holds: least ? value >= bound : value <= bound
})

export const rowOf = ({ bar, beside, callers, engine, name, on, ratioBar }: RowOptions): Row => {
  const ratio = beside === undefined ? null : engine.median / beside.figure.median
  const least = atLeast(engine.unit)
  const bars: Array<Bar> = []
  if (bar !== undefined) bars.push(barOf(engine.median, bar, least, formatNumber(bar, engine.unit)))
  if (ratioBar !== undefined && ratio !== null) bars.push(barOf(ratio, ratioBar, least, `${ratioBar} ×`))
  return { name, on, callers: callers ?? null, engine, beside: beside ?? null, ratio, pairs: null, bars }
}

/** The row with how far the ratios of its pairs of rounds lie apart: one that reaches over 1 tells no difference. */
export const withPairs = (row: Row): Row => {
  const others = row.beside?.figure.rounds ?? []
  const ratios = row.engine.rounds.flatMap((value, round) => {
    const other = others[round]
    return other === undefined ? [] : [value / other]
  })
  return ratios.length < 2 ? row : { ...row, pairs: figureOf("×", ratios) }
}

/** Three significant digits, with the unit. */
export const formatNumber = (value: number, unit: Unit): string => {
  const digits = (scaled: number) => (scaled >= 100 ? Math.round(scaled).toString() : scaled.toPrecision(3))
  switch (unit) {
    case "/s":
      if (value >= 1_000_000) return `${digits(value / 1_000_000)}M/s`
      return value >= 1_000 ? `${digits(value / 1_000)}k/s` : `${digits(value)}/s`
    case "bytes":
      return `${Math.round(value)} B`
    case "each":
      return value >= 1 ? value.toFixed(2) : value.toPrecision(2)
    case "×":
      return `${value.toFixed(2)} ×`
    case "ms":
    case "µs":
      return `${digits(value)} ${unit}`
  }
}

/**
 * What one round of something gives, in the figure's unit. A round in which a command was
 * refused or failed is a defect, and there is no figure: rates are of accepted commands only.
 */
export type Round<R> = Effect.Effect<number | Sample, never, R>

/** Of rounds that were measured with their cost, or without. */
export const figureOfSamples = (unit: Unit, samples: ReadonlyArray<number | Sample>): Figure => {
  const values = samples.map((sample) => (typeof sample === "number" ? sample : sample.value))
  return figureOf(
    unit,
    values,
    samples.flatMap((sample) => (typeof sample === "number" ? [] : [sample.cost]))
  )
}

/**
 * One round of each side that is thrown away (compilers and caches warm up), then A B
 * C A B C …: what disturbs the machine for a while disturbs them all. Figures in the
 * order of the sides.
 */
export const inTurns = Effect.fnUntraced(function* <R>(unit: Unit, rounds: number, sides: ReadonlyArray<Round<R>>) {
  for (const side of sides) yield* side
  const samples = sides.map((): Array<number | Sample> => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, side] of sides.entries()) samples[index]?.push(yield* side)
  }
  return samples.map((ofSide) => figureOfSamples(unit, ofSide))
})

export interface Alternation<R1, R2> {
  readonly unit: Unit
  readonly rounds: number
  readonly engine: Round<R1>
  readonly beside: Round<R2>
}

/** Two sides in turns. */
export const alternate = <R1, R2>({ beside, engine, rounds, unit }: Alternation<R1, R2>) =>
  Effect.map(inTurns<R1 | R2>(unit, rounds, [engine, beside]), ([ofEngine, ofBeside]) => ({
    engine: ofEngine as Figure,
    beside: ofBeside as Figure
  }))

/** One round that is thrown away, then `rounds` that count. */
export const repeat = <R>(unit: Unit, rounds: number, round: Round<R>) =>
  Effect.map(inTurns(unit, rounds, [round]), ([figure]) => figure as Figure)
