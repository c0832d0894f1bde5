/**
 * Loads side by side: of each side the mean of its runs with a 95 % confidence interval, and of two sides whether the
 * difference is more than chance. Runs of one side are taken for independent, and their figures for roughly normal.
 */
import * as Schema from "effect/Schema"

const Latency = Schema.Struct({
  p50: Schema.Finite,
  p90: Schema.Finite,
  p99: Schema.Finite,
  p999: Schema.Finite,
  p9999: Schema.Finite,
  max: Schema.Finite
})

/** What is compared of a document of `wallet load --json`. */
export const ComparedRun = Schema.Struct({
  goodput: Schema.Finite,
  offered: Schema.Finite,
  missed: Schema.Finite,
  rejected: Schema.Finite,
  refused: Schema.Finite,
  failed: Schema.Finite,
  unknown: Schema.Finite,
  latency: Schema.Struct({ all: Latency }),
  check: Schema.Struct({ ok: Schema.NullOr(Schema.Boolean) })
})
export type ComparedRun = typeof ComparedRun.Type

export interface ComparedSide {
  readonly name: string
  readonly runs: ReadonlyArray<ComparedRun>
}

/** Fewer tell nothing of the spread. */
const leastRuns = 3

const figures = [
  ["goodput /s", ({ goodput }: ComparedRun) => goodput],
  ["p50 ms", ({ latency }: ComparedRun) => latency.all.p50],
  ["p90 ms", ({ latency }: ComparedRun) => latency.all.p90],
  ["p99 ms", ({ latency }: ComparedRun) => latency.all.p99],
  ["p99.9 ms", ({ latency }: ComparedRun) => latency.all.p999],
  ["p99.99 ms", ({ latency }: ComparedRun) => latency.all.p9999],
  ["max ms", ({ latency }: ComparedRun) => latency.all.max],
  ["not accepted %", (run: ComparedRun) => (100 * notAccepted(run)) / Math.max(1, run.offered)]
] as const

const notAccepted = ({ failed, missed, refused, rejected, unknown }: ComparedRun): number =>
  failed + missed + refused + rejected + unknown

export interface Estimate {
  readonly runs: number
  readonly mean: number
  /** Half of the 95 % confidence interval; `null`: fewer than three runs. */
  readonly plusMinus: number | null
}

export interface Difference {
  /** Of the mean, relative to the first side's, per cent; `null`: the first one's is nought. */
  readonly percent: number | null
  /** Whether the 95 % interval of the difference lies on one side of nought; `null`: fewer than three runs of a side. */
  readonly significant: boolean | null
}

export interface ComparedFigure {
  readonly figure: string
  readonly sides: ReadonlyArray<Estimate>
  /** Of each further side to the first one. */
  readonly differences: ReadonlyArray<Difference>
}

export interface Comparison {
  readonly sides: ReadonlyArray<{ readonly name: string; readonly runs: number; readonly failedChecks: number }>
  readonly figures: ReadonlyArray<ComparedFigure>
}

/** Student's t: so far 97.5 % lie below, by degrees of freedom from 1. */
const quantiles = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042
]

/** Rounded down, so that the interval is rather too wide. */
const quantile = (freedom: number): number =>
  quantiles[Math.min(quantiles.length, Math.max(1, Math.floor(freedom))) - 1]!

const meanOf = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Of the mean: the variance of the values by their number. */
const meanVariance = (values: ReadonlyArray<number>): number => {
  const mean = meanOf(values)
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1) / values.length
}

const estimateOf = (values: ReadonlyArray<number>): Estimate => ({
  runs: values.length,
  mean: meanOf(values),
  plusMinus: values.length < leastRuns ? null : quantile(values.length - 1) * Math.sqrt(meanVariance(values))
})

/** Welch's interval: the sides need not spread alike. */
const differenceOf = (first: ReadonlyArray<number>, other: ReadonlyArray<number>): Difference => {
  const [before, after] = [meanOf(first), meanOf(other)]
  const percent = before === 0 ? null : (100 * (after - before)) / before
  if (first.length < leastRuns || other.length < leastRuns) return { percent, significant: null }
  const [a, b] = [meanVariance(first), meanVariance(other)]
  if (a + b === 0) return { percent, significant: after !== before }
  const freedom = (a + b) ** 2 / (a ** 2 / (first.length - 1) + b ** 2 / (other.length - 1))
  return { percent, significant: Math.abs(after - before) > quantile(freedom) * Math.sqrt(a + b) }
}

/** Each side has a run; the first one is what the others are held against. */
export const compareLoads = (sides: ReadonlyArray<ComparedSide>): Comparison => ({
  sides: sides.map(({ name, runs }) => ({
    name,
    runs: runs.length,
    failedChecks: runs.filter(({ check }) => check.ok === false).length
  })),
  figures: figures.map(([figure, of]) => {
    const values = sides.map(({ runs }) => runs.map(of))
    return {
      figure,
      sides: values.map(estimateOf),
      differences: values.slice(1).map((other) => differenceOf(values[0]!, other))
    }
  })
})

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)

export const estimateText = ({ mean, plusMinus }: Estimate): string =>
  plusMinus === null ? number(mean) : `${number(mean)} ± ${number(plusMinus)}`

export const differenceText = ({ percent, significant }: Difference): string => {
  const change = percent === null ? "–" : `${percent > 0 ? "+" : ""}${percent.toFixed(1)} %`
  if (significant === null) return `${change} (fewer than ${leastRuns} runs a side)`
  return significant ? change : `${change} (may be chance)`
}

/** Names of the columns and the rows as texts, for a table. */
export const comparisonTable = (comparison: Comparison) => {
  const [first, ...others] = comparison.sides.map(({ name, runs }) => `${name} (${runs})`)
  const head = ["", first ?? "", ...others.flatMap((name) => [name, "difference"])]
  const rows = comparison.figures.map(({ differences, figure, sides }) => [
    figure,
    estimateText(sides[0]!),
    ...sides.slice(1).flatMap((side, index) => [estimateText(side), differenceText(differences[index]!)])
  ])
  return { head, rows }
}

export const comparisonLines = (comparison: Comparison): ReadonlyArray<string> => {
  const { head, rows } = comparisonTable(comparison)
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd()
  return [
    line(head),
    ...rows.map(line),
    ...comparison.sides
      .filter(({ failedChecks }) => failedChecks > 0)
      .map(({ failedChecks, name }) => `${name}: the check has failed in ${failedChecks} of its runs`)
  ]
}
