/**
 * Amounts in an index whose numbers are 64 bits wide and whose sums are floating-point:
 * as a text that sorts like the amount, and in parts that can be summed exactly.
 */
import * as Schema from "effect/Schema"
import { withCodec } from "../../domain/Codec.ts"

/** All amounts and balances are smaller (`domain/Limits.ts`), with room to spare for what is asked for. */
const digits = 40
const largest = 10n ** BigInt(digits) - 1n

const clamped = (amount: bigint): bigint => (amount > largest ? largest : amount < -largest ? -largest : amount)

const zeros = "0".repeat(digits)

/**
 * 41 characters: `1` and the digits; below zero `0` and the digits of what it is above the
 * lowest. Compared as texts they are in the order of the amounts. What is beyond 40 digits
 * stands for the largest one, which no amount in an index is near.
 */
export const amountOrder = (amount: bigint): string => {
  const bounded = clamped(amount)
  const text = (bounded >= 0n ? bounded : largest + bounded).toString()
  return (bounded >= 0n ? "1" : "0") + zeros.slice(text.length) + text
}

const base = 1_000_000n

/**
 * The amount as Σ part × 10^(6 × index), each with its sign, those that are zero left out; so most amounts
 * have one or two. Sums of such parts are exact as floating-point numbers too, up to 9 × 10^9 of them (2^53).
 * JSON, by the names `p0`, `p1`, ….
 */
export const amountParts = (amount: bigint): string => {
  if (amount > -base && amount < base) return amount === 0n ? "{}" : `{"p0":${amount}}`
  let parts = ""
  let rest = amount
  for (let index = 0; rest !== 0n; index++) {
    const part = rest % base
    if (part !== 0n) parts += `${parts === "" ? "" : ","}"p${index}":${part}`
    rest /= base
  }
  return `{${parts}}`
}

/** A sum of parts; one that is not exact any more is none. */
export const PartSum = withCodec(Schema.Int, {
  encode: (value) => value,
  decode: (value) => (typeof value === "number" && Number.isSafeInteger(value) ? value : undefined)
})

/** The sum of amounts from the sums of their parts, the lowest first; each a whole number up to 2^53. */
export const sumOfParts = (sums: ReadonlyArray<number>): bigint =>
  sums.reduceRight((sum, part) => sum * base + BigInt(part), 0n)
