/** How a load went over time: points of equal width, which are joined in pairs when there are too many. */
import { LatencyHistogram, type PackedHistogram } from "./LatencyHistogram.ts"
import type { Usage } from "./LoadTarget.ts"
import type { Outcome } from "./Outcome.ts"

/** More would be more than a page can show; each holds a histogram of some kilobytes. */
const maxPoints = 512

const firstWidth = 1_000

/** `offered` and `sent` by when they were due, latencies by when they were due, outcomes by when they came. */
export class TimelinePoint {
  offered = 0
  sent = 0
  readonly outcomes: Record<Outcome, number> = { accepted: 0, rejected: 0, refused: 0, failed: 0, unknown: 0 }
  readonly latency = new LatencyHistogram(2)
  /** At its end; the last that was told. */
  client: Usage | undefined
  service: Usage | undefined

  /** What was counted elsewhere at the same time. */
  count({ offered, outcomes, sent }: Pick<TimelinePoint, "offered" | "sent" | "outcomes">): void {
    this.offered += offered
    this.sent += sent
    for (const name of Object.keys(this.outcomes) as ReadonlyArray<Outcome>) this.outcomes[name] += outcomes[name]
  }

  join(next: TimelinePoint): void {
    this.count(next)
    this.latency.add(next.latency)
    this.client = next.client ?? this.client
    this.service = next.service ?? this.service
  }
}

interface PackedPoint {
  readonly offered: number
  readonly sent: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly latency: PackedHistogram
}

/** As it goes from one thread to another; what the processes use is not of a thread. */
export interface PackedTimeline {
  readonly width: number
  readonly points: ReadonlyArray<PackedPoint>
}

export class Timeline {
  /** Milliseconds a point. */
  width = firstWidth
  points: Array<TimelinePoint> = []

  /** `millis`: from the start of the load. */
  at(millis: number): TimelinePoint {
    const whole = Math.max(0, millis)
    while (whole >= this.width * maxPoints) this.halve()
    const index = Math.floor(whole / this.width)
    while (this.points.length <= index) this.points.push(new TimelinePoint())
    return this.points[index]!
  }

  pack(): PackedTimeline {
    const points = this.points.map(({ latency, offered, outcomes, sent }) => ({
      offered,
      sent,
      outcomes,
      latency: latency.pack()
    }))
    return { width: this.width, points }
  }

  addPacked({ points, width }: PackedTimeline): void {
    while (this.width < width) this.halve()
    points.forEach((packed, index) => {
      const point = this.at(index * width)
      point.count(packed)
      point.latency.addPacked(packed.latency)
    })
  }

  private halve(): void {
    this.width *= 2
    const joined: Array<TimelinePoint> = []
    this.points.forEach((point, index) => {
      if (index % 2 === 0) joined.push(point)
      else joined.at(-1)!.join(point)
    })
    this.points = joined
  }
}
