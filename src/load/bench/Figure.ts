/** What a bench measures and reports: figures over rounds, side by side. */
import * as Effect from "effect/Effect"

/** `each`: a count, per command. */
export type Unit = "/s" | "bytes" | "ms" | "each"

/** One thing measured over several rounds. */
export interface Figure {
  readonly unit: Unit
  readonly median: number
  readonly least: number
  readonly most: number
  readonly rounds: ReadonlyArray<number>
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
  readonly engine: Figure
  readonly beside: { readonly name: string; readonly figure: Figure } | null
  /** `engine.median / beside.median`. */
  readonly ratio: number | null
  readonly bars: ReadonlyArray<Bar>
}

const middle = (sorted: ReadonlyArray<number>): number => {
  const half = sorted.length >> 1
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2
}

/** At least one round. */
export const figureOf = (unit: Unit, rounds: ReadonlyArray<number>): Figure => {
  const sorted = [...rounds].sort((a, b) => a - b)
  return {
    unit,
    median: middle(sorted),
    least: sorted[0] ?? Number.NaN,
    most: sorted.at(-1) ?? Number.NaN,
    rounds
  }
}

export interface RowOptions {
  readonly name: string
  readonly on: string
  readonly engine: Figure
  readonly beside?: { readonly name: string; readonly figure: Figure }
  /** The least `engine.median`, or the most where the unit is not a rate. */
  readonly bar?: number
  /** The least ratio, or the most where the unit is not a rate. */
  readonly ratioBar?: number
}

const atLeast = (unit: Unit): boolean => unit === "/s"

const barOf = (value: number, bound: number, least: boolean, text: string): Bar => ({
  text: `${least ? "≥" : "≤"} ${text}`,
  holds: least ? value >= bound : value <= bound
})

export const rowOf = ({ bar, beside, engine, name, on, ratioBar }: RowOptions): Row => {
  const ratio = beside === undefined ? null : engine.median / beside.figure.median
  const least = atLeast(engine.unit)
  const bars: Array<Bar> = []
  if (bar !== undefined) bars.push(barOf(engine.median, bar, least, formatNumber(bar, engine.unit)))
  if (ratioBar !== undefined && ratio !== null) bars.push(barOf(ratio, ratioBar, least, `${ratioBar} ×`))
  return { name, on, engine, beside: beside ?? null, ratio, bars }
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
    case "ms":
      return `${digits(value)} ms`
  }
}

/** What one round of something gives, in the figure's unit. A round that fails is a defect: there is no figure. */
export type Round<R> = Effect.Effect<number, never, R>

export interface Alternation<R1, R2> {
  readonly unit: Unit
  readonly rounds: number
  readonly engine: Round<R1>
  readonly beside: Round<R2>
}

/**
 * One round of each that is thrown away (compilers and caches warm up), then A B A
 * B …: what disturbs the machine for a while disturbs both.
 */
export const alternate = Effect.fnUntraced(function* <R1, R2>({ beside, engine, rounds, unit }: Alternation<R1, R2>) {
  yield* engine
  yield* beside
  const ofEngine: Array<number> = []
  const ofBeside: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    ofEngine.push(yield* engine)
    ofBeside.push(yield* beside)
  }
  return { engine: figureOf(unit, ofEngine), beside: figureOf(unit, ofBeside) }
})

/** One round that is thrown away, then `rounds` that count. */
export const repeat = Effect.fnUntraced(function* <R>(unit: Unit, rounds: number, round: Round<R>) {
  yield* round
  const values: Array<number> = []
  for (let i = 0; i < rounds; i++) values.push(yield* round)
  return figureOf(unit, values)
})
