/** What a load has measured, as one document: counts, rates per second, and latencies in milliseconds. */
import type { LatencyHistogram } from "./LatencyHistogram.ts"
import type { CheckReport } from "./LoadCheck.ts"
import type { LoadKind } from "./LoadCommand.ts"
import type { DurabilityLevel, Usage } from "./LoadTarget.ts"
import { type Outcome, outcomes } from "./Outcome.ts"
import { type PhaseTally, type Tally } from "./Tally.ts"
import type { TimelinePoint } from "./Timeline.ts"

/** Milliseconds, at most 0.1 % too high; `max` and `mean` are exact. */
export interface Latency {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly p9999: number
  readonly max: number
}

export interface Counts {
  /** Operations that were due. */
  readonly offered: number
  /** … and were sent: each ended in one of the five outcomes. */
  readonly sent: number
  /** … more than 10 ms after they were due. */
  readonly late: number
  /** … and were not sent before the load's end: `offered − sent`. */
  readonly missed: number
  readonly accepted: number
  readonly rejected: number
  readonly refused: number
  readonly failed: number
  readonly unknown: number
  /** Accepted per second, by the load's end. */
  readonly goodput: number
}

export interface PhaseReport extends Counts {
  readonly name: string
  readonly seconds: number
  readonly latency: Latency
}

/** `null`: not told. CPU in cores. */
export interface PointReport {
  /** Seconds from the load's start. */
  readonly second: number
  readonly offered: number
  readonly sent: number
  readonly accepted: number
  readonly rejected: number
  readonly refused: number
  readonly failed: number
  readonly unknown: number
  readonly p50: number | null
  readonly p99: number | null
  readonly max: number | null
  readonly clientCpu: number | null
  readonly clientMegabytes: number | null
  readonly serviceCpu: number | null
  readonly serviceMegabytes: number | null
}

export interface LoadReport extends Counts {
  /** `open`: arrivals by rate, latencies from the intended start. `closed`: each caller waits for its answer. */
  readonly loop: "open" | "closed"
  readonly run: string
  readonly seed: string
  /** Measured. */
  readonly seconds: number
  /** Per second: what was due, was sent, was accepted. */
  readonly rates: { readonly offered: number; readonly sent: number; readonly accepted: number }
  readonly codes: Readonly<Record<Exclude<Outcome, "accepted">, Readonly<Record<string, number>>>>
  /** From the intended start to the answer; of what never came, for as long as it was waited for. */
  readonly latency: { readonly all: Latency } & { readonly [K in LoadKind]?: Latency }
  readonly latencyByDurability: { readonly [D in DurabilityLevel]?: Latency }
  readonly latencyByOutcome: { readonly [O in Outcome]?: Latency }
  /** From the real start to the answer. */
  readonly serviceTime: Latency
  /** From the intended to the real start. */
  readonly sendDelay: Latency
  readonly percentiles: ReadonlyArray<{ readonly percentile: number; readonly millis: number }>
  readonly phases: ReadonlyArray<PhaseReport>
  readonly timeline: { readonly pointSeconds: number; readonly points: ReadonlyArray<PointReport> }
  readonly hottest: ReadonlyArray<{ readonly wallet: string; readonly accepted: number; readonly perSecond: number }>
  /** `ok: null`: not asked for. */
  readonly check: CheckReport | { readonly ok: null }
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000

export const latencyOf = (histogram: LatencyHistogram): Latency => {
  const at = (fraction: number) => rounded(histogram.percentile(fraction) / 1_000)
  return {
    count: histogram.count,
    mean: rounded(histogram.mean / 1_000),
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    p9999: at(0.9999),
    max: rounded(histogram.max / 1_000)
  }
}

/** Up to the last one of them all, finer towards the end. */
const curveOf = (histogram: LatencyHistogram): LoadReport["percentiles"] => {
  const points: Array<{ percentile: number; millis: number }> = []
  for (let rest = 100, step = 0; rest > 50 / Math.max(1, histogram.count) && step < 200; step++) {
    rest = 100 / 2 ** (step / 5)
    const percentile = 100 - rest
    points.push({ percentile, millis: rounded(histogram.percentile(percentile / 100) / 1_000) })
  }
  points.push({ percentile: 100, millis: rounded(histogram.max / 1_000) })
  return points
}

const present = <Name extends string>(histograms: ReadonlyMap<Name, LatencyHistogram>) =>
  Object.fromEntries([...histograms].flatMap(([name, one]) => (one.count === 0 ? [] : [[name, latencyOf(one)]]))) as {
    readonly [N in Name]?: Latency
  }

const countsOf = (phases: ReadonlyArray<PhaseTally>, seconds: number): Counts => {
  const sum = (of: (phase: PhaseTally) => number) => phases.reduce((total, phase) => total + of(phase), 0)
  const of = (outcome: Outcome) => sum((phase) => phase.outcomes[outcome])
  const [offered, sent] = [sum(({ offered }) => offered), sum(({ sent }) => sent)]
  return {
    offered,
    sent,
    late: sum(({ late }) => late),
    missed: offered - sent,
    accepted: of("accepted"),
    rejected: of("rejected"),
    refused: of("refused"),
    failed: of("failed"),
    unknown: of("unknown"),
    goodput: rounded(sum(({ good }) => good) / seconds)
  }
}

/** Of one process, from reading to reading. */
class CpuReadings {
  private readonly pointSeconds: number
  private last: { readonly usage: Usage; readonly index: number } | undefined

  constructor(pointSeconds: number) {
    this.pointSeconds = pointSeconds
  }

  /** Cores since the reading before; `null`: there is none, or the process was another one. */
  cores(usage: Usage | undefined, index: number): number | null {
    const { last } = this
    if (usage === undefined) return null
    this.last = { usage, index }
    if (last === undefined || usage.cpuSeconds < last.usage.cpuSeconds) return null
    return rounded((usage.cpuSeconds - last.usage.cpuSeconds) / ((index - last.index) * this.pointSeconds))
  }
}

const megabytes = (usage: Usage | undefined): number | null =>
  usage === undefined ? null : Math.round(usage.residentBytes / 1e6)

const pointsOf = (points: ReadonlyArray<TimelinePoint>, seconds: number): ReadonlyArray<PointReport> => {
  // Readings may be rarer than points: the processor time between two is spread over what lies between.
  const [client, service] = [new CpuReadings(seconds), new CpuReadings(seconds)]
  return points.map((point, index) => {
    const { latency, offered, outcomes, sent } = point
    const told = latency.count > 0
    return {
      second: index * seconds,
      offered,
      sent,
      ...outcomes,
      p50: told ? rounded(latency.percentile(0.5) / 1_000) : null,
      p99: told ? rounded(latency.percentile(0.99) / 1_000) : null,
      max: told ? rounded(latency.max / 1_000) : null,
      clientCpu: client.cores(point.client, index),
      clientMegabytes: megabytes(point.client),
      serviceCpu: service.cores(point.service, index),
      serviceMegabytes: megabytes(point.service)
    }
  })
}

export interface ReportOf {
  readonly loop: LoadReport["loop"]
  readonly run: string
  readonly seed: string
  readonly tally: Tally
  readonly hottest: LoadReport["hottest"]
  readonly check: LoadReport["check"]
}

export const reportOf = ({ check, hottest, loop, run, seed, tally }: ReportOf): LoadReport => {
  const counted = tally.phases.filter(({ phase }) => phase.counted)
  const secondsOf = (phases: ReadonlyArray<PhaseTally>) =>
    phases.reduce((sum, { phase }) => sum + phase.millis, 0) / 1_000
  const seconds = secondsOf(counted)
  const counts = countsOf(counted, seconds)
  const { rejected, refused, failed, unknown } = tally.codes
  const byCode = (codes: ReadonlyMap<string, number>) => Object.fromEntries([...codes].sort(([, a], [, b]) => b - a))
  const pointSeconds = tally.timeline.width / 1_000
  return {
    loop,
    run,
    seed,
    seconds,
    ...counts,
    rates: {
      offered: rounded(counts.offered / seconds),
      sent: rounded(counts.sent / seconds),
      accepted: counts.goodput
    },
    codes: { rejected: byCode(rejected), refused: byCode(refused), failed: byCode(failed), unknown: byCode(unknown) },
    latency: { all: latencyOf(tally.all), ...present(tally.kinds) },
    latencyByDurability: present(tally.durable),
    latencyByOutcome: present(tally.byOutcome),
    serviceTime: latencyOf(tally.service),
    sendDelay: latencyOf(tally.sendDelay),
    percentiles: curveOf(tally.all),
    phases: counted.map((one) => ({
      name: one.phase.name,
      seconds: one.phase.millis / 1_000,
      ...countsOf([one], one.phase.millis / 1_000),
      latency: latencyOf(one.latency)
    })),
    timeline: { pointSeconds, points: pointsOf(tally.timeline.points, pointSeconds) },
    hottest,
    check
  }
}

const millisText = (millis: number): string => (millis < 10 ? millis.toFixed(2) : millis.toFixed(0))

const latencyText = ({ max, p50, p90, p99, p999, p9999 }: Latency): string =>
  `p50 ${millisText(p50)}, p90 ${millisText(p90)}, p99 ${millisText(p99)}, p99.9 ${millisText(p999)}, ` +
  `p99.99 ${millisText(p9999)}, max ${millisText(max)}`

const many = (count: number): string => count.toLocaleString("en")

const codesText = (codes: Readonly<Record<string, number>>): string => {
  const texts = Object.entries(codes).map(([code, count]) => `${many(count)} ${code}`)
  return texts.length === 0 ? "" : ` (${texts.join(", ")})`
}

const checkLines = (check: LoadReport["check"]): ReadonlyArray<string> => {
  if (check.ok === null) return ["check: not asked for"]
  const { commands, complete, findingCount, findings, keys, seconds, unknown, wallets } = check
  const what =
    `${many(commands.found)} of ${many(commands.accepted)} accepted commands are there once in ${many(wallets)} wallets, ` +
    `${many(keys.same)} of ${many(keys.sent)} keys are answered as before (${seconds.toFixed(1)} s)`
  const open = unknown.done + unknown.notDone + unknown.partial
  return [
    `check: ${check.ok ? "ok" : complete ? "FAILED" : "NOT COMPLETE"}: ${what}`,
    ...(open === 0
      ? []
      : [`  of ${many(open)} without a clear answer ${many(unknown.done)} are done, ${many(unknown.partial)} in part`]),
    ...findings.map((text) => `  ${text}`),
    ...(findingCount > findings.length ? [`  and ${many(findingCount - findings.length)} more`] : [])
  ]
}

/** The report as lines for people. */
export const loadLines = (report: LoadReport): ReadonlyArray<string> => {
  const { latency, late, missed, offered, rates, sendDelay } = report
  const line = (name: string, one: Latency) =>
    `${name.padEnd(9)} ${`${many(Math.round(one.count / report.seconds))}/s`.padStart(10)}  ms: ${latencyText(one)}`
  const group = (latencies: Readonly<Record<string, Latency | undefined>>) =>
    Object.entries(latencies).flatMap(([name, one]) => (one === undefined ? [] : [line(name, one)]))
  const { all, ...kinds } = latency
  const open = report.loop === "open"
  return [
    open
      ? `open loop, latencies from the intended start; run ${report.run}, seed ${report.seed}`
      : `closed loop: who waits for an answer sends nothing meanwhile, and a stall slows the load; run ${report.run}, seed ${report.seed}`,
    ...group(kinds),
    ...group(report.latencyByDurability),
    line("all", all),
    ...(open
      ? [
          `offered ${many(offered)} (${many(Math.round(rates.offered))}/s), sent ${many(report.sent)}, of them ` +
            `${many(late)} late, missed ${many(missed)}; ms of the load's own delay: ${latencyText(sendDelay)}`
        ]
      : []),
    `accepted ${many(report.accepted)} (goodput ${many(Math.round(report.goodput))}/s), ` +
      outcomes
        .flatMap((outcome) =>
          outcome === "accepted" ? [] : [`${outcome} ${many(report[outcome])}${codesText(report.codes[outcome])}`]
        )
        .join(", "),
    ...checkLines(report.check)
  ]
}
