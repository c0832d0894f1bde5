/** The one source of chance in a simulation: SplitMix32, small, fast, and the same on every machine. */

export class SeededRandom {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** 32 bits. */
  bits(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }

  /** 0 ≤ x < 1. */
  fraction(): number {
    return this.bits() / 4_294_967_296
  }

  /** A whole number, 0 ≤ n < limit. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** A whole number, least ≤ n ≤ most. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]!
  }

  /** Picks by weight; the weights sum up to more than 0. */
  weighted<A>(items: ReadonlyArray<readonly [item: A, weight: number]>): A {
    let left = this.fraction() * items.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [item, weight] of items) {
      left -= weight
      if (left < 0) return item
    }
    return items[items.length - 1]![0]
  }

  /** The random rest of an event's id: 21 characters as of a v4 UUID. */
  idTail(): string {
    const hex = () => this.bits().toString(16).padStart(8, "0")
    const digits = hex() + hex() + hex()
    return `${digits.slice(0, 3)}-a${digits.slice(3, 6)}-${digits.slice(6, 18)}`
  }

  /** Another stream of chance, which does not depend on how much is drawn from this one. */
  fork(): SeededRandom {
    return new SeededRandom(this.bits())
  }
}
