/** Latencies in an HDR histogram: constant memory, however many there are, and any percentile of them. */
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js"

/** As it goes from one thread to another. */
export interface PackedHistogram {
  /** HDR's own compressed form; empty: of none. */
  readonly counts: string
  readonly longest: number
  readonly sum: number
}

/** Latencies in microseconds, from 1. A percentile is at most 0.1 % too high at 3 significant digits, 1 % at 2. */
export class LatencyHistogram {
  private readonly counts: Histogram
  private longest = 0
  private sum = 0

  constructor(significantDigits: 2 | 3 = 3) {
    this.counts = build({ bitBucketSize: 64, numberOfSignificantValueDigits: significantDigits })
  }

  get count(): number {
    return this.counts.totalCount
  }

  /** Exact. */
  get max(): number {
    return this.longest
  }

  /** Exact; 0 of none. */
  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count
  }

  record(micros: number): void {
    const whole = Math.max(1, Math.round(micros))
    this.counts.recordValue(whole)
    this.sum += whole
    if (whole > this.longest) this.longest = whole
  }

  /** Of the same number of significant digits. */
  add(other: LatencyHistogram): void {
    this.counts.add(other.counts)
    this.sum += other.sum
    this.longest = Math.max(this.longest, other.longest)
  }

  pack(): PackedHistogram {
    const { longest, sum } = this
    return { counts: this.count === 0 ? "" : encodeIntoCompressedBase64(this.counts), longest, sum }
  }

  addPacked({ counts, longest, sum }: PackedHistogram): void {
    if (counts === "") return
    this.counts.add(decodeFromCompressedBase64(counts, 64))
    this.sum += sum
    this.longest = Math.max(this.longest, longest)
  }

  /** `fraction`: 0–1. What so large a part of them does not exceed; 0 of none. */
  percentile(fraction: number): number {
    return this.count === 0 ? 0 : Math.min(this.longest, this.counts.getValueAtPercentile(fraction * 100))
  }
}
