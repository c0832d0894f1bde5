/**
 * When the commands of an open loop are due: a sequence that the phases, the kind of arrivals and the seed decide,
 * and no answer. It is drawn as it is needed, so that a load of a day takes no more memory than one of a second.
 */

export const arrivalKinds = ["constant", "poisson"] as const
/** `constant`: at equal distances. `poisson`: each as likely at any instant, as the requests of many users come. */
export type ArrivalKind = (typeof arrivalKinds)[number]

/** A part of a load. Its rate goes evenly from one to the other, arrivals per second; in a closed loop it is nought. */
export interface Phase {
  readonly name: string
  readonly millis: number
  readonly from: number
  readonly to: number
  /** `false`: sent and not counted, to warm up. */
  readonly counted: boolean
}

/** Milliseconds of all phases. */
export const millisOf = (phases: ReadonlyArray<Phase>): number => phases.reduce((sum, { millis }) => sum + millis, 0)

/** Arrivals to be expected of a phase. */
export const arrivalsOf = ({ from, millis, to }: Phase): number => ((from + to) * millis) / 2_000

/** Milliseconds into a phase at which so many arrivals are to be expected; the inverse of a parabola. */
const millisInto = ({ from, millis, to }: Phase, arrivals: number): number => {
  const slope = ((to - from) * 1_000) / millis
  const speed = from + Math.sqrt(Math.max(0, from * from + 2 * slope * arrivals))
  return arrivals <= 0 ? 0 : Math.min(millis, (2_000 * arrivals) / speed)
}

/**
 * Gives the milliseconds from the start at which each next one is due, upwards; `Infinity` when there are no more.
 * `random`: 0 ≤ u < 1, asked for Poisson's arrivals alone.
 */
export const arrivalTimes = (phases: ReadonlyArray<Phase>, kind: ArrivalKind, random: () => number): (() => number) => {
  /** By unit of the sum of the rates: one arrival a unit is to be expected. */
  let units = kind === "constant" ? 0 : -Math.log(1 - random())
  let phase = 0
  let before = 0
  let startedAt = 0
  return () => {
    for (let current = phases[phase]; current !== undefined; current = phases[phase]) {
      const arrivals = arrivalsOf(current)
      // What rounding leaves of the last one is no arrival more.
      if (units - before < arrivals - 1e-6) {
        const due = startedAt + millisInto(current, units - before)
        units += kind === "constant" ? 1 : -Math.log(1 - random())
        return due
      }
      before += arrivals
      startedAt += current.millis
      phase++
    }
    return Infinity
  }
}
