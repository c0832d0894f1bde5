/**
 * Decimal texts as banks write them, exactly: no float on the way.
 */
import * as Result from "effect/Result"

/** Digits after the point that a currency may have. */
export const maxExponent = 18

const pattern = /^([+-]?)([0-9]{1,30})(?:\.([0-9]+))?$/

/**
 * `"700.00"` with exponent 2 is `70000n` minor units; signed. A failure says why the
 * text is not such an amount; more decimals than the currency has are refused, also
 * zeros, for they say that the exponent is wrong.
 */
export const parseDecimal = (text: string, exponent: number): Result.Result<bigint, string> => {
  const match = pattern.exec(text.trim())
  if (match === null) return Result.fail(`${JSON.stringify(text)} is not an amount like 1234.56`)
  const [, sign, whole = "0", decimals = ""] = match
  if (decimals.length > exponent) {
    return Result.fail(`${JSON.stringify(text)} has more than ${exponent} decimals`)
  }
  const units = BigInt(whole + decimals.padEnd(exponent, "0"))
  return Result.succeed(sign === "-" ? -units : units)
}

/** The other way round: `70000n` with exponent 2 is `"700.00"`. */
export const formatDecimal = (units: bigint, exponent: number): string => {
  const digits = (units < 0n ? -units : units).toString().padStart(exponent + 1, "0")
  const sign = units < 0n ? "-" : ""
  return exponent === 0 ? sign + digits : `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`
}
