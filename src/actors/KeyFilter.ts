/**
 * A Bloom filter of the idempotency keys that a busy wallet no longer keeps in full.
 * "Never seen" is certain and needs no store; "perhaps seen" costs a look-up.
 *
 * Four bytes per key, in segments, of which only the last one grows. Together they have
 * the keys of all versions from 0 to where the window begins: one that has not could
 * never say "never seen". So when there is no memory for the next segment the filter is
 * of no use any more, and gives back all that it has.
 */

/** 32 bits and 16 probes per key: a false "perhaps" in some 3 million per full segment. */
const bitsPerKey = 32
const probes = 16

/** Of the bits of a segment: raised with every change of hash or probes. */
export const segmentForm = 1

/** Each segment is twice as large as the one before, so that there are few to look at. Powers of two. */
export interface KeyFilterShape {
  /** Keys of the first segment, and after how many more the filter is due to be stored. */
  readonly segmentKeys: number
  /** Keys of the largest. */
  readonly largestKeys: number
  /** Bytes of one wallet's filter. */
  readonly walletBytes: number
}

const defaultShape: KeyFilterShape = { segmentKeys: 4_096, largestKeys: 524_288, walletBytes: 16 * 1024 * 1024 }

/** Of the segment that follows `last`. */
export const nextCapacity = (
  last: FilterSegment | undefined,
  { largestKeys, segmentKeys }: Pick<KeyFilterShape, "largestKeys" | "segmentKeys">
): number => (last === undefined ? segmentKeys : Math.max(segmentKeys, Math.min(last.capacity * 2, largestKeys)))

/** Bytes that all filters of a node may take together, and how each takes them. */
export class KeyFilterBudget {
  readonly shape: KeyFilterShape
  private left: number

  constructor(bytes: number, shape: KeyFilterShape = defaultShape) {
    this.left = bytes
    this.shape = shape
  }

  /** Whether there is room for so much of one wallet. */
  hasRoom(bytes: number): boolean {
    return bytes <= this.left && bytes <= this.shape.walletBytes
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

export interface FilterSegment {
  readonly bits: Uint8Array
  /** Keys that it is made for. */
  readonly capacity: number
  /** Keys that it has. */
  count: number
  /** The keys of all versions from here … */
  readonly fromVersion: number
  /** … to here are in it. */
  toVersion: number
  /** Up to this version it is in the store; `-1`: it is not there. */
  storedTo: number
  /** Keys that it has there. */
  storedCount: number
  /** Id of the event at `storedTo`. */
  storedEventId: string
}

export const bytesFor = (keys: number): number => (keys * bitsPerKey) / 8

export const newSegment = (capacity: number, fromVersion: number): FilterSegment => ({
  bits: new Uint8Array(bytesFor(capacity)),
  capacity,
  count: 0,
  fromVersion,
  toVersion: fromVersion - 1,
  storedTo: -1,
  storedCount: 0,
  storedEventId: ""
})

/** In the order of versions. */
export const addTo = (segment: FilterSegment, key: string, version: number): void => {
  segment.count++
  segment.toVersion = version
  const { bits } = segment
  const shift = Math.clz32(bits.length * 8 - 1)
  hash(key)
  for (let i = 0, at = hash1, step = hash2; i < probes; i++, at = (at + step) | 0, step = next(step)) {
    const bit = at >>> shift
    bits[bit >>> 3]! |= 1 << (bit & 7)
  }
}

export class KeyFilter {
  private readonly budget: KeyFilterBudget
  private bytes = 0
  /** Oldest first; the keys of all versions from 0 to the last one's `toVersion`. */
  readonly segments: Array<FilterSegment> = []
  /** Keys since it was last due to be stored. */
  private since = 0
  /** Whether so much is new that it should be stored. */
  isDue = false

  constructor(budget: KeyFilterBudget) {
    this.budget = budget
  }

  /** Keys up to this version are here; `-1`: none. */
  get toVersion(): number {
    return this.segments.at(-1)?.toVersion ?? -1
  }

  /** Continues the segments that are here. `false`: there is no memory for it; what was here is given back. */
  adopt(segment: FilterSegment): boolean {
    if (!this.take(segment.bits.length)) return false
    this.segments.push(segment)
    return true
  }

  /** Lets go of the newest segment. */
  dropLast(): void {
    const bytes = this.segments.pop()?.bits.length ?? 0
    this.bytes -= bytes
    this.budget.giveBack(bytes)
  }

  /** In the order of versions. `false`: there is no memory for it; what was here is given back. */
  add(key: string, version: number): boolean {
    let segment = this.segments.at(-1)
    // A stored segment may reach into the window.
    if (segment !== undefined && version <= segment.toVersion) return true
    if (segment === undefined || segment.count >= segment.capacity) {
      const capacity = nextCapacity(segment, this.budget.shape)
      if (!this.take(bytesFor(capacity))) return false
      segment = newSegment(capacity, this.toVersion + 1)
      this.segments.push(segment)
    }
    addTo(segment, key, version)
    if (++this.since >= this.budget.shape.segmentKeys || segment.count === segment.capacity) {
      this.since = 0
      this.isDue = true
    }
    return true
  }

  /** `false`: certainly none of the keys that are here. */
  has(key: string): boolean {
    hash(key)
    for (const { bits } of this.segments) {
      const shift = Math.clz32(bits.length * 8 - 1)
      let i = 0
      for (let at = hash1, step = hash2; i < probes; i++, at = (at + step) | 0, step = next(step)) {
        const bit = at >>> shift
        if ((bits[bit >>> 3]! & (1 << (bit & 7))) === 0) break
      }
      if (i === probes) return true
    }
    return false
  }

  /** Gives the memory back. It must not be asked any more. */
  release(): void {
    this.budget.giveBack(this.bytes)
    this.bytes = 0
    this.segments.length = 0
    this.isDue = false
  }

  private take(bytes: number): boolean {
    if (this.bytes + bytes > this.budget.shape.walletBytes || !this.budget.take(bytes)) {
      this.release()
      return false
    }
    this.bytes += bytes
    return true
  }
}

/** The two hashes of the key hashed last: kept outside, so that a look-up allocates nothing. */
let hash1 = 0
let hash2 = 0

/** From probe to probe another step: with one and the same, keys that share a hash would share all their bits. */
const next = (step: number): number => (Math.imul(step, 0x2c1b3c6d) + 0x297a2d39) | 0

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
  hash2 = finish(b)
}

const finish = (value: number): number => {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
