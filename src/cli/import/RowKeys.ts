/**
 * Idempotency keys of rows: the same row has the same key in every run, and two rows of
 * one wallet never share one. Kinds of keys cannot meet: each stands between the prefix
 * and a colon, with the source, which has none in it. Pure.
 */
import { hash } from "node:crypto"
import { importKeyPrefix, isIdempotencyKey } from "../../domain/Limits.ts"

/** Of the creation of a wallet. */
export const walletKey = `${importKeyPrefix}wallet`

type KeyKind = "row" | "columns" | "line" | "content" | "opening"

const keyOf = (kind: KeyKind, source: string | undefined, text: string): string => {
  const origin = source === undefined ? "" : `@${source}`
  const key = `${importKeyPrefix}${kind}${origin}:${text}`
  // What a key cannot have goes in by its hash.
  return isIdempotencyKey(key) ? key : `${importKeyPrefix}${kind}-sha256${origin}:${hash("sha256", text, "base64url")}`
}

export const rowKey = (source: string | undefined, id: string): string => keyOf("row", source, id)

export const columnsKey = (source: string | undefined, values: ReadonlyArray<string>): string =>
  keyOf("columns", source, JSON.stringify(values))

export const lineKey = (source: string | undefined, line: number, id: string): string =>
  keyOf("line", source, `${line}:${id}`)

/** `occurrence`: counts the rows that say the same, from 1. */
export const contentKey = (source: string | undefined, digest: string, occurrence: number): string =>
  keyOf("content", source, `${digest}:${occurrence}`)

export const openingKey = (source: string | undefined): string => keyOf("opening", source, "")

/** 256 bits of these texts together. */
export const digestOf = (texts: ReadonlyArray<string>): string => hash("sha256", JSON.stringify(texts), "base64url")

/** Slots of a new table, 16 bytes each. */
const firstSlots = 4096

/**
 * A number per text, by 96 bits of its hash: 16 bytes a slot, at most two thirds of them
 * taken, so 24 to 48 bytes a text, whatever its length. Two of a billion texts meet once
 * in 10^11 files.
 */
export class NumberByText {
  private slots = new Uint32Array(firstSlots * 4)
  private size = 0

  /** Sets the number of `text`, above 0 and below 2^32, and gives the one before; 0: there was none. */
  replace(text: string, number: number): number {
    const digest = hash("sha256", text, "buffer")
    const [a, b, c] = [digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8)]
    const at = this.find(a, b, c)
    const before = this.slots[at + 3]!
    this.slots.set([a, b, c, number], at)
    if (before === 0) this.added()
    return before
  }

  private find(a: number, b: number, c: number): number {
    const { slots } = this
    const mask = slots.length / 4 - 1
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 4
      const free = slots[at + 3] === 0
      if (free || (slots[at] === a && slots[at + 1] === b && slots[at + 2] === c)) return at
    }
  }

  private added(): void {
    this.size += 1
    const before = this.slots
    if (this.size * 6 <= before.length) return
    this.slots = new Uint32Array(before.length * 2)
    for (let at = 0; at < before.length; at += 4) {
      if (before[at + 3] === 0) continue
      this.slots.set(before.subarray(at, at + 4), this.find(before[at]!, before[at + 1]!, before[at + 2]!))
    }
  }
}
