/** What a load counts while it runs, each operation by the phase in which it was due. */
import { millisOf, type Phase } from "./ArrivalTimes.ts"
import { LatencyHistogram } from "./LatencyHistogram.ts"
import { loadKinds } from "./LoadCommand.ts"
import { durabilities, type LoadReply } from "./LoadTarget.ts"
import { type Outcome, outcomes } from "./Outcome.ts"
import { Timeline } from "./Timeline.ts"
import type { Operation } from "./Workload.ts"

/** Later than this after its due time an operation was sent late, milliseconds. */
export const lateMillis = 10

const histograms = <Name extends string>(names: ReadonlyArray<Name>) =>
  new Map(names.map((name) => [name, new LatencyHistogram()] as const))

/** Of one phase that counts. */
export class PhaseTally {
  readonly phase: Phase
  offered = 0
  sent = 0
  late = 0
  /** Accepted, and answered before the load's end. */
  good = 0
  readonly outcomes: Record<Outcome, number> = { accepted: 0, rejected: 0, refused: 0, failed: 0, unknown: 0 }
  readonly latency = new LatencyHistogram()

  constructor(phase: Phase) {
    this.phase = phase
  }
}

/** What an operation's times are, milliseconds from the load's start. */
export interface Times {
  /** When it was to be sent. */
  readonly due: number
  readonly sentAt: number
  readonly now: number
}

export class Tally {
  readonly phases: ReadonlyArray<PhaseTally>
  /** From the intended start to the answer, of all. */
  readonly all = new LatencyHistogram()
  readonly kinds = histograms(loadKinds)
  readonly durable = histograms(durabilities)
  readonly byOutcome = histograms(outcomes)
  /** From the intended to the real start: the load's own part. */
  readonly sendDelay = new LatencyHistogram()
  /** From the real start to the answer: the service's part. */
  readonly service = new LatencyHistogram()
  readonly codes: Readonly<Record<Exclude<Outcome, "accepted">, Map<string, number>>> = {
    rejected: new Map(),
    refused: new Map(),
    failed: new Map(),
    unknown: new Map()
  }
  readonly timeline = new Timeline()
  /** Of all phases, for progress. */
  answered = 0
  failures = 0
  /** Milliseconds. */
  readonly end: number
  private recent = new LatencyHistogram(2)

  constructor(phases: ReadonlyArray<Phase>) {
    this.phases = phases.map((phase) => new PhaseTally(phase))
    this.end = millisOf(phases)
  }

  /** `undefined`: of a phase that does not count. */
  private phaseAt(due: number): PhaseTally | undefined {
    let endsAt = 0
    for (const tally of this.phases) {
      endsAt += tally.phase.millis
      if (due < endsAt || tally === this.phases.at(-1)) return tally.phase.counted ? tally : undefined
    }
    return undefined
  }

  sent(due: number, sentAt: number): void {
    const point = this.timeline.at(due)
    point.offered++
    point.sent++
    const phase = this.phaseAt(due)
    if (phase === undefined) return
    phase.offered++
    phase.sent++
    if (sentAt - due > lateMillis) phase.late++
    this.sendDelay.record((sentAt - due) * 1_000)
  }

  /** It was due, and the load ended before it could be sent. */
  missed(due: number): void {
    this.timeline.at(due).offered++
    const phase = this.phaseAt(due)
    if (phase !== undefined) phase.offered++
  }

  completed({ kind }: Operation, { due, now, sentAt }: Times, { code, durable, outcome }: LoadReply): void {
    const micros = (now - due) * 1_000
    const point = this.timeline.at(due)
    this.timeline.at(now).outcomes[outcome]++
    point.latency.record(micros)
    this.recent.record(micros)
    this.answered++
    if (outcome !== "accepted") this.failures++
    const phase = this.phaseAt(due)
    if (phase === undefined) return
    phase.outcomes[outcome]++
    phase.latency.record(micros)
    if (outcome === "accepted" && now < this.end) phase.good++
    this.all.record(micros)
    this.kinds.get(kind)?.record(micros)
    this.byOutcome.get(outcome)?.record(micros)
    this.service.record((now - sentAt) * 1_000)
    if (durable !== undefined) this.durable.get(durable)?.record(micros)
    if (outcome === "accepted") return
    const codes = this.codes[outcome]
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }

  /** The latencies since the last call. */
  takeRecent(): LatencyHistogram {
    const { recent } = this
    this.recent = new LatencyHistogram(2)
    return recent
  }
}
