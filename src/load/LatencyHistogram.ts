/** Latencies in buckets of equal ratio: constant memory, however many there are. */
/** 4 % steps from 1 µs: 500 buckets reach beyond five minutes. */
const growth = 1.04
const logGrowth = Math.log(growth)
const bucketCount = 500

/** Latencies in microseconds. A percentile is its bucket's upper bound, at most 4 % too high. */
export class LatencyHistogram {
  readonly buckets = new Float64Array(bucketCount)
  count = 0
  max = 0

  record(micros: number): void {
    const bucket = micros <= 1 ? 0 : Math.min(bucketCount - 1, Math.ceil(Math.log(micros) / logGrowth))
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1
    this.count++
    if (micros > this.max) this.max = micros
  }

  percentile(fraction: number): number {
    const wanted = this.count * fraction
    let seen = 0
    for (let i = 0; i < bucketCount; i++) {
      seen += this.buckets[i] ?? 0
      if (seen >= wanted && seen > 0) return Math.round(Math.min(this.max, growth ** i))
    }
    return Math.round(this.max)
  }
}
