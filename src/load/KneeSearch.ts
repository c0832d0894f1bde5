/**
 * The rate up to which a service keeps up: loads of growing rate until one is too much twice, then between that and the
 * last good one. Each load is a run of its own, on wallets of its own.
 */
import * as Effect from "effect/Effect"
import type { LoadReport } from "./LoadReport.ts"

/** The least part of what is offered that has to be accepted in time. */
const leastGoodput = 0.95

/** From one rate to the next while all is well. */
const growth = 1.6

/** Halvings of what lies between the last good rate and the first bad one. */
const halvings = 3

/** Beyond it the load's own machine is measured. */
const maxSteps = 24

export interface KneeStep {
  /** Operations per second. */
  readonly rate: number
  readonly goodput: number
  /** Milliseconds. */
  readonly p99: number
  readonly ok: boolean
  /** Why not: the p99, the goodput, the check; empty when it is. */
  readonly why: string
}

export interface Knee {
  /** Milliseconds that the p99 may have. */
  readonly slo: number
  /** The highest rate that was good; `null`: the first one was not. */
  readonly lastGood: number | null
  /** `false`: the rates ended before one was too much. */
  readonly found: boolean
  readonly steps: ReadonlyArray<KneeStep>
}

export const judgeStep = (rate: number, report: LoadReport, slo: number): KneeStep => {
  const { p99 } = report.latency.all
  const [wanted, { goodput }] = [report.rates.offered * leastGoodput, report]
  const reasons = [
    ...(p99 > slo ? [`p99 ${p99.toFixed(1)} ms`] : []),
    ...(goodput < wanted ? [`goodput ${goodput.toFixed(0)}/s`] : []),
    ...(report.check.ok === false ? ["the check"] : [])
  ]
  return { rate, goodput, p99, ok: reasons.length === 0, why: reasons.join(", ") }
}

export interface KneeOptions {
  /** Of the first load, operations per second. */
  readonly from: number
  /** Milliseconds that the p99 may have. */
  readonly slo: number
  readonly onStep: (step: KneeStep) => Effect.Effect<void>
}

/** `run` is one load at a rate. Also the report of the last good load, or of the first one when none was. */
export const findKnee = Effect.fnUntraced(function* <E, R>(
  { from, onStep, slo }: KneeOptions,
  run: (rate: number, step: number) => Effect.Effect<LoadReport, E, R>
) {
  const steps: Array<KneeStep> = []
  const seen: { good?: number; bad?: number; report?: LoadReport } = {}
  const tryOnce = Effect.fnUntraced(function* (rate: number) {
    const report = yield* run(rate, steps.length)
    const step = judgeStep(rate, report, slo)
    steps.push(step)
    if (step.ok || seen.report === undefined) seen.report = report
    yield* onStep(step)
    return step.ok
  })
  // A machine's hiccup is not the service's bound: what was too much once is tried once more.
  const tryRate = Effect.fnUntraced(function* (rate: number) {
    const ok = (yield* tryOnce(rate)) || (yield* tryOnce(rate))
    seen[ok ? "good" : "bad"] = rate
  })
  for (let rate = from; seen.bad === undefined && steps.length < maxSteps; rate = rounded(rate * growth)) {
    yield* tryRate(rate)
  }
  for (let round = 0; round < halvings; round++) {
    const { bad, good = 0 } = seen
    if (bad === undefined) break
    const between = rounded((good + bad) / 2)
    if (between <= good || between >= bad) break
    yield* tryRate(between)
  }
  const knee: Knee = { slo, lastGood: seen.good ?? null, found: seen.bad !== undefined, steps }
  return { knee, report: seen.report! }
})

/** Two digits are enough of a rate. */
const rounded = (rate: number): number => Number(rate.toPrecision(2))

export const kneeLines = ({ found, lastGood, slo, steps }: Knee): ReadonlyArray<string> => [
  ...steps.map(
    ({ goodput, ok, p99, rate, why }) =>
      `${`${rate.toLocaleString("en")}/s`.padStart(12)}  goodput ${goodput.toFixed(0).padStart(8)}/s  ` +
      `p99 ${p99.toFixed(1).padStart(8)} ms  ${ok ? "good" : `too much: ${why}`}`
  ),
  lastGood === null
    ? `not even the first rate was good: p99 up to ${slo} ms, ${leastGoodput * 100} % of what is offered in time`
    : `last good rate: ${lastGood.toLocaleString("en")}/s (p99 up to ${slo} ms, ${leastGoodput * 100} % of what is offered in time)` +
      (found ? "" : "; none of the rates was too much")
]
