/**
 * A Bloom filter of the idempotency keys that a busy wallet no longer keeps in full.
 * "Never seen" is certain and needs no store; "perhaps seen", wrong for about one
 * key in 30,000 even with a million held, costs a look-up.
 *
 * Four bytes per key. It grows in segments, each twice as large as the one before up
 * to a bound; beyond its bounds the oldest segment, with the oldest keys, goes.
 */

/** 32 bits and 8 probes per key: a false "perhaps" in 170,000 per full segment. */
const bitsPerKey = 32
const probes = 8
const firstSegmentKeys = 4_096
const largestSegmentKeys = 524_288
/** Per wallet: at most some 4 million keys, 16 MB. */
const maxSegments = 14

/** Bytes that all filters of a node may take together. */
export class KeyFilterBudget {
  private left: number

  constructor(bytes: number) {
    this.left = bytes
  }

  take(bytes: number): boolean {
    if (bytes > this.left) return false
    this.left -= bytes
    return true
  }

  giveBack(bytes: number): void {
    this.left += bytes
  }
}

interface Segment {
  readonly bits: Uint32Array
  readonly capacity: number
  count: number
  /** Version and time of its newest key. */
  version: number
  time: number
}

export class KeyFilter {
  private readonly budget: KeyFilterBudget
  /** Oldest first. */
  private segments: Array<Segment> = []
  /** Keys of versions from here up to where the window begins are in the filter. */
  coversFrom: number
  /** Time of the newest key before that; `-1`: there is none. */
  uncoveredTime: number

  constructor(budget: KeyFilterBudget, coversFrom: number, uncoveredTime: number) {
    this.budget = budget
    this.coversFrom = coversFrom
    this.uncoveredTime = uncoveredTime
  }

  /** In the order of versions. */
  add(key: string, version: number, time: number): void {
    let segment = this.segments.at(-1)
    if (segment === undefined || segment.count >= segment.capacity) segment = this.grow(segment)
    if (segment === undefined) {
      this.coversFrom = version + 1
      this.uncoveredTime = time
      return
    }
    segment.count++
    segment.version = version
    segment.time = time
    const bits = segment.bits
    const mask = bits.length * 32 - 1
    hash(key)
    for (let i = 0, at = hash1; i < probes; i++, at = (at + hash2) | 0) {
      const bit = at & mask
      bits[bit >>> 5]! |= 1 << (bit & 31)
    }
  }

  /** `false`: certainly not one of the keys from `coversFrom` on. */
  has(key: string): boolean {
    if (this.segments.length === 0) return false
    hash(key)
    for (const { bits } of this.segments) {
      const mask = bits.length * 32 - 1
      let i = 0
      for (let at = hash1; i < probes; i++, at = (at + hash2) | 0) {
        const bit = at & mask
        if ((bits[bit >>> 5]! & (1 << (bit & 31))) === 0) break
      }
      if (i === probes) return true
    }
    return false
  }

  /** Gives the memory back. What is left knows nothing. */
  release(): void {
    while (this.segments.length > 0) this.dropOldest()
  }

  /** A new segment, or the oldest one's memory for new keys; `undefined`: there is no memory at all. */
  private grow(last: Segment | undefined): Segment | undefined {
    let capacity = last === undefined ? firstSegmentKeys : Math.min(last.capacity * 2, largestSegmentKeys)
    if (this.segments.length >= maxSegments || !this.budget.take(bytesOf(capacity))) {
      if (this.segments.length === 0) return undefined
      capacity = this.segments[0]!.capacity
      this.dropOldest()
      if (!this.budget.take(bytesOf(capacity))) return undefined
    }
    const bits = new Uint32Array(bytesOf(capacity) / 4)
    const segment: Segment = { bits, capacity, count: 0, version: -1, time: -1 }
    this.segments.push(segment)
    return segment
  }

  private dropOldest(): void {
    const oldest = this.segments.shift()
    if (oldest === undefined) return
    this.coversFrom = oldest.version + 1
    this.uncoveredTime = oldest.time
    this.budget.giveBack(oldest.bits.byteLength)
  }
}

const bytesOf = (keys: number): number => (keys * bitsPerKey) / 8

/** The two hashes of the key hashed last: kept outside, so that a look-up allocates nothing. */
let hash1 = 0
let hash2 = 0

/** FNV-1a and a multiplicative hash in one pass, finished as MurmurHash3 does. */
const hash = (key: string): void => {
  let a = 0x811c9dc5
  let b = 0x9747b28c
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ code, 0x5bd1e995)
    b ^= b >>> 15
  }
  hash1 = finish(a)
  // Odd, so that the probes of one key do not meet.
  hash2 = finish(b) | 1
}

const finish = (value: number): number => {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
