/**
 * Who has the most of something, in memory that does not grow with how many there are (Misra and Gries): a counter each
 * for `counters` names, and where another name comes, all give way by the least. Of each name that it tells at least
 * `weight` have come and at most `weight + error`, and no other name has had more than `error`; `error` is at most
 * `total / (counters + 1)`. An addition costs one look into a map; giving way is paid for by what came before.
 */
export interface HeavyHitter {
  readonly name: string
  readonly weight: number
}

export class HeavyHitters {
  private readonly counted = new Map<string, number>()
  private readonly counters: number
  /** Of all names. */
  total = 0
  /** What each name may have had beyond its counter. */
  error = 0

  constructor(counters: number) {
    this.counters = counters
  }

  /** `weight`: at least 1. */
  add(name: string, weight: number): void {
    const { counted } = this
    this.total += weight
    const known = counted.get(name)
    if (known !== undefined) counted.set(name, known + weight)
    else if (counted.size < this.counters) counted.set(name, weight)
    else this.giveWay(name, weight)
  }

  private giveWay(name: string, weight: number): void {
    const { counted } = this
    let least = weight
    for (const one of counted.values()) if (one < least) least = one
    this.error += least
    for (const [one, has] of counted) {
      if (has === least) counted.delete(one)
      else counted.set(one, has - least)
    }
    if (weight > least) counted.set(name, weight - least)
  }

  /** The heaviest first, at most `count`. */
  top(count: number): ReadonlyArray<HeavyHitter> {
    return [...this.counted]
      .map(([name, weight]) => ({ name, weight }))
      .sort((one, other) => other.weight - one.weight)
      .slice(0, count)
  }
}
