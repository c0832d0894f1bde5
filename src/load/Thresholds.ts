/** Bounds that a load has to keep, as `p99<10ms,goodput>20000` says them. */
import { loadKinds, type LoadKind } from "./LoadCommand.ts"
import type { Latency, LoadReport } from "./LoadReport.ts"
import { outcomes } from "./Outcome.ts"

const percentiles = ["p50", "p90", "p99", "p999", "p9999", "max", "mean"] as const
type Percentile = (typeof percentiles)[number]

const counts = ["offered", "sent", "late", "missed", ...outcomes] as const
type Count = (typeof counts)[number]

const comparisons = {
  "<": (value: number, bound: number) => value < bound,
  "<=": (value: number, bound: number) => value <= bound,
  ">": (value: number, bound: number) => value > bound,
  ">=": (value: number, bound: number) => value >= bound
} as const

type Measured =
  /** Milliseconds; of a kind or of all. */
  | { readonly _tag: "Latency"; readonly kind: LoadKind | "all"; readonly percentile: Percentile }
  /** Accepted per second. */
  | { readonly _tag: "Goodput" }
  /** Operations, or per cent of what was offered. */
  | { readonly _tag: "Count"; readonly count: Count; readonly percent: boolean }

export interface Threshold {
  /** As it was given. */
  readonly text: string
  readonly measured: Measured
  readonly comparison: keyof typeof comparisons
  readonly bound: number
}

/** What came of it. `value`: `null`: nothing was measured of it, and it is not kept. */
export interface ThresholdResult {
  readonly threshold: string
  readonly value: number | null
  readonly ok: boolean
}

const form = /^(?:([a-z]+)\.)?([a-z0-9]+)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*(us|ms|s|%|\/s)?$/

const millisPer = { us: 0.001, ms: 1, s: 1_000 } as const

const measuredOf = (kind: string | undefined, name: string, unit: string): Measured | undefined => {
  const percentile = percentiles.find((one) => one === name)
  if (percentile !== undefined && (unit === "" || unit in millisPer)) {
    const of = kind === undefined || kind === "all" ? "all" : loadKinds.find((one) => one === kind)
    return of === undefined ? undefined : { _tag: "Latency", kind: of, percentile }
  }
  if (kind !== undefined) return undefined
  if (name === "goodput" && (unit === "" || unit === "/s")) return { _tag: "Goodput" }
  const count = counts.find((one) => one === name)
  return count === undefined || (unit !== "" && unit !== "%")
    ? undefined
    : { _tag: "Count", count, percent: unit === "%" }
}

/** `undefined`: it says nothing sensible. Latencies without a unit are milliseconds. */
export const parseThresholds = (text: string): ReadonlyArray<Threshold> | undefined => {
  const thresholds: Array<Threshold> = []
  for (const part of text.split(",")) {
    const [, kind, name = "", comparison, number, unit = ""] = form.exec(part.trim()) ?? []
    const measured = measuredOf(kind, name, unit)
    if (measured === undefined || comparison === undefined) return undefined
    const factor = measured._tag === "Latency" && unit !== "" ? millisPer[unit as keyof typeof millisPer] : 1
    thresholds.push({
      text: part.trim(),
      measured,
      comparison: comparison as keyof typeof comparisons,
      bound: Number(number) * factor
    })
  }
  return thresholds
}

const valueOf = (measured: Measured, report: LoadReport): number | undefined => {
  switch (measured._tag) {
    case "Goodput":
      return report.goodput
    case "Count": {
      const count = report[measured.count]
      return measured.percent ? (100 * count) / Math.max(1, report.offered) : count
    }
    case "Latency": {
      const latency: Latency | undefined = report.latency[measured.kind]
      return latency === undefined || latency.count === 0 ? undefined : latency[measured.percentile]
    }
  }
}

export const judgeThreshold = (
  { bound, comparison, measured, text }: Threshold,
  report: LoadReport
): ThresholdResult => {
  const value = valueOf(measured, report)
  return { threshold: text, value: value ?? null, ok: value !== undefined && comparisons[comparison](value, bound) }
}
