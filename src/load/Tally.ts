/** What a load counts while it runs, each operation by the phase in which it was due. */
import { millisOf, type Phase } from "./ArrivalTimes.ts"
import { LatencyHistogram, type PackedHistogram } from "./LatencyHistogram.ts"
import { type LoadKind, loadKinds } from "./LoadCommand.ts"
import { durabilities, type DurabilityLevel, type LoadReply } from "./LoadTarget.ts"
import { type Outcome, outcomes } from "./Outcome.ts"
import { type PackedTimeline, Timeline } from "./Timeline.ts"
import type { Operation } from "./Workload.ts"

/** Later than this after its due time an operation was sent late, milliseconds. */
export const lateMillis = 10

const failures = outcomes.filter((outcome) => outcome !== "accepted")

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

  add(other: PackedTally["phases"][number]): void {
    this.offered += other.offered
    this.sent += other.sent
    this.late += other.late
    this.good += other.good
    for (const outcome of outcomes) this.outcomes[outcome] += other.outcomes[outcome]
    this.latency.addPacked(other.latency)
  }
}

/** What an operation's times are, milliseconds from the load's start. */
export interface Times {
  /** When it was to be sent. */
  readonly due: number
  readonly sentAt: number
  readonly now: number
}

type PhaseCounts = Pick<PhaseTally, "offered" | "sent" | "late" | "good" | "outcomes">

type Packed<Name extends string> = ReadonlyArray<readonly [Name, PackedHistogram]>

/** As it goes from one thread to another. */
export interface PackedTally {
  readonly phases: ReadonlyArray<PhaseCounts & { readonly latency: PackedHistogram }>
  readonly all: PackedHistogram
  readonly kinds: Packed<LoadKind>
  readonly durable: Packed<DurabilityLevel>
  readonly byOutcome: Packed<Outcome>
  readonly sendDelay: PackedHistogram
  readonly service: PackedHistogram
  readonly codes: Tally["codes"]
  readonly timeline: PackedTimeline
}

const packed = <Name extends string>(histograms: ReadonlyMap<Name, LatencyHistogram>): Packed<Name> =>
  Array.from(histograms, ([name, histogram]) => [name, histogram.pack()] as const)

const addPacked = <Name extends string>(
  histograms: ReadonlyMap<Name, LatencyHistogram>,
  packed: Packed<Name>
): void => {
  for (const [name, one] of packed) histograms.get(name)?.addPacked(one)
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
    // The later first: with it two points may become one.
    this.timeline.at(now).outcomes[outcome]++
    this.timeline.at(due).latency.record(micros)
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

  /** What was answered elsewhere, for progress; the rest of it comes with `addPacked`. */
  addRecent(answered: number, failures: number, recent: PackedHistogram): void {
    this.answered += answered
    this.failures += failures
    this.recent.addPacked(recent)
  }

  pack(): PackedTally {
    return {
      phases: this.phases.map(({ good, late, latency, offered, outcomes, sent }) => ({
        offered,
        sent,
        late,
        good,
        outcomes,
        latency: latency.pack()
      })),
      all: this.all.pack(),
      kinds: packed(this.kinds),
      durable: packed(this.durable),
      byOutcome: packed(this.byOutcome),
      sendDelay: this.sendDelay.pack(),
      service: this.service.pack(),
      codes: this.codes,
      timeline: this.timeline.pack()
    }
  }

  /** Of the same phases. */
  addPacked(other: PackedTally): void {
    this.phases.forEach((phase, index) => phase.add(other.phases[index]!))
    this.all.addPacked(other.all)
    addPacked(this.kinds, other.kinds)
    addPacked(this.durable, other.durable)
    addPacked(this.byOutcome, other.byOutcome)
    this.sendDelay.addPacked(other.sendDelay)
    this.service.addPacked(other.service)
    this.timeline.addPacked(other.timeline)
    for (const outcome of failures) {
      const codes = this.codes[outcome]
      for (const [code, count] of other.codes[outcome]) codes.set(code, (codes.get(code) ?? 0) + count)
    }
  }

  /** The latencies since the last call. */
  takeRecent(): LatencyHistogram {
    const { recent } = this
    this.recent = new LatencyHistogram(2)
    return recent
  }
}
