/**
 * A sum over the last so many milliseconds, in buckets of a stated size: facts of a bounded size for
 * policies that limit what happens in a time.
 *
 * It is never below the true sum over any window of that length: a bucket counts as a whole until the
 * last moment of it is out of the window. So it may be above it by what happened in one bucket more.
 */

/** The buckets in which there is anything, oldest first: number and sum. Bucket n begins at n × its size. */
export type RollingSum = ReadonlyArray<readonly [bucket: number, sum: bigint]>

/** Both in whole milliseconds, `perMillis` at most 600 buckets. */
export interface RollingSumSize {
  readonly perMillis: number
  readonly bucketMillis: number
}

export const empty: RollingSum = []

/** In a window: 60 kB as JSON. */
export const maxBuckets = 600

const isOver = (bucket: number, { bucketMillis, perMillis }: RollingSumSize, now: number): boolean =>
  (bucket + 1) * bucketMillis <= now - perMillis

/** What happened at `time`, ms, is added; what is over by then is left out. A time before the last one counts as that one. */
export const add = (sums: RollingSum, size: RollingSumSize, time: number, amount: bigint): RollingSum => {
  const last = sums.at(-1)
  const bucket = Math.max(Math.floor(time / size.bucketMillis), last?.[0] ?? 0)
  const kept = sums.filter(([one]) => one !== bucket && !isOver(one, size, time))
  return [...kept, [bucket, (last?.[0] === bucket ? last[1] : 0n) + amount]]
}

/** Of the window that ends at `now`, ms. */
export const sumAt = (sums: RollingSum, size: RollingSumSize, now: number): bigint => {
  let sum = 0n
  for (const [bucket, amount] of sums) if (!isOver(bucket, size, now)) sum += amount
  return sum
}

/** Of a bucket with its sum as JSON, bytes: sums of up to 60 digits. */
const bucketBytes = 100

/** Of the JSON, at most. */
export const maxBytesOf = ({ bucketMillis, perMillis }: RollingSumSize): number =>
  2 + (Math.floor(perMillis / bucketMillis) + 2) * bucketBytes

/** How far back events make a difference, ms. */
export const reachOf = ({ bucketMillis, perMillis }: RollingSumSize): number => perMillis + bucketMillis
