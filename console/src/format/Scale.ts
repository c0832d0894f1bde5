/** Where exact integers stand on a scale of pixels, and which round ones are written beside it. Pure. */

/** Positions are whole numbers from 0 to this: finer than any screen. */
const resolution = 1_000_000n

/** About how many are written. */
const wantedTicks = 4n

const floorDivide = (value: bigint, by: bigint): bigint => value / by - (value % by < 0n ? 1n : 0n)

/** 1, 2 or 5 times a power of ten, at least `value`. */
const roundUp = (value: bigint): bigint => {
  let power = 1n
  while (power * 10n <= value) power *= 10n
  return [1n, 2n, 5n, 10n].map((times) => times * power).find((round) => round >= value) ?? power * 10n
}

export interface Scale {
  /** Where the highest is. */
  readonly top: number
  readonly ticks: ReadonlyArray<bigint>
  readonly position: (value: bigint) => number
}

/** Zero is on it: half of what there was looks like half. */
export const scaleOf = (values: ReadonlyArray<bigint>): Scale => {
  let least = 0n
  let most = 0n
  for (const value of values) {
    if (value < least) least = value
    if (value > most) most = value
  }
  const share = (most - least) / wantedTicks
  const step = roundUp(share > 0n ? share : 1n)
  const bottom = floorDivide(least, step) * step
  const ticks = [bottom]
  let highest = bottom
  while (highest < most || ticks.length < 2) ticks.push((highest += step))
  const span = highest - bottom
  return { top: Number(resolution), ticks, position: (value) => Number(((value - bottom) * resolution) / span) }
}
